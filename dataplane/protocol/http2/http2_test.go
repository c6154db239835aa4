package http2

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

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
	f(ts, "", protocol.Unsure)
	f(ts, "PRI * HTTP/2.0\r\n", protocol.Unsure)
	f(ts, preface, protocol.Certain)
	f(ts, preface+"more", protocol.Certain)
	f(ts, "PRI * HTTP/2.0\r\n\r\nXX", protocol.NotForUs)
	f(ts, "GET / HTTP/1.1\r\n", protocol.NotForUs)
	empty := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	f(tc, "", protocol.Unsure)
	f(tc, "\x00\x00", protocol.Unsure)
	f(tc, empty, protocol.Unsure)
	f(tc, empty+"\x00\x00\x00\x04\x01\x00\x00\x00\x00", protocol.Certain)
	f(tc, empty+"\x00\x00\x00\x00\x00\x00\x00\x00\x00", protocol.NotForUs)
	f(tc, "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", protocol.Certain)
	f(tc, "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00", protocol.Unsure)
	f(tc, "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x10", protocol.NotForUs)
	f(tc, "\x00\x00\x05\x04", protocol.NotForUs)
	f(tc, "\x00\x00\x06\x04\x00\x00\x00\x00\x01", protocol.NotForUs)
	f(tc, "HTTP/1.1 200", protocol.NotForUs)
	f(tc, strings.Repeat("\x00", 4096), protocol.NotForUs)
}

// peer builds one end's frames.
type peer struct {
	enc *hpack.Encoder
	buf bytes.Buffer
}

func newPeer() *peer {
	p := &peer{}
	p.enc = hpack.NewEncoder(&p.buf)
	return p
}

// block encodes "name value" pairs.
func (p *peer) block(fields ...string) string {
	p.buf.Reset()
	for _, f := range fields {
		n, v, _ := strings.Cut(f, " ")
		if err := p.enc.WriteField(hpack.HeaderField{Name: n, Value: v}); err != nil {
			panic(err)
		}
	}
	return p.buf.String()
}

func fr(typ, flags uint8, stream uint32, payload string) string {
	return string(appendFrame(nil, typ, flags, stream, []byte(payload)))
}

func get(p *peer, id uint32, more ...string) string {
	return fr(frameHeaders, flagEndHeaders|flagEndStream, id, p.block(append([]string{":method GET", ":scheme http", ":path /a", ":authority h"}, more...)...))
}

func post(p *peer, id uint32, more ...string) string {
	return fr(frameHeaders, flagEndHeaders, id, p.block(append([]string{":method POST", ":scheme http", ":path /up", ":authority h"}, more...)...))
}

func ok(p *peer, id uint32, flags uint8, more ...string) string {
	return fr(frameHeaders, flagEndHeaders|flags, id, p.block(append([]string{":status 200"}, more...)...))
}

var (
	settings = fr(frameSettings, 0, 0, "\x00\x03\x00\x00\x00\x64")
	hello    = "> " + preface + settings
	helloS   = "< " + settings
)

// look is a short form of what a parser found.
func look(r *protocoltest.Result) string {
	var b strings.Builder
	for _, tx := range r.Txs {
		e := tx.Event.HTTP
		part := e.HTTP2
		if part.StreamID == 0 && len(tx.Events) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%d %s %s %d len=%d %v", part.StreamID, e.Method, e.URL, e.Status, e.Length, tx.Progress)
		if len(tx.Events) > 0 {
			fmt.Fprintf(&b, " %s", strings.Join(tx.Events, ","))
		}
		b.WriteByte('\n')
	}
	for _, o := range r.Objects {
		fmt.Fprintf(&b, "%v %d %s %q %s", o.Dir, o.Kind, o.Name, o.Data, o.State)
		if o.Container {
			b.WriteString(" container")
		}
		if o.Missing > 0 {
			fmt.Fprintf(&b, " missing %d", o.Missing)
		}
		if o.Unscannable != "" {
			fmt.Fprintf(&b, " %s", o.Unscannable)
		}
		b.WriteByte('\n')
	}
	if r.Status != protocol.Continue {
		fmt.Fprintf(&b, "status %d\n", r.Status)
	}
	return b.String()
}

