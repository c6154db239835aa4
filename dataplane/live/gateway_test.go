package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
)

// Addresses of a routed topology: the gateway's own on either side, and the
// server beyond it, which knows no way to the client's network.
const (
	lan4, lan6 = "10.77.0.254", "fd77::fe"
	wan4       = "203.0.113.254"
	outer4     = "203.0.113.2"
)

// newRouted makes a topology whose gateway routes, and hides the client's
// network behind its own address by nftables.
func newRouted(tb testing.TB) *topology {
	tb.Helper()
	needRoot(tb)
	t := &topology{tb: tb, to: outer4}
	t.client, t.gateway, t.server = newNamespace(tb), newNamespace(tb), newNamespace(tb)
	t.veth(t.client, clientIf, t.gateway, insideIf)
	t.veth(t.server, serverIf, t.gateway, outsideIf)
	t.address(t.client, clientIf, client4+"/24", blocked4+"/24", client6+"/64")
	t.address(t.gateway, insideIf, lan4+"/24", lan6+"/64")
	t.address(t.gateway, outsideIf, wan4+"/24")
	t.address(t.server, serverIf, outer4+"/24")
	t.in(t.client, func() error {
		if err := setUp("lo"); err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(lan4)})
	})
	t.in(t.server, func() error { return setUp("lo") })
	t.in(t.gateway, func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
			return err
		}
		cmd := exec.Command("nft", "-f", "-")
		// A frame that comes from a worker must bear no mark. (Neighbour discovery
		// has marks of its own at times, and so has a tunnel that carries it.)
		cmd.Stdin = strings.NewReader(`table ip nat {
	chain post { type nat hook postrouting priority 100; oifname "` + outsideIf + `" masquerade; }
}
table inet marks {
	chain pre { type filter hook prerouting priority -300; meta nfproto ipv4 meta mark != 0 counter; }
	chain post { type filter hook postrouting priority 300; udp dport 4789 accept; meta nfproto ipv4 meta mark != 0 counter; }
}`)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return setUp("lo")
	})
	return t
}

// runningGateway is a gateway with its loops.
type runningGateway struct {
	*Gateway
	fast *fastpath.FastPath
	stop func() error
}

func (t *topology) gate(gc GatewayConfig, fc fastpath.Config, procs []Processor) *runningGateway {
	t.tb.Helper()
	r := &runningGateway{}
	gc.LAN, gc.Log, fc.Log = insideIf, quiet(), quiet()
	t.in(t.gateway, func() (err error) {
		if r.fast, err = fastpath.Open(fc); err != nil {
			return err
		}
		gc.Fast = r.fast
		r.Gateway, err = OpenGateway(gc)
		return err
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, procs) }()
	<-r.Ready()
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		err := <-done
		if e := r.Gateway.Close(); err == nil {
			err = e
		}
		if e := r.fast.Close(); err == nil {
			err = e
		}
		return err
	}
	t.tb.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.tb.Error("stop: ", err)
		}
	})
	return r
}

// own serves on the gateway itself: what comes goes back.
func (t *topology) own(network, addr string) string {
	t.tb.Helper()
	var where string
	t.in(t.gateway, func() error {
		if network == "udp" {
			c, err := net.ListenPacket(network, addr)
			if err != nil {
				return err
			}
			t.tb.Cleanup(func() { c.Close() })
			go echoPackets(c)
			where = c.LocalAddr().String()
			return nil
		}
		l, err := net.Listen(network, addr)
		if err != nil {
			return err
		}
		t.tb.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
			}
		}()
		where = l.Addr().String()
		return nil
	})
	return where
}

func echoPackets(c net.PacketConn) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buf[:n], from)
	}
}

// answers sends data from the client and reads as much back.
func (t *topology) answers(network, addr string, data []byte) error {
	c, err := t.dial(network, "", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	go func() { _, _ = c.Write(data) }()
	got := make([]byte, len(data))
	if network == "udp" {
		if n, err := c.Read(got); err != nil || n != len(data) {
			return fmt.Errorf("%d of %d bytes: %w", n, len(data), err)
		}
	} else if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, data) {
		return fmt.Errorf("other bytes came back")
	}
	return nil
}

