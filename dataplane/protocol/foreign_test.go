package protocol_test

import (
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/dataplane/protocol/snmp"
)

// TestForeignDatagram holds that a scanner's message does not hide what comes after
// it in the same flow: the parser gives it up, and it is recognised anew.
func TestForeignDatagram(t *testing.T) {
	r, err := protocol.NewRegistry(dns.Definition(), snmp.Definition())
	if err != nil {
		t.Fatal(err)
	}
	const (
		get   = "\x30\x1a\x02\x01\x01\x04\x01a\xa0\x12\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x07\x30\x05\x06\x01\x2b\x05\x00"
		query = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	)
	d := protocoltest.Dialogue{UDP: true, DstPort: 53}
	env := protocoltest.NewEnv(d, &protocoltest.Sink{})
	var s protocol.Session
	f := func(what, data string, want protocol.Status, proto protocol.ID) {
		t.Helper()
		if st := s.Datagram(r, env, protocol.ToServer, []byte(data)); st != want || s.Proto() != proto {
			t.Errorf("%s: %d, %v; want %d, %v", what, st, s.Proto(), want, proto)
		}
	}
	f("a scanner's", get, protocol.Continue, protocol.SNMP)
	f("a query", query, protocol.Switch, protocol.DNS)
	if len(s.Parser().Txs().Live) != 1 || len(s.Replaced().Txs().Live) != 1 || s.Original() != protocol.SNMP {
		t.Errorf("%d and %d transactions", len(s.Parser().Txs().Live), len(s.Replaced().Txs().Live))
	}
	if got, want := s.Offset(protocol.ToServer), uint64(len(get)+len(query)); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	var other protocol.Session
	s = other
	f("a scanner's", get, protocol.Continue, protocol.SNMP)
	f("nobody's", "hello", protocol.Error, protocol.Unknown)
	f("SNMP again", get, protocol.Continue, protocol.SNMP)
}
