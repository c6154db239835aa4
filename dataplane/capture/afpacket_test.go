package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sluice/internal/livetest"
)

// pair makes two connected interfaces in a namespace that ends with the test,
// and stays in it: the test owns its thread.
func pair(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		livetest.Lacks(tb, "packet sockets need root")
	}
	runtime.LockOSThread()
	old, err := netns.Get()
	if err != nil {
		tb.Fatal(err)
	}
	ns, err := netns.New()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = netns.Set(old)
		ns.Close()
		old.Close()
		runtime.UnlockOSThread()
	})
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "a0"}, PeerName: "b0"}); err != nil {
		tb.Fatal(err)
	}
	for _, n := range []string{"a0", "b0"} {
		// The interfaces' own chatter would disturb.
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+n+"/disable_ipv6", []byte("1"), 0o644)
		l, err := netlink.LinkByName(n)
		if err != nil {
			tb.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			tb.Fatal(err)
		}
	}
	waitUp(tb, "a0", "b0")
}

// waitUp waits for the kernel to notice that a link is there: frames are
// dropped until then.
func waitUp(tb testing.TB, names ...string) {
	tb.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		up := 0
		for _, n := range names {
			if l, err := netlink.LinkByName(n); err == nil && l.Attrs().OperState == netlink.OperUp {
				up++
			}
		}
		if up == len(names) {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal("the links do not come up")
		}
	}
}

func testFrame(n int, fill byte) []byte {
	f := bytes.Repeat([]byte{fill}, n)
	copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5})
	return f
}

