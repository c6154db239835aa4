package flow

import (
	"encoding/binary"

	"sluice/dataplane/capture"
)

// FanoutHash gives a hash of a frame's outermost IP addresses that is the same
// for both directions and for all fragments, so that frames spread over workers
// by it keep each flow, its fragments and the tunnels it runs in together.
// VLAN tags, PPPoE and MPLS labels are passed over and do not count. Frames
// without IP give 0.
func FanoutHash(f *capture.Frame) uint32 {
	b := f.Data
	switch f.Link {
	case capture.LinkEthernet:
		if len(b) < 14 {
			return 0
		}
		return hashEther(binary.BigEndian.Uint16(b[12:]), b[14:])
	case capture.LinkSLL:
		if len(b) < 16 {
			return 0
		}
		return hashEther(binary.BigEndian.Uint16(b[14:]), b[16:])
	case capture.LinkSLL2:
		if len(b) < 20 {
			return 0
		}
		return hashEther(binary.BigEndian.Uint16(b), b[20:])
	case capture.LinkCHDLC:
		if len(b) < 4 {
			return 0
		}
		return hashEther(binary.BigEndian.Uint16(b[2:]), b[4:])
	case capture.LinkNull, capture.LinkLoop:
		if len(b) < 4 {
			return 0
		}
		return hashIP(b[4:])
	case capture.LinkPPP, capture.LinkPPPHDLC:
		if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
			b = b[2:]
		}
		return hashPPP(b)
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkIPv4, capture.LinkIPv6:
		return hashIP(b)
	}
	return 0
}

// maxTags bounds the VLAN tags and labels passed over.
const maxTags = 8

// hashEther takes what follows a link header with an EtherType.
func hashEther(typ uint16, b []byte) uint32 {
	for range maxTags {
		switch typ {
		case 0x0800, 0x86dd:
			return hashIP(b)
		case 0x8100, 0x88a8, 0x9100, 0x9200:
			if len(b) < 4 {
				return 0
			}
			typ, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		case 0x8864: // PPPoE session, RFC 2516
			if len(b) < 6 {
				return 0
			}
			return hashPPP(b[6:])
		case 0x8847, 0x8848: // MPLS, RFC 3032
			for range maxTags {
				if len(b) < 4 {
					return 0
				}
				bottom := b[2]&1 == 1
				b = b[4:]
				if bottom {
					return hashIP(b)
				}
			}
			return 0
		default:
			return 0
		}
	}
	return 0
}

// hashPPP takes a PPP frame from its protocol field on (RFC 1661), which may be
// compressed to one byte.
func hashPPP(b []byte) uint32 {
	switch {
	case len(b) >= 2 && b[0] == 0 && (b[1] == 0x21 || b[1] == 0x57):
		return hashIP(b[2:])
	case len(b) >= 1 && (b[0] == 0x21 || b[0] == 0x57):
		return hashIP(b[1:])
	}
	return 0
}

// hashIP hashes an IP packet's addresses, the order of the two not counting.
func hashIP(b []byte) uint32 {
	le := binary.LittleEndian
	var x, y uint64
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		x, y = mix(uint64(le.Uint32(b[12:]))^m0, m1), mix(uint64(le.Uint32(b[16:]))^m0, m1)
	case len(b) >= 40 && b[0]>>4 == 6:
		x = mix(le.Uint64(b[8:])^m0, le.Uint64(b[16:])^m1)
		y = mix(le.Uint64(b[24:])^m0, le.Uint64(b[32:])^m1)
	default:
		return 0
	}
	h := mix((x+y)^m2, (x^y)^m3)
	return uint32(h ^ h>>32)
}
