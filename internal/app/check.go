package app

import (
	"fmt"
	"time"

	"sluice/classifiers"
	"sluice/dataplane/inspect"
	"sluice/internal/config"
	"sluice/signatures"
	"sluice/signatures/lint"
	"sluice/signatures/rule"
)

// Checked is what `sluice check` found.
type Checked struct {
	Report   *signatures.Report
	Warnings []signatures.RuleError
	Compiled Compiled
}

// Check loads and compiles all that a replay or the daemon would, opens nothing,
// and looks for rules that are sound and do not do what their author hopes.
func Check(cfg *config.Config) (*Checked, error) {
	begin := time.Now()
	p := &Parts{Config: cfg}
	defer p.Close()
	var err error
	if p.Policy, err = LoadPolicy(cfg); err != nil {
		return nil, err
	}
	if p.Registry, err = registry(cfg); err != nil {
		return nil, err
	}
	if _, _, err := readLists(kernelSettingsOf(cfg)); err != nil {
		return nil, err
	}
	set, rep, err := LoadRules(cfg, p.Registry)
	if err != nil {
		return nil, err
	}
	p.Report = rep
	if rep.Loaded > 0 {
		if p.Rules, err = set.Compile(); err != nil {
			return nil, fmt.Errorf("compile rules: %w", err)
		}
	}
	if p.Policy != nil {
		if p.Catalog, err = classifiers.New(classifiers.Config{CacheDir: cacheDir(cfg, nil), Custom: p.Policy.Custom()}); err != nil {
			return nil, fmt.Errorf("build detectors: %w", err)
		}
	}
	if p.Set, err = inspect.NewSet(p.Rules, p.Catalog, cacheDir(cfg, nil)); err != nil {
		return nil, err
	}
	p.Elapsed = time.Since(begin)
	order, err := rule.NewActionOrder(cfg.ActionOrder)
	if err != nil {
		return nil, fmt.Errorf("action-order: %w", err)
	}
	warnings := append(rep.Warnings, lint.Check(set.Rules, lint.Options{Classes: set.Classes, Definition: p.Registry.Definition, ActionOrder: order})...)
	return &Checked{Report: rep, Warnings: warnings, Compiled: p.Compiled()}, nil
}
