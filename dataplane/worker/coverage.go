package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
)

// coverage is by what a flow's bytes that leave are counted. The figures are of
// payload as on the wire; what the kernel forwards by itself counts whole frames.
type coverage struct {
	// side is 0 while not known, 1 where neither direction leaves, else the
	// leaving direction plus 2.
	side uint8
	// shed tells that the flow went past because of overload, found that
	// classification found something in it or could not read it.
	shed, found bool
	// kernel tells that the kernel forwards the flow, or did.
	kernel bool
	// pending are bytes that were inspected and whose object may yet turn out not
	// to be readable.
	pending uint64
	// last is the frame that brought the end of an object, whose own bytes are
	// counted after it; fate is that object's.
	last uint64
	fate fate
}

// fate is what became of bytes that leave and were looked at.
type fate uint8

const (
	egressInspected fate = iota
	// egressUnscannable could not be read, egressUnconcerned was not classified: no
	// rule of the policy could have done anything about it.
	egressUnscannable
	egressUnconcerned
)

// leaves reports whether a direction of the flow goes from inside to outside.
func (w *Worker) leaves(f *flow.Flow, dir protocol.Dir) bool {
	c := &w.ensure(f).coverage
	if c.side == 0 {
		c.side = 1
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			if w.egress(f, d) {
				c.side = uint8(d) + 2
				break
			}
		}
	}
	return c.side == uint8(dir)+2
}

// egress is leaves without its memory.
func (w *Worker) egress(f *flow.Flow, dir protocol.Dir) bool {
	if w.cfg.Policy == nil {
		// The ports of a pair are all that tells; elsewhere nobody asked.
		return w.cfg.Live && w.cfg.Inline && len(w.cfg.Ifaces) == 2 && (f.Port == 0) == (dir == protocol.ToServer)
	}
	src, dst := f.Client.Netip(), f.Server.Netip()
	if dir == protocol.ToClient {
		src, dst = dst, src
	}
	return w.direction(f, dir, src, dst) == policy.Egress
}

// cover counts a packet that goes on.
func (w *Worker) cover(p *decode.Packet, f *flow.Flow, dir protocol.Dir) {
	n := uint64(p.PayloadEnd - p.Payload)
	if n == 0 || p != &w.pkts[len(w.pkts)-1] || !w.leaves(f, dir) {
		return // of tunnels the innermost packet counts
	}
	switch {
	case f.State == flow.StateBypassed:
		w.counters.EgressBypassed += n
	case f.App.Skipped(dir) && encrypted(f):
		w.counters.EgressEncrypted += n
	case f.App.Skipped(dir) || f.TCP != nil && f.TCP.Skipped(dir):
		w.counters.EgressBypassed += n
	case f.TCP == nil:
		if st := w.state(f); st.raw[dir] != nil && st.raw[dir].Unwanted {
			w.counters.EgressUnconcerned += n
		} else {
			w.counters.EgressInspected += n
		}
	default:
		c := &w.ensure(f).coverage
		c.pending += n
		if c.last == w.num {
			w.covered(f, c.fate)
		}
	}
}

// encrypted reports whether a flow's protocol is one whose bytes nobody between
// its ends can read once its parser wants no more of them.
func encrypted(f *flow.Flow) bool {
	switch f.App.Proto() {
	case protocol.TLS, protocol.SSH, protocol.QUIC:
		return true
	}
	return false
}

// covered settles the flow's bytes so far: an object ended, or the flow.
func (w *Worker) covered(f *flow.Flow, what fate) {
	st := w.state(f)
	if st == nil {
		return
	}
	st.coverage.last, st.coverage.fate = w.num, what
	switch what {
	case egressUnscannable:
		w.counters.EgressUnscannable += st.coverage.pending
	case egressUnconcerned:
		w.counters.EgressUnconcerned += st.coverage.pending
	default:
		w.counters.EgressInspected += st.coverage.pending
	}
	st.coverage.pending = 0
}
