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
func (w *window) add(off uint64, data []byte) signatures.Window {
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
		w.grow(len(tail))
		w.buf = append(w.buf[:0], tail...)
		w.start = off + uint64(len(data)-len(tail))
		return signatures.Window{Data: data, Start: off}
	}
	n := len(w.buf)
	w.grow(n + len(data))
	w.buf = append(w.buf, data...)
	return signatures.Window{Data: w.buf, Start: w.start, New: n}
}

// grow makes room for n bytes, doubling, so that a flow of small messages
// stays small.
func (w *window) grow(n int) {
	if n <= cap(w.buf) {
		return
	}
	size := max(windowMin, cap(w.buf))
	for size < n {
		size *= 2
	}
	b := make([]byte, len(w.buf), min(size, windowMax))
	copy(b, w.buf)
	w.buf = b
}

// view gives the window without new bytes.
func (w *window) view() signatures.Window {
	return signatures.Window{Data: w.buf, Start: w.start, New: len(w.buf)}
}

// reset empties the window; large memory is let go.
func (w *window) reset() {
	if cap(w.buf) > 4*windowMin {
		w.buf = nil
	}
	w.buf, w.start = w.buf[:0], 0
}
