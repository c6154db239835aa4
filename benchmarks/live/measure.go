package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"

	"sluice/internal/netlab"
)

// figures are what one measurement of a way gives.
type figures struct {
	one, four, text float64 // Gbit/s of one upload, of four, and of four of text
	kpps            float64
	p50, p99, p99_9 time.Duration
}

func (f figures) String() string {
	return fmt.Sprintf("%.2f, %.2f and %.2f Gbit/s, %.0f kpps, round trip p50 %v p99 %v p99.9 %v", f.one, f.four, f.text, f.kpps, f.p50, f.p99, f.p99_9)
}

func (w *way) measure(ctx context.Context, dir string, o *options) (f figures, err error) {
	lab, d, end, err := w.between(ctx, dir)
	if err != nil {
		return f, err
	}
	defer func() {
		if err != nil && d != nil {
			err = fmt.Errorf("%w\n%s", err, d.counters(ctx))
		}
		err = errors.Join(err, end())
	}()
	if f.one, err = bulk(ctx, lab, 1, packed(), o.span); err != nil {
		return f, err
	}
	if f.four, err = bulk(ctx, lab, 4, packed(), o.span); err != nil {
		return f, err
	}
	if f.text, err = bulk(ctx, lab, 4, prose(), o.span); err != nil {
		return f, err
	}
	if f.kpps, err = flood(ctx, lab, o.span); err != nil {
		return f, err
	}
	f.p50, f.p99, f.p99_9, err = roundTrips(ctx, lab, o.echoes)
	return f, err
}

// bodySize is the length of one upload; a connection carries many.
const bodySize = 64 << 20

// packed gives bytes like those of packed or encrypted files.
func packed() []byte {
	block := make([]byte, 256<<10)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(block)
	return block
}

// prose gives text that holds nothing confidential.
func prose() []byte {
	words := strings.Fields("the house by a river has four rooms and of them one is for guests who come in summer when days are long " +
		"while others say that work begins early, ends late, and nobody knows why; so it was, is now, and will be again.")
	r := rand.New(rand.NewPCG(1, 2))
	block := make([]byte, 0, 256<<10)
	for line := 0; len(block) < cap(block)-128; {
		w := words[r.IntN(len(words))]
		block = append(append(block, w...), ' ')
		if line += len(w) + 1; line > 80 {
			block, line = append(block, '\n'), 0
		}
	}
	for len(block) < cap(block) {
		block = append(block, ' ')
	}
	return block
}

// bulk gives the throughput of uploads by HTTP over so many connections, of a
// block again and again.
func bulk(ctx context.Context, lab *netlab.Lab, n int, block []byte, span time.Duration) (float64, error) {
	l, err := lab.Server.Listen(netlab.Server4 + ":0")
	if err != nil {
		return 0, err
	}
	var got atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go take(c, &got)
		}
	}()
	var conns []net.Conn
	var wg sync.WaitGroup
	defer func() {
		l.Close()
		for _, c := range conns {
			c.Close()
		}
		wg.Wait()
	}()
	for range n {
		c, err := lab.Client.DialContext(ctx, "", "tcp", l.Addr().String())
		if err != nil {
			return 0, err
		}
		conns = append(conns, c)
		wg.Go(func() { _, _ = io.Copy(io.Discard, c) }) // the answers
		wg.Go(func() {
			for {
				if _, err := fmt.Fprintf(c, "PUT /archive.bin HTTP/1.1\r\nHost: files.example.net\r\nContent-Length: %d\r\n\r\n", bodySize); err != nil {
					return
				}
				for sent := 0; sent < bodySize; sent += len(block) {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	from, begin := got.Load(), time.Now()
	time.Sleep(span)
	return float64(got.Load()-from) * 8 / time.Since(begin).Seconds() / 1e9, ctx.Err()
}

// take is a server that receives uploads and answers each.
func take(c net.Conn, got *atomic.Int64) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 1<<20)
	buf := make([]byte, 1<<20)
	for {
		for { // the header
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == 2 {
				break
			}
		}
		for left := bodySize; left > 0; {
			k, err := r.Read(buf[:min(left, len(buf))])
			left -= k
			got.Add(int64(k))
			if err != nil {
				return
			}
		}
		if _, err := io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// sending is how many datagrams go to the kernel in one call.
const sending = 32

// datagrams sends datagrams of 18 bytes, numbered, until n are sent or the time
// is over, at no more than perSecond where that is not zero.
func datagrams(ctx context.Context, lab *netlab.Lab, to string, n int, span time.Duration, perSecond float64) (sent int, err error) {
	c, err := lab.Client.DialContext(ctx, "", "udp", to)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	p := ipv4.NewPacketConn(c.(*net.UDPConn))
	msgs := make([]ipv4.Message, sending)
	for i := range msgs {
		msgs[i].Buffers = [][]byte{make([]byte, 18)}
	}
	begin := time.Now()
	for sent < n && ctx.Err() == nil {
		k := min(sending, n-sent)
		for i := range k {
			binary.BigEndian.PutUint64(msgs[i].Buffers[0], uint64(sent+i))
		}
		for done := 0; done < k; {
			m, err := p.WriteBatch(msgs[done:k], 0)
			if err != nil {
				return sent, err
			}
			done += m
		}
		sent += k
		if perSecond > 0 {
			if ahead := time.Duration(float64(sent)/perSecond*1e9) - time.Since(begin); ahead > time.Millisecond {
				time.Sleep(ahead)
			}
		} else if time.Since(begin) > span {
			break
		}
	}
	return sent, ctx.Err()
}

// arrived gives how many datagrams the server's host has received, whether a
// program had room for them or not.
func arrived(lab *netlab.Lab) (n int, err error) {
	err = lab.Server.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) == 0 || f[0] != "Udp:" {
				continue
			}
			if names == nil {
				names = f
				continue
			}
			for _, want := range []string{"InDatagrams", "RcvbufErrors"} {
				v, err := strconv.Atoi(f[slices.Index(names, want)])
				if err != nil {
					return err
				}
				n += v
			}
		}
		return nil
	})
	return n, err
}

