package stream

import (
	"encoding/binary"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// SCTP chunk types and DATA flags (RFC 9260 §3.2, §3.3.1).
const (
	sctpData     = 0
	sctpInit     = 1
	sctpInitAck  = 2
	sctpAbort    = 6
	sctpShutdown = 7
	sctpComplete = 14

	sctpUnordered = 4
	sctpHeader    = 12
	sctpDataHead  = 16
)

// maxSCTPHeld bounds the bytes held out of order in a direction, and
// maxSCTPChunks their number.
const (
	maxSCTPHeld   = 256 << 10
	maxSCTPChunks = 256
)

// Association follows one SCTP association and gives the user data of each
// direction in the order of its transmission sequence numbers. It inspects the
// stream that each direction uses first; what other streams carry is counted
// in Other. The zero value is ready. It belongs to one goroutine.
type Association struct {
	dirs [2]sctpDir
	// Other counts bytes of streams that are not delivered, Lost bytes that
	// were passed over when a limit was reached.
	Other, Lost uint64
	ended       bool
}

type sctpDir struct {
	known  bool
	chosen bool
	next   uint32
	stream uint16
	offset uint64
	held   []sctpChunk
	bytes  int
}

type sctpChunk struct {
	tsn    uint32
	stream uint16
	data   []byte
}

// Packet takes one SCTP packet of direction dir and delivers what has come
// into order. It reports whether the packet ended the association.
func (a *Association) Packet(p *decode.Packet, dir protocol.Dir, r Receiver) (ended bool) {
	b := p.Data[p.L4:p.PayloadEnd]
	if len(b) < sctpHeader || a.ended {
		return false
	}
	for b = b[sctpHeader:]; len(b) >= 4; {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return false
		}
		chunk := b[:n]
		switch chunk[0] {
		case sctpInit, sctpInitAck:
			if n >= 20 {
				d := &a.dirs[dir]
				if !d.chosen {
					d.known, d.next = true, binary.BigEndian.Uint32(chunk[16:])
				}
			}
		case sctpData:
			if n > sctpDataHead {
				a.data(dir, chunk, r)
			}
		case sctpAbort, sctpComplete:
			ended = true
		}
		n = (n + 3) &^ 3
		if n > len(b) {
			break
		}
		b = b[n:]
	}
	if ended {
		a.Close(r)
	}
	return ended
}

func (a *Association) data(dir protocol.Dir, c []byte, r Receiver) {
	d := &a.dirs[dir]
	ch := sctpChunk{tsn: binary.BigEndian.Uint32(c[4:]), stream: binary.BigEndian.Uint16(c[8:]), data: c[sctpDataHead:]}
	if !d.known {
		d.known, d.next = true, ch.tsn
	}
	switch ahead := int32(ch.tsn - d.next); {
	case ahead < 0:
		return // retransmission
	case ahead > 0:
		for i := range d.held {
			if d.held[i].tsn == ch.tsn {
				return
			}
		}
		ch.data = append([]byte(nil), ch.data...)
		d.held = append(d.held, ch)
		d.bytes += len(ch.data)
		if len(d.held) > maxSCTPChunks || d.bytes > maxSCTPHeld {
			a.skip(dir, r)
		}
		return
	}
	a.deliver(dir, ch, r)
	a.drain(dir, r)
}

// deliver gives the chunk that is next.
func (a *Association) deliver(dir protocol.Dir, ch sctpChunk, r Receiver) {
	d := &a.dirs[dir]
	d.next = ch.tsn + 1
	if !d.chosen {
		d.chosen, d.stream = true, ch.stream
	}
	if ch.stream != d.stream {
		a.Other += uint64(len(ch.data))
		return
	}
	off := d.offset
	d.offset += uint64(len(ch.data))
	r.StreamData(dir, off, ch.data)
}

// drain delivers held chunks that are next now.
func (a *Association) drain(dir protocol.Dir, r Receiver) {
	d := &a.dirs[dir]
	for i := 0; i < len(d.held); {
		ch := d.held[i]
		if int32(ch.tsn-d.next) > 0 {
			i++
			continue
		}
		d.held[i] = d.held[len(d.held)-1]
		d.held[len(d.held)-1] = sctpChunk{}
		d.held = d.held[:len(d.held)-1]
		d.bytes -= len(ch.data)
		if ch.tsn == d.next {
			a.deliver(dir, ch, r)
		}
		i = 0
	}
}

// skip passes over the missing chunks before the first one held.
func (a *Association) skip(dir protocol.Dir, r Receiver) {
	d := &a.dirs[dir]
	if len(d.held) == 0 {
		return
	}
	first := d.held[0].tsn
	for _, ch := range d.held[1:] {
		if int32(ch.tsn-first) < 0 {
			first = ch.tsn
		}
	}
	a.Lost += uint64(first - d.next)
	// How many bytes the missing chunks held is not known: one a chunk stands
	// for them, so that the hole is seen.
	n := uint64(first - d.next)
	r.StreamGap(dir, d.offset, n)
	d.offset += n
	d.next = first
	a.drain(dir, r)
}

// Close delivers what is held, with gaps, and ends both directions.
func (a *Association) Close(r Receiver) {
	if a.ended {
		return
	}
	a.ended = true
	for dir := protocol.ToServer; dir <= protocol.ToClient; dir++ {
		for len(a.dirs[dir].held) > 0 {
			a.skip(dir, r)
		}
		r.StreamEnd(dir)
	}
}
