package decompress

import "encoding/binary"

// winSize is how far back a match reaches (RFC 1951 §2), bufSize the output
// buffer: the window and what was not delivered yet.
const (
	winSize = 32 << 10
	bufSize = 2 * winSize
	// fastOut is the room a match may need, with what word copies write past it.
	fastOut = 258 + 16
)

// inflStage is where the inflater is within the stream of blocks.
type inflStage uint8

const (
	inflBlock inflStage = iota
	inflStoredLen
	inflStored
	inflDynHead
	inflDynCL
	inflDynLens
	inflSymbols
	inflDone
	inflBroken
)

// inflater is a resumable decoder of raw deflate (RFC 1951). It takes input in
// any pieces and produces every byte that the input so far determines. Bits
// that do not make up a whole symbol wait in bb.
type inflater struct {
	bb    uint64
	nb    uint
	stage inflStage
	final bool
	// sure: a stored block's length and its complement agreed, which text does
	// not do by chance.
	sure bool
	// mlen and mdist are what is left of a match that met the buffer's end.
	mlen, mdist int
	stored      int

	// w is the write position in buf, sent what was delivered, hist where the
	// current stream began: matches may not reach before it.
	w, sent, hist int

	nlit, ndist, ncl, have int
	lens                   [maxLitCodes + maxDistCodes]uint8

	litOwn  [litTableSize]uint32
	distOwn [distTableSize]uint32
	isFixed bool
	buf     [bufSize]byte
}

// restart begins a new stream. Output of the stream before stays deliverable.
func (f *inflater) restart() {
	f.stage, f.final, f.sure, f.mlen, f.stored = inflBlock, false, false, 0, 0
	f.hist = f.w
}

// clear makes f as new, without touching the large arrays.
func (f *inflater) clear() {
	f.bb, f.nb = 0, 0
	f.w, f.sent, f.hist = 0, 0, 0
	f.restart()
}

// fill takes bytes into the bit buffer while whole ones fit.
func (f *inflater) fill(in []byte, pos int) int {
	for f.nb < 56 && pos < len(in) {
		f.bb |= uint64(in[pos]) << f.nb
		f.nb += 8
		pos++
	}
	return pos
}

func (f *inflater) drop(n uint) { f.bb >>= n; f.nb -= n }

// run decodes from in[pos:] until input runs out, the buffer is full, or the
// stream is done or broken. It returns the new position. Once it returns with
// the buffer full, the caller delivers and calls slide.
func (f *inflater) run(in []byte, pos int) int {
	for {
		switch f.stage {
		case inflBlock:
			pos = f.fill(in, pos)
			if f.final {
				f.stage = inflDone
				return pos
			}
			if f.nb < 3 {
				return pos
			}
			f.final = f.bb&1 == 1
			kind := f.bb >> 1 & 3
			f.drop(3)
			switch kind {
			case 0:
				f.drop(f.nb & 7)
				f.stage = inflStoredLen
			case 1:
				f.isFixed = true
				f.stage = inflSymbols
			case 2:
				f.stage = inflDynHead
			default:
				f.stage = inflBroken
			}
		case inflStoredLen:
			pos = f.fill(in, pos)
			if f.nb < 32 {
				return pos
			}
			n := uint16(f.bb)
			if n != ^uint16(f.bb>>16) {
				f.stage = inflBroken
				return pos
			}
			f.drop(32)
			f.sure = true
			f.stored = int(n)
			f.stage = inflStored
		case inflStored:
			for f.stored > 0 && f.nb >= 8 && f.w < bufSize {
				f.buf[f.w] = byte(f.bb)
				f.drop(8)
				f.w++
				f.stored--
			}
			if f.nb < 8 {
				n := copy(f.buf[f.w:], in[pos:min(len(in), pos+f.stored)])
				f.w += n
				f.stored -= n
				pos += n
			}
			if f.stored > 0 {
				return pos
			}
			f.stage = inflBlock
		case inflDynHead:
			pos = f.fill(in, pos)
			if f.nb < 14 {
				return pos
			}
			f.nlit = int(f.bb&31) + 257
			f.ndist = int(f.bb>>5&31) + 1
			f.ncl = int(f.bb>>10&15) + 4
			f.drop(14)
			if f.nlit > 286 {
				f.stage = inflBroken
				return pos
			}
			f.have = 0
			clear(f.lens[:19])
			f.stage = inflDynCL
		case inflDynCL:
			for f.have < f.ncl {
				pos = f.fill(in, pos)
				if f.nb < 3 {
					return pos
				}
				f.lens[clOrder[f.have]] = uint8(f.bb & 7)
				f.drop(3)
				f.have++
			}
			// Code lengths are at most 7 bits: the table fits the distance table's root.
			if !buildTable(f.distOwn[:], 7, f.lens[:19], clSyms[:], false) {
				f.stage = inflBroken
				return pos
			}
			f.have = 0
			f.stage = inflDynLens
		case inflDynLens:
			var more bool
			if pos, more = f.codeLengths(in, pos); more || f.stage == inflBroken {
				return pos
			}
			f.isFixed = false
			f.stage = inflSymbols
		case inflSymbols:
			var more bool
			if pos, more = f.symbols(in, pos); more {
				return pos
			}
		default:
			return pos
		}
	}
}

