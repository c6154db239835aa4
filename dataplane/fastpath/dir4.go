package fastpath

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
)

// dir4 tells, for each IPv4 /24, which lengths of prefixes are worth asking for:
// sixteen bits, of which bit n of the lower byte says that prefixes of length
// 25+n lie in it, and the upper byte is one more than the length of the longest
// prefix of up to 24 bits that covers it, 0 where none does. It is shared with
// the XDP program; what it holds follows from the table of prefixes.
type dir4 struct {
	mem *ebpf.Memory
	buf []byte
}

// dir4Words and dir4Size are the table's size in words of 64 bits and in bytes.
const (
	dir4Words = 1 << 22 // DIR4_WORDS
	dir4Size  = dir4Words * 8
)

func newDir4(m *ebpf.Map) (*dir4, error) {
	mem, err := m.Memory()
	if err != nil {
		return nil, fmt.Errorf("map the table of networks into memory: %w", err)
	}
	return &dir4{mem: mem}, nil
}

// change has fn give anew what the table says of n networks from first on.
func (d *dir4) change(first, n uint32, fn func(was uint16) uint16) error {
	if cap(d.buf) < int(n)*2 {
		d.buf = make([]byte, n*2)
	}
	buf := d.buf[:n*2]
	if _, err := d.mem.ReadAt(buf, int64(first)*2); err != nil {
		return fmt.Errorf("read the table of networks: %w", err)
	}
	dirty := false
	for i := 0; i < len(buf); i += 2 {
		was := binary.NativeEndian.Uint16(buf[i:])
		if is := fn(was); is != was {
			binary.NativeEndian.PutUint16(buf[i:], is)
			dirty = true
		}
	}
	if !dirty {
		return nil
	}
	if _, err := d.mem.WriteAt(buf, int64(first)*2); err != nil {
		return fmt.Errorf("write the table of networks: %w", err)
	}
	if cap(d.buf) > 1<<20 {
		d.buf = nil // of a very short prefix, which is rare
	}
	return nil
}

// add notes a prefix.
func (d *dir4) add(prefix netip.Prefix) error {
	first, n := range24(prefix)
	bits := prefix.Bits()
	return d.change(first, n, func(was uint16) uint16 {
		if bits > 24 {
			return was | 1<<(bits-25)
		}
		return was&0xff | max(was>>8, uint16(bits+1))<<8
	})
}

// remove forgets a prefix; table is without it already.
func (p *prefixes) removeDir4(prefix netip.Prefix) error {
	first, n := range24(prefix)
	bits := prefix.Bits()
	if bits > 24 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], first<<8)
		for other := range p.table.Subnets(netip.PrefixFrom(netip.AddrFrom4(a), 24)) {
			if other.Bits() == bits {
				return nil
			}
		}
		return p.dir4.change(first, 1, func(was uint16) uint16 { return was &^ (1 << (bits - 25)) })
	}
	left := uint16(0)
	if next, _, ok := p.table.LookupPrefixLPM(prefix); ok {
		left = uint16(next.Bits() + 1)
	}
	return p.dir4.change(first, n, func(was uint16) uint16 {
		if was>>8 != uint16(bits+1) {
			return was // a longer one covers it
		}
		return was&0xff | left<<8
	})
}
