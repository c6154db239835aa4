package events

import (
	"net/netip"
	"strconv"
	"time"
)

// Encoder renders events as EVE JSON. Its zero value writes no optional fields.
// It is immutable and safe for concurrent use.
type Encoder struct {
	// CommunityID adds community_id (Community ID flow hashing, version 1).
	CommunityID bool
	// CommunityIDSeed is that hash's seed; sites that compare ids share it.
	CommunityIDSeed uint16
	// Host is written as EVE's host (Suricata's sensor-name) when not empty.
	Host string
}

// AppendEVE appends e as one EVE JSON object without a newline, with the zero
// Encoder's options. Field names and types are Suricata 8's wherever Suricata
// has the field. It keeps nothing of e.
func AppendEVE(dst []byte, e *Event) []byte {
	var enc Encoder
	return enc.AppendEVE(dst, e)
}

// AppendEVE appends e as one EVE JSON object without a newline.
func (enc *Encoder) AppendEVE(dst []byte, e *Event) []byte {
	dst = append(dst, `{"timestamp":"`...)
	dst = AppendTime(dst, e.Time)
	dst = append(dst, '"')
	dst = enc.appendEnvelope(dst, e)
	dst = appendParts(dst, e)
	for _, k := range sortedKeys(e.Extra) {
		dst = appendDynKey(dst, k)
		dst = appendAny(dst, e.Extra[k], 0)
	}
	dst = appendTail(dst, e)
	dst = appendStrOmit(dst, "host", enc.Host)
	return append(dst, '}')
}

// appendEnvelope writes what every event has, in Suricata's order.
func (enc *Encoder) appendEnvelope(dst []byte, e *Event) []byte {
	if e.FlowID != 0 {
		dst = appendUint(dst, "flow_id", e.FlowID)
	}
	if e.ParentID != 0 {
		dst = appendUint(dst, "parent_id", e.ParentID)
	}
	dst = appendStrOmit(dst, "in_iface", e.InIface)
	if e.PcapCnt != 0 {
		dst = appendUint(dst, "pcap_cnt", e.PcapCnt)
	}
	dst = appendStr(dst, "event_type", e.Type)
	if len(e.VLAN) > 0 {
		dst = append(appendKey(dst, "vlan"), '[')
		for i, v := range e.VLAN {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendUint(dst, uint64(v), 10)
		}
		dst = append(dst, ']')
	}
	if e.Src.IsValid() {
		dst = append(appendKey(dst, "src_ip"), '"')
		dst = append(AppendAddr(dst, e.Src), '"')
	}
	if e.HasPorts {
		dst = appendUint(dst, "src_port", uint64(e.SrcPort))
	}
	if e.Dst.IsValid() {
		dst = append(appendKey(dst, "dest_ip"), '"')
		dst = append(AppendAddr(dst, e.Dst), '"')
	}
	if e.HasPorts {
		dst = appendUint(dst, "dest_port", uint64(e.DstPort))
	}
	dst = appendStrOmit(dst, "proto", e.Proto)
	if e.HasICMP {
		dst = appendUint(dst, "icmp_type", uint64(e.ICMPType))
		dst = appendUint(dst, "icmp_code", uint64(e.ICMPCode))
		if e.ICMPAnswered {
			dst = appendUint(dst, "response_icmp_type", uint64(e.ResponseICMPType))
			dst = appendUint(dst, "response_icmp_code", uint64(e.ResponseICMPCode))
		}
	}
	if e.IPVersion != 0 {
		dst = appendUint(dst, "ip_v", uint64(e.IPVersion))
	}
	dst = appendStrOmit(dst, "pkt_src", e.PktSrc)
	if e.Ether != nil {
		dst = append(appendKey(dst, "ether"), '{')
		dst = appendStrOmit(dst, "dest_mac", e.Ether.DestMAC)
		dst = appendStrOmit(dst, "src_mac", e.Ether.SrcMAC)
		if e.Ether.EtherType != 0 {
			dst = appendUint(dst, "ether_type", uint64(e.Ether.EtherType))
		}
		dst = appendStrs(dst, "dest_macs", e.Ether.DestMACs)
		dst = appendStrs(dst, "src_macs", e.Ether.SrcMACs)
		dst = append(dst, '}')
	}
	dst = appendStrOmit(dst, "pcap_filename", e.PcapFile)
	if enc.CommunityID {
		dst = appendCommunityID(dst, e, enc.CommunityIDSeed)
	}
	if e.HasTxID {
		dst = appendUint(dst, "tx_id", e.TxID)
	}
	return dst
}

