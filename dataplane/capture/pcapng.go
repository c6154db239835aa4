package capture

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng).
const (
	ngSectionHeader  = 0x0a0d0d0a
	ngInterface      = 1
	ngPacketObsolete = 2
	ngSimplePacket   = 3
	ngEnhancedPacket = 6

	ngByteOrder = 0x1a2b3c4d
)

// Limits that keep a crafted file from costing memory: libpcap's bound for a
// block, and a number of interfaces that no capture reaches.
const (
	maxBlock      = 16 << 20
	maxInterfaces = 1 << 16
)

// ngIface is what a section's interface description tells about its packets.
type ngIface struct {
	link    LinkType
	snap    uint32
	fcs     uint32
	units   uint64 // time stamp units a second
	perUnit uint64 // nanoseconds a unit where that is a whole number, or 0
	offset  int64  // seconds to add
}

// pcapngParser reads the blocks of a pcapng file. Interfaces are those of the
// current section.
type pcapngParser struct {
	big    bool
	inside bool // a section header was read
	ifaces []ngIface
	last   int64 // time of the last packet, for blocks that have none
}

func (p *pcapngParser) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if p.big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (p *pcapngParser) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if p.big {
		v = bits.ReverseBytes16(v)
	}
	return v
}

// next implements parser.
func (p *pcapngParser) next(in *input, fs []Frame) (int, int, error) {
	n := 0
	for n < len(fs) {
		b := in.buf[in.pos:]
		if len(b) < 12 {
			return n, 12, errMore
		}
		// The section header's type reads the same in both byte orders; its
		// length can be read once the byte-order mark behind it is known.
		section := le32(b) == ngSectionHeader
		if section {
			switch mark := le32(b[8:]); mark {
			case ngByteOrder:
				p.big = false
			case bits.ReverseBytes32(ngByteOrder):
				p.big = true
			default:
				return n, 0, &fault{in.pos + 8, fmt.Sprintf("bad byte-order mark %#08x", mark)}
			}
		} else if !p.inside {
			return n, 0, &fault{in.pos, "block before any section header"}
		}
		total := p.u32(b[4:])
		if total < 12 || total%4 != 0 || total > maxBlock {
			return n, 0, &fault{in.pos + 4, fmt.Sprintf("bad block length %d", total)}
		}
		if len(b) < int(total) {
			return n, int(total), errMore
		}
		b = b[:total:total]
		if tail := p.u32(b[total-4:]); tail != total {
			return n, 0, &fault{in.pos + int(total) - 4, fmt.Sprintf("block length %d repeated as %d", total, tail)}
		}
		ok, ft := p.block(b, &fs[n])
		if ft != nil {
			ft.at += in.pos
			return n, 0, ft
		}
		if ok {
			n++
		}
		in.pos += int(total)
	}
	return n, 0, nil
}

// block takes one whole block, and tells whether it gave a frame.
func (p *pcapngParser) block(b []byte, f *Frame) (bool, *fault) {
	body := b[8 : len(b)-4]
	typ := p.u32(b)
	switch typ {
	case ngEnhancedPacket, ngPacketObsolete:
		if len(body) < 20 {
			return false, &fault{4, fmt.Sprintf("packet block of %d bytes is too short", len(b))}
		}
		id := p.u32(body)
		if typ == ngPacketObsolete {
			id = uint32(p.u16(body))
		}
		if id >= uint32(len(p.ifaces)) {
			return false, &fault{8, fmt.Sprintf("packet of unknown interface %d", id)}
		}
		ifc := &p.ifaces[id]
		capLen, wire := p.u32(body[12:]), p.u32(body[16:])
		if capLen > maxRecord || int(capLen) > len(body)-20 {
			return false, &fault{20, fmt.Sprintf("captured length %d exceeds the block", capLen)}
		}
		p.last = ifc.time(uint64(p.u32(body[4:]))<<32 | uint64(p.u32(body[8:])))
		p.frame(f, ifc, body[20:20+capLen:20+capLen], max(wire, capLen))
		fcs := ifc.fcs
		if opts := body[20+(capLen+3)&^3:]; len(opts) >= 8 {
			fcs = p.packetFCS(opts, fcs)
		}
		if fcs != 0 {
			f.trimFCS(fcs)
		}
		return true, nil
	case ngSimplePacket:
		if len(body) < 4 {
			return false, &fault{4, "simple packet block is too short"}
		}
		if len(p.ifaces) == 0 {
			return false, &fault{8, "packet of unknown interface 0"}
		}
		ifc := &p.ifaces[0]
		wire := p.u32(body)
		capLen := wire
		if ifc.snap != 0 {
			capLen = min(capLen, ifc.snap)
		}
		if capLen > maxRecord || int(capLen) > len(body)-4 {
			return false, &fault{8, fmt.Sprintf("captured length %d exceeds the block", capLen)}
		}
		p.frame(f, ifc, body[4:4+capLen:4+capLen], wire)
		if ifc.fcs != 0 {
			f.trimFCS(ifc.fcs)
		}
		return true, nil
	case ngInterface:
		return false, p.iface(body)
	case ngSectionHeader:
		if len(body) < 16 {
			return false, &fault{4, "section header is too short"}
		}
		if major := p.u16(body[4:]); major != 1 {
			return false, &fault{12, fmt.Sprintf("unsupported pcapng version %d.%d", major, p.u16(body[6:]))}
		}
		p.inside = true
		p.ifaces = p.ifaces[:0]
	}
	return false, nil
}

