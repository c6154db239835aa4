package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/signatures"
)

// checkReport is the object of `check --json`.
type checkReport struct {
	Rules struct {
		Files    int `json:"files"`
		Total    int `json:"total"`
		Loaded   int `json:"loaded"`
		Rejected int `json:"rejected"`
		Disabled int `json:"disabled"`
	} `json:"rules"`
	Errors   []signatures.RuleError `json:"errors"`
	Warnings []signatures.RuleError `json:"warnings"`
	Compiled app.Compiled           `json:"compiled"`
	policyReport
}

func checkCommand() *cobra.Command {
	var f common
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check rules, policy and configuration, and open nothing",
		Long: `Check loads everything that a replay or the daemon would load and reports what
is wrong with file, line, column, signature id, keyword and remedy. It warns of
rules that can never match, that add nothing to another one, that are tried on
nearly all traffic, and that cost much, of policy exceptions that have expired
and of policy rules that can never decide. It exits with 1 when a rule is rejected
and with 2 when the policy or the configuration cannot be used; warnings do not
change the exit code.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			if err := finish(cfg); err != nil {
				return err
			}
			pol, err := reportPolicy(cfg)
			if err != nil {
				return err
			}
			checked, err := app.Check(cfg)
			if err != nil {
				return err
			}
			rep := checked.Report
			out := c.OutOrStdout()
			if asJSON {
				r := checkReport{Errors: rep.Errors, Warnings: checked.Warnings, Compiled: checked.Compiled, policyReport: pol}
				r.Rules.Files, r.Rules.Total, r.Rules.Loaded, r.Rules.Rejected, r.Rules.Disabled = rep.Files, rep.Total, rep.Loaded, rep.Rejected, rep.Disabled
				if r.Errors == nil {
					r.Errors = []signatures.RuleError{}
				}
				if r.Warnings == nil {
					r.Warnings = []signatures.RuleError{}
				}
				if err := json.NewEncoder(out).Encode(r); err != nil {
					return err
				}
			} else {
				for _, e := range rep.Errors {
					fmt.Fprintln(out, e.Error())
				}
				for _, e := range checked.Warnings {
					e.Message = "warning: " + e.Message
					fmt.Fprintln(out, e.Error())
				}
				pol.print(out)
				fmt.Fprintf(out, "%d files, %d rules: %d loaded, %d disabled, %d rejected; %d warnings\n", rep.Files, rep.Total, rep.Loaded, rep.Disabled, rep.Rejected, len(checked.Warnings))
				m := checked.Compiled
				fmt.Fprintf(out, "compiled in %.2f s (all from the cache: %v): %d databases of %.1f MiB, Go heap %.1f MiB\n",
					m.Seconds, m.Warm, m.Databases, float64(m.DatabaseBytes)/(1<<20), float64(m.HeapBytes)/(1<<20))
			}
			if rep.Rejected > 0 {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
