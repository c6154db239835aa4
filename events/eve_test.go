package events

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func ptr[T any](v T) *T { return &v }

// base gives an event's envelope as a worker fills it in replay.
func base(typ string) Event {
	return Event{
		Time: time.Date(2024, 2, 29, 23, 59, 58, 123456789, time.UTC).UnixNano(), Seq: 1, Type: typ,
		FlowID: 1234567890123456, PcapCnt: 42, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("2001:db8::1"),
		SrcPort: 40000, DstPort: 443, HasPorts: true, Proto: "TCP", IPVersion: 4, PktSrc: "wire/pcap",
	}
}

// samples holds one event of each type that has a part of its own.
func samples() map[string]Event {
	m := map[string]Event{}
	add := func(name, typ string, fill func(*Event)) {
		e := base(typ)
		fill(&e)
		m[name] = e
	}
	add("alert", "alert", func(e *Event) {
		e.InIface, e.VLAN, e.PcapFile = "eth0", []uint16{10, 20}, "in.pcap"
		e.ParentID, e.Ether = 77, &Ether{SrcMAC: "02:00:00:00:00:01", DestMAC: "02:00:00:00:00:02", EtherType: 0x88cc, SrcMACs: []string{"02:00:00:00:00:01"}, DestMACs: []string{"02:00:00:00:00:02"}}
		e.HasTxID, e.TxID, e.AppProto, e.AppProtoTS, e.Direction = true, 3, "http", "failed", "to_server"
		e.VerdictAction, e.VerdictRejectTarget, e.VerdictReject = "drop", "both", []string{"tcp-reset"}
		e.Alert = &Alert{Action: "blocked", GID: 1, SignatureID: 2000001, Rev: 3, Signature: `ET "quoted" <tag> & more`,
			Category: "Attempted Information Leak", Severity: 2, References: []string{"https://example.com/a"},
			Metadata: map[string][]string{"z_last": {"b", "a"}, "attack_target": {"Client"}},
			Source:   &Endpoint{IP: "192.0.2.1", Port: 40000}, Target: &Endpoint{IP: "2001:db8::1"},
			Rule: "alert …", Context: map[string]json.RawMessage{"bad_host": json.RawMessage(`{"year":2005}`)}, XFF: "203.0.113.8", Enforced: ptr(false),
			Replace: &Replace{Bytes: 3, Reason: "not inline"}}
		e.Metadata = &Metadata{Flowbits: []string{"a", "b"}, Flowints: map[string]uint32{"n": 7},
			Flowvars: []map[string]any{{"k": "v"}}, Pktvars: []map[string]any{{"k": "v"}}, Entropy: map[string]float64{"file_data": 4.5}}
		e.HTTP = &HTTP{Hostname: "example.com", URL: "/\xff\xfe\x01é", Method: "GET", Length: 0}
		e.Files = []FileInfo{{Filename: "/a", Magic: "ASCII text", State: "CLOSED", Size: 5, SID: []uint32{1, 2}, TxID: 3}}
		e.Flow = &Flow{PktsToServer: 1, BytesToServer: 60, Start: FormatTime(e.Time), SrcIP: "192.0.2.1", DestIP: "2001:db8::1", SrcPort: 1, DestPort: 2}
		e.Payload, e.PayloadPrintable, e.Stream = []byte{0, 1, 2, 255}, "GET / \r\n", ptr(0)
		e.Packet, e.LinkType = []byte("packet"), 1
		e.Aggregate = &Aggregate{Count: 9, First: e.Time, Last: e.Time + 1e9}
		e.Extra = map[string]any{"xff": "203.0.113.9"}
	})
	add("drop", "drop", func(e *Event) {
		e.Drop = &Drop{Len: 60, TOS: ptr(0), TTL: ptr(64), IPID: ptr(uint32(1)), TCPSeq: ptr(uint32(2)), TCPAck: ptr(uint32(3)),
			TCPWin: ptr(uint16(4)), SYN: ptr(true), ACK: ptr(false), PSH: ptr(false), RST: ptr(false), URG: ptr(false), FIN: ptr(false),
			TCPRes: ptr(0), TCPUrgp: ptr(0), UDPLen: ptr(8), Reason: "rules", Count: 3, Source: "xdp", List: "feed"}
	})
	add("anomaly", "anomaly", func(e *Event) {
		e.Anomaly = &Anomaly{Type: "applayer", Event: "INVALID_REQUEST_LINE", Layer: "proto_parser", AppProto: "http"}
	})
	add("flow", "flow", func(e *Event) {
		e.AppProto, e.AppProtoOrig = "tls", "smtp"
		e.Flow = &Flow{PktsToServer: 10, PktsToClient: 11, BytesToServer: 1000, BytesToClient: 2000, Start: FormatTime(e.Time),
			End: FormatTime(e.Time + 5e9), Age: ptr(int64(5)), State: "closed", Reason: "timeout", Alerted: ptr(true), Action: "drop",
			Bypass: "local", ExceptionPolicy: []map[string]string{{"target": "midstream", "policy": "ignore"}}, TxCnt: ptr(uint64(4))}
		e.TCP = &TCP{TCPFlags: "1f", TCPFlagsTS: "1b", TCPFlagsTC: "1e", SYN: true, FIN: true, RST: true, PSH: true, ACK: true,
			URG: true, ECN: true, CWR: true, State: "closed", TSMaxReg: 1, TCMaxReg: 2, TSGap: true, TCGap: true}
	})
	add("icmp", "flow", func(e *Event) {
		e.HasPorts, e.HasICMP, e.ICMPType, e.ICMPCode, e.Proto = false, true, 8, 0, "ICMP"
		e.Flow = &Flow{Start: FormatTime(e.Time)}
	})
	add("http", "http", func(e *Event) {
		e.HTTP = &HTTP{Hostname: "h", HTTPPort: 8080, URL: "/u", UserAgent: "ua", XFF: "1.2.3.4", ContentType: "text/html",
			ContentRange: &ContentRange{Raw: "bytes 0-1/2", Start: ptr(int64(0)), End: ptr(int64(1)), Size: ptr(int64(2))},
			Refer:        "r", Method: "POST", Protocol: "HTTP/1.1", Status: 302, StatusString: "302x", Redirect: "/x", Length: 10,
			RequestHeaders: []HTTPHeader{{"A", "1"}, {"B", "2"}}, ResponseHeaders: []HTTPHeader{{"C", "3"}}, Version: "2",
			HTTP2: &HTTP2{StreamID: 1, Request: HTTP2Frames{Settings: []HTTP2Setting{{"S", 1}}, ErrorCode: "CANCEL", Priority: new(uint8)}}}
	})
	add("dns", "dns", func(e *Event) {
		e.Proto = "UDP"
		e.DNS = &DNS{Version: 3, Type: "response", TxID: ptr(uint64(0)), ID: 4660, Flags: "8180", QR: true, AA: true, TC: true, RD: true,
			RA: true, Z: true, Opcode: 0, RCode: "NOERROR", RRName: "example.com", RRType: "A", Queries: []DNSQuery{{"example.com", "A"}, {"example.org", "AAAA"}},
			Answers: []DNSAnswer{{RRName: "example.com", RRType: "A", TTL: 60, RData: "192.0.2.7"},
				{RRName: "example.com", RRType: "SRV", TTL: 1, SRV: map[string]any{"priority": 1, "name": "x"}}},
			Authorities: []DNSAnswer{{RRName: "example.com", RRType: "SOA", TTL: 5, SOA: map[string]any{"mname": "ns", "serial": uint32(9)}}},
			Additionals: []DNSAnswer{{RRName: "", RRType: "OPT", OPT: []map[string]any{{"code": 10}}, SSHFP: map[string]any{"algo": 1}}},
			Grouped:     map[string][]string{"A": {"192.0.2.7"}}}
	})
	add("tls", "tls", func(e *Event) {
		e.TLS = &TLS{Subject: "CN=a", IssuerDN: "CN=b", SubjectAltName: []string{"a"}, Serial: "01:02", Fingerprint: "aa:bb", SNI: "a",
			Version: "TLS 1.2", NotBefore: "2024-01-01T00:00:00", NotAfter: "2025-01-01T00:00:00", SessionResumed: true,
			JA3: &JA3{"h", "s"}, JA3S: &JA3{Hash: "h2"}, JA4: "t13d", ClientALPNs: []string{"h2"}, ServerALPNs: []string{"h2"}, FromProto: "smtp",
			Client: &TLSClient{Subject: "CN=c", IssuerDN: "CN=d", Fingerprint: "cc:dd", Serial: "03", NotBefore: "2024-01-01T00:00:00", NotAfter: "2025-01-01T00:00:00"}}
	})
	add("smtp", "smtp", func(e *Event) {
		e.SMTP = &SMTP{Helo: "me", MailFrom: "<a@example.com>", RcptTo: []string{"<b@example.com>"}}
		e.Email = &Email{Status: "PARSE_DONE", From: "a", To: []string{"b"}, Cc: []string{"c"}, Subject: "s", Date: "d", MessageID: "m",
			XMailer: "x", URLs: []string{"u"}, Attachment: []string{"f.txt"}, BodyMD5: "bm", SubjectMD5: "sm"}
	})
	add("fileinfo", "fileinfo", func(e *Event) {
		e.FileInfo = &FileInfo{Filename: "f", SID: []uint32{1}, Magic: "PDF", MIMEType: "application/pdf", Gaps: true, State: "TRUNCATED", MD5: "m", SHA1: "s1",
			SHA256: "s2", Stored: true, FileID: 1, Size: 100, TxID: 2, Start: ptr(uint64(0)), End: ptr(uint64(99))}
	})
	add("dlp", "dlp", func(e *Event) {
		e.DLP = &DLP{Exception: true, Owner: "hr@example.com", Unscannable: "encrypted", PolicyRule: "cards-out", Level: "restricted", Action: "block", Enforced: true, Channel: "http-request",
			Direction: "egress", Reason: "threshold", BytesReleased: 0,
			Object: DLPObject{Name: "report.zip", Type: "application/zip", Size: 1000, SHA256: "ab", Path: "report.zip!/q3.xlsx!/Sheet1"},
			Findings: []DLPFinding{{Detector: "card.pan", Count: 3, Unique: 2, Confidence: "high", Masked: []string{"************1111"}, Hashes: []string{"h"}, Path: "p"},
				{Detector: "iban", Count: 1, Unique: 1, Confidence: "medium"}},
			Tags: []string{"PCI DSS"}, Shadow: true, Evidence: "e.age"}
	})
	m["stats"] = Event{Time: base("").Time, Type: "stats", Stats: &Stats{Uptime: 8, Counters: map[string]uint64{
		"uptime": 1, "decoder.pkts": 5, "decoder.bytes": 6, "decoder.event.ipv4.trunc_pkt": 1, "decoder_x": 9,
		"flow": 3, "flow.tcp": 2, "flow.tcp_reuse": 1}}}
	return m
}

