package app

import (
	"fmt"
	"log/slog"
	"sync"

	"sluice/internal/config"
	"sluice/internal/magic"
)

// magicFor gives a function that reports why files cannot be described by their
// content, nil where they can. The library is loaded at its first call.
func magicFor(cfg *config.Config) func() error {
	return sync.OnceValue(func() error {
		if _, err := magic.Open(cfg.MagicFile); err != nil {
			return fmt.Errorf("%w; %s", err, magic.Remedy)
		}
		return nil
	})
}

// describe has the set describe files where rules or records ask for it. Records do
// without where that is not possible; the rules that need it were refused.
func (p *Parts) describe(log *slog.Logger) error {
	rules := p.Rules != nil && p.Rules.DescribesFiles()
	p.Set.DescribeAll = p.Config.Outputs.EVE.Types.Option("files").ForceMagic
	if !rules && !p.Set.DescribeAll {
		return nil
	}
	db, err := magic.Open(p.Config.MagicFile)
	switch {
	case err == nil:
		p.Set.Magic = db
	case rules:
		return fmt.Errorf("rules on descriptions of files: %w", err)
	case log != nil:
		log.Warn("files are recorded without a description, which force-magic asks for", "error", err, "remedy", magic.Remedy)
	}
	return nil
}
