package rule

import (
	"sort"
	"strings"
	"sync"

	"sluice/dataplane/protocol/dnp3"
	"sluice/dataplane/protocol/enip"
)

// valueMode tells whether a keyword takes a value.
type valueMode uint8

const (
	valueNeeded valueMode = iota
	valueNone
	valueOptional
)

type keyword struct {
	value valueMode
	parse func(c *context, name, val string) error
}

// keywords are all keywords that are parsed here, but for sticky buffers and
// numbers of protocols.
var keywords map[string]keyword

func init() {
	need := func(f func(*context, string, string) error) keyword { return keyword{valueNeeded, f} }
	none := func(f func(*context, string, string) error) keyword { return keyword{valueNone, f} }
	opt := func(f func(*context, string, string) error) keyword { return keyword{valueOptional, f} }
	test := func(k TestKind, limit uint64, names map[string]uint64) keyword {
		return need(func(c *context, _, val string) error {
			t, err := parseInt(val, limit, names)
			if err != nil {
				return err
			}
			c.r.Tests = append(c.r.Tests, Test{Kind: k, Int: t, Col: c.col})
			return nil
		})
	}
	keywords = map[string]keyword{
		"msg": need((*context).msg), "sid": need((*context).number), "gid": need((*context).number), "rev": need((*context).number),
		"classtype": need((*context).classtype), "priority": need((*context).number), "metadata": need((*context).metadata),
		"reference": need((*context).reference), "target": need((*context).target), "requires": need((*context).requires),
		"noalert": none(func(c *context, _, _ string) error { c.r.NoAlert = true; return nil }),
		"alert":   none(func(c *context, _, _ string) error { c.r.AlertToo = true; return nil }),

		"content": need((*context).content), "uricontent": need((*context).uricontent),
		"nocase": none((*context).nocase), "replace": need((*context).replace), "rawbytes": none((*context).rawbytes), "fast_pattern": opt((*context).fastPattern),
		"depth": need((*context).position), "offset": need((*context).position), "distance": need((*context).position),
		"within": need((*context).position), "startswith": none((*context).anchored), "endswith": none((*context).anchored),
		"isdataat": need((*context).isdataat), "bsize": need((*context).bsize), "dsize": test(TestDsize, 65535, nil),
		"urilen": need((*context).urilen), "pcre": need((*context).pcre), "absent": opt((*context).absent),
		"byte_test": need((*context).byteTest), "byte_jump": need((*context).byteJump),
		"byte_extract": need((*context).byteExtract), "byte_math": need((*context).byteMath),
		"base64_decode": opt((*context).base64Decode), "base64_data": none((*context).base64Data),
		"dataset": need((*context).dataset), "datarep": need((*context).dataset), "entropy": need((*context).entropy),
		"frame": need((*context).frame), "asn1": need((*context).asn1), "ftpbounce": none((*context).ftpbounce), "prefilter": none(func(*context, string, string) error { return nil }),

		"flow": need((*context).flow), "flowbits": need((*context).flowbits), "flowint": need((*context).flowint),
		"xbits": need((*context).xbits), "hostbits": need((*context).hostbits), "threshold": need((*context).threshold),
		"detection_filter": need((*context).threshold), "tag": need((*context).tag), "stream_size": need((*context).streamSize), "config": need((*context).config),
		"flow.age": test(TestFlowAge, 1<<32-1, nil), "filestore": opt((*context).filestore), "bypass": none(func(c *context, _, _ string) error { c.r.Bypass = true; return nil }),
		"flow.pkts": need((*context).flowCount), "flow.bytes": need((*context).flowCount),
		"flow.pkts_toserver": need((*context).flowCount), "flow.pkts_toclient": need((*context).flowCount),
		"flow.bytes_toserver": need((*context).flowCount), "flow.bytes_toclient": need((*context).flowCount),

		"ttl": test(TestTTL, 255, nil), "tos": need((*context).tos), "id": test(TestIPID, 65535, nil),
		"seq": test(TestSeq, 1<<32-1, nil), "ack": test(TestAck, 1<<32-1, nil), "tcp.seq": test(TestSeq, 1<<32-1, nil), "tcp.ack": test(TestAck, 1<<32-1, nil),
		"window": need((*context).window), "tcp.window": need((*context).window), "flags": need((*context).tcpFlags), "tcp.flags": need((*context).tcpFlags),
		"tcp.mss": test(TestMSS, 65535, nil), "tcp.wscale": test(TestWScale, 255, nil),
		"itype": test(TestICMPType, 255, icmpTypes), "icode": test(TestICMPCode, 255, nil),
		"icmp_id": test(TestICMPID, 65535, nil), "icmp_seq": test(TestICMPSeq, 65535, nil), "icmpv6.mtu": test(TestICMPv6MTU, 1<<32-1, nil),
		"fragbits": need((*context).fragbits), "fragoffset": test(TestFragOffset, 65535, nil), "ip_proto": need((*context).ipProto),
		"iprep": need((*context).iprep), "geoip": need((*context).geoip), "sameip": none((*context).sameip), "ipopts": need((*context).ipopts), "rpc": need((*context).rpc),
		"vlan.id": need((*context).vlan), "vlan.layers": test(TestVLANLayers, 3, nil), "l3_proto": need((*context).l3proto),

		"app-layer-protocol": need((*context).appProto), "app-layer-event": need((*context).appEvent),
		"decode-event": need((*context).event), "stream-event": need((*context).event), "engine-event": need((*context).event),
		"ipv4-csum": need((*context).checksum), "tcpv4-csum": need((*context).checksum), "tcpv6-csum": need((*context).checksum),
		"udpv4-csum": need((*context).checksum), "udpv6-csum": need((*context).checksum), "icmpv4-csum": need((*context).checksum), "icmpv6-csum": need((*context).checksum),

		"filesize": need((*context).file), "fileext": need((*context).file), "filename": need((*context).file), "filemagic": need((*context).file),
		"filemd5": need((*context).file), "filesha1": need((*context).file), "filesha256": need((*context).file),

		"tls.version": need((*context).tlsVersion), "ssl_version": need((*context).tlsVersion), "ssl_state": need((*context).sslState),
		"dcerpc.iface": need((*context).dceIface), "dce_iface": need((*context).dceIface), "dcerpc.opnum": need((*context).dceOpnum), "dce_opnum": need((*context).dceOpnum),
		"modbus": need((*context).modbus), "dnp3_ind": need((*context).dnp3Ind), "dnp3.ind": need((*context).dnp3Ind), "dnp3_obj": need((*context).dnp3Obj), "dnp3.obj": need((*context).dnp3Obj),
		"cip_service": need((*context).cipService), "enip.cip_service": need((*context).cipService),
		"mqtt.flags": need((*context).mqttFlag), "mqtt.connect.flags": need((*context).mqttFlag),
		"ike.chosen_sa_attribute": need((*context).ikeChosen), "websocket.flags": need((*context).websocketFlags),
		"nfs_procedure": need((*context).nfsProcedure), "nfs_version": need((*context).nfsVersion), "nfs.version": need((*context).nfsVersion),
		"ldap.responses.operation": need((*context).ldapAnswer), "ldap.responses.result_code": need((*context).ldapAnswer),
		"krb5.ticket_encryption": need((*context).krb5Ticket),
		"tls_cert_notbefore":     need((*context).certTime), "tls_cert_notafter": need((*context).certTime),
		"tls_cert_expired": none((*context).certAge), "tls_cert_valid": none((*context).certAge),
		"tls.store": none((*context).tlsStore), "tlsstore": none((*context).tlsStore), "http2.settings": need((*context).http2Setting),
	}
	for name := range transforms {
		keywords[name] = keyword{valueOptional, (*context).transform}
	}
	for name := range legacy {
		keywords[name] = none(func(c *context, modifier, _ string) error { return c.move(modifier, legacy[modifier]) })
	}
}

