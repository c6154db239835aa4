package live

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
	"sluice/internal/livetest"
)

// topology is client – gateway – server in namespaces without a name: they end
// with the test process, however it ends.
type topology struct {
	tb                      testing.TB
	client, gateway, server netns.NsHandle
	// to is the server's address.
	to string
}

// Names and addresses; they live inside the namespaces only.
const (
	clientIf, insideIf, outsideIf, serverIf = "c0", "gin", "gout", "s0"

	client4, server4 = "10.77.0.1", "10.77.0.2"
	blocked4         = "10.77.0.66"
	client6, server6 = "fd77::1", "fd77::2"
	blocked6         = "fd77::66"
)

// needRoot skips without root. CI runs as root: there a skip is a failure.
func needRoot(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		livetest.Lacks(tb, "network namespaces need root")
	}
}

func newTopology(tb testing.TB) *topology {
	tb.Helper()
	needRoot(tb)
	t := &topology{tb: tb, to: server4}
	for _, h := range []*netns.NsHandle{&t.client, &t.gateway, &t.server} {
		*h = newNamespace(tb)
	}
	t.veth(t.client, clientIf, t.gateway, insideIf)
	t.veth(t.server, serverIf, t.gateway, outsideIf)
	t.address(t.client, clientIf, client4+"/24", blocked4+"/24", client6+"/64", blocked6+"/64")
	t.address(t.server, serverIf, server4+"/24", server6+"/64")
	t.in(t.gateway, func() error { return setUp("lo", insideIf, outsideIf) })
	t.in(t.client, func() error { return setUp("lo") })
	t.in(t.server, func() error { return setUp("lo") })
	return t
}

func newNamespace(tb testing.TB) netns.NsHandle {
	tb.Helper()
	made := make(chan any)
	go func() {
		runtime.LockOSThread() // the thread ends here, the namespace stays
		h, err := netns.New()
		if err != nil {
			made <- err
			return
		}
		made <- h
	}()
	switch v := (<-made).(type) {
	case netns.NsHandle:
		tb.Cleanup(func() { v.Close() })
		return v
	default:
		tb.Fatal("make a network namespace: ", v)
		return 0
	}
}

// within runs fn on a thread in the namespace.
func within(ns netns.NsHandle, fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		done <- fn()
	}()
	return <-done
}

func (t *topology) in(ns netns.NsHandle, fn func() error) {
	t.tb.Helper()
	if err := within(ns, fn); err != nil {
		t.tb.Fatal(err)
	}
}

func (t *topology) veth(a netns.NsHandle, an string, b netns.NsHandle, bn string) {
	t.tb.Helper()
	t.in(a, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: an}, PeerName: bn, PeerNamespace: netlink.NsFd(b),
		})
	})
}

func (t *topology) address(ns netns.NsHandle, iface string, cidrs ...string) {
	t.tb.Helper()
	t.in(ns, func() error {
		l, err := netlink.LinkByName(iface)
		if err != nil {
			return err
		}
		for _, c := range cidrs {
			a, err := netlink.ParseAddr(c)
			if err != nil {
				return err
			}
			a.Flags = unix.IFA_F_NODAD
			if err := netlink.AddrAdd(l, a); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
		}
		return setUp(iface)
	})
}

func setUp(names ...string) error {
	for _, n := range names {
		l, err := netlink.LinkByName(n)
		if err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	return nil
}

// dial connects from the client's namespace. from may be empty.
func (t *topology) dial(network, from, to string) (c net.Conn, err error) {
	err = within(t.client, func() error {
		d := net.Dialer{Timeout: 5 * time.Second}
		if from != "" {
			switch network {
			case "tcp":
				d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
			case "udp":
				d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
			}
		}
		var err error
		c, err = d.Dial(network, to)
		return err
	})
	return c, err
}

func (t *topology) listen(addr string) net.Listener {
	t.tb.Helper()
	return t.listenOn(t.server, addr)
}

func (t *topology) listenOn(ns netns.NsHandle, addr string) net.Listener {
	t.tb.Helper()
	var l net.Listener
	t.in(ns, func() (err error) { l, err = net.Listen("tcp", addr); return err })
	t.tb.Cleanup(func() { l.Close() })
	return l
}

func (t *topology) listenUDP(addr string) net.PacketConn {
	t.tb.Helper()
	var c net.PacketConn
	t.in(t.server, func() (err error) { c, err = net.ListenPacket("udp", addr); return err })
	t.tb.Cleanup(func() { c.Close() })
	_ = c.(*net.UDPConn).SetReadBuffer(8 << 20)
	return c
}

// sink counts what a TCP server reads, over all connections.
func sink(l net.Listener) *atomic.Int64 {
	var n atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1<<20)
				for {
					k, err := c.Read(buf)
					n.Add(int64(k))
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return &n
}

// processor is a Processor of functions.
type processor struct {
	process func(b *capture.Batch, forward []bool)
	tick    func(now int64)
	out     []Injection
}

func (p *processor) Process(b *capture.Batch, forward []bool) {
	if p.process != nil {
		p.process(b, forward)
		return
	}
	for i := range forward {
		forward[i] = true
	}
}

func (p *processor) Tick(now int64) {
	if p.tick != nil {
		p.tick(now)
	}
}

func (p *processor) Injections() []Injection {
	out := p.out
	p.out = nil
	return out
}

func passAll(n int) []Processor {
	out := make([]Processor, n)
	for i := range out {
		out[i] = &processor{}
	}
	return out
}

// running is a bridge with its loops, and the fast path if there is one.
type running struct {
	*Bridge
	fast *fastpath.FastPath
	stop func() error
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// bridge starts a bridge in the gateway's namespace.
func (t *topology) bridge(fc *fastpath.Config, bc BridgeConfig, procs []Processor) *running {
	t.tb.Helper()
	r := &running{}
	bc.Inside, bc.Outside = insideIf, outsideIf
	if bc.Log == nil {
		bc.Log = quiet()
	}
	t.in(t.gateway, func() (err error) {
		if fc != nil {
			fc.Log = bc.Log
			if r.fast, err = fastpath.Open(*fc); err != nil {
				return err
			}
			bc.Fast = r.fast
		}
		r.Bridge, err = OpenBridge(bc)
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
		if e := r.Bridge.Close(); err == nil {
			err = e
		}
		if r.fast != nil {
			if e := r.fast.Close(); err == nil {
				err = e
			}
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

// until waits for a condition.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
