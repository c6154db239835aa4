package worker

import (
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/events"
)

// wantCerts notes that the certificates of a handshake are to be kept: that of tx
// or, where the rule is of packets, of what the flow is about.
func wantCerts(f *flow.Flow, tx *protocol.Tx) {
	if tx != nil {
		tx.StoreCerts = true
		return
	}
	if parser := f.App.Parser(); parser != nil {
		for _, live := range parser.Txs().Live {
			live.StoreCerts = true
		}
	}
}

// storeCerts keeps the certificates of a handshake that is over as a file in PEM,
// with its event beside it where that is asked for.
func (w *Worker) storeCerts(f *flow.Flow, parser protocol.Parser, tx *protocol.Tx) {
	h, ok := tx.State.(interface{ PEM() []byte })
	store := w.cfg.Files.Store
	if !ok || store == nil {
		return
	}
	text := h.PEM()
	if len(text) == 0 {
		return
	}
	if limit := w.cfg.Files.MaxSize; limit > 0 && uint64(len(text)) > limit {
		w.counters.FilesLost++ // a part of it would be no certificate
		return
	}
	id := store.Begin()
	if !store.Write(id, text) {
		w.counters.FilesLost++
		return
	}
	var e *events.Event
	if w.cfg.Files.Record {
		e = w.event("tls", f, protocol.ToServer)
		e.TxID, e.HasTxID = tx.ID, true
		w.record(f, parser, tx, e)
	}
	w.endStoring(id, e)
}
