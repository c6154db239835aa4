package stream

import (
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// FuzzSegment plays a program of segments, eight bytes each, through one
// connection and checks what must hold for any input: offsets without breaks,
// one end a direction, bounded memory that comes back.
func FuzzSegment(f *testing.F) {
	const (
		s, a, fn, r, u = decode.TCPSyn, decode.TCPAck, decode.TCPFin, decode.TCPRst, decode.TCPUrg
	)
	f.Add(uint8(0), []byte{0, s, 0, 0, 0, 0, 0, 0, 1, s | a, 0, 0, 0, 1, 0, 0, 0, a, 0, 1, 0, 1, 9, 0, 1, a | fn, 0, 1, 0, 10, 4, 0, 0, r, 0, 10, 0, 6, 0, 0})
	f.Add(uint8(1), []byte{0, s, 0, 0, 0, 0, 5, 0, 1, s | a, 0, 0, 0, 6, 0, 0, 0, a, 0, 20, 0, 1, 9, 1, 0, a | u, 0, 15, 0, 1, 40, 2, 1, a, 0, 1, 0, 60, 0, 0})
	f.Add(uint8(6), []byte{0, a, 0, 0, 0, 0, 50, 0, 1, a, 0, 0, 0, 6, 9, 0, 0, a, 0, 20, 0, 1, 90, 1, 0, a, 0, 15, 0, 1, 40, 2, 1, a, 0, 1, 0, 60, 0, 0})
	f.Add(uint8(3), []byte{0, s, 0, 0, 0, 0, 0, 0, 1, s, 0, 0, 0, 0, 0, 0, 0, s | a, 0, 0, 0, 1, 0, 0, 1, a, 0, 1, 0, 1, 7, 0, 0, r | a, 0, 1, 0, 8, 1, 0, 0, a, 0, 1, 0, 8, 1, 0})
	f.Fuzz(fuzzBody)
}

func fuzzBody(t *testing.T, mode uint8, prog []byte) {
	cfg := Config{Inline: mode&1 == 0, OnArrival: len(prog)&8 != 0, Midstream: mode&2 != 0, AsyncOneside: mode&4 != 0, Depth: uint64(mode>>3&1) * 300,
		Default: Policy(mode>>4) % numPolicies, Urgent: UrgentPolicy(mode >> 6), MaxHeldBytes: 2000, MaxHeldSegments: 8, MaxKeptBytes: 600, Memcap: 64 << 10}
	e, k := NewEngine(cfg), &sink{}
	x := &Session{}
	var buf [256]byte
	for i := range buf {
		buf[i] = byte(i)
	}
	for now := int64(1); len(prog) >= 8; prog, now = prog[8:], now+1e6 {
		dir := protocol.Dir(prog[0] & 1)
		n := uint32(prog[6])
		p := &decode.Packet{Time: now, TCPFlags: prog[1], Seq: uint32(prog[2])<<8 | uint32(prog[3]), Ack: uint32(prog[4])<<8 | uint32(prog[5]),
			Window: uint16(prog[7]) << 6, Urgent: uint16(prog[7] & 7), Data: buf[:n], PayloadEnd: n}
		if prog[0]&2 != 0 { // the far ends of sequence space
			p.Seq += 1 << 31
		}
		if prog[0]&4 != 0 {
			p.Ack -= 1 << 15
		}
		if prog[0]&8 != 0 {
			p.TCPOpts = decode.TCPOptions{HasTimestamp: true, TSVal: uint32(prog[7]), HasWScale: true, WScale: prog[7]}
		}
		if prog[0]&16 != 0 {
			p.Data = buf[128:]
			p.Data, p.PayloadEnd = p.Data[:n/2], n/2
		}
		res := e.Segment(x, p, dir, k)
		if k.fault != "" {
			t.Fatal(k.fault)
		}
		for d := range x.half {
			if q := x.half[d].q; q != nil {
				checkList(t, &q.held)
				checkList(t, &q.kept)
				if q.held.bytes > cfg.MaxHeldBytes || q.held.len() > cfg.MaxHeldSegments*3+3 {
					t.Fatalf("held %d bytes, %d segments", q.held.bytes, q.held.len())
				}
			}
		}
		if e.InUse() > cfg.Memcap {
			t.Fatal("memcap exceeded")
		}
		if prog[0]&32 != 0 {
			x.SkipDir(dir)
		}
		if res.New {
			if x.flags&sClosed == 0 {
				t.Fatal("a new connection, and the old one is open")
			}
			x, k = &Session{}, &sink{}
			if e.Segment(x, p, dir, k).New {
				t.Fatal("a fresh session is not fresh")
			}
		}
		_ = x.Size(dir) + x.Offset(dir)
	}
	e.Close(x, k)
	e.Close(x, k)
	if k.fault != "" {
		t.Fatal(k.fault)
	}
	if x.state != StateNone && k.ends != [2]int{1, 1} {
		t.Fatalf("ends %v in state %v", k.ends, x.state)
	}
	if e.InUse() != 0 {
		t.Fatalf("%d bytes in use after Close", e.InUse())
	}
}

func checkList(t *testing.T, l *segList) {
	n := 0
	for i := range l.len() {
		g := l.at(i)
		n += len(g.data)
		if len(g.data) == 0 {
			t.Fatal("empty segment")
		}
		if i > 0 && diff(g.seq, l.at(i-1).end()) < 0 {
			t.Fatalf("segments %d and %d overlap", i-1, i)
		}
	}
	if n != l.bytes {
		t.Fatalf("list counts %d bytes, has %d", l.bytes, n)
	}
}
