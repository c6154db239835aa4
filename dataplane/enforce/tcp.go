package enforce

import (
	"encoding/binary"

	"sluice/dataplane/decode"
)

// TCPEnds are the sequence numbers of a connection, as its two ends see them.
// A reset is accepted only with exactly the number that the receiver awaits
// next (RFC 5961 §3.2), which after a withheld frame is not what was sent last.
type TCPEnds struct {
	// ClientNext is the next number that the server awaits of the client: one
	// past the last byte in order that was forwarded to it. ServerNext likewise
	// of the server.
	ClientNext, ServerNext uint32
	// ClientSent is one past the last byte that the client sent, withheld ones
	// included. ServerSent likewise.
	ClientSent, ServerSent uint32
}

// MaxRefusal is the longest refusal: it must fit the smallest initial window.
const MaxRefusal = 4096

// maxSegment fits every path that carries IPv6 (RFC 8200 §5), tags included.
const maxSegment = 1220

const (
	flagFIN = decode.TCPFin
	flagRST = decode.TCPRst
	flagPSH = decode.TCPPsh
	flagACK = decode.TCPAck
	flagSYN = decode.TCPSyn
)

// segment crafts one TCP segment without options.
func (c *Crafter) segment(l *link, e *ends, seq, ack uint32, flags uint8, window uint16, payload []byte) []byte {
	n := tcpLen + len(payload)
	frame, t := c.packet(l, e, decode.ProtoTCP, n)
	binary.BigEndian.PutUint16(t, e.srcPort)
	binary.BigEndian.PutUint16(t[2:], e.dstPort)
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[12], t[13] = tcpLen/4<<4, flags
	binary.BigEndian.PutUint16(t[14:], window)
	copy(t[tcpLen:], payload)
	binary.BigEndian.PutUint16(t[16:], ^fold(sum(e.pseudo(decode.ProtoTCP, n), t)))
	return frame
}

// tcpOf checks that p can be answered by TCP segments.
func tcpOf(p *decode.Packet) (link, error) {
	l, err := answerable(p)
	if err == nil && p.Proto != decode.ProtoTCP {
		err = ErrProtocol
	}
	return l, err
}

// Resets crafts a reset for either end of p's connection. fromClient tells
// which of them sent p.
func (c *Crafter) Resets(p *decode.Packet, fromClient bool, n TCPEnds) (toClient, toServer []byte, err error) {
	l, err := tcpOf(p)
	if err != nil {
		return nil, nil, err
	}
	client, server := endsOf(p, fromClient), endsOf(p, !fromClient)
	toClient = c.segment(&l, &client, n.ServerNext, n.ClientSent, flagRST|flagACK, 0, nil)
	toServer = c.segment(&l, &server, n.ClientNext, n.ServerSent, flagRST|flagACK, 0, nil)
	return toClient, toServer, nil
}

// Refuse crafts a protocol's own refusal for the client, in the server's name
// and closing the connection, and a reset for the server. The client gets no
// reset: it could throw away what it has not read yet; Tombstone takes care of
// what it still sends. The segments are appended to toClient.
func (c *Crafter) Refuse(toClient [][]byte, p *decode.Packet, fromClient bool, n TCPEnds, refusal []byte) (client [][]byte, toServer []byte, err error) {
	l, err := tcpOf(p)
	if err != nil {
		return toClient, nil, err
	}
	if len(refusal) > MaxRefusal {
		return toClient, nil, ErrLong
	}
	back, forth := endsOf(p, fromClient), endsOf(p, !fromClient)
	seq := n.ServerNext
	for {
		part := refusal[:min(len(refusal), maxSegment)]
		refusal = refusal[len(part):]
		flags := uint8(flagACK)
		if len(refusal) == 0 {
			flags |= flagFIN | flagPSH
		}
		toClient = append(toClient, c.segment(&l, &back, seq, n.ClientSent, flags, 0xffff, part))
		seq += uint32(len(part))
		if len(refusal) == 0 {
			break
		}
	}
	toServer = c.segment(&l, &forth, n.ClientNext, n.ServerSent, flagRST|flagACK, 0, nil)
	return toClient, toServer, nil
}

// ResetFor crafts the reset that p's sender accepts whatever state it is in:
// numbered by p's own acknowledgement (RFC 9293 §3.10.7.1). An answer to a
// challenge ACK (RFC 5961) is exactly that. A reset is not answered.
func (c *Crafter) ResetFor(p *decode.Packet) ([]byte, error) {
	l, err := tcpOf(p)
	if err != nil {
		return nil, err
	}
	if p.TCPFlags&flagRST != 0 {
		return nil, ErrProtocol
	}
	e := endsOf(p, true)
	if p.TCPFlags&flagACK != 0 {
		return c.segment(&l, &e, p.Ack, 0, flagRST, 0, nil), nil
	}
	return c.segment(&l, &e, 0, after(p), flagRST|flagACK, 0, nil), nil
}

// AckFor crafts an acknowledgement of everything in p, in the receiver's name.
// seq is the receiver's own next number.
func (c *Crafter) AckFor(p *decode.Packet, seq uint32) ([]byte, error) {
	l, err := tcpOf(p)
	if err != nil {
		return nil, err
	}
	e := endsOf(p, true)
	return c.segment(&l, &e, seq, after(p), flagACK, 0xffff, nil), nil
}

// after is the number that follows p: SYN and FIN count for one each.
func after(p *decode.Packet) uint32 {
	n := p.Seq + (p.PayloadEnd - p.Payload)
	if p.TCPFlags&flagSYN != 0 {
		n++
	}
	if p.TCPFlags&flagFIN != 0 {
		n++
	}
	return n
}
