package app

import (
	"fmt"
	"log/slog"
	"time"

	"sluice/dataplane/policy"
	"sluice/internal/config"
	"sluice/internal/geoip"
)

// openPlaces opens the configured databases of countries and networks; nil
// without any. They are not closed: workers may still hold those of before a
// reload, and the last reference gives the mapping back.
func openPlaces(cfg *config.Config) (*geoip.DB, error) {
	return geoip.Open(cfg.GeoIPDatabase, cfg.ASNDatabase)
}

// warnPolicy tells of what is allowed in a policy but probably not meant.
func warnPolicy(p *policy.Policy, log *slog.Logger) {
	if log == nil {
		return
	}
	for _, w := range p.Warnings(time.Now()) {
		log.Warn(w.Msg, "file", w.File, "line", w.Line, "remedy", w.Remedy)
	}
}

// placePolicy gives the policy the databases that its rules ask for.
func placePolicy(cfg *config.Config, p *policy.Policy) (*policy.Policy, error) {
	rule := p.WantsGeo()
	if rule == "" {
		return p, nil
	}
	db, err := openPlaces(cfg)
	if err != nil {
		return nil, err
	}
	if db == nil {
		return nil, fmt.Errorf("policy %s: the rule %q names a country or network: set geoip-database and asn-database in the configuration", p.Name, rule)
	}
	return p.WithGeo(db), nil
}
