// Package quictest makes the first packets of QUIC connections for tests, by
// keys of its own making. It takes the frames and gives a datagram.
package quictest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// ClientHello gives a real client's hello for a server's name.
func ClientHello(name string) ([]byte, error) {
	c := tls.QUICClient(&tls.QUICConfig{TLSConfig: &tls.Config{ServerName: name, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}})
	c.SetTransportParameters([]byte{1, 2, 0x40, 0x64})
	if err := c.Start(context.Background()); err != nil {
		return nil, err
	}
	defer c.Close()
	for {
		switch e := c.NextEvent(); e.Kind {
		case tls.QUICWriteData:
			return slices.Clone(e.Data), nil
		case tls.QUICNoEvent:
			return nil, errors.New("the client says nothing")
		}
	}
}

// Num encodes a number in four bytes (RFC 9000 §16).
func Num(v int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(v)|0x80000000)) }

// Crypto makes a CRYPTO frame of the bytes from and to of a message.
func Crypto(msg []byte, from, to int) string {
	return "\x06" + Num(from) + Num(to-from) + string(msg[from:to])
}

// Packet is an Initial packet of a client.
type Packet struct {
	Version uint32
	// Salt is the version's, ID what the keys are made of, Dest the connection id in
	// the header; empty is ID.
	Salt     string
	ID, Dest string
	Number   byte
}

// Salts of the versions (RFC 9001 §5.2, RFC 9369 §3.3.1).
const (
	Salt1  = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
	Salt2  = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
	Salt29 = "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	Salt23 = "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
)

// Seal gives the packet with frames in it, filled up to the 1200 bytes of a
// first datagram. It panics on what no test should ask for.
func (p Packet) Seal(frames string) string {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	label := func(secret []byte, name string, n int) []byte {
		info := string([]byte{0, byte(n), byte(6 + len(name))}) + "tls13 " + name + "\x00"
		b, err := hkdf.Expand(sha256.New, secret, info, n)
		must(err)
		return b
	}
	prefix, first := "quic ", byte(0xc0)
	if p.Salt == Salt2 {
		prefix, first = "quicv2 ", 0xd0
	}
	initial, err := hkdf.Extract(sha256.New, []byte(p.ID), []byte(p.Salt))
	must(err)
	client := label(initial, "client in", 32)
	block, err := aes.NewCipher(label(client, prefix+"key", 16))
	must(err)
	aead, err := cipher.NewGCM(block)
	must(err)
	hp, err := aes.NewCipher(label(client, prefix+"hp", 16))
	must(err)
	nonce := label(client, prefix+"iv", 12)
	nonce[11] ^= p.Number

	dest := p.Dest
	if dest == "" {
		dest = p.ID
	}
	frames += strings.Repeat("\x00", max(0, 1170-len(dest)-len(frames)))
	b := binary.BigEndian.AppendUint32([]byte{first}, p.Version)
	b = append(append(b, byte(len(dest))), dest...)
	b = append(append(b, 0, 0), Num(1+len(frames)+aead.Overhead())...) // no id of its own, no token
	at := len(b)
	b = append(b, p.Number)
	b = aead.Seal(b, nonce, []byte(frames), b)
	var mask [16]byte
	hp.Encrypt(mask[:], b[at+4:at+20])
	b[0] ^= mask[0] & 0x0f
	b[at] ^= mask[1]
	return string(b)
}
