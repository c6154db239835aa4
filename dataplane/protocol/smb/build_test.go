package smb

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// The builders below make messages for tests; none of them checks anything.

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func nbss(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return append([]byte{0, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
}

// msg2 is a message of version 2 before it is put into a session's.
type msg2 struct {
	cmd     uint16
	id      uint64
	status  uint32
	flags   uint32
	tree    uint32
	session uint64
	body    []byte
}

func (m msg2) bytes() []byte {
	h := make([]byte, 64, 64+len(m.body))
	copy(h, magic2)
	le.PutUint16(h[4:], 64)
	le.PutUint32(h[8:], m.status)
	le.PutUint16(h[12:], m.cmd)
	le.PutUint32(h[16:], m.flags)
	le.PutUint64(h[24:], m.id)
	le.PutUint32(h[36:], m.tree)
	le.PutUint64(h[40:], m.session)
	return append(h, m.body...)
}

// compound joins messages, each but the last padded to eight bytes.
func compound(ms ...msg2) []byte {
	var all []byte
	for i, m := range ms {
		b := m.bytes()
		if i < len(ms)-1 {
			for len(b)%8 != 0 {
				b = append(b, 0)
			}
			le.PutUint32(b[20:], uint32(len(b)))
		}
		all = append(all, b...)
	}
	return nbss(all)
}

func put(n int, f func(b []byte)) []byte {
	b := make([]byte, n)
	f(b)
	return b
}

func id16(n byte) fileID { return fileID{n, 0, 0, 0, 0, 0, 0, 0, 7} }

func createReq(name string, disposition uint32) []byte {
	n := wide(name)
	return append(put(56, func(b []byte) {
		le.PutUint16(b, 57)
		le.PutUint32(b[36:], disposition)
		le.PutUint16(b[44:], 64+56)
		le.PutUint16(b[46:], uint16(len(n)))
	}), n...)
}

func createResp(id fileID, size uint64) []byte {
	return put(88, func(b []byte) {
		le.PutUint16(b, 89)
		le.PutUint64(b[8:], 116444736000000000+10_000_000)
		le.PutUint64(b[48:], size)
		copy(b[64:], id[:])
	})
}

func writeReq(id fileID, off uint64, data string) []byte {
	return append(put(48, func(b []byte) {
		le.PutUint16(b, 49)
		le.PutUint16(b[2:], 64+48)
		le.PutUint32(b[4:], uint32(len(data)))
		le.PutUint64(b[8:], off)
		copy(b[16:], id[:])
	}), data...)
}

func readReq(id fileID, off uint64, n uint32) []byte {
	return put(49, func(b []byte) {
		le.PutUint16(b, 49)
		le.PutUint32(b[4:], n)
		le.PutUint64(b[8:], off)
		copy(b[16:], id[:])
	})
}

func readResp(data string) []byte {
	return append(put(16, func(b []byte) {
		le.PutUint16(b, 17)
		b[2] = 64 + 16
		le.PutUint32(b[4:], uint32(len(data)))
	}), data...)
}

func closeReq(id fileID) []byte {
	return put(24, func(b []byte) {
		le.PutUint16(b, 24)
		copy(b[8:], id[:])
	})
}

func treeReq(name string) []byte {
	n := wide(name)
	return append(put(8, func(b []byte) {
		le.PutUint16(b, 9)
		le.PutUint16(b[4:], 64+8)
		le.PutUint16(b[6:], uint16(len(n)))
	}), n...)
}

func treeResp(kind byte) []byte { return put(16, func(b []byte) { b[0], b[2] = 16, kind }) }

func ioctlReq(id fileID, code uint32, data string) []byte {
	return append(put(56, func(b []byte) {
		le.PutUint16(b, 57)
		le.PutUint32(b[4:], code)
		copy(b[8:], id[:])
		le.PutUint32(b[24:], 64+56)
		le.PutUint32(b[28:], uint32(len(data)))
	}), data...)
}

func ioctlResp(id fileID, code uint32, data string) []byte {
	return append(put(48, func(b []byte) {
		le.PutUint16(b, 49)
		le.PutUint32(b[4:], code)
		copy(b[8:], id[:])
		le.PutUint32(b[32:], 64+48)
		le.PutUint32(b[36:], uint32(len(data)))
	}), data...)
}

func setInfoReq(id fileID, class byte, data []byte) []byte {
	return append(put(32, func(b []byte) {
		le.PutUint16(b, 33)
		b[2], b[3] = 1, class
		le.PutUint32(b[4:], uint32(len(data)))
		le.PutUint16(b[8:], 64+32)
		copy(b[16:], id[:])
	}), data...)
}

// dialogue collects what both ends send.
type dialogue struct {
	protocoltest.Dialogue
	id uint64
}

func newDialogue() *dialogue {
	return &dialogue{Dialogue: protocoltest.Dialogue{SrcPort: 40000, DstPort: 445}}
}

func (d *dialogue) raw(dir protocol.Dir, b []byte) *dialogue {
	d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: dir, Data: b})
	return d
}

