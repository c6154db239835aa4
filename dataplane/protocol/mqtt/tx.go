package mqtt

import "sluice/dataplane/protocol"

// Transaction is the State of a transaction: a message and its answers, in
// order of arrival.
type Transaction struct{ Packets []*Packet }

// kept counts the bytes of content that live transactions keep.
func (p *Parser) kept() (n int) {
	for _, tx := range p.txs.Live {
		for _, c := range tx.State.(*Transaction).Packets {
			n += cap(c.Message)
		}
	}
	return n
}

// alone makes a transaction of a message that belongs to no other.
func (p *Parser) alone(env *protocol.Env, c *Packet, event string) *protocol.Tx {
	p.bound(env)
	tx := p.txs.Add(&Transaction{Packets: []*Packet{c}}, env.Now)
	tx.Only = protocol.DirsToServer << c.Dir
	if event != "" {
		tx.AddEvent(event)
	}
	tx.Progress = [2]uint8{Done, Done}
	return tx
}

// bound ends the oldest transaction where there are too many: answers that never
// come must not keep everything.
func (p *Parser) bound(env *protocol.Env) {
	if len(p.txs.Live) < env.Limits.Tx(protocol.MQTT) {
		return
	}
	for _, tx := range p.txs.Live {
		if tx.Progress != [2]uint8{Done, Done} {
			tx.AddEvent("too_many_transactions")
			tx.Progress = [2]uint8{Done, Done}
			return
		}
	}
}

// open makes a transaction that waits for an answer.
func (p *Parser) open(env *protocol.Env, c *Packet, progress uint8) *protocol.Tx {
	p.bound(env)
	tx := p.txs.Add(&Transaction{Packets: []*Packet{c}}, env.Now)
	tx.Progress[c.Dir] = progress
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
			add(tx, c, Done)
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
		add(tx, c, progress)
		if refused {
			tx.Progress = [2]uint8{Done, Done}
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
		add(tx, c, Done)
		return tx
	}
	return p.alone(env, c, "")
}

// arrived goes on with a publication whose content is there.
func (p *Parser) arrived(tx *protocol.Tx, c *Packet) {
	switch c.QoS {
	case 0:
		tx.Progress = [2]uint8{Done, Done}
	case 1:
		tx.Progress[c.Dir] = max(tx.Progress[c.Dir], Done)
	default:
		tx.Progress[c.Dir] = max(tx.Progress[c.Dir], Message)
	}
}

func add(tx *protocol.Tx, c *Packet, progress uint8) {
	t := tx.State.(*Transaction)
	t.Packets = append(t.Packets, c)
	tx.Progress[c.Dir] = max(tx.Progress[c.Dir], progress)
}

// find gives the newest open transaction that a message of a type, direction and
// number has begun.
func (p *Parser) find(typ Type, dir protocol.Dir, id uint16) *protocol.Tx {
	for i := len(p.txs.Live) - 1; i >= 0; i-- {
		tx := p.txs.Live[i]
		t := tx.State.(*Transaction)
		if c := t.Packets[0]; c.Type == typ && c.Dir == dir && c.HasID && c.ID == id && len(t.Packets) < 8 && tx.Progress != [2]uint8{Done, Done} {
			return tx
		}
	}
	return nil
}
