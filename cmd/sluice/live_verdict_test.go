package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// past uploads a list of cards in the midst of a body, without asking whether it
// is welcome, and gives how many bytes behind the last card reached the server.
// front and tail are the sizes of what is before and behind the list.
func (r *rig) past(path string, seed uint64, front, tail int) (behind int64, err error) {
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
	before := strings.Repeat(line, front/len(line))
	list := stage.CardList(stage.Cards(50, seed))
	block := bytes.Repeat([]byte(line), 1<<20/len(line))
	blocks := max(tail/len(block), 1)
	head := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: files.example.net\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n", path, len(before)+len(list)+blocks*len(block))
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err = io.WriteString(c, head+before+list)
	for ; err == nil && blocks > 0; blocks-- {
		_, err = c.Write(block)
	}
	if err == nil { // all was taken: the answer tells
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = io.Copy(io.Discard, c)
	}
	<-ended
	return got.Load() - int64(len(head)+len(before)+len(list)), err
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
		behind, err := r.past(fmt.Sprint("/past-", seed), seed, 2<<20, 4<<20)
		if behind > 0 {
			r.Errorf("%d bytes behind the verdict arrived (the client saw %v)", behind, err)
		}
		r.awaitBlock(mark, "block-cards", "http-request")
	}
}

// pace has the client send as a card of the given rate does: whole frames of the
// MTU, and a queue of a card's size.
func (r *rig) pace(rate string) {
	r.Helper()
	for _, c := range [][]string{{"ethtool", "-K", netlab.ClientIf, "tso", "off", "gso", "off"},
		{"tc", "qdisc", "replace", "dev", netlab.ClientIf, "root", "tbf", "rate", rate, "burst", "16kb", "limit", "256kb"}} {
		if _, err := r.lab.Client.Run(r.ctx, c[0], c[1:]...); err != nil {
			r.Fatal(err)
		}
	}
}

// liveTapPast has uploads cut by a tap beside the wire. How soon it is at the rate
// of a card is for benchmarks/live to tell: here a machine that others load must
// only cut each of them long before its end. At a rate that leaves a starved
// worker 26 ms for them, no more than 64 KiB pass behind the verdict.
func liveTapPast(r *rig) {
	if err := r.lab.Gateway.IP("link add br0 type bridge", "link set br0 up",
		"link set "+netlab.InsideIf+" master br0", "link set "+netlab.OutsideIf+" master br0"); err != nil {
		r.Fatal(err)
	}
	r.cfg.Args = []string{"--tap", netlab.InsideIf, "--set", "ports.inject=br0"}
	r.run()
	seed := uint64(70)
	cut := func(front, tail int) int64 {
		r.Helper()
		seed++
		mark := r.soc.Mark()
		behind, err := r.past(fmt.Sprint("/past-", seed), seed, front, tail)
		e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
		// The first cards of a list may be restricted already, the rest then makes it a list.
		if d := e.DLP; d.Rule != "block-cards" && d.Rule != "block-restricted" || d.Action != "block" || !d.Enforced {
			r.Errorf("%s", e.Raw)
		}
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			r.Errorf("the client saw %v", err)
		}
		return max(behind, 0)
	}
	var fast, slow []int64
	r.pace("1gbit")
	const tail = 256 << 20 // two seconds
	for range 5 {
		behind := cut(2<<20, tail)
		if behind > tail/2 {
			r.Errorf("%d of %d bytes behind the verdict arrived", behind, tail)
		}
		fast = append(fast, behind)
	}
	r.pace("20mbit")
	best := int64(tail)
	for len(slow) < 8 && best > 64<<10 {
		slow = append(slow, cut(256<<10, 16<<20))
		best = slices.Min(slow)
	}
	r.Logf("bytes behind the verdict at 1 Gbit/s: %v, at 20 Mbit/s: %v", fast, slow)
	if best > 64<<10 {
		r.Errorf("at 20 Mbit/s at least %d bytes behind the verdict arrived", best)
	}
}
