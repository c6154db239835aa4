package http1

import (
	"testing"

	"sluice/dataplane/protocol"
)

// formSink keeps what a form's object holds.
type formSink struct {
	got    []byte
	closed bool
}

func (s *formSink) OpenObject(*protocol.Object)                        {}
func (s *formSink) ObjectData(_ *protocol.Object, b []byte)            { s.got = append(s.got, b...) }
func (s *formSink) ObjectGap(*protocol.Object, uint64)                 {}
func (s *formSink) CloseObject(*protocol.Object, protocol.ObjectState) { s.closed = true }

func TestURLFormInAnyCut(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		for cut := 0; cut <= len(in); cut++ {
			var s formSink
			u := urlForm{open: true}
			u.write(&s, []byte(in[:cut]))
			u.write(&s, []byte(in[cut:]))
			u.close(&s, protocol.ObjectClosed)
			if string(s.got) != want || !s.closed {
				t.Fatalf("%q cut at %d: %q, want %q", in, cut, s.got, want)
			}
		}
	}
	f("", "")
	f("card=%2C4556737586899855&b=2", "card=,4556737586899855\nb=2")
	f("a+b%20c", "a b c")
	f("100%", "100%")
	f("%4", "%4")
	f("%zz%4x%%41%e4", "%zz%4x%A\xe4")
	f("%2525", "%25")
}