func TestPacketSocket(t *testing.T) {
	for _, ring := range []bool{false, true} {
		pair(t)
		in, err := OpenPacket(PacketConfig{Interface: "b0", Port: 3, Ring: ring, RingBytes: 4 << 20, Promiscuous: true, Batch: 32, Hold: true})
		if err != nil {
			t.Fatal(err)
		}
		out, err := OpenSender("a0")
		if err != nil {
			t.Fatal(err)
		}
		out.AddRaw(testFrame(100, 9))
		out.Flush()
		var b Batch
		if err := in.TryRead(&b); err != nil || len(b.Frames) != 0 {
			t.Errorf("ring %v: a held socket gave %d frames, %v", ring, len(b.Frames), err)
		}
		if err := in.Start(); err != nil {
			t.Fatal(err)
		}
		// More than the ring holds at a time, in several rounds, so that it wraps.
		next := 0
		const total = 20000
		for sent := 0; sent < total; {
			for range 50 {
				f := testFrame(60+sent%1400, byte(sent))
				binary.BigEndian.PutUint32(f[14:], uint32(sent))
				out.AddRaw(f)
				sent++
			}
			out.Flush()
			for next < sent {
				if err := in.ReadBatch(&b); err != nil {
					t.Fatal(err)
				}
				if len(b.Frames) == 0 {
					t.Fatalf("ring %v: nothing after frame %d; %+v", ring, next, in.Stats())
				}
				for i := range b.Frames {
					f := &b.Frames[i]
					want := testFrame(60+next%1400, byte(next))
					binary.BigEndian.PutUint32(want[14:], uint32(next))
					if !bytes.Equal(f.Data, want) || int(f.WireLen) != len(want) || f.Port != 3 || f.Num != uint64(next+1) ||
						f.Link != LinkEthernet || f.HasVLAN || !f.HasVNet || time.Since(time.Unix(0, f.Time)).Abs() > time.Minute {
						t.Fatalf("ring %v: frame %d: %+v", ring, next, f)
					}
					next++
				}
			}
		}
		if st := in.Stats(); st.Frames != total || st.Dropped != 0 || st.Truncated != 0 {
			t.Errorf("ring %v: %+v", ring, st)
		}
		if st := out.Stats(); st.Frames != total+1 || st.Failed+st.TooLong+st.NoBuffer+st.Down != 0 {
			t.Errorf("ring %v: sent %+v", ring, st)
		}
		// No allocation per frame, neither way.
		raw := testFrame(200, 1)
		if n := testing.AllocsPerRun(100, func() {
			for range 8 {
				out.AddRaw(raw)
			}
			out.Flush()
			for range 3 {
				if err := in.TryRead(&b); err != nil {
					t.Fatal(err)
				}
			}
		}); n != 0 {
			t.Errorf("ring %v: %v allocations a round", ring, n)
		}
		// Waiting ends by time-out, by interruption, and survives a port going down and up.
		link, err := netlink.LinkByName("b0")
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range []func(netlink.Link) error{netlink.LinkSetDown, netlink.LinkSetUp} {
			if err := set(link); err != nil {
				t.Fatal(err)
			}
			for {
				if err := in.ReadBatch(&b); err != nil {
					t.Fatalf("ring %v: %v", ring, err)
				}
				if len(b.Frames) == 0 {
					break
				}
			}
			out.AddRaw(raw)
			out.Flush()
		}
		for deadline := time.Now().Add(3 * time.Second); len(b.Frames) == 0; {
			out.AddRaw(raw)
			out.Flush()
			if err := in.ReadBatch(&b); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(deadline) {
				t.Fatalf("ring %v: deaf after the port was down", ring)
			}
		}
		go func() { time.Sleep(20 * time.Millisecond); in.Interrupt() }()
		for {
			err := in.ReadBatch(&b)
			if errors.Is(err, ErrInterrupted) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(in.Close(), out.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestSendErrors(t *testing.T) {
	pair(t)
	out, err := OpenSender("a0")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	long := testFrame(3000, 0)
	out.AddRaw(long)
	out.AddRaw(testFrame(100, 0))
	out.Add(&Frame{Data: long[:100], WireLen: 101})
	out.AddRaw(long[:13])
	out.Add(&Frame{Data: long, WireLen: 3000, HasVNet: true, VNet: [10]byte{1, 1, 0, 0, 1, 0, 0xff, 0xff, 9}})
	out.Flush()
	if st := out.Stats(); st.Frames != 1 || st.TooLong != 1 || st.Truncated != 2 || st.Failed != 1 {
		t.Errorf("%+v", st)
	}
	l, err := netlink.LinkByName("a0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(l); err != nil {
		t.Fatal(err)
	}
	out.AddRaw(testFrame(100, 0))
	out.Flush()
	if st := out.Stats(); st.Down != 1 {
		t.Errorf("on a port that is down: %+v", st)
	}
	for _, cfg := range []PacketConfig{{}, {Interface: "none0"}, {Interface: "a0", RingBytes: 5}, {Interface: "a0", Batch: -1},
		{Interface: "a0", RetireAfter: 1}, {Interface: "a0", Fanout: NewFanoutGroup(-1)}} {
		if s, err := OpenPacket(cfg); err == nil {
			s.Close()
			t.Errorf("opened %+v", cfg)
		}
	}
	if _, err := OpenSender("none0"); err == nil {
		t.Error("opened a sender on no interface")
	}
}

func TestVNetShift(t *testing.T) {
	for _, tt := range []struct{ in, want [10]byte }{
		{[10]byte{}, [10]byte{}},
		{[10]byte{1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, [10]byte{1, 0, 0, 0, 0, 0, 38, 0, 16, 0}},
		{[10]byte{1, 1, 254, 0, 1, 2, 34, 0, 16, 0}, [10]byte{1, 1, 2, 1, 1, 2, 38, 0, 16, 0}},
		{[10]byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0}, [10]byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		got := tt.in
		if shiftVNet(&got, 4); got != tt.want {
			t.Errorf("%v became %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestFinishSCTP(t *testing.T) {
	frame := testFrame(80, 5)
	want := bytes.Clone(frame)
	clear(want[42:46])
	binary.LittleEndian.PutUint32(want[42:], crc32.Checksum(want[34:], crc32.MakeTable(crc32.Castagnoli)))
	h := [10]byte{1, 0, 0, 0, 0, 0, 34, 0, 8, 0}
	if finishSCTP(frame, &h); !bytes.Equal(frame, want) || h != [10]byte{} {
		t.Errorf("%x, header %v", frame, h)
	}
	for _, h := range [][10]byte{{1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, {0, 0, 0, 0, 0, 0, 34, 0, 8, 0}, {1, 0, 0, 0, 0, 0, 70, 0, 8, 0}, {1, 1, 0, 0, 9, 0, 34, 0, 8, 0}} {
		frame, was := testFrame(80, 5), h
		if finishSCTP(frame, &h); !bytes.Equal(frame, testFrame(80, 5)) || h != was {
			t.Errorf("%v was touched", was)
		}
	}
}

// aggregate builds a tunnelled TCP aggregate and its virtio header.
func aggregate(kind string, payload []byte, size int) (frame []byte, h [10]byte) {
	ip := func(p layers.IPProtocol, a byte) *layers.IPv4 {
		return &layers.IPv4{Version: 4, IHL: 5, TTL: 60, Id: 100, Protocol: p, SrcIP: net.IP{10, a, 0, 1}, DstIP: net.IP{10, a, 0, 2}}
	}
	ip6 := func(p layers.IPProtocol, a string) *layers.IPv6 {
		return &layers.IPv6{Version: 6, HopLimit: 60, NextHeader: p, SrcIP: net.ParseIP(a + "::1"), DstIP: net.ParseIP(a + "::2")}
	}
	eth := func(t layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: t}
	}
	tcp := &layers.TCP{SrcPort: 1, DstPort: 2, Seq: 0xfffffff0, ACK: true, PSH: true, FIN: true, CWR: true, Window: 9,
		Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindNop},
			{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}}
	var ls []gopacket.SerializableLayer
	inner4 := ip(layers.IPProtocolTCP, 9)
	_ = tcp.SetNetworkLayerForChecksum(inner4)
	switch kind {
	case "vxlan":
		outer := ip(layers.IPProtocolUDP, 1)
		udp := &layers.UDP{SrcPort: 5000, DstPort: 4789}
		_ = udp.SetNetworkLayerForChecksum(outer)
		ls = append(ls, eth(layers.EthernetTypeIPv4), outer, udp, &layers.VXLAN{ValidIDFlag: true, VNI: 7}, eth(layers.EthernetTypeIPv4), inner4)
	case "vxlan6":
		outer := ip6(layers.IPProtocolUDP, "fd01")
		udp := &layers.UDP{SrcPort: 5000, DstPort: 4789}
		_ = udp.SetNetworkLayerForChecksum(outer)
		in := ip6(layers.IPProtocolTCP, "fd02")
		_ = tcp.SetNetworkLayerForChecksum(in)
		ls = append(ls, eth(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 5, Type: layers.EthernetTypeIPv6}, outer, udp,
			&layers.VXLAN{ValidIDFlag: true, VNI: 7}, eth(layers.EthernetTypeIPv6), in)
	case "gre":
		ls = append(ls, eth(layers.EthernetTypeIPv4), ip(layers.IPProtocolGRE, 1), &layers.GRE{Protocol: layers.EthernetTypeIPv4}, inner4)
	case "ipip":
		ls = append(ls, eth(layers.EthernetTypeIPv4), ip(layers.IPProtocolIPv4, 1), inner4)
	case "plain":
		ls = append(ls, eth(layers.EthernetTypeIPv4), inner4)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(ls, tcp, gopacket.Payload(payload))...); err != nil {
		panic(err)
	}
	frame = b.Bytes()
	h = [10]byte{1, gsoTCPv4}
	if kind == "vxlan6" {
		h[1] = gsoTCPv6
	}
	binary.LittleEndian.PutUint16(h[4:], uint16(size))
	binary.LittleEndian.PutUint16(h[6:], uint16(len(frame)-len(payload)-32))
	binary.LittleEndian.PutUint16(h[8:], 16)
	if kind == "vxlan" { // the outer checksum is usually off over IPv4
		clear(frame[40:42])
	}
	return frame, h
}

func TestSegments(t *testing.T) {
	payload := make([]byte, 10000)
	for i := range payload {
		payload[i] = byte(i * 13 >> 2)
	}
	for _, kind := range []string{"vxlan", "vxlan6", "gre", "ipip"} {
		frame, h := aggregate(kind, payload, 1400)
		if !isTunnelled(frame, &h) {
			t.Fatalf("%s: not recognised", kind)
		}
		ta, ok := takeApart(frame, &h)
		if !ok || ta.count() != 8 {
			t.Fatalf("%s: %+v, %v", kind, ta, ok)
		}
		var all []byte
		for i := range ta.count() {
			// What another implementation would build for this segment alone.
			part := payload[i*1400 : min((i+1)*1400, len(payload))]
			dst := make([]byte, ta.payload+ta.size)
			s := dst[:ta.segment(dst, i)]
			p := gopacket.NewPacket(s, layers.LayerTypeEthernet, gopacket.Default)
			if e := p.ErrorLayer(); e != nil {
				t.Fatalf("%s: segment %d: %v", kind, i, e.Error())
			}
			var netLayer gopacket.NetworkLayer
			for _, l := range p.Layers() {
				switch l := l.(type) {
				case *layers.IPv4:
					netLayer = l
					if foldSum(addSum(0, l.Contents)) != 0xffff || int(l.Length) != len(l.Contents)+len(l.Payload) || int(l.Id) != 100+i {
						t.Errorf("%s: segment %d: %+v", kind, i, l)
					}
				case *layers.IPv6:
					netLayer = l
					if int(l.Length) != len(l.Payload) {
						t.Errorf("%s: segment %d: %+v", kind, i, l)
					}
				case *layers.UDP:
					_ = l.SetNetworkLayerForChecksum(netLayer)
					if int(l.Length) != 8+len(l.Payload) || (kind == "vxlan") != (l.Checksum == 0) {
						t.Errorf("%s: segment %d: %+v", kind, i, l)
					}
					if l.Checksum != 0 {
						if at := bytes.Index(s, l.Contents); foldSum(addSum(pseudoSum(s, ta.outer, protoUDP, len(s)-at), s[at:])) != 0xffff {
							t.Errorf("%s: segment %d: outer checksum", kind, i)
						}
					}
				case *layers.TCP:
					last := i == ta.count()-1
					if l.Seq != 0xfffffff0+uint32(i*1400) || l.FIN != last || l.PSH != last || l.CWR != (i == 0) || !l.ACK || !bytes.Equal(l.Payload, part) {
						t.Errorf("%s: segment %d: %+v", kind, i, l)
					}
					if foldSum(addSum(pseudoSum(s, ta.inner, protoTCP, len(s)-ta.tcp), s[ta.tcp:])) != 0xffff {
						t.Errorf("%s: segment %d: inner checksum", kind, i)
					}
					all = append(all, l.Payload...)
				}
			}
		}
		if !bytes.Equal(all, payload) {
			t.Errorf("%s: %d bytes of %d", kind, len(all), len(payload))
		}
		// With a length that does not fit it is not touched.
		bad := bytes.Clone(frame)
		bad = append(bad, 0)
		if _, ok := takeApart(bad, &h); ok {
			t.Errorf("%s: took a frame with a wrong length apart", kind)
		}
	}
	if frame, h := aggregate("plain", payload, 1400); isTunnelled(frame, &h) {
		t.Error("a plain aggregate was taken for a tunnelled one")
	}
}

func FuzzSegment(f *testing.F) {
	for _, kind := range []string{"vxlan", "vxlan6", "gre", "ipip", "plain"} {
		frame, h := aggregate(kind, make([]byte, 500), 100)
		f.Add(frame, h[:])
	}
	f.Fuzz(func(t *testing.T, frame, header []byte) {
		var h [10]byte
		copy(h[:], header)
		_ = isTunnelled(frame, &h)
		shifted := h
		shiftVNet(&shifted, 4)
		if ta, ok := takeApart(frame, &h); ok {
			total := 0
			dst := make([]byte, ta.payload+ta.size)
			for i := range min(ta.count(), 100) {
				total += ta.segment(dst, i) - ta.payload
			}
			if ta.count() <= 100 && total != len(frame)-ta.payload {
				t.Errorf("%d bytes in segments of %d", total, len(frame)-ta.payload)
			}
		}
		finishSCTP(bytes.Clone(frame), &h)
		_ = findControl(frame, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, stampLen)
		if aux := findControl(frame, unix.SOL_PACKET, unix.PACKET_AUXDATA, auxLen); aux != nil {
			var fr Frame
			fr.aux(aux)
		}
	})
}

// TestArrivalTime checks that frames carry the time at which they came, not that
// at which they were read. The kernel begins to stamp a little after a socket
// asks for it, and stamps the frames that came before when they are read: one
// frame of several must be stamped on its way.
func TestArrivalTime(t *testing.T) {
	pair(t)
	in, err := OpenPacket(PacketConfig{Interface: "b0"})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := OpenSender("a0")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	frame := make([]byte, 60)
	frame[12], frame[13] = 0x88, 0xb5
	for try := byte(1); ; try++ {
		frame[14] = try
		before := time.Now().UnixNano()
		out.AddRaw(frame)
		out.Flush()
		// A socket that is readable has the frame.
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(in.FD()), Events: unix.POLLIN}}, 5000); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		here := time.Now().UnixNano()
		time.Sleep(20 * time.Millisecond)
		at := arrival(t, in, try)
		if at >= before && at <= here {
			return
		}
		if at < before || try == 20 {
			t.Fatalf("it came between %d and %d, and says %d", before, here, at)
		}
	}
}

// arrival gives the time of the frame that TestArrivalTime sent at its try.
func arrival(t *testing.T, in *PacketSocket, try byte) int64 {
	t.Helper()
	var b Batch
	for range 100 {
		if err := in.ReadBatch(&b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Frames {
			if f := &b.Frames[i]; f.Data[12] == 0x88 && f.Data[13] == 0xb5 && f.Data[14] == try {
				return f.Time
			}
		}
	}
	t.Fatal("the frame did not come")
	return 0
}

// BenchmarkPacketPath gives the cost of one frame, sent and received in rounds
// of 64; the ring waits for its block timer in each.
func BenchmarkPacketPath(b *testing.B) {
	for _, ring := range []bool{false, true} {
		name := "recvmmsg"
		if ring {
			name = "ring"
		}
		b.Run(name, func(b *testing.B) {
			pair(b)
			in, err := OpenPacket(PacketConfig{Interface: "b0", Ring: ring})
			if err != nil {
				b.Fatal(err)
			}
			defer in.Close()
			out, err := OpenSender("a0")
			if err != nil {
				b.Fatal(err)
			}
			defer out.Close()
			raw := testFrame(200, 1)
			var batch Batch
			b.ReportAllocs()
			b.SetBytes(200)
			for i := 0; b.Loop(); i++ {
				out.AddRaw(raw)
				if i%64 == 63 {
					out.Flush()
					for n := 0; n < 64; {
						if err := in.ReadBatch(&batch); err != nil {
							b.Fatal(err)
						}
						n += len(batch.Frames)
						if len(batch.Frames) == 0 {
							break
						}
					}
				}
			}
		})
	}
}
