// Package tls reads the clear part of TLS and SSL connections: records, the
// handshake put together from them in both directions, hellos, certificates
// and fingerprints (RFC 8446, RFC 5246, and SSL 2.0's hello). It gives one
// transaction a connection and wants no more bytes once they are encrypted. It
// decrypts nothing and judges no certificate.
package tls

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// The progress of the client's direction.
const (
	ClientStarted = iota
	ClientHelloDone
	ClientCertDone
	ClientHandshakeDone
	ClientFinished
)

// The progress of the server's direction.
const (
	ServerStarted = iota
	ServerHello
	ServerCertDone
	ServerHelloDone
	ServerHandshakeDone
	ServerFinished
)

// The slots of the buffers.
const (
	slotSNI = iota
	slotSubject
	slotIssuer
	slotSerial
	slotFingerprint
	slotCerts
	slotSAN
	slotALPN
	slotRandom
	slotRandomTime
	slotRandomBytes
	slotJA3Hash
	slotJA3String
	slotJA3SHash
	slotJA3SString
	slotJA4
)

// Definition describes TLS.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, dirs protocol.Dirs, progress uint8, multi bool) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.TLS, slot), Name: name, Dirs: dirs, Progress: progress, Multi: multi}
	}
	ts, tc, both := protocol.DirsToServer, protocol.DirsToClient, protocol.DirsBoth
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.TLS, TCP: true, Ports: []uint16{443, 465, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 8443},
		Probe: probe, First: protocol.DirsToServer,
		Frames: frames[:],
		New: func(env *protocol.Env) protocol.Parser {
			return &Parser{noJA3: env.Limits.NoJA3, noJA4: env.Limits.NoJA4}
		},
		Buffers: []protocol.BufferSpec{
			spec(slotSNI, "tls.sni", ts, ClientHelloDone, false),
			spec(slotSubject, "tls.cert_subject", both, ClientCertDone, false),
			spec(slotIssuer, "tls.cert_issuer", both, ClientCertDone, false),
			spec(slotSerial, "tls.cert_serial", both, ClientCertDone, false),
			spec(slotFingerprint, "tls.cert_fingerprint", both, ClientCertDone, false),
			spec(slotCerts, "tls.certs", both, ClientCertDone, true),
			spec(slotSAN, "tls.subjectaltname", tc, ServerCertDone, true),
			spec(slotALPN, "tls.alpn", both, ClientHelloDone, true),
			spec(slotRandom, "tls.random", both, ClientHelloDone, false),
			spec(slotRandomTime, "tls.random_time", both, ClientHelloDone, false),
			spec(slotRandomBytes, "tls.random_bytes", both, ClientHelloDone, false),
			spec(slotJA3Hash, "ja3.hash", ts, ClientHelloDone, false),
			spec(slotJA3String, "ja3.string", ts, ClientHelloDone, false),
			spec(slotJA3SHash, "ja3s.hash", tc, ServerHello, false),
			spec(slotJA3SString, "ja3s.string", tc, ServerHello, false),
			spec(slotJA4, "ja4.hash", ts, ClientHelloDone, false),
		},
		Complete: [2]uint8{ClientFinished, ServerFinished},
		States: [2][]string{
			{"client_in_progress", "client_hello_done", "client_cert_done", "client_handshake_done", "client_finished"},
			{"server_in_progress", "server_hello", "server_cert_done", "server_hello_done", "server_handshake_done", "server_finished"},
		},
	}
}

// The content types of records.
const (
	recordCCS       = 20
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
	recordHeartbeat = 24
)

// Bounds of what is kept.
const (
	// maxRecord is RFC 5246's limit for encrypted records.
	maxRecord = 1<<14 + 2048
	// maxMessage bounds a handshake message; longer ones are passed over.
	maxMessage = 128 << 10
	maxCerts   = 32
)

