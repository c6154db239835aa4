package live

import (
	"context"
	"fmt"
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

	"sluice/dataplane/fastpath"
)

// portPicture describes everything about the gateway's ports that a bridge touches.
func (t *topology) portPicture() string {
	t.tb.Helper()
	var b strings.Builder
	t.in(t.gateway, func() error {
		for _, name := range []string{insideIf, outsideIf} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			a := l.Attrs()
			fmt.Fprintf(&b, "%s: up %v promiscuous %d mtu %d aggregates %d\n", name, a.Flags&net.FlagUp != 0, a.Promisc, a.MTU, a.GROMaxSize)
			if a.Xdp != nil && a.Xdp.Attached {
				fmt.Fprintf(&b, "  XDP program %d\n", a.Xdp.ProgId)
			}
			qs, err := netlink.QdiscList(l)
			if err != nil {
				return err
			}
			for _, q := range qs {
				fmt.Fprintf(&b, "  qdisc %s\n", q.Type())
			}
			off, err := openOffloads(name)
			if err != nil {
				return err
			}
			for _, o := range []offload{offloadGRO, offloadLRO, offloadRXVLAN} {
				on, err := off.get(o)
				fmt.Fprintf(&b, "  %s %v %v\n", o, on, err)
			}
			off.close()
			fmt.Fprintf(&b, "  ipv6 %v\n", readIPv6(name))
			// bpftool is not everywhere: a tcx guard shows in that the stack hears nothing.
		}
		return nil
	})
	return b.String()
}

func TestCloseLeavesNothing(t *testing.T) {
	for _, fail := range []fastpath.Fail{fastpath.FailOff, fastpath.FailOpen, fastpath.FailClosed} {
		t.Run(fail.String(), func(t *testing.T) {
			top := newTopology(t)
			top.in(top.gateway, func() error { // BIG TCP, which cannot be carried
				l, err := netlink.LinkByName(outsideIf)
				if err != nil {
					return err
				}
				return netlink.LinkSetGROMaxSize(l, 200000)
			})
			before := top.portPicture()
			journal := filepath.Join(t.TempDir(), "ports.json")
			r := top.bridge(&fastpath.Config{Malformed: fastpath.MalformedLAND}, BridgeConfig{Fail: fail, Journal: journal}, passAll(1))
			during := top.portPicture()
			if during == before || !strings.Contains(during, "XDP program") || strings.Contains(during, "ipv6 true") ||
				(fail != fastpath.FailOff) != strings.Contains(during, "clsact") || strings.Contains(during, "gro false") ||
				strings.Contains(during, "aggregates 200000") || !strings.Contains(before, "aggregates 200000") {
				t.Errorf("while running:\n%s", during)
			}
			if _, err := os.Stat(journal); err != nil {
				t.Error(err)
			}
			if _, _, err := top.upload("", server4+":0", 1<<20); err != nil {
				t.Error(err)
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if after := top.portPicture(); after != before {
				t.Errorf("before:\n%safter:\n%s", before, after)
			}
			if _, err := os.Stat(journal); !os.IsNotExist(err) {
				t.Errorf("the journal is still there: %v", err)
			}
			// The guard is gone: the port hears ARP again. It answers for an address of its own.
			top.in(top.gateway, func() error {
				l, err := netlink.LinkByName(insideIf)
				if err != nil {
					return err
				}
				a, _ := netlink.ParseAddr("10.77.0.9/24")
				return netlink.AddrAdd(l, a)
			})
			c, err := top.dial("udp", "", "10.77.0.9:9")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write([]byte("x"))
			_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
			if _, err := c.Read(make([]byte, 9)); err == nil || !strings.Contains(err.Error(), "refused") {
				t.Errorf("the host's own stack does not answer: %v", err)
			}
		})
	}
}

// TestDaemon is no test: it is the process that TestKill kills.
func TestDaemon(t *testing.T) {
	fail := os.Getenv("SLUICE_TEST_DAEMON")
	if fail == "" {
		return
	}
	mode := map[string]fastpath.Fail{"open": fastpath.FailOpen, "closed": fastpath.FailClosed}[fail]
	fast, err := fastpath.Open(fastpath.Config{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := fast.Block(netip.MustParsePrefix(blocked4+"/32"), fastpath.Entry{}); err != nil {
		t.Fatal(err)
	}
	if fail, ok := strings.CutPrefix(fail, "gateway-"); ok {
		mode := map[string]fastpath.Fail{"open": fastpath.FailOpen, "closed": fastpath.FailClosed}[fail]
		g, err := OpenGateway(GatewayConfig{LAN: insideIf, Fast: fast, Fail: mode, Log: quiet(), Journal: os.Getenv("SLUICE_TEST_JOURNAL")})
		if err != nil {
			t.Fatal(err)
		}
		go func() { <-g.Ready(); fmt.Println("running") }()
		_ = g.Run(context.Background(), passAll(1))
		return
	}
	b, err := OpenBridge(BridgeConfig{Inside: insideIf, Outside: outsideIf, Fast: fast, Fail: mode, Log: quiet(),
		Journal: os.Getenv("SLUICE_TEST_JOURNAL")})
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-b.Ready(); fmt.Println("running") }()
	_ = b.Run(context.Background(), passAll(1))
}

// daemon starts the helper process in the gateway's namespace.
func (t *topology) daemon(fail, journal string) *exec.Cmd {
	t.tb.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDaemon$", "-test.v=false")
	cmd.Env = append(os.Environ(), "SLUICE_TEST_DAEMON="+fail, "SLUICE_TEST_JOURNAL="+journal)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.tb.Fatal(err)
	}
	t.in(t.gateway, cmd.Start)
	t.tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	buf := make([]byte, 4096)
	if n, err := out.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "running") {
		t.tb.Fatalf("the daemon said %q, %v", buf[:n], err)
	}
	return cmd
}