// receive reads datagrams until the socket is closed, and notes the numbers
// that came again or too late.
func receive(c net.PacketConn, disorder *atomic.Int64) {
	p := ipv4.NewPacketConn(c.(*net.UDPConn))
	msgs := make([]ipv4.Message, 128)
	for i := range msgs {
		msgs[i].Buffers = [][]byte{make([]byte, 64)}
	}
	next := uint64(0)
	for {
		n, err := p.ReadBatch(msgs, 0)
		if err != nil {
			return
		}
		for i := range n {
			v := binary.BigEndian.Uint64(msgs[i].Buffers[0])
			if v < next {
				disorder.Add(1)
			}
			next = v + 1
		}
	}
}

// flood gives how many thousand small datagrams arrive in a second when they
// are sent as fast as possible.
func flood(ctx context.Context, lab *netlab.Lab, span time.Duration) (float64, error) {
	s, err := lab.Server.ListenPacket(netlab.Server4 + ":0")
	if err != nil {
		return 0, err
	}
	defer s.Close()
	go receive(s, new(atomic.Int64))
	before, err := arrived(lab)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := datagrams(ctx, lab, s.LocalAddr().String(), 1<<62, span, 0); err != nil {
		return 0, err
	}
	after, err := arrived(lab)
	return float64(after-before) / time.Since(begin).Seconds() / 1e3, err
}

// tripTimeout is when a connection that is stuck counts as a failure.
const tripTimeout = 20 * time.Second

// roundTrips measures echoes of 64 bytes over one connection.
func roundTrips(ctx context.Context, lab *netlab.Lab, n int) (p50, p99, p99_9 time.Duration, err error) {
	l, err := lab.Server.Listen(netlab.Server4 + ":0")
	if err != nil {
		return 0, 0, 0, err
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	c, err := lab.Client.DialContext(ctx, "", "tcp", l.Addr().String())
	if err != nil {
		return 0, 0, 0, err
	}
	defer c.Close()
	buf := make([]byte, 64)
	all := make([]time.Duration, n)
	for i := range all {
		begin := time.Now()
		if i%100 == 0 {
			_ = c.SetDeadline(begin.Add(tripTimeout))
		}
		if _, err := c.Write(buf); err != nil {
			return 0, 0, 0, err
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return 0, 0, 0, err
		}
		all[i] = time.Since(begin)
	}
	slices.Sort(all)
	return all[n/2], all[n*99/100], all[n*999/1000], nil
}

// lossResult tells what became of numbered frames.
type lossResult struct {
	sent, arrived, disorder int
	// ringDrops and sendErrors are the program's own counts.
	ringDrops, sendErrors, discarded uint64
	kpps                             float64
}

// loss sends numbered frames at a steady rate.
func (w *way) loss(ctx context.Context, dir string, n int, kpps float64) (res *lossResult, err error) {
	lab, d, end, err := w.between(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	s, err := lab.Server.ListenPacket(netlab.Server4 + ":0")
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var disorder atomic.Int64
	go receive(s, &disorder)
	before, err := arrived(lab)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	res = &lossResult{}
	if res.sent, err = datagrams(ctx, lab, s.LocalAddr().String(), n, 0, kpps*1e3); err != nil {
		return nil, err
	}
	res.kpps = float64(res.sent) / time.Since(begin).Seconds() / 1e3
	time.Sleep(500 * time.Millisecond)
	after, err := arrived(lab)
	if err != nil {
		return nil, err
	}
	st, err := d.status(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range st.Ports {
		res.ringDrops += p.Dropped
		res.sendErrors += p.SendLost
		for _, r := range p.Rings {
			res.discarded += r.Discarded
		}
	}
	res.arrived, res.disorder = after-before, int(disorder.Load())
	return res, nil
}
