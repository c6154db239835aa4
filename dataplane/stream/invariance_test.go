package stream

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// cut is one segment of a direction on its way.
type cut struct {
	dir      protocol.Dir
	from, to int
	fin      bool
}

// TestChunkingInvariance is the property the whole design rests on: however the
// same bytes are cut, reordered within the window, duplicated or retransmitted,
// each direction gives exactly these bytes, no gap and one end.
func TestChunkingInvariance(t *testing.T) {
	for name, cfg := range map[string]Config{"inline": inline(), "ids": ids(), "tap": tap()} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkInvariance(t, cfg) })
		})
	}
}

func checkInvariance(t *rapid.T, cfg Config) {
	cfg.Default = Policy(rapid.IntRange(0, int(numPolicies)-1).Draw(t, "policy"))
	var want [2][]byte
	for d := range want {
		n := rapid.IntRange(0, 400).Draw(t, "size")
		want[d] = make([]byte, n)
		for i := range want[d] {
			want[d][i] = byte(i*7 + d*13 + i>>8)
		}
	}
	// Cut: every byte in at least one segment, segments that overlap, repeats.
	var cuts []cut
	for d := range want {
		n := len(want[d])
		at := 0
		for at < n {
			from := max(0, at-rapid.IntRange(0, 9).Draw(t, "back"))
			to := min(n, at+rapid.IntRange(1, 60).Draw(t, "len"))
			c := cut{dir: protocol.Dir(d), from: from, to: to}
			c.fin = to == n && rapid.Bool().Draw(t, "fin with data")
			cuts = append(cuts, c)
			if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				cuts = append(cuts, c)
			}
			at = to
		}
		cuts = append(cuts, cut{dir: protocol.Dir(d), from: n, to: n, fin: true})
	}
	// Reorder within a distance; FINs may overtake data as well.
	for i := range cuts {
		j := min(len(cuts)-1, i+rapid.IntRange(0, 6).Draw(t, "swap"))
		cuts[i], cuts[j] = cuts[j], cuts[i]
	}
	x := newTalk(nil, cfg)
	x.isn = [2]uint32{rapid.Uint32().Draw(t, "isn"), rapid.Uint32().Draw(t, "isn")}
	x.win = 2000
	seg := func(dir protocol.Dir, flags string, seq, ack uint32, data []byte) {
		p := x.pkt(dir, flags, seq, ack, string(data))
		x.time++
		if res := x.e.Segment(x.s, p, dir, x.k); res.Invalid || res.Conflict {
			t.Fatalf("%v %s seq %d ack %d len %d: %+v %v", dir, flags, seq, ack, len(data), res, res.Events)
		}
		if x.k.fault != "" {
			t.Fatal(x.k.fault)
		}
	}
	// What each receiver has, and so acknowledges.
	var have [2][]bool
	var next [2]int
	var finSeen [2]bool
	for d := range have {
		have[d] = make([]bool, len(want[d]))
	}
	acked := func(dir protocol.Dir) uint32 {
		n := uint32(1 + next[dir])
		if finSeen[dir] && next[dir] == len(want[dir]) {
			n++
		}
		return n
	}
	seg(c2s, "S", 0, 0, nil)
	seg(s2c, "SA", 0, 1, nil)
	seg(c2s, "A", 1, 1, nil)
	for _, c := range cuts {
		if cfg.Inline && finSeen[c.dir] && c.from == c.to && !c.fin {
			continue
		}
		flags := "A"
		if c.fin {
			flags, finSeen[c.dir] = "FA", true
		}
		seg(c.dir, flags, 1+uint32(c.from), acked(c.dir.Other()), want[c.dir][c.from:c.to])
		for i := c.from; i < c.to; i++ {
			have[c.dir][i] = true
		}
		for next[c.dir] < len(want[c.dir]) && have[c.dir][next[c.dir]] {
			next[c.dir]++
		}
		if rapid.Bool().Draw(t, "ack") {
			o := c.dir.Other()
			at := uint32(1 + next[o])
			if finSeen[o] && next[o] == len(want[o]) {
				at++
			}
			seg(o, "A", at, acked(c.dir), nil)
		}
	}
	seg(s2c, "A", acked(s2c), acked(c2s), nil)
	seg(c2s, "A", acked(c2s), acked(s2c), nil)
	if x.s.state != StateClosed && x.s.state != StateTimeWait {
		t.Fatalf("state %v", x.s.state)
	}
	for d := range want {
		if !bytes.Equal(x.k.data[d], want[d]) {
			t.Fatalf("direction %d gave %d bytes of %d:\n%q\n%q", d, len(x.k.data[d]), len(want[d]), x.k.data[d], want[d])
		}
		if x.k.ends[d] != 1 {
			t.Fatalf("direction %d ended %d times before Close", d, x.k.ends[d])
		}
		if got := x.s.Size(protocol.Dir(d)); got != uint64(len(want[d])) {
			t.Fatalf("size %d, want %d", got, len(want[d]))
		}
	}
	x.e.Close(x.s, x.k)
	if x.k.ends != [2]int{1, 1} || x.e.InUse() != 0 {
		t.Fatal("after close:", x.k.ends, x.e.InUse())
	}
}

