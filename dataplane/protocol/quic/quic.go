// Package quic reads the beginning of QUIC (RFC 9000, RFC 9369): the Initial
// packets, whose keys follow from what they carry in the clear (RFC 9001 §5.2),
// and in them the hellos of TLS. It takes datagrams and gives a transaction for
// each end's hello. What follows is encrypted: it wants nothing more then.
package quic

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/tls"
	"sluice/events"
)

// Done is the progress of a direction whose hello is read.
const Done = 1

// The slots of the buffers.
const (
	slotSNI = iota
	slotVersion
)

// The versions that are read.
const (
	Version1 = 0x00000001
	Version2 = 0x6b3343cf
)

// The bounds of what is done for a flow: hellos with post-quantum key shares
// take two datagrams.
const (
	maxInitials = 32
	maxHello    = 16 << 10
	maxRanges   = 64
	maxConnID   = 20
)

// Definition describes QUIC.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, dirs protocol.Dirs) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.QUIC, slot), Name: name, Dirs: dirs, Progress: Done}
	}
	return &protocol.Definition{
		Events: []string{"multiple_sni_extensions", "invalid_sni_type", "invalid_sni_length", "invalid_handshake_message"},
		ID:     protocol.QUIC, UDP: true, Ports: []uint16{443},
		ProbeDatagram: probe,
		New:           func(*protocol.Env) protocol.Parser { return &Parser{} },
		Buffers:       []protocol.BufferSpec{spec(slotSNI, "quic.sni", protocol.DirsToServer), spec(slotVersion, "quic.version", protocol.DirsBoth)},
		Complete:      [2]uint8{Done, Done},
		States:        [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// header is a long header (RFC 9000 §17.2) and where its packet lies.
type header struct {
	version    uint32
	typ        byte
	dcid, scid []byte
	// number is the offset of the packet number, end that of the packet's end.
	number, end int
}

// The types of long headers, as version 1 numbers them.
const (
	typeInitial = iota
	type0RTT
	typeHandshake
	typeRetry
)

// parse reads the long header at the beginning of b.
func parse(b []byte) (h header, ok bool) {
	if len(b) < 7 || b[0]&0xc0 != 0xc0 {
		return h, false
	}
	if h.version = binary.BigEndian.Uint32(b[1:]); known(h.version) == nil {
		return h, false
	}
	h.typ = b[0] >> 4 & 3
	if h.version == Version2 {
		h.typ = (h.typ + 3) & 3
	}
	at := 5
	for _, id := range []*[]byte{&h.dcid, &h.scid} {
		if at >= len(b) || int(b[at]) > maxConnID || at+1+int(b[at]) > len(b) {
			return h, false
		}
		*id = b[at+1 : at+1+int(b[at])]
		at += 1 + int(b[at])
	}
	if h.typ == typeRetry {
		h.end = len(b)
		return h, true
	}
	if h.typ == typeInitial {
		n, size, ok := varint(b[at:])
		if !ok || n > uint64(len(b)-at-size) {
			return h, false
		}
		at += size + int(n) // the token
	}
	n, size, ok := varint(b[at:])
	if !ok || n > uint64(len(b)-at-size) {
		return h, false
	}
	h.number = at + size
	h.end = h.number + int(n)
	return h, true
}

// varint reads a number of variable length (RFC 9000 §16).
func varint(b []byte) (v uint64, size int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	size = 1 << (b[0] >> 6)
	if len(b) < size {
		return 0, 0, false
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:size] {
		v = v<<8 | uint64(c)
	}
	return v, size, true
}

// probe knows a long header of a known version by its shape. A client's first
// datagram is filled up to 1200 bytes (RFC 9000 §14.1).
func probe(dir protocol.Dir, b []byte) protocol.Certainty {
	h, ok := parse(b)
	if !ok || dir == protocol.ToServer && (h.typ != typeInitial || len(h.dcid) < 8 || len(b) < 1200) {
		return protocol.NotForUs
	}
	return protocol.Certain
}

// Session is the State of a transaction: one end's hello.
type Session struct {
	Version uint32
	Hello   *tls.Hello
	version [4]byte
}

// side is one direction.
type side struct {
	crypto stream
	tried  int
	done   bool
}

// Parser is the QUIC of one flow.
type Parser struct {
	txs  protocol.TxList
	keys [2]*keys
	// original is the connection id that keys is made of.
	original []byte
	version  uint32
	side     [2]side
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// Parse implements protocol.Parser. A datagram may hold several packets (RFC
// 9000 §12.2).
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, b []byte) protocol.Status {
	s := &p.side[dir]
	for !s.done && s.tried < maxInitials {
		h, ok := parse(b)
		if !ok {
			break
		}
		if h.typ == typeInitial {
			s.tried++
			p.initial(env, dir, b[:h.end], h)
		}
		b = b[h.end:]
	}
	if s.done || s.tried >= maxInitials {
		return protocol.Skip
	}
	return protocol.Continue
}

// initial opens an Initial packet and takes what it has of the hello.
func (p *Parser) initial(env *protocol.Env, dir protocol.Dir, b []byte, h header) {
	if dir == protocol.ToServer && (p.keys[0] == nil || !bytes.Equal(p.original, h.dcid) && len(h.dcid) >= 8 || h.version != p.version) {
		// The first packet, or the answer to a Retry, which has a new id; once the
		// server has chosen an id of its own the keys stay, so that both are tried.
		client := newKeys(h.version, h.dcid, protocol.ToServer)
		if payload := client.open(b, h.number); payload != nil {
			p.original, p.version = bytes.Clone(h.dcid), h.version
			p.keys = [2]*keys{client, newKeys(h.version, h.dcid, protocol.ToClient)}
			p.frames(env, dir, payload)
			return
		}
	}
	if k := p.keys[dir]; k != nil {
		p.frames(env, dir, k.open(b, h.number))
	}
}

// The types of frames that Initial packets have (RFC 9000 §12.4).
const (
	framePadding = 0x00
	framePing    = 0x01
	frameACK     = 0x02
	frameACKECN  = 0x03
	frameCrypto  = 0x06
)

// frames takes the frames of an Initial packet.
func (p *Parser) frames(env *protocol.Env, dir protocol.Dir, b []byte) {
	s := &p.side[dir]
	num := func() uint64 {
		v, n, ok := varint(b)
		if !ok {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	// What came before a frame that is not read, as one that closes, counts.
	defer p.hello(env, dir)
	for len(b) > 0 {
		kind := b[0]
		b = b[1:]
		switch kind {
		case framePadding, framePing:
		case frameACK, frameACKECN:
			num()
			num()
			for more := num() + 1; more > 0 && len(b) > 0; more-- {
				if num(); more > 1 {
					num()
				}
			}
			if kind == frameACKECN {
				num()
				num()
				num()
			}
		case frameCrypto:
			off, n := num(), num()
			if n > uint64(len(b)) {
				return
			}
			s.crypto.put(off, b[:n])
			b = b[n:]
		default:
			return
		}
	}
}

// The types of messages of a TLS handshake.
const (
	clientHello = 1
	serverHello = 2
)

// hello reads a hello once it is whole.
func (p *Parser) hello(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	b := s.crypto.ready()
	if s.done || len(b) < 4 {
		return
	}
	want := byte(clientHello)
	if dir == protocol.ToClient {
		want = serverHello
	}
	n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	if b[0] != want || 4+n > maxHello {
		s.finish()
		return
	}
	if len(b) < 4+n {
		return
	}
	state := &Session{Version: p.version}
	binary.BigEndian.PutUint32(state.version[:], p.version)
	tx := p.txs.Add(state, env.Now)
	tx.Only = protocol.DirsToServer << dir
	state.Hello = tls.ParseQUIC(b[4:4+n], dir == protocol.ToServer, tx)
	tx.Progress = [2]uint8{Done, Done}
	s.finish()
}

func (s *side) finish() {
	s.done, s.crypto = true, stream{}
}

// Gap implements protocol.Parser; datagrams have none.
func (p *Parser) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status { return protocol.Continue }

// End implements protocol.Parser.
func (p *Parser) End(_ *protocol.Env, dir protocol.Dir) { p.side[dir].finish() }

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	s, ok := tx.State.(*Session)
	if !ok || i != 0 || id.Protocol() != protocol.QUIC || !tx.In(dir) {
		return nil, false
	}
	switch id.Slot() {
	case slotSNI:
		return s.Hello.SNI(), dir == protocol.ToServer && len(s.Hello.SNI()) > 0
	case slotVersion:
		return s.version[:], true
	}
	return nil, false
}

// eveQUIC is EVE's quic object.
type eveQUIC struct {
	Version    string         `json:"version"`
	SNI        string         `json:"sni,omitempty"`
	JA3        *eveJA3        `json:"ja3,omitempty"`
	JA3S       *eveJA3        `json:"ja3s,omitempty"`
	JA4        string         `json:"ja4,omitempty"`
	Extensions []eveExtension `json:"extensions,omitempty"`
}

type eveJA3 struct {
	Hash   string `json:"hash"`
	String string `json:"string"`
}

type eveExtension struct {
	Name   string   `json:"name,omitempty"`
	Type   uint16   `json:"type"`
	Values []string `json:"values,omitempty"`
}

// Record implements protocol.Parser. Without a transaction it tells of the
// client's hello.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil && len(p.txs.Live) > 0 {
		tx = p.txs.Live[0]
	}
	if tx == nil {
		return
	}
	s, ok := tx.State.(*Session)
	if !ok {
		return
	}
	client := tx.In(protocol.ToServer)
	e := eveQUIC{Version: VersionName(s.Version)}
	text, hash := s.Hello.JA3(client)
	fingerprint := &eveJA3{hash, text}
	if client {
		e.SNI, e.JA3, e.JA4 = valid(s.Hello.SNI()), fingerprint, s.Hello.JA4()
	} else {
		e.JA3S = fingerprint
	}
	for _, kind := range s.Hello.Extensions() {
		x := eveExtension{Name: tls.ExtensionName(kind), Type: kind}
		switch x.Name {
		case "server_name":
			x.Values = []string{valid(s.Hello.SNI())}
		case "alpn":
			for _, name := range s.Hello.ALPN() {
				x.Values = append(x.Values, valid(name))
			}
		}
		e.Extensions = append(e.Extensions, x)
	}
	ev.SetExtra("quic", e)
}

func valid(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("\uFFFD"))) }

// VersionName gives a version as EVE has it.
func VersionName(v uint32) string {
	switch v {
	case Version1:
		return "1"
	case Version2:
		return "2"
	}
	if v>>8 == 0xff0000 {
		return fmt.Sprintf("draft-%d", v&0xff)
	}
	return fmt.Sprintf("%08x", v)
}

var logQUIC = []string{"quic"}

// Log implements protocol.Parser.
func (p *Parser) Log(*protocol.Tx) []string { return logQUIC }
