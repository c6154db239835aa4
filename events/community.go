package events

import (
	"bytes"
	"crypto/sha1" // the Community ID specification prescribes SHA-1; it is no protection here
	"encoding/base64"
	"strconv"
)

// icmp4Pairs and icmp6Pairs give the type that answers a type, by the Community
// ID specification (version 1, "ICMP"). Types without an entry are one-way.
var (
	icmp4Pairs = map[uint8]uint8{0: 8, 8: 0, 13: 14, 14: 13, 15: 16, 16: 15, 10: 9, 9: 10, 17: 18, 18: 17}
	icmp6Pairs = map[uint8]uint8{128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131,
		131: 130, 144: 145, 145: 144, 139: 140, 140: 139}
)

// appendCommunityID writes community_id, version 1, of the event's ends; events
// without addresses or with a protocol that has no number get none.
func appendCommunityID(dst []byte, e *Event, seed uint16) []byte {
	proto, ok := protoNumber(e.Proto)
	if !ok || !e.Src.IsValid() || !e.Dst.IsValid() || e.Src.Is4() != e.Dst.Is4() {
		return dst
	}
	src, dstAddr := e.Src.AsSlice(), e.Dst.AsSlice()
	sport, dport, ports, oneWay := e.SrcPort, e.DstPort, e.HasPorts, false
	if e.HasICMP {
		pairs := icmp4Pairs
		if proto == 58 {
			pairs = icmp6Pairs
		}
		sport, ports = uint16(e.ICMPType), true
		if answer, two := pairs[e.ICMPType]; two {
			dport = uint16(answer)
		} else {
			dport, oneWay = uint16(e.ICMPCode), true
		}
	}
	if c := bytes.Compare(src, dstAddr); !oneWay && (c > 0 || (c == 0 && sport > dport)) {
		src, dstAddr, sport, dport = dstAddr, src, dport, sport
	}
	var in [40]byte
	buf := append(in[:0], byte(seed>>8), byte(seed))
	buf = append(buf, src...)
	buf = append(buf, dstAddr...)
	buf = append(buf, proto, 0)
	if ports {
		buf = append(buf, byte(sport>>8), byte(sport), byte(dport>>8), byte(dport))
	}
	sum := sha1.Sum(buf)
	dst = append(appendKey(dst, "community_id"), `"1:`...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	return append(dst, '"')
}

// protoNumber gives the IANA number of Event.Proto.
func protoNumber(name string) (uint8, bool) {
	switch name {
	case "TCP":
		return 6, true
	case "UDP":
		return 17, true
	case "ICMP":
		return 1, true
	case "IPv6-ICMP":
		return 58, true
	case "SCTP":
		return 132, true
	}
	n, err := strconv.ParseUint(name, 10, 8)
	return uint8(n), err == nil
}
