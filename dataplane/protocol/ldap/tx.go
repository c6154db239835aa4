package ldap

import (
	"bytes"
	"slices"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

const (
	// maxKept bounds what the transactions of a flow keep while they wait.
	maxKept = 4 << 20
	// maxResponses bounds the answers that are kept of a transaction.
	maxResponses = 4096
	// messageCost is what a message takes beside its bytes.
	messageCost = 512
)

// Transaction is the State of a transaction: a request and its answers.
type Transaction struct {
	// Request is nil where none was seen.
	Request   *Message
	Responses []*Message
	// Count counts the answers, those beyond what is kept as well.
	Count uint64
	// complete tells that no more answers come.
	complete bool
	// size counts what is kept, object is that of the answers.
	size   int
	object *protocol.Object
	// pairs are an attribute and a value each, by direction, made when first asked.
	pairs [2][][]byte
}

// waiting are a flow's transactions that wait for answers.
type waiting struct {
	byID map[int64]*protocol.Tx
	// queue has them in order of age, and some that wait no more.
	queue []*protocol.Tx
	// open counts them, size what is kept of them.
	open, size int
}

// message takes a whole message, whose bytes are borrowed. It began left bytes
// before the end of those that were given.
func (p *Parser) message(env *protocol.Env, dir protocol.Dir, data []byte, left int) protocol.Status {
	m := &Message{}
	ok := m.read(append([]byte(nil), data...), dir)
	tx := p.place(env, dir, m)
	late(env, left, len(data), tx)
	t := tx.State.(*Transaction)
	if !ok {
		tx.AddEvent(eventInvalid)
	}
	mem := ber.Borrow()
	text := m.values(mem.B, data, ok)
	p.look(env, tx, dir, text, dir == protocol.ToServer || m.Op.last() && t.object == nil)
	mem.Return(text)
	if dir == protocol.ToServer {
		p.login(m)
		p.arrived(env, dir, tx, m.Op)
		return protocol.Continue
	}
	p.answered(t, m)
	p.arrived(env, dir, tx, m.Op)
	if m.Op == ExtendedResponse && m.HasResult && m.Result == 0 && t.Request != nil && bytes.Equal(t.Request.Name, oidStartTLS) {
		p.side[dir].buf = nil // this message
		p.finish(env)
		env.SwitchTo = protocol.TLS
		return protocol.Switch
	}
	return protocol.Continue
}

// oidStartTLS names the operation after which the connection is one of TLS (§4.14),
// oidPassword the one that changes passwords (RFC 3062).
var (
	oidStartTLS = []byte("1.3.6.1.4.1.1466.20037")
	oidPassword = []byte("1.3.6.1.4.1.4203.1.11.1")
)

// place puts a message into its transaction.
func (p *Parser) place(env *protocol.Env, dir protocol.Dir, m *Message) *protocol.Tx {
	if dir == protocol.ToServer {
		p.bound(env)
		tx := p.txs.Add(&Transaction{Request: m}, env.Now)
		p.wait.open++
		p.keep(tx, m)
		if p.wait.byID == nil {
			p.wait.byID = make(map[int64]*protocol.Tx)
		}
		p.wait.byID[m.ID] = tx
		p.wait.queue = append(p.wait.queue, tx)
		return tx
	}
	tx := p.wait.byID[m.ID]
	if tx == nil {
		event := eventNotAsked
		if m.Op == ExtendedResponse && m.ID == 0 {
			event = "" // a notice that nobody has asked for (§4.4)
		}
		return p.alone(env, dir, m, event)
	}
	t := tx.State.(*Transaction)
	if t.Count++; len(t.Responses) < maxResponses {
		if p.wait.size > maxKept {
			*m = Message{ID: m.ID, Op: m.Op, Result: m.Result, HasResult: m.HasResult, Bare: true}
		}
		t.Responses = append(t.Responses, m)
		p.keep(tx, m)
	}
	return tx
}

// keep counts what a transaction that waits keeps of a message.
func (p *Parser) keep(tx *protocol.Tx, m *Message) {
	n := messageCost + m.size + 72*len(m.Controls)
	for i := range m.Attributes {
		n += 64 + 24*len(m.Attributes[i].Values)
	}
	tx.State.(*Transaction).size += n
	p.wait.size += n
}

// alone makes a transaction of a message that belongs to no request, or is none.
func (p *Parser) alone(env *protocol.Env, dir protocol.Dir, m *Message, event string) *protocol.Tx {
	t := &Transaction{complete: true}
	if dir == protocol.ToClient && m.Op != 0 {
		t.Responses, t.Count = []*Message{m}, 1
	}
	tx := p.txs.Add(t, env.Now)
	tx.Only = protocol.DirsToServer << dir
	tx.Progress = [2]uint8{Done, Done}
	if event != "" {
		tx.AddEvent(event)
	}
	return tx
}

// bound ends the oldest transactions where there are too many, or too much of them:
// answers that never come must not keep everything.
func (p *Parser) bound(env *protocol.Env) {
	w := &p.wait
	for w.open > 0 && (w.open >= max(env.Limits.Tx(protocol.LDAP), 1) || w.size > maxKept) {
		tx := w.queue[0]
		w.queue = w.queue[1:]
		if !tx.State.(*Transaction).complete {
			tx.AddEvent(eventTooMany)
			p.complete(env, tx, protocol.ObjectTruncated)
		}
	}
	// Those that were answered before older ones are still in it.
	if len(w.queue) > 2*w.open+16 {
		w.queue = slices.DeleteFunc(w.queue, func(tx *protocol.Tx) bool { return tx.State.(*Transaction).complete })
	}
}

// arrived goes on with a transaction of which a message has come as a whole.
func (p *Parser) arrived(env *protocol.Env, dir protocol.Dir, tx *protocol.Tx, op Op) {
	if dir == protocol.ToServer {
		tx.Progress[dir] = Done
		if op == UnbindRequest || op == AbandonRequest {
			p.complete(env, tx, protocol.ObjectClosed) // nobody answers these
		}
	} else if op.last() {
		p.complete(env, tx, protocol.ObjectClosed)
	}
}

// complete ends a transaction, and the object of its answers in a state.
func (p *Parser) complete(env *protocol.Env, tx *protocol.Tx, state protocol.ObjectState) {
	t := tx.State.(*Transaction)
	if t.object != nil {
		o := t.object
		t.object = nil
		env.Objects.CloseObject(o, state)
	}
	tx.Progress[protocol.ToClient] = Done
	if t.complete {
		return
	}
	t.complete = true
	tx.Progress[protocol.ToServer] = Done
	p.wait.open--
	p.wait.size -= t.size
	if t.Request != nil && p.wait.byID[t.Request.ID] == tx {
		delete(p.wait.byID, t.Request.ID)
	}
}

// values appends the texts of a message, to be looked through. A password that
// proves who somebody is is not among them.
func (m *Message) values(dst, data []byte, sound bool) []byte {
	if !sound || !m.Simple || len(m.Password) > maxSecret {
		return ber.Text(dst, data)
	}
	dst = append(dst, m.DN...)
	for _, b := range m.Behind {
		if len(b) > 0 {
			dst = ber.Text(append(dst, '\n'), b)
		}
	}
	return dst
}

// maxSecret is the longest password that is taken for one; a longer one carries
// something else.
const maxSecret = 256

// look has text looked through: that of a request and of an answer that stands alone
// as an object of its own, that of several answers as one.
func (p *Parser) look(env *protocol.Env, tx *protocol.Tx, dir protocol.Dir, text []byte, whole bool) {
	if len(text) == 0 {
		return
	}
	t := tx.State.(*Transaction)
	o := t.object
	if whole || o == nil {
		o = &protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: tx}
		if t.Request != nil {
			o.Name = shown(t.Request.DN)
		}
		if whole {
			o.Total, o.Exact = uint64(len(text)), true
		} else {
			t.object = o
		}
		env.Objects.OpenObject(o)
	}
	env.Objects.ObjectData(o, text)
	if whole {
		env.Objects.CloseObject(o, protocol.ObjectClosed)
	}
}

func shown(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("\uFFFD"))) }