func TestGolden(t *testing.T) {
	for name, e := range samples() {
		got := string(AppendEVE(nil, &e)) + "\n"
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: not JSON: %s", name, got)
		}
		if ocsf := AppendOCSF(nil, &e); ocsf != nil {
			if !json.Valid(ocsf) {
				t.Errorf("%s: OCSF is not JSON: %s", name, ocsf)
			}
			got += string(ocsf) + "\n"
		}
		path := filepath.Join("testdata", "golden", name+".jsonl")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// TestPartsMatchTags compares each hand-written part with what encoding/json
// makes of its struct: a field that is added and not rendered shows here.
func TestPartsMatchTags(t *testing.T) {
	s := samples()
	f := func(key string, e Event, part any) {
		t.Helper()
		var got map[string]any
		if err := json.Unmarshal(AppendEVE(nil, &e), &got); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got[key]); d != "" {
			t.Errorf("%s: -json tags +rendered\n%s", key, d)
		}
		for v, i := reflect.ValueOf(part).Elem(), 0; i < v.NumField(); i++ {
			tag := v.Type().Field(i).Tag.Get("json")
			omit := strings.Contains(tag, ",omitempty")
			if omit && v.Field(i).IsZero() && key != "alert" && key != "flow" {
				t.Errorf("%s: the sample leaves %s empty, so it is not compared", key, v.Type().Field(i).Name)
			}
		}
	}
	s["dlp"].DLP.Findings[1].Masked = []string{}
	f("alert", s["alert"], s["alert"].Alert)
	f("metadata", s["alert"], s["alert"].Metadata)
	f("ether", s["alert"], s["alert"].Ether)
	f("drop", s["drop"], s["drop"].Drop)
	f("anomaly", s["anomaly"], s["anomaly"].Anomaly)
	f("flow", s["flow"], s["flow"].Flow)
	f("flow", s["alert"], s["alert"].Flow)
	f("tcp", s["flow"], s["flow"].TCP)
	f("http", s["http"], s["http"].HTTP)
	f("dns", s["dns"], s["dns"].DNS)
	f("tls", s["tls"], s["tls"].TLS)
	f("smtp", s["smtp"], s["smtp"].SMTP)
	f("email", s["smtp"], s["smtp"].Email)
	f("fileinfo", s["fileinfo"], s["fileinfo"].FileInfo)
	f("dlp", s["dlp"], s["dlp"].DLP)
}

