package mqtt

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// The bounds of what is kept of a message.
const (
	maxTopics     = 1024
	maxProperties = 256
)

// Packet is one message. Its slices are its own. Fields that its type does not
// have are empty.
type Packet struct {
	Dir         protocol.Dir
	Type        Type
	QoS         uint8
	Retain, Dup bool
	// ID pairs a message with its answers; HasID tells that there is one.
	ID    uint16
	HasID bool
	// Codes are return or reason codes: one, or one a topic.
	Codes []uint8
	// Properties are those of version 5, Will those of the will.
	Properties, Will []Property
	// Truncated tells that the message was longer than is read, or had a hole, and
	// Length is then its length.
	Truncated bool
	Length    uint32
	// kept counts the bytes of it that are kept, without a publication's content.
	kept int

	// Of CONNECT.
	Protocol                        []byte
	Version, Flags                  uint8
	ClientID, Username, Password    []byte
	WillTopic, WillMessage          []byte
	HasWill, HasUser, HasPassphrase bool
	// SessionPresent is of CONNACK.
	SessionPresent bool
	// Topic, Message and Size, the content's length, are of PUBLISH.
	Topic, Message []byte
	Size           uint32
	// Topics are of SUBSCRIBE and UNSUBSCRIBE.
	Topics []Topic
}

// Topic is a topic filter that is subscribed to, with the highest quality of
// service wanted, or one that is given up.
type Topic struct {
	Filter []byte
	QoS    uint8
}

// The flags of CONNECT (MQTT 5.0 §3.1.2.3).
const (
	FlagCleanSession = 0x02
	FlagWill         = 0x04
	FlagWillRetain   = 0x20
	FlagPassword     = 0x40
	FlagUsername     = 0x80
)

func (c *Packet) skip(length uint32) {
	c.Truncated, c.Length, c.Message = true, length, nil
}

// reader takes a message apart. After a read past the end bad is set, and what
// is read is empty.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) varint() uint32 {
	v, n, ok := varint(r.b)
	if !ok || n == 0 {
		r.bad = true
		return 0
	}
	r.bytes(n)
	return v
}

// str takes a string or binary data, which both have a length before them, and
// copies it.
func (r *reader) str() []byte { return append([]byte(nil), r.bytes(int(r.u16()))...) }

func (r *reader) id(c *Packet) { c.ID, c.HasID = r.u16(), !r.bad }

// properties takes those of version 5.
func (r *reader) properties(version uint8) []Property {
	if version < version5 {
		return nil
	}
	n := r.varint()
	if n > maxLength {
		r.bad = true
		return nil
	}
	in := reader{b: r.bytes(int(n)), bad: r.bad}
	var out []Property
	for len(in.b) > 0 && !in.bad {
		p, ok := in.property()
		if !ok {
			in.bad = true
			break
		}
		if len(out) < maxProperties {
			out = append(out, p)
		}
	}
	r.bad = r.bad || in.bad
	return out
}

// reason takes an optional reason code and properties, which end the message
// where they are left out (MQTT 5.0 §3.4.2.1).
func (r *reader) reason(c *Packet, version uint8) {
	if version < version5 {
		return
	}
	if len(r.b) == 0 {
		c.Codes = []uint8{0}
		return
	}
	c.Codes = []uint8{r.u8()}
	if len(r.b) > 0 {
		c.Properties = r.properties(version)
	}
}

// read takes the body of a message that is no publication.
func (c *Packet) read(b []byte, p *Parser) bool {
	r := reader{b: b}
	switch c.Type {
	case Connect:
		c.readConnect(&r)
		if !r.bad {
			p.version = c.Version
		}
	case ConnAck:
		c.SessionPresent = r.u8()&1 != 0
		c.Codes = []uint8{r.u8()}
		if len(r.b) > 0 {
			c.Properties = r.properties(p.version)
		}
	case PubAck, PubRec, PubRel, PubComp:
		r.id(c)
		r.reason(c, p.version)
	case Subscribe, Unsubscribe:
		r.id(c)
		c.Properties = r.properties(p.version)
		for len(r.b) > 0 && !r.bad {
			t := Topic{Filter: r.str()}
			if c.Type == Subscribe {
				t.QoS = r.u8() & 3
			}
			if len(c.Topics) < maxTopics {
				c.Topics = append(c.Topics, t)
			}
		}
	case SubAck, UnsubAck:
		r.id(c)
		c.Properties = r.properties(p.version)
		c.Codes = append([]uint8(nil), r.b[:min(len(r.b), maxTopics)]...)
	case Disconnect, Auth:
		r.reason(c, p.version)
	}
	return !r.bad
}

func (c *Packet) readConnect(r *reader) {
	c.Protocol, c.Version, c.Flags = r.str(), r.u8(), r.u8()
	r.u16() // keep alive
	c.Properties = r.properties(c.Version)
	c.ClientID = r.str()
	if c.HasWill = c.Flags&FlagWill != 0; c.HasWill {
		c.Will = r.properties(c.Version)
		c.WillTopic, c.WillMessage = r.str(), r.str()
	}
	if c.HasUser = c.Flags&FlagUsername != 0; c.HasUser {
		c.Username = r.str()
	}
	if c.HasPassphrase = c.Flags&FlagPassword != 0; c.HasPassphrase {
		c.Password = r.str()
	}
}

// readPublish takes what stands before a publication's content.
func (c *Packet) readPublish(b []byte, p *Parser) bool {
	r := reader{b: b}
	c.Topic = r.str()
	if c.QoS > 0 {
		r.id(c)
	}
	c.Properties = r.properties(p.version)
	return !r.bad
}
