package ssh

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"

	"sluice/dataplane/protocol"
)

// The name lists of SSH_MSG_KEXINIT in order (RFC 4253 §7.1).
const (
	listKex = iota
	listHostKey
	listCipherToServer
	listCipherToClient
	listMACToServer
	listMACToClient
	listCompressionToServer
	listCompressionToClient
	listLanguageToServer
	listLanguageToClient
	numLists
)

// cookieLen is the length of the random bytes before the lists.
const cookieLen = 16

// kexInit reads an offer of algorithms and makes its fingerprint: the MD5 of
// the lists of one direction, between semicolons, as HASSH has it.
func (p *Parser) kexInit(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	p.reach(dir, Finished)
	lists, ok := nameLists(s.offer[:len(s.offer)-s.padding])
	s.offer = nil
	if !ok {
		p.tx.AddEvent("invalid_record")
		return
	}
	if env.Limits.NoHASSH {
		return
	}
	// The lists of the other direction come right behind.
	k := int(dir)
	parts := [][]byte{lists[listKex], lists[listCipherToServer+k], lists[listMACToServer+k], lists[listCompressionToServer+k]}
	peer := &p.session(env).Peers[dir]
	peer.Algorithms = bytes.Join(parts, []byte(";"))
	sum := md5.Sum(peer.Algorithms)
	peer.Hassh = hex.AppendEncode(nil, sum[:])
}

// nameLists splits the payload of SSH_MSG_KEXINIT, without its number.
func nameLists(b []byte) (lists [numLists][]byte, ok bool) {
	if len(b) < cookieLen {
		return lists, false
	}
	b = b[cookieLen:]
	for i := range lists {
		if len(b) < 4 {
			return lists, false
		}
		n := binary.BigEndian.Uint32(b)
		b = b[4:]
		if uint64(n) > uint64(len(b)) {
			return lists, false
		}
		lists[i], b = b[:n], b[n:]
	}
	return lists, true
}
