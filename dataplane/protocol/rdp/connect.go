package rdp

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"

	"sluice/dataplane/protocol"
)

// The blocks of settings ([MS-RDPBCGR] §2.2.1.3.1).
const (
	clientCore     = 0xc001
	clientNet      = 0xc003
	serverSecurity = 0x0c02
)

const (
	maxChannels = 31 // §2.2.1.3.4
	channelLen  = 12
)

// client is what a client tells of itself (§2.2.1.3.2). Those fields that older
// clients leave off are 0.
type client struct {
	version           uint32
	width, height     uint16
	depth             uint16
	layout, build     uint32
	name              string
	keyboard, subtype uint32
	functionKeys      uint32
	ime               string
	product           *uint16
	serial            uint32
	capabilities      uint16
	id                string
	hint              uint8
	physicalWidth     uint32
	physicalHeight    uint32
	orientation       *uint16
	scale             uint32
	deviceScale       uint32
}

// readConnect reads T.125's Connect-Initial or Connect-Response, as direction has
// it, and the settings in it (T.124, §8.7).
func readConnect(b []byte, dir protocol.Dir) (*Message, bool) {
	tag, mark := byte(0x65), "Duca"
	if dir == protocol.ToClient {
		tag, mark = 0x66, "McDn"
	}
	if len(b) < 2 || b[0] != 0x7f || b[1] != tag {
		return nil, false
	}
	m := &Message{kind: connectRequest}
	if dir == protocol.ToClient {
		m.kind = connectResponse
	}
	// The settings stand behind a mark of four letters and their length; what is
	// before them is the same in all implementations but for lengths.
	at := bytes.Index(b, []byte(mark))
	if at < 0 {
		return m, true
	}
	b = b[at+len(mark):]
	if len(b) == 0 {
		return m, true
	}
	n := int(b[0])
	b = b[1:]
	if n >= 0x80 {
		if len(b) == 0 {
			return m, true
		}
		n = n&0x7f<<8 | int(b[0])
		b = b[1:]
	}
	b = b[:min(n, len(b))]
	for len(b) >= 4 {
		typ, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if size < 4 || size > len(b) {
			break
		}
		m.block(typ, b[4:size])
		b = b[size:]
	}
	return m, true
}

func (m *Message) block(typ uint16, b []byte) {
	switch typ {
	case clientCore:
		if m.kind == connectRequest {
			m.client = readClient(b)
		}
	case clientNet:
		if m.kind != connectRequest || len(b) < 4 {
			return
		}
		for b = b[4:]; len(b) >= channelLen && len(m.channels) < maxChannels; b = b[channelLen:] {
			name, _, _ := bytes.Cut(b[:8], []byte{0})
			m.channels = append(m.channels, printable(name))
		}
	case serverSecurity:
		if m.kind == connectResponse && len(b) >= 4 {
			m.method = binary.LittleEndian.Uint32(b)
		}
	}
}

// fields takes numbers in little-endian order; past the end they are 0.
type fields struct {
	b   []byte
	end bool
}

func (f *fields) next(n int) []byte {
	if f.end = f.end || len(f.b) < n; f.end {
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) u8() uint8 {
	if b := f.next(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) u16() uint16 {
	if b := f.next(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (f *fields) u32() uint32 {
	if b := f.next(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// some gives a number that may not be there.
func (f *fields) some() *uint16 {
	v := f.u16()
	if f.end {
		return nil
	}
	return &v
}

// text takes a text of n bytes that ends at a zero.
func (f *fields) text(n int) string {
	var u []uint16
	for b := f.next(n); len(b) >= 2; b = b[2:] {
		c := binary.LittleEndian.Uint16(b)
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}

// readClient reads a client's core data; nil for what is too short.
func readClient(b []byte) *client {
	f := &fields{b: b}
	c := &client{version: f.u32(), width: f.u16(), height: f.u16()}
	depth := f.u16()
	f.u16() // the sequence of secure attention
	c.layout, c.build, c.name = f.u32(), f.u32(), f.text(32)
	c.keyboard, c.subtype, c.functionKeys, c.ime = f.u32(), f.u32(), f.u32(), f.text(64)
	if f.end {
		return nil
	}
	if later := f.u16(); later != 0 {
		depth = later
	}
	c.depth = bits(depth)
	c.product, c.serial = f.some(), f.u32()
	if high := f.u16(); high != 0 {
		c.depth = high
	}
	f.u16() // depths that the client can do
	c.capabilities, c.id, c.hint = f.u16(), f.text(64), f.u8()
	f.u8()  // unused
	f.u32() // what the server has selected
	c.physicalWidth, c.physicalHeight = f.u32(), f.u32()
	c.orientation = f.some()
	c.scale, c.deviceScale = f.u32(), f.u32()
	return c
}

// bits gives the depth of colours that a code of the protocol stands for.
func bits(code uint16) uint16 {
	switch code {
	case 0xca00:
		return 4
	case 0xca01:
		return 8
	case 0xca02:
		return 15
	case 0xca03:
		return 16
	case 0xca04:
		return 24
	}
	return 0
}
