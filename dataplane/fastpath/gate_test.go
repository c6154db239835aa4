package fastpath

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/gopacket/layers"
	"github.com/vishvananda/netlink"

	"sluice/dataplane/flow"
)

// Return values of programs at tc.
const (
	tcNext     = ^uint32(0)
	tcDrop     = 2
	tcRedirect = 7
)

// skb is struct __sk_buff, with room for what later kernels add.
type skb struct {
	Len, Type, Mark, _, _, _, _, _, _, _, _, _ uint32
	CB                                         [5]uint32
	_                                          [188]byte
}

// atTC runs a program on a frame with a mark, in the scratch space too.
func atTC(t *testing.T, p *ebpf.Program, pkt []byte, mark uint32) uint32 {
	t.Helper()
	ret, _ := marksAtTC(t, p, pkt, mark)
	return ret
}

func marksAtTC(t *testing.T, p *ebpf.Program, pkt []byte, mark uint32) (ret uint32, after skb) {
	t.Helper()
	ret, err := p.Run(&ebpf.RunOptions{Data: pkt, Context: skb{Mark: mark, CB: [5]uint32{mark}}, ContextOut: &after})
	if err != nil {
		t.Fatal(err)
	}
	return ret, after
}

// TestGate holds what each of the gate's programs says in each state, what
// outlives the daemon, and what the next one reads of that.
func TestGate(t *testing.T) {
	arp := frame(eth(layers.EthernetTypeARP), &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation: 1, SourceHwAddress: mac1, SourceProtAddress: net.IP{10, 0, 0, 1}, DstHwAddress: make([]byte, 6), DstProtAddress: []byte{10, 0, 0, 2}})
	for _, tt := range []struct {
		name        string
		noTCX       bool
		fail        Fail
		wantFilters int
		// silent is what the gate says without a heartbeat, left what those say that
		// outlive the daemon.
		silent, left uint32
	}{
		{"off", false, FailOff, 0, tcDrop, 0},
		{"open", false, FailOpen, 2, tcNext, tcNext},
		{"closed", false, FailClosed, 2, tcNext, tcDrop},
		{"open, without tcx", true, FailOpen, 4, tcNext, tcNext},
	} {
		t.Run(tt.name, func(t *testing.T) {
			interfaces(t)
			l, err := netlink.LinkByName("p0")
			if err != nil {
				t.Fatal(err)
			}
			f := open(t, Config{noTCX: tt.noTCX, Log: quiet()})
			g, err := f.Gate("p0", "p1", tt.fail)
			if err != nil {
				t.Fatal(err)
			}
			if ours, others, err := filters(l.Attrs().Index); err != nil || others || len(ours) != tt.wantFilters {
				t.Errorf("%d filters, others %v, %v", len(ours), others, err)
			}
			pkt := from(netip.MustParseAddr("10.0.0.1"))
			says := func(when string, p *ebpf.Program, pkt []byte, mark, want uint32) {
				t.Helper()
				if got := atTC(t, p, pkt, mark); got != want {
					t.Errorf("%s: returned %d, want %d", when, int32(got), int32(want))
				}
			}
			if err := g.Heartbeat(int64(monotonic())); err != nil {
				t.Fatal(err)
			}
			says("in, approved", g.bpf.SluiceGateIn, pkt, g.mark, tcNext)
			says("out, approved", g.bpf.SluiceGateOut, pkt, g.mark, tcNext)
			says("in, ARP", g.bpf.SluiceGateIn, arp, 0, tcNext)
			says("in, another's mark", g.bpf.SluiceGateIn, pkt, g.mark+1, tcDrop)
			says("in", g.bpf.SluiceGateIn, pkt, 0, tcDrop)
			says("out", g.bpf.SluiceGateOut, pkt, 0, tcRedirect)
			// Nobody but who outlives a daemon that fails closed sees the mark.
			for _, p := range []*ebpf.Program{g.bpf.SluiceGateIn, g.bpf.SluiceGateOut} {
				_, after := marksAtTC(t, p, pkt, g.mark)
				if (after.Mark != 0) != (tt.fail == FailClosed) || after.CB[0] != g.mark {
					t.Errorf("let go with the mark %x, %x", after.Mark, after.CB[0])
				}
			}
			for _, p := range []*ebpf.Program{g.bpf.SluiceAwayIn, g.bpf.SluiceAwayOut} {
				if _, after := marksAtTC(t, p, pkt, g.mark); tt.fail != FailOff && after.CB[0] != 0 || tt.fail == FailClosed && after.Mark != 0 {
					t.Errorf("away with the mark %x, %x", after.Mark, after.CB[0])
				}
			}
			if err := g.Heartbeat(int64(monotonic()) - 2*int64(HeartbeatTimeout)); err != nil {
				t.Fatal(err)
			}
			if tt.fail != FailOff {
				says("in, silent", g.bpf.SluiceGateIn, pkt, 0, tt.silent)
				says("out, silent", g.bpf.SluiceGateOut, pkt, 0, tt.silent)
				says("away in", g.bpf.SluiceAwayIn, pkt, 0, tt.left)
				says("away in", g.bpf.SluiceAwayIn, pkt, 0, tt.left)
				says("away in, approved", g.bpf.SluiceAwayIn, pkt, g.mark, tcNext)
				says("away in, ARP", g.bpf.SluiceAwayIn, arp, 0, tt.left)
				says("away out", g.bpf.SluiceAwayOut, pkt, 0, tt.left)
			}
			n := uint64(len(pkt))
			want := [2]Count{{2, 2 * n}, {1, n}}
			if tt.fail == FailOff {
				want = [2]Count{}
			}
			if c, err := g.Counts(); err != nil || c.Passed != want || c.Guarded != 3 {
				t.Errorf("%+v, %v; passed %v is wanted", c, err, want)
			}
			// The next daemon finds it so, and its own counts begin anew.
			next := open(t, Config{noTCX: tt.noTCX, Log: quiet()})
			h, err := next.Gate("p0", "p1", tt.fail)
			if err != nil {
				t.Fatal(err)
			}
			if a := h.Away(); a.Forwarded != want || (tt.fail != FailOff) != (!a.From.IsZero() && !a.To.Before(a.From) && time.Since(a.From) < time.Minute) {
				t.Errorf("%+v", a)
			}
			if c, err := h.Counts(); err != nil || c.Passed != [2]Count{} {
				t.Errorf("%+v, %v", c, err)
			}
			for range 2 {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}
			if ours, _, _ := filters(l.Attrs().Index); len(ours) != 0 {
				t.Errorf("%d filters left", len(ours))
			}
		})
	}
}

