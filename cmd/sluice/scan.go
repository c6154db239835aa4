package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"sluice/classifiers"
	"sluice/classifiers/extract"
	"sluice/classifiers/scan"
	"sluice/dataplane/policy"
	"sluice/internal/app"
	"sluice/internal/config"
)

func scanCommand() *cobra.Command {
	var pol, confidence string
	var asJSON, jsonl bool
	var workers int
	c := &cobra.Command{
		Use:   "scan [flags] PATH...|-",
		Short: "Classify files as if they left the network",
		Long: `Scan looks for confidential data in files, in all files below folders, or in
standard input (-), with the detectors that inspect live traffic, and says what
the policy would do. Values are shown masked. With --jsonl it reads one object
{"id":…,"text":…} a line and answers one a line, in order.

It exits with 1 when something was found, and with 2 when a path cannot be read;
with --jsonl, with 0 once all lines are answered.`,
		Example: "  sluice scan report.csv\n  sluice scan --json --min-confidence high /srv/share\n  mysqldump db | sluice scan -",
		RunE: func(c *cobra.Command, args []string) error {
			min, err := classifiers.ParseConfidence(confidence)
			if err != nil {
				return fmt.Errorf("--min-confidence: %w", err)
			}
			cfg := config.Default()
			cfg.Policy.File = pol
			p, err := app.LoadPolicy(cfg)
			if err != nil {
				return err
			}
			cc := classifiers.Config{CacheDir: app.CacheDir(cfg)}
			if p != nil {
				cc.Custom = p.Custom()
			}
			cat, err := classifiers.New(cc)
			if err != nil {
				return err
			}
			defer cat.Close()
			if jsonl {
				if len(args) > 0 {
					return errors.New("--jsonl reads standard input and takes no path")
				}
				return scan.ScanJSONLWith(cat, c.InOrStdin(), c.OutOrStdout(), min, workers)
			}
			if len(args) == 0 {
				return errors.New("name a path, or - for standard input")
			}
			return scanPaths(c, args, cat, p, min, workers, asJSON)
		},
	}
	c.Flags().StringVar(&pol, "policy", "", "policy `FILE` that decides, or none (default the bundled one)")
	c.Flags().StringVar(&confidence, "min-confidence", "medium", "leave out findings below: low, medium or high")
	c.Flags().IntVar(&workers, "workers", 0, "files at once (default one a core)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a file")
	c.Flags().BoolVar(&jsonl, "jsonl", false, "read texts from standard input, one JSON object a line")
	return c
}

func scanPaths(c *cobra.Command, args []string, cat *classifiers.Catalog, p *policy.Policy, min classifiers.Confidence, workers int, asJSON bool) error {
	pool := &extract.Pool{Size: max(workers, runtime.NumCPU()), Args: []string{extractArg}}
	defer pool.Close()
	o := scan.Options{Catalog: cat, MinConfidence: min, Workers: workers, Stdin: c.InOrStdin(), Documents: pool, Excerpts: !asJSON}
	out := c.OutOrStdout()
	file, ok := out.(*os.File)
	terminal := ok && scan.Colour(file)
	var held bytes.Buffer
	done := func() {}
	if f, ok := c.ErrOrStderr().(*os.File); ok && scan.Colour(f) {
		o.Progress, done = progress(f)
		if terminal {
			out = &held // the two would write over each other
		}
	}
	print := scan.TextPrinter(out, terminal)
	if asJSON {
		print = scan.JSONPrinter(out)
	}
	found, failed := false, false
	o.Each = func(r *scan.FileResult) error {
		found = found || len(r.Result.Counts) > 0
		failed = failed || r.Err != nil
		decide(p, r)
		return print.File(r)
	}
	_, err := scan.ScanPaths(c.Context(), args, o)
	done()
	err = errors.Join(err, print.End())
	if held.Len() > 0 {
		_, werr := held.WriteTo(c.OutOrStdout())
		err = errors.Join(err, werr)
	}
	switch {
	case err != nil:
		return err
	case failed:
		return &exitError{code: exitUsage}
	case found:
		return &exitError{code: exitFindings}
	}
	return nil
}

// decide says what the policy would do if the file left by an upload.
func decide(p *policy.Policy, r *scan.FileResult) {
	if p == nil {
		return
	}
	d := p.Decide(policy.Input{Direction: policy.Egress, Channel: "http-request", Name: r.Path, Type: r.Result.Type, Size: r.Result.Size,
		Counts: r.Result.Counts, Unscannable: r.Reason(), Time: time.Now().UnixNano(), Final: true})
	r.Action, r.Rule = policy.ActionName(d.Action), d.Rule
}

// progress shows how many files are done while a terminal watches.
func progress(f *os.File) (func(int, string), func()) {
	bars := mpb.New(mpb.WithOutput(f), mpb.WithRefreshRate(200*time.Millisecond))
	bar := bars.New(0, mpb.SpinnerStyle(), mpb.PrependDecorators(decor.CurrentNoUnit("%d files")), mpb.BarRemoveOnComplete())
	return func(done int, _ string) { bar.SetCurrent(int64(done)) }, func() {
		bar.SetTotal(-1, true)
		bars.Wait()
	}
}