func TestAppendString(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	f("", `""`)
	f("plain", `"plain"`)
	f("a\"b\\c\n\r\t\b\f\x00\x1f", `"a\"b\\c\n\r\t\b\f\u0000\u001f"`)
	f("grüße 漢", `"grüße 漢"`)
	f("grü\n\"", `"grü\n\""`)
	f("a\xffb", `"a\\xffb"`)
	// One bad byte shows all bytes above ASCII as they were.
	f("é\xff\"", `"\\xc3\\xa9\\xff\""`)
	f("<&>", `"<&>"`)
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a\"\\\x00", "é\xff", "\u2028", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q: %v in %s", s, err, b)
		}
		if strings.ToValidUTF8(s, "") == s && back != s {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}

func TestAppendTime(t *testing.T) {
	f := func(ns int64, want string) {
		t.Helper()
		if got := FormatTime(ns); got != want {
			t.Errorf("%d: got %s, want %s", ns, got, want)
		}
		if want2 := time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000-0700"); got(ns) != want2 {
			t.Errorf("%d: time.Format gives %s", ns, want2)
		}
	}
	f(0, "1970-01-01T00:00:00.000000+0000")
	f(1709251198123456789, "2024-02-29T23:59:58.123456+0000")
	f(-1, "1969-12-31T23:59:59.999999+0000")
}

