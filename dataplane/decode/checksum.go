package decode

import (
	"encoding/binary"
	"math/bits"
)

// sum adds b to acc as little-endian 64-bit words in ones' complement
// arithmetic; fold gives the 16-bit sum. The sum's byte order does not matter
// to a comparison with zero (RFC 1071 §2), which saves swapping every word.
func sum(acc uint64, b []byte) uint64 {
	var c uint64
	for len(b) >= 64 {
		w := b[:64]
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w), 0)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w[8:]), c)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w[16:]), c)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w[24:]), c)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w[32:]), c)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w[40:]), c)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w[48:]), c)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(w[56:]), c)
		// Twice, as a word of ones and a carry can carry again.
		acc, c = bits.Add64(acc, 0, c)
		acc += c
		b = b[64:]
	}
	if len(b) < 8 {
		return addCarry(acc, tailBytes(b))
	}
	for len(b) > 8 {
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(b), 0)
		acc += c
		if len(b) < 16 {
			// The last word overlaps what is counted already: shift that out.
			last := binary.LittleEndian.Uint64(b[len(b)-8:])
			return addCarry(acc, last>>(uint(16-len(b))*8&63))
		}
		b = b[8:]
	}
	return addCarry(acc, binary.LittleEndian.Uint64(b))
}

func addCarry(a, b uint64) uint64 {
	s, c := bits.Add64(a, b, 0)
	return s + c
}

// tailBytes gives up to seven bytes as a little-endian number.
func tailBytes(b []byte) (v uint64) {
	if len(b) >= 4 {
		return uint64(binary.LittleEndian.Uint32(b)) | tailBytes(b[4:])<<32
	}
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// sum20 is sum over an IPv4 header without options.
func sum20(b []byte) uint64 {
	b = b[:20]
	acc, c := bits.Add64(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), 0)
	acc, c = bits.Add64(acc, uint64(binary.LittleEndian.Uint32(b[16:])), c)
	return acc + c
}

// fold gives the 16-bit ones' complement sum.
func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc)
}

// ChecksumIPv4 gives the value that belongs into the checksum field of the IPv4
// header hdr (options included, the field itself is skipped). It needs at least
// 20 bytes.
func ChecksumIPv4(hdr []byte) uint16 {
	acc := sum(0, hdr[:10])
	// Ten bytes are an even number of 16-bit words, so the parts add up.
	acc2 := sum(0, hdr[12:])
	acc, c := bits.Add64(acc, acc2, 0)
	return bits.ReverseBytes16(^fold(acc + c))
}

// pseudo gives the sum of the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1) for
// a transport segment of n bytes.
func (p *Packet) pseudo(proto uint8, n uint32) uint64 {
	var acc, c uint64
	if p.IPVersion == 4 {
		acc = uint64(binary.LittleEndian.Uint32(p.Src[12:])) + uint64(binary.LittleEndian.Uint32(p.Dst[12:]))
	} else {
		acc, c = bits.Add64(binary.LittleEndian.Uint64(p.Src[:]), binary.LittleEndian.Uint64(p.Src[8:]), 0)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(p.Dst[:]), c)
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(p.Dst[8:]), c)
	}
	// Length and protocol, byte-swapped as the rest.
	rest := uint64(proto)<<8 + uint64(bits.ReverseBytes16(uint16(n))) + uint64(bits.ReverseBytes16(uint16(n>>16)))
	acc, c = bits.Add64(acc, rest, c)
	return acc + c
}

// ChecksumL4 gives the value that belongs into the packet's transport checksum
// field (TCP, UDP, ICMP, ICMPv6), computed from L4 to PayloadEnd, and true; false
// for other protocols, for fragments and where the header is not whole. UDP's 0
// is given as 0xffff (RFC 768).
func ChecksumL4(p *Packet) (uint16, bool) {
	at := checksumAt(p)
	b := p.Data[p.L4:p.PayloadEnd]
	if at < 0 || len(b) < at+2 || p.Flags&FlagFragment != 0 {
		return 0, false
	}
	// Adding the complement of the field takes it out of the sum.
	field := binary.LittleEndian.Uint16(b[at:])
	acc, c := bits.Add64(p.l4Sum(b), uint64(^field), 0)
	v := bits.ReverseBytes16(^fold(acc + c))
	if v == 0 && p.Proto == ProtoUDP {
		v = 0xffff
	}
	return v, true
}

// BadL4Checksum computes whether a packet's transport checksum is wrong, even
// where the decoder was told not to look. known is false where that cannot be
// told: other protocols, fragments, truncated packets, checksums that the
// network card still owes, and UDP without a checksum over IPv4.
func BadL4Checksum(p *Packet) (bad, known bool) {
	at := checksumAt(p)
	if at < 0 || p.Flags&(FlagFragment|FlagTruncated) != 0 || p.Frame != nil && p.Frame.ChecksumOwed() {
		return false, false
	}
	b := p.Data[p.L4:p.PayloadEnd]
	if len(b) < at+2 || p.Proto == ProtoUDP && p.IPVersion == 4 && b[at] == 0 && b[at+1] == 0 {
		return false, false
	}
	return fold(p.l4Sum(b)) != 0xffff, true
}

// l4Sum gives the sum over the segment b and its pseudo header.
func (p *Packet) l4Sum(b []byte) uint64 {
	var acc uint64
	if p.Proto != ProtoICMP {
		acc = p.pseudo(p.Proto, uint32(len(b)))
	}
	return sum(acc, b)
}

// checksumAt gives the checksum field's offset in the transport header, or -1.
func checksumAt(p *Packet) int {
	switch p.Proto {
	case ProtoTCP:
		return 16
	case ProtoUDP:
		return 6
	case ProtoICMP:
		return 2
	case ProtoICMPv6:
		if p.IPVersion == 6 {
			return 2
		}
	}
	return -1
}

// checkL4 verifies the transport checksum over Data[off:end].
func (d *Decoder) checkL4(p *Packet, off, end int) {
	if !d.verify || p.Flags&FlagTruncated != 0 || p == d.routed {
		return
	}
	if fold(p.l4Sum(p.Data[off:end])) != 0xffff {
		p.Flags |= FlagBadL4Checksum
		d.Counters.BadL4Checksum++
	}
}