func (d *dialogue) gap(dir protocol.Dir, n uint64) *dialogue {
	d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: dir, Gap: n})
	return d
}

// ask sends a request, answer the response to the newest one.
func (d *dialogue) ask(cmd uint16, body []byte) *dialogue {
	d.id++
	return d.raw(protocol.ToServer, nbss(msg2{cmd: cmd, id: d.id, tree: 1, session: 9, body: body}.bytes()))
}

func (d *dialogue) answer(cmd uint16, status uint32, body []byte) *dialogue {
	return d.answerTo(d.id, cmd, status, body)
}

func (d *dialogue) answerTo(id uint64, cmd uint16, status uint32, body []byte) *dialogue {
	return d.raw(protocol.ToClient, nbss(msg2{cmd: cmd, id: id, status: status, flags: 1, tree: 1, session: 9, body: body}.bytes()))
}

// mounted connects to a share.
func mounted(name string, kind byte) *dialogue {
	return newDialogue().ask(cmdTreeConnect, treeReq(name)).answer(cmdTreeConnect, 0, treeResp(kind))
}

// opened opens a file as well.
func (d *dialogue) opened(id fileID, name string, disposition uint32, size uint64) *dialogue {
	return d.ask(cmdCreate, createReq(name, disposition)).answer(cmdCreate, 0, createResp(id, size))
}

func (d *dialogue) write(id fileID, off uint64, data string) *dialogue {
	return d.ask(cmdWrite, writeReq(id, off, data)).answer(cmdWrite, 0, make([]byte, 16))
}

func (d *dialogue) read(id fileID, off uint64, data string) *dialogue {
	return d.ask(cmdRead, readReq(id, off, uint32(len(data)))).answer(cmdRead, 0, readResp(data))
}

func (d *dialogue) closed(id fileID) *dialogue {
	return d.ask(cmdClose, closeReq(id)).answer(cmdClose, 0, make([]byte, 60))
}

// msg1 makes a message of version 1.
func msg1(cmd byte, flags2 uint16, status uint32, tid, uid, mid uint16, words []byte, data []byte) []byte {
	h := make([]byte, 32)
	copy(h, magic1)
	h[4] = cmd
	le.PutUint32(h[5:], status)
	le.PutUint16(h[10:], flags2)
	le.PutUint16(h[24:], tid)
	le.PutUint16(h[28:], uid)
	le.PutUint16(h[30:], mid)
	h = append(h, byte(len(words)/2))
	h = append(h, words...)
	h = le.AppendUint16(h, uint16(len(data)))
	return nbss(append(h, data...))
}

// bind and call are PDUs of DCE/RPC.
func bind(id uint32, typ byte) string {
	b := put(72, func(b []byte) {
		copy(b, []byte{5, 0, typ, 3, 0x10})
		le.PutUint16(b[8:], 72)
		le.PutUint32(b[12:], id)
		b[24] = 1
		b[30] = 1
		copy(b[32:], []byte{0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xab})
		le.PutUint16(b[48:], 3)
	})
	return string(b)
}

func call(id uint32, typ byte, opnum uint16, stub string) string {
	b := put(24, func(b []byte) {
		copy(b, []byte{5, 0, typ, 3, 0x10})
		le.PutUint16(b[8:], uint16(24+len(stub)))
		le.PutUint32(b[12:], id)
		le.PutUint16(b[22:], opnum)
	})
	return string(b) + stub
}

func repeat(s string, n int) string { return strings.Repeat(s, n/len(s)+1)[:n] }
