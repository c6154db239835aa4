package protocol_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/bittorrent"
	"sluice/dataplane/protocol/dhcp"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/ike"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/dataplane/protocol/sip"
)

// TestForeignPort holds that a message of one protocol on another's port hides nothing
// of the other, and that junk on a protocol's own port does not end its reading.
func TestForeignPort(t *testing.T) {
	r, err := protocol.NewRegistry(dns.Definition(), sip.Definition(), dhcp.Definition(), ike.Definition(), bittorrent.Definition())
	if err != nil {
		t.Fatal(err)
	}
	const query = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	f := func(id protocol.ID, first string, port uint16, want protocol.ID) {
		t.Helper()
		sink := &protocoltest.Sink{}
		env := protocoltest.NewEnv(protocoltest.Dialogue{UDP: true, DstPort: port}, sink)
		var s protocol.Session
		if s.Datagram(r, env, protocol.ToServer, []byte(first)); s.Proto() != id {
			t.Fatalf("%s is taken for %s", id, s.Proto())
		}
		for range 20 {
			s.Datagram(r, env, protocol.ToServer, []byte(query))
			s.DropReplaced()
		}
		if s.Proto() != want {
			t.Errorf("behind %s on port %d: %s, want %s", id, port, s.Proto(), want)
		}
		s.End(r, env, protocol.ToServer)
		s.End(r, env, protocol.ToClient)
		if err := sink.Check(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	message := "OPTIONS sip:a@b SIP/2.0\r\n\r\n"
	lease := "\x01\x01\x06\x00" + strings.Repeat("\x00", 232) + "\x63\x82\x53\x63\xff"
	keys := "12345678" + strings.Repeat("\x00", 8) + "\x00\x20\x22\x08" + strings.Repeat("\x00", 4) + string(binary.BigEndian.AppendUint32(nil, 28))
	f(protocol.SIP, message, 53, protocol.DNS)
	f(protocol.SIP, message, 5060, protocol.SIP)
	f(protocol.DHCP, lease, 53, protocol.DNS)
	f(protocol.DHCP, lease, 67, protocol.DHCP)
	f(protocol.IKE, keys, 53, protocol.DNS)
	f(protocol.IKE, keys, 4500, protocol.IKE)
	f(protocol.BitTorrentDHT, "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", 53, protocol.DNS)
}
