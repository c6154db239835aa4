package engine

import (
	"sluice/dataplane/decode"
	"sluice/signatures/rule"
)

// located tests the countries of the addresses at hand.
func (m *Matcher) located(t *rule.Test) bool {
	geo := m.e.opt.Geo
	if geo == nil {
		return false
	}
	in := func(a *decode.Addr) bool {
		code := geo.Country(a.Netip())
		if len(code) != 2 {
			return false // as Suricata: nowhere is not elsewhere
		}
		for i := 0; i+2 <= len(t.What); i += 2 {
			if t.What[i:i+2] == code {
				return !t.Neg
			}
		}
		return t.Neg
	}
	switch t.Which {
	case "src":
		return in(m.src)
	case "dst":
		return in(m.dst)
	case "both":
		return in(m.src) && in(m.dst)
	}
	return in(m.src) || in(m.dst)
}