// ping sends an ICMP echo request with n bytes to a host and awaits the answer;
// from may be empty.
func (t *topology) ping(from, to string, n int) error {
	return within(t.client, func() error {
		network, request, answer := "ip4:icmp", byte(8), byte(0)
		if strings.Contains(to, ":") {
			network, request, answer = "ip6:ipv6-icmp", 128, 129
		}
		d := net.Dialer{}
		if from != "" {
			d.LocalAddr = &net.IPAddr{IP: net.ParseIP(from)}
		}
		c, err := d.Dial(network, to)
		if err != nil {
			return err
		}
		defer c.Close()
		msg := append([]byte{request, 0, 0, 0, 0x5a, byte(n), 0, 1}, pattern(n)...)
		if request == 8 { // of IPv6 the kernel makes the checksum
			sum := uint32(0)
			for i := 0; i+1 < len(msg); i += 2 {
				sum += uint32(msg[i])<<8 | uint32(msg[i+1])
			}
			for sum>>16 != 0 {
				sum = sum>>16 + sum&0xffff
			}
			msg[2], msg[3] = ^byte(sum>>8), ^byte(sum)
		}
		if _, err := c.Write(msg); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		buf := make([]byte, 1<<16)
		for {
			k, err := c.Read(buf)
			if err != nil {
				return err
			}
			got := buf[:k]
			if request == 8 && k > 20 { // with its IP header
				got = got[20:]
			}
			if len(got) == len(msg) && got[0] == answer && bytes.Equal(got[4:], msg[4:]) {
				return nil
			}
		}
	})
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31>>2 + i>>9)
	}
	return b
}

// checkRouted has everything an inside host needs go through.
func checkRouted(t *testing.T, top *topology, when string) {
	t.Helper()
	if got, same, err := top.upload("", outer4+":0", 8<<20); err != nil || got != 8<<20 || !same {
		t.Errorf("%s: TCP through the gateway: %d bytes, the same: %v, %v", when, got, same, err)
	}
	s := top.listenUDP(outer4 + ":0")
	go echoPackets(s)
	for _, n := range []int{1, 1472, 4000} {
		if err := top.answers("udp", s.LocalAddr().String(), pattern(n)); err != nil {
			t.Errorf("%s: UDP of %d bytes through the gateway: %v", when, n, err)
		}
	}
	if err := top.ping("", outer4, 3000); err != nil {
		t.Errorf("%s: through the gateway: %v", when, err)
	}
	for _, addr := range []string{lan4 + ":0", "[" + lan6 + "]:0"} {
		for _, network := range []string{"tcp", "udp"} {
			n := 4 << 20
			if network == "udp" {
				n = 3000
			}
			if err := top.answers(network, top.own(network, addr), pattern(n)); err != nil {
				t.Errorf("%s: the gateway's own %s service at %s: %v", when, network, addr, err)
			}
		}
	}
	if err := top.ping("", lan4, 56); err != nil {
		t.Errorf("%s: the gateway itself: %v", when, err)
	}
	top.in(top.client, func() error { // new neighbours are found
		l, err := netlink.LinkByName(clientIf)
		if err != nil {
			return err
		}
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			ns, err := netlink.NeighList(l.Attrs().Index, family)
			if err != nil {
				return err
			}
			for i := range ns {
				_ = netlink.NeighDel(&ns[i])
			}
		}
		return nil
	})
	if err := top.ping("", lan6, 56); err != nil {
		t.Errorf("%s: the gateway itself by IPv6: %v", when, err)
	}
}

// everything describes what a gateway may leave on the host.
func (t *topology) everything() string {
	t.tb.Helper()
	var b strings.Builder
	b.WriteString(t.portPicture())
	t.in(t.gateway, func() error {
		for _, args := range [][]string{{"ip", "-o", "addr"}, {"ip", "route"}, {"ip", "-6", "route"}, {"nft", "list", "table", "ip", "nat"}} {
			out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%v: %w: %s", args, err, out)
			}
			b.WriteString(strings.ReplaceAll(string(out), " tentative", "")) // a matter of time alone
		}
		return nil
	})
	return b.String()
}

