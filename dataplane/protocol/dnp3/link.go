package dnp3

import (
	"bytes"
	"encoding/binary"
)

// The link layer (IEEE 1815 §9): a header of ten bytes with its sum, and blocks of
// up to sixteen with theirs.
const (
	start1, start2 = 0x05, 0x64
	headerLen      = 10
	blockLen       = 16
	sumLen         = 2
	// minLength is what the header itself adds to the length that it tells.
	minLength = 5
)

// The bits of a control byte.
const (
	bitFromMaster = 0x80
	bitPrimary    = 0x40
	bitFCB        = 0x20
	bitFCV        = 0x10
	maskFunction  = 0x0f
)

// The bits of a segment's header (§8).
const (
	bitFinal = 0x80
	bitFirst = 0x40
	maskSeq  = 0x3f
)

// Link is a frame's header.
type Link struct {
	Control  byte
	Dst, Src uint16
}

// userData reports whether a frame carries data, confirmed or not.
func (l Link) userData() bool {
	return l.Control&bitPrimary != 0 && (l.Control&maskFunction == 3 || l.Control&maskFunction == 4)
}

var sums = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xa6bc
			} else {
				c >>= 1
			}
		}
		t[i] = c
	}
	return t
}()

// sum gives the sum of a block (§9.2.4.3).
func sum(b []byte) uint16 {
	var c uint16
	for _, x := range b {
		c = c>>8 ^ sums[byte(c)^x]
	}
	return ^c
}

// begin gives how many bytes come before what may be the start of a frame.
func begin(b []byte) int {
	at := 0
	for at < len(b) {
		i := bytes.IndexByte(b[at:], start1)
		if i < 0 {
			return len(b)
		}
		at += i
		if at+1 == len(b) || b[at+1] == start2 {
			return at
		}
		at++
	}
	return at
}

// frameLen gives the length of the frame that b begins with, once its header is
// there. A length that is too small for one gives the header's.
func frameLen(b []byte) (int, bool) {
	if len(b) < headerLen {
		return 0, false
	}
	n := max(int(b[2])-minLength, 0)
	return headerLen + n + (n+blockLen-1)/blockLen*sumLen, true
}

// readLink reads a frame's header, or tells what is wrong with it.
func readLink(b []byte) (l Link, event string) {
	if b[2] < minLength {
		return l, "len_too_small"
	}
	if sum(b[:8]) != binary.LittleEndian.Uint16(b[8:]) {
		return l, "bad_link_crc"
	}
	return Link{b[3], binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:])}, ""
}

// goodBlocks reports whether the sums of a frame's blocks are right.
func goodBlocks(b []byte) bool {
	for len(b) > 0 {
		n := min(blockLen, len(b)-sumLen)
		if n <= 0 || sum(b[:n]) != binary.LittleEndian.Uint16(b[n:]) {
			return false
		}
		b = b[n+sumLen:]
	}
	return true
}

// segment adds the data of a frame whose sums are right to the fragment. It reports
// false where none was begun.
func (s *side) segment(l Link, b []byte) bool {
	b = b[headerLen:]
	head := b[0]
	if head&bitFirst != 0 {
		s.frag, s.link, s.open = s.frag[:0], l, true
	}
	s.seq = head &^ bitFirst
	for first := 1; s.open && len(b) > 0; first = 0 {
		n := min(blockLen, len(b)-sumLen)
		s.frag = append(s.frag, b[first:n]...)
		b = b[n+sumLen:]
	}
	return s.open
}
