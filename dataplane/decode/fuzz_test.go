package decode

import (
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
)

// FuzzDecode feeds the same bytes twice as two frames to a decoder with little
// memory, so that state is exercised too, and checks what users of a Packet
// rely on: offsets in order and in bounds.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{}, uint16(1), false)
	f.Add(build(f, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolTCP), tcpSeg(), payload("x")), uint16(1), false)
	f.Add(build(f, eth(layers.EthernetTypeIPv6), ip6(layers.IPProtocolUDP), udpTo(4789), payload("x")), uint16(1), true)
	f.Add(build(f, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolUDP), udpTo(4789),
		payload(string(cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, build(f, eth(layers.EthernetTypeIPv6), ip6(4), payload(string(inner4(f)))))))), uint16(1), false)
	f.Add(build(f, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolGRE), payload(string(cat([]byte{0x30, 0x81, 0x88, 0x0b, 0, 8, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0x21}, inner4(f))))), uint16(1), false)
	f.Add(frag4(1, 17, cutPiece{0, true, make([]byte, 24)}).Data, uint16(1), false)
	f.Add(frag6(1, 17, cutPiece{16, false, make([]byte, 24)}).Data, uint16(1), false)
	f.Add(cat([]byte{0xff, 3, 0, 0x21}, inner4(f)), uint16(9), false)
	f.Add(cat([]byte{2, 0, 0, 0}, inner4(f)), uint16(0), false)
	f.Add(cat(make([]byte, 12), []byte{0x88, 0x47, 0, 1, 0x71, 64}, inner6(f)), uint16(1), false)
	f.Add(cat(make([]byte, 12), []byte{0x88, 0x63, 0x11, 9, 0, 0, 0, 4, 1, 1, 0, 0}), uint16(1), false)
	d := New(Config{GTPPorts: []uint16{2152}, Defrag: DefragConfig{MemCap: 64 << 10, MaxDatagrams: 8, MaxFragments: 6}})
	var now int64
	f.Fuzz(func(t *testing.T, data []byte, link uint16, gso bool) {
		fr := &capture.Frame{Data: data, WireLen: uint32(len(data)), Link: capture.LinkType(link), HasVLAN: link&1024 != 0}
		if gso {
			fr.HasVNet, fr.VNet[1], fr.VNet[4] = true, 1, 9
			fr.WireLen += 5
		}
		for range 2 {
			now += 1e8
			fr.Time = now
			ps := d.Decode(fr)
			if len(ps) == 0 || len(ps) > maxPackets {
				t.Fatalf("%d packets", len(ps))
			}
			for i := range ps {
				p := &ps[i]
				if p.L2 > p.L3 || p.L3 > p.L4 || p.L4 > p.Payload || p.Payload > p.PayloadEnd || int(p.PayloadEnd) > len(p.Data) {
					t.Fatalf("packet %d: offsets %d %d %d %d %d of %d", i, p.L2, p.L3, p.L4, p.Payload, p.PayloadEnd, len(p.Data))
				}
				if p.Flags&FlagReassembled == 0 && len(p.Data) > len(data) || p.NVLAN > MaxVLAN || p.NEvents > MaxEvents {
					t.Fatalf("packet %d: %+v", i, p)
				}
				for _, e := range p.Events() {
					if _, ok := EventByName(e.String()); !ok {
						t.Fatalf("event %d has no name", e)
					}
				}
				if p.IPVersion == 0 && p.Flags&FlagHasPorts != 0 || p.TunnelDepth > 0 != p.Has(FlagTunnel) {
					t.Fatalf("packet %d: %+v", i, p)
				}
				ChecksumL4(p)
			}
			if d.defrag.mem > 64<<10 || len(d.defrag.index) > 8 {
				t.Fatalf("%d bytes, %d datagrams", d.defrag.mem, len(d.defrag.index))
			}
		}
	})
}