// knownKeywords are keywords of the language that are not evaluated yet.
var knownKeywords = func() map[string]string {
	m := map[string]string{}
	for _, n := range strings.Fields(`lua luaxform template2 geneve ftpdata_command ftp.dynamic_port ftp.mode ftp.reply_received
		smb_version ssh.protoversion tls.cert_expired tls.cert_valid
		cluster flowvar pktvar hostvar dns_query_flags stream-size ttl_range igmp.type igmp.csum
		flow.elephant flow.elephant_toserver flow.elephant_toclient smtp.bdat email.count ndpi-protocol ndpi-risk file_stored pgsql.type
		sip.stat_code_num tls.handshake_type ether.hdr arp.opcode tcp.opts`) {
		m[n] = "keyword " + n
	}
	return m
}()

// allKeywords lists every name that an option can have, for suggestions.
var allKeywords = sync.OnceValue(func() []string {
	seen := map[string]bool{}
	for n := range keywords {
		seen[n] = true
	}
	for n := range isKnownBuffer {
		seen[n] = true
	}
	for n := range fieldKeywords {
		seen[n] = true
	}
	for n := range knownKeywords {
		seen[n] = true
	}
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
})

// fieldKeyword is a number of a protocol's transaction.
type fieldKeyword struct {
	proto string
	limit uint64
	names map[string]uint64
}