// withHTTP1 is the definition with the buffers that http1 shares.
func withHTTP1() *protocol.Definition {
	def := *Definition()
	def.Buffers = append(append([]protocol.BufferSpec{}, def.Buffers...), Also()...)
	return &def
}

func dialogue(turns []string) protocoltest.Dialogue {
	d := protocoltest.TCP(80)
	for _, turn := range turns {
		if g, ok := strings.CutPrefix(turn, "gap "); ok {
			c := protocoltest.Chunk{}
			if g[0] == '<' {
				c.Dir = protocol.ToClient
			}
			fmt.Sscanf(g[1:], "%d", &c.Gap)
			d.Chunks = append(d.Chunks, c)
			continue
		}
		d.Chunks = append(d.Chunks, protocoltest.TCP(80, turn).Chunks...)
	}
	return d
}

func gz(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func TestDialogues(t *testing.T) {
	f := func(name, want string, turns ...string) *protocoltest.Result {
		t.Helper()
		d := dialogue(turns)
		r := protocoltest.Run(withHTTP1(), d)
		if err := r.Sink.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := look(r); got != strings.TrimLeft(want, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		rnd := rand.New(rand.NewSource(1))
		for range 30 {
			if diff := protocoltest.Diff(r, protocoltest.Run(withHTTP1(), d.Cut(rnd))); diff != "" {
				t.Fatalf("%s: cut: %s", name, diff)
			}
		}
		return r
	}
	c, s := newPeer(), newPeer()
	fresh := func() { c, s = newPeer(), newPeer() }

	f("plain", `
1 GET /a 200 len=5 [5 5]
to_client 0 /a "hello" CLOSED
`, hello+get(c, 1), helloS+ok(s, 1, 0), "< "+fr(frameData, flagEndStream, 1, "hello"))
	fresh()
	f("two streams, answers crossed", `
1 GET /a 200 len=2 [5 5]
3 GET /a 200 len=2 [5 5]
to_client 0 /a "31" CLOSED
to_client 0 /a "12" CLOSED
`, hello+get(c, 1)+get(c, 3), helloS+ok(s, 3, 0)+ok(s, 1, 0)+fr(frameData, 0, 3, "3")+fr(frameData, 0, 1, "1")+fr(frameData, 1, 3, "1")+fr(frameData, 1, 1, "2"))
	fresh()
	f("padding, priority, continuation", `
1 GET /a 200 len=4 [5 5]
to_client 0 /a "data" CLOSED
`, hello+func() string {
		b := c.block(":method GET", ":scheme http", ":path /a", "x-long "+strings.Repeat("y", 300))
		return fr(frameHeaders, flagEndStream|flagPadded|flagPriority, 1, "\x03\x80\x00\x00\x05\x0f"+b[:3]+"\x00\x00\x00") +
			fr(frameContinuation, 0, 1, b[3:9]) + fr(frameContinuation, flagEndHeaders, 1, b[9:])
	}(), helloS+ok(s, 1, 0)+fr(frameData, flagEndStream|flagPadded, 1, "\x05data\x00\x00\x00\x00\x00"))
	fresh()
	f("upload in gzip", `
1 POST /up 200 len=0 [5 5]
to_server 0 /up "secret text" CLOSED
`, hello+post(c, 1, "content-encoding gzip")+fr(frameData, 0, 1, gz("secret text")[:9])+fr(frameData, 1, 1, gz("secret text")[9:]), helloS+ok(s, 1, flagEndStream))
	fresh()
	f("form", `
1 POST /up 200 len=0 [5 5]
to_server 0 /up "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\ncontent\r\n--b--\r\n" CLOSED container
to_server 1 x.txt "content" CLOSED
`, hello+post(c, 1, "content-type multipart/form-data; boundary=b")+fr(frameData, 1, 1,
		"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\ncontent\r\n--b--\r\n"), helloS+ok(s, 1, flagEndStream))
	fresh()
	f("declared length ends the object, excess is another", `
1 POST /up 0 len=0 [5 5] data_exceeds_length
to_server 0 /up "12345" CLOSED
to_server 0  "678" TRUNCATED
`, hello+post(c, 1, "content-length 5")+fr(frameData, 0, 1, "123")+fr(frameData, 0, 1, "4567")+fr(frameData, 0, 1, "8"))
	fresh()
	f("interim response, trailer", `
1 GET /a 200 len=2 [5 5]
to_client 0 /a "ok" CLOSED
`, hello+get(c, 1), helloS+fr(frameHeaders, flagEndHeaders, 1, s.block(":status 103", "link x"))+ok(s, 1, 0)+fr(frameData, 0, 1, "ok")+
		fr(frameHeaders, flagEndHeaders|flagEndStream, 1, s.block("grpc-status 0")))
	fresh()
	f("push", `
1 GET /a 200 len=0 [5 5]
2 GET /style.css 200 len=3 [5 5]
to_client 0 /style.css "css" CLOSED
`, hello+get(c, 1), helloS+fr(framePushPromise, flagEndHeaders, 1, "\x00\x00\x00\x02"+s.block(":method GET", ":path /style.css"))+
		ok(s, 1, flagEndStream)+ok(s, 2, 0)+fr(frameData, 1, 2, "css"))
	fresh()
	f("reset by the client, late data", `
1 GET /a 200 len=4 [5 5]
to_client 0 /a "part" TRUNCATED
`, hello+get(c, 1), helloS+ok(s, 1, 0)+fr(frameData, 0, 1, "part"), "> "+fr(frameRSTStream, 0, 1, "\x00\x00\x00\x08"), "< "+fr(frameData, 0, 1, "late"))
	fresh()
	f("reset by the server, data goes on", `
1 POST /up 0 len=0 [5 5]
1   0 len=0 [5 5]
to_server 0 /up "abc" TRUNCATED
to_server 0  "def" TRUNCATED
`, hello+post(c, 1)+fr(frameData, 0, 1, "abc"), helloS+fr(frameRSTStream, 0, 1, "\x00\x00\x00\x08"), "> "+fr(frameData, 0, 1, "def"))
	fresh()
	f("answer without a request, as after an upgrade", `
1   200 len=2 [5 5]
to_client 0  "hi" CLOSED
`, helloS+ok(s, 1, 0)+fr(frameData, 1, 1, "hi"), hello)
	fresh()
	f("authority", `
1 GET /a 0 len=0 [5 5] userinfo_in_uri,authority_host_mismatch
`, hello+fr(frameHeaders, 5, 1, c.block(":method GET", ":path /a", ":authority u@h", "host x")))
	fresh()
	f("wrong lengths", `
0   0 len=0 [5 5] invalid_frame_length
0   0 len=0 [5 5] invalid_frame_length
0   0 len=0 [5 5] invalid_frame_length
0   0 len=0 [5 5] data_stream_zero
1 GET /a 0 len=0 [5 5] invalid_frame_length
3 POST /up 0 len=0 [5 5] invalid_frame_data
`, hello+fr(framePing, 0, 0, "1234567")+fr(frameWindowUpdate, 0, 0, "12345")+fr(frameSettings, 0, 0, "12345")+fr(frameData, 0, 0, "x")+
		get(c, 1)+fr(frameRSTStream, 0, 1, "")+post(c, 3)+fr(frameData, flagPadded, 3, "\x05xx"))
	fresh()
	f("gap in data", `
1 GET /a 200 len=10 [5 5]
3 GET /a 200 len=0 [5 5]
to_client 0 /a "123890" TRUNCATED missing 4
`, hello+get(c, 1)+get(c, 3), helloS+ok(s, 1, 0)+fr(frameData, 1, 1, "1234567890")[:12], "gap < 4", "< 890"+ok(s, 3, flagEndStream))
	fresh()
	first := ok(s, 1, 0, "x-known value")
	f("gap over frames, table of before unknown", `
1 GET /a 200 len=5 [5 5]
3 GET /a 200 len=1 [5 5]
0   0 len=0 [5 5] invalid_frame_header
to_client 0 /a "1" TRUNCATED missing 4
to_client 2  "rest" TRUNCATED
to_client 0 /a "x" CLOSED
`, hello+get(c, 1)+get(c, 3), helloS+first+fr(frameData, 0, 1, "12345")[:10], "gap < 50", "< rest"+ok(s, 3, 0, "x-known value", "x-new n")+fr(frameData, 1, 3, "x")+ok(s, 1, 1)+fr(framePing, 0, 0, "12345678"))
	fresh()
	get(c, 1, "x-known value")
	f("capture begins late", `
3 GET  0 len=0 [5 5]
5 GET  0 len=0 [5 5]
`, "> "+get(c, 3, "x-known value", "x-new n")+get(c, 5, "x-known value", "x-new n"))
	fresh()
	f("headers cannot be decoded", `
1 GET  0 len=0 [5 5] invalid_header
3 GET /a 200 len=0 [5 5]
`, hello+fr(frameHeaders, 5, 1, "\x82\xff\xff\x03zzz")+get(newPeer(), 3), helloS+ok(s, 3, 1))
	fresh()
	f("something between headers", `
1 GET /a 0 len=0 [5 5] invalid_frame_data
`, hello+fr(frameHeaders, flagEndStream, 1, c.block(":method GET", ":path /a"))+fr(framePing, 0, 0, "12345678"))
	fresh()
	f("no HTTP/2 at all", `
0   0 len=0 [5 5] invalid_frame_header
to_server 2  "this is no frame, and nothing that could be one" TRUNCATED
`, "> this is no frame, and nothing that could be one")
}

func TestGivesUp(t *testing.T) {
	d := protocoltest.TCP(80, "> "+preface+settings+strings.Repeat(fr(frameHeaders, 5, 1, "\xff\xff\x03"), 40))
	r := protocoltest.Run(Definition(), d)
	if err := r.Sink.Check(); err != nil || r.Status != protocol.Error {
		t.Errorf("broken headers: status %d, %v", r.Status, err)
	}
	d = protocoltest.TCP(80, "> "+strings.Repeat("rubbish ", 64<<10))
	r = protocoltest.Run(Definition(), d)
	if err := r.Sink.Check(); err != nil || r.Status != protocol.Error {
		t.Errorf("rubbish: status %d, %v", r.Status, err)
	}
}

// TestConfiguredBounds holds the bounds of HTTP/2's own to the parser.
func TestConfiguredBounds(t *testing.T) {
	run := func(l protocol.HTTP2Limits, frames ...string) *parser {
		env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
		env.Limits.HTTP2, env.Limits.TxOf[protocol.HTTP2] = l, 9
		p := newParser()
		p.Parse(env, protocol.ToServer, []byte(preface+settings))
		for _, f := range frames {
			p.Parse(env, protocol.ToServer, []byte(f))
		}
		return p
	}
	c := newPeer()
	var posts []string
	for i := range 50 {
		posts = append(posts, post(c, uint32(2*i+1))+fr(frameData, 0, uint32(2*i+1), "x"))
	}
	if n := len(run(protocol.HTTP2Limits{}, posts...).streams); n != 9 {
		t.Errorf("%d streams with the protocol's max-tx", n)
	}
	if n := len(run(protocol.HTTP2Limits{MaxStreams: 20}, posts...).streams); n != 20 {
		t.Errorf("%d streams of 20", n)
	}
	// A table that is to be larger than is followed breaks the block.
	big := fr(frameHeaders, flagEndHeaders, 1, "\x3f\xe1\x7f"+newPeer().block(":path /")) // 16,384 bytes
	if p := run(protocol.HTTP2Limits{}, big); p.side[0].block.failures != 0 {
		t.Error("a table of 16 KiB is refused")
	}
	if p := run(protocol.HTTP2Limits{MaxTable: 8 << 10}, big); p.side[0].block.failures != 1 {
		t.Error("a table of 16 KiB is followed where 8 are the most")
	}
	head := fr(frameHeaders, flagEndHeaders, 1, newPeer().block(":path /", "x-a "+strings.Repeat("a", 600), "x-b "+strings.Repeat("b", 600)))
	if p := run(protocol.HTTP2Limits{}, head); p.last.msg[0].over {
		t.Error("a block of 1,200 bytes is too long")
	}
	if p := run(protocol.HTTP2Limits{MaxBlock: 1000}, head); !p.last.msg[0].over {
		t.Error("a block of 1,200 bytes fits into 1,000")
	}
}

// TestBounds sends more of everything than is kept.
func TestBounds(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
	p := newParser()
	c := newPeer()
	p.Parse(env, protocol.ToServer, []byte(preface+settings))
	for i := range 2000 {
		p.Parse(env, protocol.ToServer, []byte(post(c, uint32(2*i+1))+fr(frameData, 0, uint32(2*i+1), "x")))
	}
	if len(p.streams) > env.Limits.MaxTx || len(p.order) > 16+3*env.Limits.MaxTx || len(p.done) > maxDone+1 {
		t.Errorf("%d streams, %d in order, %d done", len(p.streams), len(p.order), len(p.done))
	}
	n := len(p.txs.Live)
	for range 2000 {
		p.Parse(env, protocol.ToServer, []byte(fr(framePing, 0, 0, "12345678")))
	}
	if len(p.txs.Live) > n+1 {
		t.Errorf("%d transactions of frames", len(p.txs.Live)-n)
	}

	// A bomb: one entry of the table, named again and again by one byte each.
	p = newParser()
	p.Parse(env, protocol.ToServer, []byte(preface+settings))
	b := c.block("x-bomb " + strings.Repeat("b", 3900))
	p.Parse(env, protocol.ToServer, []byte(fr(frameHeaders, 1, 1, b)))
	for range 50 {
		p.Parse(env, protocol.ToServer, []byte(fr(frameContinuation, 0, 1, strings.Repeat("\xbe", 16<<10))))
	}
	p.Parse(env, protocol.ToServer, []byte(fr(frameContinuation, flagEndHeaders, 1, c.block(":path /end"))))
	ex := p.txs.Live[len(p.txs.Live)-1].State.(*exchange)
	m := &ex.msg[0]
	if n := len(m.raw); n > env.Limits.MaxHeader+framingRoom || len(m.fields) > maxFields+framingFields || !m.over {
		t.Errorf("%d bytes, %d fields", n, len(m.fields))
	}
	if v, _ := m.get(kindPath); string(v) != "/end" {
		t.Errorf("path %q is lost behind the bomb", v)
	}
	// A string that never ends is not collected.
	p.Parse(env, protocol.ToServer, []byte(fr(frameHeaders, 0, 3, "\x00\x01x\x7f\xff\xff\x07")))
	if got := p.txs.Live[len(p.txs.Live)-1].Events; len(got) != 1 || got[0] != "header_list_too_long" {
		t.Errorf("events %v", got)
	}
}

func TestBuffers(t *testing.T) {
	c, s := newPeer(), newPeer()
	d := dialogue([]string{hello + fr(frameHeaders, 5, 1, c.block(":method GET", ":scheme http", ":path /a/../b%20c//d?q=%41", ":authority User@Host.Example:8080",
		"user-agent agent", "authorization Bearer abc", "cookie a=1", "cookie b=2", "accept */*", "x-colon a:b")),
		helloS + ok(s, 1, 0, "server nginx", "content-type text/html", "set-cookie z=1") + fr(frameData, 0, 1, "x") + fr(frameHeaders, 5, 1, s.block("x-sum 1"))})
	r := protocoltest.CheckCuts(t, withHTTP1(), d)
	var tx *protocoltest.Tx
	for i := range r.Txs {
		if r.Txs[i].Event.HTTP.Method != "" {
			tx = &r.Txs[i]
		}
	}
	f := func(key string, want ...string) {
		t.Helper()
		if got := tx.Buffers[key]; fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	f("to_server http.method", "GET")
	f("to_server http.uri", "/b c/d?q=A")
	f("to_server http.uri.raw", "/a/../b%20c//d?q=%41")
	f("to_server http.host", "host.example")
	f("to_server http.host.raw", "User@Host.Example:8080")
	f("to_server http.user_agent", "agent")
	f("to_server http.cookie", "a=1; b=2")
	f("to_client http.cookie", "z=1")
	f("to_server http.protocol", "HTTP/2")
	f("to_server http.request_line", "GET /a/../b%20c//d?q=%41 HTTP/2")
	f("to_client http.response_line", "HTTP/2 200")
	f("to_client http.stat_code", "200")
	f("to_client http.stat_msg")
	f("to_client http.server", "nginx")
	f("to_client http.header_names", "\r\n:status\r\nserver\r\ncontent-type\r\nset-cookie\r\n\r\n")
	f("to_client http.header", ":status: 200\r\nserver: nginx\r\ncontent-type: text/html\r\n")
	f("to_client http.header.raw", ":status: 200\r\nserver: nginx\r\ncontent-type: text/html\r\nset-cookie: z=1\r\n")
	f("to_client http.response_header", ":status: 200", "server: nginx", "content-type: text/html", "set-cookie: z=1")
	f("to_client http.request_header")
	f("to_client http.trailer", "x-sum: 1\r\n")
	f("to_client http2.header_name", ":status", "server", "content-type", "set-cookie")
	f("to_server http2.header", "::method: GET", "::scheme: http", "::path: /a/../b%20c//d?q=%41", "::authority: User@Host.Example::8080",
		"user-agent: agent", "authorization: Bearer abc", "cookie: a=1", "cookie: b=2", "accept: */*", "x-colon: a::b")
	if h := tx.Event.HTTP; h.Hostname != "host.example" || h.HTTPPort != 8080 || h.Status != 200 || h.ContentType != "text/html" || len(h.RequestHeaders) != 10 ||
		h.RequestHeaders[5].Value != "Bearer ***" || h.RequestHeaders[6].Value != "***" {
		t.Errorf("event %+v", h)
	}
}

func TestFields(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
	p := newParser()
	c := newPeer()
	c.enc.SetMaxDynamicTableSizeLimit(100)
	b := c.block(":method GET", ":path /")
	p.Parse(env, protocol.ToServer, []byte(preface+fr(frameSettings, 0, 0, "\x00\x02\x00\x00\x00\x00\x00\x04\x00\x00\xff\xff")+fr(frameWindowUpdate, 0, 0, "\x00\x00\x01\x00")+
		fr(frameHeaders, flagEndHeaders|flagPriority, 1, "\x00\x00\x00\x00\x10"+b)+fr(frameData, 0, 1, "x")+fr(frameGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x0b")))
	f := func(tx int, id string, want ...uint64) {
		t.Helper()
		field, _ := p.txs.Live[tx].State.(interface {
			Field(string, protocol.Dir, int) (uint64, bool)
		})
		var got []uint64
		for i := 0; ; i++ {
			v, ok := field.Field(id, protocol.ToServer, i)
			if !ok {
				break
			}
			got = append(got, v)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d %s: %v, want %v", tx, id, got, want)
		}
		if _, ok := field.Field(id, protocol.ToClient, 0); ok {
			t.Errorf("%d %s: in the other direction", tx, id)
		}
	}
	f(0, "http2.frametype", 4)
	f(0, "http2.settings", 2<<32, 4<<32|0xffff)
	f(1, "http2.window", 256)
	f(2, "http2.frametype", 1, 0)
	f(2, "http2.priority", 16)
	f(2, "http2.size_update", 100)
	f(3, "http2.errorcode", 11)
}

func TestRefusal(t *testing.T) {
	env := protocoltest.NewEnv(protocoltest.TCP(80), &protocoltest.Sink{})
	p := newParser()
	c, s := newPeer(), newPeer()
	f := func(want bool) string {
		t.Helper()
		r, ok := p.Refusal()
		if ok != want {
			t.Errorf("refusal %v, want %v", ok, want)
		}
		return string(r)
	}
	f(false)
	p.Parse(env, protocol.ToServer, []byte(preface+settings+post(c, 1)+fr(frameData, 0, 1, "x")))
	if got := f(true); !strings.HasPrefix(got, fr(frameSettings, 0, 0, "")) {
		t.Errorf("%q does not begin with settings", got)
	}
	p.Parse(env, protocol.ToClient, []byte(settings[:5]))
	f(false)
	p.Parse(env, protocol.ToClient, []byte(settings[5:]))
	got := f(true)
	q := protocoltest.Run(Definition(), protocoltest.TCP(80, hello+post(newPeer(), 1), helloS+got))
	if !strings.Contains(look(q), "1 POST /up 403") {
		t.Errorf("the refusal reads as %s", look(q))
	}
	p.Parse(env, protocol.ToClient, []byte(ok(s, 1, 0)))
	f(false)
}
