package dns

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// probeUDP judges one datagram. It is certain only of a message that is sound
// to its last byte, so that it may be asked on any port; what has a sound
// beginning is unsure and left to the port.
func probeUDP(_ protocol.Dir, data []byte) protocol.Certainty {
	q, need := question(data)
	switch {
	case q == protocol.NotForUs || need > len(data):
		return protocol.NotForUs
	case q == protocol.Unsure:
		return protocol.Unsure
	}
	off := need
	records := int(binary.BigEndian.Uint16(data[6:])) + int(binary.BigEndian.Uint16(data[8:])) + int(binary.BigEndian.Uint16(data[10:]))
	for i := 0; i < records; i++ {
		p := skipName(data, off)
		if p == 0 || p+10 > len(data) {
			return protocol.Unsure
		}
		off = p + 10 + int(binary.BigEndian.Uint16(data[p+8:]))
		if off > len(data) {
			return protocol.Unsure
		}
	}
	if off != len(data) || oddQuery(data) {
		return protocol.Unsure
	}
	return protocol.Certain
}

// probeTCP judges the beginning of a stream: a length, then a message whose
// header and question are sound and fit into that length (RFC 1035 §4.2.2).
func probeTCP(_ protocol.Dir, data []byte) protocol.Certainty {
	if len(data) < 2 {
		return protocol.Unsure
	}
	size := int(binary.BigEndian.Uint16(data))
	if size < headerLen+5 {
		return protocol.NotForUs
	}
	msg := data[2:min(len(data), 2+size)]
	c, need := question(msg)
	switch {
	case c == protocol.NotForUs || need > size:
		return protocol.NotForUs
	case need > len(msg) || oddQuery(msg):
		return protocol.Unsure
	}
	return c
}

// oddQuery tells of a question with a response code: no resolver sends it, so
// that the port has to speak for it.
func oddQuery(b []byte) bool { return len(b) >= 4 && b[2]&0x80 == 0 && b[3]&0x0f != 0 }

// question judges header and question section of what there is of a message.
// need is the length at least needed to be certain, or the question's end.
func question(b []byte) (c protocol.Certainty, need int) {
	if len(b) >= 4 {
		flags := binary.BigEndian.Uint16(b[2:])
		if op := flags >> 11 & 15; op == 3 || op > 6 {
			return protocol.NotForUs, 0
		}
	}
	if len(b) >= 6 && binary.BigEndian.Uint16(b[4:]) > 1 {
		return protocol.NotForUs, 0
	}
	if len(b) < headerLen {
		return protocol.Unsure, headerLen
	}
	flags, qd := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:])
	an, ns, ar := binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:])
	update := flags>>11&15 == 5
	if flags&0x8000 == 0 && !update && (an > 16 || ns > 16 || ar > 16) {
		return protocol.NotForUs, 0
	}
	if int(an)+int(ns)+int(ar) > 65535/11 {
		return protocol.NotForUs, 0
	}
	if qd == 0 {
		if flags&0x8000 == 0 {
			return protocol.NotForUs, 0
		}
		return protocol.Unsure, headerLen
	}
	off, length := headerLen, 0
	for {
		if off >= len(b) {
			return protocol.Unsure, off + 5
		}
		n := int(b[off])
		if n == 0 {
			off++
			break
		}
		if n >= 0x40 {
			return protocol.NotForUs, 0 // nothing before it to point to
		}
		if length += n + 1; length > maxName {
			return protocol.NotForUs, 0
		}
		off += n + 1
	}
	if off+4 > len(b) {
		return protocol.Unsure, off + 4
	}
	switch class := binary.BigEndian.Uint16(b[off+2:]) &^ unicastBit; class {
	case classIN, classCH, classHS, classNone, classAny:
	default:
		return protocol.NotForUs, 0
	}
	if t := binary.BigEndian.Uint16(b[off:]); t == 0 || (t == TypeNBNS || t == TypeNBNS+1) && netbios(b[headerLen:]) {
		return protocol.NotForUs, 0
	}
	return protocol.Certain, off + 4
}

// netbios reports whether the name is an encoded NetBIOS name (RFC 1001 §14.1),
// whose queries look like DNS in everything else.
func netbios(name []byte) bool {
	if len(name) < 33 || name[0] != 32 {
		return false
	}
	for _, c := range name[1:33] {
		if c < 'A' || c > 'P' {
			return false
		}
	}
	return true
}

// Reversed reports whether data, sent by what looks like a client, is a
// response: the flow was picked up from its server's side.
func Reversed(data []byte) bool {
	return len(data) >= headerLen && data[2]&0x80 != 0 && probeUDP(protocol.ToServer, data) == protocol.Certain
}

// answers reports whether a stream that the probe is certain of begins with a
// response.
func answers(data []byte) bool { return len(data) > 4 && data[4]&0x80 != 0 }
