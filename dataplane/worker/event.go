package worker

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/events"
)

// emit hands an event over, masked and numbered within its packet.
func (w *Worker) emit(e *events.Event) {
	w.maskTexts(e)
	e.Seq = w.seq
	w.seq++
	w.counters.Events++
	w.out = append(w.out, e)
}

// event begins a record about a flow as seen from the sender of direction dir.
func (w *Worker) event(typ string, f *flow.Flow, dir protocol.Dir) *events.Event {
	e := &events.Event{
		Time: w.now, Type: typ, FlowID: f.ID, PcapCnt: w.num, PcapFile: w.cfg.PcapFile,
		Proto: ProtoName(f.Proto), IPVersion: f.IPVersion, PktSrc: "wire/pcap",
	}
	if w.closing {
		e.PcapCnt, e.PktSrc, e.Order = 0, "stream (flow timeout)", f.FirstNum
	}
	if int(f.Port) < len(w.cfg.Ifaces) {
		e.InIface, e.PcapCnt = w.cfg.Ifaces[f.Port], 0
	}
	if w.cfg.Report.Ethernet {
		e.Ether = w.etherTowards(f, dir)
	}
	if f.NVLAN > 0 {
		e.VLAN = append(e.VLAN, f.VLAN[:f.NVLAN]...)
	}
	src, dst, sp, dp := f.Client, f.Server, f.ClientPort, f.ServerPort
	if dir == protocol.ToClient {
		src, dst, sp, dp = dst, src, dp, sp
	}
	e.Src, e.Dst = src.Netip(), dst.Netip()
	switch f.Proto {
	case decode.ProtoTCP, decode.ProtoUDP, decode.ProtoSCTP:
		e.SrcPort, e.DstPort, e.HasPorts = sp, dp, true
	case decode.ProtoICMP, decode.ProtoICMPv6:
		e.HasICMP = true
		e.ICMPType, e.ICMPCode = uint8(f.ClientPort), uint8(f.ServerPort)
		if w.p != nil && w.p.Proto == f.Proto && !w.closing {
			e.ICMPType, e.ICMPCode = w.p.ICMPType, w.p.ICMPCode
		}
	}
	if id := f.App.Told(); id != protocol.Unknown {
		e.AppProto = id.String()
	}
	if id := f.App.Original(); id != protocol.Unknown && id != f.App.Told() {
		e.AppProtoOrig = id.String()
	}
	e.Metadata = flowMetadata(w.in.Matcher, f)
	if w.p != nil && w.p.TunnelDepth > 0 && !w.closing {
		w.tunnel(e, w.p)
	}
	return e
}

// tunnel tells of the packet that carries p.
func (w *Worker) tunnel(e *events.Event, p *decode.Packet) {
	var outer *decode.Packet
	for i := range w.pkts {
		if q := &w.pkts[i]; q.TunnelDepth+1 == p.TunnelDepth && q.IPVersion != 0 {
			outer = q
		}
	}
	if outer == nil {
		return
	}
	switch {
	case outer.Proto == decode.ProtoGRE:
		e.PktSrc = "gre tunnel"
	case outer.Proto == decode.ProtoUDP:
		e.PktSrc = "vxlan encapsulation"
		if outer.DstPort == 3544 || outer.SrcPort == 3544 {
			e.PktSrc = "teredo tunnel"
		}
	case outer.IPVersion == 6:
		e.PktSrc = "ipv6 tunnel"
	default:
		e.PktSrc = "ipv4 tunnel"
	}
	e.Tunnel = &events.Tunnel{SrcIP: events.FormatAddr(outer.Src.Netip()), DestIP: events.FormatAddr(outer.Dst.Netip()),
		Proto: ProtoName(outer.Proto), Depth: outer.TunnelDepth, PktSrc: "wire/pcap"}
	if outer.Has(decode.FlagHasPorts) {
		e.Tunnel.SrcPort, e.Tunnel.DestPort = outer.SrcPort, outer.DstPort
	}
}

// ether gives the link-layer addresses of a packet's own Ethernet header; nil
// where it has none.
func ether(p *decode.Packet) *events.Ether {
	at := int(p.L2)
	if p.Frame == nil || p.Frame.Link != capture.LinkEthernet || int(p.L3) < at+14 || len(p.Data) < at+14 {
		return nil
	}
	return &events.Ether{DestMAC: net.HardwareAddr(p.Data[at : at+6]).String(), SrcMAC: net.HardwareAddr(p.Data[at+6 : at+12]).String()}
}

// etherTowards gives the link-layer addresses for an event of a direction: those of
// the packet in work, which may go the other way, or the first ones of the flow's
// ends where no packet caused the event.
func (w *Worker) etherTowards(f *flow.Flow, dir protocol.Dir) *events.Ether {
	if !w.closing {
		e := ether(w.p)
		if e != nil && dir != w.dir {
			e.SrcMAC, e.DestMAC = e.DestMAC, e.SrcMAC
		}
		return e
	}
	st := w.state(f)
	if st == nil || len(st.macs[dir]) == 0 || len(st.macs[dir.Other()]) == 0 {
		return nil
	}
	src, dst := st.macs[dir][0], st.macs[dir.Other()][0]
	return &events.Ether{SrcMAC: net.HardwareAddr(src[:]).String(), DestMAC: net.HardwareAddr(dst[:]).String()}
}

// maxMACs bounds the link-layer addresses that are kept of a direction.
const maxMACs = 8

