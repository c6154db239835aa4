package policy

import (
	"fmt"
	"slices"
	"time"

	"sluice/dataplane/verdict"
	"sluice/internal/config"
)

// fileQuarantine is how a rule's hosts are held.
type fileQuarantine struct {
	// TTL ends the quarantine ("1h", "7d"); 0 leaves that to the operator.
	TTL string `yaml:"ttl"`
	// Allow lists what the host still reaches, in place of the configuration's list:
	// "10.9.0.10", "10.9.0.53 udp/53". An empty list is nothing at all.
	Allow *list `yaml:"allow"`
}

// Quarantine is how the hosts are held that a rule puts in quarantine.
type Quarantine struct {
	// TTL ends it, 0 never; nil is as configured.
	TTL *time.Duration
	// Allow is what they still reach where HasAllow is set, else what is configured.
	Allow    []config.Reachable
	HasAllow bool
}

// Quarantines gives how hosts are held, for the rules that say so, by name.
func (p *Policy) Quarantines() map[string]Quarantine {
	out := map[string]Quarantine{}
	for i := range p.rules {
		if r := &p.rules[i]; r.quarantine != nil {
			out[r.name] = *r.quarantine
		}
	}
	return out
}

// quarantine compiles what a rule says of it; nil where that is nothing.
func (c *compiler) quarantine(f *fileRule, where string) *Quarantine {
	if f.Quarantine == nil {
		return nil
	}
	where += ".quarantine"
	isolates := actions[f.Action] == verdict.Quarantine || slices.ContainsFunc(f.Tiers, func(t tier) bool { return actions[t.Action] == verdict.Quarantine })
	if !isolates {
		c.at(where, "set action: quarantine, or leave quarantine out", "the rule %q says how to hold a host, but puts none in quarantine", f.Name)
	}
	q := &Quarantine{}
	if f.Quarantine.TTL != "" {
		var d config.Duration
		if err := d.UnmarshalText([]byte(f.Quarantine.TTL)); err != nil || d < 0 {
			c.at(where+".ttl", "write it as 1h or 7d; 0 is until the operator ends it", "%q is no time to live", f.Quarantine.TTL)
		}
		ttl := d.D()
		q.TTL = &ttl
	}
	if f.Quarantine.Allow == nil {
		return q
	}
	q.HasAllow = true
	for i, s := range *f.Quarantine.Allow {
		var r config.Reachable
		at := fmt.Sprintf("%s.allow[%d]", where, i)
		switch err := r.UnmarshalText([]byte(s)); {
		case err != nil:
			c.at(at, `write it as 10.9.0.10, "10.9.0.0/24 tcp" or "10.9.0.53 udp/53"`, "%v", err)
		case r.Prefix.Bits() == 0:
			c.at(at, "name the few hosts that manage it", "%s would allow everything", s)
		default:
			q.Allow = append(q.Allow, r)
		}
	}
	return q
}