// codeLengths reads the run-length coded code lengths of a dynamic block and
// builds its tables. more tells that input ran out.
func (f *inflater) codeLengths(in []byte, pos int) (_ int, more bool) {
	total := f.nlit + f.ndist
	for f.have < total {
		pos = f.fill(in, pos)
		e := f.distOwn[f.bb&127]
		n := uint(e & 0xff)
		if n > f.nb {
			return pos, true
		}
		sym := e >> 16 & 0x1f
		if sym < 16 {
			f.lens[f.have] = uint8(sym)
			f.have++
			f.drop(n)
			continue
		}
		var rep int
		var val uint8
		var extra uint
		switch sym {
		case 16:
			if f.have == 0 {
				f.stage = inflBroken
				return pos, false
			}
			extra, rep, val = 2, 3, f.lens[f.have-1]
		case 17:
			extra, rep = 3, 3
		default:
			extra, rep = 7, 11
		}
		if f.nb < n+extra {
			return pos, true
		}
		rep += int(f.bb >> n & (1<<extra - 1))
		if f.have+rep > total {
			f.stage = inflBroken
			return pos, false
		}
		f.drop(n + extra)
		for ; rep > 0; rep-- {
			f.lens[f.have] = val
			f.have++
		}
	}
	if f.lens[256] == 0 ||
		!buildTable(f.litOwn[:], litRoot, f.lens[:f.nlit], litSyms[:], true) ||
		!buildTable(f.distOwn[:], distRoot, f.lens[f.nlit:total], distSyms[:], true) {
		f.stage = inflBroken
	}
	return pos, false
}

