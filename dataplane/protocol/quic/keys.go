package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// secrets are what the keys of a version's Initial packets are made with.
type secrets struct {
	salt         string
	key, iv, hdr string
}

var (
	version1 = &secrets{"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a", "quic key", "quic iv", "quic hp"}
	version2 = &secrets{"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9", "quicv2 key", "quicv2 iv", "quicv2 hp"}
	draft29  = &secrets{"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99", "quic key", "quic iv", "quic hp"}
	draft23  = &secrets{"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02", "quic key", "quic iv", "quic hp"}
)

// known gives the secrets of a version, nil for one that is not read.
func known(version uint32) *secrets {
	switch {
	case version == Version1:
		return version1
	case version == Version2:
		return version2
	case version >= 0xff00001d && version <= 0xff000022:
		return draft29
	case version >= 0xff000017 && version < 0xff00001d:
		return draft23
	}
	return nil
}

// keys open the Initial packets of one direction (RFC 9001 §5).
type keys struct {
	header cipher.Block
	aead   cipher.AEAD
	iv     [12]byte
}

// newKeys makes keys of the id that the client chose for the server. The
// version is a known one.
func newKeys(version uint32, dcid []byte, dir protocol.Dir) *keys {
	v := known(version)
	initial, err := hkdf.Extract(sha256.New, dcid, []byte(v.salt))
	if err != nil {
		return nil
	}
	label := "client in"
	if dir == protocol.ToClient {
		label = "server in"
	}
	secret := expand(initial, label, sha256.Size)
	block, err := aes.NewCipher(expand(secret, v.key, 16))
	if err != nil {
		return nil
	}
	k := &keys{}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil
	}
	if k.header, err = aes.NewCipher(expand(secret, v.hdr, 16)); err != nil {
		return nil
	}
	copy(k.iv[:], expand(secret, v.iv, len(k.iv)))
	return k
}

// expand is HKDF-Expand-Label without a context (RFC 8446 §7.1).
func expand(secret []byte, label string, size int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(size))
	info = append(append(append(info, byte(len(label))), label...), 0)
	out, err := hkdf.Expand(sha256.New, secret, string(info), size)
	if err != nil {
		return make([]byte, size)
	}
	return out
}

// open gives the payload of a packet whose number begins at an offset, nil where
// the keys do not fit. The packet is not changed.
func (k *keys) open(packet []byte, number int) []byte {
	const sample = 16
	if k == nil || len(packet) < number+4+sample {
		return nil
	}
	var mask [sample]byte
	k.header.Encrypt(mask[:], packet[number+4:number+4+sample])
	first := packet[0] ^ mask[0]&0x0f
	size := int(first&3) + 1
	head := append([]byte(nil), packet[:number+size]...)
	head[0] = first
	nonce := k.iv
	var n uint32
	for i := range size {
		head[number+i] ^= mask[1+i]
		n = n<<8 | uint32(head[number+i])
	}
	// The numbers of Initial packets are small enough to be sent whole.
	for i := range 4 {
		nonce[8+i] ^= byte(n >> (24 - 8*i))
	}
	payload, err := k.aead.Open(nil, nonce[:], packet[number+size:], head)
	if err != nil {
		return nil
	}
	return payload
}