func (p *pcapngParser) frame(f *Frame, ifc *ngIface, data []byte, wire uint32) {
	*f = Frame{Data: data, WireLen: wire, Time: p.last, Link: ifc.link}
}

// packetFCS looks for epb_flags, whose bits 5 to 8 hold the FCS length in bytes.
func (p *pcapngParser) packetFCS(opts []byte, fcs uint32) uint32 {
	p.options(opts, func(code uint16, v []byte) bool {
		if code == 2 && len(v) == 4 {
			if n := p.u32(v) >> 5 & 0xf; n != 0 {
				fcs = n
			}
			return false
		}
		return true
	})
	return fcs
}

// options calls fn for each option until it gives false, the end-of-options
// option comes or the list is cut.
func (p *pcapngParser) options(b []byte, fn func(code uint16, v []byte) bool) {
	for len(b) >= 4 {
		code, n := p.u16(b), int(p.u16(b[2:]))
		if code == 0 || n > len(b)-4 {
			return
		}
		if !fn(code, b[4:4+n]) {
			return
		}
		b = b[min(4+(n+3)&^3, len(b)):]
	}
}

// iface takes an interface description block's body.
func (p *pcapngParser) iface(body []byte) *fault {
	if len(body) < 8 {
		return &fault{4, "interface description is too short"}
	}
	if len(p.ifaces) >= maxInterfaces {
		return &fault{0, fmt.Sprintf("more than %d interfaces", maxInterfaces)}
	}
	ifc := ngIface{link: LinkType(p.u16(body)), snap: p.u32(body[4:]), units: 1e6}
	var ft *fault
	p.options(body[8:], func(code uint16, v []byte) bool {
		switch {
		case code == 9 && len(v) == 1: // if_tsresol
			if ifc.units = unitsPerSecond(v[0]); ifc.units == 0 {
				ft = &fault{0, fmt.Sprintf("time stamp resolution %#02x is not supported", v[0])}
				return false
			}
		case code == 13 && len(v) == 1: // if_fcslen
			// Specified in bits, written in bytes by many.
			ifc.fcs = uint32(v[0])
			if ifc.fcs >= 8 {
				ifc.fcs /= 8
			}
		case code == 14 && len(v) == 8: // if_tsoffset
			hi, lo := p.u32(v), p.u32(v[4:])
			if !p.big {
				hi, lo = lo, hi
			}
			ifc.offset = int64(uint64(hi)<<32 | uint64(lo))
		}
		return true
	})
	if ft != nil {
		return ft
	}
	if ifc.units <= 1e9 && 1e9%ifc.units == 0 {
		ifc.perUnit = 1e9 / ifc.units
	}
	p.ifaces = append(p.ifaces, ifc)
	return nil
}

// unitsPerSecond gives if_tsresol's meaning, or 0 where it does not fit 64 bits.
func unitsPerSecond(v byte) uint64 {
	if v&0x80 != 0 {
		if v &= 0x7f; v > 63 {
			return 0
		}
		return 1 << v
	}
	if v > 19 {
		return 0
	}
	u := uint64(1)
	for range v {
		u *= 10
	}
	return u
}

// time gives a time stamp in nanoseconds since the epoch.
func (i *ngIface) time(ts uint64) int64 {
	if i.perUnit != 0 {
		return int64(ts*i.perUnit) + i.offset*1e9
	}
	// frac < units, so the quotient is below 1e9 and the division cannot trap.
	hi, lo := bits.Mul64(ts%i.units, 1e9)
	ns, _ := bits.Div64(hi, lo, i.units)
	return int64(ts/i.units)*1e9 + int64(ns) + i.offset*1e9
}
