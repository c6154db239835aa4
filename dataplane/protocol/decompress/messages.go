package decompress

// Messages inflates the messages that one end of a connection sends, each of which
// may refer to what came before (RFC 7692 §7.2.3.2). Between messages it holds no
// more than the window they left. The zero value is ready. It belongs to one
// goroutine.
type Messages struct {
	c *deflateCodec
	// hist is the window between messages.
	hist []byte
}

// messageTail is what senders leave off the end of a message (RFC 7692 §7.2.1).
var messageTail = []byte{0, 0, 0xff, 0xff}

// Write inflates the next bytes of a message and gives out, borrowed for the call,
// what they determine. out reports false where no more is wanted: Write then stops
// and reports ErrTooLarge. After an error the message and the window are lost; the
// next call begins a message of its own.
func (m *Messages) Write(in []byte, out func([]byte) bool) error {
	if m.c == nil {
		m.c = deflatePool.Get().(*deflateCodec)
		m.c.begin()
		n := copy(m.c.buf[:], m.hist)
		m.c.w, m.c.sent = n, n
	}
	f := &m.c.inflater
	for pos := 0; ; {
		pos = f.run(in, pos)
		if p := f.pending(); len(p) > 0 && !out(p) {
			m.Reset()
			return ErrTooLarge
		}
		full := f.w == bufSize
		f.slide()
		switch {
		case f.stage == inflBroken:
			m.Reset()
			return ErrBroken
		case f.stage == inflDone:
			// A message may end its stream (§7.2.3.4): what follows is another.
			f.align()
			f.stage, f.final = inflBlock, false
		case pos == len(in) && !full:
			return nil
		}
	}
}

// End ends a message. It gives out what is left of it, as Write does.
func (m *Messages) End(out func([]byte) bool) error {
	if err := m.Write(messageTail, out); err != nil {
		return err
	}
	f := &m.c.inflater
	if f.stage != inflBlock {
		m.Reset()
		return ErrTruncated
	}
	m.hist = append(m.hist[:0], f.buf[max(f.hist, f.w-winSize):f.w]...)
	m.c.release()
	m.c = nil
	return nil
}

// Reset forgets the message at hand and the window.
func (m *Messages) Reset() {
	m.hist = nil
	if m.c != nil {
		m.c.release()
		m.c = nil
	}
}
