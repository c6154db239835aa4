package http1

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, data string, want protocol.Certainty) {
		t.Helper()
		if got := Probe(dir, []byte(data)); got != want {
			t.Errorf("%v %q: %d, want %d", dir, data, got, want)
		}
	}
	const ts, tc = protocol.ToServer, protocol.ToClient
	f(ts, "GET / HTTP/1.1\r\n", protocol.Certain)
	f(ts, "\r\n\r\nGET /index HT", protocol.Certain)
	f(ts, "GET http://x/ ", protocol.Certain)
	f(ts, "G", protocol.Unsure)
	f(ts, "", protocol.Unsure)
	f(ts, "FOOBAR /x HTTP/1.0\n", protocol.Certain)
	f(ts, "FOOBAR /x\n", protocol.NotForUs)
	f(ts, "GET /old\n", protocol.Certain)
	f(ts, "OPTIONS * RTSP/1.0\r\n", protocol.NotForUs)
	f(ts, "OPTIONS sip:a@b SIP/2.0\r\n", protocol.NotForUs)
	f(ts, "REGISTER sip:a@b SIP/2.0\r\n", protocol.NotForUs)
	f(ts, "OPTIONS * HTTP/1.1\r\n", protocol.Certain)
	f(ts, "OPTIONS *", protocol.Unsure)
	f(ts, "REQMOD icap://x ICAP/1.0\r\n", protocol.NotForUs)
	f(ts, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", protocol.NotForUs)
	f(ts, "\x16\x03\x01", protocol.NotForUs)
	f(ts, "EHLO x\r\n", protocol.NotForUs)
	f(ts, strings.Repeat("A", 4096), protocol.NotForUs)
	f(ts, "GET /"+strings.Repeat("a", 4096), protocol.Certain)
	f(ts, "CONNECT x:443 HTTP/1.1\r\n", protocol.Certain)
	f(tc, "HTTP/1.1 200 OK\r\n", protocol.Certain)
	f(tc, "HTT", protocol.Unsure)
	f(tc, "HTTP/2 200", protocol.NotForUs)
	f(tc, "220 smtp", protocol.NotForUs)
}

// look is a short form of what a parser found: events, buffers and objects.
func look(r *protocoltest.Result) string {
	var b strings.Builder
	for _, tx := range r.Txs {
		e := tx.Event.HTTP
		fmt.Fprintf(&b, "%d %s %s %d len=%d %v", tx.ID, e.Method, e.URL, e.Status, e.Length, tx.Progress)
		if len(tx.Events) > 0 {
			fmt.Fprintf(&b, " %s", strings.Join(tx.Events, ","))
		}
		b.WriteByte('\n')
	}
	for _, o := range r.Objects {
		fmt.Fprintf(&b, "%v %d %s %q %s", o.Dir, o.Kind, o.Name, o.Data, o.State)
		if o.Missing > 0 {
			fmt.Fprintf(&b, " missing %d", o.Missing)
		}
		if o.Unscannable != "" {
			fmt.Fprintf(&b, " %s", o.Unscannable)
		}
		b.WriteByte('\n')
	}
	if r.Status != protocol.Continue {
		fmt.Fprintf(&b, "status %d to %v rest %q\n", r.Status, r.SwitchTo, r.Rest)
	}
	return b.String()
}

const get = "> GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

