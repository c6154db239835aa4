// Command live measures what stands between two hosts: throughput and the time
// that a frame takes, over the kernel's own bridge, past the workers in the
// kernel, and through them, in the same run and topology. It runs the built
// program in network namespaces as an operator would, and needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sluice/internal/netlab"
)

type options struct {
	binary, rules, out string
	rounds, echoes     int
	frames             int
	span               time.Duration
	kills, uploads     int
	only               string
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/sluice", "the built `program`")
	flag.StringVar(&o.rules, "rules", "", "a rule file or `folder` to measure with, beside no rules and the bundled ones")
	flag.StringVar(&o.out, "out", "", "a `folder` for results.md and results.svg; standard output alone when empty")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each way is measured, in turn")
	flag.IntVar(&o.echoes, "echoes", 10000, "round trips of one measurement")
	flag.IntVar(&o.frames, "frames", 10_000_000, "numbered frames of the test for loss; 0 leaves it out")
	flag.DurationVar(&o.span, "span", 2*time.Second, "the time of one measurement of throughput")
	flag.IntVar(&o.kills, "kills", 20, "how often the program is killed under load; 0 leaves it out")
	flag.IntVar(&o.uploads, "uploads", 40, "how many uploads a tap cuts; 0 leaves it out")
	flag.StringVar(&o.only, "only", "", "measure one `part` alone, kill or tap, and put it into results.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

// way is one thing that can stand between the hosts.
type way struct {
	name string
	// kernel is the bridge of Linux; otherwise the program runs with args.
	kernel bool
	binary string
	args   []string
}

func run(ctx context.Context, o *options) error {
	if os.Geteuid() != 0 {
		return netlab.ErrNotRoot
	}
	var err error
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	if _, err := os.Stat(o.binary); err != nil {
		return fmt.Errorf("%w: run `make build`", err)
	}
	dir, err := os.MkdirTemp("", "sluice-live-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ways, err := waysIn(dir, o.rules)
	if err != nil {
		return err
	}
	for _, w := range ways {
		w.binary = o.binary
	}
	if o.only != "" {
		sections, err := measureParts(ctx, ways[bundled], dir, o)
		if err != nil {
			return err
		}
		return amend(o.out, sections)
	}
	var all [][]figures // by round and way
	for round := range o.rounds {
		var row []figures
		for _, w := range ways {
			f, err := w.measure(ctx, dir, o)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", w.name, round+1, err)
			}
			fmt.Fprintf(os.Stderr, "round %d, %s: %v\n", round+1, w.name, f)
			row = append(row, f)
		}
		all = append(all, row)
	}
	rep := &report{ways: ways, rounds: all}
	rep.summarise()
	if o.frames > 0 {
		if rep.loss, err = ways[inspecting].loss(ctx, dir, o.frames, rep.median[inspecting].kpps/2); err != nil {
			return fmt.Errorf("numbered frames: %w", err)
		}
	}
	if rep.sections, err = measureParts(ctx, ways[bundled], dir, o); err != nil {
		return err
	}
	return rep.write(o.out)
}

// inspecting is the place of the way without rules, bundled of that with the
// bundled ones.
const (
	inspecting = 2
	bundled    = 3
)

// waysIn lists what is measured, with its files in dir.
func waysIn(dir, rules string) ([]*way, error) {
	past, none := filepath.Join(dir, "past.rules"), filepath.Join(dir, "none.rules")
	for path, text := range map[string]string{
		past: "alert ip any any -> any any (msg:\"everything goes past\"; noalert; bypass; sid:1;)\n",
		none: "# no rules\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	ways := []*way{
		{name: "Linux bridge", kernel: true},
		{name: "Sluice, bypassed in the kernel", args: []string{"--rules", past, "--policy", "none", "--set", "stream.bypass=yes"}},
		{name: "Sluice, no rules", args: []string{"--rules", none, "--policy", "none"}},
		{name: "Sluice, bundled rules and classifiers"},
	}
	if rules != "" {
		abs, err := filepath.Abs(rules)
		if err != nil {
			return nil, err
		}
		ways = append(ways, &way{name: "Sluice, ET Open rules and classifiers", args: []string{"--rules", abs}})
	}
	return ways, nil
}

// between puts the way between the hosts of a new network.
func (w *way) between(ctx context.Context, dir string) (lab *netlab.Lab, d *daemon, end func() error, err error) {
	if lab, err = netlab.New(""); err != nil {
		return nil, nil, nil, err
	}
	if w.kernel {
		if err := lab.Gateway.IP("link add br0 type bridge", "link set br0 up", "link set "+netlab.InsideIf+" master br0", "link set "+netlab.OutsideIf+" master br0"); err != nil {
			return nil, nil, nil, errors.Join(err, lab.Close())
		}
		return lab, nil, lab.Close, nil
	}
	state, err := os.MkdirTemp(dir, "daemon-*")
	if err != nil {
		return nil, nil, nil, errors.Join(err, lab.Close())
	}
	if d, err = startDaemon(ctx, lab, w.binary, state, filepath.Join(dir, "cache"), append([]string{"--bridge", netlab.InsideIf + "," + netlab.OutsideIf}, w.args...)); err != nil {
		return nil, nil, nil, errors.Join(err, lab.Close())
	}
	return lab, d, func() error { return errors.Join(d.proc.Stop(), lab.Close()) }, nil
}
