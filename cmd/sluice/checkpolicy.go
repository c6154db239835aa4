package main

import (
	"fmt"
	"io"
	"time"

	"sluice/internal/app"
	"sluice/internal/config"
)

// policyReport is what `check` tells of the policy.
type policyReport struct {
	Policy struct {
		Name     string         `json:"name"`
		Rules    int            `json:"rules"`
		Warnings []checkWarning `json:"warnings"`
	} `json:"policy"`
}

// checkWarning is something in a policy that is allowed but probably not meant.
type checkWarning struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// reportPolicy loads the policy and looks at it.
func reportPolicy(cfg *config.Config) (policyReport, error) {
	var r policyReport
	r.Policy.Name, r.Policy.Warnings = app.PolicyNone, []checkWarning{}
	p, err := app.LoadPolicy(cfg)
	if err != nil || p == nil {
		return r, err
	}
	r.Policy.Name, r.Policy.Rules = p.Name, len(p.RuleNames())
	for _, w := range p.Warnings(time.Now()) {
		r.Policy.Warnings = append(r.Policy.Warnings, checkWarning{w.File, w.Line, w.Msg, w.Remedy})
	}
	return r, nil
}

// print tells people.
func (r *policyReport) print(out io.Writer) {
	for _, w := range r.Policy.Warnings {
		fmt.Fprintf(out, "%s:%d: warning: %s (%s)\n", w.File, w.Line, w.Message, w.Remedy)
	}
	if r.Policy.Rules > 0 {
		fmt.Fprintf(out, "policy %s: %d rules, %d warnings\n", r.Policy.Name, r.Policy.Rules, len(r.Policy.Warnings))
	}
}
