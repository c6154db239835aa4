package enip

import (
	"bytes"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Message is a message of the encapsulation.
type Message struct {
	Dir             protocol.Dir
	Command         uint16
	Session, Status uint32
	// Register, Identity and Services are what the commands of that name carry, nil
	// where there is none; CIP are the messages of CIP.
	Register *Register
	Identity *Identity
	Services *Services
	CIP      []CIP
	// seq numbers what is sent on a connection.
	seq uint16
	// services counts those of CIP, so that few bytes cannot make many, and parts the
	// segments of their paths and the attributes that they list: rules ask for each.
	services, parts int
	// bad tells that something could not be read, other that there is more than was.
	bad, other bool
	// framed asks for places, those of items; size is the body's length.
	framed bool
	places []place
	size   int
}

// opaque reports whether a message carries more than was understood.
func (m *Message) opaque() bool {
	return m.other || m.Register == nil && m.Identity == nil && m.Services == nil && len(m.CIP) == 0
}

// Register is how a session is begun.
type Register struct{ Version, Options uint16 }

// Identity is what a device says of itself.
type Identity struct {
	Version, Vendor, DeviceType, ProductCode uint16
	// Revision has the major one above the minor.
	Revision, Status uint16
	Serial           uint32
	ProductName      []byte
	State            byte
}

// Services tells what a device can do.
type Services struct {
	Version, Capabilities uint16
	Name                  []byte
}

// Types of items (volume 2 table 2-6.3).
const (
	itemIdentity    = 0x0c
	itemConnected   = 0xb1
	itemUnconnected = 0xb2
	itemServices    = 0x100
)

// maxAddress is the longest item that is but an address.
const maxAddress = 16

// maxName is the longest name of a product or a service that is one.
const maxName = 32

// maxItems bounds the items of a message.
const maxItems = 64

// parse reads what follows the header; it keeps b.
func (m *Message) parse(b []byte) {
	m.size = len(b)
	switch m.Command {
	case cmdListServices, cmdListIdentity, cmdListInterfaces:
		if len(b) > 0 {
			m.items(b)
		}
	case cmdRegisterSession:
		switch {
		case len(b) >= 4:
			m.Register = &Register{binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])}
			m.other = len(b) > 4
		case len(b) > 0 || m.Dir == protocol.ToServer:
			m.bad = true
		}
	case cmdSendRRData, cmdSendUnitData:
		switch {
		case len(b) >= 6:
			m.items(b[6:]) // interface and timeout come first
		case m.Status == 0:
			m.bad = true
		}
	default:
		m.bad = m.bad || !known(m.Command)
	}
}

// items reads the common packet format (volume 2 §2-6).
func (m *Message) items(b []byte) {
	if len(b) < 2 {
		m.bad = true
		return
	}
	n := int(binary.LittleEndian.Uint16(b))
	b = b[2:]
	if n > maxItems {
		n, m.bad = maxItems, true
	}
	for range n {
		if len(b) < 4 || int(binary.LittleEndian.Uint16(b[2:])) > len(b)-4 {
			m.bad = true
			return
		}
		typ, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		at := m.size - len(b)
		if m.framed {
			m.places = append(m.places, place{at, 4 + size})
		}
		m.item(typ, b[4:4+size:4+size], at+4)
		b = b[4+size:]
	}
	m.passed(len(b))
}

// maxPassed is how much of a message may be passed over unread.
const maxPassed = 16

// passed notes n bytes that nobody has read.
func (m *Message) passed(n int) { m.other = m.other || n > maxPassed }

// item reads an item's content, which begins at offset at of the body.
func (m *Message) item(typ uint16, b []byte, at int) {
	ok := true
	switch {
	case typ == itemIdentity && m.Identity == nil:
		if m.Identity, ok = identity(b); ok {
			const product = 33 // where the product's name begins
			m.passed(len(b) - product - len(m.Identity.ProductName))
			m.passed(len(m.Identity.ProductName) - maxName)
		}
	case typ == itemServices && m.Services == nil:
		if ok = len(b) >= 4; ok {
			name, _, _ := bytes.Cut(b[4:], []byte{0})
			m.Services = &Services{binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), name}
			m.passed(len(b) - 4 - maxName)
		}
	case typ == itemConnected:
		if ok = len(b) >= 2; ok {
			m.seq = binary.LittleEndian.Uint16(b)
			m.cip(b[2:], at+2)
		}
	case typ == itemUnconnected:
		m.cip(b, at)
	case len(b) > maxAddress:
		m.other = true
	}
	m.bad = m.bad || !ok
}

// identity reads an item of volume 2 table 2-4.4: version, a socket's address, and
// the attributes of the identity object.
func identity(b []byte) (*Identity, bool) {
	const fixed = 33
	if len(b) < fixed || int(b[32]) > len(b)-fixed {
		return nil, false
	}
	u := func(at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
	i := &Identity{Version: u(0), Vendor: u(18), DeviceType: u(20), ProductCode: u(22), Revision: binary.BigEndian.Uint16(b[24:]), Status: u(26),
		Serial: binary.LittleEndian.Uint32(b[28:])}
	i.ProductName = b[fixed : fixed+int(b[32])]
	if rest := b[fixed+int(b[32]):]; len(rest) > 0 {
		i.State = rest[0]
	}
	return i, true
}

func (m *Message) cip(b []byte, at int) {
	if len(b) == 0 {
		return
	}
	var c CIP
	m.readCIP(&c, b, at, 0)
	m.CIP = append(m.CIP, c)
}

// each calls f for every message of CIP, those within others after these.
func (m *Message) each(f func(*CIP)) {
	for i := range m.CIP {
		m.CIP[i].each(f)
	}
}
