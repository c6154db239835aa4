package worker

import (
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
	"sluice/dataplane/verdict"
)

// drops is a kernel that is told what it dropped.
type drops struct {
	full   bool
	asked  []flow.Key
	active map[flow.Key]flow.Bypassed
	forgot int
}

func (d *drops) Drop(key flow.Key) bool {
	d.asked = append(d.asked, key)
	if !d.full {
		d.active[key] = flow.Bypassed{}
	}
	return !d.full
}

func (d *drops) Dropped(key flow.Key) (flow.Bypassed, bool) { n, ok := d.active[key]; return n, ok }

func (d *drops) Forget(flow.Key) { d.forgot++ }

// TestDead has a blocked connection whose client does not listen be handed down,
// with its record kept, until a new one begins on its ports.
func TestDead(t *testing.T) {
	const ms = int64(1e6)
	for _, tt := range []struct {
		name    string
		tomb    func(now int64) *enforce.Tombstone
		monitor bool
		answers bool
	}{
		{"reset", enforce.NewTombstone, false, true},
		{"dropped silently", func(int64) *enforce.Tombstone { return nil }, false, false},
		{"watched", enforce.NewTombstone, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, err := inspect.NewSet(nil, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			reg, err := protocol.NewRegistry()
			if err != nil {
				t.Fatal(err)
			}
			sc := stream.DefaultConfig()
			sc.Inline = true
			k := &drops{active: map[flow.Key]flow.Bypassed{}}
			w, err := New(Config{Set: set, Registry: reg, Stream: sc, Inline: true, Live: true, Monitor: tt.monitor, Ifaces: []string{"in0", "out0"}, Drops: k})
			if err != nil {
				t.Fatal(err)
			}
			now := int64(1e18)
			sent, bytes := [2]uint64{}, [2]uint64{}
			send := func(from uint8, flags byte, seq, ack uint32, payload string) bool {
				f := segmentFrame(from, flags, seq, ack, payload)
				f.Time = now
				sent[from]++
				bytes[from] += uint64(f.WireLen)
				forward := []bool{false}
				w.Process(&capture.Batch{Frames: []capture.Frame{f}}, forward)
				return forward[0]
			}
			send(0, decode.TCPSyn, 1000, 0, "")
			send(1, decode.TCPSyn|decode.TCPAck, 5000, 1001, "")
			send(0, decode.TCPAck, 1001, 5001, "")
			if !send(0, decode.TCPAck|decode.TCPPsh, 1001, 5001, "hello") {
				t.Fatal("withheld")
			}
			f := w.f
			f.Verdict = verdict.Verdict{Action: verdict.DropFlow}
			if ts := tt.tomb(now); ts != nil {
				f.Enforce = ts
			}
			answers := 0
			goOn := func() {
				now += 300 * ms
				if send(0, decode.TCPAck|decode.TCPPsh, 1006, 5001, "more") {
					t.Error("went on")
				}
				answers += len(w.Injections())
			}
			for len(k.asked) == 0 && now < 1e18+10000*ms {
				goOn()
			}
			if (answers > 0) != tt.answers {
				t.Errorf("%d answers", answers)
			}
			if tt.monitor {
				if len(k.asked) != 0 {
					t.Error("a flow was handed down although nothing is enforced")
				}
				return
			}
			if len(k.asked) != 1 || k.asked[0] != f.Key || now < 1e18+2000*ms {
				t.Fatalf("asked for %v after %d ms", k.asked, (now-1e18)/ms)
			}
			// What the kernel drops comes into the record, and keeps it from ending.
			ends := func(client, server uint64) (n [2]uint64) {
				n = [2]uint64{client, server}
				if !f.ClientIsLow {
					n = [2]uint64{server, client}
				}
				return n
			}
			total := sent
			k.active[f.Key] = flow.Bypassed{Packets: ends(5, 2), Bytes: ends(500, 200)}
			now += 5000 * ms
			w.Tick(now)
			if f.Pkts != [2]uint64{total[0] + 5, total[1] + 2} || f.Last != now {
				t.Errorf("%v packets, %v ago", f.Pkts, now-f.Last)
			}
			goOn() // one that was under way
			if len(k.asked) != 1 {
				t.Errorf("asked %d times", len(k.asked))
			}
			// It ends in the kernel, and is handed down again as it still goes on.
			k.active[f.Key] = flow.Bypassed{Packets: ends(7, 2), Bytes: ends(700, 200), Ended: true}
			now += 1000 * ms
			w.Tick(now)
			if len(w.dead.list) != 0 || k.forgot != 1 {
				t.Errorf("%d in the list, forgot %d", len(w.dead.list), k.forgot)
			}
			k.full = true
			goOn()
			goOn()
			if len(k.asked) != 2 {
				t.Errorf("asked %d times of who has no room", len(k.asked)-1)
			}
			k.full = false
			now += 1000 * ms
			goOn()
			if len(k.asked) != 3 || len(w.dead.list) != 1 {
				t.Errorf("asked %d times, %d in the list", len(k.asked), len(w.dead.list))
			}
			// A new connection on the ports: the record of the old one has it all.
			k.active[f.Key] = flow.Bypassed{Packets: ends(3, 0), Bytes: ends(300, 0), Ended: true}
			total, old := sent, bytes
			w.Events()
			now += 50 * ms
			if !send(0, decode.TCPSyn, 90000, 0, "") {
				t.Error("the handshake of a new connection was withheld")
			}
			told := false
			for _, e := range w.Events() {
				if e.Type != "flow" {
					continue
				}
				told = true
				if e.Flow.PktsToServer != total[0]+7+3 || e.Flow.PktsToClient != total[1]+2 || e.Flow.BytesToServer != old[0]+700+300 || e.Flow.BytesToClient != old[1]+200 {
					t.Errorf("%+v; %v packets came to the worker", e.Flow, total)
				}
			}
			c := w.Counters()
			if !told || len(w.dead.list) != 0 || len(w.dead.byFlow) != 0 || k.forgot != 2 || c.DeadFlows != 2 || c.DeadPackets != 12 || c.DeadBytes != 1200 {
				t.Errorf("told %v, %d in the list, forgot %d, %+v", told, len(w.dead.list), k.forgot, c.DeadPackets)
			}
		})
	}
}

