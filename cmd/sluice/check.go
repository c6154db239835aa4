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
	Errors []signatures.RuleError `json:"errors"`
	policyReport
}

func checkCommand() *cobra.Command {
	var f common
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check rules, policy and configuration, and open nothing",
		Long: `Check loads everything that a replay or the daemon would load and reports what
is wrong with file, line, signature id and remedy. It warns of policy exceptions
that have expired and of policy rules that can never decide. It exits with 1 when
a rule is rejected and with 2 when the policy or the configuration cannot be used.`,
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
			reg, err := app.Registry()
			if err != nil {
				return err
			}
			set, rep, err := app.LoadRules(cfg, reg)
			if err != nil {
				return err
			}
			if rep.Loaded > 0 {
				if _, err := set.Compile(); err != nil {
					return err
				}
			}
			out := c.OutOrStdout()
			if asJSON {
				r := checkReport{Errors: rep.Errors, policyReport: pol}
				r.Rules.Files, r.Rules.Total, r.Rules.Loaded, r.Rules.Rejected, r.Rules.Disabled = rep.Files, rep.Total, rep.Loaded, rep.Rejected, rep.Disabled
				if r.Errors == nil {
					r.Errors = []signatures.RuleError{}
				}
				if err := json.NewEncoder(out).Encode(r); err != nil {
					return err
				}
			} else {
				for _, e := range rep.Errors {
					fmt.Fprintln(out, e.Error())
				}
				pol.print(out)
				fmt.Fprintf(out, "%d files, %d rules: %d loaded, %d disabled, %d rejected\n", rep.Files, rep.Total, rep.Loaded, rep.Disabled, rep.Rejected)
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
