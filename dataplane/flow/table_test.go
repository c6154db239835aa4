package flow

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

const sec = int64(time.Second)

func addr(s string) decode.Addr { return decode.AddrFrom(netip.MustParseAddr(s)) }

func packet(proto uint8, src string, sp uint16, dst string, dp uint16, at int64) *decode.Packet {
	ip := netip.MustParseAddr(src)
	p := &decode.Packet{Src: decode.AddrFrom(ip), Dst: addr(dst), SrcPort: sp, DstPort: dp, Proto: proto, IPVersion: 4,
		Time: at, TTL: 64, Flags: decode.FlagHasPorts, Frame: &capture.Frame{WireLen: 100}}
	if ip.Is6() {
		p.IPVersion = 6
	}
	return p
}

func udp(src string, sp uint16, dst string, dp uint16, at int64) *decode.Packet {
	return packet(decode.ProtoUDP, src, sp, dst, dp, at)
}

func tcp(flags uint8, src string, sp uint16, dst string, dp uint16, at int64) *decode.Packet {
	p := packet(decode.ProtoTCP, src, sp, dst, dp, at)
	p.TCPFlags = flags
	return p
}

func icmp(src, dst string, typ uint8, at int64) *decode.Packet {
	p := packet(decode.ProtoICMP, src, 0, dst, 0, at)
	p.Flags, p.ICMPType = 0, typ
	return p
}

type left struct {
	log []string
}

func (l *left) evict(f *Flow, why Reason) {
	l.log = append(l.log, fmt.Sprintf("%d %v", f.ClientPort, why))
}

func TestKeyLayout(t *testing.T) {
	var k Key
	if n := unsafe.Sizeof(k); n != 48 {
		t.Errorf("the key takes %d bytes, 48 are shared with the kernel", n)
	}
	if unsafe.Offsetof(k.Port) != 32 || unsafe.Offsetof(k.VLAN) != 36 || unsafe.Offsetof(k.Tunnel) != 40 || unsafe.Offsetof(k.Proto) != 44 {
		t.Error("the key's fields have moved")
	}
	t.Logf("an idle TCP flow takes %d bytes (flow %d, session %d) and %d of hash slots", FlowBytes, unsafe.Sizeof(Flow{}),
		unsafe.Sizeof(stream.Session{}), unsafe.Sizeof(slot{})*2)
	if FlowBytes > 1024 {
		t.Errorf("an idle flow takes %d bytes", FlowBytes)
	}
}

