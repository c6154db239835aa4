package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/fastpath"
)

// wiretap opens a socket on the server's port, and a sender on the client's.
func (t *topology) wiretap() (*capture.PacketSocket, *capture.PacketSender) {
	t.tb.Helper()
	var in *capture.PacketSocket
	var out *capture.PacketSender
	t.in(t.server, func() (err error) {
		in, err = capture.OpenPacket(capture.PacketConfig{Interface: serverIf, Promiscuous: true})
		return err
	})
	t.tb.Cleanup(func() { in.Close() })
	t.in(t.client, func() (err error) { out, err = capture.OpenSender(clientIf); return err })
	t.tb.Cleanup(func() { out.Close() })
	return in, out
}

// receive reads frames until ok is satisfied with one.
func receive(tb testing.TB, s *capture.PacketSocket, what string, ok func(f *capture.Frame) bool) {
	tb.Helper()
	var b capture.Batch
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		if err := s.ReadBatch(&b); err != nil {
			tb.Fatal(err)
		}
		for i := range b.Frames {
			if ok(&b.Frames[i]) {
				return
			}
		}
	}
	tb.Errorf("%s did not arrive", what)
}

func TestLinkLayerPasses(t *testing.T) {
	top := newTopology(t)
	top.bridge(&fastpath.Config{}, BridgeConfig{}, passAll(1))
	in, out := top.wiretap()
	mac := func(s string) []byte { m, _ := net.ParseMAC(s); return m }
	f := func(name, dst string, typ uint16, tags ...uint16) {
		t.Helper()
		frame := append(append([]byte{}, mac(dst)...), mac("02:00:00:00:00:aa")...)
		for i, tag := range tags {
			tpid := uint16(0x8100)
			if i == 0 && len(tags) > 1 {
				tpid = 0x88a8
			}
			frame = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(frame, tpid), tag)
		}
		frame = binary.BigEndian.AppendUint16(frame, typ)
		frame = append(frame, "unlikely payload of "+name+string(make([]byte, 64))...)
		out.AddRaw(frame)
		out.Flush()
		receive(t, in, name, func(g *capture.Frame) bool {
			data := g.Data
			if g.HasVLAN {
				tag := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, g.VLANTPID), g.VLANTCI)
				data = append(append(append([]byte{}, data[:12]...), tag...), data[12:]...)
			}
			return bytes.Equal(data, frame)
		})
	}
	f("a tagged frame with priority", "02:00:00:00:00:bb", 0x88b5, 5<<13|100)
	f("QinQ", "02:00:00:00:00:bb", 0x88b5, 100, 3<<13|200)
	f("three tags", "02:00:00:00:00:bb", 0x88b5, 100, 200, 300)
	f("priority tag", "02:00:00:00:00:bb", 0x88b5, 7<<13)
	f("STP", "01:80:c2:00:00:00", 0x0030)
	f("LACP", "01:80:c2:00:00:02", 0x8809)
	f("LLDP", "01:80:c2:00:00:0e", 0x88cc)
	f("broadcast", "ff:ff:ff:ff:ff:ff", 0x88b5)
	f("multicast", "33:33:00:00:00:01", 0x86dd)
}

// TestTaggedAggregate sends a TCP aggregate with all checksums still owed in a
// VLAN: every byte arrives, with the tag.
func TestTaggedAggregate(t *testing.T) { taggedAggregate(t, passAll(1)) }

