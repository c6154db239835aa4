package http2

import "sluice/dataplane/protocol"

// preface is what a client sends first (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// maxFirstSettings bounds the settings of a server's first frame that the probe
// takes for one.
const maxFirstSettings = 64

// Probe recognises clients by the connection preface and servers by a SETTINGS
// frame at the very beginning. An empty one is only zeros and a four, so that a
// second frame has to follow it.
func Probe(dir protocol.Dir, data []byte) protocol.Certainty {
	if dir == protocol.ToServer {
		n := min(len(data), len(preface))
		switch {
		case string(data[:n]) != preface[:n]:
			return protocol.NotForUs
		case n < len(preface):
			return protocol.Unsure
		}
		return protocol.Certain
	}
	var h [frameHeader]byte
	n := copy(h[:], data)
	// What cannot be told yet is taken for right.
	if n < 4 {
		h[3] = frameSettings
	}
	f := parseFrame(h[:])
	if f.length > 6*maxFirstSettings || f.length%6 != 0 && n >= 3 || f.typ != frameSettings || f.flags != 0 || f.stream != 0 || h[5]&0x80 != 0 {
		return protocol.NotForUs
	}
	if n < frameHeader {
		return protocol.Unsure
	}
	rest := data[frameHeader:]
	if f.length > 0 {
		switch {
		case len(rest) > 0 && rest[0] != 0:
			return protocol.NotForUs
		case len(rest) < 2:
			return protocol.Unsure
		case rest[1] == 0 || rest[1] > 0x10:
			return protocol.NotForUs
		}
		return protocol.Certain
	}
	if len(rest) < frameHeader {
		return protocol.Unsure
	}
	if plausible(rest) {
		return protocol.Certain
	}
	return protocol.NotForUs
}
