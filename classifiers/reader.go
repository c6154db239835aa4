package classifiers

import (
	"errors"
	"fmt"
	"io"
)

// ScanReader judges everything r gives, in pieces of 64 KiB. A read error ends
// it: the result then holds what came before, and the error is given too.
func (s *Scanner) ScanReader(r io.Reader, meta ObjectMeta) (Result, error) {
	st := s.Open(meta)
	h, err := s.sc.Open(s.c.stream)
	if err != nil {
		s.Abandon(st)
		return Result{}, err
	}
	defer func() { s.sc.CloseStream(h) }()
	buf := make([]byte, piece)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			hits, herr := s.sc.ScanStream(h, buf[:n])
			st.failed(herr)
			s.write(st, buf[:n], hits)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return s.Close(st), nil
		default:
			st.unscannable = "read-error"
			return s.Close(st), fmt.Errorf("read: %w", err)
		}
	}
}
