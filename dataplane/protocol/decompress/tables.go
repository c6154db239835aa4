package decompress

import "math/bits"

// A table entry is 32 bits:
//
//	0–7    bits to take in all: code length plus extra bits
//	8–12   code length; in a link, the bits that index the second table
//	14–15  links and other special entries
//	16–30  literal, base of a length or distance, or the second table's offset
//	31     literal
//
// The layout lets the hot loop tell a literal by one sign test and find the
// extra bits by one shift.
const (
	entLiteral = 1 << 31
	// entSpecial marks links, the end of the block and codes never assigned.
	entSpecial = 1 << 15
	// entLink, together with entSpecial, marks a link; entSpecial alone with a
	// length marks the end of block, and without one an unassigned code.
	entLink = 1 << 14

	litRoot  = 11
	distRoot = 8
	// Sizes that any complete code needs at most with these roots (288 symbols
	// of up to 15 bits, 32 symbols of up to 15 bits).
	litTableSize  = 2400
	distTableSize = 512
	maxCodeLen    = 15
	maxLitCodes   = 288
	maxDistCodes  = 32
)

// lengthBase, lengthExtra, distBase and distExtra are RFC 1951 §3.2.5.
var (
	lengthBase = [31]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
		131, 163, 195, 227, 258, 0, 0}
	lengthExtra = [31]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0, 0, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
		2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	// clOrder is the order in which code length codes are sent (§3.2.7).
	clOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// litSyms, distSyms and clSyms are the entries of the symbols without their
// code lengths, and fixedLit and fixedDist the tables of the fixed code. They
// are immutable after init.
var (
	litSyms   [maxLitCodes]uint32
	distSyms  [maxDistCodes]uint32
	clSyms    [19]uint32
	fixedLit  [litTableSize]uint32
	fixedDist [distTableSize]uint32
)

func init() {
	for i := range litSyms {
		switch {
		case i < 256:
			litSyms[i] = entLiteral | uint32(i)<<16
		case i == 256:
			litSyms[i] = entSpecial
		case i < 286:
			litSyms[i] = uint32(lengthBase[i-257])<<16 | uint32(lengthExtra[i-257])
		default:
			litSyms[i] = entSpecial | 0xff // assigned a code, but never valid
		}
	}
	for i := range distSyms {
		if i < 30 {
			distSyms[i] = uint32(distBase[i]-1)<<16 | uint32(distExtra[i])
		} else {
			distSyms[i] = entSpecial | 0xff
		}
	}
	for i := range clSyms {
		clSyms[i] = uint32(i) << 16
	}
	var lens [maxLitCodes]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	buildTable(fixedLit[:], litRoot, lens[:], litSyms[:], false)
	for i := range maxDistCodes {
		lens[i] = 5
	}
	buildTable(fixedDist[:], distRoot, lens[:maxDistCodes], distSyms[:], false)
}

// buildTable makes the decoding table of a canonical code. It returns false for
// a code that is over-subscribed, or incomplete other than zlib allows: a
// single code of one bit, or none at all, and that only when lenient.
func buildTable(table []uint32, root uint, lens []uint8, syms []uint32, lenient bool) bool {
	var count [maxCodeLen + 1]int
	for _, l := range lens {
		count[l]++
	}
	count[0] = 0
	maxLen := maxCodeLen
	for maxLen > 0 && count[maxLen] == 0 {
		maxLen--
	}
	left := 1
	for l := 1; l <= maxCodeLen; l++ {
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
	}
	if left > 0 {
		if !lenient || maxLen > 1 {
			return false
		}
		for i := range 1 << root {
			table[i] = entSpecial
		}
	}
	if maxLen == 0 {
		return true
	}
	var offs [maxCodeLen + 2]int
	for l := 1; l <= maxCodeLen; l++ {
		offs[l+1] = offs[l] + count[l]
	}
	var sorted [maxLitCodes]uint16
	for s, l := range lens {
		if l != 0 {
			sorted[offs[l]] = uint16(s)
			offs[l]++
		}
	}
	var (
		code     uint32
		i        int
		next     = 1 << root // where the next second table goes
		prefix   = uint32(1<<32 - 1)
		sub      int
		subBits  uint
		rootMask = uint32(1)<<root - 1
	)
	for l := 1; l <= maxLen; l++ {
		for n := count[l]; n > 0; n-- {
			sym := syms[sorted[i]]
			i++
			rev := uint32(bits.Reverse16(uint16(code))) >> (16 - l)
			code++
			if uint(l) <= root {
				e := withLen(sym, uint32(l))
				for k := rev; k <= rootMask; k += 1 << l {
					table[k] = e
				}
				continue
			}
			if p := rev & rootMask; p != prefix {
				prefix = p
				subBits = uint(l) - root
				for room := 1 << subBits; int(subBits+root) < maxLen; room <<= 1 {
					have := count[subBits+root]
					if subBits+root == uint(l) {
						have = n
					}
					if room -= have; room <= 0 {
						break
					}
					subBits++
				}
				sub = next
				next += 1 << subBits
				if next > len(table) {
					return false
				}
				table[p] = entSpecial | entLink | uint32(sub)<<16 | uint32(subBits)<<8 | uint32(root)
			}
			e := withLen(sym, uint32(l)-uint32(root))
			for k := rev >> root; k < 1<<subBits; k += 1 << (uint(l) - root) {
				table[sub+int(k)] = e
			}
		}
		code <<= 1
	}
	return true
}

// withLen puts the code's length into a symbol's entry. Symbols that are never
// valid become unassigned codes.
func withLen(sym, l uint32) uint32 {
	if sym&0xff == 0xff {
		return entSpecial
	}
	return sym + l | l<<8
}