func TestGet(t *testing.T) {
	tb := NewTable(Config{Seed: 1})
	f := func(p *decode.Packet, want int, dir protocol.Dir, isNew bool) *Flow {
		t.Helper()
		fl, d, n := tb.Get(p)
		if fl == nil {
			t.Fatal("no flow")
		}
		if d != dir || n != isNew || tb.Len() != want {
			t.Fatalf("dir %v new %v flows %d, want %v %v %d", d, n, tb.Len(), dir, isNew, want)
		}
		if got := fl.DirOf(p); got != d {
			t.Fatalf("DirOf %v, Get %v", got, d)
		}
		return fl
	}
	const c, s = protocol.ToServer, protocol.ToClient
	a := f(udp("10.0.0.1", 1000, "10.0.0.2", 53, sec), 1, c, true)
	if f(udp("10.0.0.2", 53, "10.0.0.1", 1000, 2*sec), 1, s, false) != a || a.State != StateEstablished {
		t.Fatal("the answer is another flow, or not established")
	}
	if a.Pkts != [2]uint64{1, 1} || a.Bytes != [2]uint64{100, 100} || a.Last != 2*sec || a.Start != sec || a.MinTTL != [2]uint8{64, 64} {
		t.Fatalf("%+v", a)
	}
	f(tcp(decode.TCPSyn, "10.0.0.1", 1000, "10.0.0.2", 53, sec), 2, c, true)
	f(udp("2001:db8::1", 1000, "2001:db8::2", 53, sec), 3, c, true)
	f(udp("2001:db8::2", 53, "2001:db8::1", 1000, sec), 3, s, false)
	v := udp("10.0.0.1", 1000, "10.0.0.2", 53, sec)
	v.VLAN[0], v.NVLAN = 7, 1
	f(v, 4, c, true)
	tn := udp("10.0.0.1", 1000, "10.0.0.2", 53, sec)
	tn.TunnelID = 99
	f(tn, 5, c, true)
	// A SYN/ACK first: its receiver is the client.
	r := f(tcp(decode.TCPSyn|decode.TCPAck, "10.0.0.9", 80, "10.0.0.1", 4000, sec), 6, s, true)
	if r.ClientPort != 4000 || r.ServerPort != 80 || r.Client != addr("10.0.0.1") {
		t.Fatalf("%+v", r)
	}
	f(tcp(decode.TCPAck, "10.0.0.1", 4000, "10.0.0.9", 80, sec), 6, c, false)
	e := f(icmp("10.0.0.1", "10.0.0.2", 8, sec), 7, c, true)
	if f(icmp("10.0.0.2", "10.0.0.1", 0, sec), 7, s, false) != e || e.ClientPort != 8 || e.ServerPort != 0 {
		t.Fatal("the echo's reply is another flow")
	}
	f(icmp("10.0.0.2", "10.0.0.1", 8, sec), 8, c, true)
	f(icmp("10.0.0.1", "10.0.0.1", 8, sec), 9, c, true)
	f(icmp("10.0.0.1", "10.0.0.1", 0, sec), 9, s, false)
	for _, fl := range []decode.Flags{decode.FlagFragment, decode.FlagInvalid} {
		p := udp("10.0.0.1", 1, "10.0.0.2", 2, sec)
		p.Flags |= fl
		if g, _, _ := tb.Get(p); g != nil {
			t.Fatal("a flow for", fl)
		}
	}
	if g, _, _ := tb.Get(icmp("10.0.0.2", "10.0.0.1", 3, sec)); g != nil {
		t.Fatal("a flow for an ICMP error")
	}
	if g, _, _ := tb.Get(&decode.Packet{}); g != nil {
		t.Fatal("a flow for a frame without IP")
	}
}

func TestIDsDoNotDependOnTheTable(t *testing.T) {
	a, b := NewTable(Config{}), NewTable(Config{MaxFlows: 100})
	b.Get(udp("10.0.0.3", 1, "10.0.0.2", 2, 5))
	f, _, _ := a.Get(udp("10.0.0.1", 1, "10.0.0.2", 2, 5))
	g, _, _ := b.Get(udp("10.0.0.1", 1, "10.0.0.2", 2, 5))
	if f.ID != g.ID || f.ID == 0 || f.ID>>53 != 0 {
		t.Fatal(f.ID, g.ID)
	}
	if h := ID(&f.Key, 6, 0); h == f.ID {
		t.Fatal("the start time does not count")
	}
	// Pinned, since events of different runs are joined by it.
	if f.ID != 4080141030164534 {
		t.Fatal(f.ID)
	}
}

