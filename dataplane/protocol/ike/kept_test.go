package ike

import (
	"bytes"
	"encoding/binary"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/events"
)

// TestKept holds that what a flow keeps for its later records is bounded and keeps no
// datagram alive: each of those records has all of it.
func TestKept(t *testing.T) {
	one := func(typ byte, body []byte) []byte {
		b := append([]byte("12345678"), make([]byte, 20)...)
		b[16], b[17], b[18] = typ, 0x10, 2
		b = append(binary.BigEndian.AppendUint16(append(b, 0, 0), uint16(len(body)+4)), body...)
		binary.BigEndian.PutUint32(b[24:], uint32(len(b)))
		return b
	}
	env := protocoltest.NewEnv(protocoltest.Dialogue{UDP: true}, &protocoltest.Sink{})
	p := Definition().New(env).(*Parser)
	for _, typ := range []byte{v1Key, v1Nonce, v1Vendor} {
		p.Parse(env, protocol.ToServer, one(typ, bytes.Repeat([]byte{1}, 60000)))
	}
	if e := p.seen[0]; e.key != nil || e.nonce != nil || len(p.vendors) != 0 {
		t.Errorf("kept a key of %d bytes, a nonce of %d, %d vendors", len(e.key), len(e.nonce), len(p.vendors))
	}
	p.Parse(env, protocol.ToServer, one(v1Vendor, []byte("a vendor")))
	raw := p.txs.Last().State.(*Message).raw
	clear(raw[headerLen:])
	var ev events.Event
	p.Record(p.txs.Last(), &ev)
	if len(p.vendors) != 1 || string(p.vendors[0]) != "a vendor" || ev.Extra["ike"] == nil {
		t.Errorf("vendors %q", p.vendors)
	}
}
