package live

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/flow"
)

// TestTapKeepsBack has a tap keep the data of a connection from passing its port,
// in both directions, while it goes on to see what the port receives, and leaves
// other connections alone.
func TestTapKeepsBack(t *testing.T) {
	top := newTopology(t)
	// The gateway is the server here: its own port is in the path.
	top.address(top.gateway, insideIf, "10.77.0.3/24")
	before := top.portPicture()
	var keep func(flow.Key) error
	var cut, after, failed atomic.Int64
	d := decode.New(decode.Config{})
	p := &processor{process: func(b *capture.Batch, _ []bool) {
		for i := range b.Frames {
			for _, pk := range d.Decode(&b.Frames[i]) {
				switch {
				case bytes.Contains(pk.PayloadBytes(), []byte("SECRET")):
					if key, _, ok := flow.KeyOf(&pk, false); !ok || keep(key) != nil {
						failed.Add(1)
					}
					cut.Add(1)
				case bytes.Contains(pk.PayloadBytes(), []byte("after")):
					after.Add(1)
				}
			}
		}
	}}
	var fast *fastpath.FastPath
	var tap *Tap
	var l net.Listener
	top.in(top.gateway, func() (err error) {
		if fast, err = fastpath.Open(fastpath.Config{Log: quiet()}); err != nil {
			return err
		}
		if tap, err = OpenTap(TapConfig{Interfaces: []string{insideIf}, AtOnce: true, Cut: true, Fast: fast, Log: quiet()}); err != nil {
			return err
		}
		l, err = net.Listen("tcp", "10.77.0.3:0")
		return err
	})
	defer fast.Close()
	defer l.Close()
	if keep = tap.KeepBack(); keep == nil {
		t.Fatal("nothing keeps flows back on this kernel")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tap.Run(ctx, []Processor{p}) }()
	<-tap.Ready()
	served := make(chan net.Conn, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served <- c
		}
	}()
	// end is one of a connection, with what it has read.
	type end struct {
		net.Conn
		mu  sync.Mutex
		got []byte
	}
	read := func(c net.Conn) *end {
		e := &end{Conn: c}
		go func() {
			b := make([]byte, 4096)
			for {
				n, err := c.Read(b)
				e.mu.Lock()
				e.got = append(e.got, b[:n]...)
				e.mu.Unlock()
				if err != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { c.Close() })
		return e
	}
	text := func(e *end) string { e.mu.Lock(); defer e.mu.Unlock(); return string(e.got) }
	pair := func() (client, server *end) {
		c, err := top.dial("tcp", "", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return read(c), read(<-served)
	}
	client, server := pair()
	otherClient, otherServer := pair()
	say := func(e *end, what string) {
		t.Helper()
		if _, err := e.Write([]byte(what)); err != nil {
			t.Fatal(err)
		}
	}
	say(client, "hello ")
	say(server, "welcome ")
	until(t, "both greetings", func() bool { return text(server) == "hello " && text(client) == "welcome " })
	say(client, "SECRET ")
	until(t, "the tap's verdict", func() bool { return cut.Load() > 0 })
	say(client, "after")
	say(server, "after")
	say(otherClient, "hello")
	say(otherServer, "welcome")
	until(t, "what the client sends again", func() bool { return cut.Load()+after.Load() >= 4 })
	until(t, "the other connection's data", func() bool { return text(otherServer) == "hello" && text(otherClient) == "welcome" })
	time.Sleep(50 * time.Millisecond)
	if s, c := text(server), text(client); s != "hello SECRET " && s != "hello " || c != "welcome " {
		t.Errorf("the server got %q, the client %q", s, c)
	}
	if n := failed.Load(); n > 0 {
		t.Errorf("%d flows were not cut", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := tap.Close(); err != nil {
		t.Error(err)
	}
	if after := top.portPicture(); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}