func got(ns int64) string { return FormatTime(ns) }

func TestAppendAny(t *testing.T) {
	deep := any("end")
	for range 100 {
		deep = []any{deep}
	}
	f := func(v any, want string) {
		t.Helper()
		got := string(appendAny(nil, v, 0))
		if !json.Valid([]byte(got)) || (want != "" && got != want) {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	f(map[string]any{"b": 1, "a": []string{"x"}, "\xff": nil}, `{"a":["x"],"b":1,"\\xff":null}`)
	f([]map[string]any{{"a": uint8(1)}, {"a": int8(-1)}}, `[{"a":1},{"a":-1}]`)
	f(struct {
		A int `json:"a"`
	}{1}, `{"a":1}`)
	f(func() {}, "")
	f(deep, "")
}

// TestCommunityID holds the examples of the Community ID specification.
func TestCommunityID(t *testing.T) {
	f := func(proto, src, dst string, sport, dport uint16, seed uint16, want string) {
		t.Helper()
		e := Event{Type: "flow", Proto: proto, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst)}
		if strings.Contains(proto, "ICMP") {
			e.HasICMP, e.ICMPType, e.ICMPCode = true, uint8(sport), uint8(dport)
		} else {
			e.HasPorts, e.SrcPort, e.DstPort = true, sport, dport
		}
		enc := Encoder{CommunityID: true, CommunityIDSeed: seed}
		if got := string(enc.AppendEVE(nil, &e)); !strings.Contains(got, `"community_id":"`+want+`"`) {
			t.Errorf("%s %s→%s: want %s in %s", proto, src, dst, want, got)
		}
	}
	f("TCP", "128.232.110.120", "66.35.250.204", 34855, 80, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=")
	f("TCP", "66.35.250.204", "128.232.110.120", 80, 34855, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=")
	f("UDP", "192.168.1.52", "8.8.8.8", 54585, 53, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=")
	f("ICMP", "192.168.0.89", "192.168.0.1", 8, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=")
	f("ICMP", "192.168.0.1", "192.168.0.89", 0, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=")
	enc := Encoder{CommunityID: true}
	if got := string(enc.AppendEVE(nil, &Event{Type: "stats"})); strings.Contains(got, "community_id") {
		t.Errorf("an event without ends got one: %s", got)
	}
}

func TestOCSFOthersAreNil(t *testing.T) {
	for _, typ := range []string{"http", "dns", "stats", "anomaly", "tls"} {
		e := samples()[typ]
		if got := AppendOCSF(nil, &e); got != nil {
			t.Errorf("%s: got %s", typ, got)
		}
	}
}

// TestAppendEVEAllocs: the commonest events cost no allocation beyond sorting
// the names of maps.
func TestAppendEVEAllocs(t *testing.T) {
	buf := make([]byte, 0, 8192)
	for _, name := range []string{"drop", "flow", "http", "anomaly", "fileinfo", "dlp", "tls", "smtp"} {
		e := samples()[name]
		if n := testing.AllocsPerRun(100, func() { buf = AppendEVE(buf[:0], &e) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAppendEVE(b *testing.B) {
	for _, name := range []string{"alert", "flow", "http", "dns", "dlp", "stats"} {
		b.Run(name, func(b *testing.B) {
			e := samples()[name]
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = AppendEVE(buf[:0], &e)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

// TestDLPIsDocumented holds docs/events.md to the fields of dlp events.
func TestDLPIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[DLP](), reflect.TypeFor[DLPObject](), reflect.TypeFor[DLPFinding]()} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !bytes.Contains(doc, []byte(`"`+name+`"`)) && !bytes.Contains(doc, []byte("`"+name+"`")) && !bytes.Contains(doc, []byte("."+name+"`")) {
				t.Errorf("%s.%s is not in docs/events.md", typ.Name(), name)
			}
		}
	}
}