func TestTimeouts(t *testing.T) {
	var l left
	tb := NewTable(Config{Evict: l.evict})
	tb.Get(udp("10.0.0.1", 1, "10.0.0.9", 53, 0))
	tb.Get(udp("10.0.0.1", 2, "10.0.0.9", 53, 0))
	tb.Get(udp("10.0.0.9", 53, "10.0.0.1", 2, 0))
	tb.Get(tcp(decode.TCPSyn, "10.0.0.1", 3, "10.0.0.9", 80, 0))
	at := func(now int64, want ...string) {
		t.Helper()
		l.log = nil
		for !tb.Expire(now, l.evict) {
		}
		if fmt.Sprint(l.log) != fmt.Sprint(want) {
			t.Fatalf("at %d s: %v, want %v", now/sec, l.log, want)
		}
	}
	at(29 * sec)
	at(31*sec, "1 timeout")
	tb.Get(udp("10.0.0.1", 2, "10.0.0.9", 53, 40*sec)) // moves its deadline
	at(59 * sec)
	at(61*sec, "3 timeout")
	at(301 * sec)
	at(342*sec, "2 timeout")
	if tb.Len() != 0 {
		t.Fatal(tb.Len())
	}
	// By packet time alone, without Expire.
	l.log = nil
	tb.Get(udp("10.0.0.1", 5, "10.0.0.9", 53, 1000*sec))
	if _, _, isNew := tb.Get(udp("10.0.0.1", 5, "10.0.0.9", 53, 1029*sec)); isNew {
		t.Fatal("timed out early")
	}
	if _, _, isNew := tb.Get(udp("10.0.0.1", 5, "10.0.0.9", 53, 1059*sec)); !isNew || fmt.Sprint(l.log) != "[5 timeout]" {
		t.Fatal("not timed out", l.log)
	}
	// A leap over years.
	at(1e9*sec, "5 timeout")
	// Going back in time.
	tb.Get(udp("10.0.0.1", 6, "10.0.0.9", 53, sec))
	at(2e9*sec, "6 timeout")
}

func TestExpireIsBounded(t *testing.T) {
	var l left
	tb := NewTable(Config{})
	for i := range uint16(2000) {
		tb.Get(udp("10.0.0.1", i, "10.0.0.9", 53, 0))
	}
	if tb.Expire(100*sec, l.evict) {
		t.Fatal("2000 flows in one call")
	}
	if n := len(l.log); n != expireWork {
		t.Fatalf("%d flows in a call", n)
	}
	for !tb.Expire(100*sec, l.evict) {
	}
	if len(l.log) != 2000 || tb.Len() != 0 {
		t.Fatal(len(l.log), tb.Len())
	}
}

func TestTCPStates(t *testing.T) {
	var l left
	tb := NewTable(Config{Evict: l.evict})
	e := stream.NewEngine(stream.DefaultConfig())
	step := func(p *decode.Packet, seq, ack uint32, want State) (*Flow, stream.Result) {
		t.Helper()
		p.Seq, p.Ack, p.Window = seq, ack, 1000
		f, dir, _ := tb.Get(p)
		res := e.Segment(f.TCP, p, dir, nil)
		if res.New {
			f, dir = tb.Renew(f, p)
			res = e.Segment(f.TCP, p, dir, nil)
		}
		tb.Update(f)
		if f.State != want {
			t.Fatalf("state %v, want %v", f.State, want)
		}
		return f, res
	}
	const s, a, fn = decode.TCPSyn, decode.TCPAck, decode.TCPFin
	c := func(flags uint8, at int64) *decode.Packet { return tcp(flags, "10.0.0.1", 9, "10.0.0.2", 80, at) }
	v := func(flags uint8, at int64) *decode.Packet { return tcp(flags, "10.0.0.2", 80, "10.0.0.1", 9, at) }
	step(c(s, 0), 10, 0, StateNew)
	step(v(s|a, 0), 70, 11, StateNew)
	step(c(a, 0), 11, 71, StateEstablished)
	step(c(a|fn, 0), 11, 71, StateEstablished)
	step(v(a|fn, 0), 71, 12, StateClosed)
	old, _ := step(c(a, 0), 12, 72, StateClosed)
	if old.Pkts != [2]uint64{4, 2} {
		t.Fatal(old.Pkts)
	}
	id := old.ID
	n, _ := step(c(s, sec), 5000, 0, StateNew)
	if fmt.Sprint(l.log) != "[9 tcp_reuse]" || n.ID == id || n.Pkts != [2]uint64{1, 0} || n.TCP.State() != stream.StateSynSent || tb.Len() != 1 {
		t.Fatal(l.log, n.Pkts, n.TCP.State())
	}
	tb.Bypass(n)
	tb.Update(n)
	if n.State != StateBypassed || tb.Counters.ByState != [4]uint64{0, 0, 0, 1} {
		t.Fatal(n.State, tb.Counters.ByState)
	}
	tb.Swap(n)
	if n.Client != addr("10.0.0.2") || n.ClientPort != 80 || n.Pkts != [2]uint64{0, 1} {
		t.Fatalf("%+v", n)
	}
	if f, dir, _ := tb.Get(c(a, sec)); f != n || dir != protocol.ToClient || f.DirOf(c(a, sec)) != dir {
		t.Fatal("direction after Swap", dir)
	}
}

