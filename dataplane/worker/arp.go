package worker

import (
	"encoding/binary"
	"net"
	"net/netip"

	"sluice/dataplane/decode"
	"sluice/events"
)

// arpPart is EVE's arp object.
type arpPart struct {
	HWType    string `json:"hw_type"`
	ProtoType string `json:"proto_type"`
	Opcode    string `json:"opcode"`
	SrcMAC    string `json:"src_mac"`
	SrcIP     string `json:"src_ip"`
	DestMAC   string `json:"dest_mac"`
	DestIP    string `json:"dest_ip"`
}

// arpOpcodes are EVE's names of operations (RFC 826, 903 and 2390).
var arpOpcodes = [...]string{1: "request", 2: "reply", 3: "request_reverse", 4: "reply_reverse", 8: "inverse_request", 9: "inverse_reply"}

// etherARP is ARP's Ethernet type.
const etherARP = 0x0806

// arp reports a sound ARP message, of IPv4 over Ethernet, as the decoder has checked.
func (w *Worker) arp(p *decode.Packet) {
	b := p.Data[min(int(p.L3), len(p.Data)):]
	if len(b) < 28 || p.Flags&decode.FlagInvalid != 0 {
		return
	}
	part := arpPart{HWType: "ethernet", ProtoType: "ipv4", Opcode: "unknown",
		SrcMAC: net.HardwareAddr(b[8:14]).String(), SrcIP: events.FormatAddr(netip.AddrFrom4([4]byte(b[14:18]))),
		DestMAC: net.HardwareAddr(b[18:24]).String(), DestIP: events.FormatAddr(netip.AddrFrom4([4]byte(b[24:28])))}
	if op := int(binary.BigEndian.Uint16(b[6:])); op < len(arpOpcodes) && arpOpcodes[op] != "" {
		part.Opcode = arpOpcodes[op]
	}
	e := w.packetEvent("arp", p)
	if e.Ether != nil {
		e.Ether.EtherType = 0 // the object says as much
	}
	e.Extra = map[string]any{"arp": part}
	w.emit(e)
}
