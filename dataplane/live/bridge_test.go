package live

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
)

// upload sends n bytes from the client and gives what the server made of them.
func (t *topology) upload(from, to string, n int) (got int, same bool, err error) {
	l := t.listen(to)
	defer l.Close()
	type result struct {
		n   int
		sum [32]byte
	}
	received := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			received <- result{}
			return
		}
		defer c.Close()
		h := sha256.New()
		k, _ := io.Copy(h, c)
		received <- result{int(k), [32]byte(h.Sum(nil))}
	}()
	c, err := t.dial("tcp", from, l.Addr().String())
	if err != nil {
		return 0, false, err
	}
	block := make([]byte, 1<<16)
	for i := range block {
		block[i] = byte(i * 7)
	}
	h := sha256.New()
	for left := n; left > 0; {
		k := min(left, len(block))
		h.Write(block[:k])
		if _, err := c.Write(block[:k]); err != nil {
			c.Close()
			return 0, false, err
		}
		left -= k
	}
	c.Close()
	r := <-received
	return r.n, r.sum == [32]byte(h.Sum(nil)), nil
}

func TestBridgeCarries(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fast    *fastpath.Config
		workers int
	}{
		{"without the fast path", nil, 1},
		{"native XDP", &fastpath.Config{Mode: fastpath.ModeNative}, 1},
		{"generic XDP", &fastpath.Config{Mode: fastpath.ModeGeneric}, 1},
		{"native XDP, two workers", &fastpath.Config{}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			top := newTopology(t)
			r := top.bridge(tt.fast, BridgeConfig{Workers: tt.workers}, passAll(tt.workers))
			for _, to := range []string{server4 + ":0", "[" + server6 + "]:0"} {
				const n = 64 << 20
				start := time.Now()
				got, same, err := top.upload("", to, n)
				if err != nil || got != n || !same {
					t.Fatalf("TCP to %s: %d of %d bytes, the same: %v, %v", to, got, n, same, err)
				}
				t.Logf("TCP to %s: %.1f Gbit/s", to, float64(n)*8/time.Since(start).Seconds()/1e9)
			}
			checkUDP(t, top, server4+":0")
			checkUDP(t, top, "["+server6+"]:0")
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			for i, st := range r.Stats() {
				if st.Withheld != 0 || st.Sent[0].Failed+st.Sent[1].Failed+st.Sent[0].TooLong+st.Sent[1].TooLong != 0 ||
					st.Received[0].Truncated+st.Received[1].Truncated != 0 {
					t.Errorf("worker %d: %+v", i, st)
				}
			}
		})
	}
}

// checkUDP sends datagrams of all kinds of sizes, fragmented ones too, and has each echoed.
func checkUDP(t *testing.T, top *topology, addr string) {
	t.Helper()
	s := top.listenUDP(addr)
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := s.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = s.WriteTo(buf[:n], from)
		}
	}()
	c, err := top.dial("udp", "", s.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := make([]byte, 1<<16)
	for _, size := range []int{1, 2, 17, 18, 19, 100, 512, 1400, 1452, 1472, 1473, 3000, 9000, 40000, 65000} {
		out := bytes.Repeat([]byte{byte(size), byte(size >> 8), 3}, size)[:size]
		if _, err := c.Write(out); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		n, err := c.Read(in)
		if err != nil || !bytes.Equal(in[:n], out) {
			t.Errorf("UDP of %d bytes to %s: %d came back, %v", size, addr, n, err)
		}
	}
}

