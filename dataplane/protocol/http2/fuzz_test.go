package http2

import (
	"math/rand"
	"reflect"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// FuzzParser gives arbitrary bytes of both directions, in turns whose lengths
// are part of the input. Cutting them differently must not change anything.
func FuzzParser(f *testing.F) {
	c, s := newPeer(), newPeer()
	f.Add([]byte(preface+settings+get(c, 1, "cookie a")+post(c, 3, "content-encoding gzip")+fr(frameData, 1, 3, gz("data"))), []byte(settings+ok(s, 1, 0)+fr(frameData, 9, 1, "\x01hello\x00")), uint16(64), int64(1))
	f.Add([]byte(preface+fr(frameHeaders, 1, 1, "\x82")+fr(frameContinuation, 4, 1, "\x84")+fr(frameRSTStream, 0, 1, "\x00\x00\x00\x08")), []byte(settings+fr(framePushPromise, 4, 1, "\x00\x00\x00\x02\x82\x84")+ok(newPeer(), 2, 1)), uint16(7), int64(2))
	f.Add([]byte("no preface"+get(newPeer(), 5)+get(newPeer(), 7)), []byte(fr(frameGoAway, 0, 0, "\x00\x00\x00\x01\x00\x00\x00\x02bye")+fr(0x20, 0, 3, "?")), uint16(1000), int64(3))
	f.Fuzz(func(t *testing.T, client, server []byte, turn uint16, seed int64) {
		if len(client)+len(server) > 1<<13 {
			return
		}
		rnd := rand.New(rand.NewSource(seed))
		d := protocoltest.Dialogue{DstPort: 80}
		in := [2][]byte{client, server}
		for dir := protocol.ToServer; len(in[0])+len(in[1]) > 0; dir = dir.Other() {
			n := min(len(in[dir]), rnd.Intn(int(turn)+2))
			if n > 0 {
				d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: dir, Data: in[dir][:n]})
				in[dir] = in[dir][n:]
			}
			if rnd.Intn(8) == 0 && seed&1 == 1 {
				d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: dir, Gap: uint64(1 + rnd.Intn(40))})
			}
		}
		want := protocoltest.Run(withHTTP1(), d)
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		for i := range want.Txs {
			if want.Status == protocol.Continue && want.Txs[i].Progress != [2]uint8{ProgressComplete, ProgressComplete} {
				t.Fatalf("transaction %d is left open", i)
			}
		}
		got := protocoltest.Run(withHTTP1(), d.Cut(rnd))
		if want.Status == protocol.Error {
			return // where exactly it gives up depends on the cut
		}
		if reflect.DeepEqual(want.Txs, got.Txs) && reflect.DeepEqual(want.Objects, got.Objects) {
			return
		}
		if diff := protocoltest.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
