package classifiers

import "bytes"

// header is the first line of a table: which detectors its columns' names speak
// for.
type header struct {
	state byte // 0 not looked at, 1 none, 2 a header
	sep   byte
	cols  [][]uint16
	// near are the detectors that any column speaks for, lens their values'
	// lengths.
	near detSet
	lens uint64
	// The column of offset at, counted on line beginning one before line (zero when
	// not known), and where it begins.
	line, at, begin uint64
	col             int
}

// maxColumns bounds the columns of a header.
const maxColumns = 64

// learn reads the header once enough of the object is there.
func (h *header) learn(x *lexicon, head []byte) {
	h.state = 1
	line := head
	if i := bytes.IndexAny(head, "\r\n"); i >= 0 {
		line = head[:i]
	}
	var best byte
	n := 0
	for _, c := range []byte{',', ';', '\t', '|'} {
		if k := bytes.Count(line, []byte{c}); k > n {
			best, n = c, k
		}
	}
	if n < 1 || n > maxColumns {
		return
	}
	any := false
	for _, col := range bytes.Split(line, []byte{best}) {
		var refs []uint16
		if len(col) <= 64 && len(col) > 0 {
			var m contextMarks
			m.cover(x, &window2{b: col}, nil, 0, uint64(len(col)))
			for _, k := range m.m {
				refs = append(refs, x.lists[k.list]...)
				for i := range h.near {
					h.near[i] |= x.sets[k.list][i]
				}
				h.lens |= x.lens[k.list]
				any = true
			}
		}
		h.cols = append(h.cols, refs)
	}
	if any {
		h.state, h.sep = 2, best
	} else {
		h.cols = nil
	}
}

// speaksFor reports whether the name of the column in which v.b[at] stands speaks
// for a detector.
func (h *header) speaksFor(v *window2, want uint16, at int) bool {
	if h.state != 2 {
		return false
	}
	to := v.base + uint64(at)
	switch {
	case h.line != 0 && to >= h.begin && to < h.at:
		// The same column: nothing to count.
	case h.line == 0 || to < h.at || h.at < v.base || bytes.IndexByte(v.b[h.at-v.base:at], '\n') >= 0:
		begin := bytes.LastIndexByte(v.b[:at], '\n') + 1
		if begin == 0 && v.base != 0 {
			return false
		}
		h.line = v.base + uint64(begin) + 1
		h.at, h.begin, h.col = h.line-1, h.line-1, 0
	}
	for ; h.at < to; h.at++ {
		if v.b[h.at-v.base] == h.sep {
			h.col, h.begin = h.col+1, h.at+1
		}
	}
	if h.col >= len(h.cols) {
		return false
	}
	for _, ref := range h.cols[h.col] {
		if ref == want {
			return true
		}
	}
	return false
}
