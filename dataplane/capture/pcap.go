package capture

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

const pcapHeaderLen = 24

// Magic numbers of pcap files, as a little-endian reader sees them when the
// writer was little-endian too.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34
)

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// pcapParser reads the records of a classic pcap file (draft-ietf-opsawg-pcap).
type pcapParser struct {
	big    bool
	recLen int // length of a record header
	mul    int64
	minor  uint16
	link   LinkType
	fcs    uint32
}

// newPcapParser tells by the magic number whether b begins a pcap file.
func newPcapParser(b []byte) (*pcapParser, bool) {
	m := le32(b)
	p := &pcapParser{recLen: 16, mul: 1000}
	switch m {
	case bits.ReverseBytes32(magicMicro), bits.ReverseBytes32(magicNano), bits.ReverseBytes32(magicModified):
		p.big = true
		m = bits.ReverseBytes32(m)
	}
	switch m {
	case magicMicro:
	case magicNano:
		p.mul = 1
	case magicModified:
		// Kuznetzov's patch: interface index, protocol and packet type follow.
		p.recLen = 24
	default:
		return nil, false
	}
	return p, true
}

func (p *pcapParser) u32(b []byte) uint32 {
	v := le32(b)
	if p.big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

// header takes the file header; b holds at least pcapHeaderLen bytes.
func (p *pcapParser) header(b []byte) *fault {
	major, minor := binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:])
	if p.big {
		major, minor = bits.ReverseBytes16(major), bits.ReverseBytes16(minor)
	}
	// Version 543.0 was written by one vendor's tools with swapped lengths; it
	// and everything else but 2.x is too old to be worth guessing at.
	if major != 2 {
		return &fault{4, fmt.Sprintf("unsupported pcap version %d.%d", major, minor)}
	}
	p.minor = minor
	v := p.u32(b[20:])
	p.link = LinkType(v)
	// Bit 26 tells that bits 28 to 31 hold the FCS length in units of 16 bits.
	if v&0x04000000 != 0 {
		p.fcs = v >> 28 * 2
	}
	return nil
}

// next implements parser.
func (p *pcapParser) next(in *input, fs []Frame) (int, int, error) {
	buf, pos, n := in.buf, in.pos, 0
	for n < len(fs) {
		if len(buf)-pos < p.recLen {
			in.pos = pos
			return n, p.recLen, errMore
		}
		h := buf[pos : pos+16]
		sec, frac, capLen, wire := le32(h), le32(h[4:]), le32(h[8:]), le32(h[12:])
		if p.big {
			sec, frac = bits.ReverseBytes32(sec), bits.ReverseBytes32(frac)
			capLen, wire = bits.ReverseBytes32(capLen), bits.ReverseBytes32(wire)
		}
		if p.minor < 4 && (p.minor < 3 || capLen > wire) {
			// Before version 2.4 some writers had the two lengths swapped.
			capLen, wire = wire, capLen
		}
		if capLen > maxRecord {
			in.pos = pos
			return n, 0, &fault{pos + 8, fmt.Sprintf("captured length %d exceeds %d", capLen, maxRecord)}
		}
		total := p.recLen + int(capLen)
		if len(buf)-pos < total {
			in.pos = pos
			return n, total, errMore
		}
		f := &fs[n]
		*f = Frame{
			Data:    buf[pos+p.recLen : pos+total : pos+total],
			WireLen: max(wire, capLen),
			Time:    int64(sec)*1e9 + int64(frac)*p.mul,
			Link:    p.link,
		}
		if p.fcs != 0 {
			f.trimFCS(p.fcs)
		}
		pos += total
		n++
	}
	in.pos = pos
	return n, 0, nil
}

// trimFCS takes the frame check sequence of n bytes off the frame's end, as far
// as the capture holds it.
func (f *Frame) trimFCS(n uint32) {
	if f.WireLen < n {
		return
	}
	f.WireLen -= n
	if uint32(len(f.Data)) > f.WireLen {
		f.Data = f.Data[:f.WireLen]
	}
}