// symbols decodes a block's symbols. more tells that input ran out or the
// buffer is full; otherwise the stage has changed.
func (f *inflater) symbols(in []byte, pos int) (_ int, more bool) {
	lit, dist := &f.litOwn, &f.distOwn
	if f.isFixed {
		lit, dist = &fixedLit, &fixedDist
	}
	for {
		if f.mlen > 0 {
			n := min(f.mlen, bufSize-f.w)
			copyMatch(f.buf[:], f.w, f.mdist, n)
			f.w += n
			if f.mlen -= n; f.mlen > 0 {
				return pos, true
			}
		}
		if len(in)-pos >= 16 && bufSize-f.w >= fastOut {
			pos = f.fast(lit, dist, in, pos)
			if f.stage != inflSymbols {
				return pos, false
			}
		}
		if f.w == bufSize {
			return pos, true
		}
		pos = f.fill(in, pos)
		// One symbol needs at most 15+5+15+13 = 48 bits: when the bit buffer does
		// not hold it, input is at its end.
		e := lit[f.bb&(1<<litRoot-1)]
		used := uint(0)
		if e&(entSpecial|entLink) == entSpecial|entLink {
			used = litRoot
			e = lit[e>>16&0x1fff+uint32(f.bb>>litRoot)&(1<<(e>>8&31)-1)]
		}
		used += uint(e & 0xff)
		if used > f.nb {
			return pos, true
		}
		if e&entLiteral != 0 {
			f.buf[f.w] = byte(e >> 16)
			f.w++
			f.drop(used)
			continue
		}
		if e&entSpecial != 0 {
			if e&0xff == 0 {
				// Missing bits read as zero: only a whole code is known to be unassigned.
				if f.nb < maxCodeLen {
					return pos, true
				}
				f.stage = inflBroken
				return pos, false
			}
			f.drop(used)
			f.stage = inflBlock
			return pos, false
		}
		cl := used - uint(e&0xff) + uint(e>>8&31)
		length := int(e>>16&0x1fff) + int(f.bb>>cl&(1<<(used-cl)-1))
		b := f.bb >> used
		d := dist[b&(1<<distRoot-1)]
		du := uint(0)
		if d&(entSpecial|entLink) == entSpecial|entLink {
			du = distRoot
			d = dist[d>>16&0x1fff+uint32(b>>distRoot)&(1<<(d>>8&31)-1)]
		}
		if d&entSpecial != 0 {
			if f.nb < used+maxCodeLen {
				return pos, true
			}
			f.stage = inflBroken
			return pos, false
		}
		dc := du + uint(d>>8&31)
		du += uint(d & 0xff)
		if used+du > f.nb {
			return pos, true
		}
		distance := 1 + int(d>>16&0x7fff) + int(b>>dc&(1<<(du-dc)-1))
		if distance > f.w-f.hist {
			f.stage = inflBroken
			return pos, false
		}
		f.drop(used + du)
		f.mlen, f.mdist = length, distance
	}
}

// fast decodes while at least 16 bytes of input and room for a whole match are
// left. It stops before a symbol that ends the block's stage unusually, so that
// the careful loop meets it with the bits still there.
func (f *inflater) fast(lit *[litTableSize]uint32, dist *[distTableSize]uint32, in []byte, pos int) int {
	bb, nb, w := f.bb, f.nb, f.w
	buf := &f.buf
	endIn, endOut := len(in)-16, bufSize-fastOut
	for pos <= endIn && w <= endOut {
		bb |= binary.LittleEndian.Uint64(in[pos:]) << (nb & 63)
		pos += int((63 - nb) >> 3)
		nb |= 56
		e := lit[bb&(1<<litRoot-1)]
		if e&entLiteral != 0 {
			bb >>= e & 31
			nb -= uint(e & 31)
			buf[w&(bufSize-1)] = byte(e >> 16)
			w++
			e = lit[bb&(1<<litRoot-1)]
			if e&entLiteral != 0 {
				bb >>= e & 31
				nb -= uint(e & 31)
				buf[w&(bufSize-1)] = byte(e >> 16)
				w++
				e = lit[bb&(1<<litRoot-1)]
				if e&entLiteral != 0 {
					bb >>= e & 31
					nb -= uint(e & 31)
					buf[w&(bufSize-1)] = byte(e >> 16)
					w++
					continue
				}
			}
			bb |= binary.LittleEndian.Uint64(in[pos:]) << (nb & 63)
			pos += int((63 - nb) >> 3)
			nb |= 56
		}
		sb, sn := bb, nb
		if e&entSpecial != 0 {
			if e&entLink == 0 {
				break // end of block or a code never assigned
			}
			bb >>= litRoot
			nb -= litRoot
			e = lit[(e>>16&0x1fff+uint32(bb)&(1<<(e>>8&31)-1))%litTableSize]
			if e&entLiteral != 0 {
				bb >>= e & 31
				nb -= uint(e & 31)
				buf[w&(bufSize-1)] = byte(e >> 16)
				w++
				continue
			}
			if e&entSpecial != 0 {
				bb, nb = sb, sn
				break
			}
		}
		length := int(e>>16&0x1fff) + int(uint32(bb)&(1<<(e&31)-1)>>(e>>8&31))
		bb >>= e & 31
		nb -= uint(e & 31)
		d := dist[bb&(1<<distRoot-1)]
		if d&entSpecial != 0 {
			if d&entLink == 0 {
				bb, nb = sb, sn
				break
			}
			bb >>= distRoot
			nb -= distRoot
			d = dist[(d>>16&0x1fff+uint32(bb)&(1<<(d>>8&31)-1))%distTableSize]
			if d&entSpecial != 0 {
				bb, nb = sb, sn
				break
			}
		}
		distance := 1 + int(d>>16&0x7fff) + int(uint32(bb)&(1<<(d&31)-1)>>(d>>8&31))
		if distance > w-f.hist {
			bb, nb = sb, sn
			break
		}
		bb >>= d & 31
		nb -= uint(d & 31)
		src := w - distance
		if distance >= 8 {
			// Whole words: what is written past the match is overwritten later.
			end := w + length
			for {
				binary.LittleEndian.PutUint64(buf[w:w+8], binary.LittleEndian.Uint64(buf[src:src+8]))
				w += 8
				src += 8
				if w >= end {
					break
				}
			}
			w = end
			continue
		}
		copyMatch(buf[:], w, distance, length)
		w += length
	}
	// Bits above nb are a preview of bytes not taken: forget them.
	bb &= 1<<(nb&63) - 1
	f.bb, f.nb, f.w = bb, nb, w
	if len(in)-pos >= 16 && f.w <= endOut {
		return f.oddSymbol(lit, dist, in, pos)
	}
	return pos
}

