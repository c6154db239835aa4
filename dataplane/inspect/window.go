package inspect

import "sluice/signatures"

const (
	// windowMax bounds the bytes kept of an object or stream for rules to be
	// confirmed on; windowKeep is what stays of them when it is reached.
	windowMax  = 128 << 10
	windowKeep = 32 << 10
	// windowMin is what a window first takes.
	windowMin = 4 << 10
)

// window keeps the newest bytes of a stream in one piece. The zero value is
// empty.
type window struct {
	buf   []byte
	start uint64
}

// add appends data that begins at offset off and gives the window with it. A
// hole before off empties the window first. Pieces larger than the window are
// given as they are, with nothing before them.
func (w *window) add(b *buffers, off uint64, data []byte) signatures.Window {
	if w.start+uint64(len(w.buf)) != off {
		w.buf, w.start = w.buf[:0], off
	}
	if len(w.buf)+len(data) > windowMax {
		keep := min(len(w.buf), windowKeep, max(windowMax-len(data), 0))
		cut := len(w.buf) - keep
		w.start += uint64(cut)
		w.buf = w.buf[:copy(w.buf, w.buf[cut:])]
	}
	if len(data) > windowMax {
		// The tail is kept for what follows; the whole is seen now.
		tail := data[len(data)-windowKeep:]
		w.grow(b, len(tail))
		w.buf = append(w.buf[:0], tail...)
		w.start = off + uint64(len(data)-len(tail))
		return signatures.Window{Data: data, Start: off}
	}
	n := len(w.buf)
	w.grow(b, n+len(data))
	w.buf = append(w.buf, data...)
	return signatures.Window{Data: w.buf, Start: w.start, New: n}
}

// grow makes room for n bytes. A flow of small messages stays small; what
// outgrows that is mostly a transfer, and quadruples, to be copied less often.
func (w *window) grow(b *buffers, n int) {
	if n <= cap(w.buf) {
		return
	}
	size := max(windowMin, cap(w.buf))
	for size < n {
		size *= 4
	}
	next := b.get(min(size, windowMax))[:len(w.buf)]
	copy(next, w.buf)
	b.put(w.buf)
	w.buf = next
}

// cut empties the window: the next byte is at offset off.
func (w *window) cut(off uint64) { w.buf, w.start = w.buf[:0], off }

// view gives the window without new bytes.
func (w *window) view() signatures.Window {
	return signatures.Window{Data: w.buf, Start: w.start, New: len(w.buf)}
}

// reset empties the window and gives its memory back.
func (w *window) reset(b *buffers) {
	b.put(w.buf)
	w.buf, w.start = nil, 0
}

// buffers keeps the memory of windows for the next ones, by size. It belongs to
// one worker.
type buffers struct {
	free [windowSizes][][]byte
	held int
}

const (
	// windowSizes is how many sizes there are from windowMin to windowMax.
	windowSizes = 6
	// buffersMax bounds the idle memory kept.
	buffersMax = 16 << 20
)

// class gives the place of a size that is windowMin doubled some times, -1 for
// others.
func class(size int) int {
	for i := range windowSizes {
		if windowMin<<i == size {
			return i
		}
	}
	return -1
}

// get gives memory of a size, with length 0. What it holds is undefined.
func (b *buffers) get(size int) []byte {
	if l := &b.free[class(size)]; len(*l) > 0 {
		buf := (*l)[len(*l)-1]
		*l = (*l)[:len(*l)-1]
		b.held -= size
		return buf[:0]
	}
	return make([]byte, 0, size)
}

func (b *buffers) put(buf []byte) {
	c := class(cap(buf))
	if c < 0 || b.held+cap(buf) > buffersMax {
		return
	}
	b.held += cap(buf)
	b.free[c] = append(b.free[c], buf)
}