func taggedAggregate(t *testing.T, procs []Processor) {
	t.Helper()
	top := newTopology(t)
	r := top.bridge(&fastpath.Config{}, BridgeConfig{}, procs)
	in, out := top.wiretap()
	const size, mss = 30000, 1400
	frame := make([]byte, 54+size)
	copy(frame, []byte{2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa, 8, 0})
	ip, tcp := frame[14:34], frame[34:54]
	copy(ip, []byte{0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2})
	binary.BigEndian.PutUint16(ip[2:], 40+size)
	binary.BigEndian.PutUint16(ip[10:], decode.ChecksumIPv4(ip))
	copy(tcp, []byte{0x9c, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff})
	// The pseudo header's sum, not inverted, is what the card adds to.
	s := uint32(6 + 20 + size)
	for i := 12; i < 20; i += 2 {
		s += uint32(ip[i])<<8 | uint32(ip[i+1])
	}
	binary.BigEndian.PutUint16(tcp[16:], uint16(s>>16+s&0xffff))
	for i := range size {
		frame[54+i] = byte(i * 31 >> 3)
	}
	f := capture.Frame{Data: frame, WireLen: uint32(len(frame)), HasVLAN: true, VLANTPID: 0x8100, VLANTCI: 3<<13 | 55, HasVNet: true}
	f.VNet = [10]byte{1, 1} // needs checksum, TCPv4
	le := binary.LittleEndian
	le.PutUint16(f.VNet[2:], 54)
	le.PutUint16(f.VNet[4:], mss)
	le.PutUint16(f.VNet[6:], 34)
	le.PutUint16(f.VNet[8:], 16)
	out.Add(&f)
	out.Flush()
	if st := out.Stats(); st.Frames != 1 {
		t.Fatalf("the aggregate was not sent: %+v", st)
	}
	have := make([]byte, size)
	left := size
	receive(t, in, "the whole aggregate", func(g *capture.Frame) bool {
		if !g.HasVLAN || g.VLANTCI != 3<<13|55 || len(g.Data) < 54 || g.Data[23] != 6 {
			return false
		}
		seq := binary.BigEndian.Uint32(g.Data[38:])
		end := 14 + int(binary.BigEndian.Uint16(g.Data[16:]))
		if !g.ChecksumOwed() {
			p := decode.New(decode.Config{}).Decode(g)
			if len(p) != 1 || p[0].Has(decode.FlagBadL4Checksum) || p[0].Has(decode.FlagBadIPChecksum) {
				t.Errorf("segment at %d has a wrong checksum", seq)
			}
		}
		left -= copy(have[seq:], g.Data[54:end])
		return left <= 0
	})
	if !bytes.Equal(have, frame[54:]) {
		t.Error("the bytes differ")
	}
	if st := r.Stats()[0]; st.Sent[Outside].Failed+st.Sent[Outside].NoBuffer != 0 {
		t.Errorf("%+v", st.Sent[Outside])
	}
}

