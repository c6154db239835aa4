package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/policy"
	"sluice/dataplane/verdict"
)

// isolated withholds a packet of a host in quarantine. It has a flow, so that its
// drops are told as those of others are.
func (w *Worker) isolated(p *decode.Packet) bool {
	w.withhold(dropQuarantine)
	if p.Flags&(decode.FlagInvalid|decode.FlagFragment) != 0 {
		return false
	}
	if f, dir, fresh := w.flows.Get(p); f != nil {
		w.f, w.dir = f, dir
		if fresh {
			w.begin(f)
		}
	}
	return false
}

// isolate puts the sender of an object in quarantine where the policy says so.
// Only who sends from the inside: for others there is the flow's own end, and
// their addresses can be made up.
func (w *Worker) isolate(in *policy.Input, dec *policy.Decision) {
	if dec.Action != verdict.Quarantine || w.cfg.Isolate == nil || !w.cfg.Live || w.cfg.Monitor || w.closing {
		return
	}
	if in.Direction == policy.Egress || in.Direction == policy.InternalOnly {
		var link [6]byte
		if w.p.Src.Netip() == in.Src {
			link, _ = enforce.LinkOf(w.p)
		}
		w.cfg.Isolate(in.Src, link, dec.Rule)
	}
}