func TestEviction(t *testing.T) {
	var l left
	tb := NewTable(Config{MaxFlows: 4, Evict: l.evict})
	est := func(port uint16, at int64) {
		tb.Get(udp("10.0.0.1", port, "10.0.0.9", 53, at))
		tb.Get(udp("10.0.0.9", 53, "10.0.0.1", port, at))
	}
	est(1, 1)
	est(2, 2)
	tb.Get(udp("10.0.0.1", 3, "10.0.0.9", 53, 3))
	tb.Get(udp("10.0.0.1", 4, "10.0.0.9", 53, 4))
	est(5, 5) // 3 is the oldest of the new
	est(6, 6) // then 4
	tb.Get(udp("10.0.0.1", 1, "10.0.0.9", 53, 7))
	est(7, 8) // 1 was active since: 2 goes
	if fmt.Sprint(l.log) != "[3 forced 4 forced 2 forced]" || tb.Counters.Forced != 3 || tb.Len() != 4 {
		t.Fatal(l.log)
	}
	l.log = nil
	tb.Flush(l.evict)
	if fmt.Sprint(l.log) != "[1 shutdown 5 shutdown 6 shutdown 7 shutdown]" || tb.Len() != 0 {
		t.Fatal(l.log)
	}
}

func TestQuoted(t *testing.T) {
	tb := NewTable(Config{})
	want, _, _ := tb.Get(udp("10.0.0.1", 1000, "10.0.0.2", 53, 0))
	p := icmp("10.0.0.254", "10.0.0.1", 3, 0)
	p.L4 = 4
	p.Data = append([]byte("....\x03\x01\x00\x00\x00\x00\x00\x00"),
		0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1000>>8, 1000&255, 0, 53)
	if f, dir := tb.Quoted(p); f != want || dir != protocol.ToServer {
		t.Fatal(f, dir)
	}
	last := want.Last
	p.Time = 1e9
	tb.CountQuoted(p)
	tb.CountQuoted(udp("10.0.0.1", 1000, "10.0.0.2", 53, 0))
	if want.Pkts != [2]uint64{1, 1} || want.Bytes[protocol.ToClient] != WireLen(p) || want.Last != last {
		t.Errorf("packets %v, bytes %v, last %d: the error is not counted, or renews the flow", want.Pkts, want.Bytes, want.Last)
	}
	for n := range len(p.Data) {
		q := *p
		q.Data = p.Data[:n]
		if f, _ := tb.Quoted(&q); f != nil {
			t.Fatalf("%d bytes are enough", n)
		}
	}
	six, _, _ := tb.Get(packet(decode.ProtoTCP, "2001:db8::1", 7, "2001:db8::2", 80, 0))
	p = icmp("2001:db8::f", "2001:db8::1", 1, 0)
	p.Proto, p.IPVersion = decode.ProtoICMPv6, 6
	b := make([]byte, 8+40+8+4)
	b[8], b[8+6] = 0x60, 60
	a1, a2 := addr("2001:db8::1"), addr("2001:db8::2")
	copy(b[16:], a1[:])
	copy(b[32:], a2[:])
	b[48], b[57], b[59] = 6, 7, 80
	p.Data = b
	if f, dir := tb.Quoted(p); f != six || dir != protocol.ToServer {
		t.Fatal(f, dir)
	}
}

