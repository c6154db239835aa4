package app

import (
	"context"
	"errors"
	"log/slog"

	"sluice/dataplane/replay"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/internal/config"
	"sluice/signatures"
)

// errNoRules says that there is nothing to look at.
var errNoRules = errors.New("no rule is loaded")

// observe replays capture files through one worker whose matcher is watched, and
// writes no events. loaded is called before, ready with the worker's matcher.
func observe(ctx context.Context, cfg *config.Config, o ReplayOptions, log *slog.Logger, loaded func(*Parts) error, ready func(*signatures.Matcher) error) (replay.Summary, error) {
	var sum replay.Summary
	parts, err := Load(cfg, log)
	if err != nil {
		return sum, err
	}
	defer parts.Close()
	if err := loaded(parts); err != nil {
		return sum, err
	}
	if parts.Rules == nil {
		return sum, errNoRules
	}
	wc, err := parts.Worker(Mode{Inline: o.Inline, NoChecksum: o.NoChecksum, Workers: 1, Types: func(string) bool { return false }})
	if err != nil {
		return sum, err
	}
	return replay.Run(ctx, replay.Options{
		Files: o.Files, Workers: 1,
		AutoChecksum: cfg.PcapFile.ChecksumChecks == "auto" && !o.NoChecksum,
		New: func(int) (*worker.Worker, error) {
			w, err := worker.New(wc)
			if err == nil {
				err = ready(w.Matcher())
			}
			return w, err
		},
		Publish: func([]*events.Event) {},
	})
}
