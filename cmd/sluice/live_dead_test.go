package main

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// deaf sends bare acknowledgements of a connection from a namespace, whatever the
// other end says, until stop, and counts them.
func (r *rig) deaf(ns *netlab.Namespace, from, to netip.AddrPort) (sent *atomic.Uint64, stop func()) {
	r.Helper()
	var fd int
	if err := ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		return err
	}); err != nil {
		r.Fatal(err)
	}
	seg := make([]byte, 20)
	binary.BigEndian.PutUint16(seg, from.Port())
	binary.BigEndian.PutUint16(seg[2:], to.Port())
	binary.BigEndian.PutUint32(seg[4:], 77)
	binary.BigEndian.PutUint32(seg[8:], 99)
	seg[12], seg[13] = 5<<4, 0x10
	src, dst := from.Addr().As4(), to.Addr().As4()
	sum := uint32(unix.IPPROTO_TCP + len(seg))
	for _, part := range [][]byte{src[:], dst[:], seg} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(seg[16:], ^uint16(sum))
	sent = new(atomic.Uint64)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				unix.Close(fd)
				return
			case <-time.After(10 * time.Millisecond):
			}
			if unix.Sendto(fd, seg, 0, &unix.SockaddrInet4{Addr: dst}) == nil {
				sent.Add(1)
			}
		}
	}()
	stopped := false
	return sent, func() {
		if !stopped {
			stopped = true
			close(quit)
			<-done
		}
	}
}

// counters gives the daemon's counters.
func (r *rig) counters() map[string]uint64 {
	r.Helper()
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	return st.Counters
}

// refusedTalk has a connection be refused by a rule, and gives its ends.
func (r *rig) refusedTalk(addr string) (client, server netip.AddrPort) {
	r.Helper()
	c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", addr)
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = c.Write([]byte("a secret word"))
	if err == nil {
		_, err = c.Read(make([]byte, 10))
	}
	if err == nil {
		r.Fatal("the connection was not refused")
	}
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), netip.MustParseAddrPort(addr)
}

// noWork expects that who goes on in a flow that is over costs the workers nothing:
// the kernel drops and counts so many packets of it while they see hardly any.
func (r *rig) noWork(flows uint64) {
	r.Helper()
	r.eventually("the flow be handed to the kernel", func() bool { return r.counters()["ips.kernel_flows"] == flows })
	r.eventually("the kernel drop it", func() bool { return r.counters()["ips.kernel_packets"] > 0 })
	before := r.counters()
	const n = 200
	r.eventually("the kernel drop more of it", func() bool { return r.counters()["ips.kernel_packets"] >= before["ips.kernel_packets"]+n })
	after := r.counters()
	if more := after["ips.dropped_frames"] - before["ips.dropped_frames"]; more > n/10 {
		r.Errorf("%d packets of a flow that is over came to the workers while the kernel dropped %d", more, after["ips.kernel_packets"]-before["ips.kernel_packets"])
	}
}

const rejectSecret = `reject tcp any any -> any any (msg:"reject"; content:"secret"; sid:2;)` + "\n"

// liveDead has the client of a refused connection go on regardless: the flow comes
// to be dropped in the kernel, with its record kept, until a new connection begins
// on its ports.
func liveDead(r *rig) {
	l := r.listen(netlab.Server4 + ":9000")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go take(c)
		}
	}()
	r.start("--rules", r.write("own.rules", rejectSecret+rejectUDP))
	mark := r.soc.Mark()
	client, server := r.refusedTalk(netlab.Server4 + ":9000")
	sent, stop := r.deaf(r.lab.Client, client, server)
	defer stop()
	r.noWork(1)
	stop()
	if st, err := r.daemon.Status(r.ctx); err != nil || st.XDP["flow"] == 0 {
		r.Errorf("XDP dropped nothing of it: %v, %v", st.XDP, err)
	}
	// A new handshake is another connection.
	var c net.Conn
	r.eventually("a new connection on the same ports", func() bool {
		err := r.lab.Client.Do(func() (err error) {
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(client), Timeout: 5 * time.Second}
			c, err = d.DialContext(r.ctx, "tcp", server.String())
			return err
		})
		return err == nil
	})
	defer c.Close()
	e := r.await(mark, "the record of the refused connection", func(e *stage.Event) bool { return e.Type == "flow" && e.Proto == "TCP" })
	var rec struct {
		Flow struct {
			Action        string `json:"action"`
			PktsToServer  uint64 `json:"pkts_toserver"`
			BytesToServer uint64 `json:"bytes_toserver"`
		} `json:"flow"`
	}
	if err := json.Unmarshal(e.Raw, &rec); err != nil {
		r.Fatal(err)
	}
	// Beside them there were a handshake and a few segments of the connection itself.
	if n := sent.Load(); rec.Flow.PktsToServer < n || rec.Flow.PktsToServer > n+20 || rec.Flow.BytesToServer < 54*n || rec.Flow.Action != "drop" {
		r.Errorf("%d segments were sent: %s", n, e.Raw)
	}
	// Datagrams have nobody to answer them.
	u, err := r.lab.Client.DialContext(r.ctx, "", "udp", netlab.Server4+":9001")
	if err != nil {
		r.Fatal(err)
	}
	defer u.Close()
	quit := make(chan struct{})
	defer close(quit)
	go func() {
		for {
			_, _ = u.Write([]byte("a secret")) // refused ones are errors of the next
			select {
			case <-quit:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	r.noWork(2)
}

// liveGatewayDead has both the client of a refused connection and the host, to
// which it was, go on.
func liveGatewayDead(r *rig) {
	r.route()
	before := r.gatewayPicture()
	r.startGateway("--rules", r.write("own.rules", rejectSecret))
	client, server := r.refusedTalk(lanAddr + ":8080")
	_, stop := r.deaf(r.lab.Client, client, server)
	defer stop()
	r.noWork(1)
	stop()
	_, stopHost := r.deaf(r.lab.Gateway, server, client)
	defer stopHost()
	r.noWork(1)
	stopHost()
	r.ownPage("after all", true)
	r.routed("after all")
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if d := netlab.Diff(before, r.gatewayPicture()); d != "" {
		r.Errorf("left on the host:\n%s", d)
	}
}
