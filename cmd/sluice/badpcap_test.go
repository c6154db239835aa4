package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeBadPcap makes a pcapng file with one thing in it that is odd or wrong,
// around a packet of the frame in a pcap file:
//
//	ng FILE FRAMEFILE KIND
func writeBadPcap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: ng FILE FRAMEFILE KIND")
	}
	src := []byte(ts.ReadFile(args[1]))
	n := binary.LittleEndian.Uint32(src[32:])
	frame := src[40 : 40+n]
	u16, u32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32
	block := func(typ uint32, body []byte) []byte {
		body = append(bytes.Clone(body), make([]byte, -len(body)&3)...)
		total := uint32(len(body) + 12)
		return u32(append(u32(u32(nil, typ), total), body...), total)
	}
	option := func(code uint16, length int, v ...byte) []byte {
		return append(append(u16(u16(nil, code), uint16(length)), v...), make([]byte, -len(v)&3)...)
	}
	iface := func(link uint16, opts ...byte) []byte {
		return block(1, append(u32(u16(u16(nil, link), 0), 0), opts...))
	}
	packet := func(id uint32, ts uint64, opts ...byte) []byte {
		b := u32(u32(u32(u32(u32(nil, id), uint32(ts>>32)), uint32(ts)), n), n)
		b = append(append(b, frame...), make([]byte, -len(frame)&3)...)
		return block(6, append(b, opts...))
	}
	section := block(0x0a0d0d0a, append(u16(u16(u32(nil, 0x1a2b3c4d), 1), 0), bytes.Repeat([]byte{0xff}, 8)...))
	const second = 1700000000
	good := append(iface(1), packet(0, second*1e6)...)
	var body []byte
	switch kind := args[2]; kind {
	case "options": // lengths beyond their block
		body = append(iface(1, option(9, 0xffff, 6)...), packet(0, second*1e6, option(2, 60000, 0, 0, 0, 0)...)...)
	case "zero":
		body = append(bytes.Clone(good), u32(u32(u32(nil, 6), 0), 0)...)
	case "short":
		body = append(bytes.Clone(good), u32(u32(u32(nil, 6), 8), 8)...)
	case "huge":
		body = append(bytes.Clone(good), u32(u32(u32(nil, 6), 0xfffffffc), 0)...)
	case "tail":
		body = append(bytes.Clone(good[:len(good)-4]), 1, 0, 0, 0)
	case "interface":
		body = append(bytes.Clone(good), packet(7, 0)...)
	case "unknown": // blocks that readers skip
		body = append(append(block(0x0bad, []byte("what")), block(10, []byte("secrets"))...), good...)
	case "link":
		body = append(append(iface(9999), packet(0, 0)...), append(iface(1), packet(1, second*1e6)...)...)
	case "links":
		body = append(iface(9999), packet(0, 0)...)
	case "times": // nanoseconds, 2^-6 seconds, and an offset
		body = append(append(iface(1, option(9, 1, 9)...), iface(1, option(9, 1, 0x86)...)...), iface(1, option(14, 8, 100, 0, 0, 0, 0, 0, 0, 0)...)...)
		body = append(append(append(body, packet(0, second*1e9+7000)...), packet(1, second<<6)...), packet(2, second*1e6)...)
	case "resolution":
		body = append(bytes.Clone(good), iface(1, option(9, 1, 0xff)...)...)
	case "mark":
		section[8] = 0
	default:
		ts.Fatalf("unknown kind %s", kind)
	}
	ts.Check(os.WriteFile(ts.MkAbs(strings.TrimSpace(args[0])), append(section, body...), 0o600))
}
