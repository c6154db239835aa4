package decode

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
)

// eachFrame calls fn for the frames of a capture, as far as it can be read.
func eachFrame(t testing.TB, path string, fn func(f *capture.Frame)) {
	t.Helper()
	src, err := capture.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var b capture.Batch
	for src.ReadBatch(&b) == nil {
		for i := range b.Frames {
			fn(&b.Frames[i])
		}
	}
}

// TestAgainstGopacket compares addresses, ports and payload of the outermost
// TCP and UDP packets of the sample captures with gopacket's.
func TestAgainstGopacket(t *testing.T) {
	compared := 0
	for _, dir := range []string{"data/pcaps", "data/suricata-verify/tests"} {
		filepath.WalkDir(sharedDir(t, dir), func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || !strings.Contains(path, ".pcap") {
				return nil
			}
			d := New(Config{})
			bad := 0
			eachFrame(t, path, func(f *capture.Frame) {
				p := d.Decode(f)[0]
				if p.Flags&(FlagInvalid|FlagFragment|FlagTruncated) != 0 || p.Flags&FlagHasPorts == 0 || bad > 3 || f.Link > 255 {
					return
				}
				g := gopacket.NewPacket(f.Data, layers.LinkType(f.Link), gopacket.DecodeOptions{NoCopy: true, Lazy: true})
				tr := g.TransportLayer()
				if g.NetworkLayer() == nil || tr == nil {
					return
				}
				nf, tf := g.NetworkLayer().NetworkFlow(), tr.TransportFlow()
				src, dst := p.Src[:], p.Dst[:]
				if p.IPVersion == 4 {
					src, dst = src[12:], dst[12:]
				}
				if string(nf.Src().Raw()) != string(src) || string(nf.Dst().Raw()) != string(dst) ||
					be16(tf.Src().Raw()) != p.SrcPort || be16(tf.Dst().Raw()) != p.DstPort {
					bad++
					t.Errorf("%s: frame %d: %v %v, got %v:%d > %v:%d (%x %x)", path, f.Num, nf, tf, p.Src.Netip(), p.SrcPort, p.Dst.Netip(), p.DstPort, nf.Src().Raw(), tf.Dst().Raw())
					return
				}
				want := tr.LayerPayload()
				if u, ok := tr.(*layers.UDP); ok {
					want = want[:min(len(want), int(u.Length)-8)]
				}
				if tr.LayerType() != layers.LayerTypeSCTP && string(want) != string(p.PayloadBytes()) {
					bad++
					t.Errorf("%s: frame %d: payload of %d bytes, want %d", path, f.Num, len(p.PayloadBytes()), len(want))
				}
				if tcp, ok := tr.(*layers.TCP); ok && (tcp.Seq != p.Seq || tcp.Ack != p.Ack || tcp.Window != p.Window) {
					bad++
					t.Errorf("%s: frame %d: %+v, got %+v", path, f.Num, tcp, p)
				}
				compared++
			})
			return nil
		})
	}
	t.Logf("%d packets compared", compared)
}

