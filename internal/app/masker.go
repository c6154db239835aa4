package app

import (
	"bytes"
	"strings"

	"sluice/classifiers"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ftp"
	"sluice/dataplane/protocol/ldap"
	"sluice/dataplane/worker"
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

// shown gives a copy of a buffer's bytes in which values that a detector finds are
// masked and, with any policy and none, what was sent to log in.
func (m *masker) shown(f *flow.Flow, tx *protocol.Tx, buffer string, b []byte) []byte {
	out := bytes.Clone(b)
	if m != nil {
		if masked, changed := m.s.Mask(b); changed {
			out = masked
		}
	}
	whole := strings.HasPrefix(buffer, "mqtt.connect.password") || strings.HasPrefix(buffer, "snmp.community")
	if strings.HasPrefix(buffer, "ldap.") {
		if name, _, ok := bytes.Cut(b, []byte{'='}); ok && ldap.SecretType(name) {
			whole = true
		}
	}
	if tx != nil && strings.HasPrefix(buffer, "ftp.command_data") {
		c, ok := tx.State.(*ftp.Command)
		whole = ok && c.Secret()
	}
	if whole {
		for i := range out {
			out[i] = '*'
		}
	}
	if f != nil {
		worker.MaskLogins(out, f.App.Proto())
	}
	return out
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
