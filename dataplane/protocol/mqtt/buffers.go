package mqtt

import "sluice/dataplane/protocol"

// The slots of the buffers.
const (
	slotTopic = iota
	slotMessage
	slotSubscribe
	slotUnsubscribe
	slotClientID
	slotUsername
	slotPassword
	slotWillTopic
	slotWillMessage
	slotProtocol
)

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	t, ok := tx.State.(*Transaction)
	if !ok || id.Protocol() != protocol.MQTT {
		return nil, false
	}
	for _, c := range t.Packets {
		if c.Dir != dir {
			continue
		}
		if c.Type == typeOf[id.Slot()] {
			if b, n := c.buffer(id.Slot(), i); n < 0 {
				return b, true
			} else {
				i -= n
			}
		}
	}
	return nil, false
}

// typeOf gives the type of the messages that fill a buffer.
var typeOf = [...]Type{slotTopic: Publish, slotMessage: Publish, slotSubscribe: Subscribe, slotUnsubscribe: Unsubscribe, slotClientID: Connect,
	slotUsername: Connect, slotPassword: Connect, slotWillTopic: Connect, slotWillMessage: Connect, slotProtocol: Connect}

// one gives a buffer that a message has once or, where it is empty, not at all.
func one(b []byte, i int) ([]byte, int) {
	if len(b) == 0 {
		return nil, 0
	}
	if i == 0 {
		return b, -1
	}
	return nil, 1
}

// buffer gives instance i of a buffer and -1, or how many there are.
func (c *Packet) buffer(slot uint8, i int) ([]byte, int) {
	switch slot {
	case slotTopic:
		return one(c.Topic, i)
	case slotMessage:
		return one(c.Message, i)
	case slotClientID:
		return one(c.ClientID, i)
	case slotUsername:
		return one(c.Username, i)
	case slotPassword:
		return one(c.Password, i)
	case slotWillTopic:
		return one(c.WillTopic, i)
	case slotWillMessage:
		return one(c.WillMessage, i)
	case slotProtocol:
		return one(c.Protocol, i)
	}
	if i < len(c.Topics) {
		return c.Topics[i].Filter, -1
	}
	return nil, len(c.Topics)
}
