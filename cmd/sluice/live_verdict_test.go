package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// past uploads a list of cards in the midst of a large body, without asking
// whether it is welcome, and gives how many bytes behind the last card reached
// the server.
func (r *rig) past(path string, seed uint64, tail int) (behind int64, err error) {
	r.Helper()
	l := r.listen(netlab.Server4 + ":0")
	defer l.Close()
	var got atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(writerFunc(func(b []byte) (int, error) { got.Add(int64(len(b))); return len(b), nil }), c)
	}()
	c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", l.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	line := "An ordinary line of a quarterly report.\n"
	front := strings.Repeat(line, 2<<20/len(line))
	list := stage.CardList(stage.Cards(50, seed))
	back := bytes.Repeat([]byte(line), tail/len(line))
	head := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: files.example.net\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n", path, len(front)+len(list)+len(back))
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err = io.WriteString(c, head+front+list)
	if err == nil {
		_, err = c.Write(back)
	}
	if err == nil { // all was taken: the answer tells
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = io.Copy(io.Discard, c)
	}
	<-ended
	return got.Load() - int64(len(head)+len(front)+len(list)), err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// livePast has not a byte behind a verdict reach the far side of a bridge.
func livePast(r *rig) {
	r.start()
	r.nothingPast()
}

// liveGatewayPast is the same through a host that routes.
func liveGatewayPast(r *rig) {
	r.route()
	r.startGateway()
	r.nothingPast()
}

func (r *rig) nothingPast() {
	r.Helper()
	for seed := uint64(61); seed < 64; seed++ {
		mark := r.soc.Mark()
		behind, err := r.past(fmt.Sprint("/past-", seed), seed, 4<<20)
		if behind > 0 {
			r.Errorf("%d bytes behind the verdict arrived (the client saw %v)", behind, err)
		}
		r.awaitBlock(mark, "block-cards", "http-request")
	}
}

// liveTapPast counts the bytes that reach the far side behind a verdict beside a
// wire of 1 Gbit/s.
func liveTapPast(r *rig) {
	if err := r.lab.Gateway.IP("link add br0 type bridge", "link set br0 up",
		"link set "+netlab.InsideIf+" master br0", "link set "+netlab.OutsideIf+" master br0"); err != nil {
		r.Fatal(err)
	}
	// A card of 1 Gbit/s: whole frames of the MTU, and a queue of its size.
	for _, c := range [][]string{{"ethtool", "-K", netlab.ClientIf, "tso", "off", "gso", "off"},
		{"tc", "qdisc", "add", "dev", netlab.ClientIf, "root", "tbf", "rate", "1gbit", "burst", "16kb", "limit", "256kb"}} {
		if _, err := r.lab.Client.Run(r.ctx, c[0], c[1:]...); err != nil {
			r.Fatal(err)
		}
	}
	r.cfg.Args = []string{"--tap", netlab.InsideIf, "--set", "ports.inject=br0"}
	r.run()
	var all []int64
	best := int64(1 << 40)
	// One of several must be in time: other programs of the machine hold the tap
	// up, or the sender.
	for seed := uint64(71); seed < 91 && best > 64<<10; seed++ {
		mark := r.soc.Mark()
		behind, err := r.past(fmt.Sprint("/past-", seed), seed, 16<<20)
		e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
		if behind <= 64<<10 && (err == nil || e.DLP.Rule != "block-cards" || !e.DLP.Enforced) {
			r.Errorf("the client saw %v: %s", err, e.Raw)
		}
		all = append(all, max(behind, 0))
		best = min(best, max(behind, 0))
	}
	r.Logf("bytes behind the verdict: %v", all)
	if best > 64<<10 {
		r.Errorf("at least %d bytes behind the verdict arrived", best)
	}
}
