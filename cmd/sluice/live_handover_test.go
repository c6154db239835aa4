package main

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// numbered sends numbered datagrams at a steady rate and notes which arrive and
// when.
type numbered struct {
	r    *rig
	stop chan struct{}
	done sync.WaitGroup
	sent atomic.Int64

	mu      sync.Mutex
	seen    []bool
	twice   int
	last    time.Time
	longest time.Duration
}

// perMilli is how many datagrams go in a millisecond.
const perMilli = 5

func (r *rig) number() *numbered {
	r.Helper()
	n := &numbered{r: r, stop: make(chan struct{}), seen: make([]bool, 1<<20)}
	s, err := r.lab.Server.ListenPacket(netlab.Server4 + ":0")
	if err != nil {
		r.Fatal(err)
	}
	raw, err := s.(*net.UDPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20) })
	}
	if err != nil {
		r.Fatal(err)
	}
	c, err := r.lab.Client.DialContext(r.ctx, "", "udp", s.LocalAddr().String())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { s.Close(); c.Close() })
	go n.receive(s)
	n.done.Go(func() {
		b := make([]byte, 64)
		begin := time.Now()
		for {
			select {
			case <-n.stop:
				return
			default:
			}
			for i := n.sent.Load(); i < time.Since(begin).Milliseconds()*perMilli && i < int64(len(n.seen)); i++ {
				binary.BigEndian.PutUint32(b, uint32(i))
				_, _ = c.Write(b) // a port that is down shows in what arrives
				n.sent.Store(i + 1)
			}
			time.Sleep(time.Millisecond)
		}
	})
	return n
}

func (n *numbered) receive(s net.PacketConn) {
	b := make([]byte, 128)
	for {
		k, _, err := s.ReadFrom(b)
		if err != nil {
			return
		}
		if k != 64 {
			continue
		}
		i := int(binary.BigEndian.Uint32(b))
		n.mu.Lock()
		now := time.Now()
		if !n.last.IsZero() {
			n.longest = max(n.longest, now.Sub(n.last))
		}
		n.last = now
		if i < len(n.seen) {
			if n.seen[i] {
				n.twice++
			}
			n.seen[i] = true
		}
		n.mu.Unlock()
	}
}

// gap gives the longest time without a datagram since the last call.
func (n *numbered) gap() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := max(n.longest, time.Since(n.last))
	n.longest = 0
	return g
}

// end stops the sender and gives how many were lost and how many came twice.
func (n *numbered) end() (lost, twice int) {
	close(n.stop)
	n.done.Wait()
	time.Sleep(300 * time.Millisecond)
	lost = n.missing(0)
	n.mu.Lock()
	defer n.mu.Unlock()
	return lost, n.twice
}

// missing counts the datagrams from number first on that have not arrived.
func (n *numbered) missing(first int64) (lost int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, seen := range n.seen[first:n.sent.Load()] {
		if !seen {
			lost++
		}
	}
	return lost
}

// arrived counts the datagrams from number first on that have arrived so far.
func (n *numbered) arrived(first int64) int {
	return int(n.sent.Load()-first) - n.missing(first)
}

// liveHandover hands the ports over to a new program, and back, while numbered
// frames go through: none is lost.
func liveHandover(r *rig) {
	before := r.picture()
	r.start(r.blockList()...)
	r.handsOver(func() { r.start(r.blockList()...) })
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if d := netlab.Diff(before, r.picture()); d != "" {
		r.Errorf("left on the ports:\n%s", d)
	}
}

// liveGatewayHandover is the same on a host that routes.
func liveGatewayHandover(r *rig) {
	r.route()
	before := r.gatewayPicture()
	r.startGateway()
	r.handsOver(func() { r.startGateway() })
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if d := netlab.Diff(before, r.gatewayPicture()); d != "" {
		r.Errorf("left on the host:\n%s", d)
	}
}

