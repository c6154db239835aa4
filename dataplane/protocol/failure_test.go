package protocol_test

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestTakeFailure: that a parser gave up is told once; that no protocol was found,
// or that a parser wants nothing more, is no failure.
func TestTakeFailure(t *testing.T) {
	r := registry(t)
	f := func(name string, want bool, client ...string) {
		t.Helper()
		var s protocol.Session
		env := protocoltest.NewEnv(protocoltest.Dialogue{DstPort: 443}, &protocoltest.Sink{})
		got := 0
		for _, c := range client {
			s.Data(r, env, protocol.ToServer, []byte(c))
			if s.TakeFailure() {
				got++
			}
		}
		s.End(r, env, protocol.ToServer)
		s.End(r, env, protocol.ToClient)
		if s.TakeFailure() {
			got++
		}
		if got != map[bool]int{true: 1}[want] {
			t.Errorf("%s: told %d times", name, got)
		}
	}
	hello := "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + string(make([]byte, 32)) + "\x00\x00\x02\x13\x01\x01\x00"
	f("no protocol", false, "\x00\x01\x02\x03", string(make([]byte, protocol.ProbeDepth)), "more")
	f("a hello", false, hello)
	f("encrypted", false, hello, "\x14\x03\x03\x00\x01\x01", "\x17\x03\x03\x00\x02ab")
	f("no record of TLS", true, hello, "no record of TLS", "and more", "and more")
}