var dnsTypes = map[string]uint64{"a": 1, "ns": 2, "md": 3, "mf": 4, "cname": 5, "soa": 6, "mb": 7, "mg": 8, "mr": 9, "null": 10, "wks": 11, "ptr": 12,
	"hinfo": 13, "minfo": 14, "mx": 15, "txt": 16, "rp": 17, "afsdb": 18, "x25": 19, "isdn": 20, "rt": 21, "nsap": 22, "nsapptr": 23, "sig": 24, "key": 25, "px": 26, "gpos": 27, "aaaa": 28,
	"loc": 29, "nxt": 30, "srv": 33, "atma": 34, "naptr": 35, "kx": 36, "cert": 37, "a6": 38, "dname": 39, "opt": 41, "apl": 42, "ds": 43, "sshfp": 44, "ipseckey": 45,
	"rrsig": 46, "nsec": 47, "dnskey": 48, "dhcid": 49, "nsec3": 50, "nsec3param": 51, "tlsa": 52, "smimea": 53, "hip": 55, "cds": 59, "cdnskey": 60, "openpgpkey": 61, "csync": 62, "zonemd": 63, "svcb": 64, "https": 65, "spf": 99,
	"tkey": 249, "tsig": 250, "ixfr": 251, "axfr": 252, "mailb": 253, "maila": 254, "any": 255, "uri": 256, "caa": 257}

var dnsCodes = map[string]uint64{"noerror": 0, "formerr": 1, "servfail": 2, "nxdomain": 3, "notimp": 4, "refused": 5, "yxdomain": 6, "yxrrset": 7,
	"nxrrset": 8, "notauth": 9, "notzone": 10, "dsotypeni": 11, "badvers": 16, "badsig": 16, "badkey": 17, "badtime": 18, "badmode": 19, "badname": 20, "badalg": 21, "badtrunc": 22, "badcookie": 23}

var http2Frames = map[string]uint64{"data": 0, "headers": 1, "priority": 2, "rststream": 3, "settings": 4, "pushpromise": 5, "ping": 6, "goaway": 7, "windowupdate": 8, "continuation": 9}

var http2Errors = map[string]uint64{"no_error": 0, "protocol_error": 1, "internal_error": 2, "flow_control_error": 3, "settings_timeout": 4, "stream_closed": 5,
	"frame_size_error": 6, "refused_stream": 7, "cancel": 8, "compression_error": 9, "connect_error": 10, "enhance_your_calm": 11, "inadequate_security": 12, "http_1_1_required": 13}

var snmpTypes = map[string]uint64{"get_request": 0, "get_next_request": 1, "response": 2, "set_request": 3, "trap_v1": 4, "get_bulk_request": 5,
	"inform_request": 6, "trap_v2": 7, "report": 8}

var yesNo = map[string]uint64{"yes": 1, "on": 1, "true": 1, "1": 1, "no": 0, "off": 0, "false": 0, "0": 0}

var rfbResults = map[string]uint64{"ok": 0, "fail": 1, "toomany": 2, "unknown": 3}

