package enforce

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
)

var (
	macC = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	macS = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

// build makes a frame and the packet that decoding would make of it.
func build(v6 bool, vlans []uint16, stripped *uint16, transport gopacket.SerializableLayer, payload []byte) *decode.Packet {
	var ls []gopacket.SerializableLayer
	inner := layers.EthernetTypeIPv4
	if v6 {
		inner = layers.EthernetTypeIPv6
	}
	eth := &layers.Ethernet{SrcMAC: macC, DstMAC: macS, EthernetType: inner}
	ls = append(ls, eth)
	for i, v := range vlans {
		if i == 0 {
			eth.EthernetType = layers.EthernetTypeDot1Q
		}
		t := inner
		if i+1 < len(vlans) {
			t = layers.EthernetTypeDot1Q
		}
		ls = append(ls, &layers.Dot1Q{Priority: 5, VLANIdentifier: v, Type: t})
	}
	proto := layers.IPProtocolTCP
	if _, ok := transport.(*layers.UDP); ok {
		proto = layers.IPProtocolUDP
	}
	var nl gopacket.NetworkLayer
	if v6 {
		ip := &layers.IPv6{Version: 6, HopLimit: 60, NextHeader: proto, SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::2")}
		nl, ls = ip, append(ls, ip)
	} else {
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 60, Protocol: proto, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
		nl, ls = ip, append(ls, ip)
	}
	switch t := transport.(type) {
	case *layers.TCP:
		_ = t.SetNetworkLayerForChecksum(nl)
	case *layers.UDP:
		_ = t.SetNetworkLayerForChecksum(nl)
	}
	ls = append(ls, transport, gopacket.Payload(payload))
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		panic(err)
	}
	f := &capture.Frame{Data: buf.Bytes(), Link: capture.LinkEthernet}
	if stripped != nil {
		f.HasVLAN, f.VLANTCI, f.VLANTPID = true, *stripped, 0x8100
	}
	p := &decode.Packet{Frame: f, Data: f.Data, L3: uint32(14 + 4*len(vlans)), Proto: uint8(proto), IPVersion: 4}
	p.Src, p.Dst = addr(nl.NetworkFlow().Src().Raw()), addr(nl.NetworkFlow().Dst().Raw())
	p.L4 = p.L3 + 20
	if v6 {
		p.IPVersion, p.L4 = 6, p.L3+40
	}
	switch t := transport.(type) {
	case *layers.TCP:
		p.SrcPort, p.DstPort, p.Seq, p.Ack = uint16(t.SrcPort), uint16(t.DstPort), t.Seq, t.Ack
		p.TCPFlags = f.Data[p.L4+13]
		p.Payload = p.L4 + 20
	case *layers.UDP:
		p.SrcPort, p.DstPort = uint16(t.SrcPort), uint16(t.DstPort)
		p.Payload = p.L4 + 8
	}
	p.PayloadEnd = p.Payload + uint32(len(payload))
	return p
}

func addr(raw []byte) (a decode.Addr) {
	copy(a[:], net.IP(raw).To16())
	return a
}

// got is a crafted frame, decoded by another implementation, checksums checked.
type got struct {
	eth              *layers.Ethernet
	vlans            []uint16
	src, dst         string
	tcp              *layers.TCP
	icmp4            *layers.ICMPv4
	icmp6            *layers.ICMPv6
	srcPort, dstPort uint16
	payload          []byte
}

func parse(tb testing.TB, frame []byte) (g got) {
	tb.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		tb.Fatalf("crafted frame does not decode: %v\n%x", e.Error(), frame)
	}
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.Ethernet:
			g.eth = l
		case *layers.Dot1Q:
			g.vlans = append(g.vlans, l.VLANIdentifier)
			if l.Priority != 5 {
				tb.Errorf("priority %d", l.Priority)
			}
		case *layers.IPv4:
			if g.src == "" {
				g.src, g.dst = l.SrcIP.String(), l.DstIP.String()
				if fold(sum(0, l.Contents)) != 0xffff {
					tb.Errorf("IPv4 checksum is wrong: %x", l.Contents)
				}
			}
		case *layers.IPv6:
			if g.src == "" {
				g.src, g.dst = l.SrcIP.String(), l.DstIP.String()
			}
		case *layers.TCP:
			g.tcp, g.srcPort, g.dstPort, g.payload = l, uint16(l.SrcPort), uint16(l.DstPort), l.Payload
		case *layers.ICMPv4:
			g.icmp4, g.payload = l, l.Payload
			if fold(sum(sum(0, l.Contents), l.Payload)) != 0xffff {
				tb.Error("ICMP checksum is wrong")
			}
		case *layers.ICMPv6:
			g.icmp6, g.payload = l, l.Payload
		}
	}
	// gopacket recomputes what is left.
	nl := p.NetworkLayer()
	switch {
	case g.tcp != nil:
		want := g.tcp.Checksum
		_ = g.tcp.SetNetworkLayerForChecksum(nl)
		if c, err := g.tcp.ComputeChecksum(); err != nil || c != 0 && c != want {
			tb.Errorf("TCP checksum %#x, computed %#x, %v", want, c, err)
		}
	case g.icmp6 != nil:
		_ = g.icmp6.SetNetworkLayerForChecksum(nl)
	}
	return g
}