// probe knows hellos, and alerts that answer one. Encrypted records alone are
// left to the port: whoever sends such a header and then something else must
// not be waved through.
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	if len(b) == 0 {
		return protocol.Unsure
	}
	if b[0]&0x80 != 0 && dir == protocol.ToServer {
		return probeSSL2(b)
	}
	if b[0] < recordCCS || b[0] > recordHeartbeat || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return protocol.NotForUs
	}
	if len(b) < 5 {
		return protocol.Unsure
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n == 0 || n > maxRecord {
		return protocol.NotForUs
	}
	switch b[0] {
	case recordHandshake:
		want := byte(typeClientHello)
		if dir == protocol.ToClient {
			want = typeServerHello
		}
		if len(b) > 5 && b[5] != want || len(b) > 6 && b[6] != 0 || len(b) > 9 && b[9] != 3 && b[9] != 0x7f {
			return protocol.NotForUs
		}
		if len(b) < 11 && len(b) < 5+n {
			return protocol.Unsure
		}
		return protocol.Certain
	case recordAlert:
		if n != 2 || len(b) > 5 && (b[5] == 0 || b[5] > 2) {
			return protocol.NotForUs
		}
		if len(b) < 7 {
			return protocol.Unsure
		}
		return protocol.Certain
	}
	return protocol.Unsure
}

