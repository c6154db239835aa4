package live

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"sluice/dataplane/capture"
	"sluice/dataplane/fastpath"
	"sluice/internal/netlab/vlan"
)

// Addresses of tagged networks on either side of a routing host.
const (
	tagged4, taggedLAN4 = "10.78.0.1", "10.78.0.254"
	tagged6, taggedLAN6 = "fd78::1", "fd78::fe"
	taggedOuter4        = "198.51.100.2"
	taggedWAN4          = "198.51.100.254"
	taggedOuter6        = "2001:db8:2::2"
	taggedWAN6          = "2001:db8:2::fe"
	insideVLAN          = 100
	outsideVLAN         = 200
)

// vlan makes a VLAN device on a port, with its addresses.
func (t *topology) vlan(ns netns.NsHandle, port, name string, id uint16, cidrs ...string) {
	t.tb.Helper()
	t.in(ns, func() error {
		under, err := netlink.LinkByName(port)
		if err != nil {
			return err
		}
		a := netlink.NewLinkAttrs()
		a.Name, a.HardwareAddr, a.MTU = name, under.Attrs().HardwareAddr, under.Attrs().MTU
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: a, PeerName: name + "p", PeerMTU: uint32(a.MTU)}); err != nil {
			return err
		}
		if err := setUp(name + "p"); err != nil {
			return err
		}
		d, err := vlan.Join(port, name+"p", id)
		if err == nil {
			t.tb.Cleanup(func() { _ = d.Close() })
		}
		return err
	})
	t.address(ns, name, cidrs...)
}

// via has a namespace send to a network by a router.
func (t *topology) via(ns netns.NsHandle, cidr, router string) {
	t.tb.Helper()
	t.in(ns, func() error {
		_, dst, err := net.ParseCIDR(cidr)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(router)})
	})
}

// tagBoth has client and server each be in a VLAN of their own, between which the
// host routes.
func (t *topology) tagBoth() {
	t.tb.Helper()
	t.vlan(t.client, clientIf, "v1", insideVLAN, tagged4+"/24", tagged6+"/64")
	t.vlan(t.gateway, insideIf, "v1", insideVLAN, taggedLAN4+"/24", taggedLAN6+"/64")
	t.vlan(t.gateway, outsideIf, "v2", outsideVLAN, taggedWAN4+"/24", taggedWAN6+"/64")
	t.vlan(t.server, serverIf, "v2", outsideVLAN, taggedOuter4+"/24", taggedOuter6+"/64")
	t.via(t.client, "198.51.100.0/24", taggedLAN4)
	t.via(t.client, "2001:db8:2::/64", taggedLAN6)
	t.via(t.server, "10.78.0.0/24", taggedWAN4)
	t.via(t.server, "fd78::/64", taggedWAN6)
}

// sound expects that nobody lost a frame, and that no packet filter of the host
// saw a mark.
func (t *topology) sound(tb testing.TB, stats []WorkerStats) {
	tb.Helper()
	for i, st := range stats {
		if st.Withheld > 0 || st.Received[0].Dropped+st.Received[1].Dropped+st.Received[0].Truncated+st.Received[1].Truncated > 0 {
			tb.Errorf("worker %d: %+v", i, st)
		}
		for _, s := range st.Sent {
			if s.Failed+s.TooLong+s.Truncated+s.Down > 0 {
				tb.Errorf("worker %d: %+v", i, st)
			}
		}
	}
	t.in(t.gateway, func() error {
		out, err := exec.Command("nft", "list", "table", "inet", "marks").CombinedOutput()
		if err != nil || strings.Count(string(out), "packets 0 bytes 0") != 2 {
			tb.Errorf("frames reach the packet filter marked: %s, %v", out, err)
		}
		return nil
	})
}

