package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
)

var _ expect.Announcer = (*objectSink)(nil)

// Announce implements expect.Announcer.
func (s *objectSink) Announce(a expect.Announcement) {
	w := (*Worker)(s)
	if f := w.f; f != nil && w.cfg.Expect != nil {
		w.cfg.Expect.Announce(expect.Control{Scope: scope(f), Client: f.Client.Netip(), Server: f.Server.Netip(), Flow: f.ID}, a, w.env.Now)
	}
}

// Renew implements expect.Announcer.
func (s *objectSink) Renew(h *expect.Hint) {
	if w := (*Worker)(s); w.cfg.Expect != nil {
		w.cfg.Expect.Renew(h, w.env.Now)
	}
}

// Withdraw implements expect.Announcer.
func (s *objectSink) Withdraw(h *expect.Hint) {
	if w := (*Worker)(s); w.cfg.Expect != nil {
		w.cfg.Expect.Withdraw(h)
	}
}

// scope keeps networks with the same addresses apart.
func scope(f *flow.Flow) uint64 {
	return uint64(f.Key.Tunnel)<<32 | uint64(f.Key.VLAN[0])<<16 | uint64(f.Key.VLAN[1])
}

// expected begins the protocol of a flow that another one has announced. It is
// asked at the flow's first bytes: at its first packet, the announcement may
// not have been read yet (data is inspected once acknowledged).
func (w *Worker) expected(f *flow.Flow) {
	t := w.cfg.Expect
	if t == nil || f.App.Proto() != protocol.Unknown || f.App.Offset(protocol.ToServer)|f.App.Offset(protocol.ToClient) != 0 {
		return
	}
	id := protocol.FTPData
	switch f.Proto {
	case decode.ProtoUDP:
		id = protocol.TFTP
	case decode.ProtoTCP:
	default:
		return
	}
	if h := t.Lookup(scope(f), f.Proto == decode.ProtoUDP, f.Client.Netip(), f.Server.Netip(), f.ClientPort, f.ServerPort, w.env.Now); h != nil {
		f.App.Begin(w.cfg.Registry, &w.env, id, h)
	}
}