// TestDocumentedBehaviour holds the numbers that Suricata's own regression
// tests expect of its decoder for these captures.
func TestDocumentedBehaviour(t *testing.T) {
	root := sharedDir(t, "data/suricata-verify/tests")
	f := func(path string, want map[string]uint64) {
		t.Helper()
		path = filepath.Join(root, path)
		if _, err := os.Stat(path); err != nil {
			t.Logf("%s is not there", path)
			return
		}
		d := New(Config{NoChecksum: true})
		eachFrame(t, path, func(f *capture.Frame) { d.Decode(f) })
		got := map[string]uint64{}
		d.Counters.Each(func(n string, v uint64) { got[n] = v })
		for n, v := range want {
			if got[n] != v {
				t.Errorf("%s: %s is %d, want %d", path, n, got[n], v)
			}
		}
	}
	type m = map[string]uint64
	ev := func(name string, n uint64) m { return m{"decoder.event." + name: n} }
	f("decode-arp-1/input.pcap", m{"decoder.ethernet": 1, "decoder.arp": 1})
	f("decode-erspan-typeI-02/input.pcap", m{"decoder.ipv4": 84, "decoder.gre": 42, "decoder.erspan": 42})
	f("decode-nsh-type2/input.pcap", m{"decoder.ethernet": 1, "decoder.nsh": 1, "decoder.ipv4": 1, "decoder.udp": 1})
	f("decode-sll2-01/input.pcap", m{"decoder.ipv4": 5, "decoder.tcp": 5, "decoder.sll2": 5})
	f("decode-too-many-layers/input.pcap", m{"decoder.too_many_layers": 1})
	f("decode-too-small/test.pcap", m{"decoder.event.tcp.pkt_too_small": 2, "decoder.event.udp.hlen_too_small": 4, "decoder.event.gre.pkt_too_small": 2})
	f("decode-unknown-1/input.pcap", m{"decoder.ethernet": 1, "decoder.unknown_ethertype": 1})
	f("decode-vntag-01/input.pcap", m{"decoder.ipv4": 5, "decoder.vlan": 5, "decoder.vntag": 5})
	f("output-eve-anomaly-packethdr/anomaly.pcap", m{"decoder.event.icmpv4.unknown_type": 42,
		"decoder.event.icmpv4.unknown_code": 4, "decoder.event.ipv4.trunc_pkt": 2})
	f("bug-7414-decoder-event-01/ip_secopt.pcap", m{"decoder.invalid": 1, "decoder.event.ipv4.opt_pad_required": 1, "decoder.event.ipv4.opt_invalid_len": 2})
	f("security-8510/defrag-af-confusion-spray-h8.pcap", m{"decoder.pkts": 16384})
	evasion := func(n string, want m) { t.Helper(); f("ipv6-evasion/"+n, want) }
	evasion("ipv6-covert-dstopts/covert_send6.pcap", ev("ipv6.dstopts_unknown_opt", 18))
	evasion("ipv6-malformed-fragments-6/frag-6.pcap", ev("ipv6.frag_overlap", 1))
	evasion("ipv6-malformed-fragments-8/frag-8.pcap", ev("ipv6.frag_overlap", 1))
	evasion("ipv6-malformed-fragments-9/frag-9.pcap", ev("ipv6.exthdr_useless_fh", 1))
	evasion("ipv6-malformed-fragments-15/frag-15.pcap", ev("ipv6.frag_pkt_too_large", 1))
	evasion("ipv6-malformed-fragments-17/frag-17.pcap", ev("ipv6.frag_overlap", 1))
	for _, n := range []string{"26", "27"} {
		evasion("ipv6-malformed-fragments-"+n+"/frag-"+n+".pcap", m{"decoder.event.ipv6.exthdr_useless_fh": 1, "decoder.event.ipv6.trunc_exthdr": 1})
	}
	evasion("ipv6-malformed-fragments-29/frag-29.pcap", ev("ipv6.frag_overlap", 1))
	evasion("ipv6-malformed-fragments-31/frag-31.pcap", ev("ipv6.frag_pkt_too_large", 1))
}

// TestDocumentedDefrag compares reassembled packets with those that the same
// tests print.
func TestDocumentedDefrag(t *testing.T) {
	root := sharedDir(t, "data/suricata-verify/tests/defrag")
	dirs, _ := filepath.Glob(filepath.Join(root, "*"))
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "test.yaml"))
		if err != nil {
			continue
		}
		_, rest, ok := strings.Cut(string(text), "packet: \"")
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, "\"")
		want, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			t.Fatal(err)
		}
		pcaps, _ := filepath.Glob(filepath.Join(dir, "*.pcap"))
		n := 0
		d := New(Config{})
		eachFrame(t, pcaps[0], func(f *capture.Frame) {
			for _, p := range d.Decode(f) {
				if p.Has(FlagReassembled) {
					n++
					if string(p.Data) != string(want) {
						t.Errorf("%s: %x, want %x", dir, p.Data, want)
					}
				}
			}
		})
		if n != 1 {
			t.Errorf("%s: %d datagrams", dir, n)
		}
	}
}
