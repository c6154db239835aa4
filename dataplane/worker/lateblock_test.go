package worker

import (
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
	"sluice/dataplane/verdict"
)

// past is a kernel that forwards flows past the workers.
type past map[flow.Key]flow.Bypassed

func (p past) Bypass(key flow.Key) error                      { p[key] = flow.Bypassed{}; return nil }
func (p past) Bypassed(k flow.Key) (n flow.Bypassed, ok bool) { n, ok = p[k]; return n, ok }
func (p past) Revoke(k flow.Key) (n flow.Bypassed, ok bool) {
	n, ok = p[k]
	delete(p, k)
	return n, ok
}

// TestLateBlock has a flow be bypassed in the kernel when the verdict comes that
// ends it, as for a document that was still being read: the kernel gives it back,
// with its counts, and what comes of it is withheld.
func TestLateBlock(t *testing.T) {
	set, err := inspect.NewSet(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := protocol.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	for _, inline := range []bool{true, false} {
		sc := stream.DefaultConfig()
		sc.Inline = inline
		w, err := New(Config{Set: set, Registry: reg, Stream: sc, Inline: inline, Live: true, Ifaces: []string{"in0", "out0"}})
		if err != nil {
			t.Fatal(err)
		}
		k := past{}
		w.SetOffload(Offload{Table: k})
		now := int64(1e18)
		send := func(from uint8, flags byte, seq, ack uint32, payload string) bool {
			now += 1e6
			f := segmentFrame(from, flags, seq, ack, payload)
			f.Time = now
			forward := []bool{false}
			w.Process(&capture.Batch{Frames: []capture.Frame{f}}, forward)
			return forward[0]
		}
		send(0, decode.TCPSyn, 1000, 0, "")
		send(1, decode.TCPSyn|decode.TCPAck, 5000, 1001, "")
		send(0, decode.TCPAck, 1001, 5001, "")
		send(0, decode.TCPAck|decode.TCPPsh, 1001, 5001, "hello")
		f := w.f
		w.apply(f, verdict.Verdict{Action: verdict.Bypass, Cause: verdict.CauseRule})
		send(1, decode.TCPAck, 5001, 1006, "hello")
		if _, ok := k[f.Key]; !ok {
			t.Fatal("the kernel was not asked")
		}
		k[f.Key] = flow.Bypassed{Packets: [2]uint64{7, 3}, Bytes: [2]uint64{700, 300}}
		before := f.Pkts[0] + f.Pkts[1]
		w.apply(f, verdict.Verdict{Action: verdict.Block, Cause: verdict.CausePolicy})
		if len(k) != 0 || len(w.offload.flows) != 0 {
			t.Errorf("inline %v: the kernel goes on", inline)
		}
		if n := f.Pkts[0] + f.Pkts[1] - before; n != 10 {
			t.Errorf("inline %v: %d packets of ten are in the record", inline, n)
		}
		w.Injections()
		if send(0, decode.TCPAck|decode.TCPPsh, 1706, 5301, "more") == inline {
			t.Errorf("inline %v: the flow's next packet", inline)
		}
		if len(k) != 0 {
			t.Errorf("inline %v: it was handed over again", inline)
		}
	}
}
