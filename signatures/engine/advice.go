package engine

import (
	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// MinFast is the length of a content from which on it narrows raw bytes down
// enough to be looked for on its own.
const MinFast = minFast

// Everywhere reports whether a rule without a fast pattern would be tried on
// much of the traffic: its protocol is a common one, its ports are all or usual
// ones, and no content is bound to the payload's beginning. It is for advice on
// rules.
func Everywhere(r *rule.Rule) bool {
	c := crule{Rule: r, tests: r.Tests}
	for i := range r.Lists {
		l := &r.Lists[i]
		if l.Name != "" {
			continue
		}
		items := make([]item, len(l.Items))
		for k := range l.Items {
			items[k].Item = &l.Items[k]
		}
		c.payload = items
		if headOf(items) != nil {
			return false
		}
	}
	common := len(r.Proto.Apps) == 0
	for _, id := range r.Proto.Apps {
		common = common || id == protocol.HTTP1 || id == protocol.TLS || id == protocol.DNS
	}
	if !common {
		return false
	}
	if c.onStream() {
		return min(portShare(r.SrcPort), portShare(r.DstPort)) >= portShare(usualPort)
	}
	// Packets find such rules by port or address.
	b := indexBuilder{}
	return min(portShare(r.SrcPort), portShare(r.DstPort), b.share(r.Src), b.share(r.Dst)) >= 0.5
}

// usualPort is a set of one port that much traffic is on.
var usualPort = &rule.PortSet{Ranges: []rule.PortRange{{Lo: usualPorts[0], Hi: usualPorts[0]}}}