// appendParts writes the typed parts.
func appendParts(dst []byte, e *Event) []byte {
	if m := e.Metadata; m != nil {
		if len(m.TrafficID) > 0 || len(m.TrafficLabel) > 0 {
			dst = append(appendKey(dst, "traffic"), '{')
			dst = appendStrs(dst, "id", m.TrafficID)
			dst = appendStrs(dst, "label", m.TrafficLabel)
			dst = append(dst, '}')
		}
		if len(m.Flowbits) > 0 || len(m.Flowints) > 0 || len(m.Flowvars) > 0 || len(m.Pktvars) > 0 || len(m.Entropy) > 0 {
			dst = appendMetadata(appendKey(dst, "metadata"), m)
		}
	}
	if t := e.Tunnel; t != nil {
		dst = append(appendKey(dst, "tunnel"), '{')
		dst = appendStr(dst, "src_ip", t.SrcIP)
		dst = appendUint(dst, "src_port", uint64(t.SrcPort))
		dst = appendStr(dst, "dest_ip", t.DestIP)
		dst = appendUint(dst, "dest_port", uint64(t.DestPort))
		dst = appendStr(dst, "proto", t.Proto)
		dst = appendUint(dst, "depth", uint64(t.Depth))
		dst = appendStr(dst, "pkt_src", t.PktSrc)
		dst = append(dst, '}')
	}
	if e.Drop != nil {
		dst = appendDrop(appendKey(dst, "drop"), e.Drop)
	}
	if e.Alert != nil {
		dst = appendAlert(appendKey(dst, "alert"), e.Alert)
	}
	if e.VerdictAction != "" {
		dst = append(appendKey(dst, "verdict"), '{')
		dst = appendStr(dst, "action", e.VerdictAction)
		dst = appendStrOmit(dst, "reject-target", e.VerdictRejectTarget)
		dst = appendStrs(dst, "reject", e.VerdictReject)
		dst = append(dst, '}')
	}
	if e.DLP != nil {
		dst = appendDLP(appendKey(dst, "dlp"), e.DLP)
	}
	if e.Anomaly != nil {
		dst = appendAnomaly(appendKey(dst, "anomaly"), e.Anomaly)
	}
	if e.HTTP != nil {
		dst = appendHTTP(appendKey(dst, "http"), e.HTTP)
	}
	if e.DNS != nil {
		dst = appendDNS(appendKey(dst, "dns"), e.DNS)
	}
	if e.TLS != nil {
		dst = appendTLS(appendKey(dst, "tls"), e.TLS)
	}
	if e.SMTP != nil {
		dst = append(appendKey(dst, "smtp"), '{')
		dst = appendStrOmit(dst, "helo", e.SMTP.Helo)
		dst = appendStrOmit(dst, "mail_from", e.SMTP.MailFrom)
		dst = appendStrs(dst, "rcpt_to", e.SMTP.RcptTo)
		dst = append(dst, '}')
	}
	if e.Email != nil {
		dst = appendEmail(appendKey(dst, "email"), e.Email)
	}
	dst = appendStrOmit(dst, "app_proto", e.AppProto)
	dst = appendStrOmit(dst, "app_proto_orig", e.AppProtoOrig)
	dst = appendStrOmit(dst, "app_proto_ts", e.AppProtoTS)
	dst = appendStrOmit(dst, "app_proto_tc", e.AppProtoTC)
	dst = appendStrOmit(dst, "direction", e.Direction)
	if e.FileInfo != nil {
		dst = appendFileInfo(appendKey(dst, "fileinfo"), e.FileInfo)
	}
	if len(e.Files) > 0 {
		dst = append(appendKey(dst, "files"), '[')
		for i := range e.Files {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendFileInfo(dst, &e.Files[i])
		}
		dst = append(dst, ']')
	}
	if e.Flow != nil {
		dst = appendFlow(appendKey(dst, "flow"), e.Flow)
	}
	if e.TCP != nil {
		dst = appendTCP(appendKey(dst, "tcp"), e.TCP)
	}
	if e.Stats != nil {
		dst = appendStats(appendKey(dst, "stats"), e.Stats)
	}
	return dst
}

