package enip

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Services that carry others, or whose data names attributes (volume 1 appendix A
// and §3-5.5.4).
const (
	svcGetAttrList     = 0x03
	svcMultiple        = 0x0a
	svcUnconnectedSend = 0x52
	responseBit        = 0x80
	classConnections   = 6
)

// Bounds of what one message holds.
const (
	maxServices = 256
	maxNested   = 4
	maxSegments = 32
	maxListed   = 256
	maxParts    = 1024
)

// CIP is a request or a response of CIP (volume 1 §2-4).
type CIP struct {
	// Service is its code, without the bit that Response tells.
	Service  byte
	Response bool
	// Path says what a request is for.
	Path []Segment
	// Status and Extended are of responses.
	Status   byte
	Extended []byte
	Data     []byte
	// Listed are attributes that the data of a request names.
	Listed []uint16
	// Multiple are the messages that this one carries.
	Multiple []CIP
	// place is where it is in the body.
	place
}

// SegmentType is what a part of a path names.
type SegmentType uint8

// The kinds of segments. The first seven are the logical ones in the order of
// their codes (volume 1 appendix C).
const (
	SegClass SegmentType = iota
	SegInstance
	SegMember
	SegConnectionPoint
	SegAttribute
	SegSpecial
	SegService
	SegPort
	SegSymbol
	SegData
	SegNetwork
)

// Segment is a part of a path: a number, or the name of a symbol.
type Segment struct {
	Type  SegmentType
	Value uint32
	Name  []byte
}

// readCIP reads a message that is at offset at of the body. What is wrong with it
// marks the whole as bad.
func (m *Message) readCIP(c *CIP, b []byte, at, depth int) {
	c.place = place{at, len(b)}
	if m.services++; m.services > maxServices || len(b) < 2 {
		m.bad = true
		return
	}
	c.Service, c.Response = b[0]&^responseBit, b[0]&responseBit != 0
	if c.Response {
		if len(b) < 4 || 2*int(b[3]) > len(b)-4 {
			m.bad = true
			return
		}
		c.Status, c.Extended, c.Data = b[2], b[4:4+2*int(b[3])], b[4+2*int(b[3]):]
		m.passed(len(c.Extended))
	} else {
		n := 2 * int(b[1])
		if n > len(b)-2 {
			m.bad = true
			return
		}
		var ok bool
		if c.Path, ok = path(b[2 : 2+n]); !ok {
			m.bad = true
		}
		if m.parts += len(c.Path); m.parts > maxParts {
			c.Path, m.bad = nil, true
		}
		c.Data = b[2+n:]
	}
	switch {
	case depth >= maxNested:
		m.bad = m.bad || c.Service == svcMultiple
	case c.Service == svcMultiple && len(c.Data) > 0:
		m.multiple(c, depth)
	case c.Service == svcUnconnectedSend && !c.Response && c.first(SegClass) == classConnections:
		// Two bytes of time, a length, the message, and the way to its receiver.
		if len(c.Data) < 4 || int(binary.LittleEndian.Uint16(c.Data[2:])) > len(c.Data)-4 {
			m.bad = true
			return
		}
		c.Multiple = make([]CIP, 1)
		n := int(binary.LittleEndian.Uint16(c.Data[2:]))
		m.passed(len(c.Data) - 4 - n)
		m.readCIP(&c.Multiple[0], c.Data[4:4+n], c.dataAt()+4, depth+1)
	case c.Service == svcGetAttrList && !c.Response && len(c.Data) >= 2:
		list := c.Data[2:]
		n := min(int(binary.LittleEndian.Uint16(c.Data)), len(list)/2, maxListed, maxParts-min(m.parts, maxParts))
		m.parts += n
		for range n {
			c.Listed = append(c.Listed, binary.LittleEndian.Uint16(list))
			list = list[2:]
		}
	}
}

// multiple reads the messages of a multiple service packet: their number, where
// each begins, and they (volume 1 § ).
func (m *Message) multiple(c *CIP, depth int) {
	b := c.Data
	if len(b) < 2 {
		m.bad = true
		return
	}
	n := int(binary.LittleEndian.Uint16(b))
	if 2+2*n > len(b) {
		m.bad = true
		n = (len(b) - 2) / 2
	}
	for i := range n {
		from, to := int(binary.LittleEndian.Uint16(b[2+2*i:])), len(b)
		if i+1 < n {
			to = min(int(binary.LittleEndian.Uint16(b[4+2*i:])), len(b))
		}
		if from >= to || from < 2+2*n || m.services >= maxServices {
			m.bad = true
			return
		}
		if i == 0 {
			m.passed(from - 2 - 2*n)
		}
		c.Multiple = append(c.Multiple, CIP{})
		m.readCIP(&c.Multiple[len(c.Multiple)-1], b[from:to], c.dataAt()+from, depth+1)
	}
}

// path reads the segments of a padded path (volume 1 appendix C).
func path(b []byte) (out []Segment, ok bool) {
	for len(b) > 0 {
		if len(out) == maxSegments {
			return out, false
		}
		s := Segment{}
		n := 0 // the segment's length
		switch b[0] >> 5 {
		case 0: // a port, its number, and an address of one byte or more
			s.Type, s.Value, n = SegPort, uint32(b[0]&15), 2
			if b[0]&0x10 != 0 && len(b) >= 2 {
				n = 2 + int(b[1])
			}
			if s.Value == 15 {
				n += 2
			}
			n += n & 1
		case 1:
			s.Type = SegmentType(b[0] >> 2 & 7)
			format := b[0] & 3
			switch {
			case s.Type == SegSpecial:
				n = 10 // an electronic key
			case format == 0:
				n = 2
			case format == 1:
				n = 4
			case format == 2:
				n = 6
			default:
				return out, false
			}
			if n > len(b) || s.Type > SegService {
				return out, false
			}
			switch n {
			case 2:
				s.Value = uint32(b[1])
			case 4:
				s.Value = uint32(binary.LittleEndian.Uint16(b[2:]))
			case 6:
				s.Value = binary.LittleEndian.Uint32(b[2:])
			}
		case 2: // of a network
			s.Type, n = SegNetwork, 2
			if b[0]&0x10 != 0 && len(b) >= 2 {
				n = 2 + 2*int(b[1])
			}
		case 3: // a symbol with its length
			s.Type, n = SegSymbol, 1+int(b[0]&31)
			if n <= len(b) {
				s.Name = b[1:n]
			}
			n += n & 1
		case 4:
			if s.Type, n = SegData, 2; len(b) < 2 {
				return out, false
			}
			if b[0] == 0x91 {
				s.Type, n = SegSymbol, 2+int(b[1])
				if n <= len(b) {
					s.Name = b[2:n]
				}
				n += n & 1
			} else {
				n += 2 * int(b[1])
			}
		default:
			return out, false
		}
		if n > len(b) {
			return out, false
		}
		out = append(out, s)
		b = b[n:]
	}
	return out, true
}

// first gives the value of the first segment of a type, -1 where there is none.
func (c *CIP) first(t SegmentType) int64 {
	for i := range c.Path {
		if c.Path[i].Type == t {
			return int64(c.Path[i].Value)
		}
	}
	return -1
}

func (c *CIP) each(f func(*CIP)) {
	f(c)
	for i := range c.Multiple {
		c.Multiple[i].each(f)
	}
}

// objectName tells what content is of: the symbols of its path, or the service.
func (c *CIP) objectName() string {
	var names []string
	for i := range c.Path {
		if s := &c.Path[i]; s.Type == SegSymbol {
			names = append(names, strings.ToValidUTF8(string(s.Name), "\uFFFD"))
		}
	}
	if len(names) > 0 {
		return strings.Join(names, ".")
	}
	if class := c.first(SegClass); class >= 0 {
		return fmt.Sprintf("%s class %d", serviceName(c.Service), class)
	}
	return serviceName(c.Service)
}
