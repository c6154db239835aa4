package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sluice/dataplane/replay"
	"sluice/internal/config"
	"sluice/internal/hs"
	"sluice/signatures"
)

// RuleProfile is what one rule cost in a replay.
type RuleProfile struct {
	GID  uint32 `json:"gid"`
	SID  uint32 `json:"sid"`
	Rev  uint32 `json:"rev"`
	File string `json:"file"`
	Line int    `json:"line"`
	Msg  string `json:"msg"`
	// Candidates are the tries after a nomination, Confirms those of them that
	// tested a buffer, Matches those that held.
	Candidates uint64 `json:"candidates"`
	Confirms   uint64 `json:"confirms"`
	Matches    uint64 `json:"matches"`
	// Nanoseconds is the time of all tries, reading the clock taken off; Share
	// its part of all rules' time, in percent.
	Nanoseconds int64   `json:"nanoseconds"`
	PerTry      float64 `json:"nanoseconds_per_candidate"`
	Share       float64 `json:"share"`
}

// DatabaseProfile is what scanning with one Hyperscan database cost.
type DatabaseProfile struct {
	Name        string `json:"name"`
	Memory      int    `json:"memory"`
	Scans       uint64 `json:"scans"`
	Bytes       uint64 `json:"bytes"`
	Hits        uint64 `json:"hits"`
	Nanoseconds int64  `json:"nanoseconds"`
}

// Profile is what `sluice rules profile` reports.
type Profile struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	// Nanoseconds is the whole replay's time; Scan and Confirm are the parts of
	// Hyperscan and of the rules' tries, Clock what one reading of the clock
	// costs, twice of which has been taken off each try.
	Nanoseconds int64             `json:"nanoseconds"`
	Scan        int64             `json:"scan_nanoseconds"`
	Confirm     int64             `json:"confirm_nanoseconds"`
	Clock       int64             `json:"clock_nanoseconds"`
	Candidates  uint64            `json:"candidates"`
	Confirms    uint64            `json:"confirms"`
	Matches     uint64            `json:"matches"`
	Alerts      uint64            `json:"alerts"`
	Compiled    Compiled          `json:"compiled"`
	Rules       []RuleProfile     `json:"rules"`
	Databases   []DatabaseProfile `json:"databases"`
}

// ProfileSorts are the columns by which a profile can be sorted.
var ProfileSorts = []string{"time", "candidates", "confirms", "matches", "per-try", "sid"}

// ProfileRules replays capture files on one worker and tells what each rule
// cost. Rules that were never tried are left out.
func ProfileRules(ctx context.Context, cfg *config.Config, sort string, o ReplayOptions, log *slog.Logger) (*Profile, error) {
	if !slices.Contains(ProfileSorts, sort) {
		return nil, fmt.Errorf("a profile cannot be sorted by %q: use one of %v", sort, ProfileSorts)
	}
	p := &Profile{}
	type scans struct {
		DatabaseProfile
		db *hs.DB
	}
	dbs := map[*hs.DB]*scans{}
	name := func(*hs.DB) string { return "" }
	var m *signatures.Matcher
	sum, err := observe(ctx, cfg, o, log,
		func(parts *Parts) error {
			p.Compiled = parts.Compiled()
			set := parts.Set
			name = set.DatabaseName
			// One worker, so one goroutine.
			set.Trace = func(c hs.Call) {
				d := dbs[c.DB]
				if d == nil {
					d = &scans{db: c.DB, DatabaseProfile: DatabaseProfile{Name: name(c.DB), Memory: c.DB.Size()}}
					dbs[c.DB] = d
				}
				if c.Data == nil && c.Stream != 0 {
					return // a stream that was closed
				}
				d.Scans++
				d.Bytes += uint64(len(c.Data))
				d.Hits += uint64(c.Hits)
				d.Nanoseconds += c.Elapsed.Nanoseconds()
			}
			return nil
		},
		func(made *signatures.Matcher) error {
			m = made
			m.StartProfile()
			return nil
		})
	if m == nil {
		return nil, err
	}
	p.fill(m.Profile(), sum)
	for _, d := range dbs {
		p.Scan += d.Nanoseconds
		p.Databases = append(p.Databases, d.DatabaseProfile)
	}
	slices.SortFunc(p.Databases, func(a, b DatabaseProfile) int {
		return cmp.Or(cmp.Compare(b.Nanoseconds, a.Nanoseconds), cmp.Compare(a.Name, b.Name))
	})
	p.sort(sort)
	return p, err
}

func (p *Profile) fill(stats []signatures.RuleStat, sum replay.Summary) {
	p.Packets, p.Bytes, p.Nanoseconds, p.Alerts = sum.Frames, sum.Bytes, sum.Elapsed.Nanoseconds(), sum.Alerts
	p.Clock = clockCost().Nanoseconds()
	p.Rules = []RuleProfile{}
	for i := range stats {
		s := &stats[i]
		if s.Candidates == 0 {
			continue
		}
		r := RuleProfile{GID: s.Rule.GID, SID: s.Rule.SID, Rev: s.Rule.Rev, File: s.Rule.File, Line: s.Rule.Line, Msg: s.Rule.Msg,
			Candidates: s.Candidates, Confirms: s.Confirms, Matches: s.Matches}
		r.Nanoseconds = max(s.Time.Nanoseconds()-p.Clock*int64(s.Candidates), 0)
		r.PerTry = float64(r.Nanoseconds) / float64(r.Candidates)
		p.Candidates += r.Candidates
		p.Confirms += r.Confirms
		p.Matches += r.Matches
		p.Confirm += r.Nanoseconds
		p.Rules = append(p.Rules, r)
	}
	for i := range p.Rules {
		if p.Confirm > 0 {
			p.Rules[i].Share = 100 * float64(p.Rules[i].Nanoseconds) / float64(p.Confirm)
		}
	}
}

func (p *Profile) sort(by string) {
	slices.SortStableFunc(p.Rules, func(a, b RuleProfile) int {
		c := 0
		switch by {
		case "candidates":
			c = cmp.Compare(b.Candidates, a.Candidates)
		case "confirms":
			c = cmp.Compare(b.Confirms, a.Confirms)
		case "matches":
			c = cmp.Compare(b.Matches, a.Matches)
		case "per-try":
			c = cmp.Compare(b.PerTry, a.PerTry)
		case "time":
			c = cmp.Compare(b.Nanoseconds, a.Nanoseconds)
		}
		return cmp.Or(c, cmp.Compare(a.GID, b.GID), cmp.Compare(a.SID, b.SID))
	})
}

// clockCost measures what lies between two readings of the clock with nothing
// in between: what a try's time has too much.
func clockCost() time.Duration {
	best := time.Hour
	for range 16 {
		begin := time.Now()
		for range 100 {
			_ = time.Since(begin)
		}
		best = min(best, time.Since(begin)/101)
	}
	return best
}