// fieldKeywords are evaluated through the functions that the program registers
// under the same names.
var fieldKeywords = map[string]fieldKeyword{
	"dns.opcode": {"dns", 15, nil}, "dns.rcode": {"dns", 65535, dnsCodes}, "dns.rrtype": {"dns", 65535, dnsTypes},
	"tls.cert_chain_len":      {"tls", 1<<32 - 1, nil},
	"http.response_body_size": {"http", 1<<63 - 1, nil},
	"ssh.hassh_present":       {"ssh", 1, nil}, "smb.version": {"smb", 3, nil},
	"http2.frametype": {"http2", 255, http2Frames}, "http2.errorcode": {"http2", 1<<32 - 1, http2Errors}, "http2.priority": {"http2", 255, nil},
	"http2.window": {"http2", 1<<31 - 1, nil}, "http2.size_update": {"http2", 1<<32 - 1, nil},
	"ftp.mode": {"ftp", 2, map[string]uint64{"active": 1, "passive": 2}}, "ftp.dynamic_port": {"ftp", 65535, nil},
	"ftp.reply_received": {"ftp", 1, yesNo}, "ftpdata_command": {"ftp-data", 2, map[string]uint64{"retr": 1, "stor": 2}},
	"mqtt.type": {"mqtt", 15, mqttTypes}, "mqtt.qos": {"mqtt", 3, nil}, "mqtt.protocol_version": {"mqtt", 255, nil}, "mqtt.reason_code": {"mqtt", 255, nil},
	"mqtt.connack.session_present": {"mqtt", 1, yesNo},
	"rfb.sectype":                  {"rfb", 1<<32 - 1, nil}, "rfb.secresult": {"rfb", 1<<32 - 1, rfbResults},
	"websocket.opcode": {"websocket", 15, websocketOpcodes}, "websocket.mask": {"websocket", 1<<32 - 1, nil},
	"dhcp.leasetime": {"dhcp", 1<<32 - 1, nil}, "dhcp.rebinding_time": {"dhcp", 1<<32 - 1, nil}, "dhcp.renewal_time": {"dhcp", 1<<32 - 1, nil},
	"ike.exchtype": {"ike", 255, nil}, "ike.key_exchange_payload_length": {"ike", 1<<32 - 1, nil}, "ike.nonce_payload_length": {"ike", 1<<32 - 1, nil},
	"dnp3_func": {"dnp3", 255, dnp3.FunctionCodes()}, "dnp3.func": {"dnp3", 255, dnp3.FunctionCodes()},
	"enip_command": {"enip", 65535, enip.CommandCodes()}, "enip.command": {"enip", 65535, enip.CommandCodes()}, "enip.status": {"enip", 1<<32 - 1, enip.StatusCodes()},
	"enip.protocol_version": {"enip", 65535, nil}, "enip.cip_attribute": {"enip", 1<<32 - 1, nil}, "enip.cip_instance": {"enip", 1<<32 - 1, nil},
	"enip.cip_class": {"enip", 1<<32 - 1, nil}, "enip.cip_status": {"enip", 255, nil}, "enip.cip_extendedstatus": {"enip", 65535, nil},
	"enip.revision": {"enip", 65535, nil}, "enip.identity_status": {"enip", 65535, nil}, "enip.state": {"enip", 255, nil}, "enip.serial": {"enip", 1<<32 - 1, nil},
	"enip.product_code": {"enip", 65535, nil}, "enip.device_type": {"enip", 65535, nil}, "enip.vendor_id": {"enip", 65535, nil}, "enip.capabilities": {"enip", 65535, nil},
	"krb5_msg_type": {"krb5", 1<<32 - 1, nil}, "krb5_err_code": {"krb5", 1<<32 - 1, nil},
	"snmp.version": {"snmp", 1<<32 - 1, nil}, "snmp.pdu_type": {"snmp", 1<<32 - 1, snmpTypes},
	"ldap.request.operation": {"ldap", 255, ldapOps}, "ldap.responses.count": {"ldap", 1<<32 - 1, nil},
	"ftp.reply_code": {"ftp", 999, nil}, "smtp.reply_code": {"smtp", 999, nil},
}

func (c *context) field(name, val string, k fieldKeyword) error {
	if val == "" {
		return faultf("needs a number")
	}
	if err := c.needProto(k.proto); err != nil {
		return err
	}
	t, err := parseInt(val, k.limit, k.names)
	if err != nil {
		return err
	}
	c.r.Fields = append(c.r.Fields, FieldTest{Keyword: name, Int: t, Col: c.col})
	if c.env.Field == nil || !c.env.Field(name) {
		return unevaluated("keyword " + name)
	}
	return nil
}

// needProto notes that the rule only makes sense for a protocol.
func (c *context) needProto(name string) error {
	if c.env.Proto == nil {
		return nil
	}
	id, ok := c.env.Proto(name)
	if !ok {
		return nil
	}
	c.needApps = append(c.needApps, id)
	return nil
}
