package policy

import "slices"

// Concerns reports whether any rule could do something about an object that goes
// this way, whatever is found in it, and whether one of them keeps evidence. Of
// in, the direction, the channel, the ends and the time are looked at; a domain
// that is not known yet may be any. It does not allocate.
func (p *Policy) Concerns(in *Input) (some, keeps bool) {
	for i := range p.rules {
		r := &p.rules[i]
		if r.allows && !r.shadow || !r.mayMatch(in) {
			continue
		}
		if some = true; r.keep {
			return true, true
		}
	}
	return some, false
}

// mayMatch tries what is known of an object before its first byte.
func (r *rule) mayMatch(in *Input) bool {
	switch {
	case r.expires != 0 && in.Time >= r.expires,
		r.directions != 0 && r.directions&(1<<in.Direction) == 0,
		len(r.channels) > 0 && !anyGlob(r.channels, in.Channel),
		r.source != nil && !r.source.has(in.Src, ""),
		len(r.ports) > 0 && !slices.Contains(r.ports, in.DstPort):
		return false
	}
	if d := r.dest; d != nil && !d.has(in.Dst, in.Domain) {
		// A name may still make the receiver one that is meant.
		return in.Domain == "" && len(d.yes.domains) > 0
	}
	return true
}