var numbers = TCPEnds{ClientNext: 1000, ServerNext: 0xfffffff0, ClientSent: 2460, ServerSent: 0x10}

func TestResets(t *testing.T) {
	stripped := uint16(5<<13 | 42)
	for _, tt := range []struct {
		name     string
		v6       bool
		vlans    []uint16
		stripped *uint16
		want     []uint16
	}{
		{"IPv4", false, nil, nil, nil},
		{"IPv6", true, nil, nil, nil},
		{"VLAN in the frame", false, []uint16{7}, nil, []uint16{7}},
		{"VLAN stripped", true, nil, &stripped, []uint16{42}},
		{"QinQ, the outer tag stripped", false, []uint16{8}, &stripped, []uint16{42, 8}},
		{"QinQ in the frame", true, []uint16{7, 8}, nil, []uint16{7, 8}},
	} {
		for _, fromClient := range []bool{true, false} {
			var c Crafter
			p := build(tt.v6, tt.vlans, tt.stripped, &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 1000, Ack: 5, ACK: true, PSH: true}, []byte("POST"))
			toClient, toServer, err := c.Resets(p, fromClient, numbers)
			if err != nil {
				t.Fatal(err)
			}
			sender, receiver := toClient, toServer
			if !fromClient {
				sender, receiver = toServer, toClient
			}
			s, r := parse(t, sender), parse(t, receiver)
			src, dst := p.Src.Netip().String(), p.Dst.Netip().String()
			if s.src != dst || s.dst != src || s.srcPort != 80 || s.dstPort != 40000 ||
				!bytes.Equal(s.eth.DstMAC, macC) || !bytes.Equal(s.eth.SrcMAC, macS) {
				t.Errorf("%s: to the sender: %+v", tt.name, s)
			}
			if r.src != src || r.dst != dst || r.srcPort != 40000 || r.dstPort != 80 ||
				!bytes.Equal(r.eth.DstMAC, macS) || !bytes.Equal(r.eth.SrcMAC, macC) {
				t.Errorf("%s: to the receiver: %+v", tt.name, r)
			}
			for _, g := range []got{s, r} {
				if !g.tcp.RST || !g.tcp.ACK || g.tcp.SYN || g.tcp.FIN || len(g.payload) != 0 {
					t.Errorf("%s: flags of %+v", tt.name, g.tcp)
				}
				if len(g.vlans) != len(tt.want) {
					t.Fatalf("%s: tags %v, want %v", tt.name, g.vlans, tt.want)
				}
				for i := range tt.want {
					if g.vlans[i] != tt.want[i] {
						t.Errorf("%s: tags %v, want %v", tt.name, g.vlans, tt.want)
					}
				}
			}
			c1, s1 := parse(t, toClient).tcp, parse(t, toServer).tcp
			if c1.Seq != numbers.ServerNext || c1.Ack != numbers.ClientSent || s1.Seq != numbers.ClientNext || s1.Ack != numbers.ServerSent {
				t.Errorf("%s: numbers: client %d/%d, server %d/%d", tt.name, c1.Seq, c1.Ack, s1.Seq, s1.Ack)
			}
		}
	}
}