// noteMAC keeps the addresses of a packet for the record of its flow.
func (w *Worker) noteMAC(p *decode.Packet, f *flow.Flow, dir protocol.Dir) {
	at := int(p.L2)
	if p.Frame == nil || p.Frame.Link != capture.LinkEthernet || int(p.L3) < at+14 || len(p.Data) < at+14 {
		return
	}
	st := w.ensure(f)
	for i, d := range [2]protocol.Dir{dir.Other(), dir} {
		mac := [6]byte(p.Data[at+6*i:])
		if len(st.macs[d]) < maxMACs && !slices.Contains(st.macs[d], mac) {
			st.macs[d] = append(st.macs[d], mac)
		}
	}
}

// etherOf gives the addresses of a flow's ends for its record.
func (w *Worker) etherOf(f *flow.Flow) *events.Ether {
	st := w.state(f)
	if st == nil || len(st.macs[0])+len(st.macs[1]) == 0 {
		return nil
	}
	e := new(events.Ether)
	for _, m := range st.macs[protocol.ToServer] {
		e.SrcMACs = append(e.SrcMACs, net.HardwareAddr(m[:]).String())
	}
	for _, m := range st.macs[protocol.ToClient] {
		e.DestMACs = append(e.DestMACs, net.HardwareAddr(m[:]).String())
	}
	return e
}

// CompareFinal orders the events of flows that ended with the capture by the
// flows' first frames, so that they come out the same from any number of workers.
func CompareFinal(a, b *events.Event) int { return cmp.Compare(a.Order, b.Order) }

// packetEvent begins a record about a packet that has no flow.
func (w *Worker) packetEvent(typ string, p *decode.Packet) *events.Event {
	e := &events.Event{Time: w.now, Type: typ, PcapCnt: w.num, PcapFile: w.cfg.PcapFile, PktSrc: "wire/pcap", IPVersion: p.IPVersion}
	if p.Frame != nil && int(p.Frame.Port) < len(w.cfg.Ifaces) {
		e.InIface, e.PcapCnt = w.cfg.Ifaces[p.Frame.Port], 0
	}
	if w.cfg.Report.Ethernet {
		if e.Ether = ether(p); e.Ether != nil && p.IPVersion == 0 {
			e.Ether.EtherType = binary.BigEndian.Uint16(p.Data[int(p.L2)+12:])
		}
	}
	if p.NVLAN > 0 {
		e.VLAN = append(e.VLAN, p.VLAN[:p.NVLAN]...)
	}
	if p.IPVersion != 0 {
		e.Src, e.Dst, e.Proto = p.Src.Netip(), p.Dst.Netip(), ProtoName(p.Proto)
		if p.Has(decode.FlagHasPorts) {
			e.SrcPort, e.DstPort, e.HasPorts = p.SrcPort, p.DstPort, true
		}
	}
	return e
}

// ProtoName gives EVE's proto.
func ProtoName(proto uint8) string {
	switch proto {
	case decode.ProtoTCP:
		return "TCP"
	case decode.ProtoUDP:
		return "UDP"
	case decode.ProtoICMP:
		return "ICMP"
	case decode.ProtoICMPv6:
		return "IPv6-ICMP"
	case decode.ProtoSCTP:
		return "SCTP"
	case decode.ProtoGRE:
		return "GRE"
	case decode.ProtoESP:
		return "ESP"
	case decode.ProtoIPIP:
		return "IP-in-IP"
	case decode.ProtoIPv6:
		return "IPv6"
	case decode.ProtoIGMP:
		return "IGMP"
	case decode.ProtoAH:
		return "AH"
	}
	return fmt.Sprintf("%03d", proto)
}

// eveTime formats a packet time as EVE does.
func eveTime(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000-0700")
}

// flowPart gives EVE's flow object as alerts carry it.
func flowPart(f *flow.Flow) *events.Flow {
	part := &events.Flow{
		PktsToServer: f.Pkts[protocol.ToServer], PktsToClient: f.Pkts[protocol.ToClient],
		BytesToServer: f.Bytes[protocol.ToServer], BytesToClient: f.Bytes[protocol.ToClient],
		Start: eveTime(f.Start), SrcIP: events.FormatAddr(f.Client.Netip()), DestIP: events.FormatAddr(f.Server.Netip()),
	}
	if f.Proto == decode.ProtoTCP || f.Proto == decode.ProtoUDP {
		part.SrcPort, part.DestPort = f.ClientPort, f.ServerPort
	}
	return part
}

// packetAnomalies reports what decoding saw.
func (w *Worker) packetAnomalies(evs []decode.Event) {
	w.counters.Anomalies += uint64(len(evs))
	if !w.cfg.Report.DecodeAnomalies || !w.cfg.Report.wants("anomaly") {
		return
	}
	for _, ev := range evs {
		e := w.packetEvent("anomaly", w.p)
		e.Anomaly = &events.Anomaly{Type: "decode", Event: "decoder." + ev.String()}
		w.emit(e)
	}
}

// streamAnomalies reports what following the connection saw.
func (w *Worker) streamAnomalies(evs []decode.Event) {
	for _, ev := range evs {
		if i := int(ev) - int(decode.StreamEvents); i >= 0 && i < len(w.counters.StreamEvents) {
			w.counters.StreamEvents[i]++
		}
	}
	w.counters.Anomalies += uint64(len(evs))
	if !w.cfg.Report.StreamAnomalies || !w.cfg.Report.wants("anomaly") {
		return
	}
	for _, ev := range evs {
		e := w.event("anomaly", w.f, w.dir)
		e.Anomaly = &events.Anomaly{Type: "stream", Event: ev.String()}
		w.emit(e)
	}
}
