package mqtt

import (
	"container/list"

	"sluice/dataplane/protocol"
)

// Transaction is the State of a transaction: a message and its answers, in
// order of arrival.
type Transaction struct {
	Packets []*Packet
	// size counts the bytes that are kept of them.
	size int
	// key is where the transaction is found by its answers, if named.
	key   key
	named bool
	// place is that among those that wait, nil once it is over.
	place *list.Element
}

// key is what the answers to a message tell of it.
type key struct {
	typ Type
	dir protocol.Dir
	id  uint16
}

// maxAnswers bounds the messages of a transaction.
const maxAnswers = 8

// pending are a connection's transactions that wait for an answer or for the rest
// of a content. A message costs the same however many there are.
type pending struct {
	byKey map[key]*protocol.Tx
	// queue has them in order of age.
	queue list.List
	// size counts the bytes that are kept of them.
	size int
}

var over = [2]uint8{Done, Done}

func (w *pending) add(tx *protocol.Tx) {
	t := tx.State.(*Transaction)
	t.place = w.queue.PushBack(tx)
	w.size += t.size
	if c := t.Packets[0]; c.HasID {
		if w.byKey == nil {
			w.byKey = make(map[key]*protocol.Tx)
		}
		t.key, t.named = key{c.Type, c.Dir, c.ID}, true
		w.byKey[t.key] = tx
	}
}

// grow notes that n more bytes are kept of a transaction.
func (w *pending) grow(tx *protocol.Tx, n int) {
	t := tx.State.(*Transaction)
	t.size += n
	if t.place != nil {
		w.size += n
	}
}

// advance sets how far a direction of a transaction has come.
func (w *pending) advance(tx *protocol.Tx, dir protocol.Dir, progress uint8) {
	to := tx.Progress
	to[dir] = max(to[dir], progress)
	w.set(tx, to)
}

// set is advance for both directions.
func (w *pending) set(tx *protocol.Tx, to [2]uint8) {
	tx.Progress = to
	t := tx.State.(*Transaction)
	if to != over || t.place == nil {
		return
	}
	w.queue.Remove(t.place)
	t.place = nil
	w.size -= t.size
	if t.named && w.byKey[t.key] == tx {
		delete(w.byKey, t.key)
	}
}

// alone makes a transaction of a message that belongs to no other.
func (p *Parser) alone(env *protocol.Env, c *Packet, event string) *protocol.Tx {
	tx := p.txs.Add(&Transaction{Packets: []*Packet{c}, size: c.kept}, env.Now)
	tx.Only = protocol.DirsToServer << c.Dir
	if event != "" {
		tx.AddEvent(event)
	}
	tx.Progress = over
	return tx
}

// bound ends the oldest transactions where there are too many, or too much of
// them: answers that never come must not keep everything.
func (p *Parser) bound(env *protocol.Env) {
	w := &p.wait
	for w.queue.Len() > 0 && (w.queue.Len() >= env.Limits.Tx(protocol.MQTT) || w.size > maxKept) {
		tx := w.queue.Front().Value.(*protocol.Tx)
		tx.AddEvent("too_many_transactions")
		w.set(tx, over)
	}
}

// open makes a transaction that waits for an answer.
func (p *Parser) open(env *protocol.Env, c *Packet, progress uint8) *protocol.Tx {
	p.bound(env)
	tx := p.txs.Add(&Transaction{Packets: []*Packet{c}, size: c.kept}, env.Now)
	tx.Progress[c.Dir] = progress
	p.wait.add(tx)
	return tx
}

// place puts a message into its transaction.
func (p *Parser) place(env *protocol.Env, c *Packet) *protocol.Tx {
	tx := p.placed(env, c)
	if !p.connected && c.Type != Connect && c.Type != ConnAck && c.Type != Auth {
		tx.AddEvent("unintroduced_message")
	}
	return tx
}

func (p *Parser) placed(env *protocol.Env, c *Packet) *protocol.Tx {
	switch c.Type {
	case Connect:
		p.claimed = protocol.UserName(c.Username)
		tx := p.open(env, c, Done)
		if p.connect != nil {
			tx.AddEvent("double_connect")
		}
		p.connect = tx
		return tx
	case ConnAck:
		p.connected = true
		if len(c.Codes) == 1 && c.Codes[0] == 0 {
			p.user = p.claimed
		}
		if tx := p.connect; tx != nil && tx.Progress[c.Dir] < Done {
			p.add(tx, c, Done)
			return tx
		}
		return p.alone(env, c, "missing_connect")
	case Publish:
		tx := p.open(env, c, Started)
		if c.QoS == 0 {
			tx.Only = protocol.DirsToServer << c.Dir
		}
		return tx
	case PubAck, PubRec, PubRel, PubComp:
		// The answers to a publication go both ways.
		from := c.Dir.Other()
		if c.Type == PubRel {
			from = c.Dir
		}
		tx := p.find(Publish, from, c.ID)
		if tx == nil {
			return p.alone(env, c, "missing_publish")
		}
		refused := len(c.Codes) == 1 && c.Codes[0] >= 0x80
		progress := uint8(Done)
		if c.Type == PubRec && !refused {
			progress = Message
		}
		p.add(tx, c, progress)
		if refused {
			p.wait.set(tx, over)
		}
		return tx
	case Subscribe, Unsubscribe:
		return p.open(env, c, Done)
	case SubAck, UnsubAck:
		asked, event := Subscribe, "missing_subscribe"
		if c.Type == UnsubAck {
			asked, event = Unsubscribe, "missing_unsubscribe"
		}
		tx := p.find(asked, c.Dir.Other(), c.ID)
		if tx == nil {
			return p.alone(env, c, event)
		}
		p.add(tx, c, Done)
		return tx
	}
	return p.alone(env, c, "")
}

// arrived goes on with a publication whose content is there.
func (p *Parser) arrived(tx *protocol.Tx, c *Packet) {
	switch c.QoS {
	case 0:
		p.wait.set(tx, over)
	case 1:
		p.wait.advance(tx, c.Dir, Done)
	default:
		p.wait.advance(tx, c.Dir, Message)
	}
}

func (p *Parser) add(tx *protocol.Tx, c *Packet, progress uint8) {
	t := tx.State.(*Transaction)
	t.Packets = append(t.Packets, c)
	p.wait.grow(tx, c.kept)
	p.wait.advance(tx, c.Dir, progress)
}

// find gives the newest open transaction that a message of a type, direction and
// number has begun.
func (p *Parser) find(typ Type, dir protocol.Dir, id uint16) *protocol.Tx {
	if tx := p.wait.byKey[key{typ, dir, id}]; tx != nil && len(tx.State.(*Transaction).Packets) < maxAnswers {
		return tx
	}
	return nil
}