func TestRefuse(t *testing.T) {
	for _, size := range []int{0, 1, 200, maxSegment, maxSegment + 1, MaxRefusal} {
		var c Crafter
		refusal := bytes.Repeat([]byte("HTTP/1.1 403 Forbidden\r\n"), MaxRefusal)[:size]
		p := build(false, nil, nil, &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 1000, ACK: true}, []byte("POST"))
		segments, toServer, err := c.Refuse(nil, p, true, numbers, refusal)
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		seq := numbers.ServerNext
		for i, s := range segments {
			g := parse(t, s)
			last := i == len(segments)-1
			if g.tcp.Seq != seq || g.tcp.Ack != numbers.ClientSent || g.tcp.FIN != last || g.tcp.RST || !g.tcp.ACK || g.dstPort != 40000 {
				t.Errorf("%d bytes, segment %d: %+v", size, i, g.tcp)
			}
			seq += uint32(len(g.payload))
			all = append(all, g.payload...)
		}
		if !bytes.Equal(all, refusal) {
			t.Errorf("%d bytes: the client would read %d", size, len(all))
		}
		if g := parse(t, toServer); !g.tcp.RST || g.tcp.Seq != numbers.ClientNext {
			t.Errorf("to the server: %+v", g.tcp)
		}
		// The client uploads on and closes: all of it is acknowledged, none reset.
		ts := NewRefusal(0, numbers, size)
		for _, more := range []*layers.TCP{{Seq: 2460, ACK: true, PSH: true}, {Seq: 2564, ACK: true, FIN: true}} {
			more.SrcPort, more.DstPort = 40000, 80
			p := build(false, nil, nil, more, make([]byte, 100))
			frame, over := ts.Answer(&c, p, true, 1)
			g := parse(t, frame)
			want := more.Seq + 100
			if more.FIN {
				want++
			}
			if over || !g.tcp.ACK || g.tcp.RST || g.tcp.Ack != want || g.tcp.Seq != numbers.ServerNext+uint32(size)+1 {
				t.Errorf("answer to the client's upload: %+v", g.tcp)
			}
		}
	}
	var c Crafter
	p := build(false, nil, nil, &layers.TCP{}, nil)
	if _, _, err := c.Refuse(nil, p, true, numbers, make([]byte, MaxRefusal+1)); !errors.Is(err, ErrLong) {
		t.Errorf("an overlong refusal: %v", err)
	}
}

func TestTombstone(t *testing.T) {
	var c Crafter
	ts := NewTombstone(0)
	f := func(name string, in *layers.TCP, fromClient bool, payload int, check func(*layers.TCP) bool, wantOver bool) {
		t.Helper()
		in.SrcPort, in.DstPort = 40000, 80
		p := build(true, nil, nil, in, make([]byte, payload))
		frame, over := ts.Answer(&c, p, fromClient, int64(time.Second))
		if over != wantOver {
			t.Errorf("%s: over %v", name, over)
		}
		if check == nil {
			if frame != nil {
				t.Errorf("%s: answered", name)
			}
			return
		}
		if frame == nil {
			t.Fatalf("%s: no answer", name)
		}
		if g := parse(t, frame); !check(g.tcp) {
			t.Errorf("%s: answered %+v", name, g.tcp)
		}
	}
	f("challenge ACK", &layers.TCP{Seq: 1, Ack: 77, ACK: true}, true, 0,
		func(g *layers.TCP) bool { return g.RST && !g.ACK && g.Seq == 77 }, false)
	f("data of the server", &layers.TCP{Seq: 1, Ack: 78, ACK: true, PSH: true}, false, 9,
		func(g *layers.TCP) bool { return g.RST && g.Seq == 78 }, false)
	f("FIN without ACK", &layers.TCP{Seq: 100, FIN: true}, true, 9,
		func(g *layers.TCP) bool { return g.RST && g.ACK && g.Seq == 0 && g.Ack == 110 }, false)
	f("RST", &layers.TCP{Seq: 1, RST: true}, true, 0, nil, false)
	f("SYN of the client", &layers.TCP{Seq: 1, SYN: true}, true, 0, nil, true)
	answered := 0
	for range 100 {
		p := build(false, nil, nil, &layers.TCP{ACK: true}, nil)
		if frame, _ := ts.Answer(&c, p, true, int64(3*time.Second)); frame != nil {
			answered++
		}
	}
	if answered != answersPerSecond || ts.Suppressed != 100-answersPerSecond {
		t.Errorf("%d answers in a second, %d suppressed", answered, ts.Suppressed)
	}
}

