package smb

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// counter is a sink that keeps nothing.
type counter struct{ bytes int }

func (c *counter) OpenObject(*protocol.Object)                        {}
func (c *counter) ObjectData(_ *protocol.Object, b []byte)            { c.bytes += len(b) }
func (c *counter) ObjectGap(*protocol.Object, uint64)                 {}
func (c *counter) CloseObject(*protocol.Object, protocol.ObjectState) {}

// upload begins a write of a length that is never reached and gives a function
// that feeds a segment of it.
func upload(sink protocol.ObjectSink) func(segment []byte) {
	d := mounted(`\\srv\data`, 1).opened(id16(1), "f", 1, 0)
	env := &protocol.Env{Objects: sink, Limits: protocol.DefaultLimits(), Now: 1}
	p := newParser(env.Limits)
	for _, c := range d.Chunks {
		p.Parse(env, c.Dir, c.Data)
	}
	w := msg2{cmd: cmdWrite, id: 9, tree: 1, session: 9, body: writeReq(id16(1), 0, "x")}.bytes()
	le.PutUint32(w[64+4:], 15<<20)
	left := 0
	return func(segment []byte) {
		if left < len(segment) {
			p.Parse(env, protocol.ToServer, make([]byte, left))
			p.Parse(env, protocol.ToServer, append([]byte{0, 0xf0, 0, 112}, w[:112]...))
			left = 15 << 20
			le.PutUint64(w[64+8:], le.Uint64(w[64+8:])+15<<20)
		}
		p.Parse(env, protocol.ToServer, segment)
		left -= len(segment)
	}
}

func TestContentAllocatesNothing(t *testing.T) {
	sink := &counter{}
	feed := upload(sink)
	segment := make([]byte, 1448)
	feed(segment)
	if n := testing.AllocsPerRun(1000, func() { feed(segment) }); n > 0 {
		t.Errorf("%v allocations a segment", n)
	}
	if sink.bytes < 1000*len(segment) {
		t.Errorf("%d bytes", sink.bytes)
	}
}

func BenchmarkContent(b *testing.B) {
	feed := upload(&counter{})
	segment := make([]byte, 1448)
	b.SetBytes(int64(len(segment)))
	b.ReportAllocs()
	for b.Loop() {
		feed(segment)
	}
}

func BenchmarkSmallMessages(b *testing.B) {
	d := mounted(`\\srv\data`, 1)
	for range 100 {
		d.opened(id16(1), "some/path/to/a/file.txt", 1, 5).read(id16(1), 0, "hello").closed(id16(1))
	}
	n := 0
	for _, c := range d.Chunks {
		n += len(c.Data)
	}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		env := &protocol.Env{Objects: &counter{}, Limits: protocol.DefaultLimits(), Now: 1}
		p := newParser(env.Limits)
		for _, c := range d.Chunks {
			p.Parse(env, c.Dir, c.Data)
			p.txs.Prune(func(tx *protocol.Tx) bool { return tx.Progress[0] >= Answered })
		}
	}
}

// TestCaptures cuts shared captures anywhere.
func TestCaptures(t *testing.T) {
	f := func(name, file string, size int) {
		t.Helper()
		found := false
		for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", name)) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			for _, o := range r.Objects {
				found = found || o.Name == file && len(o.Data) == size && o.File
			}
		}
		if !found {
			t.Errorf("%s: no %s of %d bytes", name, file, size)
		}
	}
	f("zeek__smb2readwrite.pcap", "pythonfile", 16)
	f("zeek__smb2readwrite.pcap", "pythonfile2", 7000)
}