// TestGatewayTagged routes between VLANs of the inspected port and of the other
// side, with the offloads as they are: the workers see the tags, and everything
// arrives unharmed.
func TestGatewayTagged(t *testing.T) {
	top := newRouted(t)
	top.routeIPv6()
	top.tagBoth()
	if err := top.ping("", taggedOuter4, 56); err != nil {
		t.Fatalf("before: %v", err)
	}
	var seen [2][2]atomic.Int64 // by port: with the tag, without any
	count := func(b *capture.Batch, forward []bool) {
		for i := range b.Frames {
			f := &b.Frames[i]
			tagged := 1
			if f.HasVLAN && f.VLANTCI&0xfff == insideVLAN {
				tagged = 0
			}
			seen[f.Port][tagged].Add(1)
			forward[i] = true
		}
	}
	g := top.gate(GatewayConfig{Fail: fastpath.FailOpen, Workers: 2}, fastpath.Config{}, []Processor{&processor{process: count}, &processor{process: count}})
	before := top.checksumErrors()
	t.Run("TCP, one flow", func(t *testing.T) { top.flows(t, taggedOuter4, 1, 16<<20) })
	t.Run("TCP, 32 flows", func(t *testing.T) { top.flows(t, taggedOuter4, 32, 1<<20) })
	t.Run("TCP over IPv6", func(t *testing.T) { top.flows(t, taggedOuter6, 4, 2<<20) })
	t.Run("UDP of all sizes", func(t *testing.T) { top.everySize(t, taggedOuter4, 1472) })
	t.Run("UDP of all sizes over IPv6", func(t *testing.T) { top.everySize(t, taggedOuter6, 1452) })
	t.Run("fragments", func(t *testing.T) { checkUDP(t, top, net.JoinHostPort(taggedOuter4, "0")) })
	t.Run("ICMP", func(t *testing.T) {
		for _, to := range []string{taggedOuter4, taggedOuter6, taggedLAN4, taggedLAN6} {
			for _, n := range []int{0, 56, 1452, 5000} {
				if err := top.ping("", to, n); err != nil {
					t.Errorf("%d bytes to %s: %v", n, to, err)
				}
			}
		}
	})
	t.Run("the host's own service", func(t *testing.T) {
		for _, network := range []string{"tcp", "udp"} {
			if err := top.answers(network, top.own(network, taggedLAN4+":0"), pattern(3000)); err != nil {
				t.Errorf("%s: %v", network, err)
			}
		}
	})
	t.Run("beside untagged traffic", func(t *testing.T) { top.flows(t, outer4, 4, 2<<20) })
	if after := top.checksumErrors(); after != before {
		t.Errorf("checksum errors at the receivers: %d", after-before)
	}
	for port := range seen {
		if with, without := seen[port][0].Load(), seen[port][1].Load(); with < 5000 || without == 0 {
			t.Errorf("port %d: %d tagged frames, %d others", port, with, without)
		}
	}
	top.sound(t, g.Stats())
}

// TestGatewayTunnel carries VXLAN through a routing host, over IPv4 and over
// IPv6, and has what comes out of a tunnel that ends at the host be routed on. The
// sender's aggregates of tunnelled TCP are cut up on the way.
func TestGatewayTunnel(t *testing.T) {
	const far4, tunnelled = "192.0.2.2", "10.88.0.2"
	for _, tt := range []struct {
		name, to string
		lay      func(top *topology)
	}{
		{"over IPv4", tunnelled, func(top *topology) {
			// A tunnel has the same port at both ends: it is not to be translated.
			top.in(top.gateway, func() error {
				out, err := exec.Command("nft", "insert", "rule", "ip", "nat", "post", "udp", "dport", "4789", "accept").CombinedOutput()
				if err != nil {
					return fmt.Errorf("nft: %w: %s", err, out)
				}
				return nil
			})
			top.via(top.server, "10.77.0.0/24", wan4)
			top.vxlan(top.client, clientIf, client4, outer4, "10.88.0.1/24")
			top.vxlan(top.server, serverIf, outer4, client4, tunnelled+"/24")
		}},
		{"over IPv6", tunnelled, func(top *topology) {
			top.vxlan(top.client, clientIf, client6, outer6, "10.88.0.1/24")
			top.vxlan(top.server, serverIf, outer6, client6, tunnelled+"/24")
		}},
		{"routed on", far4, func(top *topology) {
			top.vxlan(top.client, clientIf, client4, lan4, "10.88.0.1/24")
			top.vxlan(top.gateway, insideIf, lan4, client4, tunnelled+"/24")
			// The tunnel has room for less than the link, which the server would first
			// have to learn at the price of a datagram.
			top.in(top.server, func() error {
				l, err := netlink.LinkByName(serverIf)
				if err != nil {
					return err
				}
				return netlink.LinkSetMTU(l, 1450)
			})
			top.address(top.server, serverIf, far4+"/32")
			top.via(top.gateway, far4+"/32", outer4)
			top.via(top.client, far4+"/32", tunnelled)
		}},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			top := newRouted(t)
			top.routeIPv6()
			tt.lay(top)
			if err := top.ping("", tt.to, 56); err != nil {
				t.Fatalf("before: %v", err)
			}
			g := top.gate(GatewayConfig{Fail: fastpath.FailOpen}, fastpath.Config{}, passAll(1))
			before := top.checksumErrors()
			top.flows(t, tt.to, 1, 8<<20)
			top.flows(t, tt.to, 8, 1<<20)
			checkUDP(t, top, net.JoinHostPort(tt.to, "0"))
			for _, n := range []int{0, 1300, 5000} {
				if err := top.ping("", tt.to, n); err != nil {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
			if after := top.checksumErrors(); after != before {
				t.Errorf("checksum errors at the receivers: %d", after-before)
			}
			st := g.Stats()
			top.sound(t, st)
			if st[0].Sent[Outside].Segmented == 0 {
				t.Errorf("no aggregate was cut up: %+v", st[0])
			}
		})
	}
}
