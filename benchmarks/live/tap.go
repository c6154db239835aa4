package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/netlab"
)

// behind is what passed a tap of a wire of 1 Gbit/s behind a verdict.
type behind struct {
	// bytes arrived at the server behind the last byte that the verdict needs.
	bytes int64
	// reset is when the client heard of it, after that byte had arrived.
	reset time.Duration
}

const (
	// tapFront and tapBack are what an upload has before and behind the cards.
	tapFront, tapBack = 2 << 20, 16 << 20
	// tapTimeout bounds one upload, in case that nothing ends it.
	tapTimeout = 10 * time.Second
)

// behindTapAlone is behindTap with a CPU of its own for the worker, as where the
// hosts are machines of their own: what sends here keeps to the other ones. It
// measures nothing where there is but one.
func (w *way) behindTapAlone(ctx context.Context, dir string, n int, log io.Writer) (_ []behind, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, fmt.Errorf("read the CPUs to run on: %w", err)
	}
	if all.Count() < 2 {
		return nil, nil
	}
	own, others := len(all)*64-1, all // the last one
	for !all.IsSet(own) {
		own--
	}
	others.Clear(own)
	if err := keepTo(&others); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, keepTo(&all)) }()
	return w.behindTap(ctx, dir, n, log, "--set", "workers=1", "--set", fmt.Sprintf("ports.capture.cpus=[%d]", own))
}

// keepTo has all threads of this process, and what they start, run on the CPUs
// of set.
func keepTo(set *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err == nil {
			err = unix.SchedSetaffinity(tid, set)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) { // it ended meanwhile
			return fmt.Errorf("choose CPUs for thread %s: %w", t.Name(), err)
		}
	}
	return nil
}

// behindTap uploads lists of cards, each in the midst of a large body, beside a
// bridge whose inside port the program listens on.
func (w *way) behindTap(ctx context.Context, dir string, n int, log io.Writer, more ...string) (_ []behind, err error) {
	lab, err := netlab.New("")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	if err := lab.Gateway.IP("link add br0 type bridge", "link set br0 up", "link set "+netlab.InsideIf+" master br0", "link set "+netlab.OutsideIf+" master br0"); err != nil {
		return nil, err
	}
	// A card of 1 Gbit/s: whole frames of the MTU, and a queue of its size.
	for _, c := range [][]string{{"ethtool", "-K", netlab.ClientIf, "tso", "off", "gso", "off"},
		{"tc", "qdisc", "add", "dev", netlab.ClientIf, "root", "tbf", "rate", "1gbit", "burst", "16kb", "limit", "256kb"}} {
		if _, err := lab.Client.Run(ctx, c[0], c[1:]...); err != nil {
			return nil, err
		}
	}
	state, err := os.MkdirTemp(dir, "daemon-*")
	if err != nil {
		return nil, err
	}
	d, err := startDaemon(ctx, lab, w.binary, state, filepath.Join(dir, "cache"), slices.Concat([]string{"--tap", netlab.InsideIf, "--set", "ports.inject=br0"}, w.args, more))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.proc.Stop()) }()
	var all []behind
	for i := range n {
		b, err := upload(ctx, lab, uint64(71+i))
		if err != nil {
			return nil, fmt.Errorf("upload %d: %w\n%s", i+1, err, d.counters(ctx))
		}
		fmt.Fprintf(log, "upload %d: %d bytes behind the verdict, a reset after %v\n", i+1, b.bytes, b.reset)
		all = append(all, b)
	}
	return all, nil
}

// upload sends one list of cards. Where the worker was kept from running for as
// long as it takes, nothing ends it.
func upload(ctx context.Context, lab *netlab.Lab, seed uint64) (behind, error) {
	l, err := lab.Server.Listen(netlab.Server4 + ":0")
	if err != nil {
		return behind{}, err
	}
	defer l.Close()
	line := "An ordinary line of a quarterly report.\n"
	list := cardList(50, seed)
	front, back := strings.Repeat(line, tapFront/len(line)), bytes.Repeat([]byte(line), tapBack/len(line))
	head := fmt.Sprintf("PUT /list-%d HTTP/1.1\r\nHost: files.example.net\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n",
		seed, len(front)+len(list)+len(back))
	upTo := int64(len(head) + len(front) + len(list))
	var got int64
	var at time.Time // when the last byte that is needed had arrived
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(tapTimeout))
		for buf := make([]byte, 64<<10); err == nil; {
			var n int
			n, err = c.Read(buf)
			if got += int64(n); got >= upTo && at.IsZero() {
				at = time.Now()
			}
		}
	}()
	c, err := lab.Client.DialContext(ctx, "", "tcp", l.Addr().String())
	if err != nil {
		return behind{}, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(tapTimeout))
	if _, err = io.WriteString(c, head+front+list); err == nil {
		_, err = c.Write(back)
	}
	if err == nil { // all was taken: the answer tells
		_ = c.(*net.TCPConn).CloseWrite()
		_, err = io.Copy(io.Discard, c)
	}
	reset := time.Now()
	c.Close()
	<-ended
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return behind{}, err
	}
	b := behind{bytes: max(got-upTo, 0)}
	if !at.IsZero() {
		b.reset = max(reset.Sub(at), 0)
	}
	return b, nil
}

// cardList makes a customer list with valid card numbers of a range that is used
// for tests.
func cardList(n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("customer,credit card,expires\n")
	for i := range n {
		digits := fmt.Sprintf("4556%011d", r.Int64N(1e11))
		sum := 0
		for j, c := range digits { // the check digit of ISO/IEC 7812-1
			d := int(c - '0')
			if j%2 == 0 {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
		}
		fmt.Fprintf(&b, "Customer %d,%s%d,%02d/29\n", i+1, digits, (10-sum%10)%10, i%12+1)
	}
	return b.String()
}

// tapTable tells what passed with the CPUs shared, and with one for the worker.
func tapTable(shared, own []behind) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Uploads at 1 Gbit/s past a bridge, each of %d MiB with a list of cards in it, cut by a tap on the bridge's port; bundled\n"+
		"rules and classifiers. 64 KiB take 0.52 ms. Where the hosts share the worker's CPU, as programs on this machine, what they do in the\n"+
		"kernel delays it (this one does not preempt that); with a CPU of its own (`ports.capture.cpus`) it is as where hosts are other machines.\n\n"+
		"| | uploads | at most 64 KiB behind the verdict | least | median | p90 | most |\n|---|---:|---:|---:|---:|---:|---:|\n", (tapFront+tapBack)>>20)
	for _, part := range []struct {
		name string
		all  []behind
	}{{"CPUs shared with the hosts", shared}, {"a CPU of its own", own}} {
		if len(part.all) == 0 {
			continue
		}
		var sizes []int64
		var resets []time.Duration
		within := 0
		for _, t := range part.all {
			sizes, resets = append(sizes, t.bytes), append(resets, t.reset)
			if t.bytes <= 64<<10 {
				within++
			}
		}
		counts := fmt.Sprintf(" | %d | %d", len(part.all), within)
		row(&b, part.name+": KiB that arrived behind the list"+counts, sizes, func(n int64) string { return fmt.Sprintf("%.0f", float64(n)/1024) })
		row(&b, part.name+": the client's reset after it, ms | | ", resets, func(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1e3) })
	}
	return b.String()
}