// oddSymbol settles the symbol at which fast stopped early: the end of the
// block, or a broken one.
func (f *inflater) oddSymbol(lit *[litTableSize]uint32, dist *[distTableSize]uint32, in []byte, pos int) int {
	pos = f.fill(in, pos)
	e := lit[f.bb&(1<<litRoot-1)]
	used := uint(0)
	if e&(entSpecial|entLink) == entSpecial|entLink {
		used = litRoot
		e = lit[e>>16&0x1fff+uint32(f.bb>>litRoot)&(1<<(e>>8&31)-1)]
	}
	if e&entLiteral == 0 && e&entSpecial != 0 && e&0xff != 0 {
		f.drop(used + uint(e&0xff))
		f.stage = inflBlock
		return pos
	}
	f.stage = inflBroken
	return pos
}

// copyMatch copies n bytes from dist before w; the ranges may overlap, in which
// case the bytes repeat. The caller has checked both ends.
func copyMatch(buf []byte, w, dist, n int) {
	if dist >= n {
		copy(buf[w:w+n], buf[w-dist:])
		return
	}
	// Each round doubles the run that is already there.
	src := buf[w-dist : w+n]
	for k := dist; k < len(src); k *= 2 {
		copy(src[k:], src[:k])
	}
}

// pending gives what was decoded and not delivered.
func (f *inflater) pending() []byte { return f.buf[f.sent:f.w] }

// slide makes room in a full buffer whose bytes were all delivered.
func (f *inflater) slide() {
	if f.w < bufSize {
		f.sent = f.w
		return
	}
	copy(f.buf[:winSize], f.buf[winSize:])
	f.w, f.sent = winSize, winSize
	f.hist = max(0, f.hist-winSize)
}

// align drops the bits up to the next byte's start.
func (f *inflater) align() { f.drop(f.nb & 7) }

// held gives the number of whole input bytes taken but not used.
func (f *inflater) held() int { return int(f.nb / 8) }

// takeHeld moves the unused input bytes into b and forgets the bits.
func (f *inflater) takeHeld(b *[8]byte) int {
	f.align()
	n := f.held()
	binary.LittleEndian.PutUint64(b[:], f.bb)
	f.bb, f.nb = 0, 0
	return n
}
