package dcerpc

import "sluice/dataplane/protocol"

// datagramLen is the header of the connectionless protocol (C706 §12.5.2).
const datagramLen = 80

// probeDatagram knows that header.
func probeDatagram(_ protocol.Dir, b []byte) protocol.Certainty {
	if len(b) < datagramLen || b[0] != 4 || b[1] > 10 || b[3]&^0x07 != 0 || b[4]&^0x11 != 0 || b[5] > 3 || b[6] != 0 {
		return protocol.NotForUs
	}
	if n := int(byteOrder(b[4]&0x10 != 0).Uint16(b[74:])); n > len(b)-datagramLen {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// flagLastFrag marks the last datagram of several, flagFrag each of them.
const (
	flagLastFrag = 0x02
	flagFrag     = 0x04
)

// datagram takes a whole PDU. What it is for is told by its type, not by who
// sends it: a broadcast has no answers of its own flow.
func (p *Parser) datagram(env *protocol.Env, b []byte) protocol.Status {
	if probeDatagram(0, b) != protocol.Certain {
		return protocol.Continue
	}
	little := b[4]&0x10 != 0
	o := byteOrder(little)
	typ, seq, n := b[1], o.Uint32(b[64:]), int(o.Uint16(b[74:]))
	activity := readUUID(b[40:], true) // EVE has it so whatever the sender's order
	dir := protocol.ToServer
	switch typ {
	case typeRequest:
	case typeResponse, typeFault, typeReject:
		dir = protocol.ToClient
	default:
		announce(env, len(b), datagramLen, datagramLen+n, nil)
		return protocol.Continue
	}
	at := -1
	for i, c := range p.calls {
		if c.activity == activity && c.seq == seq {
			at = i
			break
		}
	}
	var c *Call
	if at < 0 {
		c = &Call{udp: true, activity: activity, seq: seq, Opnum: o.Uint16(b[68:])}
		i := &Interface{Version: uint16(o.Uint32(b[60:]) & 0xffff)}
		u := readUUID(b[24:], little)
		copy(i.key[:], u[:])
		i.key[16], i.key[17] = byte(i.Version>>8), byte(i.Version)
		c.ifaces = []*Interface{i}
		p.AddCall(env, c)
		if len(p.calls) == maxOpen {
			p.calls[0].Tx.Progress = [2]uint8{Done, Done}
			p.calls = append(p.calls[:0], p.calls[1:]...)
		}
		p.calls = append(p.calls, c)
		at = len(p.calls) - 1
	} else {
		c = p.calls[at]
	}
	announce(env, len(b), datagramLen, datagramLen+n, c)
	if !c.Has[dir] {
		c.Has[dir], c.Types[dir], c.little[dir] = true, typ, little
	}
	c.Frags[dir]++
	c.stub(dir, b[datagramLen:datagramLen+n])
	if b[2]&flagFrag != 0 && b[2]&flagLastFrag == 0 {
		return protocol.Continue
	}
	c.Tx.Progress[protocol.ToServer] = Done
	if dir == protocol.ToClient {
		c.Tx.Progress[protocol.ToClient] = Done
		p.calls = append(p.calls[:at], p.calls[at+1:]...)
	}
	return protocol.Continue
}
