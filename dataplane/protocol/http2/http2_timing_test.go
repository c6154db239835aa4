package http2

import (
	"strings"
	"testing"

	"sluice/dataplane/protocol"
)

type nullSink struct{ n int }

func (s *nullSink) OpenObject(o *protocol.Object)                          { o.Tx.OpenObjects++ }
func (s *nullSink) ObjectData(o *protocol.Object, p []byte)                { s.n += len(p) }
func (s *nullSink) ObjectGap(*protocol.Object, uint64)                     {}
func (s *nullSink) CloseObject(o *protocol.Object, _ protocol.ObjectState) { o.Tx.OpenObjects-- }

func pruned(tx *protocol.Tx) bool { return tx.Progress == [2]uint8{ProgressComplete, ProgressComplete} }

// patch sets the stream of a frame.
func patch(frame []byte, id uint32) {
	frame[5], frame[6], frame[7], frame[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
}

// BenchmarkExchange is a request of 12 fields, most of them from the table, and
// a response of 8 with a body of 4 KB.
func BenchmarkExchange(b *testing.B) {
	env := &protocol.Env{Objects: &nullSink{}, Limits: protocol.DefaultLimits(), DstPort: 80}
	p := newParser()
	p.Parse(env, protocol.ToServer, []byte(preface+settings))
	p.Parse(env, protocol.ToClient, []byte(settings))
	c, s := newPeer(), newPeer()
	request := func() []byte {
		return []byte(get(c, 1, "user-agent Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "accept */*", "accept-encoding gzip, deflate, br",
			"accept-language en-US,en;q=0.9", "referer https://www.example.com/index.html", "cookie session=0123456789abcdef", "cookie theme=dark", "x-a b"))
	}
	response := func() []byte {
		return []byte(ok(s, 1, 0, "server nginx/1.25", "date Mon, 01 Jan 2024 00:00:00 GMT", "content-type text/javascript", "content-length 4096",
			"last-modified Mon, 01 Jan 2024 00:00:00 GMT", "etag 65f0", "cache-control max-age=600"))
	}
	p.Parse(env, protocol.ToServer, request())
	p.Parse(env, protocol.ToClient, response())
	req, resp := request(), response()
	body := []byte(fr(frameData, flagEndStream, 1, strings.Repeat("x", 4096)))
	b.SetBytes(int64(len(req) + len(resp) + len(body)))
	b.ReportAllocs()
	id := uint32(1)
	for b.Loop() {
		id += 2
		patch(req, id)
		patch(resp, id)
		patch(body, id)
		p.Parse(env, protocol.ToServer, req)
		p.Parse(env, protocol.ToClient, resp)
		for in := body; len(in) > 0; {
			n := min(1448, len(in))
			p.Parse(env, protocol.ToClient, in[:n])
			in = in[n:]
		}
		p.txs.Prune(pruned)
	}
}

// BenchmarkData measures a body in whole frames.
func BenchmarkData(b *testing.B) {
	env, p, in := download(16 << 10)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(env, protocol.ToClient, in)
	}
}

func download(n int) (*protocol.Env, *parser, []byte) {
	env := &protocol.Env{Objects: &nullSink{}, Limits: protocol.DefaultLimits(), DstPort: 80}
	p := newParser()
	p.Parse(env, protocol.ToServer, []byte(preface+settings+get(newPeer(), 1)))
	p.Parse(env, protocol.ToClient, []byte(settings+ok(newPeer(), 1, 0)))
	return env, p, []byte(fr(frameData, 0, 1, strings.Repeat("x", n)))
}

// TestNoAllocation holds that a body's frames cost no memory.
func TestNoAllocation(t *testing.T) {
	env, p, in := download(1000)
	if n := testing.AllocsPerRun(100, func() { p.Parse(env, protocol.ToClient, in) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