func (r *rig) handsOver(start func()) {
	r.Helper()
	r.page("to begin with")
	n := r.number()
	time.Sleep(200 * time.Millisecond)
	r.cmd(0, "leaves its ports", "handover")
	select {
	case <-r.daemon.Done():
	case <-time.After(10 * time.Second):
		r.Fatal("the daemon goes on")
	}
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	r.Logf("longest gap of the handover: %v", n.gap())
	r.page("without a daemon")
	if len(r.cfg.Args) > 2 && strings.HasSuffix(r.cfg.Args[len(r.cfg.Args)-1], "lists.yaml") {
		if listed, others := r.datagrams(3); listed != 0 || others != 1 {
			r.Errorf("without a daemon: %d listed datagrams arrived, %d others", listed, others)
		}
	}
	// A program of another file takes over, as after an upgrade.
	upgraded := filepath.Join(r.dir, "sluice-new")
	if err := copyFile(r.cfg.Binary, upgraded); err != nil {
		r.Fatal(err)
	}
	r.cfg.Binary = upgraded
	start()
	r.Logf("longest gap until the new program is in charge: %v", n.gap())
	r.page("with the new program")
	r.refusedCards("/upgraded", 51)
	lost, twice := n.end()
	r.Logf("of %d frames %d were lost, %d came twice", n.sent.Load(), lost, twice)
	if lost > 0 || n.sent.Load() < 1000 {
		r.Errorf("of %d frames %d were lost", n.sent.Load(), lost)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// liveKilledUnderLoad kills the daemon while numbered frames go through: what
// was in its buffers may be lost, all that is sent once it is dead arrives, and
// the next one takes over without a loss. How many are lost and how long the gap
// is benchmarks/live tells.
func liveKilledUnderLoad(r *rig) {
	r.start()
	r.page("to begin with")
	n := r.number()
	r.eventually("the first frames", func() bool { return n.arrived(0) > 500 })
	n.gap()
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	dead := n.sent.Load()
	r.eventually("frames without a daemon", func() bool { return n.arrived(dead) > 500 })
	r.Logf("longest gap after kill -9: %v", n.gap())
	lost, twice := n.end()
	r.Logf("kill -9: of %d frames %d were lost, %d came twice", n.sent.Load(), lost, twice)
	if lost := n.missing(dead); lost > 0 {
		r.Errorf("%d frames were lost after the daemon's death", lost)
	}
	n = r.number()
	r.run()
	r.refusedCards("/again", 52)
	if lost, twice = n.end(); lost > 0 {
		r.Errorf("the next daemon took over with %d of %d frames lost", lost, n.sent.Load())
	}
	r.Logf("the next daemon: of %d frames %d were lost, %d came twice", n.sent.Load(), lost, twice)
}

// liveHung stops the daemon's threads: failing open the traffic goes on by
// heartbeat, failing closed it stops, and afterwards the daemon inspects again.
func liveHung(r *rig) {
	for _, fail := range []string{"open", "closed"} {
		r.start("--fail", fail)
		r.page("to begin with")
		mark := r.soc.Mark()
		n := r.number()
		r.eventually("the first frames", func() bool { return n.arrived(0) > 500 })
		n.gap()
		if err := syscall.Kill(r.daemon.PID(), syscall.SIGSTOP); err != nil {
			r.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // what is under way arrives
		stopped := n.sent.Load()
		if fail == "open" {
			r.eventually("frames past a stopped daemon", func() bool { return n.arrived(stopped) > 500 })
			r.Logf("longest gap while stopped: %v", n.gap())
		} else {
			time.Sleep(1100 * time.Millisecond)
			if k := n.arrived(stopped); k > 0 {
				r.Errorf("failing closed, %d frames passed a stopped daemon", k)
			}
		}
		if err := syscall.Kill(r.daemon.PID(), syscall.SIGCONT); err != nil {
			r.Fatal(err)
		}
		e := r.await(mark, "an event of the gap", func(e *stage.Event) bool { return e.Type == "gap" })
		if !strings.Contains(string(e.Raw), `"reason":"hung"`) {
			r.Errorf("%s", e.Raw)
		}
		n.end()
		r.page("after the hang")
		r.refusedCards("/hung-"+fail, 53)
		if err := r.daemon.Stop(); err != nil {
			r.Error(err)
		}
	}
}

// talk has an echo go back and forth over one connection until stop, and counts.
func (r *rig) talk() (trips *atomic.Int64, stop func()) {
	r.Helper()
	l := r.listen(netlab.Server4 + ":0")
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", l.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	trips = new(atomic.Int64)
	go func() {
		b := make([]byte, 64)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			trips.Add(1)
		}
	}()
	return trips, func() { c.Close() }
}

// liveHungTalk has connections outlive a hang of the workers, in which the
// kernel carried what these never saw.
func liveHungTalk(r *rig) {
	r.start()
	trips, stop := r.talk()
	defer stop()
	got, stopLoad := r.downloads(2)
	defer stopLoad()
	r.eventually("an exchange", func() bool { return trips.Load() > 100 && got.Load() > 16<<20 })
	l := r.listen(netlab.Server4 + ":0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	for range 3 {
		// Connections begin all the time, so that the hang and its end come in the
		// midst of some handshakes.
		var begun, answered atomic.Int64
		quit := make(chan struct{})
		go func() {
			for {
				select {
				case <-quit:
					return
				case <-time.After(time.Millisecond):
				}
				begun.Add(1)
				go func() {
					c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", l.Addr().String())
					if err != nil {
						return
					}
					defer c.Close()
					for range 3 {
						b := make([]byte, 64)
						_ = c.SetDeadline(time.Now().Add(7 * time.Second))
						if _, err := c.Write(b); err != nil {
							return
						}
						if _, err := io.ReadFull(c, b); err != nil {
							return
						}
						time.Sleep(50 * time.Millisecond)
					}
					answered.Add(1)
				}()
			}
		}()
		time.Sleep(50 * time.Millisecond)
		if err := syscall.Kill(r.daemon.PID(), syscall.SIGSTOP); err != nil {
			r.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if err := syscall.Kill(r.daemon.PID(), syscall.SIGCONT); err != nil {
			r.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		close(quit)
		for deadline := time.Now().Add(8 * time.Second); answered.Load() < begun.Load() && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		if n := begun.Load() - answered.Load(); n > 0 {
			st, _ := r.daemon.Status(r.ctx)
			r.Fatalf("%d of %d connections are stuck; renewed %d, withheld for %d stream errors, invalid %d, %v", n, begun.Load(), st.Counters["tcp.renewed_after_gap"], st.Counters["ips.drop_reason.stream_error"],
				st.Counters["tcp.invalid_segments"], st.Counters)
		}
		n, k := trips.Load(), got.Load()
		r.eventually("the exchange after a hang", func() bool { return trips.Load() > n+100 })
		r.eventually("the downloads after a hang", func() bool { return got.Load() > k+16<<20 })
	}
}
