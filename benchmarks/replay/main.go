// Command replay measures the pipeline on a capture file, stage by stage, and
// sets the whole beside raw Hyperscan: the same scans of the same bytes with the
// same databases, in the same run, with nothing around them. It prints Markdown.
//
// Times are processor time of the process (garbage collection included), the
// best of several rounds, so that other work on the machine counts little.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"sluice/benchmarks/traffic"
	"sluice/dataplane/capture"
	"sluice/dataplane/replay"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/internal/app"
	"sluice/internal/config"
	"sluice/internal/hs"
)

func main() {
	pcap := flag.String("pcap", "", "capture `FILE`; without one, traffic is generated")
	size := flag.Int64("size", 256<<20, "bytes of generated traffic")
	rules := flag.String("rules", "", "rules `PATH` to measure beside the bundled ones")
	rounds := flag.Int("rounds", 3, "rounds of which the best counts")
	groups := flag.Bool("groups", false, "tell where Hyperscan's time goes, by database")
	only := flag.String("only", "", "measure only what has `TEXT` in its name, without raw Hyperscan: for comparisons and profiles")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the rounds of the last variant to `FILE`")
	flag.Parse()
	if err := run(*pcap, *size, *rules, *only, *profile, *rounds, *groups); err != nil {
		fmt.Fprintln(os.Stderr, "replay benchmark:", err)
		os.Exit(1)
	}
}

