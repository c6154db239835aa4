package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/internal/config"
	"sluice/internal/regress"
)

// RegressOptions say how regression cases are run.
type RegressOptions struct {
	// Base makes the configuration on top of which a case's own settings come.
	Base func() (*config.Config, error)
	// Stock has cases without a suricata.yaml judged as with Suricata's own.
	Stock bool
	// Workers is how many cases run side by side; at least 1.
	Workers int
	// Done, when set, is told of each result, on one goroutine at a time.
	Done func(regress.Result)
}

// RunCases runs the cases in folders and gives their results in that order.
// Names are paths below root.
func RunCases(ctx context.Context, root string, dirs []string, o RegressOptions) []regress.Result {
	results := make([]regress.Result, len(dirs))
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	for range max(o.Workers, 1) {
		wg.Go(func() {
			for i := range next {
				results[i] = runCase(ctx, root, dirs[i], o)
				if o.Done != nil {
					mu.Lock()
					o.Done(results[i])
					mu.Unlock()
				}
			}
		})
	}
	for i := range dirs {
		if ctx.Err() != nil {
			results[i] = regress.Result{Name: dirs[i], Err: ctx.Err()}
			continue
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return results
}

func runCase(ctx context.Context, root, dir string, o RegressOptions) (r regress.Result) {
	begin := time.Now()
	r.Name = dir
	if rel, err := filepath.Rel(root, dir); err == nil {
		r.Name = filepath.ToSlash(rel)
	}
	if r.Name == "." {
		r.Name = filepath.Base(dir)
	}
	defer func() { r.Elapsed = time.Since(begin) }()
	c, err := regress.Load(dir, r.Name, o.Stock)
	if err != nil {
		r.Err = err
		return r
	}
	if r.Skipped = c.Skip; r.Skipped != "" {
		return r
	}
	evs, err := caseEvents(ctx, c, o)
	if err != nil {
		r.Err = err
		return r
	}
	r.Failures, r.Err = c.Check(c.Written(evs))
	return r
}

// caseEvents replays a case and gives its events as EVE has them.
func caseEvents(ctx context.Context, c *regress.Case, o RegressOptions) ([]map[string]any, error) {
	cfg, err := o.Base()
	if err != nil {
		return nil, err
	}
	if c.Config != "" {
		// The case's file stands in for the defaults; what the command line says of
		// rules and policy stays in force.
		own, err := config.Load(c.Config)
		if err != nil {
			return nil, err
		}
		if len(cfg.Rules.Paths) > 0 {
			own.Rules.Paths, own.DefaultRulePath = cfg.Rules.Paths, cfg.DefaultRulePath
		}
		if cfg.Policy.File != "" {
			own.Policy.File = cfg.Policy.File
		}
		own.CacheDir = cfg.CacheDir
		cfg = own
	}
	if err := c.Apply(cfg); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-case-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cfg.Outputs.NATS.URL = NATSOff
	cfg.Outputs.EVE.Enabled, cfg.Outputs.EVE.Filename = true, filepath.Join(dir, "eve.json")
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if _, err := Replay(ctx, cfg, ReplayOptions{Files: c.Pcaps, Workers: 1, Inline: c.Inline, NoChecksum: c.NoChecksum}, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	return readEVE(cfg.Outputs.EVE.Filename)
}

// maxEvent bounds a line of an EVE file.
const maxEvent = 16 << 20

// readEVE reads a file of events.
func readEVE(path string) (out []map[string]any, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxEvent)
	for sc.Scan() {
		var e map[string]any
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read event %d: %w", len(out)+1, err)
		}
		out = append(out, e)
	}
	return out, sc.Err()
}
