package http1

import (
	"bytes"
	"strconv"
	"testing"

	"sluice/dataplane/protocol"
)

type nullSink struct{ n int }

func (s *nullSink) OpenObject(o *protocol.Object)                          { o.Tx.OpenObjects++ }
func (s *nullSink) ObjectData(o *protocol.Object, p []byte)                { s.n += len(p) }
func (s *nullSink) ObjectGap(*protocol.Object, uint64)                     {}
func (s *nullSink) CloseObject(o *protocol.Object, _ protocol.ObjectState) { o.Tx.OpenObjects-- }

const benchRequest = "GET /static/js/app.3f9a.js?v=17 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n" +
	"Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\nReferer: https://www.example.com/index.html\r\n" +
	"Cookie: session=0123456789abcdef; theme=dark\r\nConnection: keep-alive\r\n\r\n"

func benchResponse(n int) string {
	return "HTTP/1.1 200 OK\r\nServer: nginx/1.25\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/javascript\r\nContent-Length: " +
		strconv.Itoa(n) + "\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nETag: \"65f0\"\r\nCache-Control: max-age=600\r\nConnection: keep-alive\r\n\r\n"
}

func pruned(tx *protocol.Tx) bool { return tx.Progress == [2]uint8{ProgressComplete, ProgressComplete} }

// BenchmarkKeepAlive is a request of 8 and a response of 8 header lines with a
// body of 4 KB in segments.
func BenchmarkKeepAlive(b *testing.B) {
	env := &protocol.Env{Objects: &nullSink{}, Limits: protocol.DefaultLimits(), DstPort: 80}
	p := newParser()
	req, resp := []byte(benchRequest), append([]byte(benchResponse(4096)), bytes.Repeat([]byte("x"), 4096)...)
	b.SetBytes(int64(len(req) + len(resp)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(env, protocol.ToServer, req)
		for in := resp; len(in) > 0; {
			n := min(1448, len(in))
			p.Parse(env, protocol.ToClient, in[:n])
			in = in[n:]
		}
		p.txs.Prune(pruned)
	}
}

// BenchmarkHeaders measures the heads alone: 17 lines and two start lines.
func BenchmarkHeaders(b *testing.B) {
	env := &protocol.Env{Objects: &nullSink{}, Limits: protocol.DefaultLimits(), DstPort: 80}
	p := newParser()
	req, resp := []byte(benchRequest), []byte(benchResponse(0))
	b.SetBytes(int64(len(req) + len(resp)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(env, protocol.ToServer, req)
		p.Parse(env, protocol.ToClient, resp)
		p.txs.Prune(pruned)
	}
}

// BenchmarkBody measures an identity body and a chunked one in segments.
func BenchmarkBody(b *testing.B) {
	f := func(name, head, segment string) {
		b.Run(name, func(b *testing.B) {
			env := &protocol.Env{Objects: &nullSink{}, Limits: protocol.DefaultLimits(), DstPort: 80}
			p := newParser()
			p.Parse(env, protocol.ToServer, []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
			p.Parse(env, protocol.ToClient, []byte(head))
			in := []byte(segment)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				p.Parse(env, protocol.ToClient, in)
			}
		})
	}
	x := string(bytes.Repeat([]byte("x"), 1440))
	f("identity", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", x)
	f("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5a0\r\n"+x+"\r\n")
}

// TestNoAllocation holds that a body's segments cost no memory.
func TestNoAllocation(t *testing.T) {
	env := &protocol.Env{Objects: &nullSink{}, Limits: protocol.DefaultLimits(), DstPort: 80}
	p := newParser()
	p.Parse(env, protocol.ToServer, []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	p.Parse(env, protocol.ToClient, []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
	in := []byte("5\r\nhello\r\n")
	if n := testing.AllocsPerRun(100, func() { p.Parse(env, protocol.ToClient, in) }); n != 0 {
		t.Errorf("%v allocations a segment", n)
	}
}