type count struct{ n [2]uint64 }

func (c *count) StreamData(d protocol.Dir, _ uint64, b []byte) { c.n[d] += uint64(len(b)) }
func (c *count) StreamGap(protocol.Dir, uint64, uint64)        {}
func (c *count) StreamEnd(protocol.Dir)                        {}

// transfer makes one data segment and its acknowledgement at a time.
type transfer struct {
	e        *Engine
	s        Session
	r        count
	data, ak decode.Packet
	buf      []byte
}

func newTransfer(cfg Config, n int) *transfer {
	x := &transfer{e: NewEngine(cfg), buf: make([]byte, n)}
	for i := range x.buf {
		x.buf[i] = byte(i)
	}
	p := func(f uint8, seq, ack uint32) *decode.Packet {
		return &decode.Packet{TCPFlags: f, Seq: seq, Ack: ack, Window: 65535, TCPOpts: decode.TCPOptions{HasWScale: true, WScale: 10}}
	}
	x.e.Segment(&x.s, p(syn, 99, 0), c2s, &x.r)
	x.e.Segment(&x.s, p(synAck, 499, 100), s2c, &x.r)
	x.e.Segment(&x.s, p(ack, 100, 500), c2s, &x.r)
	x.data = *p(ack, 100, 500)
	x.data.Data, x.data.PayloadEnd = x.buf, uint32(n)
	x.ak = *p(ack, 500, 100)
	return x
}

func (x *transfer) step() {
	x.e.Segment(&x.s, &x.data, c2s, &x.r)
	x.data.Seq += uint32(len(x.buf))
	x.ak.Ack = x.data.Seq
	x.e.Segment(&x.s, &x.ak, s2c, &x.r)
}

// stepReordered sends two segments the wrong way round, then the ACK.
func (x *transfer) stepReordered() {
	n := uint32(len(x.buf))
	x.data.Seq += n
	x.e.Segment(&x.s, &x.data, c2s, &x.r)
	x.data.Seq -= n
	x.e.Segment(&x.s, &x.data, c2s, &x.r)
	x.data.Seq += 2 * n
	x.ak.Ack = x.data.Seq
	x.e.Segment(&x.s, &x.ak, s2c, &x.r)
}

func TestNoAllocation(t *testing.T) {
	noCheck := inline()
	noCheck.NoOverlapCheck = true
	for name, cfg := range map[string]Config{"inline": inline(), "inline, no overlap check": noCheck, "ids": ids(), "tap": tap()} {
		for _, n := range []int{1, 1460, 65000} {
			x := newTransfer(cfg, n)
			x.step()
			x.stepReordered()
			if a := testing.AllocsPerRun(200, x.step); a != 0 {
				t.Errorf("%s, %d bytes: %v allocations a segment", name, n, a)
			}
			if a := testing.AllocsPerRun(200, x.stepReordered); a != 0 {
				t.Errorf("%s, %d bytes, reordered: %v allocations", name, n, a)
			}
			if want := uint64(n) * (3 + 201*3); x.r.n[c2s] != want {
				t.Errorf("%s: %d bytes given, want %d", name, x.r.n[c2s], want)
			}
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	noCheck := inline()
	noCheck.NoOverlapCheck = true
	for _, c := range []struct {
		name string
		cfg  Config
		n    int
	}{{"inline/1460", inline(), 1460}, {"inline/65000", inline(), 65000}, {"inline-nocheck/1460", noCheck, 1460},
		{"inline-nocheck/65000", noCheck, 65000}, {"ids/1460", ids(), 1460}, {"ids/65000", ids(), 65000}} {
		b.Run(c.name, func(b *testing.B) {
			x := newTransfer(c.cfg, c.n)
			b.ReportAllocs()
			b.SetBytes(int64(c.n))
			for b.Loop() {
				x.step()
			}
		})
	}
}
