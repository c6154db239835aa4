package app

import (
	"sluice/classifiers"
	"sluice/internal/config"
	"sluice/internal/hs"
)

// masker masks what detectors find in texts that tools show of traffic, as events
// are masked. The nil masker, of a configuration without a policy, changes nothing.
type masker struct {
	cat *classifiers.Catalog
	sc  *hs.Scanner
	s   *classifiers.Scanner
}

func newMasker(cfg *config.Config) (*masker, error) {
	p, err := LoadPolicy(cfg)
	if err != nil || p == nil {
		return nil, err
	}
	m := &masker{}
	if m.cat, err = classifiers.New(classifiers.Config{CacheDir: CacheDir(cfg), Custom: p.Custom()}); err != nil {
		return nil, err
	}
	if m.sc, err = hs.NewScanner(); err == nil {
		m.s, err = m.cat.NewScanner(m.sc)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *masker) text(s string) string {
	if m == nil || s == "" {
		return s
	}
	if b, changed := m.s.MaskText([]byte(s)); changed {
		return string(b)
	}
	return s
}

func (m *masker) close() {
	if m == nil {
		return
	}
	if m.sc != nil {
		m.sc.Close()
	}
	m.cat.Close()
}
