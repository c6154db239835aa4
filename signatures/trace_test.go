package signatures

import (
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/signatures/engine"
)

// TestTraceTellsWhatFailed: the nearest of many places is kept, backtracking is
// told of, and what is kept stays within the limit.
func TestTraceTellsWhatFailed(t *testing.T) {
	r := newRig(t, `alert tcp any any -> any any (content:"abcd"; content:"xy"; distance:0; within:4; byte_test:1,>,50,0,relative; sid:1;)`)
	if r.m.StartTrace(1, 2, 3) {
		t.Fatal("there is no sid 2")
	}
	if !r.m.StartTrace(1, 1, 3) {
		t.Fatal("sid 1 is loaded")
	}
	for range 50 {
		s := r.open(r.flow(decode.ProtoTCP, 40000, 7777), protocol.ToServer)
		s.data([]byte("..abcd..abcdzzxyA abcd"))
		t := r.open(r.flow(decode.ProtoTCP, 40000, 7777), protocol.ToServer)
		t.data([]byte("abcdxy1"))
	}
	tr := r.m.Trace()
	got := tr.Nearest()
	if len(got) != 3 {
		t.Fatalf("%d attempts kept", len(got))
	}
	if !got[0].Outcome.Holds() || tr.Outcomes[engine.Matched] != 50 {
		t.Errorf("%v %v", got[0].Result, tr.Outcomes)
	}
	// The first abcd led nowhere, the second did.
	if c := got[0].Conditions; c[len(c)-3].Detail == "" || c[len(c)-1].Detail != "read 65 (0x41) at 16" {
		t.Errorf("%+v", c[len(c)-3:])
	}
	if n := tr.Outcomes[engine.FailedLists]; n < 50 {
		t.Errorf("%d misses", n)
	}
	text, buffer := tr.FastPattern()
	if !strings.HasPrefix(text, `content:"abcd"`) || buffer != "payload" || tr.Looks() != "the TCP stream" {
		t.Errorf("%q in %q, looks at %q", text, buffer, tr.Looks())
	}
}