// TestTableAgainstMap plays random traffic against the plain meaning of a flow.
func TestTableAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type ref struct {
			start, last int64
			pkts        [2]uint64
			client      uint16
		}
		model := map[[2]uint16]*ref{}
		ended := map[uint64]int{}
		end := func(f *Flow, _ Reason) { ended[f.ID]++ }
		tb := NewTable(Config{Evict: end, MaxFlows: 64, Seed: rapid.Uint64().Draw(t, "seed")})
		now := int64(0)
		begun := 0
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			now += rapid.Int64Range(0, 20).Draw(t, "wait") * sec
			a, b := rapid.Uint16Range(1, 7).Draw(t, "a"), rapid.Uint16Range(1, 7).Draw(t, "b")
			f, dir, isNew := tb.Get(udp("10.0.0.1", a, "10.0.0.1", b, now))
			k := [2]uint16{min(a, b), max(a, b)}
			m := model[k]
			limit := 30 * sec
			if m != nil && m.pkts[0] > 0 && m.pkts[1] > 0 {
				limit = 300 * sec
			}
			if m == nil || now-m.last >= limit && now > m.last {
				m = &ref{start: now, client: a}
				model[k] = m
				begun++
				if !isNew {
					t.Fatal("an old flow")
				}
			} else if isNew {
				t.Fatal("a new flow")
			}
			d := protocol.ToServer
			if a != m.client {
				d = protocol.ToClient
			}
			m.last = now
			m.pkts[d]++
			if dir != d || f.Start != m.start || f.Pkts != m.pkts {
				t.Fatalf("%v: %v %d %v, want %v %d %v", k, dir, f.Start, f.Pkts, d, m.start, m.pkts)
			}
			if rapid.Bool().Draw(t, "expire") {
				tb.Expire(now, end)
			}
		}
		tb.Flush(end)
		if len(ended) != begun || tb.Len() != 0 || tb.Counters.ByState != [4]uint64{} {
			t.Fatalf("%d flows ended of %d", len(ended), begun)
		}
		for id, n := range ended {
			if n != 1 {
				t.Fatalf("flow %d ended %d times", id, n)
			}
		}
		for _, s := range tb.slots {
			if s.ref != 0 {
				t.Fatal("a slot is left")
			}
		}
	})
}

// TestFlushAt: a flow's end is a timeout where it has been idle for too long by
// then, whether or not it was looked for.
func TestFlushAt(t *testing.T) {
	f := func(at int64, want ...string) {
		t.Helper()
		var l left
		tb := NewTable(Config{UDP: Timeouts{New: 30 * time.Second, Established: 60 * time.Second}})
		tb.Get(udp("10.0.0.1", 1, "10.0.0.9", 53, 10*sec))
		tb.Get(udp("10.0.0.1", 2, "10.0.0.9", 53, 20*sec))
		tb.FlushAt(at, l.evict)
		if fmt.Sprint(l.log) != fmt.Sprint(want) {
			t.Errorf("at %d: %v, want %v", at/sec, l.log, want)
		}
	}
	f(0, "1 shutdown", "2 shutdown")
	f(39*sec, "1 shutdown", "2 shutdown")
	f(40*sec, "1 timeout", "2 shutdown")
	f(50*sec, "1 timeout", "2 timeout")
}

// TestWireLenInTunnel counts a tunnelled packet from its own link header on.
func TestWireLenInTunnel(t *testing.T) {
	p := udp("10.0.0.1", 1, "10.0.0.9", 53, 0)
	p.Data = make([]byte, 150)
	f := func(depth uint8, l2, l3 uint32, flags decode.Flags, want uint64) {
		t.Helper()
		p.TunnelDepth, p.L2, p.L3, p.Flags = depth, l2, l3, flags
		if got := WireLen(p); got != want {
			t.Errorf("depth %d, %d and %d: %d, want %d", depth, l2, l3, got, want)
		}
	}
	f(0, 0, 14, 0, 100) // all of the frame
	f(1, 50, 64, 0, 100)
	f(1, 60, 60, 0, 90)
	f(1, 50, 64, decode.FlagReassembled, 86)
}
