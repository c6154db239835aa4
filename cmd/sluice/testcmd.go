package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
	"sluice/internal/regress"
)

func testCommand() *cobra.Command {
	var f common
	var junit, only string
	var workers int
	var asJSON, verbose bool
	c := &cobra.Command{
		Use:   "test [flags] DIR...",
		Short: "Run regression cases: captures and the events they must give",
		Long: `Test runs the regression cases in folders and all folders below them. A case is
a folder with a capture and a test.yaml that says which events are expected, and
may have rules, a policy and a configuration of its own; docs/testing.md tells
the format, and cases in the layout of suricata-verify are read as well. What a
case does not bring comes from the flags, so that the rules at hand can be tried
on all cases. It exits with 1 when a case fails and with 2 when one is unusable.`,
		Example: "  sluice test cases/\n  sluice test --rules my.rules --junit report.xml cases/",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if workers < 0 || workers > 256 {
				return fmt.Errorf("--workers %d: from 1 to 256 are possible", workers)
			}
			if workers == 0 {
				workers = runtime.NumCPU()
			}
			match, err := regexp.Compile(only)
			if err != nil {
				return fmt.Errorf("--run: %w", err)
			}
			if _, err := f.load(); err != nil {
				return err
			}
			out := c.OutOrStdout()
			o := app.RegressOptions{Workers: workers, Base: func() (*config.Config, error) { return f.load() }}
			if !asJSON {
				o.Done = func(r regress.Result) { printResult(out, &r, verbose) }
			}
			begin := time.Now()
			var all []regress.Result
			for _, root := range args {
				dirs, err := regress.Find(root)
				if err != nil {
					return err
				}
				kept := dirs[:0]
				for _, d := range dirs {
					if match.MatchString(filepath.ToSlash(d)) {
						kept = append(kept, d)
					}
				}
				all = append(all, app.RunCases(c.Context(), root, kept, o)...)
			}
			if len(all) == 0 {
				return fmt.Errorf("no case matches --run %s", only)
			}
			if junit != "" {
				if err := writeJUnit(junit, time.Since(begin), all); err != nil {
					return err
				}
			}
			return testOutcome(out, all, time.Since(begin), asJSON)
		},
	}
	f.add(c)
	c.Flags().StringVar(&junit, "junit", "", "write the results as JUnit XML to `FILE`")
	c.Flags().StringVar(&only, "run", "", "run only the cases whose path matches `REGEX`")
	c.Flags().IntVar(&workers, "workers", 0, "cases that run side by side (default one a CPU)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "tell of cases that pass, too")
	return c
}

func writeJUnit(path string, elapsed time.Duration, all []regress.Result) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := regress.WriteJUnit(f, "sluice", elapsed, all); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// printResult tells of one case.
func printResult(w io.Writer, r *regress.Result, verbose bool) {
	switch {
	case r.Err != nil:
		fmt.Fprintf(w, "UNUSABLE %s: %v\n", r.Name, r.Err)
	case r.Skipped != "":
		fmt.Fprintf(w, "SKIP %s: %s\n", r.Name, r.Skipped)
	case len(r.Failures) > 0:
		fmt.Fprintf(w, "FAIL %s (%.2f s)\n", r.Name, r.Elapsed.Seconds())
		for _, f := range r.Failures {
			fmt.Fprintf(w, "  %s\n", f.Error())
			if f.Detail != "" {
				fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(f.Detail, "\n", "\n    "))
			}
		}
	case verbose:
		fmt.Fprintf(w, "ok   %s (%.2f s)\n", r.Name, r.Elapsed.Seconds())
	}
}

// testReport is the object of `test --json`.
type testReport struct {
	Cases    int          `json:"cases"`
	Passed   int          `json:"passed"`
	Failed   int          `json:"failed"`
	Unusable int          `json:"unusable"`
	Skipped  int          `json:"skipped"`
	Seconds  float64      `json:"seconds"`
	Results  []testResult `json:"results"`
}

type testResult struct {
	Name     string        `json:"name"`
	Outcome  string        `json:"outcome"`
	Seconds  float64       `json:"seconds"`
	Reason   string        `json:"reason,omitempty"`
	Failures []testFailure `json:"failures,omitempty"`
}

type testFailure struct {
	Check   int    `json:"check"`
	Message string `json:"message"`
	Detail  string `json:"detail,omitempty"`
}

// testOutcome prints the totals and gives the exit code.
func testOutcome(w io.Writer, all []regress.Result, elapsed time.Duration, asJSON bool) error {
	t := testReport{Cases: len(all), Seconds: elapsed.Seconds()}
	for i := range all {
		r := &all[i]
		x := testResult{Name: r.Name, Seconds: r.Elapsed.Seconds()}
		switch {
		case r.Err != nil:
			t.Unusable++
			x.Outcome, x.Reason = "unusable", r.Err.Error()
		case r.Skipped != "":
			t.Skipped++
			x.Outcome, x.Reason = "skipped", r.Skipped
		case len(r.Failures) > 0:
			t.Failed++
			x.Outcome = "failed"
			for _, f := range r.Failures {
				x.Failures = append(x.Failures, testFailure(f))
			}
		default:
			t.Passed++
			x.Outcome = "passed"
		}
		t.Results = append(t.Results, x)
	}
	if asJSON {
		if err := json.NewEncoder(w).Encode(t); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(w, "%d cases: %d passed, %d failed, %d unusable, %d skipped in %.1f s\n", t.Cases, t.Passed, t.Failed, t.Unusable, t.Skipped, t.Seconds)
	}
	switch {
	case t.Unusable > 0:
		return &exitError{code: exitUsage}
	case t.Failed > 0:
		return &exitError{code: exitFindings}
	}
	return nil
}
