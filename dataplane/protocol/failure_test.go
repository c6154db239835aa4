package protocol_test

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/events"
)

// TestTakeFailure: that a parser gave up is told once; that no protocol was found,
// or that a parser wants nothing more, is no failure.
func TestTakeFailure(t *testing.T) {
	r := registry(t)
	f := func(name string, want bool, client ...string) {
		t.Helper()
		var s protocol.Session
		env := protocoltest.NewEnv(protocoltest.Dialogue{DstPort: 443}, &protocoltest.Sink{})
		got := 0
		for _, c := range client {
			s.Data(r, env, protocol.ToServer, []byte(c))
			if s.TakeFailure() {
				got++
			}
		}
		s.End(r, env, protocol.ToServer)
		s.End(r, env, protocol.ToClient)
		if s.TakeFailure() {
			got++
		}
		if got != map[bool]int{true: 1}[want] {
			t.Errorf("%s: told %d times", name, got)
		}
	}
	hello := "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + string(make([]byte, 32)) + "\x00\x00\x02\x13\x01\x01\x00"
	f("no protocol", false, "\x00\x01\x02\x03", string(make([]byte, protocol.ProbeDepth)), "more")
	f("a hello", false, hello)
	f("encrypted", false, hello, "\x14\x03\x03\x00\x01\x01", "\x17\x03\x03\x00\x02ab")
	f("no record of TLS", true, hello, "no record of TLS", "and more", "and more")
}

// brittle has an object open for what the client sends, and fails on the server's.
type brittle struct {
	txs protocol.TxList
	obj *protocol.Object
}

func (b *brittle) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if dir == protocol.ToClient {
		return protocol.Error
	}
	if b.obj == nil {
		b.obj = &protocol.Object{Tx: b.txs.Add(nil, env.Now)}
		env.Objects.OpenObject(b.obj)
	}
	env.Objects.ObjectData(b.obj, data)
	return protocol.Continue
}

func (b *brittle) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status { return protocol.Error }

func (b *brittle) End(env *protocol.Env, dir protocol.Dir) {
	if dir == protocol.ToServer && b.obj != nil {
		env.Objects.CloseObject(b.obj, protocol.ObjectTruncated)
		b.obj = nil
	}
}

func (b *brittle) Txs() *protocol.TxList { return &b.txs }

func (b *brittle) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}
func (b *brittle) Record(*protocol.Tx, *events.Event) {}
func (b *brittle) Log(*protocol.Tx) []string          { return nil }

// TestFailureEnds holds that what a parser has under way in one direction ends when it
// fails in the other: nothing more comes of it.
func TestFailureEnds(t *testing.T) {
	r, err := protocol.NewRegistry(&protocol.Definition{ID: protocol.IRC, TCP: true,
		Probe: func(protocol.Dir, []byte) protocol.Certainty { return protocol.Certain },
		New:   func(*protocol.Env) protocol.Parser { return &brittle{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, fail func(s *protocol.Session, env *protocol.Env) protocol.Status) {
		t.Helper()
		sink := &protocoltest.Sink{}
		env := protocoltest.NewEnv(protocoltest.Dialogue{}, sink)
		var s protocol.Session
		s.Data(r, env, protocol.ToServer, []byte("half of it"))
		if st := fail(&s, env); st != protocol.Error || s.Proto() != protocol.Failed {
			t.Errorf("%s: status %d, %s", name, st, s.Proto())
		}
		if len(sink.Objects) != 1 || sink.Objects[0].State != protocol.ObjectTruncated {
			t.Errorf("%s: %+v", name, sink.Objects)
		}
		s.End(r, env, protocol.ToServer)
		s.End(r, env, protocol.ToClient)
		if err := sink.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("bytes", func(s *protocol.Session, env *protocol.Env) protocol.Status {
		return s.Data(r, env, protocol.ToClient, []byte("what it cannot read"))
	})
	f("a hole", func(s *protocol.Session, env *protocol.Env) protocol.Status {
		return s.Gap(r, env, protocol.ToServer, 3)
	})
}
