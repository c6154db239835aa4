package decompress

// wrapStage is where a gzip or zlib stream is around its deflate data.
type wrapStage uint8

const (
	wrapSniff wrapStage = iota
	wrapGzipHead
	wrapExtraLen
	wrapExtra
	wrapName
	wrapComment
	wrapHCRC
	wrapZlibHead
	wrapDict
	wrapBody
	wrapGzipTail
	wrapZlibTail
	wrapNext
	wrapEnd
	// wrapPlain: not encoded at all.
	wrapPlain
)

// Bits of gzip's FLG (RFC 1952 §2.3.1).
const (
	gzHCRC    = 1 << 1
	gzExtra   = 1 << 2
	gzName    = 1 << 3
	gzComment = 1 << 4
)

// deflater decodes what goes by the names gzip and deflate: gzip with any
// number of members, zlib, and raw deflate, told apart by their first bytes,
// since senders and receivers mix them up. Checksums are not verified: what the
// receiver may have used before noticing counts.
type deflater struct {
	inflater
	wrap wrapStage
	// declared is Gzip or Deflate. Raw deflate, which any text resembles for a
	// few bytes, is only expected under the name that may mean it.
	declared Encoding
	// tail is the stage that follows the deflate data.
	tail wrapStage
	// head holds nhead bytes of a header or trailer, flags a gzip header's
	// flags not dealt with yet, skip what is left of its extra field.
	head  [10]byte
	nhead int
	flags byte
	skip  int
}

func (d *deflater) begin() {
	d.clear()
	d.wrap, d.nhead, d.flags, d.skip = wrapSniff, 0, 0, 0
}

// collect gathers n header bytes. It reports whether they are there.
func (d *deflater) collect(in []byte, pos *int, n int) bool {
	for d.nhead < n {
		if *pos == len(in) {
			return false
		}
		d.head[d.nhead] = in[*pos]
		d.nhead++
		*pos++
	}
	return true
}

// dropHead forgets the first n collected bytes.
func (d *deflater) dropHead(n int) {
	d.nhead = copy(d.head[:], d.head[n:d.nhead])
}

// isZlib tells a zlib header (RFC 1950 §2.2).
func isZlib(cmf, flg byte) bool {
	return cmf&15 == 8 && cmf>>4 <= 7 && (uint(cmf)<<8|uint(flg))%31 == 0
}

// step advances the wrapper by one stage. It returns the new position and
// whether it needs more input (or room in the buffer). A stage of wrapEnd means
// that the rest of the input is not part of the stream.
func (d *deflater) step(in []byte, pos int) (_ int, more bool) {
	switch d.wrap {
	case wrapSniff:
		// Two bytes decide; a third one only confirms gzip's method.
		if !d.collect(in, &pos, 2) {
			return pos, true
		}
		h := d.head
		switch {
		case h[0] == 0x1f && h[1] == 0x8b:
			d.wrap = wrapGzipHead
		case isZlib(h[0], h[1]):
			d.wrap = wrapZlibHead
		case d.declared == Gzip:
			d.wrap = wrapPlain
		default:
			d.tail = wrapEnd
			d.restart()
			d.bb, d.nb, d.nhead = uint64(h[0])|uint64(h[1])<<8, 16, 0
			d.wrap = wrapBody
		}
	case wrapGzipHead:
		if !d.collect(in, &pos, 10) {
			return pos, true
		}
		// The method is 8 in every stream ever made, and receivers do not look.
		d.flags = d.head[3]
		d.tail = wrapGzipTail
		d.restart()
		d.nhead = 0
		d.wrap = wrapExtraLen
	case wrapExtraLen:
		if d.flags&gzExtra != 0 {
			if !d.collect(in, &pos, 2) {
				return pos, true
			}
			d.skip = int(d.head[0]) | int(d.head[1])<<8
			d.nhead = 0
		}
		d.wrap = wrapExtra
	case wrapExtra:
		n := min(d.skip, len(in)-pos)
		pos += n
		if d.skip -= n; d.skip > 0 {
			return pos, true
		}
		d.wrap = wrapName
	case wrapName, wrapComment:
		bit := byte(gzName)
		if d.wrap == wrapComment {
			bit = gzComment
		}
		for d.flags&bit != 0 {
			if pos == len(in) {
				return pos, true
			}
			if in[pos] == 0 {
				d.flags &^= bit
			}
			pos++
		}
		d.wrap++
	case wrapHCRC:
		if d.flags&gzHCRC != 0 && !d.collect(in, &pos, 2) {
			return pos, true
		}
		d.nhead = 0
		d.wrap = wrapBody
	case wrapZlibHead:
		d.tail = wrapZlibTail
		d.restart()
		if d.head[1]&0x20 != 0 {
			d.wrap = wrapDict
		} else {
			d.wrap = wrapBody
		}
		d.nhead = 0
	case wrapDict:
		// A preset dictionary is unknown to every receiver of HTTP.
		if !d.collect(in, &pos, 4) {
			return pos, true
		}
		d.nhead = 0
		d.wrap = wrapBody
	case wrapBody:
		pos = d.run(in, pos)
		if d.stage != inflDone {
			return pos, true
		}
		var rest [8]byte
		d.nhead = d.takeHeld(&rest)
		copy(d.head[:], rest[:d.nhead])
		d.wrap = d.tail
	case wrapGzipTail:
		if !d.collect(in, &pos, 8) {
			return pos, true
		}
		d.dropHead(8)
		d.wrap = wrapNext
	case wrapZlibTail:
		if !d.collect(in, &pos, 4) {
			return pos, true
		}
		d.dropHead(4)
		d.wrap = wrapEnd
	case wrapNext:
		// Another member, padding, or something that does not belong here.
		if !d.collect(in, &pos, 1) {
			return pos, true
		}
		if d.head[0] != 0x1f {
			d.wrap = wrapEnd
			return pos, false
		}
		if !d.collect(in, &pos, 2) {
			return pos, true
		}
		if d.head[1] != 0x8b {
			d.wrap = wrapEnd
			return pos, false
		}
		d.wrap = wrapGzipHead
	case wrapEnd, wrapPlain:
	}
	return pos, false
}