// TestDeadList has many flows be in the list and leave it in any order.
func TestDeadList(t *testing.T) {
	k := &drops{active: map[flow.Key]flow.Bypassed{}}
	w := &Worker{cfg: Config{Inline: true, Live: true, Drops: k}, flows: flow.NewTable(flow.Config{MaxFlows: 16})}
	var all []*flow.Flow
	for i := range maxDead + 10 {
		f := &flow.Flow{Key: flow.Key{Port: [2]uint16{uint16(i), 1}, Proto: 6}}
		all = append(all, f)
		w.handDown(f)
	}
	if len(w.dead.list) != maxDead || len(k.asked) != maxDead {
		t.Fatalf("%d in the list, %d asked for", len(w.dead.list), len(k.asked))
	}
	for i := range all {
		n := k.active[all[i].Key]
		n.Ended = i%3 == 0
		k.active[all[i].Key] = n
	}
	for range 2 * maxDead / deadReads {
		w.refreshDead()
	}
	for i, f := range all[:maxDead] {
		if (w.dead.byFlow[f] == nil) != (i%3 == 0) {
			t.Fatalf("flow %d", i)
		}
	}
	for i, f := range all {
		if i%2 == 0 {
			w.endDead(f)
		}
	}
	for i, d := range w.dead.list {
		if d.at != i || w.dead.byFlow[d.f] != d {
			t.Fatalf("place %d is confused", i)
		}
	}
	if n := len(w.dead.list); n != len(w.dead.byFlow) || n < maxDead/3-2 || n > maxDead/3+2 {
		t.Errorf("%d left, %d known", n, len(w.dead.byFlow))
	}
	if n := testing.AllocsPerRun(100, func() { w.refreshDead() }); n != 0 {
		t.Errorf("%v allocations to read counts", n)
	}
}
