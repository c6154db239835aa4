package fastpath

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/flow"
)

// TestCuts holds what of a cut flow passes a port, and that nothing of others is
// kept back.
func TestCuts(t *testing.T) {
	interfaces(t)
	fast := open(t, Config{MaxFlows: 64, Log: quiet()})
	c, err := fast.Cuts([]string{"p0", "p1"})
	if err != nil || c == nil {
		t.Fatalf("%v, %v", c, err)
	}
	defer c.Close()
	pass, drop := ^uint32(0), uint32(2)
	judge := func(what string, want uint32, ls ...gopacket.SerializableLayer) {
		t.Helper()
		for _, prog := range []*ebpf.Program{c.bpf.SluiceCutIn, c.bpf.SluiceCutOut} {
			pkt := frame(ls...)
			for len(pkt) < 60 { // as a card pads it
				pkt = append(pkt, 0)
			}
			if ret, err := prog.Run(&ebpf.RunOptions{Data: pkt}); err != nil || ret != want {
				t.Errorf("%s: %s returned %d, want %d, %v", what, prog, int32(ret), int32(want), err)
			}
		}
	}
	four := func(src, dst string, sport, dport uint16, flags string, n int) []gopacket.SerializableLayer {
		return []gopacket.SerializableLayer{eth(e4), ip4(src, dst, pTCP), tcp(sport, dport, flags), data(n)}
	}
	const a, b = "10.0.0.1", "10.0.0.2"
	judge("data, before", pass, four(a, b, 1000, 80, "A", 700)...)
	key := key4(a, 1000, b, 80, 6, 4)
	if err := c.Cut(key); err != nil {
		t.Fatal(err)
	}
	judge("data", drop, four(a, b, 1000, 80, "A", 700)...)
	judge("a single byte", drop, four(a, b, 1000, 80, "AP", 1)...)
	judge("data of the other end", drop, four(b, a, 80, 1000, "A", 700)...)
	judge("data with an end", drop, four(a, b, 1000, 80, "AF", 9)...)
	judge("data with a reset", drop, four(a, b, 1000, 80, "R", 9)...)
	judge("an acknowledgement", pass, four(b, a, 80, 1000, "A", 0)...)
	judge("a reset", pass, four(b, a, 80, 1000, "RA", 0)...)
	judge("another flow", pass, four(a, b, 1001, 80, "A", 700)...)
	judge("another protocol", pass, eth(e4), ip4(a, b, pUDP), udp(1000, 80), data(700))
	judge("a tagged flow", pass, eth(e8021q), tag(7, e4), ip4(a, b, pTCP), tcp(1000, 80, "A"), data(700))
	judge("what is no IP", pass, eth(layers.EthernetTypeARP), data(46))
	options := tcp(1000, 80, "A")
	options.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}
	judge("an acknowledgement with options", pass, eth(e4), ip4(a, b, pTCP), options, data(0))
	judge("data with options", drop, eth(e4), ip4(a, b, pTCP), options, data(3))
	if n, err := c.Kept(key); err != nil || n.Packets != 12 || n.Bytes == 0 {
		t.Errorf("kept back %+v, %v", n, err)
	}
	judge("an answer to a handshake", pass, four(b, a, 80, 1000, "SA", 0)...)
	judge("data after that", drop, four(a, b, 1000, 80, "A", 700)...)
	judge("a new handshake", pass, four(a, b, 1000, 80, "S", 0)...)
	judge("data of the new connection", pass, four(a, b, 1000, 80, "A", 700)...)

	six := func(flags string, n int) []gopacket.SerializableLayer {
		return []gopacket.SerializableLayer{eth(e6), ip6("fd00::1", "fd00::2", pTCP), tcp(1000, 80, flags), data(n)}
	}
	for name, k := range map[string]flow.Key{
		"IPv6": key4("fd00::1", 1000, "fd00::2", 80, 6, 6), "tagged": key4(a, 2000, b, 80, 6, 4, 7), "UDP": key4(a, 3000, b, 80, 17, 4),
	} {
		if err := c.Cut(k); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	judge("data over IPv6", drop, six("A", 1)...)
	judge("an acknowledgement over IPv6", pass, six("A", 0)...)
	judge("tagged data", drop, eth(e8021q), tag(7, e4), ip4(a, b, pTCP), tcp(2000, 80, "A"), data(700))
	judge("untagged data", pass, eth(e4), ip4(a, b, pTCP), tcp(2000, 80, "A"), data(700))
	judge("a datagram", drop, eth(e4), ip4(a, b, pUDP), udp(3000, 80), data(1))
	if err := c.Cut(flow.Key{Tunnel: 1}); err == nil {
		t.Error("a flow in a tunnel was cut")
	}
	// Old ones make room.
	for port := range uint16(1000) {
		if err := c.Cut(key4(a, port, b, 443, 6, 4)); err != nil {
			t.Fatal(err)
		}
	}
	judge("data of the latest", drop, four(a, b, 999, 443, "A", 700)...)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	old := open(t, Config{noTCX: true, Log: quiet()})
	if c, err := old.Cuts([]string{"p0"}); c != nil || err != nil {
		t.Errorf("without tcx: %v, %v", c, err)
	}
	if c, err := fast.Cuts([]string{"none0"}); c != nil || err == nil {
		t.Errorf("on no port: %v, %v", c, err)
	}
}
