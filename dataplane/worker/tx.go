package worker

import (
	"strings"

	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/events"
)

// transactions lets the rules look at what parsing has made of the bytes.
func (w *Worker) transactions(f *flow.Flow) {
	m := w.in.Matcher
	if m == nil {
		return
	}
	for _, parser := range [2]protocol.Parser{f.App.Replaced(), f.App.Parser()} {
		if parser == nil {
			continue
		}
		for _, tx := range parser.Txs().Live {
			def := w.definition(f, parser)
			for d := protocol.ToServer; d <= protocol.ToClient; d++ {
				if !tx.In(d) {
					continue
				}
				if tx.News(d) {
					m.Tx(w.p, f, parser, def, tx, d)
				}
			}
		}
	}
}

// definition gives the protocol of a flow's parser: the present one or, after
// a switch, the former.
func (w *Worker) definition(f *flow.Flow, parser protocol.Parser) *protocol.Definition {
	if parser == f.App.Replaced() {
		return w.cfg.Registry.Definition(f.App.ReplacedProto())
	}
	return w.cfg.Registry.Definition(f.App.ParserProto())
}

// logTransactions reports and forgets the transactions that are complete; all
// of them when the flow has ended.
func (w *Worker) logTransactions(f *flow.Flow, end bool) {
	w.tellFiles()
	if parser := f.App.Replaced(); parser != nil {
		w.logParser(f, parser, true)
		f.App.DropReplaced()
	}
	if parser := f.App.Parser(); parser != nil {
		w.logParser(f, parser, end)
	}
	if evs := f.App.TakeEvents(); evs != 0 {
		w.appAnomalies(f, evs.Names(), nil)
	}
}

func (w *Worker) logParser(f *flow.Flow, parser protocol.Parser, end bool) {
	txs := parser.Txs()
	if len(txs.Live) == 0 {
		return
	}
	def := w.definition(f, parser)
	if def == nil {
		return
	}
	done := 0
	for _, tx := range txs.Live {
		if tx.OpenObjects > 0 && !end {
			continue
		}
		complete := end || tx.Progress[0] >= def.Complete[0] && tx.Progress[1] >= def.Complete[1]
		if !complete && (!tx.Ready || tx.Logged) {
			continue
		}
		if complete {
			done++
		}
		w.appAnomalies(f, tx.Events[tx.EventsTold:], tx)
		tx.EventsTold = len(tx.Events)
		if tx.Logged {
			continue
		}
		tx.Logged = true
		if tx.StoreCerts {
			w.storeCerts(f, parser, tx)
		}
		w.counters.Transactions++
		w.counters.AppTx[def.ID][transportOf(f)]++
		if tx.Quiet || f.QuietTxs || w.withheldTx(f) {
			continue
		}
		for _, typ := range parser.Log(tx) {
			if !w.cfg.Report.wants(typ) {
				continue
			}
			dir := protocol.ToServer
			if !tx.In(dir) && w.cfg.Report.DNSVersion != 2 && !def.ClientView {
				dir = protocol.ToClient
			}
			e := w.event(typ, f, dir)
			e.TxID, e.HasTxID = tx.ID, true
			w.record(f, parser, tx, e)
			if e.DNS != nil && typ == "dns" && w.cfg.Report.DNSVersion == 2 {
				w.dnsVersion2(e)
				continue
			}
			w.emit(e)
		}
	}
	if done > 0 {
		txs.Prune(func(tx *protocol.Tx) bool {
			return tx.Logged && (end || tx.Progress[0] >= def.Complete[0] && tx.Progress[1] >= def.Complete[1])
		})
	}
}

// withheldTx reports whether what is not told yet of a flow's transactions was
// withheld: it did not happen for the other side, and the verdict's own event tells
// of it.
func (w *Worker) withheldTx(f *flow.Flow) bool {
	return f.Verdict.Action.EndsFlow() && w.judging()
}

// record fills in the protocol's part of an event about tx.
func (w *Worker) record(f *flow.Flow, parser protocol.Parser, tx *protocol.Tx, e *events.Event) {
	parser.Record(tx, e)
	for _, part := range e.Extra {
		// Some records hold content, which events do not show where a detector
		// finds something in it.
		if m, ok := part.(interface{ Mask(func([]byte) []byte) }); ok && w.in.Classifier != nil {
			m.Mask(w.masked)
		}
	}
	if e.TLS != nil && e.TLS.FromProto == "" && f.App.Original() != protocol.Unknown {
		e.TLS.FromProto = f.App.Original().String()
	}
}

// appAnomalies reports what a parser or recognition saw.
func (w *Worker) appAnomalies(f *flow.Flow, names []string, tx *protocol.Tx) {
	w.counters.Anomalies += uint64(len(names))
	if !w.cfg.Report.AppAnomalies || !w.cfg.Report.wants("anomaly") {
		return
	}
	for _, name := range names {
		e := w.event("anomaly", f, protocol.ToServer)
		a := &events.Anomaly{Type: "applayer", Event: name, Layer: "proto_parser"}
		if tx == nil || upperEvents(f.App.ParserProto()) {
			a.Event = strings.ToUpper(name)
		}
		if tx == nil {
			a.Layer = "proto_detect"
		} else {
			e.TxID, e.HasTxID = tx.ID, true
		}
		a.AppProto = e.AppProto
		e.Anomaly = a
		w.emit(e)
	}
}

// upperEvents tells of the protocols whose anomalies EVE spells in capitals.
func upperEvents(id protocol.ID) bool {
	switch id {
	case protocol.HTTP1, protocol.TLS, protocol.SMTP, protocol.DCERPC:
		return true
	}
	return false
}

// dnsVersion2 reports a DNS message as records of version 2 do: an event a
// question, and an answer with the name and type asked for.
func (w *Worker) dnsVersion2(e *events.Event) {
	d := e.DNS
	if d.Type == "response" {
		d.Version, d.Type, d.TxID = 2, "answer", nil
		if len(d.Queries) > 0 {
			d.RRName, d.RRType = d.Queries[0].RRName, d.Queries[0].RRType
		}
		d.Queries = nil
		w.emit(e)
		return
	}
	for _, q := range d.Queries {
		one := *e
		one.DNS = &events.DNS{Version: 2, Type: "query", ID: d.ID, TxID: d.TxID, Z: d.Z, Opcode: d.Opcode, RRName: q.RRName, RRType: q.RRType}
		w.emit(&one)
	}
}