func run(pcap string, size int64, rules, only, profile string, rounds int, groups bool) error {
	if pcap == "" {
		f, err := os.CreateTemp("", "sluice-bench-*.pcap")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		if err := errorsOf(traffic.Write(f, size, 1), f.Close()); err != nil {
			return fmt.Errorf("generate traffic: %w", err)
		}
		pcap = f.Name()
	}
	total, err := count(pcap)
	if err != nil {
		return err
	}
	fmt.Printf("%d packets, %.0f MB, one worker, processor time, best of %d\n\n", total.packets, float64(total.bytes)/1e6, rounds)
	fmt.Println("| stage | ns/packet | Gbit/s |")
	fmt.Println("|---|---:|---:|")
	for _, s := range stages {
		if !strings.Contains(s.name, only) {
			continue
		}
		d, err := best(rounds, func() error { return s.run(pcap) })
		if err != nil {
			return err
		}
		total.row(s.name, d)
	}
	variants := []variant{
		{name: "full pipeline, no rules", none: true, cfg: config.Default()},
		{name: "full pipeline, bundled rules", cfg: config.Default()},
	}
	if rules != "" {
		variants = append(variants, variant{name: "full pipeline, " + rules, rules: []string{rules}, cfg: config.Default()})
	}
	for _, v := range variants {
		v.cfg.Policy.File = app.PolicyNone
	}
	with := variant{name: "full pipeline, bundled rules and policy", cfg: config.Default()}
	if rules != "" {
		with.name, with.rules = "full pipeline, "+rules+" and bundled policy", []string{rules}
	}
	// The policy is about what leaves, and most of a capture may not.
	whole := with
	whole.name, whole.classify = with.name+", everything classified", true
	var measured []*measurement
	for _, v := range append(variants, with, whole) {
		if !strings.Contains(v.name, only) {
			continue
		}
		v.profile = profile
		m, err := v.measure(pcap, rounds, only == "")
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		total.row(v.name, m.pipeline)
		measured = append(measured, m)
	}
	if only != "" {
		return nil
	}
	fmt.Println("\nRaw Hyperscan: the same scans again, nothing else. The ratio is its time over the pipeline's.")
	fmt.Println("\n| | scans | MB scanned | pipeline s | Hyperscan s | ratio |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	for _, m := range measured {
		if m.raw > 0 {
			fmt.Printf("| %s | %d | %.0f | %.2f | %.2f | %.2f |\n", m.name, m.scans, float64(m.bytes)/1e6, m.pipeline.Seconds(), m.raw.Seconds(), m.raw.Seconds()/m.pipeline.Seconds())
		}
	}
	if groups {
		for _, m := range measured {
			m.groups()
		}
	}
	return nil
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// totals are the capture's frames.
type totals struct{ packets, bytes uint64 }

func (t totals) row(name string, d time.Duration) {
	fmt.Printf("| %s | %.0f | %.2f |\n", name, float64(d.Nanoseconds())/float64(t.packets), float64(t.bytes)*8/d.Seconds()/1e9)
}

func count(path string) (t totals, err error) {
	err = frames(path, func(f *capture.Frame) {
		t.packets++
		t.bytes += uint64(f.WireLen)
	})
	return t, err
}

// frames gives every frame of a capture.
func frames(path string, each func(*capture.Frame)) error {
	f, err := capture.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var b capture.Batch
	for {
		err := f.ReadBatch(&b)
		for i := range b.Frames {
			each(&b.Frames[i])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// processorTime is what the process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// best gives the least processor time of several rounds.
func best(rounds int, f func() error) (time.Duration, error) {
	var least time.Duration
	for i := range rounds {
		runtime.GC()
		begin := processorTime()
		if err := f(); err != nil {
			return 0, err
		}
		if d := processorTime() - begin; i == 0 || d < least {
			least = d
		}
	}
	return least, nil
}

// profiled runs f, with a CPU profile of it where path names a file.
func profiled(path string, f func() (time.Duration, error)) (time.Duration, error) {
	if path == "" {
		return f()
	}
	out, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return 0, errorsOf(err, out.Close())
	}
	d, err := f()
	pprof.StopCPUProfile()
	return d, errorsOf(err, out.Close())
}

// variant is a configuration of the whole pipeline.
type variant struct {
	name  string
	rules []string
	none  bool
	// classify has what no rule of the policy could be about classified too.
	classify bool
	cfg      *config.Config
	// profile is the file for a CPU profile of the rounds.
	profile string
}

// measurement is what a variant took.
type measurement struct {
	name          string
	pipeline, raw time.Duration
	scans, bytes  uint64
	use           []*usage
}

// measure times the variant, and raw Hyperscan beside it where raw.
func (v variant) measure(pcap string, rounds int, raw bool) (*measurement, error) {
	cfg := v.cfg
	cfg.Outputs.EVE.Enabled = false
	cfg.Outputs.NATS.URL = app.NATSOff
	cfg.Rules.Paths = v.rules
	if v.none {
		empty, err := os.CreateTemp("", "sluice-bench-*.rules")
		if err != nil {
			return nil, err
		}
		defer os.Remove(empty.Name())
		empty.Close()
		cfg.Rules.Paths = []string{empty.Name()}
	}
	parts, err := app.Load(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer parts.Close()
	wc, err := parts.Worker(app.Mode{Inline: true, Workers: 1, Types: func(string) bool { return false }})
	if err != nil {
		return nil, err
	}
	if v.classify {
		wc.Judged = func(worker.Judged) {}
	}
	once := func() error {
		_, err := replay.Run(context.Background(), replay.Options{Files: []string{pcap}, Workers: 1, AutoChecksum: true,
			New: func(int) (*worker.Worker, error) { return worker.New(wc) }, Publish: func([]*events.Event) {}})
		return err
	}
	m := &measurement{name: v.name}
	m.pipeline, err = profiled(v.profile, func() (time.Duration, error) { return best(rounds, once) })
	if err != nil || !raw {
		return m, err
	}
	rec := newRecorder(parts.Set)
	parts.Set.Trace = rec.call
	err = once()
	parts.Set.Trace = nil
	if err != nil || len(rec.calls) == 0 {
		return m, err
	}
	m.use = rec.use
	for _, u := range rec.use {
		m.scans += u.scans
		m.bytes += u.bytes
	}
	dbs := parts.Set.Databases()
	if parts.Rules != nil {
		dbs = append(dbs, parts.Rules.Databases()...)
	}
	if parts.Catalog != nil {
		dbs = append(dbs, rec.others(dbs)...)
	}
	sc, err := hs.NewScanner(dbs...)
	if err != nil {
		return nil, err
	}
	defer sc.Close()
	m.raw, err = best(rounds, func() error { return rec.again(sc) })
	return m, err
}
