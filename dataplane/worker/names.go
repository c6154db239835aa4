package worker

import (
	"bytes"
	"encoding/base64"
	"slices"

	"sluice/classifiers"
	"sluice/dataplane/flow"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/quic"
	"sluice/dataplane/protocol/tls"
	"sluice/events"
)

// Judged is one question to the policy and its answer.
type Judged struct {
	Input    policy.Input
	Decision policy.Decision
	// FlowID and Packet say where in the traffic it was: the flow as events name it,
	// and the frame's number.
	FlowID, Packet uint64
}

// judged tells a tool of a decision. Those before an object's end count only
// where they withhold: the others may still change.
func (w *Worker) judged(flowID uint64, in policy.Input, dec policy.Decision) {
	if w.cfg.Judged != nil && (in.Final || dec.Action.Withholds()) {
		// What was counted before the end is valid for now alone.
		in.Counts = slices.Clone(in.Counts)
		for i := range in.Counts {
			c := &in.Counts[i]
			c.Masked, c.Hashes = slices.Clone(c.Masked), slices.Clone(c.Hashes)
		}
		w.cfg.Judged(Judged{Input: in, Decision: dec, FlowID: flowID, Packet: w.num})
	}
}

// names tells the policy who sends a transaction's object and to whom, by name.
func (w *Worker) names(f *flow.Flow, tx *protocol.Tx, in *policy.Input) {
	parser := f.App.Parser()
	if parser == nil || tx == nil {
		return
	}
	if s, ok := tx.State.(*quic.Session); ok {
		in.Domain = string(s.Hello.SNI())
		return
	}
	if n, ok := parser.(protocol.Named); ok {
		in.Domain = n.Domain()
		return
	}
	var e events.Event
	parser.Record(tx, &e)
	switch {
	case e.HTTP != nil:
		in.Domain = e.HTTP.Hostname
		in.User = w.basicUser(parser, tx)
	case e.TLS != nil:
		in.Domain = e.TLS.SNI
	case e.SMTP != nil:
		in.Sender, in.Recipients = mailbox(e.SMTP.MailFrom), nil
		for _, to := range e.SMTP.RcptTo {
			in.Recipients = append(in.Recipients, mailbox(to))
		}
	}
}

// mailbox strips the angle brackets of an envelope's address.
func mailbox(s string) string {
	if len(s) >= 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

// maxHeaders bounds the headers that are looked through for a login.
const maxHeaders = 100

// basicUser gives the user's name of HTTP's basic authentication (RFC 7617),
// towards the server or a proxy; empty when there is none.
func (w *Worker) basicUser(parser protocol.Parser, tx *protocol.Tx) string {
	spec, ok := w.cfg.Registry.Buffer("http.request_header")
	if !ok {
		return ""
	}
	for i := range maxHeaders {
		h, ok := parser.Buffer(tx, spec.ID, protocol.ToServer, i)
		if !ok {
			return ""
		}
		name, value, ok := bytes.Cut(h, []byte(": "))
		if !ok || !bytes.EqualFold(name, []byte("authorization")) && !bytes.EqualFold(name, []byte("proxy-authorization")) {
			continue
		}
		scheme, token, ok := bytes.Cut(value, []byte(" "))
		if !ok || !bytes.EqualFold(scheme, []byte("basic")) {
			continue
		}
		login, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(token)))
		if err != nil {
			continue
		}
		if user, _, ok := bytes.Cut(login, []byte(":")); ok {
			return string(user)
		}
	}
	return ""
}

// judgeHello asks the policy about an encrypted connection once its client hello
// is known: nothing of its content is, but who talks to whom is enough for a
// rule that wants no findings.
func (w *Worker) judgeHello(f *flow.Flow) {
	proto, known := f.App.ParserProto(), uint8(tls.ClientHelloDone)
	switch {
	case proto == protocol.QUIC:
		known = quic.Done
	case proto != protocol.TLS:
		return
	}
	if w.cfg.Policy == nil || !w.cfg.Policy.Always() {
		return
	}
	st := w.ensure(f)
	if st.hello {
		return
	}
	parser := f.App.Parser()
	if parser == nil {
		return
	}
	txs := parser.Txs()
	if len(txs.Live) == 0 || !txs.Live[0].In(protocol.ToServer) || txs.Live[0].Progress[protocol.ToServer] < known {
		return
	}
	st.hello = true
	o := &protocol.Object{Kind: protocol.KindStream, Dir: protocol.ToServer, Tx: txs.Live[0]}
	w.judge(f, proto, o, objectFacts{final: true}, classifiers.Result{}, nil)
}
