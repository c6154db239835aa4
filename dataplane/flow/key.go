package flow

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"sluice/dataplane/decode"
)

// ICMP types that a flow is made of: request and reply share one.
var (
	icmp4Peer = [256]uint8{8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10, 35: 36, 36: 35, 37: 38, 38: 37}
	icmp4Pair = [256]bool{8: true, 0: true, 13: true, 14: true, 15: true, 16: true, 17: true, 18: true, 10: true, 9: true, 35: true, 36: true, 37: true, 38: true}
	icmp6Peer = [256]uint8{128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 139: 140, 140: 139, 144: 145, 145: 144}
)

// ICMPError reports whether p is an ICMP message about another packet. Such a
// packet has no flow of its own: Table.Quoted finds the one it is about.
func ICMPError(p *decode.Packet) bool {
	switch p.Proto {
	case decode.ProtoICMP:
		t := p.ICMPType
		return t == 3 || t == 4 || t == 5 || t == 11 || t == 12
	case decode.ProtoICMPv6:
		return p.ICMPType < 128
	}
	return false
}

// icmpPorts gives what stands for ports in an ICMP flow's key: the packet's type
// for its sender and the type of the answer for its receiver.
func icmpPorts(proto, typ uint8) (src, dst uint16) {
	if proto == decode.ProtoICMP {
		if icmp4Pair[typ] {
			return uint16(typ), uint16(icmp4Peer[typ])
		}
		return uint16(typ), uint16(typ)
	}
	if peer := icmp6Peer[typ]; peer != 0 {
		return uint16(typ), uint16(peer)
	}
	return uint16(typ), uint16(typ)
}

// make fills in k for a packet from (src, sp) to (dst, dp), and reports whether
// the source is the lower end.
func (k *Key) make(src, dst *decode.Addr, sp, dp uint16) bool {
	c := bytes.Compare(src[:], dst[:])
	low := c < 0 || c == 0 && sp <= dp
	if low {
		k.Addr[0], k.Addr[1], k.Port[0], k.Port[1] = *src, *dst, sp, dp
	} else {
		k.Addr[0], k.Addr[1], k.Port[0], k.Port[1] = *dst, *src, dp, sp
	}
	return low
}

// context fills in what does not depend on the ends.
func (k *Key) context(p *decode.Packet, proto uint8, vlan bool) {
	k.Tunnel, k.Proto, k.IPVersion = p.TunnelID, proto, p.IPVersion
	if vlan {
		if p.NVLAN > 0 {
			k.VLAN[0] = p.VLAN[0]
		}
		if p.NVLAN > 1 {
			k.VLAN[1] = p.VLAN[1]
		}
	}
}

// KeyOf gives the key of p's flow and whether p's source is the key's lower end.
// It reports false in ok for packets that belong to no flow of their own.
func KeyOf(p *decode.Packet, ignoreVLAN bool) (k Key, low, ok bool) {
	if p.IPVersion == 0 || p.Flags&(decode.FlagInvalid|decode.FlagFragment) != 0 {
		return k, false, false
	}
	var sp, dp uint16
	switch {
	case p.Flags&decode.FlagHasPorts != 0:
		sp, dp = p.SrcPort, p.DstPort
	case p.Proto == decode.ProtoICMP, p.Proto == decode.ProtoICMPv6:
		if ICMPError(p) {
			return k, false, false
		}
		sp, dp = icmpPorts(p.Proto, p.ICMPType)
	}
	low = k.make(&p.Src, &p.Dst, sp, dp)
	k.context(p, p.Proto, !ignoreVLAN)
	return k, low, true
}

// The odd constants of wyhash's mixing step, which is in the public domain.
const (
	m0 = 0xa0761d6478bd642f
	m1 = 0xe7037ed1a0b428db
	m2 = 0x8ebc6af09c88c6e3
	m3 = 0x589965cc75374cc3
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hash gives a 64-bit hash of the key that does not depend on byte order.
func (k *Key) hash(seed uint64) uint64 {
	le := binary.LittleEndian
	a := mix(le.Uint64(k.Addr[0][:8])^m0, le.Uint64(k.Addr[0][8:])^seed)
	b := mix(le.Uint64(k.Addr[1][:8])^m1, le.Uint64(k.Addr[1][8:])^seed)
	w0 := uint64(k.Port[0]) | uint64(k.Port[1])<<16 | uint64(k.VLAN[0])<<32 | uint64(k.VLAN[1])<<48
	w1 := uint64(k.Tunnel) | uint64(k.Proto)<<32 | uint64(k.IPVersion)<<40
	c := mix(w0^m2, w1^m3^seed)
	return mix(a^m1, b^c) ^ c
}

// ID gives the deterministic, never zero identifier of a flow by key and start
// time (EVE's flow_id). It depends on nothing else but the seed. It has 53 bits:
// readers that keep JSON numbers as floating point would spoil more.
func ID(k *Key, start int64, seed uint64) uint64 {
	id := mix(k.hash(seed^m3)^uint64(start), m2) >> 11
	if id == 0 {
		return 1
	}
	return id
}
