package http2

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/http1"
	"sluice/dataplane/protocol/protocoltest"
)

// follow gives a recorded flow to a session that knows both protocols, and
// collects what the HTTP/2 parser made of it.
func follow(t *testing.T, d protocoltest.Dialogue) *protocoltest.Result {
	t.Helper()
	reg, err := protocol.NewRegistry(http1.Definition(), Definition())
	if err != nil {
		t.Fatal(err)
	}
	sink := &protocoltest.Sink{}
	env := protocoltest.NewEnv(d, sink)
	var s protocol.Session
	for _, c := range d.Chunks {
		s.Data(reg, env, c.Dir, c.Data)
	}
	s.End(reg, env, protocol.ToServer)
	s.End(reg, env, protocol.ToClient)
	if err := sink.Check(); err != nil {
		t.Error(err)
	}
	r := &protocoltest.Result{Sink: sink, Objects: sink.Objects}
	if p := s.Parser(); p != nil && s.Proto() == protocol.HTTP2 {
		r.Txs = protocoltest.Collect(withHTTP1(), p)
	}
	return r
}

// recorded gives what the HTTP/2 flows of a capture hold. Every flow is cut at
// random places as well, which must not matter.
func recorded(t *testing.T, path ...string) (txs []protocoltest.Tx, objects []*protocoltest.Object) {
	t.Helper()
	rnd := rand.New(rand.NewSource(1))
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, path...)) {
		r := follow(t, d)
		for range 5 {
			if diff := protocoltest.Diff(r, follow(t, d.Cut(rnd))); diff != "" {
				t.Fatalf("depends on cuts: %s", diff)
			}
		}
		txs = append(txs, r.Txs...)
		if len(r.Txs) > 0 {
			objects = append(objects, r.Objects...)
		}
	}
	return txs, objects
}

// events collects the anomalies of transactions.
func anomalies(txs []protocoltest.Tx) string {
	var all []string
	for _, tx := range txs {
		all = append(all, tx.Events...)
	}
	return strings.Join(all, ",")
}

// TestNghttp2 reads a capture with PRIORITY frames for idle streams,
// CONTINUATION and a pushed stream. The digests are of the DATA frames' payloads.
func TestNghttp2(t *testing.T) {
	txs, objects := recorded(t, "pcaps", "arkime__http2-nghttp2.pcap")
	want := map[string]string{
		"/":                       "cfd844f4f94b56e0d93d6ad47530ba9030cc8d8e41ad6ae53b30fe930efa774f",
		"/stylesheets/screen.css": "80d4404b834c034238ac2e3caeb3a6f24dd093432fd13c5f0e64da9b0d9334bb",
	}
	if a := anomalies(txs); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	for _, o := range objects {
		sum := sha256.Sum256(o.Data)
		if h := hex.EncodeToString(sum[:]); want[o.Name] != h || o.State != protocol.ObjectClosed {
			t.Errorf("%s: %s %s", o.Name, h, o.State)
		}
		delete(want, o.Name)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

func TestSuricataVerify(t *testing.T) {
	count := func(txs []protocoltest.Tx, hold func(*protocoltest.Tx) bool) (n int) {
		for i := range txs {
			if hold(&txs[i]) {
				n++
			}
		}
		return n
	}
	has := func(key, text string) func(*protocoltest.Tx) bool {
		return func(tx *protocoltest.Tx) bool {
			for _, b := range tx.Buffers[key] {
				if strings.Contains(b, text) {
					return true
				}
			}
			return false
		}
	}
	f := func(got, want int, what string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	const dir = "suricata-verify"
	txs, _ := recorded(t, dir, "tests", "http2-continuation", "input.pcap")
	f(count(txs, func(tx *protocoltest.Tx) bool {
		h := tx.Event.HTTP.RequestHeaders
		return len(h) > 6 && h[6].Name == strings.Repeat("name", 10) && h[6].Value == strings.Repeat("value", 20)
	}), 1, "continuation")
	f(len(anomalies(txs)), 0, "continuation: anomalies "+anomalies(txs))

	txs, _ = recorded(t, dir, "tests", "http2-authority-mismatch", "authority_and_host_2.pcap")
	if a := anomalies(txs); a != "authority_host_mismatch" {
		t.Errorf("authority: %s", a)
	}

	txs, _ = recorded(t, dir, "tests", "http2-compression-bug", "input.pcap")
	f(count(txs, has("to_server http.host", "play.google.com")), 4, "host")
	f(len(anomalies(txs)), 0, "compression: anomalies "+anomalies(txs))

	txs, objects := recorded(t, dir, "tests", "http2-deflate", "http2_deflate.pcap")
	f(count(txs, func(tx *protocoltest.Tx) bool { return tx.Event.HTTP.Length == 30 }), 1, "deflate: length")
	f(len(objects), 1, "deflate: objects")
	// The body is one stored block and a flush, without an end: deflate all the
	// same, and readable even where it is not taken for it.
	if !strings.Contains(string(objects[0].Data), "Hello, /, http: true") {
		t.Errorf("deflate: %q", objects[0].Data)
	}

	txs, _ = recorded(t, dir, "tests", "http2-long-frame", "input.pcap")
	if a := anomalies(txs); a != "long_frame_data" {
		t.Errorf("long frame: %s", a)
	}
	f(count(txs, has("to_server http.uri", "/malware/payload.exe")), 1, "long frame: uri")

	txs, objects = recorded(t, dir, "tests", "http2-range", "http2-range.pcap")
	f(count(txs, has("to_client http.header_names", "\r\naccept-ranges")), 3, "range: header names")
	f(len(anomalies(txs)), 0, "range: anomalies "+anomalies(txs))
	for _, o := range objects {
		if o.Total != 69 {
			t.Errorf("range: %+v", o)
		}
	}

	txs, _ = recorded(t, dir, "tests", "bug-5929-02", "http2_multiple_headers.pcap")
	f(count(txs, func(tx *protocoltest.Tx) bool {
		return has("to_server http.request_header", "method: GET")(tx) && has("to_server http.request_header", "authority: bugertor.com")(tx)
	}), 1, "request headers")

	txs, _ = recorded(t, dir, "tests", "dns-over-http2", "dns_over_https.pcap")
	f(count(txs, has("to_server http.uri", "/dns")), 4, "dns over http2")
	f(count(txs, has("to_server http.request_header", "authority: dns.google")), 4, "dns over http2: authority")
	pings := 0
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, dir, "tests", "dns-over-http2", "dns_over_https.pcap")) {
		p := newParser()
		env := protocoltest.NewEnv(d, &protocoltest.Sink{})
		for _, c := range d.Chunks {
			p.Parse(env, c.Dir, c.Data)
		}
		for _, tx := range p.txs.Live {
			for dir := protocol.ToServer; dir <= protocol.ToClient; dir++ {
				if v, ok := tx.State.(*exchange).Field("http2.frametype", dir, 0); ok && v == uint64(framePing) {
					pings++
				}
			}
		}
	}
	f(pings, 4, "dns over http2: pings")
}
