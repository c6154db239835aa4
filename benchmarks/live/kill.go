package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/internal/netlab"
)

// killed is what one kill -9 of the program cost that fails open.
type killed struct {
	// gap is the longest time without a datagram at the server, by the kernel's
	// own times of arrival; pause is the sender's longest in the same span, which
	// is no fault of the program.
	gap, pause time.Duration
	// outage is from the sending of the first datagram that was lost to that of
	// the next one behind the last that was; 0 where none was.
	outage     time.Duration
	lost, sent int
	// after are those of the lost that were sent after the kill: the others waited
	// in the program's buffers.
	after int
	// transfer is the longest time without a byte of a TCP transfer.
	transfer time.Duration
}

const (
	// killRate is how many numbered datagrams go in a second.
	killRate = 10_000
	// killBefore and killAfter are how long they go before and after the kill.
	killBefore, killAfter = 300 * time.Millisecond, 700 * time.Millisecond
)

// kill kills the program twice, each time with a network of its own: once under
// numbered datagrams, once under a transfer as fast as it goes.
func (w *way) kill(ctx context.Context, dir string) (k killed, err error) {
	if err := w.dying(ctx, dir, func(lab *netlab.Lab, d *daemon) error { return k.numbered(ctx, lab, d) }); err != nil {
		return k, err
	}
	return k, w.dying(ctx, dir, func(lab *netlab.Lab, d *daemon) error { return k.streaming(ctx, lab, d) })
}

// dying runs measure on a program that this is to kill.
func (w *way) dying(ctx context.Context, dir string, measure func(*netlab.Lab, *daemon) error) (err error) {
	lab, d, _, err := w.between(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	if err := measure(lab, d); err != nil {
		return err
	}
	select {
	case <-d.proc.Done():
		return nil
	case <-time.After(startTimeout):
		return errors.New("the program outlived its kill")
	}
}

func (k *killed) numbered(ctx context.Context, lab *netlab.Lab, d *daemon) error {
	s, err := lab.Server.ListenPacket(netlab.Server4 + ":0")
	if err != nil {
		return err
	}
	defer s.Close()
	if err := stamped(s.(*net.UDPConn)); err != nil {
		return err
	}
	c, err := lab.Client.DialContext(ctx, "", "udp", s.LocalAddr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	var arrivals []time.Time
	seen := map[uint32]bool{}
	var read atomic.Int64
	received := make(chan error, 1)
	go func() {
		received <- receiveStamped(s.(*net.UDPConn), func(number uint32, at time.Time) {
			arrivals = append(arrivals, at)
			seen[number] = true
			read.Add(1)
		})
	}()
	begin := time.Now()
	at := make(chan time.Time, 1)
	timer := time.AfterFunc(killBefore, func() {
		at <- time.Now()
		_ = d.proc.Signal(syscall.SIGKILL)
	})
	defer timer.Stop()
	// Before other programs: its own pauses would be all that shows.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, -20)
	defer func() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 0) }()
	b := make([]byte, 18)
	var last time.Time
	var sentAt []time.Time
	for now := begin; now.Sub(begin) < killBefore+killAfter; now = time.Now() {
		if now.Sub(begin) > killBefore-20*time.Millisecond && !last.IsZero() {
			k.pause = max(k.pause, now.Sub(last))
		}
		last = now
		for ; k.sent < int(now.Sub(begin).Seconds()*killRate); k.sent++ {
			binary.BigEndian.PutUint32(b, uint32(k.sent))
			if _, err := c.Write(b); err != nil {
				return err
			}
			sentAt = append(sentAt, now)
		}
		// Not time.Sleep: it would wait for threads that do not go before others.
		_ = syscall.Nanosleep(&syscall.Timespec{Nsec: 50_000}, nil)
	}
	// On a busy machine the server may have much left to read.
	for n := int64(-1); n != read.Load(); time.Sleep(500 * time.Millisecond) {
		n = read.Load()
	}
	s.Close()
	if err := <-received; err != nil {
		return err
	}
	asked := <-at
	from := asked.Add(-2 * time.Millisecond)
	for i := 1; i < len(arrivals); i++ {
		if arrivals[i].After(from) {
			k.gap = max(k.gap, arrivals[i].Sub(arrivals[i-1]))
		}
	}
	k.lost = k.sent - len(seen)
	first, next := -1, 0
	for i := range sentAt {
		if !seen[uint32(i)] {
			if next = i + 1; first < 0 {
				first = i
			}
			if sentAt[i].After(asked) {
				k.after++
			}
		}
	}
	if first >= 0 && next < len(sentAt) {
		k.outage = sentAt[next].Sub(sentAt[first])
	}
	return nil
}