// TestFanout checks that both directions of a flow and its fragments meet one worker.
func TestFanout(t *testing.T) {
	const workers = 3
	top := newTopology(t)
	var more []string
	for i := range 40 {
		more = append(more, fmt.Sprintf("10.77.0.%d", 100+i))
	}
	for _, a := range more {
		top.address(top.client, clientIf, a+"/24")
	}
	var mu sync.Mutex
	owner := map[[2]string]map[int]bool{}
	procs := make([]Processor, workers)
	for i := range procs {
		d := decode.New(decode.Config{})
		procs[i] = &processor{process: func(b *capture.Batch, forward []bool) {
			for j := range b.Frames {
				forward[j] = true
				for _, p := range d.Decode(&b.Frames[j]) {
					if p.IPVersion == 0 {
						continue
					}
					k := [2]string{p.Src.Netip().String(), p.Dst.Netip().String()}
					if k[0] > k[1] {
						k[0], k[1] = k[1], k[0]
					}
					mu.Lock()
					if owner[k] == nil {
						owner[k] = map[int]bool{}
					}
					owner[k][i] = true
					mu.Unlock()
				}
			}
		}}
	}
	top.bridge(&fastpath.Config{}, BridgeConfig{Workers: workers}, procs)
	s := top.listenUDP(server4 + ":0")
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
	for _, a := range more {
		c, err := top.dial("udp", a, s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{10, 9000} {
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
			if n, err := c.Read(make([]byte, 1<<16)); n != size {
				t.Errorf("%s: %d bytes came back of %d: %v", a, n, size, err)
			}
		}
		c.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	used, pairs := map[int]int{}, 0
	for k, ws := range owner {
		if len(ws) != 1 {
			t.Errorf("%v met workers %v", k, ws)
		}
		for w := range ws {
			used[w]++
		}
		pairs++
	}
	if pairs < len(more) || len(used) != workers {
		t.Errorf("%d address pairs over workers %v", pairs, used)
	}
}

// TestReset blocks a TCP connection by marker: both ends are reset at once, and
// what the client still sends is answered.
func TestReset(t *testing.T) {
	top := newTopology(t)
	marker := []byte("SECRET")
	p := &processor{}
	d := decode.New(decode.Config{})
	var c enforce.Crafter
	var next [2]uint32 // by direction: what the far side awaits
	dead := false
	p.process = func(b *capture.Batch, forward []bool) {
		c.Recycle()
		for i := range b.Frames {
			f := &b.Frames[i]
			forward[i] = true
			for j, list := 0, d.Decode(f); j < len(list); j++ {
				pk := &list[j]
				if pk.Proto != decode.ProtoTCP {
					continue
				}
				end := pk.Seq + pk.PayloadEnd - pk.Payload
				if pk.TCPFlags&decode.TCPSyn != 0 {
					end++
				}
				if dead {
					forward[i] = false
					if pk.TCPFlags&decode.TCPRst == 0 {
						if frame, err := c.ResetFor(pk); err == nil {
							p.out = append(p.out, Injection{Port: f.Port, Frame: frame})
						}
					}
					continue
				}
				if bytes.Contains(pk.PayloadBytes(), marker) {
					forward[i], dead = false, true
					toClient, toServer, err := c.Resets(pk, f.Port == Inside, enforce.TCPEnds{
						ClientNext: next[Inside], ServerNext: next[Outside], ClientSent: end, ServerSent: next[Outside]})
					if err != nil {
						t.Error(err)
					}
					p.out = append(p.out, Injection{Port: Inside, Frame: toClient}, Injection{Port: Outside, Frame: toServer})
					continue
				}
				if int32(end-next[f.Port]) > 0 || next[f.Port] == 0 {
					next[f.Port] = end
				}
			}
		}
	}
	r := top.bridge(&fastpath.Config{}, BridgeConfig{}, []Processor{p})
	l := top.listen(server4 + ":0")
	type end struct {
		data []byte
		err  error
	}
	server := make(chan end, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			server <- end{nil, err}
			return
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(15 * time.Second))
		data, err := io.ReadAll(conn)
		server <- end{data, err}
	}()
	conn, err := top.dial("tcp", "", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("harmless "))
	time.Sleep(20 * time.Millisecond)
	start := time.Now()
	_, _ = conn.Write(append(marker, make([]byte, 5000)...))
	_ = conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client read: %v", err)
	}
	if e := <-server; string(e.data) != "harmless " || !errors.Is(e.err, syscall.ECONNRESET) {
		t.Errorf("the server read %q, %v", e.data, e.err)
	}
	t.Logf("both ends reset after %v", time.Since(start))
	until(t, "the counts", func() bool { st := r.Stats()[0]; return st.Injected >= 2 && st.Withheld >= 1 })
}