func TestDialogues(t *testing.T) {
	f := func(name string, want string, turns ...string) {
		t.Helper()
		d := protocoltest.TCP(80)
		for _, turn := range turns {
			switch {
			case strings.HasPrefix(turn, "gap "):
				var n uint64
				var side string
				fmt.Sscanf(turn, "gap %s %d", &side, &n)
				c := protocoltest.Chunk{Gap: n}
				if side == "<" {
					c.Dir = protocol.ToClient
				}
				d.Chunks = append(d.Chunks, c)
			case strings.HasPrefix(turn, "end <"):
				d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: protocol.ToClient, End: true})
			default:
				d.Chunks = append(d.Chunks, protocoltest.TCP(80, turn).Chunks...)
			}
		}
		r := protocoltest.Run(Definition(), d)
		if err := r.Sink.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := look(r); got != strings.TrimLeft(want, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		rnd := rand.New(rand.NewSource(1))
		for range 30 {
			got := protocoltest.Run(Definition(), d.Cut(rnd))
			got.Rest = r.Rest // how much of the new protocol came along depends on the cut
			if diff := protocoltest.Diff(r, got); diff != "" {
				t.Fatalf("%s: cut: %s", name, diff)
			}
		}
	}
	f("plain", `
0 GET /a 200 len=5 [5 5]
to_client 0 /a "hello" CLOSED
`, get, "< HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	f("pipeline", `
0 GET /a 200 len=1 [5 5]
1 POST /b 404 len=2 [5 5]
to_server 0 /b "xyz" CLOSED
to_client 0 /a "1" CLOSED
to_client 0 /b "22" CLOSED
`, get+"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz",
		"< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n22")
	f("chunked", `
0 GET /a 200 len=36 [5 5] response_chunk_extension
to_client 0 /a "hello world" CLOSED
`, get, "< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n")
	f("head, 204 and 304", `
0 HEAD /a 200 len=0 [5 5]
1 GET /b 204 len=0 [5 5]
2 GET /c 304 len=0 [5 5]
3 GET /d 200 len=1 [5 5]
to_client 0 /d "x" CLOSED
`, "> HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\nGET /d HTTP/1.1\r\nHost: h\r\n\r\n",
		"< HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
	f("continue", `
0 POST /a 201 len=0 [5 5]
to_server 0 /a "abc" CLOSED
`, "> POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", "< HTTP/1.1 100 Continue\r\n\r\n",
		"> abc", "< HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
	f("until close", `
0 GET /a 200 len=4 [5 5]
to_client 0 /a "tail" CLOSED
`, get, "< HTTP/1.0 200 OK\r\n\r\ntail")
	f("truncated", `
0 GET /a 200 len=4 [5 5]
to_client 0 /a "tail" TRUNCATED
`, get, "< HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\ntail")
	f("line feeds and folding", `
0 GET /a 200 len=2 [5 5]
to_client 0 /a "ok" CLOSED
`, "> GET /a HTTP/1.1\nHost: h\nX: a\n  b\n\n", "< HTTP/1.1 200 OK\nContent-Length:\n 2\n\nok")
	f("old request", `
0 GET /a 0 len=5 [5 5] response_invalid_protocol
to_client 0 /a "plain" CLOSED
`, "> GET /a\r\n", "< plain")
	f("connect", `
0 CONNECT h:443 200 len=0 [5 5]
status 3 to unknown rest "\x16\x03"
`, "> CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "< HTTP/1.1 200 OK\r\n\r\n\x16\x03")
	f("connect refused", `
0 CONNECT h:443 407 len=0 [5 5]
1 GET /a 200 len=0 [5 5]
`, "> CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "< HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n", get,
		"< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	f("connect, sent ahead", `
0 CONNECT h:443 200 len=0 [5 5]
to_server 2  "ahead" CLOSED
status 3 to unknown rest ""
`, "> CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nahead", "< HTTP/1.1 200 OK\r\n\r\n")
	f("websocket", `
0 GET /a 101 len=0 [5 5]
status 3 to websocket rest "\x81\x00"
`, "> GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"< HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00")
	f("upgrade declined", `
0 GET /a 200 len=0 [5 5]
1 GET /a 200 len=0 [5 5]
`, "> GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"+get[2:],
		"< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	f("response alone", `
0   200 len=1 [5 5] unable_to_match_response_to_request
to_client 0  "x" CLOSED
`, "< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
	f("gap in body", `
0 GET /a 200 len=10 [5 5]
1 GET /a 200 len=1 [5 5]
to_client 0 /a "abcij" TRUNCATED missing 5
to_client 0 /a "z" CLOSED
`, get+get[2:], "< HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "gap < 5", "< ijHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz")
	f("gap over a border", `
0 GET /a 200 len=5 [5 5]
1 GET /a 200 len=1 [5 5]
to_client 0 /a "abc" TRUNCATED missing 2
to_client 0 /a "z" CLOSED
`, get+get[2:], "< HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "gap < 9", "< rest\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz")
	f("smuggled length", `
0 POST /a 0 len=0 [5 5] duplicate_content_length_field_in_request
to_server 0 /a "0123" CLOSED
`, "> POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n0\r\n\r\n")
	f("bad chunk", `
0 POST /a 0 len=0 [5 5] invalid_request_chunk_len
to_server 0 /a "0123zz\r\nrest" CLOSED
`, "> POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\nzz\r\nrest")
	f("rubbish between requests", `
0 GET /a 0 len=0 [5 5]
1 ??  0 len=0 [5 5] request_line_invalid
2 GET /a 0 len=0 [5 5]
to_server 0  "??\r\nmore rubbish\r\n" TRUNCATED
`, get+"??\r\nmore rubbish\r\n"+get[2:])
	f("form", `
0 POST /up 200 len=0 [5 5]
to_server 0 /up "--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nhi\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\ndata\r\n--B--\r\n" CLOSED
to_server 2 t "hi" CLOSED
to_server 1 x.txt "data" CLOSED
`, "> POST /up HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 133\r\n\r\n"+
		"--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nhi\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\ndata\r\n--B--\r\n",
		"< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write([]byte("compressed text"))
	_ = w.Close()
	f("gzip", fmt.Sprintf(`
0 GET /a 200 len=%d [5 5]
to_client 0 /a "compressed text" CLOSED
`, gz.Len()), get, fmt.Sprintf("< HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", gz.Len(), gz.String()))
	f("gzip with a gap", fmt.Sprintf(`
0 GET /a 200 len=%d [5 5]
to_client 0 /a "" TRUNCATED missing 5 gap
`, gz.Len()), get, fmt.Sprintf("< HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", gz.Len(), gz.String()[:10]), "gap < 5",
		"< "+gz.String()[15:])
	f("no host, odd authorization", `
0 GET http://u/a 0 len=0 [5 5] missing_host_header,request_auth_unrecognized
`, "> GET http://u/a HTTP/1.1\r\nAuthorization: Turbo x\r\n\r\n")
	f("hosts differ", `
0 GET http://u/a 0 len=0 [5 5] request_header_host_invalid,host_header_ambiguous
`, "> GET http://u/a HTTP/1.1\r\nHost: v/w\r\n\r\n")
}

func TestBuffers(t *testing.T) {
	d := protocoltest.TCP(80, "> POST /A//b/./../c%2e%41%20d\\e?q=%41%2fx+y#f HTTP/1.1\r\nHost: WWW.Example.com:80\r\nUser-Agent:  agent \r\n"+
		"X-One: 1\r\nCookie: a=b\r\nx-one: 2\r\nX-Fold: a\r\n\tb\r\nContent-Length: 0\r\n\r\n",
		"< HTTP/1.1 302 Moved on\r\nServer: s\r\nSet-Cookie: x=1\r\nSet-Cookie: y=2\r\nLocation: /z\r\nContent-Type: text/html; charset=x\r\nContent-Length: 0\r\n\r\n")
	r := protocoltest.CheckCuts(t, Definition(), d)
	f := func(key string, want ...string) {
		t.Helper()
		got := r.Txs[0].Buffers[key]
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%s:\n got %q\nwant %q", key, got, want)
		}
	}
	f("to_server http.method", "POST")
	f("to_server http.uri", "/A/c.A d/e?q=A/x+y#f")
	f("to_server http.uri.raw", `/A//b/./../c%2e%41%20d\e?q=%41%2fx+y#f`)
	f("to_server http.protocol", "HTTP/1.1")
	f("to_client http.protocol", "HTTP/1.1")
	f("to_server http.request_line", `POST /A//b/./../c%2e%41%20d\e?q=%41%2fx+y#f HTTP/1.1`)
	f("to_client http.response_line", "HTTP/1.1 302 Moved on")
	f("to_client http.stat_code", "302")
	f("to_client http.stat_msg", "Moved on")
	f("to_server http.host", "www.example.com")
	f("to_server http.host.raw", "WWW.Example.com:80")
	f("to_server http.user_agent", "agent")
	f("to_server http.cookie", "a=b")
	f("to_client http.cookie", "x=1, y=2")
	f("to_client http.location", "/z")
	f("to_client http.server", "s")
	f("to_client http.content_type", "text/html; charset=x")
	f("to_client http.content_len", "0")
	f("to_server http.header", "Host: WWW.Example.com:80\r\nUser-Agent: agent\r\nX-One: 1, 2\r\nX-Fold: a b\r\nContent-Length: 0\r\n")
	f("to_server http.header_names", "\r\nHost\r\nUser-Agent\r\nX-One\r\nCookie\r\nX-Fold\r\nContent-Length\r\n\r\n")
	f("to_client http.header", "Server: s\r\nLocation: /z\r\nContent-Type: text/html; charset=x\r\nContent-Length: 0\r\n")
	f("to_server http.request_header", "Host: WWW.Example.com:80", "User-Agent: agent", "X-One: 1, 2", "Cookie: a=b", "X-Fold: a b", "Content-Length: 0")
	f("to_server http.header.raw", "Host: WWW.Example.com:80\r\nUser-Agent:  agent \r\nX-One: 1\r\nCookie: a=b\r\nx-one: 2\r\nX-Fold: a\r\n\tb\r\nContent-Length: 0\r\n\r\n")
	f("to_client http.start", "HTTP/1.1 302 Moved on\r\nServer: s\r\nSet-Cookie: x=1, y=2\r\nLocation: /z\r\nContent-Type: text/html; charset=x\r\nContent-Length: 0\r\n\r\n")
	e := r.Txs[0].Event.HTTP
	if e.Hostname != "www.example.com" || e.HTTPPort != 80 || e.ContentType != "text/html" || e.Redirect != "/z" || e.UserAgent != "agent" {
		t.Errorf("event: %+v", e)
	}
}