func TestKill(t *testing.T) {
	for _, fail := range []string{"open", "closed"} {
		t.Run(fail, func(t *testing.T) {
			top := newTopology(t)
			journal := filepath.Join(t.TempDir(), "ports.json")
			cmd := top.daemon(fail, journal)
			l := top.listen(server4 + ":0")
			got := sink(l)
			c, err := top.dial("tcp", client4, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var stop atomic.Bool
			writer := make(chan struct{})
			go func() {
				defer close(writer)
				block := make([]byte, 32<<10)
				for !stop.Load() {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			}()
			defer func() { stop.Store(true); c.Close(); <-writer }()
			until(t, "a transfer", func() bool { return got.Load() > 1<<20 })
			// gap runs what interrupts, and gives the longest time without a byte after it.
			gap := func(window time.Duration, interrupt func()) time.Duration {
				t.Helper()
				longest, at, last := time.Duration(0), time.Now(), got.Load()
				end := time.Now().Add(window)
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
			blocked := func(when string) {
				t.Helper()
				err := within(top.client, func() error {
					d := net.Dialer{Timeout: 200 * time.Millisecond, LocalAddr: &net.TCPAddr{IP: net.ParseIP(blocked4)}}
					c, err := d.Dial("tcp", l.Addr().String())
					if err == nil {
						c.Close()
					}
					return err
				})
				if err == nil {
					t.Errorf("%s: connected from a blocked address", when)
				}
			}
			blocked("before the kill")
			killed := gap(time.Second, func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			t.Logf("longest gap after kill -9: %v", killed)
			n := got.Load()
			if fail == "open" {
				until(t, "the transfer without a daemon", func() bool { return got.Load() > n+1<<20 })
			} else {
				time.Sleep(500 * time.Millisecond)
				if more := got.Load() - n; more != 0 {
					t.Errorf("the transfer went on: %d bytes more", more)
				}
			}
			blocked("after the kill")
			if fail == "closed" {
				// The next daemon takes over, and TCP recovers by itself.
				top.daemon(fail, journal)
				n := got.Load()
				until(t, "the transfer after a restart", func() bool { return got.Load() > n+1<<20 })
			} else {
				restarted := gap(time.Second, func() { top.daemon(fail, journal) })
				t.Logf("longest gap after a restart: %v", restarted)
				n := got.Load()
				until(t, "the transfer with the next daemon", func() bool { return got.Load() > n+1<<20 })
			}
			blocked("after the restart")
		})
	}
}

// TestRestoredAfterCrash kills a daemon, and has an orderly one clean up.
func TestRestoredAfterCrash(t *testing.T) {
	top := newTopology(t)
	before := top.portPicture()
	journal := filepath.Join(t.TempDir(), "ports.json")
	cmd := top.daemon("open", journal)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if left := top.portPicture(); left == before || !strings.Contains(left, "XDP program") {
		t.Fatalf("nothing was left behind:\n%s", left)
	}
	r := top.bridge(&fastpath.Config{}, BridgeConfig{Journal: journal}, passAll(1))
	if _, _, err := top.upload("", server4+":0", 1<<20); err != nil {
		t.Error(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if after := top.portPicture(); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

func TestHang(t *testing.T) {
	top := newTopology(t)
	var hang atomic.Bool
	back := make(chan struct{})
	r := top.bridge(&fastpath.Config{}, BridgeConfig{Fail: fastpath.FailOpen}, []Processor{&processor{tick: func(int64) {
		if hang.CompareAndSwap(true, false) {
			<-back
		}
	}}})
	l := top.listen(server4 + ":0")
	got := sink(l)
	c, err := top.dial("tcp", "", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		block := make([]byte, 32<<10)
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}()
	defer c.Close()
	until(t, "a transfer", func() bool { return got.Load() > 1<<20 })
	hang.Store(true)
	time.Sleep(fastpath.HeartbeatTimeout + 100*time.Millisecond)
	n := got.Load()
	until(t, "the transfer with a stuck worker", func() bool { return got.Load() > n+1<<20 })
	if c, err := r.Inline(); err != nil || c.Yielded == 0 || c.Wire[Inside].Packets == 0 || c.Wire[Outside].Packets == 0 {
		t.Errorf("%+v, %v", c, err)
	}
	close(back)
	time.Sleep(50 * time.Millisecond)
	forwarded := r.Stats()[0].Forwarded
	until(t, "the worker's own forwarding", func() bool { return r.Stats()[0].Forwarded > forwarded+100 })
	if st := r.Stats()[0]; st.Discarded == 0 {
		t.Error("the backlog of the hang was not discarded")
	}
}

func TestLinkLoss(t *testing.T) {
	top := newTopology(t)
	top.bridge(&fastpath.Config{}, BridgeConfig{PropagateLink: true}, passAll(1))
	running := func() bool {
		up := false
		top.in(top.server, func() error {
			l, err := netlink.LinkByName(serverIf)
			if err == nil {
				up = l.Attrs().Flags&net.FlagRunning != 0
			}
			return err
		})
		return up
	}
	set := func(up bool) {
		top.in(top.client, func() error {
			l, err := netlink.LinkByName(clientIf)
			if err != nil {
				return err
			}
			if up {
				return netlink.LinkSetUp(l)
			}
			return netlink.LinkSetDown(l)
		})
	}
	if !running() {
		t.Fatal("no link to begin with")
	}
	for range 2 {
		set(false)
		until(t, "the loss of the other link", func() bool { return !running() })
		set(true)
		until(t, "the return of the other link", running)
	}
	if _, _, err := top.upload(client4, server4+":0", 1<<20); err != nil {
		t.Error(err)
	}
}
