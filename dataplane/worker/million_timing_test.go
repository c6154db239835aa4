package worker

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
)

// BenchmarkMillionFlows opens a million TCP connections through a worker, lets
// them idle, and reports what one takes of the heap and how long a packet of a
// random one does, all steps from the frame on.
func BenchmarkMillionFlows(b *testing.B) {
	const n = 1 << 20
	set, err := inspect.NewSet(nil, nil, "")
	if err != nil {
		b.Fatal(err)
	}
	reg, err := protocol.NewRegistry()
	if err != nil {
		b.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	w, err := New(Config{Set: set, Registry: reg, Inline: true, Live: true, Ifaces: []string{"in0", "out0"},
		Flow: flow.Config{Memcap: 2 << 30, MaxFlows: n + n/8}})
	if err != nil {
		b.Fatal(err)
	}
	frame := make([]byte, 60)
	frame[12] = 8
	batch := capture.Batch{Frames: make([]capture.Frame, 1)}
	forward := make([]bool, 1)
	now := int64(1e18)
	send := func(i uint32, fromServer bool, flags byte, seq, ack uint32) {
		ip, tcp := frame[14:34], frame[34:54]
		copy(ip, []byte{0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0})
		client, server := ip[12:16], ip[16:20]
		cp, sp := tcp[0:2], tcp[2:4]
		if fromServer {
			client, server, cp, sp = server, client, sp, cp
		}
		binary.BigEndian.PutUint32(client, 0x0a000000|i>>4)
		copy(server, []byte{192, 0, 2, 1})
		binary.BigEndian.PutUint16(cp, uint16(1024+i&15))
		binary.BigEndian.PutUint16(sp, 443)
		binary.BigEndian.PutUint16(ip[10:], decode.ChecksumIPv4(ip))
		binary.BigEndian.PutUint32(tcp[4:], seq)
		binary.BigEndian.PutUint32(tcp[8:], ack)
		tcp[12], tcp[13] = 0x50, flags
		binary.BigEndian.PutUint16(tcp[14:], 65535)
		tcp[16], tcp[17] = 0, 0
		f := &batch.Frames[0]
		*f = capture.Frame{Data: frame[:54], WireLen: 54, Time: now, Link: capture.LinkEthernet, HasVNet: true, VNet: [10]byte{1}}
		if fromServer {
			f.Port = 1
		}
		w.Process(&batch, forward)
	}
	for i := range uint32(n) {
		now += 1000
		send(i, false, decode.TCPSyn, 1, 0)
		send(i, true, decode.TCPSyn|decode.TCPAck, 100, 2)
		send(i, false, decode.TCPAck, 2, 101)
	}
	c := w.Counters()
	if c.Flow.Active != n || c.Flow.ByState[flow.StateEstablished] != n {
		b.Fatalf("%d flows, %d established", c.Flow.Active, c.Flow.ByState[flow.StateEstablished])
	}
	perFlow := float64(heap()-before) / n
	order := make([]uint32, 1<<16)
	for i := range order {
		order[i] = rand.Uint32N(n)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		send(order[i&0xffff], false, decode.TCPAck, 2, 101)
		i++
	}
	b.ReportMetric(perFlow, "B/flow")
	if perFlow > 1024 {
		b.Errorf("an idle flow takes %.0f bytes", perFlow)
	}
	runtime.KeepAlive(w)
}