func TestBlockedInXDP(t *testing.T) {
	top := newTopology(t)
	r := top.bridge(&fastpath.Config{}, BridgeConfig{}, passAll(1))
	for _, p := range []string{blocked4 + "/32", blocked6 + "/128"} {
		if err := r.fast.Block(netip.MustParsePrefix(p), fastpath.Entry{List: "test", Reason: "live"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		ok, blocked, server string
		header              int
	}{
		{client4, blocked4, server4, 14 + 20 + 8},
		{client6, blocked6, server6, 14 + 40 + 8},
	} {
		s := top.listenUDP(net.JoinHostPort(tt.server, "0"))
		var got sync.Map
		go func() {
			buf := make([]byte, 2048)
			for {
				_, from, err := s.ReadFrom(buf)
				if err != nil {
					return
				}
				n, _ := got.LoadOrStore(from.(*net.UDPAddr).IP.String(), new(atomic.Int64))
				n.(*atomic.Int64).Add(1)
			}
		}()
		before, err := r.fast.Counters()
		if err != nil {
			t.Fatal(err)
		}
		const n, size = 1000, 100
		bad, err := top.dial("udp", tt.blocked, s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		good, err := top.dial("udp", tt.ok, s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		// One good datagram first: the neighbours must know each other.
		payload := make([]byte, size)
		for i := range n {
			if i == 0 {
				_, _ = good.Write(payload)
				until(t, "the first datagram", func() bool { _, ok := got.Load(tt.ok); return ok })
			}
			if _, err := bad.Write(payload); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = good.Write(payload)
		until(t, "the last datagram", func() bool { v, ok := got.Load(tt.ok); return ok && v.(*atomic.Int64).Load() == 2 })
		if v, ok := got.Load(tt.blocked); ok {
			t.Errorf("%d datagrams from %s arrived", v.(*atomic.Int64).Load(), tt.blocked)
		}
		after, err := r.fast.Counters()
		if err != nil {
			t.Fatal(err)
		}
		d := fastpath.Count{
			Packets: after.Of(fastpath.ReasonBlockSource).Packets - before.Of(fastpath.ReasonBlockSource).Packets,
			Bytes:   after.Of(fastpath.ReasonBlockSource).Bytes - before.Of(fastpath.ReasonBlockSource).Bytes,
		}
		if want := (fastpath.Count{Packets: n, Bytes: uint64(n * (size + tt.header))}); d != want {
			t.Errorf("counted %+v, want %+v", d, want)
		}
	}
	// TCP towards the blocked address does not connect, and does once it is unblocked.
	l := top.listen(server4 + ":0")
	sink(l)
	short := func() error {
		return within(top.client, func() error {
			d := net.Dialer{Timeout: 300 * time.Millisecond, LocalAddr: &net.TCPAddr{IP: net.ParseIP(blocked4)}}
			c, err := d.Dial("tcp", l.Addr().String())
			if err == nil {
				c.Close()
			}
			return err
		})
	}
	if short() == nil {
		t.Error("connected from a blocked address")
	}
	if ok, err := r.fast.Unblock(netip.MustParsePrefix(blocked4+"/32"), "test"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := short(); err != nil {
		t.Errorf("after unblocking: %v", err)
	}
}

func TestWithheld(t *testing.T) {
	top := newTopology(t)
	marker := []byte("TOP SECRET MARKER")
	top.bridge(&fastpath.Config{}, BridgeConfig{}, []Processor{&processor{process: func(b *capture.Batch, forward []bool) {
		for i := range forward {
			forward[i] = !bytes.Contains(b.Frames[i].Data, marker)
		}
	}}})
	s := top.listenUDP(server4 + ":0")
	c, err := top.dial("udp", "", s.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		_, _ = fmt.Fprintf(c, "%s %d", marker, i)
		_, _ = fmt.Fprintf(c, "harmless %d", i)
	}
	buf := make([]byte, 2048)
	// In any order: what waited for the neighbour's address may be overtaken.
	got := map[string]bool{}
	for range 100 {
		_ = s.SetReadDeadline(time.Now().Add(3 * time.Second))
		n, _, err := s.ReadFrom(buf)
		if err != nil {
			t.Fatalf("%v after %d datagrams", err, len(got))
		}
		if !bytes.HasPrefix(buf[:n], []byte("harmless ")) {
			t.Fatalf("received %q", buf[:n])
		}
		got[string(buf[:n])] = true
	}
	if len(got) != 100 {
		t.Errorf("%d different datagrams of 100", len(got))
	}
	// Over TCP: what precedes the marker may pass, the marker never.
	l := top.listen(server4 + ":0")
	seen := make(chan []byte, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		all, _ := io.ReadAll(conn)
		seen <- all
	}()
	tc, err := top.dial("tcp", "", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer tc.Close()
	_, _ = tc.Write([]byte("before "))
	time.Sleep(50 * time.Millisecond)
	_, _ = tc.Write(append(marker, " after"...))
	if got := <-seen; string(got) != "before " {
		t.Errorf("server read %q", got)
	}
}

func TestRefuse(t *testing.T) {
	top := newTopology(t)
	open := func(in, out string, force bool) error {
		return within(top.client, func() error {
			b, err := OpenBridge(BridgeConfig{Inside: in, Outside: out, Force: force, Log: quiet()})
			if err == nil {
				err = b.Close()
			}
			return err
		})
	}
	for _, tt := range []struct{ in, out, want string }{
		{clientIf, "lo", "has the address"},
		{"lo", clientIf, "loopback"},
	} {
		var refused *RefusedError
		if err := open(tt.in, tt.out, false); !errors.As(err, &refused) || !bytes.Contains([]byte(err.Error()), []byte(tt.want)) {
			t.Errorf("%s,%s: %v, want a refusal: %s", tt.in, tt.out, err, tt.want)
		}
	}
	for _, tt := range []struct {
		cfg  BridgeConfig
		want string
	}{
		{BridgeConfig{}, "two ports"},
		{BridgeConfig{Inside: "a", Outside: "a"}, "two different ports"},
		{BridgeConfig{Inside: "nope0", Outside: "nope1"}, "find interface nope0"},
		{BridgeConfig{Inside: insideIf, Outside: outsideIf, Fail: fastpath.FailOpen}, "needs the fast path"},
		{BridgeConfig{Inside: insideIf, Outside: outsideIf, Workers: -1}, "from 1 to 256"},
	} {
		err := within(top.gateway, func() error { _, err := OpenBridge(tt.cfg); return err })
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(tt.want)) {
			t.Errorf("%+v: %v, want %q", tt.cfg, err, tt.want)
		}
	}
}
