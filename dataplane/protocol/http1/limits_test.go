package http1

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestConfiguredURI: escapes are undone twice where that is asked for, and what
// that uncovers is normalised like the rest.
func TestConfiguredURI(t *testing.T) {
	f := func(path, query bool, uri, want string, events ...string) {
		t.Helper()
		d := protocoltest.TCP(80, "> GET "+uri+" HTTP/1.0\r\n\r\n")
		d.Limits = protocol.DefaultLimits()
		d.Limits.HTTP.DecodePathTwice, d.Limits.HTTP.DecodeQueryTwice = path, query
		r := protocoltest.CheckCuts(t, Definition(), d)
		if got := r.Txs[0].Buffers["to_server http.uri"]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
		if got := strings.Join(r.Txs[0].Events, ","); got != strings.Join(events, ",") {
			t.Errorf("%s: events %s", uri, got)
		}
	}
	const uri, event = "/a%2527b/%252e%252e/c?x=%2541%2526", "double_encoded_uri"
	f(false, false, uri, "/a%27b/%2e%2e/c?x=%41%26", event)
	f(true, false, uri, "/c?x=%41%26", event)
	f(false, true, uri, "/a%27b/%2e%2e/c?x=A&", event)
	f(true, true, uri, "/c?x=A&", event)
	f(true, true, "/a%27b?x=%26", "/a'b?x=&")
	f(true, true, "/%25", "/%")
}

// TestRuleLimits: bodies and parts of forms carry the bound of their direction.
func TestRuleLimits(t *testing.T) {
	form := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\ncontent\r\n--b--\r\n"
	d := protocoltest.TCP(80, fmt.Sprintf("> POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(form), form),
		"< HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
	d.Limits = protocol.DefaultLimits()
	d.Limits.HTTP.Rules = [2]uint64{7, 9}
	r := protocoltest.CheckCuts(t, Definition(), d)
	var got []string
	for _, o := range r.Objects {
		got = append(got, fmt.Sprint(o.Kind, o.Dir, o.RuleLimit, len(o.Data)))
	}
	want := []string{fmt.Sprint(protocol.KindBody, protocol.ToServer, 7, len(form)), fmt.Sprint(protocol.KindPart, protocol.ToServer, 7, 7), fmt.Sprint(protocol.KindBody, protocol.ToClient, 9, 4)}
	if strings.Join(got, ";") != strings.Join(want, ";") {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestResponseLayers: a response with more encodings than are to be undone is
// told of, one within the bound is read, and requests have the common bound.
func TestResponseLayers(t *testing.T) {
	zip := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		return b.String()
	}
	f := func(limit int, response, unscannable string, plain bool) {
		t.Helper()
		body := zip(zip("attack"))
		head := fmt.Sprintf("Host: h\r\nContent-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		turns := []string{"> POST / HTTP/1.1\r\n" + head}
		if response != "" {
			turns = []string{get, "< HTTP/1.1 200 OK\r\n" + head}
		}
		d := protocoltest.TCP(80, turns...)
		d.Limits = protocol.DefaultLimits()
		d.Limits.HTTP.ResponseLayers = limit
		o := protocoltest.CheckCuts(t, Definition(), d).Objects[0]
		if o.Unscannable != unscannable || (string(o.Data) == "attack") != plain {
			t.Errorf("limit %d %s: %q %q", limit, response, o.Unscannable, o.Data)
		}
	}
	f(0, "response", "", true)
	f(2, "response", "", true)
	f(1, "response", "too-deep", false)
	f(9, "response", "", true)
	f(1, "", "", true)
}

// TestMaxTx: a protocol's own bound is asked before the common one.
func TestMaxTx(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
	env.Limits = protocol.DefaultLimits()
	env.Limits.TxOf[protocol.HTTP1], env.Limits.TxOf[protocol.HTTP2] = 3, 5
	p := newParser()
	for range 100 {
		p.Parse(env, 0, []byte(get[2:]))
	}
	if len(p.open) != 3 {
		t.Errorf("%d requests wait", len(p.open))
	}
	if n := env.Limits.Tx(protocol.DNS); n != env.Limits.MaxTx {
		t.Errorf("a protocol without its own bound has %d", n)
	}
}

// FuzzDecodeTwice: undoing escapes in place gives what it gives with room, and
// nothing longer.
func FuzzDecodeTwice(f *testing.F) {
	f.Add([]byte("/a%252e%252e/%25c0%25af//b\\c"))
	f.Add([]byte("%u0025u002f/..%2525"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		once := appendPath(nil, raw)
		want := appendPath(nil, once)
		got := appendPath(once[:0], once)
		if !bytes.Equal(got, want) || len(want) > len(raw) {
			t.Fatalf("%q: in place %q, with room %q", raw, got, want)
		}
	})
}