func TestTap(t *testing.T) {
	for _, tt := range []struct {
		workers int
		atOnce  bool
	}{{1, false}, {2, false}, {1, true}, {2, true}} {
		workers := tt.workers
		t.Run(fmt.Sprintf("%d workers, at once %v", tt.workers, tt.atOnce), func(t *testing.T) {
			top := newTopology(t)
			// The gateway is the server here: a listener on its own port.
			top.address(top.gateway, insideIf, "10.77.0.3/24")
			before := top.portPicture()
			var seen [2]atomic.Int64 // frames of the port, by whether they came from the client
			var payload atomic.Int64
			procs := make([]Processor, workers)
			for i := range procs {
				d := decode.New(decode.Config{})
				var c enforce.Crafter
				p := &processor{}
				p.process = func(b *capture.Batch, _ []bool) {
					c.Recycle()
					for i := range b.Frames {
						for _, pk := range d.Decode(&b.Frames[i]) {
							if pk.Proto != decode.ProtoTCP {
								continue
							}
							if pk.Src.Netip().String() == client4 {
								seen[1].Add(1)
								payload.Add(int64(pk.PayloadEnd - pk.Payload))
								if bytes.Contains(pk.PayloadBytes(), []byte("SECRET")) {
									if frame, err := c.ResetFor(&pk); err == nil {
										p.out = append(p.out, Injection{Frame: frame})
									}
								}
							} else {
								seen[0].Add(1)
							}
						}
					}
				}
				procs[i] = p
			}
			var tap *Tap
			top.in(top.gateway, func() (err error) {
				tap, err = OpenTap(TapConfig{Interfaces: []string{insideIf}, Workers: workers, AtOnce: tt.atOnce, Log: quiet()})
				return err
			})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- tap.Run(ctx, procs) }()
			<-tap.Ready()
			var l net.Listener
			top.in(top.gateway, func() (err error) { l, err = net.Listen("tcp", "10.77.0.3:0"); return err })
			defer l.Close()
			got := sink(l)
			c, err := top.dial("tcp", "", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			const n = 8 << 20
			if _, err := c.Write(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			until(t, "the transfer", func() bool { return got.Load() == n })
			until(t, "the listener's share", func() bool { return payload.Load() >= n })
			if seen[0].Load() == 0 {
				t.Error("the host's own frames were not seen")
			}
			_, _ = c.Write([]byte("SECRET"))
			_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client read: %v", err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := tap.Close(); err != nil {
				t.Error(err)
			}
			var dropped uint64
			for _, st := range tap.Stats() {
				dropped += st.Received[0].Dropped
			}
			if dropped != 0 {
				t.Errorf("%d frames lost", dropped)
			}
			if after := top.portPicture(); after != before {
				t.Errorf("before:\n%safter:\n%s", before, after)
			}
		})
	}
}

// TestJumbo carries frames of 9,000 bytes, and refuses ports that differ in MTU.
func TestJumbo(t *testing.T) {
	top := newTopology(t)
	mtu := func(ns func(fn func() error), name string) {
		ns(func() error {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			return netlink.LinkSetMTU(l, 9000)
		})
	}
	gateway := func(fn func() error) { top.in(top.gateway, fn) }
	mtu(gateway, insideIf)
	err := within(top.gateway, func() error {
		_, err := OpenBridge(BridgeConfig{Inside: insideIf, Outside: outsideIf, Log: quiet()})
		return err
	})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("ip link set gout mtu 9000")) {
		t.Fatalf("ports of different MTU: %v", err)
	}
	mtu(gateway, outsideIf)
	mtu(func(fn func() error) { top.in(top.client, fn) }, clientIf)
	mtu(func(fn func() error) { top.in(top.server, fn) }, serverIf)
	r := top.bridge(&fastpath.Config{Mode: fastpath.ModeNative}, BridgeConfig{}, passAll(1))
	checkUDP(t, top, server4+":0")
	if got, same, err := top.upload("", server4+":0", 32<<20); err != nil || !same {
		t.Errorf("%d bytes, the same: %v, %v", got, same, err)
	}
	if r.fast.Ports()[0].Mode != fastpath.ModeNative {
		t.Errorf("XDP is %v on jumbo frames: %s", r.fast.Ports()[0].Mode, r.fast.Ports()[0].Why)
	}
}

// TestTunnel carries TCP in VXLAN, whose aggregates must be cut up on the way.
func TestTunnel(t *testing.T) {
	top := newTopology(t)
	// Without a native XDP program the client's aggregates come whole.
	r := top.bridge(&fastpath.Config{Mode: fastpath.ModeGeneric}, BridgeConfig{}, passAll(1))
	top.vxlan(top.client, clientIf, client4, server4, "10.88.0.1/24")
	top.vxlan(top.server, serverIf, server4, client4, "10.88.0.2/24")
	const n = 16 << 20
	start := time.Now()
	got, same, err := top.upload("", "10.88.0.2:0", n)
	if err != nil || got != n || !same {
		t.Errorf("%d bytes of %d, the same: %v, %v", got, n, same, err)
	}
	st := r.Stats()[0].Sent[Outside]
	t.Logf("TCP in VXLAN: %.2f Gbit/s, %d aggregates cut up", float64(n)*8/time.Since(start).Seconds()/1e9, st.Segmented)
	if st.Segmented == 0 || st.Failed+st.NoBuffer+st.TooLong != 0 {
		t.Errorf("%+v", st)
	}
}
