package live

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
)

// TestUnharmed has everything that hosts say to each other go through a bridge
// and a gateway, with the offloads as they are, and every checksum right at the
// receivers.
func TestUnharmed(t *testing.T) {
	for _, gateway := range []bool{false, true} {
		name := map[bool]string{false: "bridge", true: "gateway"}[gateway]
		t.Run(name, func(t *testing.T) {
			var top *topology
			var stats func() []WorkerStats
			if gateway {
				top = newRouted(t)
				top.routeIPv6()
				stats = top.gate(GatewayConfig{Fail: fastpath.FailOpen}, fastpath.Config{}, passAll(1)).Stats
			} else {
				top = newTopology(t)
				stats = top.bridge(&fastpath.Config{}, BridgeConfig{Fail: fastpath.FailOpen}, passAll(1)).Stats
			}
			to6 := server6
			if gateway {
				to6 = outer6
			}
			before := top.checksumErrors()
			t.Run("TCP, one flow", func(t *testing.T) { top.flows(t, top.to, 1, 16<<20) })
			t.Run("TCP, 32 flows", func(t *testing.T) { top.flows(t, top.to, 32, 1<<20) })
			t.Run("TCP over IPv6", func(t *testing.T) { top.flows(t, to6, 4, 2<<20) })
			t.Run("UDP of all sizes", func(t *testing.T) { top.everySize(t, top.to, 1472) })
			t.Run("UDP of all sizes over IPv6", func(t *testing.T) { top.everySize(t, to6, 1452) })
			t.Run("fragments", func(t *testing.T) { checkUDP(t, top, net.JoinHostPort(top.to, "0")) })
			t.Run("ICMP", func(t *testing.T) {
				for _, to := range []string{top.to, to6} {
					for _, n := range []int{0, 1, 56, 1452, 1472, 5000, 20000} {
						if err := top.ping("", to, n); err != nil {
							t.Errorf("%d bytes to %s: %v", n, to, err)
						}
					}
				}
			})
			// A bridge's other side, or the routing host itself, hears these.
			hears := top.server
			if gateway {
				hears = top.gateway
			}
			t.Run("broadcast", func(t *testing.T) { top.dhcp(t, hears) })
			t.Run("multicast", func(t *testing.T) { top.multicast(t, hears, gateway) })
			t.Run("new neighbours", func(t *testing.T) {
				top.forgetNeighbours()
				for _, to := range []string{top.to, to6} {
					if err := top.ping("", to, 8); err != nil {
						t.Errorf("%s: %v", to, err)
					}
				}
			})
			t.Run("VXLAN", func(t *testing.T) {
				far, end := server4, top.server
				if gateway {
					far, end = lan4, top.gateway
				}
				top.vxlan(top.client, clientIf, client4, far, "10.88.0.1/24")
				under := serverIf
				if gateway {
					under = insideIf
				}
				top.vxlan(end, under, far, client4, "10.88.0.2/24")
				top.flowsOn(t, end, "10.88.0.2", 2, 4<<20)
			})
			if after := top.checksumErrors(); after != before {
				t.Errorf("checksum errors at the receivers: %d", after-before)
			}
			for i, st := range stats() {
				if st.Withheld > 0 || st.Received[0].Dropped+st.Received[1].Dropped+st.Received[0].Truncated+st.Received[1].Truncated > 0 {
					t.Errorf("worker %d: %+v", i, st)
				}
				for _, s := range st.Sent {
					if s.Failed+s.TooLong+s.Truncated+s.Down > 0 {
						t.Errorf("worker %d: %+v", i, st)
					}
				}
			}
		})
	}
}