// TestGateOver has what the host says in a flow that is over end at the gate, and
// be counted together with what XDP drops of the other way.
func TestGateOver(t *testing.T) {
	interfaces(t)
	f := open(t, Config{Log: quiet()})
	g, err := f.Gate("p0", "p1", FailOff)
	if err != nil {
		t.Fatal(err)
	}
	k := key4("10.0.0.1", 1000, "10.0.0.2", 80, 6, 4)
	there, back := tcp4("10.0.0.1", "10.0.0.2", 1000, 80, "A"), tcp4("10.0.0.2", "10.0.0.1", 80, 1000, "A")
	type packet struct {
		name string
		out  bool
		pkt  []byte
		want uint32
	}
	says := func(all ...packet) {
		t.Helper()
		for _, p := range all {
			got := uint32(0)
			if p.out {
				got = atTC(t, g.bpf.SluiceGateOut, p.pkt, 0)
			} else {
				got = run(t, f, p.pkt)
			}
			if got != p.want {
				t.Errorf("%s: returned %d, want %d", p.name, got, p.want)
			}
		}
	}
	says(packet{"out before", true, back, tcRedirect})
	if err := f.DropFlow(k, time.Hour); err != nil {
		t.Fatal(err)
	}
	says(packet{"in", false, there, xdpDrop}, packet{"out", true, back, tcDrop}, packet{"out, another port", true, tcp4("10.0.0.2", "10.0.0.1", 80, 1001, "A"), tcRedirect},
		packet{"out, a datagram", true, udp4("10.0.0.2", "10.0.0.1", 80, 1000), tcRedirect}, packet{"out again", true, back, tcDrop})
	if n, ok := f.Dropped(k); !ok || n != (flow.Bypassed{Packets: [2]uint64{1, 2}, Bytes: [2]uint64{uint64(len(there)), 2 * uint64(len(back))}}) {
		t.Errorf("%+v, %v", n, ok)
	}
	says(packet{"RST out", true, tcp4("10.0.0.2", "10.0.0.1", 80, 1000, "R"), tcDrop})
	var v flowDrop
	if err := f.xdp.Flows.Lookup(k, &v); err != nil || time.Duration(v.Expires-monotonic()) > flowLinger {
		t.Errorf("after a RST it is dropped for %v, %v", time.Duration(v.Expires-monotonic()), err)
	}
	says(packet{"SYN in", false, tcp4("10.0.0.1", "10.0.0.2", 1000, 80, "S"), xdpPass}, packet{"out after a new handshake", true, back, tcRedirect})
	if _, err := f.UndropFlow(k); err != nil {
		t.Fatal(err)
	}
	if w := f.flows.filter.words[flowFilterWords]; w != 0 {
		t.Errorf("%d flows are dropped, says the filter", w)
	}
}
