package worker

import (
	"sluice/classifiers"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
)

// judgeClear asks the policy about a connection once its client has sent a password in
// the clear. It is a finding without content: the parsers keep nothing of passwords. A
// connection is told of once, however often somebody tries.
func (w *Worker) judgeClear(f *flow.Flow) {
	if w.cfg.Policy == nil || w.in.Classifier == nil {
		return
	}
	switch f.App.ParserProto() {
	case protocol.FTP, protocol.POP3, protocol.IMAP, protocol.SMTP, protocol.SIP, protocol.PGSQL, protocol.LDAP, protocol.SNMP:
	default:
		return
	}
	parser := f.App.Parser()
	l, ok := parser.(protocol.ClearLogin)
	if !ok {
		return
	}
	user, seen := l.ClearPassword()
	if !seen {
		return
	}
	st := w.ensure(f)
	if st.clear {
		return
	}
	st.clear = true
	res := w.in.Classifier.ClearPassword(user, classifiers.Medium)
	if len(res.Counts) == 0 {
		return // the detector is switched off
	}
	o := &protocol.Object{Kind: protocol.KindStream, Dir: protocol.ToServer, Tx: parser.Txs().Last()}
	st.coverage.found = true
	w.judge(f, f.App.ParserProto(), o, objectFacts{final: true}, res, nil)
}
