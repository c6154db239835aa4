package app

import (
	"fmt"
	"reflect"
	"strings"

	"sluice/internal/config"
	"sluice/signatures"
)

// Reload loads rules, policy and what the kernel drops anew, by the configuration
// as it is now; with an error in them the present ones go on. What came of it is
// logged, too.
func (d *Daemon) Reload() (*signatures.Report, error) {
	rep, err := d.reload()
	if err != nil {
		d.log.Error("reload refused: the running set goes on", "error", err)
	} else {
		d.log.Info("reloaded", "rules", rep.Loaded, "rejected", rep.Rejected)
	}
	return rep, err
}

func (d *Daemon) reload() (*signatures.Report, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	cfg, err := d.reloaded()
	if err != nil {
		return nil, err
	}
	parts, err := load(cfg, d.log, d.state)
	if err != nil {
		return nil, err
	}
	if err := worse(parts.Report, d.parts.Report); err != nil {
		parts.Close()
		return parts.Report, err
	}
	next := kernelSettingsOf(cfg)
	if err := d.applyKernel(next, parts.Policy); err != nil {
		parts.Close()
		return nil, err
	}
	d.retired = append(d.retired, d.parts)
	d.parts = parts
	for _, g := range d.groups {
		for _, p := range g.procs {
			p.busy.Store(true)
			p.next.Store(parts)
		}
	}
	return parts.Report, nil
}

// retire frees parts that no worker uses any more.
func (d *Daemon) retire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range d.groups {
		for _, p := range g.procs {
			// In this order: who takes next is busy already.
			if p.next.Load() != nil || p.busy.Load() {
				return
			}
		}
	}
	for _, p := range d.retired {
		p.Close()
	}
	d.retired = nil
}

// reloaded gives the configuration that a reload goes by: the present one, with
// the settings that a reload follows as they are now. Others that have changed
// are told, since they take a restart.
func (d *Daemon) reloaded() (*config.Config, error) {
	if d.reread == nil {
		return d.cfg, nil
	}
	now, err := d.reread()
	if err != nil {
		return nil, err
	}
	cfg := *d.cfg
	cfg.Vars, cfg.Rules, cfg.DefaultRulePath, cfg.ThresholdFile = now.Vars, now.Rules, now.DefaultRulePath, now.ThresholdFile
	cfg.ClassificationFile, cfg.ReferenceConfigFile = now.ClassificationFile, now.ReferenceConfigFile
	cfg.ReputationCategoriesFile, cfg.ReputationFiles, cfg.DefaultReputationPath = now.ReputationCategoriesFile, now.ReputationFiles, now.DefaultReputationPath
	cfg.GeoIPDatabase, cfg.ASNDatabase = now.GeoIPDatabase, now.ASNDatabase
	cfg.ActionOrder, cfg.PacketAlertMax, cfg.PCRE, cfg.Policy = now.ActionOrder, now.PacketAlertMax, now.PCRE, now.Policy
	cfg.BlockLists, cfg.FastPath, cfg.Segmentation, cfg.Quarantine = now.BlockLists, now.FastPath, now.Segmentation, now.Quarantine
	if names := changed(&cfg, now); len(names) > 0 {
		d.log.Warn("settings have changed that take a restart", "keys", strings.Join(names, ", "))
	}
	return &cfg, nil
}

// changed names the sections in which two configurations differ.
func changed(a, b *config.Config) (names []string) {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		name, _, _ := strings.Cut(x.Type().Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}

// maxShown bounds the rules that a refused reload names.
const maxShown = 5

// worse gives an error where a set has more rules with errors than the one
// before: it names those that are new.
func worse(next, before *signatures.Report) error {
	n := next.Rejected
	if n <= before.Rejected {
		return nil
	}
	known := map[string]bool{}
	for i := range before.Errors {
		known[before.Errors[i].Error()] = true
	}
	var shown []string
	left := 0
	for i := range next.Errors {
		switch text := next.Errors[i].Error(); {
		case known[text]:
		case len(shown) < maxShown:
			shown = append(shown, "\n"+text)
		default:
			left++
		}
	}
	text := strings.Join(shown, "")
	if left > 0 {
		text += fmt.Sprintf("\nand %d more: see `sluice check`", left)
	}
	return fmt.Errorf("%d rules have errors, %d more than before: the running set goes on%s", n, n-before.Rejected, text)
}