func TestURI(t *testing.T) {
	f := func(uri, want string, events ...string) {
		t.Helper()
		r := protocoltest.Run(Definition(), protocoltest.TCP(80, "> GET "+uri+" HTTP/1.0\r\n\r\n"))
		if got := r.Txs[0].Buffers["to_server http.uri"]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
		if got := strings.Join(r.Txs[0].Events, ","); got != strings.Join(events, ",") {
			t.Errorf("%s: events %s", uri, got)
		}
	}
	f("/", "/")
	f("/a/../../../b", "/b")
	f("/a/b/..", "/a/")
	f("/a/b/.", "/a/b/")
	f("/..", "/")
	f("/%2e%2e/x", "/x")
	f("/a%2Fb", "/a/b")
	f("/a%zz%4", "/a%zz%4")
	f("/%u0041%uFF21", "/AA")
	f("/%c0%afetc", "/etc")
	f("/%c3%a9", "/\xe9")
	f("/%ff", "/\xff")
	f("/a?x=..//y", "/a?x=..//y")
	f("http://host:80/p?q", "/p?q")
	f("http://host", "/")
	f("/a%2527b", "/a%27b", "double_encoded_uri")
	f("/with a space", "/with a space")
	f("*", "*")
}

func TestRefusal(t *testing.T) {
	p := newParser()
	env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
	f := func(dir protocol.Dir, data string, want bool) {
		t.Helper()
		if data != "" {
			p.Parse(env, dir, []byte(data))
		}
		reply, ok := p.Refusal()
		if ok != want {
			t.Errorf("after %q: %v", data, ok)
		}
		if ok {
			_, body, _ := bytes.Cut(reply, []byte("\r\n\r\n"))
			if !bytes.Contains(reply, fmt.Appendf(nil, "Content-Length: %d\r\n", len(body))) {
				t.Errorf("length of %q is %d", body, len(body))
			}
		}
	}
	f(0, "", false)
	f(0, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", true)
	f(1, "H", false)
	f(1, "TTP/1.1 100 Continue\r\n\r\n", true)
	f(1, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", false)
	f(1, "x", false)
	f(0, "cde"+get[2:], true)
}

// TestLimits holds the parser to its bounds.
func TestLimits(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
	env.Limits = protocol.DefaultLimits()
	env.Limits.MaxTx = 10
	p := newParser()
	for range 1000 {
		if st := p.Parse(env, 0, []byte(get[2:])); st != protocol.Continue {
			t.Fatal(st)
		}
	}
	if len(p.open) > 10 {
		t.Errorf("%d open", len(p.open))
	}
	p = newParser()
	p.Parse(env, 0, []byte("GET /"))
	for range 100 {
		p.Parse(env, 0, bytes.Repeat([]byte("a"), 10_000))
	}
	p.Parse(env, 0, []byte(" HTTP/1.1\r\n"))
	for range 100 {
		p.Parse(env, 0, []byte("X: "+strings.Repeat("b", 10_000)+"\r\n"))
	}
	for i := range 5000 {
		p.Parse(env, 0, fmt.Appendf(nil, "Y%d: b\r\n", i))
	}
	p.Parse(env, 0, []byte("Content-Length: 4\r\n\r\nbody"+get[2:]))
	txs := p.Txs().Live
	if len(txs) != 2 || len(p.all[0].msg[0].raw) > env.Limits.MaxHeader+framingRoom {
		t.Fatalf("%d transactions, %d bytes kept", len(txs), len(p.all[0].msg[0].raw))
	}
	if got := strings.Join(txs[0].Events, ","); !strings.Contains(got, "request_field_too_long") {
		t.Error(got)
	}
}

// TestLongField: a line of more than fieldLimit bytes is told of as soon as that
// is known, however it is cut.
func TestLongField(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
	env.Limits = protocol.DefaultLimits()
	f := func(want bool, parts ...string) {
		t.Helper()
		p := newParser()
		for _, s := range parts {
			p.Parse(env, 0, []byte(s))
		}
		if got := slices.Contains(p.Txs().Live[0].Events, "request_field_too_long"); got != want {
			t.Errorf("%d parts: %v", len(parts), got)
		}
	}
	long := strings.Repeat("a", fieldLimit)
	f(true, "GET / HTTP/1.1\r\nX: "+long)
	f(true, "GET / HTTP/1.1\r\nX: "+long+"\r\n\r\n")
	f(true, "GET / HTTP/1.1\r\nX: ", long[:9000], long[9000:])
	f(true, "GET /"+long)
	f(false, "GET / HTTP/1.1\r\nX: "+long[:17000]+"\r\nY: "+long[:17000]+"\r\n\r\n")
}

// print is all of a result that must not depend on cuts; quicker than Diff.
func print(r *protocoltest.Result) string {
	s := look(r)
	for _, tx := range r.Txs {
		s += fmt.Sprintf("%q", tx.Buffers)
	}
	return s
}

func FuzzHTTP(f *testing.F) {
	f.Add([]byte(get[2:]+"POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz"), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), int64(1))
	f.Add([]byte("POST /up HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n--\r\n5\r\nB\r\n\r\n\r\n0\r\n\r\n"),
		[]byte("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 204 N\r\nContent-Length: 4\r\n\r\nHTTP"), int64(2))
	f.Add([]byte("CONNECT a:1 HTTP/1.1\n\nxx"), []byte("HTTP/1.0 200\n \n\nyy"), int64(3))
	f.Add([]byte("GET /\r\nA: b\r\n\r\n"), []byte("junk\r\nHTTP/1.1 200 OK\r\n\tTransfer-Encoding: chunked\r\r\n\r\n"), int64(4))
	f.Add([]byte("GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"), []byte("HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n\x00"), int64(5))
	def := Definition()
	f.Fuzz(func(t *testing.T, client, server []byte, seed int64) {
		r := rand.New(rand.NewSource(seed))
		d := protocoltest.Dialogue{SrcPort: 1, DstPort: 80}
		for len(client)+len(server) > 0 {
			c := protocoltest.Chunk{Dir: protocol.Dir(r.Intn(2))}
			from := &client
			if c.Dir == protocol.ToClient {
				from = &server
			}
			n := r.Intn(len(*from) + 1)
			if n == 0 {
				if n = len(*from); n == 0 {
					continue
				}
			}
			c.Data, *from = (*from)[:n:n], (*from)[n:]
			d.Chunks = append(d.Chunks, c)
			if r.Intn(8) == 0 {
				d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: c.Dir, Gap: uint64(1 + r.Intn(20))})
			}
		}
		want := protocoltest.Run(def, d)
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got := protocoltest.Run(def, d.Cut(r))
			got.Rest = want.Rest
			if print(got) != print(want) {
				t.Fatal(protocoltest.Diff(want, got))
			}
		}
	})
}