// TestGatewayJumbo carries frames of 9,000 bytes through a routing host.
func TestGatewayJumbo(t *testing.T) {
	top := newRouted(t)
	for _, p := range []struct {
		ns   netns.NsHandle
		name string
	}{{top.client, clientIf}, {top.gateway, insideIf}, {top.gateway, outsideIf}, {top.server, serverIf}} {
		top.in(p.ns, func() error {
			l, err := netlink.LinkByName(p.name)
			if err != nil {
				return err
			}
			return netlink.LinkSetMTU(l, 9000)
		})
	}
	top.gate(GatewayConfig{Fail: fastpath.FailOpen}, fastpath.Config{}, passAll(1))
	checkUDP(t, top, outer4+":0")
	top.flows(t, outer4, 4, 8<<20)
	if err := top.ping("", outer4, 8972); err != nil {
		t.Error(err)
	}
}

// Addresses of the routed topology's other side.
const wan6, outer6 = "2001:db8:1::254", "2001:db8:1::2"

// routeIPv6 has a routed topology route IPv6 too.
func (t *topology) routeIPv6() {
	t.tb.Helper()
	t.address(t.gateway, outsideIf, wan6+"/64")
	t.address(t.server, serverIf, outer6+"/64")
	t.in(t.gateway, func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644) })
	t.in(t.client, func() error { return netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(lan6)}) })
	t.in(t.server, func() error { return netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(wan6)}) })
}

// flows has so many connections carry n bytes there and as many back, all at
// once, and compares them.
func (t *topology) flows(tb testing.TB, to string, count, n int) {
	tb.Helper()
	t.flowsOn(tb, t.server, to, count, n)
}

func (t *topology) flowsOn(tb testing.TB, ns netns.NsHandle, to string, count, n int) {
	tb.Helper()
	l := t.listenOn(ns, net.JoinHostPort(to, "0"))
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range count {
		c, err := t.dial("tcp", "", l.Addr().String())
		if err != nil {
			tb.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(60 * time.Second))
			data := pattern(n)
			data[0] = byte(i)
			go func() { _, _ = c.Write(data) }()
			h := sha256.New()
			if k, err := io.CopyN(h, c, int64(n)); err != nil {
				tb.Errorf("flow %d: %d of %d bytes came back: %v", i, k, n, err)
			} else if want := sha256.Sum256(data); !bytes.Equal(h.Sum(nil), want[:]) {
				tb.Errorf("flow %d: other bytes came back", i)
			}
		})
	}
}

// everySize has a datagram of every size to most come back.
func (t *topology) everySize(tb testing.TB, to string, most int) {
	tb.Helper()
	s := t.listenUDP(net.JoinHostPort(to, "0"))
	go echoPackets(s)
	c, err := t.dial("udp", "", s.LocalAddr().String())
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	data, buf := pattern(most), make([]byte, 1<<16)
	for n := 0; n <= most; n++ {
		if _, err := c.Write(data[:n]); err != nil {
			tb.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		if k, err := c.Read(buf); err != nil || !bytes.Equal(buf[:k], data[:n]) {
			tb.Fatalf("%d bytes: %d came back, %v", n, k, err)
		}
	}
}

// dhcp has the client ask everybody, as a host without an address does.
func (t *topology) dhcp(tb testing.TB, hears netns.NsHandle) {
	tb.Helper()
	heard := make(chan string, 1)
	var s net.PacketConn
	t.in(hears, func() (err error) { s, err = net.ListenPacket("udp4", "0.0.0.0:67"); return err })
	defer s.Close()
	go func() {
		b := make([]byte, 2048)
		n, _, _ := s.ReadFrom(b)
		heard <- string(b[:n])
	}()
	frame := make([]byte, 0, 400)
	frame = append(frame, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0xaa, 8, 0)
	payload := append([]byte{1, 1, 6, 0}, pattern(296)...)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255}
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(ip[i])<<8 | uint32(ip[i+1])
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum>>16+sum&0xffff))
	udp := []byte{0, 68, 0, 67, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	frame = append(append(append(frame, ip...), udp...), payload...)
	_, out := t.wiretap()
	out.AddRaw(frame)
	out.Flush()
	select {
	case got := <-heard:
		if got != string(payload) {
			tb.Errorf("%d bytes were heard", len(got))
		}
	case <-time.After(15 * time.Second):
		tb.Error("nobody heard it")
	}
}

