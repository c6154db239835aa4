package engine

import "sluice/dataplane/protocol"

// Protocols carry others: their transactions have the others' buffers besides their
// own. What is here says whose rules a transaction concerns, and when its buffers
// are there.

// concerned reports whether a rule is about transactions of a protocol: its own, one
// that they carry, or the one that their flow goes by.
func (m *Matcher) concerned(r *crule, id protocol.ID, tx *protocol.Tx) bool {
	return r.apps == 0 || r.apps>>id&1 == 1 || r.coversVia(id) || r.apps>>m.on(id)&1 == 1 ||
		tx.Carries != protocol.Unknown && r.apps>>tx.Carries&1 == 1
}

// admits reports whether a rule is about objects of a parser's protocol.
func (m *Matcher) admits(r *crule, app protocol.ID) bool {
	return app <= protocol.Failed || r.apps == 0 || r.apps>>app&1 == 1 || r.coversVia(app) || r.apps>>m.on(app)&1 == 1
}

// ready reports whether the buffer of a list is final in a direction of a transaction.
func ready(l *clist, tx *protocol.Tx, dir protocol.Dir) bool {
	if tx.Carries != protocol.Unknown && l.spec.ID.Protocol() == tx.Carries {
		return tx.Carried.Has(dir)
	}
	return tx.Progress[dir] >= l.spec.Progress
}

// nominateFields nominates the rules of a plan on numbers and events.
func (m *Matcher) nominateFields(pl *plan) {
	if pl == nil {
		return
	}
	for _, r := range pl.fields {
		m.nominate(r)
	}
}

// on gives the protocol that a flow of a parser's protocol goes by: DNS over HTTP/2
// where HTTP/2 turned out to carry that.
func (m *Matcher) on(id protocol.ID) protocol.ID {
	if m.f != nil {
		if now := m.f.App.Proto(); now.Spoken() == id {
			return now
		}
	}
	return id
}

// coversVia tells of protocols that carry another's buffers.
func (r *crule) coversVia(id protocol.ID) bool {
	switch id {
	case protocol.HTTP1:
		return r.apps>>protocol.HTTP2&1 == 1 && r.Proto.Name == "http"
	case protocol.DNS:
		return r.apps>>protocol.MDNS&1 == 1 || r.apps>>protocol.LLMNR&1 == 1
	}
	return false
}

// fillsToo gives the protocol whose buffers a protocol's parser fills besides its
// own, under their own ids: HTTP/2 those of HTTP/1, SMB those of DCE/RPC.
func fillsToo(id protocol.ID) protocol.ID {
	switch id {
	case protocol.HTTP2:
		return protocol.HTTP1
	case protocol.SMB:
		return protocol.DCERPC
	}
	return protocol.Unknown
}