// appendTail writes what Suricata puts last: the bytes of the match.
func appendTail(dst []byte, e *Event) []byte {
	dst = appendBase64(dst, "payload", e.Payload)
	dst = appendStrOmit(dst, "payload_printable", e.PayloadPrintable)
	if e.Stream != nil {
		dst = appendInt(dst, "stream", int64(*e.Stream))
	}
	if len(e.Packet) > 0 {
		dst = appendBase64(dst, "packet", e.Packet)
		dst = append(appendKey(dst, "packet_info"), '{')
		dst = appendInt(dst, "linktype", int64(e.LinkType))
		dst = appendStrOmit(dst, "linktype_name", linkName(e.LinkType))
		dst = append(dst, '}')
	}
	if a := e.Aggregate; a != nil {
		dst = append(appendKey(dst, "aggregate"), '{')
		dst = appendUint(dst, "count", a.Count)
		dst = append(appendKey(dst, "first"), '"')
		dst = append(AppendTime(dst, a.First), '"')
		dst = append(appendKey(dst, "last"), '"')
		dst = append(AppendTime(dst, a.Last), '"')
		dst = append(dst, '}')
	}
	return dst
}

// AppendAddr appends an address as EVE spells it: IPv6 with all its groups in
// four digits.
func AppendAddr(dst []byte, a netip.Addr) []byte {
	if a.Is6() {
		for i, b := range a.As16() {
			if i > 0 && i%2 == 0 {
				dst = append(dst, ':')
			}
			dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
		}
		return dst
	}
	return a.AppendTo(dst)
}

// FormatAddr gives an address as AppendAddr writes it.
func FormatAddr(a netip.Addr) string { return string(AppendAddr(nil, a)) }

// linkName gives libpcap's name of a link type; empty where it is not one that
// captures of this program have.
func linkName(t int) string {
	switch t {
	case 0:
		return "NULL"
	case 1:
		return "EN10MB"
	case 9:
		return "PPP"
	case 12, 14, 101:
		return "RAW"
	case 104:
		return "C_HDLC"
	case 113:
		return "LINUX_SLL"
	case 228:
		return "IPv4"
	case 229:
		return "IPv6"
	case 276:
		return "LINUX_SLL2"
	}
	return ""
}

// AppendTime appends a time in nanoseconds since the epoch as EVE spells times:
// microseconds, UTC, offset without a colon. Flow.Start and Flow.End use it too.
func AppendTime(dst []byte, ns int64) []byte {
	t := time.Unix(0, ns).UTC()
	y, mo, d := t.Date()
	h, mi, s := t.Clock()
	if y < 0 || y > 9999 {
		return append(dst, "1970-01-01T00:00:00.000000+0000"...)
	}
	dst = append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-')
	dst = append(two(dst, int(mo)), '-')
	dst = append(two(dst, d), 'T')
	dst = append(two(dst, h), ':')
	dst = append(two(dst, mi), ':')
	dst = append(two(dst, s), '.')
	us := t.Nanosecond() / 1000
	dst = append(dst, byte('0'+us/100000), byte('0'+us/10000%10), byte('0'+us/1000%10),
		byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10))
	return append(dst, "+0000"...)
}

// FormatTime gives a time as AppendTime writes it.
func FormatTime(ns int64) string { return string(AppendTime(make([]byte, 0, 32), ns)) }

func two(dst []byte, v int) []byte { return append(dst, byte('0'+v/10), byte('0'+v%10)) }