// TestSettled tells when a blocked flow's ends do not listen.
func TestSettled(t *testing.T) {
	const s = int64(time.Second)
	data := &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 1, Ack: 2, ACK: true}
	every := func(n int, from, by int64) (out []int64) {
		for i := range n {
			out = append(out, from+int64(i)*by)
		}
		return out
	}
	for _, tt := range []struct {
		name string
		ts   *Tombstone
		at   []int64
		want bool
	}{
		{"what was under way", NewTombstone(0), every(500, s/100, 1e6), false},
		{"retransmissions of an end that lost its reset", NewTombstone(0), []int64{s / 5, s * 3 / 5, s * 7 / 5, 3 * s, 6 * s, 12 * s}, false},
		{"who goes on", NewTombstone(0), every(deafAfter, s, s/2), true},
		{"who goes on, a moment before", NewTombstone(0), every(deafAfter, 0, s/4), false},
		{"who goes on silently dropped", NewSilence(0), every(deafAfter, s, s/2), true},
		{"who comes back", NewTombstone(0), []int64{s, s + int64(quietAfter) + 1}, true},
		{"who comes back soon", NewTombstone(0), []int64{s, s + int64(quietAfter)}, false},
		{"an upload that reads its refusal later", NewRefusal(0, numbers, 100), every(absorbLimit-1, s, s/10), false},
		{"an upload that never does", NewRefusal(0, numbers, 100), every(absorbLimit, s, s/10), true},
		{"a refused client that comes back", NewRefusal(0, numbers, 100), []int64{s, s + int64(quietAfter) + 1}, true},
	} {
		var c Crafter
		p := build(false, nil, nil, data, []byte("more"))
		answered := false
		for i, at := range tt.at {
			frame, over := tt.ts.Answer(&c, p, true, at)
			answered = answered || frame != nil
			if over {
				t.Errorf("%s: over", tt.name)
			}
			if got := tt.ts.Settled(at); got != (tt.want && i == len(tt.at)-1) {
				t.Errorf("%s: packet %d: settled %v", tt.name, i+1, got)
			}
			c.Recycle()
		}
		if answered == tt.ts.mute {
			t.Errorf("%s: answered %v", tt.name, answered)
		}
	}
	udp := build(false, nil, nil, &layers.UDP{SrcPort: 5000, DstPort: 53}, []byte("x"))
	silent := NewSilence(0)
	if frame, over := silent.Answer(new(Crafter), udp, true, s); frame != nil || over {
		t.Error("a datagram was answered by a tombstone")
	}
}

