package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice/dataplane/enforce"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/policy"
	"sluice/internal/config"
	"sluice/internal/control"
)

// held is how a host is held: for how long, and which set of destinations it
// still reaches.
type held struct {
	ttl time.Duration
	set uint8
}

// terms are how hosts are held, by the rule of the policy that said so, and base
// for all others.
type terms struct {
	base  held
	rules map[string]held
	// allow is what is reached, by set; set 0 is the configuration's.
	allow [][]config.Reachable
}

func (t *terms) of(rule string) held {
	if h, ok := t.rules[rule]; ok {
		return h
	}
	return t.base
}

// maxSets bounds the different lists of destinations. A set that no list has
// reaches nothing: closedSet.
const (
	maxSets   = 128
	closedSet = 255
)

// newTerms puts together what the configuration and the policy say.
func newTerms(cfg config.Quarantine, pol *policy.Policy) (*terms, error) {
	t := &terms{base: held{ttl: cfg.TTL.D()}, rules: map[string]held{}, allow: [][]config.Reachable{cfg.Allow}}
	if pol == nil {
		return t, nil
	}
	own := pol.Quarantines()
	n := len(cfg.Allow)
	for _, rule := range slices.Sorted(maps.Keys(own)) {
		said, h := own[rule], t.base
		if said.TTL != nil {
			h.ttl = *said.TTL
		}
		if said.HasAllow {
			at := slices.IndexFunc(t.allow, func(l []config.Reachable) bool { return slices.Equal(l, said.Allow) })
			if at < 0 {
				at = len(t.allow)
				t.allow = append(t.allow, said.Allow)
				n += len(said.Allow)
			}
			h.set = uint8(min(at, closedSet))
		}
		t.rules[rule] = h
	}
	if n > fastpath.MaxAllowances || len(t.allow) > maxSets {
		return nil, fmt.Errorf("quarantine: the rules of the policy and quarantine.allow name %d destinations in %d lists, the most is %d in %d: use prefixes, or one list for several rules",
			n, len(t.allow), fastpath.MaxAllowances, maxSets)
	}
	return t, nil
}

// setOf gives the set of a host.
func (q *quarantine) setOf(e *QuarantineEntry) uint8 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.terms.of(e.rule()).set
}

// rule gives the policy's rule that put the host in quarantine, if one did.
func (e *QuarantineEntry) rule() string {
	rule, ok := strings.CutPrefix(e.By, byPolicy)
	if !ok {
		return ""
	}
	return rule
}

// setTerms puts other terms in force, for those too who are in quarantine: what
// they reach follows their rule; when they may leave stays as it was. put gives the
// kernel what is reached, with all else that changes; it is nil without a fast
// path. While the kernel is told, it lets hosts of rules reach nothing rather than
// too much. With an error the terms before stay in force.
func (q *quarantine) setTerms(t *terms, links bool, put func([]fastpath.Allowance) error) error {
	q.ops.Lock()
	defer q.ops.Unlock()
	var sets [][]enforce.Reachable
	var all []fastpath.Allowance
	for i, list := range t.allow {
		sets = append(sets, reachable(list))
		for _, a := range allowances(sets[i]) {
			a.Set = uint8(i)
			all = append(all, a)
		}
	}
	q.mu.Lock()
	var moved []QuarantineEntry
	for _, e := range q.hosts {
		if t.of(e.rule()).set != 0 || q.terms.of(e.rule()).set != 0 {
			moved = append(moved, e)
		}
	}
	q.mu.Unlock()
	back := func() (errs []error) {
		for _, e := range moved {
			errs = append(errs, q.toKernel(e))
		}
		return errs
	}
	if put != nil {
		var err error
		for i := 0; i < len(moved) && err == nil; i++ {
			err = q.kernelSet(moved[i], closedSet)
		}
		if err == nil {
			err = put(all)
		}
		if err != nil {
			return errors.Join(append(back(), err)...)
		}
	}
	q.mu.Lock()
	q.terms, q.links = *t, links
	bound := map[netip.Addr]uint8{}
	for a, e := range q.hosts {
		// Those too whom a worker has put in quarantine meanwhile.
		bound[a] = t.of(e.rule()).set
	}
	q.set.SetReachable(sets, func(a netip.Addr) uint8 { return bound[a] })
	q.mu.Unlock()
	if put == nil {
		return nil
	}
	for _, err := range back() {
		// All is in force; a host that cannot be told of it reaches nothing.
		if err != nil {
			q.log.Error("a host in quarantine reaches less than it may", "error", err)
		}
	}
	return nil
}

// listed is list with what each host still reaches.
func (q *quarantine) listed() []QuarantineEntry {
	out := q.list()
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range out {
		e := &out[i]
		e.Allow = []string{}
		if set := int(q.terms.of(e.rule()).set); set < len(q.terms.allow) {
			for _, r := range q.terms.allow[set] {
				e.Allow = append(e.Allow, r.String())
			}
		}
	}
	return out
}

func (d *Daemon) serveQuarantined(w http.ResponseWriter, _ *http.Request) {
	control.Reply(w, http.StatusOK, d.quarantine.listed())
}

// Reaches gives what a host in quarantine still reaches, in a line.
func (e *QuarantineEntry) Reaches() string {
	return cmp.Or(strings.Join(e.Allow, ", "), "nothing")
}
