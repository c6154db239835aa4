package engine

import (
	"encoding/binary"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// testsHold runs the rule's tests on the packet and the flow at hand.
func (m *Matcher) testsHold(r *crule) bool {
	for i := range r.tests {
		if !m.test(&r.tests[i]) {
			return false
		}
	}
	return true
}

func (m *Matcher) test(t *rule.Test) bool {
	switch t.Kind {
	case rule.TestStreamSize, rule.TestFlowAge, rule.TestFlowPkts, rule.TestFlowBytes, rule.TestAppProto, rule.TestAppEvent:
		return m.f != nil && m.flowTest(t)
	case rule.TestIPRep:
		return m.reputed(t)
	case rule.TestGeoIP:
		return m.located(t)
	case rule.TestSameIP:
		return *m.src == *m.dst
	case rule.TestL3Proto:
		return t.Int.Match(uint64(m.ipver))
	}
	p := m.p
	if p == nil {
		return false
	}
	switch t.Kind {
	case rule.TestDsize:
		return t.Int.Match(uint64(p.PayloadEnd - p.Payload))
	case rule.TestTCPFlags:
		if p.Proto != decode.ProtoTCP {
			return false
		}
		f := p.TCPFlags &^ t.Ignore
		switch t.Mode {
		case '+':
			return f&t.Flags == t.Flags
		case '*':
			return f&t.Flags != 0
		case '!':
			return f&t.Flags == 0
		}
		return f == t.Flags
	case rule.TestTTL:
		return p.IPVersion != 0 && t.Int.Match(uint64(p.TTL))
	case rule.TestTOS:
		return p.IPVersion != 0 && t.Int.Match(uint64(p.TOS))
	case rule.TestIPID:
		return p.IPVersion == 4 && t.Int.Match(uint64(p.IPID))
	case rule.TestSeq:
		return p.Proto == decode.ProtoTCP && t.Int.Match(uint64(p.Seq))
	case rule.TestAck:
		return p.Proto == decode.ProtoTCP && t.Int.Match(uint64(p.Ack))
	case rule.TestWindow:
		return p.Proto == decode.ProtoTCP && t.Int.Match(uint64(p.Window))
	case rule.TestMSS:
		return p.Proto == decode.ProtoTCP && p.TCPOpts.HasMSS && t.Int.Match(uint64(p.TCPOpts.MSS))
	case rule.TestWScale:
		return p.Proto == decode.ProtoTCP && p.TCPOpts.HasWScale && t.Int.Match(uint64(p.TCPOpts.WScale))
	case rule.TestICMPType:
		return icmp(p) && t.Int.Match(uint64(p.ICMPType))
	case rule.TestICMPCode:
		return icmp(p) && t.Int.Match(uint64(p.ICMPCode))
	case rule.TestICMPID, rule.TestICMPSeq, rule.TestICMPv6MTU:
		return icmpRest(p, t)
	case rule.TestFragBits:
		var f uint8
		if p.IPVersion != 4 {
			return false
		}
		if p.MoreFragments {
			f |= rule.FragMore
		}
		if p.DontFragment {
			f |= rule.FragDont
		}
		if h := header(p, p.L3, 20); h != nil && h[6]&0x80 != 0 {
			f |= rule.FragReserved
		}
		switch t.Mode {
		case '+':
			return f&t.Flags == t.Flags
		case '*':
			return f&t.Flags != 0
		case '!':
			return f&t.Flags == 0
		}
		return f == t.Flags
	case rule.TestFragOffset:
		return p.IPVersion != 0 && t.Int.Match(uint64(p.FragOffset)/8)
	case rule.TestIPProto:
		return p.IPVersion != 0 && t.Int.Match(uint64(p.Proto)) != t.Neg
	case rule.TestIPOpts:
		return hasIPOption(p, t.Option)
	case rule.TestVLAN:
		return vlanHolds(p, t)
	case rule.TestVLANLayers:
		return t.Int.Match(uint64(p.NVLAN))
	case rule.TestDecodeEvent, rule.TestStreamEvent:
		for _, e := range p.Events() {
			if e == t.Event {
				return true
			}
		}
		for _, e := range m.events {
			if e == t.Event {
				return true
			}
		}
		return false
	case rule.TestChecksum:
		return checksumHolds(p, t)
	case rule.TestRPC:
		return rpcHolds(p, t)
	}
	return false
}

func icmp(p *decode.Packet) bool { return p.Proto == decode.ProtoICMP || p.Proto == decode.ProtoICMPv6 }

// header gives n bytes of the packet from an offset on, nil where it is shorter.
func header(p *decode.Packet, off uint32, n int) []byte {
	if int(off)+n > len(p.Data) {
		return nil
	}
	return p.Data[off : int(off)+n]
}

// icmpRest tests identifier, sequence number and MTU (RFC 792, RFC 4443).
func icmpRest(p *decode.Packet, t *rule.Test) bool {
	h := header(p, p.L4, 8)
	if !icmp(p) || h == nil {
		return false
	}
	if t.Kind == rule.TestICMPv6MTU {
		return p.Proto == decode.ProtoICMPv6 && p.ICMPType == 2 && t.Int.Match(uint64(binary.BigEndian.Uint32(h[4:])))
	}
	if p.Proto == decode.ProtoICMP {
		switch p.ICMPType {
		case 0, 8, 13, 14, 15, 16, 17, 18:
		default:
			return false
		}
	} else if p.ICMPType != 128 && p.ICMPType != 129 {
		return false
	}
	off := 4
	if t.Kind == rule.TestICMPSeq {
		off = 6
	}
	return t.Int.Match(uint64(binary.BigEndian.Uint16(h[off:])))
}

func hasIPOption(p *decode.Packet, want uint8) bool {
	if p.IPVersion != 4 {
		return false
	}
	h := header(p, p.L3, 20)
	if h == nil {
		return false
	}
	n := int(h[0]&15) * 4
	if h = header(p, p.L3, n); h == nil || n <= 20 {
		return false
	}
	if want == 255 {
		return true
	}
	for o := h[20:]; len(o) > 0; {
		if o[0] == want {
			return true
		}
		switch {
		case o[0] == 0:
			return false
		case o[0] == 1:
			o = o[1:]
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return false
		default:
			o = o[o[1]:]
		}
	}
	return false
}

func vlanHolds(p *decode.Packet, t *rule.Test) bool {
	n := int(p.NVLAN)
	switch l := int(t.Layer); {
	case l == -1:
		for i := range n {
			if t.Int.Match(uint64(p.VLAN[i])) {
				return true
			}
		}
		return false
	case l == -2:
		for i := range n {
			if !t.Int.Match(uint64(p.VLAN[i])) {
				return false
			}
		}
		return n > 0
	case l < -2:
		l = n + l + 10 // -11 is the innermost
		return l >= 0 && l < n && t.Int.Match(uint64(p.VLAN[l]))
	default:
		return l < n && t.Int.Match(uint64(p.VLAN[l]))
	}
}

func checksumHolds(p *decode.Packet, t *rule.Test) bool {
	var bad bool
	switch t.What {
	case "ipv4":
		if p.IPVersion != 4 {
			return false
		}
		h := header(p, p.L3, 20)
		if h == nil {
			return false
		}
		if n := int(h[0]&15) * 4; n >= 20 {
			h = header(p, p.L3, n)
		}
		// Computed here: the decoder does not look where checksums are taken at
		// their word.
		bad = h == nil || decode.ChecksumIPv4(h) != binary.BigEndian.Uint16(h[10:])
	default:
		proto, ver := uint8(0), uint8(4)
		switch t.What {
		case "tcpv4":
			proto = decode.ProtoTCP
		case "tcpv6":
			proto, ver = decode.ProtoTCP, 6
		case "udpv4":
			proto = decode.ProtoUDP
		case "udpv6":
			proto, ver = decode.ProtoUDP, 6
		case "icmpv4":
			proto = decode.ProtoICMP
		case "icmpv6":
			proto, ver = decode.ProtoICMPv6, 6
		}
		if p.Proto != proto || p.IPVersion != ver {
			return false
		}
		var known bool
		if bad, known = decode.BadL4Checksum(p); !known {
			return false
		}
	}
	return bad != t.Valid
}

// rpcHolds tests a call of ONC RPC (RFC 5531 §9): program, version, procedure.
func rpcHolds(p *decode.Packet, t *rule.Test) bool {
	b := p.PayloadBytes()
	if p.Proto == decode.ProtoTCP {
		if len(b) < 4 {
			return false
		}
		b = b[4:] // record mark
	}
	if len(b) < 24 || binary.BigEndian.Uint32(b[4:]) != 0 || binary.BigEndian.Uint32(b[8:]) != 2 {
		return false
	}
	for i, want := range t.RPC {
		if want >= 0 && uint32(want) != binary.BigEndian.Uint32(b[12+4*i:]) {
			return false
		}
	}
	return true
}

// covers reports whether a protocol found is the one asked for; http asks for
// both of its versions, and DNS over HTTP/2 is both of what its name says.
func covers(want, found protocol.ID) bool {
	return want == found || want == protocol.HTTP1 && found.Spoken() == protocol.HTTP2 ||
		found == protocol.DoH2 && (want == protocol.HTTP2 || want == protocol.DNS)
}

// flowTest tests what is known of the flow.
func (m *Matcher) flowTest(t *rule.Test) bool {
	f := m.f
	both := func(c, s uint64) bool {
		switch t.Dir {
		case 1:
			return t.Int.Match(c)
		case 2:
			return t.Int.Match(s)
		case 3:
			return t.Int.Match(c) && t.Int.Match(s)
		}
		return t.Int.Match(c) || t.Int.Match(s)
	}
	switch t.Kind {
	case rule.TestStreamSize:
		if f.TCP == nil {
			return false
		}
		return both(f.TCP.Size(protocol.ToServer), f.TCP.Size(protocol.ToClient))
	case rule.TestFlowAge:
		return t.Int.Match(uint64(max(f.Last-f.Start, 0) / 1e9))
	case rule.TestFlowPkts, rule.TestFlowBytes:
		n := &f.Pkts
		if t.Kind == rule.TestFlowBytes {
			n = &f.Bytes
		}
		if t.Dir == 3 {
			return t.Int.Match(n[0] + n[1])
		}
		return both(n[0], n[1])
	case rule.TestAppProto:
		id := f.App.Proto()
		if id == protocol.Unknown && t.App != protocol.Unknown {
			return false
		}
		var same bool
		switch t.Which {
		case "final":
			same = covers(t.App, id)
		case "original":
			same = covers(t.App, f.App.Original())
		case "to_server":
			same = covers(t.App, f.App.ProtoOf(protocol.ToServer))
		case "to_client":
			same = covers(t.App, f.App.ProtoOf(protocol.ToClient))
		case "either":
			same = covers(t.App, f.App.ProtoOf(protocol.ToServer)) || covers(t.App, f.App.ProtoOf(protocol.ToClient))
		default:
			same = covers(t.App, id) || t.App != protocol.Unknown && covers(t.App, f.App.ProtoOf(m.dir))
		}
		return same != t.Neg
	case rule.TestAppEvent:
		return f.App.NewEvents()>>t.Option&1 == 1
	}
	return false
}

// local gives a packet's own buffer.
func (m *Matcher) local(k rule.Local) []byte {
	p := m.p
	if p == nil {
		return nil
	}
	cut := func(from, to uint32) []byte {
		if from > to || int(to) > len(p.Data) {
			return nil
		}
		return p.Data[from:to]
	}
	switch k {
	case rule.LocalIPv4Hdr:
		if p.IPVersion == 4 {
			if h := header(p, p.L3, 1); h != nil {
				return cut(p.L3, p.L3+uint32(h[0]&15)*4)
			}
		}
	case rule.LocalIPv6Hdr:
		if p.IPVersion == 6 {
			return cut(p.L3, max(p.L4, p.L3+40)) // with its extension headers
		}
	case rule.LocalTCPHdr:
		if p.Proto == decode.ProtoTCP {
			return cut(p.L4, p.Payload)
		}
	case rule.LocalUDPHdr:
		if p.Proto == decode.ProtoUDP {
			return cut(p.L4, p.L4+8)
		}
	case rule.LocalICMPv4Hdr:
		if p.Proto == decode.ProtoICMP {
			return cut(p.L4, min(p.L4+8, p.PayloadEnd))
		}
	case rule.LocalICMPv6Hdr:
		if p.Proto == decode.ProtoICMPv6 {
			return cut(p.L4, min(p.L4+8, p.PayloadEnd))
		}
	case rule.LocalIPSrc, rule.LocalIPDst:
		a := m.src
		if k == rule.LocalIPDst {
			a = m.dst
		}
		if m.ipver == 4 {
			return a[12:]
		}
		return a[:]
	}
	return nil
}
