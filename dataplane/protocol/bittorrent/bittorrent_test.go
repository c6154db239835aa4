package bittorrent

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

const id = "2:id20:abcdefghij0123456789"

func datagrams(turns ...string) protocoltest.Dialogue {
	d := protocoltest.TCP(6881, turns...)
	d.UDP = true
	return d
}

func shown(t *testing.T, d protocoltest.Dialogue) []string {
	t.Helper()
	var out []string
	for _, tx := range protocoltest.Run(Definition(), d).Txs {
		line := "none"
		if tx.Log != nil {
			b, err := json.Marshal(tx.Event.Extra["bittorrent_dht"])
			if err != nil {
				t.Fatal(err)
			}
			line = string(b)
		}
		out = append(out, strings.TrimSpace(line+" "+strings.Join(tx.Events, ",")))
	}
	return out
}

func TestMessages(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		in = strings.ReplaceAll(in, "$id", id)
		for _, turn := range []string{"> ", "< "} {
			got := strings.ReplaceAll(strings.Join(shown(t, datagrams(turn+in)), "; "), "6162636465666768696a30313233343536373839", "$")
			if got != want {
				t.Errorf("%q:\ngot  %s\nwant %s", in, got, want)
			}
		}
	}
	f("d1:ad$ide1:q4:ping1:t2:aa1:y1:qe", `{"transaction_id":"6161","request_type":"ping","request":{"id":"$"}}`)
	f("d2:ip6:1234561:rd$ide1:t2:aa1:v4:LT011:y1:re", `{"transaction_id":"6161","client_version":"4c543031","response":{"id":"$"}}`)
	f("d1:ad$id6:target20:abcdefghij01234567894:wantl2:n42:n6ee1:q9:find_node1:t1:x1:y1:qe", `{"transaction_id":"78","request_type":"find_node","request":{"id":"$","target":"$"}}`)
	f("d1:rd$id5:nodes26:abcdefghij0123456789\xc0\x00\x02\x01\x1a\xe16:nodes638:abcdefghij0123456789\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe15:token2:ab6:valuesl6:\xc0\x00\x02\x02\x00\x503:abcee1:t2:aa1:y1:re",
		`{"transaction_id":"6161","response":{"id":"$","nodes":[{"id":"$","ip":"192.0.2.1","port":6881}],"nodes6":[{"id":"$","ip":"2001:0db8:0000:0000:0000:0000:0000:0001","port":6881}],"values":[{"ip":"192.0.2.2","port":80}],"token":"6162"}}`)
	f("d1:ad$id12:implied_porti1e9:info_hash20:abcdefghij01234567894:porti6881e5:token1:te1:q13:announce_peer1:t2:aa1:y1:qe",
		`{"transaction_id":"6161","request_type":"announce_peer","request":{"id":"$","info_hash":"$","token":"74","implied_port":1,"port":6881}}`)
	f("d1:eli201e5:oh no1:xe1:t2:aa1:y1:ee", `{"transaction_id":"6161","error":{"num":201,"msg":"oh no"}}`)
	f("d1:ad$ide1:q4:ping1:y1:qe", `{"transaction_id":"","request_type":"ping","request":{"id":"$"}} malformed_packet`)
	f("d1:ad$ide1:q9:get_peers1:t2:aa1:y1:qe", `{"transaction_id":"6161","request_type":"get_peers","request":{"id":"$"}} malformed_packet`)
	f("d1:rd$ide1:t2:aa1:y1:xe", "none malformed_packet")
	f("d1:rd$ide1:t2:aa1:y1:re!", `{"transaction_id":"6161","response":{"id":"$"}} malformed_packet`)
	f("d1:rd$id1:x"+strings.Repeat("l", 20)+strings.Repeat("e", 20)+"e1:t2:aa1:y1:re", "none malformed_packet")
	f("d1:rd2:id99:a", "none malformed_packet")
	f("d1:eli99999999999999999999ee1:t1:a1:y1:ee", "none malformed_packet")
	f("", "none malformed_packet")
}

// TestContent holds that all of a flow is looked through, and that a message does not
// hide what another protocol sends behind it.
func TestContent(t *testing.T) {
	query := "> d1:ad" + id + "4:note8:a secrete1:q4:ping1:t2:aa1:y1:qe"
	r := protocoltest.Run(Definition(), datagrams(query, "> d1:a another", "> hello"))
	if len(r.Objects) != 1 || string(r.Objects[0].Data) != query[2:]+"d1:a another" || r.Objects[0].State != protocol.ObjectClosed {
		t.Errorf("%+v", r.Objects)
	}
	if r.Status != protocol.Switch || r.SwitchTo != protocol.Unknown || r.Rest != "hello" {
		t.Errorf("status %d to %s with %q", r.Status, r.SwitchTo, r.Rest)
	}
}

func TestProbe(t *testing.T) {
	f := func(b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(protocol.ToServer, []byte(b)); got != want {
			t.Errorf("%q: got %d, want %d", b, got, want)
		}
	}
	f("d1:ad"+id+"e1:q4:ping1:t2:aa1:y1:qe", protocol.Certain)
	f("d1:rd"+id+"e1:t2:aa1:y1:r", protocol.NotForUs)
	f("d1:rd"+id+"e1:t2:aae", protocol.NotForUs)
	f("d8:announce30:http://tracker.example/announcee", protocol.NotForUs)
	f("", protocol.NotForUs)
}

func TestCapture(t *testing.T) {
	var got []string
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "bittorrent-dht", "input.pcap")) {
		for _, c := range d.Chunks {
			if probe(c.Dir, c.Data) != protocol.Certain {
				t.Errorf("%q is not recognised", c.Data)
			}
		}
		got = append(got, shown(t, d)...)
	}
	if len(got) != 16 {
		t.Fatalf("%d messages", len(got))
	}
	want := `{"transaction_id":"6161","client_version":"55543132","response":{"id":"6162636465666768696a30313233343536373839",` +
		`"values":[{"ip":"97.120.106.101","port":11893},{"ip":"105.100.104.116","port":28269}],"token":"616f6575736e7468"}}`
	if diff := cmp.Diff(want, got[7]); diff != "" {
		t.Error(diff)
	}
	if !strings.HasSuffix(got[14], " malformed_packet") {
		t.Errorf("without a transaction: %s", got[14])
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("d1:ad" + id + "e1:q4:ping1:t2:aa1:y1:qe"))
	f.Add([]byte("d1:eli201e5:oh noe1:t2:aa1:y1:ee"))
	f.Add([]byte("d1:rd" + id + "5:nodes26:abcdefghij0123456789\xc0\x00\x02\x01\x1a\xe16:valuesl6:abcdefee1:t2:aa1:y1:re"))
	f.Fuzz(func(t *testing.T, b []byte) {
		probe(protocol.ToServer, b)
		if len(b) > 0 {
			shown(t, datagrams("> "+string(b)))
		}
	})
}