func TestUnreachable(t *testing.T) {
	for _, size := range []int{0, 10, 1400} {
		for _, v6 := range []bool{false, true} {
			var c Crafter
			p := build(v6, []uint16{9}, nil, &layers.UDP{SrcPort: 5000, DstPort: 53}, make([]byte, size))
			frame, err := c.Unreachable(p)
			if err != nil {
				t.Fatal(err)
			}
			g := parse(t, frame)
			if g.src != p.Dst.Netip().String() || g.dst != p.Src.Netip().String() || !bytes.Equal(g.eth.DstMAC, macC) || len(g.vlans) != 1 {
				t.Errorf("%+v", g)
			}
			quote := p.Data[p.L3:p.PayloadEnd]
			switch {
			case v6 && (g.icmp6 == nil || g.icmp6.TypeCode != layers.CreateICMPv6TypeCode(1, 1) || len(frame) > 18+maxError6):
				t.Errorf("%d bytes: %+v, frame of %d", size, g.icmp6, len(frame))
			case !v6 && (g.icmp4 == nil || g.icmp4.TypeCode != layers.CreateICMPv4TypeCode(3, 13) || len(frame) > 18+maxError4):
				t.Errorf("%d bytes: %+v, frame of %d", size, g.icmp4, len(frame))
			}
			payload := g.payload
			if v6 {
				payload = frame[18+40+8:]
				e := endsOf(p, true)
				if fold(sum(e.pseudo(58, len(payload)+8), frame[18+40:])) != 0xffff {
					t.Error("ICMPv6 checksum is wrong")
				}
			}
			if !bytes.HasPrefix(quote, payload) || len(payload) < min(len(quote), 500) {
				t.Errorf("quotes %d of %d bytes", len(payload), len(quote))
			}
		}
	}
}

