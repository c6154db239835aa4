package policy

import "slices"

// Concern is what a policy could do about an object of which only the way is
// known, whatever is found in it.
type Concern struct {
	// Some tells that a rule could do something, Keeps that one of them keeps
	// evidence.
	Some, Keeps bool
	// Withholds tells that one of them could keep bytes back, and so may decide before
	// the object's end.
	Withholds bool
	// Excuses tells that an exception could match, which is told of even where no
	// rule would have done anything.
	Excuses bool
}

// Wants reports whether it makes any difference what is found in the object.
func (c Concern) Wants() bool { return c.Some || c.Excuses }

// Concerns tells what the rules could do about an object that goes this way. Of
// in, the direction, the channel, the ends and the time are looked at; a domain
// that is not known yet may be any. It does not allocate.
func (p *Policy) Concerns(in *Input) (c Concern) {
	for i := range p.rules {
		r := &p.rules[i]
		if r.allows && !r.shadow && !r.exception || !r.mayMatch(in) {
			continue
		}
		if r.allows && !r.shadow {
			c.Excuses = true
			continue
		}
		c.Some = true
		c.Keeps = c.Keeps || r.keep
		c.Withholds = c.Withholds || !r.shadow && r.mayWithhold()
	}
	return c
}

// mayWithhold reports whether the rule or one of its tiers withholds.
func (r *rule) mayWithhold() bool {
	for i := range r.tiers {
		if r.tiers[i].action.Withholds() {
			return true
		}
	}
	return r.action.Withholds()
}

// mayMatch tries what is known of an object before its first byte.
func (r *rule) mayMatch(in *Input) bool {
	switch {
	case r.expires != 0 && in.Time >= r.expires,
		r.directions != 0 && r.directions&(1<<in.Direction) == 0,
		len(r.channels) > 0 && !anyGlob(r.channels, in.Channel),
		r.source != nil && !r.source.mayHave(party{in.Src, in.Sender, in.User}),
		len(r.ports) > 0 && !slices.Contains(r.ports, in.DstPort):
		return false
	}
	return r.dest == nil || r.dest.mayHave(party{in.Dst, in.Domain, ""})
}

// mayHave reports whether the set may have a party of which only the address is
// certain: names, users and where an address belongs may tell later.
func (h *hostSet) mayHave(p party) bool {
	if h.no.has(p, nil) {
		return false
	}
	y := &h.yes
	return y.empty() || y.has(p, nil) || p.name == "" && len(y.domains)+len(y.mails) > 0 ||
		p.user == "" && len(y.users) > 0 || len(y.countries)+len(y.asns) > 0
}
