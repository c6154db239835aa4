package http2

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// tapped records what passes through a client's connection.
type tapped struct {
	net.Conn
	mu     *sync.Mutex
	chunks *[]protocoltest.Chunk
}

func (c tapped) note(dir protocol.Dir, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(b) > 0 {
		*c.chunks = append(*c.chunks, protocoltest.Chunk{Dir: dir, Data: bytes.Clone(b)})
	}
}

func (c tapped) Write(b []byte) (int, error) { c.note(protocol.ToServer, b); return c.Conn.Write(b) }
func (c tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.note(protocol.ToClient, b[:n])
	return n, err
}

// TestStandardLibrary listens to the standard library's client and server: 24
// uploads at once over one connection, each answered in gzip, with trailers.
func TestStandardLibrary(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no loopback: %v", err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Trailer", "X-Sum")
		z := gzip.NewWriter(w)
		fmt.Fprintf(z, "answer to %s: ", r.URL.Path)
		z.Write(in)
		z.Close()
		w.Header().Set("X-Sum", "done")
	})}
	go srv.Serve(ln)
	defer srv.Close()

	var mu sync.Mutex
	d := protocoltest.TCP(80)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		return tapped{c, &mu, &d.Chunks}, err
	}
	tr := &http.Transport{Protocols: &protocols, DialContext: dial, DisableCompression: true, MaxConnsPerHost: 1}
	client := &http.Client{Transport: tr}
	rnd := rand.New(rand.NewSource(1))
	want := map[string]string{}
	var wg sync.WaitGroup
	for i := range 24 {
		path, sent := fmt.Sprintf("/up/%d", i), make([]byte, rnd.Intn(100_000))
		rnd.Read(sent)
		want[path] = string(sent)
		wg.Add(1)
		go func() {
			defer wg.Done()
			req, _ := http.NewRequest("POST", "http://"+ln.Addr().String()+path, io.MultiReader(bytes.NewReader(sent)))
			req.Header.Set("X-Long", strings.Repeat(path, 4000)) // needs CONTINUATION
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}()
	}
	wg.Wait()
	tr.CloseIdleConnections()
	mu.Lock()
	defer mu.Unlock()
	r := protocoltest.Run(withHTTP1(), d)
	if err := r.Sink.Check(); err != nil {
		t.Error(err)
	}
	if a := anomalies(r.Txs); a != "" {
		t.Errorf("anomalies: %s", a)
	}
	for _, o := range r.Objects {
		w := want[o.Name]
		if o.Dir == protocol.ToClient {
			w = "answer to " + o.Name + ": " + w
		}
		if string(o.Data) != w || o.State != protocol.ObjectClosed {
			t.Errorf("%v %s: %d bytes %s, want %d", o.Dir, o.Name, len(o.Data), o.State, len(w))
		}
	}
	n := 0
	for _, tx := range r.Txs {
		if tx.Event.HTTP.Status == 200 && tx.Event.HTTP.Method == "POST" && len(tx.Buffers["to_client http.trailer"]) == 1 {
			n++
		}
	}
	if n != 24 || len(r.Objects) < 47 {
		t.Errorf("%d exchanges, %d objects", n, len(r.Objects))
	}
}