// multicast has a member of a group hear what the client says to it.
func (t *topology) multicast(tb testing.TB, hears netns.NsHandle, gateway bool) {
	tb.Helper()
	iface := serverIf
	if gateway {
		iface = insideIf
	}
	for _, group := range []string{"239.1.2.3", "ff05::77"} {
		var s *net.UDPConn
		network := "udp4"
		if strings.Contains(group, ":") {
			network = "udp6"
		}
		t.in(hears, func() error {
			i, err := net.InterfaceByName(iface)
			if err != nil {
				return err
			}
			s, err = net.ListenMulticastUDP(network, i, &net.UDPAddr{IP: net.ParseIP(group), Port: 7777})
			return err
		})
		heard := make(chan int, 1)
		go func() {
			b := make([]byte, 2048)
			n, _, _ := s.ReadFrom(b)
			heard <- n
		}()
		var c net.Conn
		t.in(t.client, func() (err error) {
			to := net.UDPAddr{IP: net.ParseIP(group), Port: 7777}
			if network == "udp6" {
				to.Zone = clientIf
			}
			if network == "udp4" {
				l, err := netlink.LinkByName(clientIf)
				if err != nil {
					return err
				}
				_ = netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4(224, 0, 0, 0), Mask: net.CIDRMask(4, 32)}})
			}
			c, err = net.DialUDP(network, nil, &to)
			return err
		})
		if _, err := c.Write(pattern(777)); err != nil {
			tb.Error(err)
		}
		select {
		case n := <-heard:
			if n != 777 {
				tb.Errorf("%s: %d bytes were heard", group, n)
			}
		case <-time.After(15 * time.Second):
			tb.Errorf("%s: not heard", group)
		}
		c.Close()
		s.Close()
	}
}

func (t *topology) forgetNeighbours() {
	t.tb.Helper()
	t.in(t.client, func() error {
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
}

// vxlan makes one end of a tunnel.
func (t *topology) vxlan(ns netns.NsHandle, under, local, remote, addr string) {
	t.tb.Helper()
	t.in(ns, func() error {
		l, err := netlink.LinkByName(under)
		if err != nil {
			return err
		}
		v := &netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: "vx0"}, VxlanId: 42, VtepDevIndex: l.Attrs().Index,
			SrcAddr: net.ParseIP(local), Group: net.ParseIP(remote), Port: 4789}
		if err := netlink.LinkAdd(v); err != nil {
			return fmt.Errorf("this kernel has no VXLAN: %w", err)
		}
		a, err := netlink.ParseAddr(addr)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(v, a); err != nil {
			return err
		}
		return setUp("vx0")
	})
}

// checksumErrors sums what the hosts' stacks found wrong.
func (t *topology) checksumErrors() (n int) {
	t.tb.Helper()
	for _, ns := range []netns.NsHandle{t.client, t.gateway, t.server} {
		t.in(ns, func() error {
			b4, err := os.ReadFile("/proc/thread-self/net/snmp")
			if err != nil {
				return err
			}
			n += counted(string(b4), "InCsumErrors")
			b6, err := os.ReadFile("/proc/thread-self/net/snmp6")
			for line := range strings.Lines(string(b6)) {
				if f := strings.Fields(line); len(f) == 2 && strings.HasSuffix(f[0], "CsumErrors") {
					v, _ := strconv.Atoi(f[1])
					n += v
				}
			}
			return err
		})
	}
	return n
}

// counted sums the columns of a name in /proc/net/snmp.
func counted(text, column string) (n int) {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if names == nil || names[0] != f[0] {
			names = f
			continue
		}
		for i, name := range names {
			if name == column {
				v, _ := strconv.Atoi(f[i])
				n += v
			}
		}
		names = nil
	}
	return n
}
