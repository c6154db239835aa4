package app

import (
	"fmt"
	"path/filepath"

	"sluice/internal/config"
	"sluice/signatures"
	"sluice/signatures/rule"
)

// rulePaths gives the configured rule files, relative ones below
// default-rule-path.
func rulePaths(cfg *config.Config) []string {
	if cfg.DefaultRulePath == "" {
		return cfg.Rules.Paths
	}
	out := make([]string, len(cfg.Rules.Paths))
	for i, p := range cfg.Rules.Paths {
		if !filepath.IsAbs(p) {
			p = filepath.Join(cfg.DefaultRulePath, p)
		}
		out[i] = p
	}
	return out
}

// selectRules gives which rules are switched on and off by id, and which
// actions come first. A list that cannot be read is an error: the rules that it
// disables may be the ones that would stop the traffic.
func selectRules(cfg *config.Config) (*signatures.Selection, signatures.ActionOrder, error) {
	order, err := rule.NewActionOrder(cfg.ActionOrder)
	if err != nil {
		return nil, order, fmt.Errorf("action-order: %w", err)
	}
	sel := &signatures.Selection{}
	for _, l := range []struct {
		key    string
		enable bool
		ids    []uint32
		files  []string
	}{{"rules.disable", false, cfg.Rules.Disable, cfg.Rules.DisableFiles}, {"rules.enable", true, cfg.Rules.Enable, cfg.Rules.EnableFiles}} {
		for _, id := range l.ids {
			sel.Add(l.enable, signatures.RuleID{GID: 1, SID: id}, l.key)
		}
		for _, f := range l.files {
			if err := sel.AddFile(l.enable, f); err != nil {
				return nil, order, fmt.Errorf("%s-files: %w", l.key, err)
			}
		}
	}
	return sel, order, nil
}

// setBounds gives the bounds of datasets.
func setBounds(cfg *config.Config) signatures.SetBounds {
	d := cfg.Datasets
	return signatures.SetBounds{Off: !d.Enabled, Memcap: int64(d.Memcap), Total: int64(d.MaxTotal)}
}

// disabledBy reports whether it is the configuration that switches a rule off.
func disabledBy(cfg *config.Config, r *signatures.Rule) bool {
	sel, _, err := selectRules(cfg)
	return err == nil && sel.Disables(signatures.RuleID{GID: r.GID, SID: r.SID})
}