func TestGateway(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fail    fastpath.Fail
		mode    fastpath.Mode
		workers int
	}{
		{"open", fastpath.FailOpen, fastpath.ModeAuto, 1},
		{"closed, two workers, generic", fastpath.FailClosed, fastpath.ModeGeneric, 2},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			top := newRouted(t)
			checkRouted(t, top, "before")
			before := top.everything()
			var seen [2]atomic.Int64
			procs := make([]Processor, tt.workers)
			for i := range procs {
				procs[i] = &processor{process: func(b *capture.Batch, forward []bool) {
					for i := range b.Frames {
						seen[b.Frames[i].Port].Add(1)
						forward[i] = true
					}
				}}
			}
			g := top.gate(GatewayConfig{Fail: tt.fail, Workers: tt.workers}, fastpath.Config{Mode: tt.mode}, procs)
			checkRouted(t, top, "inspected")
			if c, err := g.Gate(); err != nil || c.Guarded == 0 || c.Yielded > 100 || c.Passed[0].Packets+c.Passed[1].Packets > 100 {
				t.Errorf("%+v, %v", c, err)
			}
			if seen[Inside].Load() == 0 || seen[Outside].Load() == 0 {
				t.Error("the workers saw only one side")
			}
			for _, st := range g.Stats() {
				for i := range st.Sent {
					if s := st.Sent[i]; s.Failed+s.NoBuffer+s.TooLong+s.Down+s.Truncated > 0 || st.Received[i].Dropped > 0 {
						t.Errorf("%+v", st)
					}
				}
			}
			top.in(top.gateway, func() error {
				out, err := exec.Command("nft", "list", "table", "inet", "marks").CombinedOutput()
				if err != nil || strings.Count(string(out), "packets 0 bytes 0") != 2 {
					t.Errorf("frames reach the packet filter marked: %s, %v", out, err)
				}
				return nil
			})
			if err := g.fast.Block(netip.MustParsePrefix(blocked4+"/32"), fastpath.Entry{}); err != nil {
				t.Fatal(err)
			}
			if err := top.ping(blocked4, lan4, 8); err == nil {
				t.Error("a blocked address gets answers")
			}
			if err := g.stop(); err != nil {
				t.Error(err)
			}
			if after := top.everything(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			checkRouted(t, top, "after")
		})
	}
}

// TestGatewayWithholds has a processor refuse frames by their bytes, on both ways.
func TestGatewayWithholds(t *testing.T) {
	top := newRouted(t)
	secret := []byte("withheld-by-the-worker")
	top.gate(GatewayConfig{Fail: fastpath.FailOpen}, fastpath.Config{}, []Processor{&processor{process: func(b *capture.Batch, forward []bool) {
		for i := range b.Frames {
			forward[i] = !bytes.Contains(b.Frames[i].Data, secret)
		}
	}}})
	s := top.listenUDP(outer4 + ":0")
	go echoPackets(s)
	for _, tt := range []struct {
		data string
		want bool
	}{{"harmless", true}, {string(secret), false}, {"harmless again", true}} {
		c, err := top.dial("udp", "", s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(tt.data))
		patience := 500 * time.Millisecond
		if tt.want {
			patience = 15 * time.Second
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 99)); (err == nil) != tt.want {
			t.Errorf("%q: %v", tt.data, err)
		}
		c.Close()
	}
	// What the host itself says to the inside is judged too.
	own := top.listenOn(top.gateway, lan4+":0")
	go func() {
		for {
			c, err := own.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write(append([]byte("begin "), secret...))
			c.Close()
		}
	}()
	c, err := top.dial("tcp", "", own.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("the client read %q", got)
	}
}

func TestGatewayKill(t *testing.T) {
	for _, fail := range []string{"open", "closed"} {
		t.Run(fail, func(t *testing.T) {
			top := newRouted(t)
			before := top.everything()
			journal := filepath.Join(t.TempDir(), "ports.json")
			cmd := top.daemon("gateway-"+fail, journal)
			l := top.listen(outer4 + ":0")
			got := sink(l)
			c, err := top.dial("tcp", client4, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go func() {
				block := make([]byte, 32<<10)
				for {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			}()
			until(t, "a transfer", func() bool { return got.Load() > 1<<20 })
			gap := func(interrupt func()) time.Duration {
				longest, at, last := time.Duration(0), time.Now(), got.Load()
				end := time.Now().Add(time.Second)
				interrupt()
				for now := time.Now(); now.Before(end); now = time.Now() {
					if n := got.Load(); n != last {
						last, at = n, now
					}
					longest = max(longest, now.Sub(at))
					time.Sleep(500 * time.Microsecond)
				}
				return longest
			}
			killed := gap(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			t.Logf("longest gap after kill -9: %v", killed)
			if fail == "open" {
				n := got.Load()
				until(t, "the transfer without a daemon", func() bool { return got.Load() > n+1<<20 })
				checkRouted(t, top, "killed")
				restarted := gap(func() { cmd = top.daemon("gateway-open", journal) })
				t.Logf("longest gap after a restart: %v", restarted)
				n = got.Load()
				until(t, "the transfer with the next daemon", func() bool { return got.Load() > n+1<<20 })
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			} else {
				n := got.Load()
				time.Sleep(300 * time.Millisecond)
				if more := got.Load() - n; more != 0 {
					t.Errorf("the transfer went on: %d bytes more", more)
				}
			}
			// An orderly successor leaves nothing of either.
			g := top.gate(GatewayConfig{Fail: fastpath.FailOpen, Journal: journal}, fastpath.Config{}, passAll(1))
			n := got.Load()
			until(t, "the transfer with a successor", func() bool { return got.Load() > n+1<<20 })
			c.Close()
			if err := g.stop(); err != nil {
				t.Fatal(err)
			}
			if after := top.everything(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}