func TestNotAnswered(t *testing.T) {
	tcp := func() *decode.Packet { return build(false, nil, nil, &layers.TCP{ACK: true}, nil) }
	udp := func() *decode.Packet { return build(false, nil, nil, &layers.UDP{}, nil) }
	var c Crafter
	resets := func(p *decode.Packet) error { _, _, err := c.Resets(p, true, numbers); return err }
	unreach := func(p *decode.Packet) error { _, err := c.Unreachable(p); return err }
	resetFor := func(p *decode.Packet) error { _, err := c.ResetFor(p); return err }
	for _, tt := range []struct {
		name   string
		p      *decode.Packet
		change func(*decode.Packet)
		call   func(*decode.Packet) error
		want   error
	}{
		{"reset for UDP", udp(), nil, resets, ErrProtocol},
		{"unreachable for TCP", tcp(), nil, unreach, ErrProtocol},
		{"RST for RST", tcp(), func(p *decode.Packet) { p.TCPFlags |= decode.TCPRst }, resetFor, ErrProtocol},
		{"tunnel", tcp(), func(p *decode.Packet) { p.TunnelDepth = 1 }, resets, ErrTunnel},
		{"not IP", tcp(), func(p *decode.Packet) { p.IPVersion = 0 }, resets, ErrProtocol},
		{"raw IP link", tcp(), func(p *decode.Packet) { p.Frame.Link = capture.LinkRaw }, resets, ErrLink},
		{"no frame", tcp(), func(p *decode.Packet) { p.Frame = nil }, resets, ErrLink},
		{"PPPoE", tcp(), func(p *decode.Packet) { p.Frame.Data[12], p.Frame.Data[13] = 0x88, 0x64 }, resets, ErrLink},
		{"short frame", tcp(), func(p *decode.Packet) { p.Frame.Data = p.Frame.Data[:13] }, resets, ErrLink},
		{"multicast MAC", udp(), func(p *decode.Packet) { p.Frame.Data[0] |= 1 }, unreach, ErrAddress},
		{"multicast", udp(), func(p *decode.Packet) { p.Dst = addr(net.IP{224, 0, 0, 251}) }, unreach, ErrAddress},
		{"broadcast", udp(), func(p *decode.Packet) { p.Dst = addr(net.IP{255, 255, 255, 255}) }, unreach, ErrAddress},
		{"from nobody", udp(), func(p *decode.Packet) { p.Src = addr(net.IP{0, 0, 0, 0}) }, unreach, ErrAddress},
		{"later fragment", udp(), func(p *decode.Packet) { p.FragOffset = 8 }, unreach, ErrProtocol},
	} {
		if tt.change != nil {
			tt.change(tt.p)
		}
		if err := tt.call(tt.p); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestFramesStayValid(t *testing.T) {
	var c Crafter
	p := build(false, nil, nil, &layers.TCP{ACK: true, Ack: 9}, nil)
	first, err := c.ResetFor(p)
	if err != nil {
		t.Fatal(err)
	}
	was := bytes.Clone(first)
	for range 3 * chunkLen / len(first) {
		if _, err := c.ResetFor(p); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first, was) {
		t.Error("a later frame overwrote an earlier one")
	}
	if n := testing.AllocsPerRun(1000, func() { c.Recycle(); _, _, _ = c.Resets(p, true, numbers) }); n != 0 {
		t.Errorf("%v allocations for two resets", n)
	}
}

// FuzzCraft feeds arbitrary frames and packet fields: nothing may panic, and
// what is crafted must decode with right checksums.
func FuzzCraft(f *testing.F) {
	for _, v6 := range []bool{false, true} {
		f.Add(build(v6, []uint16{3}, nil, &layers.TCP{ACK: true}, []byte("x")).Data, uint32(1), uint32(2), uint8(0x10), v6, uint32(18), uint32(59), uint8(6), false)
		f.Add(build(v6, nil, nil, &layers.UDP{}, make([]byte, 1400)).Data, uint32(1), uint32(2), uint8(0), v6, uint32(14), uint32(80), uint8(17), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, seq, ack uint32, flags uint8, v6 bool, l3, end uint32, proto uint8, vlan bool) {
		p := &decode.Packet{
			Frame: &capture.Frame{Data: data, Link: capture.LinkEthernet, HasVLAN: vlan, VLANTPID: 0x8100, VLANTCI: 5<<13 | 4},
			Data:  data, Seq: seq, Ack: ack, TCPFlags: flags, IPVersion: 4, Proto: proto, L3: l3, PayloadEnd: end, Payload: min(end, l3+8),
			Src: addr(net.IP{10, 0, 0, 1}), Dst: addr(net.IP{10, 0, 0, 2}),
		}
		if v6 {
			p.IPVersion, p.Src, p.Dst = 6, addr(net.ParseIP("fd00::1")), addr(net.ParseIP("fd00::2"))
		}
		n := TCPEnds{seq, ack, ack, seq}
		var c Crafter
		check := func(frame []byte, err error) {
			if err != nil {
				return
			}
			at := 12
			for i := 0; i < maxTags && at+2 <= len(frame); i++ {
				if x := uint16(frame[at])<<8 | uint16(frame[at+1]); x == etherIPv4 || x == etherIPv6 {
					break
				}
				at += 4
			}
			ip := frame[at+2:]
			e := endsOf(p, true)
			back := e.src
			if v6 {
				if [16]byte(ip[8:24]) != back {
					e = endsOf(p, false)
				}
				if next := ip[6]; fold(sum(e.pseudo(next, len(ip)-40), ip[40:])) != 0xffff {
					t.Errorf("checksum over IPv6: %x", frame)
				}
				return
			}
			if fold(sum(0, ip[:20])) != 0xffff {
				t.Errorf("IPv4 checksum: %x", frame)
			}
			s := uint32(0)
			if ip[9] == 6 {
				s = e.pseudo(6, len(ip)-20)
			}
			if fold(sum(s, ip[20:])) != 0xffff {
				t.Errorf("checksum over IPv4: %x", frame)
			}
		}
		a, b, err := c.Resets(p, vlan, n)
		check(a, err)
		check(b, err)
		list, b, err := c.Refuse(nil, p, true, n, data[:min(len(data), MaxRefusal)])
		check(b, err)
		for _, x := range list {
			check(x, err)
		}
		check(c.ResetFor(p))
		check(c.AckFor(p, seq))
		check(c.Unreachable(p))
		ts := NewRefusal(0, n, 10)
		if x, _ := ts.Answer(&c, p, vlan, 5); x != nil {
			check(x, nil)
		}
	})
}

func BenchmarkResets(b *testing.B) {
	var c Crafter
	p := build(false, nil, nil, &layers.TCP{ACK: true}, nil)
	b.ReportAllocs()
	for b.Loop() {
		c.Recycle()
		_, _, _ = c.Resets(p, true, numbers)
	}
}