// probeSSL2 knows a CLIENT-HELLO of SSL 2.0, which clients also used to begin
// later versions (RFC 5246 appendix E.2).
func probeSSL2(b []byte) protocol.Certainty {
	if len(b) > 2 && b[2] != 1 || len(b) > 4 && !(b[3] == 3 && b[4] <= 4 || b[3] == 0 && b[4] == 2) {
		return protocol.NotForUs
	}
	if len(b) < 11 {
		return protocol.Unsure
	}
	size := int(binary.BigEndian.Uint16(b) & 0x7fff)
	ciphers, sid, challenge := int(binary.BigEndian.Uint16(b[5:])), int(binary.BigEndian.Uint16(b[7:])), int(binary.BigEndian.Uint16(b[9:]))
	if ciphers == 0 || ciphers%3 != 0 || sid != 0 && sid != 16 || challenge < 16 || challenge > 32 || size != 9+ciphers+sid+challenge {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// half is one direction's record layer and handshake.
type half struct {
	head  [5]byte
	nhead uint8
	kind  byte
	left  int // bytes of the current record still to come
	size  int
	began bool // the first record's header has been read
	ssl2  bool
	ccs   bool
	done  bool // encrypted from here on
	msg   []byte
	skip  int // bytes of a handshake message that is passed over
	beat  [3]byte
	nbeat int
}

// Parser is the TLS of one flow.
type Parser struct {
	txs  protocol.TxList
	tx   *protocol.Tx
	hs   *Handshake
	half [2]half
	// asksCert: the server wants the client's certificate.
	asksCert bool
	// noJA3 and noJA4 leave fingerprints out of records.
	noJA3, noJA4 bool
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// start makes the flow's transaction.
func (p *Parser) start(env *protocol.Env) {
	if p.tx == nil {
		p.hs = &Handshake{}
		p.tx = p.txs.Add(p.hs, env.Now)
	}
}

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	p.start(env)
	h := &p.half[dir]
	for len(data) > 0 {
		if h.done {
			return protocol.Skip
		}
		if h.left == 0 {
			n := copy(h.head[h.nhead:], data)
			if h.nhead += uint8(n); h.nhead < 5 {
				return protocol.Continue
			}
			data = data[n:]
			h.nhead = 0
			if !p.record(h, dir) {
				p.tx.AddEvent("invalid_ssl_record")
				return protocol.Error
			}
			if env.Framing() {
				p.frames(env, h, len(data))
			}
			if h.ssl2 && !h.began {
				// The header was three bytes shorter.
				h.began = true
				h.msg = append(h.msg[:0], h.head[2:]...)
			}
			h.began = true
			continue
		}
		n := min(h.left, len(data))
		h.left -= n
		if !p.body(env, h, dir, data[:n]) {
			return protocol.Error
		}
		data = data[n:]
	}
	if h.done {
		return protocol.Skip
	}
	return protocol.Continue
}

// record reads a record's header; false when this is no TLS any more.
func (p *Parser) record(h *half, dir protocol.Dir) bool {
	b := h.head[:]
	if !h.began && b[0]&0x80 != 0 && b[2] == 1 {
		h.ssl2, h.kind = true, 0
		h.size = int(binary.BigEndian.Uint16(b) & 0x7fff)
		if h.left = h.size - 3; h.left <= 0 {
			p.tx.AddEvent("invalid_sslv2_header")
			return false
		}
		return true
	}
	h.ssl2 = false
	h.kind, h.size = b[0], int(binary.BigEndian.Uint16(b[3:]))
	h.left, h.nbeat = h.size, 0
	switch {
	case h.kind < recordCCS || h.kind > recordHeartbeat:
		p.tx.AddEvent("invalid_record_type")
		return false
	case b[1] != 3 && b[1] != 0x7f:
		p.tx.AddEvent("invalid_record_version")
		return false
	case h.size > maxRecord:
		p.tx.AddEvent("invalid_record_length")
		return false
	}
	if !p.hs.hasRecord {
		p.hs.hasRecord = true
		p.hs.recordVersion = binary.BigEndian.Uint16(b[1:])
	}
	switch {
	case h.kind == recordData, h.kind == recordHandshake && h.ccs && !p.hs.retried:
		// Everything from here on is encrypted. Data that comes before any
		// hello is a connection picked up midway.
		p.finish(h, dir)
	case h.kind == recordCCS:
		h.ccs = true
		if dir == protocol.ToClient && p.hs.server.seen && len(p.hs.certs[protocol.ToClient]) == 0 && p.hs.Version() < versionTLS13 {
			p.hs.resumed = true
		}
	case h.kind == recordHandshake && h.size == 0:
		p.tx.AddEvent("invalid_handshake_message")
	}
	return true
}

// finish ends what can be read of a direction.
func (p *Parser) finish(h *half, dir protocol.Dir) {
	h.done = true
	h.msg = nil
	if p.hs.seen[dir] == 0 {
		p.hs.reached(dir, StateUnknown)
	}
	if dir == protocol.ToServer {
		p.tx.Progress[dir] = ClientFinished
	} else {
		p.tx.Progress[dir] = ServerFinished
	}
}

// body takes bytes of the current record.
func (p *Parser) body(env *protocol.Env, h *half, dir protocol.Dir, b []byte) bool {
	if h.done {
		return true
	}
	if h.ssl2 {
		h.msg = append(h.msg, b...)
		if h.left == 0 {
			p.hs.client.parseSSL2(h.msg)
			p.hs.reached(dir, StateClientHello)
			p.advance(dir, ClientHelloDone)
			h.msg, h.ssl2 = nil, false
		}
		return true
	}
	switch h.kind {
	case recordHandshake:
		p.handshake(h, dir, b)
	case recordHeartbeat:
		p.heartbeat(h, b)
	}
	return true
}

// heartbeat looks at a heartbeat in the clear (RFC 6520, CVE-2014-0160).
func (p *Parser) heartbeat(h *half, b []byte) {
	if h.nbeat == 3 {
		return
	}
	h.nbeat += copy(h.beat[h.nbeat:], b)
	if h.nbeat < 3 {
		if h.left == 0 {
			p.tx.AddEvent("invalid_heartbeat_message")
		}
		return
	}
	p.tx.AddEvent("heartbeat_message")
	switch n := int(binary.BigEndian.Uint16(h.beat[1:])); {
	case h.beat[0] != 1 && h.beat[0] != 2:
		p.tx.AddEvent("invalid_heartbeat_message")
	case n+3 > h.size:
		p.tx.AddEvent("overflow_heartbeat_message")
	}
}

// handshake puts messages together from records and hands them on whole.
func (p *Parser) handshake(h *half, dir protocol.Dir, b []byte) {
	for len(b) > 0 {
		if h.skip > 0 {
			n := min(h.skip, len(b))
			h.skip -= n
			b = b[n:]
			continue
		}
		if len(h.msg) == 0 && len(b) >= 4 {
			if n := 4 + length24(b[1:]); n <= len(b) {
				p.message(dir, b[0], b[4:n])
				b = b[n:]
				continue
			}
		}
		want := 4
		if len(h.msg) >= 4 {
			want += length24(h.msg[1:])
		}
		n := min(want-len(h.msg), len(b))
		h.msg = append(h.msg, b[:n]...)
		b = b[n:]
		if len(h.msg) < 4 {
			return
		}
		switch size := 4 + length24(h.msg[1:]); {
		case size > maxMessage:
			p.tx.AddEvent("handshake_invalid_length")
			h.skip = size - len(h.msg)
			h.msg = nil
		case size == len(h.msg):
			p.message(dir, h.msg[0], h.msg[4:])
			h.msg = nil
		}
	}
}

func length24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// The types of handshake messages that are read.
const (
	typeClientHello        = 1
	typeServerHello        = 2
	typeCertificate        = 11
	typeServerKey          = 12
	typeCertificateRequest = 13
	typeServerHelloDone    = 14
	typeClientKey          = 16
)

// message takes a whole handshake message, whose bytes are borrowed.
func (p *Parser) message(dir protocol.Dir, kind byte, b []byte) {
	hs := p.hs
	switch {
	case kind == typeClientHello && dir == protocol.ToServer:
		if hs.client.seen {
			return // a second one answers a retry request and adds nothing
		}
		hs.reached(dir, StateClientHello)
		if !hs.client.parse(b, true, p.tx) {
			p.tx.AddEvent("invalid_handshake_message")
		}
		p.advance(dir, ClientHelloDone)
	case kind == typeServerHello && dir == protocol.ToClient:
		var hello Hello
		if !hello.parse(b, false, p.tx) {
			p.tx.AddEvent("invalid_handshake_message")
		}
		if hello.retry() {
			hs.retried = true
			return
		}
		hs.reached(dir, StateServerHello)
		hs.server = hello
		hs.retried = hs.retried && hello.Version() >= versionTLS13
		p.advance(dir, ServerHello)
	case kind == typeCertificate:
		if hs.Version() >= versionTLS13 || len(hs.certs[dir]) > 0 {
			return
		}
		var fault string
		if hs.certs[dir], fault = chain(b); fault != "" {
			p.tx.AddEvent(fault)
			p.tx.AddEvent("invalid_handshake_message")
		}
		if dir == protocol.ToServer {
			p.advance(dir, ClientCertDone)
			p.tx.Ready = p.tx.Progress[protocol.ToClient] >= ServerHelloDone
		} else {
			p.advance(dir, ServerCertDone)
		}
	case kind == typeCertificateRequest && dir == protocol.ToClient:
		p.asksCert = true
	case kind == typeServerHelloDone && dir == protocol.ToClient:
		p.advance(dir, ServerHelloDone)
		// Nothing that is told of follows, unless the client shows a certificate.
		p.tx.Ready = !p.asksCert && hs.client.seen
	case kind == typeServerKey && dir == protocol.ToClient:
		hs.reached(dir, StateServerKey)
	case kind == typeClientKey && dir == protocol.ToServer:
		hs.reached(dir, StateClientKey)
		p.advance(dir, ClientHandshakeDone)
	case kind > 24 && kind != 67 && kind != 254:
		p.tx.AddEvent("invalid_handshake_message")
	}
}

func (p *Parser) advance(dir protocol.Dir, to uint8) {
	p.tx.Progress[dir] = max(p.tx.Progress[dir], to)
}

// Gap implements protocol.Parser. A hole within a record's data costs the
// handshake message; anything else ends what can be read.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	p.start(env)
	h := &p.half[dir]
	if h.done {
		return protocol.Skip
	}
	h.msg, h.skip = nil, 0
	if n <= uint64(h.left) && h.kind != recordHandshake {
		h.left -= int(n)
		return protocol.Continue
	}
	p.finish(h, dir)
	return protocol.Skip
}

// End implements protocol.Parser.
func (p *Parser) End(_ *protocol.Env, dir protocol.Dir) {
	if p.tx != nil {
		p.finish(&p.half[dir], dir)
	}
}
