package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// downloads has the client read random bytes over n connections until stop, and
// counts them.
func (r *rig) downloads(n int) (got *atomic.Int64, stop func()) {
	r.Helper()
	l := r.listen(netlab.Server4 + ":0")
	block := make([]byte, 256<<10)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(block)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			}()
		}
	}()
	got = new(atomic.Int64)
	var conns []net.Conn
	for range n {
		c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", l.Addr().String())
		if err != nil {
			r.Fatal(err)
		}
		conns = append(conns, c)
		go func() {
			buf := make([]byte, 256<<10)
			for {
				k, err := c.Read(buf)
				got.Add(int64(k))
				if err != nil {
					return
				}
			}
		}()
	}
	return got, func() {
		for _, c := range conns {
			c.Close()
		}
	}
}

// liveOverload fills the receive buffers: downloads go past in the kernel, each
// told, and what leaves is judged as before.
func liveOverload(r *rig) {
	r.start("--set", "ports.capture.buffer=2mb", "--set", "workers=1", "--set", "overload.calm=300ms", "--set", "overload.past=4mb", "--set", "overload.order=[download]")
	mark := r.soc.Mark()
	const flows = 4
	got, stop := r.downloads(flows)
	defer stop()
	for deadline := time.Now().Add(10 * time.Second); got.Load() < flows*16<<20 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	// Stopped for less than the heartbeat's time-out, the daemon finds full
	// buffers and no wire program that had stood in for it.
	// On a busy machine a stop may last too long for that: then another one does it.
	shed := func() bool {
		st, err := r.daemon.Status(r.ctx)
		return err == nil && st.Counters["overload.shed_flows.download"] > 0
	}
	for try := 0; try < 8 && !shed(); try++ {
		if err := syscall.Kill(r.daemon.PID(), syscall.SIGSTOP); err != nil {
			r.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if err := syscall.Kill(r.daemon.PID(), syscall.SIGCONT); err != nil {
			r.Fatal(err)
		}
		time.Sleep(400 * time.Millisecond)
	}
	type record struct {
		Overload struct {
			State, Class, By string
			Ports            []string
			Fill             float64 `json:"fill_percent"`
			Lost             uint64  `json:"frames_lost"`
			Flows            uint64
		}
		Flow struct {
			Src      string `json:"src_ip"`
			ToClient uint64 `json:"bytes_toclient"`
		}
	}
	parse := func(e *stage.Event) (rec record) {
		if e.Type == "overload" {
			_ = json.Unmarshal(e.Raw, &rec)
		}
		return rec
	}
	e := r.await(mark, "the overload", func(e *stage.Event) bool { return parse(e).Overload.State == "begin" })
	if o := parse(&e).Overload; o.Fill < 50 && o.Lost == 0 || len(o.Ports) != 2 {
		r.Errorf("%s", e.Raw)
	}
	e = r.await(mark, "a flow that goes past", func(e *stage.Event) bool { return parse(e).Overload.State == "shed" })
	if rec := parse(&e); rec.Overload.Class != "download" || rec.Overload.By != "kernel" || rec.Flow.ToClient < 4<<20 || rec.Flow.Src != netlab.Client4 {
		r.Errorf("%s", e.Raw)
	}
	e = r.await(mark, "the overload's end", func(e *stage.Event) bool { return parse(e).Overload.State == "end" })
	told := 0
	for _, x := range r.soc.Since(mark) {
		if parse(&x).Overload.State == "shed" {
			told++
		}
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	if n := st.Counters["overload.shed_flows.download"]; n == 0 || n > flows || uint64(told) != n || st.Counters["overload.shed_flows.upload"] != 0 {
		r.Errorf("%d flows told, %d counted: %s", told, n, e.Raw)
	}
	before := got.Load()
	r.eventually("more of the transfers", func() bool { return got.Load() > before })
	// What leaves is still judged.
	r.refusedCards("/overloaded", 41)
	if len(st.Ports) != 2 || len(st.Ports[0].Rings) != 1 || st.Ports[0].Rings[0].Frames == 0 {
		r.Errorf("%+v", st.Ports)
	}
	r.cmd(0, "SEND ERRORS", "status")
}

// liveCoverage has the bytes that leave counted by what became of them.
func liveCoverage(r *rig) {
	r.start("--set", "stats.interval=1s")
	mark := r.soc.Mark()
	const n = 2 << 20
	if p := r.curl("--data-binary", "@"+r.write("report.txt", string(make([]byte, n))), origin+"/report"); p.Code != 200 {
		r.Errorf("%v", p)
	}
	l, err := stage.ListenTLS(r.listen(netlab.Server4 + ":443"))
	if err != nil {
		r.Fatal(err)
	}
	o := netlab.Serve(l)
	defer o.Close()
	if p := r.curl("-k", "--resolve", stage.TLSName+":443:"+netlab.Server4, "--data-binary", "@"+r.write("again.txt", string(make([]byte, n))), "https://"+stage.TLSName+"/x"); p.Code != 200 {
		r.Errorf("TLS: %v", p)
	}
	type counts struct{ Inspected, Encrypted, Bypassed, Unscannable uint64 }
	var last counts
	covered := func(e *stage.Event) bool {
		var rec struct {
			Stats struct {
				Coverage struct {
					Egress counts `json:"egress_bytes"`
				}
			}
		}
		if e.Type == "stats" && json.Unmarshal(e.Raw, &rec) == nil {
			last = rec.Stats.Coverage.Egress
		}
		return last.Inspected >= n && last.Encrypted >= n
	}
	ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
	defer cancel()
	if _, err := r.soc.Await(ctx, mark, covered); err != nil || last.Inspected > n*5/4 || last.Encrypted > n*5/4 || last.Bypassed+last.Unscannable > n/10 {
		r.Errorf("%+v, %v", last, err)
	}
	r.cmd(0, "% encrypted", "status")
	text := r.scrape()
	for _, want := range []string{"sluice_coverage_egress_bytes_inspected_total ", "sluice_ring_dropped_frames_total{ring=\"" + netlab.InsideIf + ":0\"} ", "sluice_ring_fill_percent{",
		"# TYPE sluice_flow_active gauge\n", "sluice_sink_lost_total{sink=\"nats\"} 0\n", "\nsluice_nats_connected 1\n"} {
		if !strings.Contains(text, want) {
			r.Errorf("metrics lack %s", want)
		}
	}
}

// scrape gives the daemon's metrics.
func (r *rig) scrape() string {
	r.Helper()
	p := stage.Curl(r.ctx, r.lab.Gateway, "http://127.0.0.1:9469/metrics")
	if p.Code != 200 {
		r.Fatalf("metrics: %v", p)
	}
	return p.Body
}