// stamped has the kernel note when datagrams arrive, with room for many of them.
func stamped(c *net.UDPConn) error {
	if err := c.SetReadBuffer(8 << 20); err != nil {
		return err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	})
	return errors.Join(err, os.NewSyscallError("ask for times of arrival", set))
}

// receiveStamped reads numbered datagrams until the socket is closed.
func receiveStamped(c *net.UDPConn, got func(number uint32, at time.Time)) error {
	b, oob := make([]byte, 64), make([]byte, 128)
	for {
		n, o, _, _, err := c.ReadMsgUDP(b, oob)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		list, err := syscall.ParseSocketControlMessage(oob[:o])
		if err != nil || n < 4 {
			continue
		}
		for _, m := range list {
			if m.Header.Type == syscall.SO_TIMESTAMPNS && len(m.Data) >= 16 {
				sec, nsec := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
				got(binary.BigEndian.Uint32(b), time.Unix(int64(sec), int64(nsec)))
			}
		}
	}
}

func (k *killed) streaming(ctx context.Context, lab *netlab.Lab, d *daemon) error {
	l, err := lab.Server.Listen(netlab.Server4 + ":0")
	if err != nil {
		return err
	}
	defer l.Close()
	var at atomic.Int64 // when the kill was sent, nanoseconds since the epoch
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 256<<10)
		last := time.Now()
		for {
			_, err := c.Read(buf)
			now := time.Now()
			if from := at.Load(); from != 0 && now.UnixNano() >= from {
				k.transfer = max(k.transfer, now.Sub(last))
			}
			if last = now; err != nil {
				return
			}
		}
	})
	c, err := lab.Client.DialContext(ctx, "", "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	wg.Go(func() {
		block := packed()
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	})
	time.Sleep(killBefore)
	at.Store(time.Now().UnixNano())
	if err := d.proc.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	time.Sleep(killAfter)
	return ctx.Err()
}

// kills kills the program again and again.
func (w *way) kills(ctx context.Context, dir string, n int, log io.Writer) ([]killed, error) {
	all := make([]killed, 0, n)
	for i := range n {
		k, err := w.kill(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("kill %d: %w", i+1, err)
		}
		fmt.Fprintf(log, "kill %d: no datagram for %v (the sender paused for %v), %d of %d lost within %v, %d of them sent after the kill; no byte of the transfer for %v\n", i+1, k.gap, k.pause, k.lost, k.sent, k.outage, k.after, k.transfer)
		all = append(all, k)
	}
	return all, nil
}

// killTable tells what became of the traffic.
func killTable(all []killed) string {
	var gaps, pauses, outages, transfers []time.Duration
	var lost, after []int
	for _, k := range all {
		gaps, pauses, outages = append(gaps, k.gap), append(pauses, k.pause), append(outages, k.outage)
		transfers, lost = append(transfers, k.transfer), append(lost, k.lost)
		after = append(after, k.after)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d times `kill -9` under %d datagrams a second, and %d under a TCP transfer as fast as it goes; bundled rules and\n"+
		"classifiers, failing open. A gap is the longest time in which nothing arrived; where the dying program and whatever\n"+
		"else ran kept the sender from sending, it is the sender's. What was sent before the kill\n"+
		"and lost waited in the program's buffers.\n\n"+
		"| | least | median | p90 | most |\n|---|---:|---:|---:|---:|\n", len(all), killRate, len(all))
	ms := func(name string, v []time.Duration) {
		row(&b, name, v, func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1e3) })
	}
	ms("gap between datagrams, ms", gaps)
	ms("the sender's own longest pause then, ms", pauses)
	ms("from the first datagram lost to the last, ms", outages)
	row(&b, "datagrams lost", lost, func(n int) string { return fmt.Sprint(n) })
	row(&b, "of them sent after the kill", after, func(n int) string { return fmt.Sprint(n) })
	ms("gap of the transfer, ms", transfers)
	return b.String()
}

// row writes a distribution as a row of a table.
func row[T int | int64 | time.Duration](b *strings.Builder, name string, v []T, text func(T) string) {
	s := slices.Sorted(slices.Values(v))
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, text(s[0]), text(s[len(s)/2]), text(s[len(s)*9/10]), text(s[len(s)-1]))
}
