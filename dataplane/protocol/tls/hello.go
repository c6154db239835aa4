package tls

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"sluice/dataplane/protocol"
)

// Protocol versions on the wire.
const (
	versionSSL2  = 0x0002
	versionSSL3  = 0x0300
	versionTLS10 = 0x0301
	versionTLS11 = 0x0302
	versionTLS12 = 0x0303
	versionTLS13 = 0x0304
)

// VersionName gives a version as EVE and the tls.version keyword spell it.
func VersionName(v uint16) string {
	switch v {
	case versionSSL2:
		return "SSLv2"
	case versionSSL3:
		return "SSLv3"
	case versionTLS10:
		return "TLSv1"
	case versionTLS11:
		return "TLS 1.1"
	case versionTLS12:
		return "TLS 1.2"
	case versionTLS13:
		return "TLS 1.3"
	case 0:
		return "UNDETERMINED"
	}
	if v>>8 == 0x7f {
		return fmt.Sprintf("TLS 1.3 draft-%d", v&0xff)
	}
	return fmt.Sprintf("0x%04x", v)
}

// The extensions that are read (IANA TLS ExtensionType).
const (
	extSNI               = 0
	extGroups            = 10
	extFormats           = 11
	extSigAlgs           = 13
	extALPN              = 16
	extSupportedVersions = 43
)

// Bounds of lists in hellos that are kept.
const maxList = 512

// Hello is what is kept of a ClientHello or ServerHello.
type Hello struct {
	seen      bool
	ssl2      bool
	legacy    uint16
	supported []uint16 // of supported_versions, in order
	random    []byte
	sessionID []byte
	ciphers   []uint16 // of the server: the one chosen
	exts      []uint16
	groups    []uint16
	formats   []byte
	sigAlgs   []uint16
	sni       []byte
	hasSNI    bool
	alpn      [][]byte
	quic      bool

	ja3, ja3hash, ja4 string
}

// reader walks the vectors of a message; once something is missing it stays
// failed and gives zeros.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.b) {
		r.failed = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func u16s(b []byte) []uint16 {
	list := make([]uint16, 0, min(len(b)/2, maxList))
	for len(b) >= 2 && len(list) < maxList {
		list = append(list, binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	return list
}

// parse reads a hello (RFC 8446 §4.1.2 and §4.1.3). What was read before an
// error is kept; ok tells that there was none.
func (h *Hello) parse(b []byte, client bool, tx *protocol.Tx) (ok bool) {
	r := &reader{b: b}
	h.seen = true
	h.legacy = uint16(r.u16())
	if b := r.take(32); b != nil {
		h.random = bytes.Clone(b)
	}
	draft := !client && h.legacy>>8 == 0x7f && h.legacy < 0x7f16 // no session id before draft 22
	if !draft {
		h.sessionID = bytes.Clone(r.take(r.u8()))
	}
	if client {
		h.ciphers = u16s(r.take(r.u16()))
		r.take(r.u8())
	} else {
		if c := r.take(2); c != nil {
			h.ciphers = u16s(c)
		}
		if !draft {
			r.u8()
		}
	}
	if r.failed {
		return false
	}
	if len(r.b) == 0 {
		return true // extensions are optional
	}
	exts := &reader{b: r.take(r.u16()), failed: r.failed}
	for len(exts.b) > 0 && !exts.failed {
		kind := uint16(exts.u16())
		data := exts.take(exts.u16())
		if exts.failed {
			break
		}
		if len(h.exts) < maxList {
			h.exts = append(h.exts, kind)
		}
		h.extension(kind, data, client, tx)
	}
	return !exts.failed
}

func (h *Hello) extension(kind uint16, data []byte, client bool, tx *protocol.Tx) {
	e := &reader{b: data}
	switch kind {
	case extSNI:
		if client {
			h.serverName(e, tx)
		}
	case extGroups:
		h.groups = u16s(e.take(e.u16()))
	case extFormats:
		h.formats = bytes.Clone(e.take(e.u8()))
	case extSigAlgs:
		h.sigAlgs = u16s(e.take(e.u16()))
	case extALPN:
		list := &reader{b: e.take(e.u16())}
		for len(list.b) > 0 && len(h.alpn) < 64 {
			name := list.take(list.u8())
			if list.failed {
				break
			}
			h.alpn = append(h.alpn, bytes.Clone(name))
		}
	case extSupportedVersions:
		if client {
			h.supported = u16s(e.take(e.u8()))
		} else {
			h.supported = u16s(data)
		}
	}
}

// serverName reads the server_name extension (RFC 6066 §3).
func (h *Hello) serverName(e *reader, tx *protocol.Tx) {
	if h.hasSNI {
		tx.AddEvent("multiple_sni_extensions")
		return
	}
	h.hasSNI = true
	if len(e.b) == 0 {
		return
	}
	list := &reader{b: e.take(e.u16())}
	if e.failed {
		tx.AddEvent("invalid_sni_length")
		return
	}
	for len(list.b) > 0 {
		kind := list.u8()
		name := list.take(list.u16())
		if list.failed || len(name) == 0 || len(name) > 1<<12 {
			tx.AddEvent("invalid_sni_length")
			return
		}
		if kind != 0 {
			tx.AddEvent("invalid_sni_type")
			continue
		}
		if h.sni == nil {
			h.sni = bytes.Clone(name)
		}
	}
}

// parseSSL2 reads a CLIENT-HELLO of SSL 2.0 from its type on; the probe or the
// lengths within decide how much of it is there.
func (h *Hello) parseSSL2(b []byte) {
	h.seen, h.ssl2 = true, true
	r := &reader{b: b}
	r.u8()
	h.legacy = uint16(r.u16())
	ciphers, sid, challenge := r.u16(), r.u16(), r.u16()
	list := r.take(ciphers)
	for len(list) >= 3 && len(h.ciphers) < maxList {
		if list[0] == 0 {
			h.ciphers = append(h.ciphers, binary.BigEndian.Uint16(list[1:]))
		}
		list = list[3:]
	}
	h.sessionID = bytes.Clone(r.take(sid))
	h.random = bytes.Clone(r.take(challenge))
}

// helloRetry is the random of a HelloRetryRequest (RFC 8446 §4.1.3).
var helloRetry = []byte{0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
	0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C}

func (h *Hello) retry() bool { return bytes.Equal(h.random, helloRetry) }

// Version gives the version that the hello asks for or chooses.
func (h *Hello) Version() uint16 {
	best := uint16(0)
	for _, v := range h.supported {
		if !grease(v) && v > best && (v>>8 == 3 || best == 0 && v>>8 == 0x7f) {
			best = v
		}
	}
	if best != 0 {
		return best
	}
	return h.legacy
}

// SNI gives the server name asked for.
func (h *Hello) SNI() []byte { return h.sni }

// Ciphers, Extensions and SignatureAlgorithms give the hello's lists, borrowed.
func (h *Hello) Ciphers() []uint16             { return h.ciphers }
func (h *Hello) Extensions() []uint16          { return h.exts }
func (h *Hello) SignatureAlgorithms() []uint16 { return h.sigAlgs }

// ALPN gives the protocols offered, or chosen, in order.
func (h *Hello) ALPN() [][]byte { return h.alpn }

// ParseQUIC reads a client's or a server's hello that came by QUIC, without the
// header of a handshake message. What is wrong with it is noted in tx.
func ParseQUIC(b []byte, client bool, tx *protocol.Tx) *Hello {
	h := &Hello{quic: true}
	if !h.parse(b, client, tx) {
		tx.AddEvent("invalid_handshake_message")
	}
	return h
}
