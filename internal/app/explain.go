package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"sluice/internal/config"
	"sluice/signatures"
)

// Explain replays capture files and follows one rule through them; at most
// attempts tries are kept, the nearest misses before others. Like Replay it may
// give a result and an error about a damaged file; the Trace is nil when there
// is nothing to tell.
func Explain(ctx context.Context, cfg *config.Config, gid, sid uint32, attempts int, o ReplayOptions, log *slog.Logger) (*signatures.Trace, error) {
	var trace *signatures.Trace
	var parts *Parts
	mask, err := newMasker(cfg)
	if err != nil {
		return nil, err
	}
	defer mask.close()
	_, err = observe(ctx, cfg, o, log,
		func(p *Parts) error { parts = p; return nil },
		func(m *signatures.Matcher) error {
			if !m.StartTrace(gid, sid, attempts) {
				return whyNotLoaded(cfg, parts, gid, sid)
			}
			trace = m.Trace()
			trace.Show = mask.shown
			return nil
		})
	if errors.Is(err, errNoRules) {
		err = whyNotLoaded(cfg, parts, gid, sid)
	}
	if trace != nil {
		for i := range trace.Attempts {
			a := &trace.Attempts[i]
			a.Object = mask.text(a.Object)
		}
	}
	return trace, err
}

// whyNotLoaded tells why a rule is not among those that are matched.
func whyNotLoaded(cfg *config.Config, p *Parts, gid, sid uint32) error {
	for i := range p.Report.Errors {
		if e := &p.Report.Errors[i]; e.SID == sid {
			return fmt.Errorf("the rule is not loaded: %w", e)
		}
	}
	// Rules are parsed once more to find one that is commented out: this is the
	// cold side.
	set, _, err := LoadRules(cfg, p.Registry)
	if err != nil {
		return err
	}
	for _, r := range set.Rules {
		if r.SID != sid {
			continue
		}
		switch {
		case r.GID != gid:
			return fmt.Errorf("%s:%d: sid %d is of gid %d: ask with --gid %d", r.File, r.Line, sid, r.GID, r.GID)
		case r.Skipped != "":
			return fmt.Errorf("%s:%d: sid %d is not loaded: %s", r.File, r.Line, sid, r.Skipped)
		case !r.Enabled && disabledBy(cfg, r):
			return fmt.Errorf("%s:%d: sid %d is switched off by rules.disable or a file of rules.disable-files", r.File, r.Line, sid)
		case !r.Enabled:
			return fmt.Errorf("%s:%d: sid %d is commented out: enable it, or give it in a file of its own with --rules", r.File, r.Line, sid)
		}
	}
	return fmt.Errorf("no rule has sid %d; --rules says which rules are loaded (%d are)", sid, p.Report.Loaded)
}
