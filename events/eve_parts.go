package events

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// The functions here write one part each, in the order of the part's fields as
// Suricata has it. A test compares each with its struct's json tags, so that a
// field added there and forgotten here is found.

func appendAlert(dst []byte, a *Alert) []byte {
	dst = append(dst, '{')
	dst = appendStr(dst, "action", a.Action)
	dst = appendUint(dst, "gid", uint64(a.GID))
	dst = appendUint(dst, "signature_id", uint64(a.SignatureID))
	dst = appendUint(dst, "rev", uint64(a.Rev))
	dst = appendStr(dst, "signature", a.Signature)
	dst = appendStr(dst, "category", a.Category)
	dst = appendInt(dst, "severity", int64(a.Severity))
	dst = appendEndpoint(dst, "source", a.Source)
	dst = appendEndpoint(dst, "target", a.Target)
	dst = appendStrListMap(dst, "metadata", a.Metadata)
	dst = appendStrs(dst, "references", a.References)
	dst = appendStrOmit(dst, "rule", a.Rule)
	if len(a.Context) > 0 {
		dst = append(appendKey(dst, "context"), '{')
		for _, k := range sortedKeys(a.Context) {
			dst = append(appendDynKey(dst, k), a.Context[k]...)
		}
		dst = append(dst, '}')
	}
	dst = appendStrOmit(dst, "xff", a.XFF)
	if a.Enforced != nil {
		dst = appendBool(dst, "enforced", *a.Enforced)
	}
	if r := a.Replace; r != nil {
		dst = append(appendKey(dst, "replace"), '{')
		dst = appendInt(dst, "bytes", int64(r.Bytes))
		dst = appendBool(dst, "enforced", r.Enforced)
		dst = appendStrOmit(dst, "reason", r.Reason)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendEndpoint(dst []byte, key string, e *Endpoint) []byte {
	if e == nil {
		return dst
	}
	dst = append(appendKey(dst, key), '{')
	dst = appendStr(dst, "ip", e.IP)
	if e.Port != 0 {
		dst = appendUint(dst, "port", uint64(e.Port))
	}
	return append(dst, '}')
}

func appendMetadata(dst []byte, m *Metadata) []byte {
	dst = append(dst, '{')
	dst = appendStrs(dst, "flowbits", m.Flowbits)
	if len(m.Flowints) > 0 {
		dst = append(appendKey(dst, "flowints"), '{')
		for _, k := range sortedKeys(m.Flowints) {
			dst = strconv.AppendUint(appendDynKey(dst, k), uint64(m.Flowints[k]), 10)
		}
		dst = append(dst, '}')
	}
	if len(m.Flowvars) > 0 {
		dst = appendAny(appendKey(dst, "flowvars"), m.Flowvars, 0)
	}
	if len(m.Pktvars) > 0 {
		dst = appendAny(appendKey(dst, "pktvars"), m.Pktvars, 0)
	}
	if len(m.Entropy) > 0 {
		dst = append(appendKey(dst, "entropy"), '{')
		for _, k := range sortedKeys(m.Entropy) {
			dst = strconv.AppendFloat(appendDynKey(dst, k), m.Entropy[k], 'g', -1, 64)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendDrop(dst []byte, d *Drop) []byte {
	num := func(key string, v *int) {
		if v != nil {
			dst = appendInt(dst, key, int64(*v))
		}
	}
	num32 := func(key string, v *uint32) {
		if v != nil {
			dst = appendUint(dst, key, uint64(*v))
		}
	}
	flag := func(key string, v *bool) {
		if v != nil {
			dst = appendBool(dst, key, *v)
		}
	}
	dst = append(dst, '{')
	dst = appendInt(dst, "len", int64(d.Len))
	num("tos", d.TOS)
	num("ttl", d.TTL)
	num32("ipid", d.IPID)
	num32("tcpseq", d.TCPSeq)
	num32("tcpack", d.TCPAck)
	if d.TCPWin != nil {
		dst = appendUint(dst, "tcpwin", uint64(*d.TCPWin))
	}
	flag("syn", d.SYN)
	flag("ack", d.ACK)
	flag("psh", d.PSH)
	flag("rst", d.RST)
	flag("urg", d.URG)
	flag("fin", d.FIN)
	num("tcpres", d.TCPRes)
	num("tcpurgp", d.TCPUrgp)
	num("udplen", d.UDPLen)
	dst = appendStrOmit(dst, "reason", d.Reason)
	if d.Count != 0 {
		dst = appendUint(dst, "count", d.Count)
	}
	dst = appendStrOmit(dst, "source", d.Source)
	dst = appendStrOmit(dst, "list", d.List)
	return append(dst, '}')
}

func appendAnomaly(dst []byte, a *Anomaly) []byte {
	dst = append(dst, '{')
	dst = appendStrOmit(dst, "app_proto", a.AppProto)
	dst = appendStr(dst, "type", a.Type)
	dst = appendStr(dst, "event", a.Event)
	dst = appendStrOmit(dst, "layer", a.Layer)
	return append(dst, '}')
}

func appendFlow(dst []byte, f *Flow) []byte {
	dst = append(dst, '{')
	dst = appendUint(dst, "pkts_toserver", f.PktsToServer)
	dst = appendUint(dst, "pkts_toclient", f.PktsToClient)
	dst = appendUint(dst, "bytes_toserver", f.BytesToServer)
	dst = appendUint(dst, "bytes_toclient", f.BytesToClient)
	dst = appendStr(dst, "start", f.Start)
	dst = appendStrOmit(dst, "src_ip", f.SrcIP)
	dst = appendStrOmit(dst, "dest_ip", f.DestIP)
	if f.SrcPort != 0 {
		dst = appendUint(dst, "src_port", uint64(f.SrcPort))
	}
	if f.DestPort != 0 {
		dst = appendUint(dst, "dest_port", uint64(f.DestPort))
	}
	dst = appendStrOmit(dst, "end", f.End)
	if f.Age != nil {
		dst = appendInt(dst, "age", *f.Age)
	}
	dst = appendStrOmit(dst, "bypass", f.Bypass)
	dst = appendStrOmit(dst, "state", f.State)
	dst = appendStrOmit(dst, "reason", f.Reason)
	if f.Alerted != nil {
		dst = appendBool(dst, "alerted", *f.Alerted)
	}
	dst = appendStrOmit(dst, "action", f.Action)
	if len(f.ExceptionPolicy) > 0 {
		dst = append(appendKey(dst, "exception_policy"), '[')
		for i, p := range f.ExceptionPolicy {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAny(dst, p, 0)
		}
		dst = append(dst, ']')
	}
	if f.TxCnt != nil {
		dst = appendUint(dst, "tx_cnt", *f.TxCnt)
	}
	return append(dst, '}')
}

func appendTCP(dst []byte, t *TCP) []byte {
	dst = append(dst, '{')
	dst = appendStr(dst, "tcp_flags", t.TCPFlags)
	dst = appendStr(dst, "tcp_flags_ts", t.TCPFlagsTS)
	dst = appendStr(dst, "tcp_flags_tc", t.TCPFlagsTC)
	dst = appendTrue(dst, "syn", t.SYN)
	dst = appendTrue(dst, "fin", t.FIN)
	dst = appendTrue(dst, "rst", t.RST)
	dst = appendTrue(dst, "psh", t.PSH)
	dst = appendTrue(dst, "ack", t.ACK)
	dst = appendTrue(dst, "urg", t.URG)
	dst = appendTrue(dst, "ecn", t.ECN)
	dst = appendTrue(dst, "cwr", t.CWR)
	dst = appendStrOmit(dst, "state", t.State)
	dst = appendTrue(dst, "ts_gap", t.TSGap)
	dst = appendTrue(dst, "tc_gap", t.TCGap)
	if t.TSMaxReg != 0 {
		dst = appendInt(dst, "ts_max_regions", int64(t.TSMaxReg))
	}
	if t.TCMaxReg != 0 {
		dst = appendInt(dst, "tc_max_regions", int64(t.TCMaxReg))
	}
	return append(dst, '}')
}

func appendHTTP(dst []byte, h *HTTP) []byte {
	dst = append(dst, '{')
	dst = appendStrOmit(dst, "hostname", h.Hostname)
	if h.HTTPPort != 0 {
		dst = appendUint(dst, "http_port", uint64(h.HTTPPort))
	}
	dst = appendStrOmit(dst, "url", h.URL)
	dst = appendStrOmit(dst, "http_user_agent", h.UserAgent)
	dst = appendStrOmit(dst, "xff", h.XFF)
	dst = appendStrOmit(dst, "http_content_type", h.ContentType)
	if r := h.ContentRange; r != nil {
		dst = append(appendKey(dst, "content_range"), '{')
		dst = appendStr(dst, "raw", r.Raw)
		for _, p := range [...]struct {
			key string
			v   *int64
		}{{"start", r.Start}, {"end", r.End}, {"size", r.Size}} {
			if p.v != nil {
				dst = appendInt(dst, p.key, *p.v)
			}
		}
		dst = append(dst, '}')
	}
	dst = appendStrOmit(dst, "http_refer", h.Refer)
	dst = appendStrOmit(dst, "http_method", h.Method)
	dst = appendStrOmit(dst, "protocol", h.Protocol)
	if h.Status != 0 {
		dst = appendInt(dst, "status", int64(h.Status))
	}
	dst = appendStrOmit(dst, "status_string", h.StatusString)
	dst = appendStrOmit(dst, "redirect", h.Redirect)
	dst = appendInt(dst, "length", h.Length)
	dst = appendHeaders(dst, "request_headers", h.RequestHeaders)
	dst = appendHeaders(dst, "response_headers", h.ResponseHeaders)
	dst = appendStrOmit(dst, "version", h.Version)
	if p := h.HTTP2; p != nil {
		dst = append(appendKey(dst, "http2"), '{')
		dst = appendUint(dst, "stream_id", uint64(p.StreamID))
		dst = appendHTTP2Frames(dst, "request", &p.Request)
		dst = appendHTTP2Frames(dst, "response", &p.Response)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendHTTP2Frames(dst []byte, key string, f *HTTP2Frames) []byte {
	dst = append(appendKey(dst, key), '{')
	if len(f.Settings) > 0 {
		dst = append(appendKey(dst, "settings"), '[')
		for i, s := range f.Settings {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '{')
			dst = appendStr(dst, "settings_id", s.ID)
			dst = appendUint(dst, "settings_value", uint64(s.Value))
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	dst = appendStrOmit(dst, "error_code", f.ErrorCode)
	if f.Priority != nil {
		dst = appendUint(dst, "priority", uint64(*f.Priority))
	}
	return append(dst, '}')
}

func appendHeaders(dst []byte, key string, hs []HTTPHeader) []byte {
	if len(hs) == 0 {
		return dst
	}
	dst = append(appendKey(dst, key), '[')
	for i, h := range hs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendStr(dst, "name", h.Name)
		dst = appendStr(dst, "value", h.Value)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendDNS(dst []byte, d *DNS) []byte {
	dst = append(dst, '{')
	dst = appendInt(dst, "version", int64(d.Version))
	dst = appendStr(dst, "type", d.Type)
	if d.TxID != nil {
		dst = appendUint(dst, "tx_id", *d.TxID)
	}
	dst = appendUint(dst, "id", uint64(d.ID))
	dst = appendStrOmit(dst, "flags", d.Flags)
	dst = appendTrue(dst, "qr", d.QR)
	dst = appendTrue(dst, "aa", d.AA)
	dst = appendTrue(dst, "tc", d.TC)
	dst = appendTrue(dst, "rd", d.RD)
	dst = appendTrue(dst, "ra", d.RA)
	dst = appendTrue(dst, "z", d.Z)
	dst = appendUint(dst, "opcode", uint64(d.Opcode))
	dst = appendStrOmit(dst, "rcode", d.RCode)
	dst = appendStrOmit(dst, "rrname", d.RRName)
	dst = appendStrOmit(dst, "rrtype", d.RRType)
	if len(d.Queries) > 0 {
		dst = append(appendKey(dst, "queries"), '[')
		for i, q := range d.Queries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '{')
			dst = appendStr(dst, "rrname", q.RRName)
			dst = appendStr(dst, "rrtype", q.RRType)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	dst = appendAnswers(dst, "answers", d.Answers)
	dst = appendAnswers(dst, "authorities", d.Authorities)
	dst = appendAnswers(dst, "additionals", d.Additionals)
	dst = appendStrListMap(dst, "grouped", d.Grouped)
	return append(dst, '}')
}

func appendAnswers(dst []byte, key string, as []DNSAnswer) []byte {
	if len(as) == 0 {
		return dst
	}
	dst = append(appendKey(dst, key), '[')
	for i := range as {
		a := &as[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendStr(dst, "rrname", a.RRName)
		dst = appendStr(dst, "rrtype", a.RRType)
		dst = appendUint(dst, "ttl", uint64(a.TTL))
		for _, p := range [...]struct {
			key string
			v   any
		}{{"rdata", a.RData}, {"soa", a.SOA}, {"srv", a.SRV}, {"sshfp", a.SSHFP}, {"opt", a.OPT}} {
			if p.v != nil {
				dst = appendAny(appendKey(dst, p.key), p.v, 0)
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendTLS(dst []byte, t *TLS) []byte {
	dst = append(dst, '{')
	dst = appendStrOmit(dst, "subject", t.Subject)
	dst = appendStrOmit(dst, "issuerdn", t.IssuerDN)
	dst = appendStrs(dst, "subjectaltname", t.SubjectAltName)
	dst = appendTrue(dst, "session_resumed", t.SessionResumed)
	dst = appendStrOmit(dst, "serial", t.Serial)
	dst = appendStrOmit(dst, "fingerprint", t.Fingerprint)
	dst = appendStrOmit(dst, "sni", t.SNI)
	dst = appendStrOmit(dst, "version", t.Version)
	dst = appendStrOmit(dst, "notbefore", t.NotBefore)
	dst = appendStrOmit(dst, "notafter", t.NotAfter)
	dst = appendJA3(dst, "ja3", t.JA3)
	dst = appendJA3(dst, "ja3s", t.JA3S)
	dst = appendStrOmit(dst, "ja4", t.JA4)
	dst = appendStrs(dst, "client_alpns", t.ClientALPNs)
	dst = appendStrs(dst, "server_alpns", t.ServerALPNs)
	dst = appendStrOmit(dst, "from_proto", t.FromProto)
	if c := t.Client; c != nil {
		dst = append(appendKey(dst, "client"), '{')
		dst = appendStrOmit(dst, "subject", c.Subject)
		dst = appendStrOmit(dst, "issuerdn", c.IssuerDN)
		dst = appendStrOmit(dst, "fingerprint", c.Fingerprint)
		dst = appendStrOmit(dst, "serial", c.Serial)
		dst = appendStrOmit(dst, "notbefore", c.NotBefore)
		dst = appendStrOmit(dst, "notafter", c.NotAfter)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendJA3(dst []byte, key string, j *JA3) []byte {
	if j == nil {
		return dst
	}
	dst = append(appendKey(dst, key), '{')
	dst = appendStrOmit(dst, "hash", j.Hash)
	dst = appendStrOmit(dst, "string", j.String)
	return append(dst, '}')
}

func appendEmail(dst []byte, m *Email) []byte {
	dst = append(dst, '{')
	dst = appendStrOmit(dst, "status", m.Status)
	dst = appendStrOmit(dst, "from", m.From)
	dst = appendStrs(dst, "to", m.To)
	dst = appendStrs(dst, "cc", m.Cc)
	dst = appendStrOmit(dst, "subject", m.Subject)
	dst = appendStrOmit(dst, "date", m.Date)
	dst = appendStrOmit(dst, "message_id", m.MessageID)
	dst = appendStrOmit(dst, "x_mailer", m.XMailer)
	dst = appendStrs(dst, "attachment", m.Attachment)
	dst = appendStrs(dst, "url", m.URLs)
	dst = appendStrOmit(dst, "body_md5", m.BodyMD5)
	dst = appendStrOmit(dst, "subject_md5", m.SubjectMD5)
	return append(dst, '}')
}

func appendFileInfo(dst []byte, f *FileInfo) []byte {
	dst = append(dst, '{')
	dst = appendStr(dst, "filename", f.Filename)
	if len(f.SID) > 0 {
		dst = append(appendKey(dst, "sid"), '[')
		for i, sid := range f.SID {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendUint(dst, uint64(sid), 10)
		}
		dst = append(dst, ']')
	}
	dst = appendStrOmit(dst, "magic", f.Magic)
	dst = appendStrOmit(dst, "mime_type", f.MIMEType)
	dst = appendBool(dst, "gaps", f.Gaps)
	dst = appendStr(dst, "state", f.State)
	dst = appendStrOmit(dst, "md5", f.MD5)
	dst = appendStrOmit(dst, "sha1", f.SHA1)
	dst = appendStrOmit(dst, "sha256", f.SHA256)
	dst = appendBool(dst, "stored", f.Stored)
	if f.FileID != 0 {
		dst = appendUint(dst, "file_id", uint64(f.FileID))
	}
	dst = appendUint(dst, "size", f.Size)
	if f.Start != nil {
		dst = appendUint(dst, "start", *f.Start)
	}
	if f.End != nil {
		dst = appendUint(dst, "end", *f.End)
	}
	dst = appendUint(dst, "tx_id", f.TxID)
	return append(dst, '}')
}

func appendDLP(dst []byte, d *DLP) []byte {
	dst = append(dst, '{')
	dst = appendStr(dst, "policy_rule", d.PolicyRule)
	dst = appendStr(dst, "level", d.Level)
	dst = appendStr(dst, "action", d.Action)
	dst = appendBool(dst, "enforced", d.Enforced)
	dst = appendStr(dst, "channel", d.Channel)
	dst = appendStr(dst, "direction", d.Direction)
	dst = appendStrOmit(dst, "reason", d.Reason)
	dst = appendUint(dst, "bytes_released", d.BytesReleased)
	dst = append(appendKey(dst, "object"), '{')
	dst = appendStr(dst, "name", d.Object.Name)
	dst = appendStr(dst, "type", d.Object.Type)
	dst = appendUint(dst, "size", d.Object.Size)
	dst = appendStrOmit(dst, "sha256", d.Object.SHA256)
	dst = appendStrOmit(dst, "path", d.Object.Path)
	dst = append(dst, '}')
	dst = append(appendKey(dst, "findings"), '[')
	for i := range d.Findings {
		f := &d.Findings[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendStr(dst, "detector", f.Detector)
		dst = appendInt(dst, "count", int64(f.Count))
		dst = appendInt(dst, "unique", int64(f.Unique))
		dst = appendStr(dst, "confidence", f.Confidence)
		dst = appendStrList(appendKey(dst, "masked"), f.Masked)
		dst = appendStrs(dst, "hashes", f.Hashes)
		dst = appendStrOmit(dst, "path", f.Path)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendStrs(dst, "tags", d.Tags)
	dst = appendTrue(dst, "shadow", d.Shadow)
	dst = appendTrue(dst, "exception", d.Exception)
	dst = appendStrOmit(dst, "owner", d.Owner)
	dst = appendStrOmit(dst, "unscannable", d.Unscannable)
	dst = appendStrOmit(dst, "evidence", d.Evidence)
	return append(dst, '}')
}

// appendStats nests dotted counter names. A counter whose name is also a prefix
// of others is written as "_total" inside of them, since JSON has room for only
// one value of a name.
func appendStats(dst []byte, s *Stats) []byte {
	names := sortedKeys(s.Counters)
	names = slices.DeleteFunc(names, func(n string) bool { return n == "uptime" })
	// Dots sort below every other byte, so that a node's members stand together.
	sort.Slice(names, func(i, j int) bool { return lessDotted(names[i], names[j]) })
	dst = append(dst, '{')
	dst = appendInt(dst, "uptime", s.Uptime)
	return append(appendStatsLevel(dst, names, s, 0), '}')
}

func lessDotted(a, b string) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return a[i] == '.' || (b[i] != '.' && a[i] < b[i])
		}
	}
	return len(a) < len(b)
}

// appendStatsLevel writes names that share their first `from` bytes.
func appendStatsLevel(dst []byte, names []string, s *Stats, from int) []byte {
	vals := s.Counters
	for i := 0; i < len(names); {
		seg, _, nested := strings.Cut(names[i][from:], ".")
		end := from + len(seg)
		j := i + 1
		for j < len(names) && len(names[j]) > end && names[j][from:end] == seg && names[j][end] == '.' {
			j++
		}
		if !nested && j == i+1 {
			dst = strconv.AppendUint(appendDynKey(dst, seg), vals[names[i]], 10)
			i++
			continue
		}
		dst = append(appendDynKey(dst, seg), '{')
		if from == 0 && seg == "detect" && len(s.Engines) > 0 {
			dst = append(appendKey(dst, "engines"), '[')
			for k, e := range s.Engines {
				if k > 0 {
					dst = append(dst, ',')
				}
				dst = append(dst, '{')
				dst = appendInt(dst, "id", int64(e.ID))
				dst = appendInt(dst, "rules_loaded", int64(e.RulesLoaded))
				dst = appendInt(dst, "rules_failed", int64(e.RulesFailed))
				dst = appendInt(dst, "rules_skipped", int64(e.RulesSkipped))
				dst = append(dst, '}')
			}
			dst = append(dst, ']')
		}
		if !nested {
			dst = appendUint(dst, "_total", vals[names[i]])
			i++
		}
		dst = append(appendStatsLevel(dst, names[i:j], s, end+1), '}')
		i = j
	}
	return dst
}
