package dhcp

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// message makes a message of an operation and its options; overload fills the
// fields for the server's name and the boot file.
func message(op byte, options string, server, file string) []byte {
	b := make([]byte, headerLen)
	copy(b, []byte{op, 1, 6, 0, 0, 0, 0, 7})
	copy(b[12:], []byte{10, 0, 0, 5})
	copy(b[16:], []byte{10, 0, 0, 6})
	copy(b[20:], []byte{10, 0, 0, 1})
	copy(b[28:], []byte{2, 0, 0, 0, 0, 9})
	copy(b[44:108], server)
	copy(b[108:236], file)
	copy(b[236:], magic)
	return append(b, options...)
}

func dialogue(chunks ...protocoltest.Chunk) protocoltest.Dialogue {
	return protocoltest.Dialogue{UDP: true, SrcPort: 68, DstPort: 67, Chunks: chunks}
}

func TestMessages(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.Run(Definition(), d)
			if len(r.Txs) != 1 {
				t.Fatalf("%d transactions", len(r.Txs))
			}
			got, err := json.Marshal(r.Txs[0].Event.Extra["dhcp"])
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Join(r.Txs[0].Events, " ") != strings.Join(events, " ") {
				t.Errorf("events %v, want %v", r.Txs[0].Events, events)
			}
		})
	}
	server := func(b []byte) protocoltest.Chunk { return protocoltest.Chunk{Dir: protocol.ToClient, Data: b} }
	client := func(b []byte) protocoltest.Chunk { return protocoltest.Chunk{Data: b} }
	head := `"id":7,"client_mac":"02:00:00:00:00:09","assigned_ip":"10.0.0.6","client_ip":"10.0.0.5"`
	f("a request", dialogue(client(message(opRequest, "\x35\x01\x03\x00\x3d\x03\x01\xaa\xbb\x0c\x03pc\x00\x32\x04\x0a\x00\x00\x07\x37\x03\x01\x06\xf0\x3c\x04MSFT\xff", "", ""))),
		`{"type":"request",`+head+`,"dhcp_type":"request","client_id":"aa:bb","hostname":"pc\u0000","requested_ip":"10.0.0.7","params":["subnet_mask","dns_server"],"vendor_class_identifier":"MSFT"}`)
	f("an answer", dialogue(server(message(opReply, "\x35\x01\x05\x33\x04\x00\x00\x0e\x10\x3a\x04\x00\x00\x00\x09\x3b\x04\x00\x00\x00\x0a\x01\x04\xff\xff\xff\x00\x03\x08\x0a\x00\x00\x01\x0a\x00\x00\x02\x06\x04\x08\x08\x08\x08\xff", "", ""))),
		`{"type":"reply",`+head+`,"relay_ip":"0.0.0.0","next_server_ip":"10.0.0.1","dhcp_type":"ack","lease_time":3600,"rebinding_time":10,"renewal_time":9,"subnet_mask":"255.255.255.0",`+
			`"dns_servers":["8.8.8.8"],"routers":["10.0.0.1","10.0.0.2"]}`)
	f("options in other fields", dialogue(client(message(opRequest, "\x34\x01\x03\xff", "\x0c\x02ab\xff", "\x35\x01\x01\xff"))),
		`{"type":"request",`+head+`,"dhcp_type":"discover","hostname":"ab"}`)
	f("no end", dialogue(client(message(opRequest, "\x35\x01\x01", "", ""))), `{"type":"request",`+head+`,"dhcp_type":"discover"}`, eventTruncated)
	f("cut short", dialogue(client(message(opRequest, "\x35\x01\x01\x0c\x09ab", "", ""))), `{"type":"request",`+head+`,"dhcp_type":"discover"}`, eventTruncated)
	f("a time of three bytes", dialogue(client(message(opRequest, "\x33\x03\x01\x02\x03\xff", "", ""))), `{"type":"request",`+head+`}`, eventMalformed)
	brief := dialogue(server(message(opReply, "\x35\x01\x05\x33\x04\x00\x00\x0e\x10\xff", "", "")))
	brief.Limits = protocol.DefaultLimits()
	brief.Limits.DHCP.Brief = true
	f("in brief", brief, `{"type":"reply","id":7,"client_mac":"02:00:00:00:00:09","assigned_ip":"10.0.0.6","dhcp_type":"ack"}`)
}

// TestFields holds that rules see the numbers of the direction that has them.
func TestFields(t *testing.T) {
	r := protocoltest.Run(Definition(), dialogue(protocoltest.Chunk{Dir: protocol.ToClient, Data: message(opReply, "\x33\x04\x00\x00\x00\x05\x3a\x04\x00\x00\x00\x06\x3b\x04\x00\x00\x00\x07\x33\x04\x00\x00\x00\x08\xff", "", "")}))
	m := r.Parser.Txs().Live[0].State.(*Message)
	f := func(name string, dir protocol.Dir, i int, want uint64, ok bool) {
		t.Helper()
		if v, found := m.Field(name, dir, i); v != want || found != ok {
			t.Errorf("%s %s %d: %d %v", name, dir, i, v, found)
		}
	}
	f("dhcp.leasetime", protocol.ToClient, 0, 5, true)
	f("dhcp.leasetime", protocol.ToClient, 1, 8, true)
	f("dhcp.leasetime", protocol.ToClient, 2, 0, false)
	f("dhcp.leasetime", protocol.ToServer, 0, 0, false)
	f("dhcp.renewal_time", protocol.ToClient, 0, 6, true)
	f("dhcp.rebinding_time", protocol.ToClient, 0, 7, true)
}

// TestCaptures holds that captured messages are recognised, and read to their end.
func TestCaptures(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(protocoltest.Shared(t, "suricata-verify", "tests"), "dhcp-*", "*.pcap"))
	seen := 0
	for _, name := range names {
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
		for _, d := range protocoltest.Dialogues(t, name) {
			if !d.UDP || d.DstPort != 67 {
				continue
			}
			for _, c := range d.Chunks {
				if probe(c.Dir, c.Data) != protocol.Certain {
					t.Errorf("%s: a message is not recognised", name)
				}
			}
			for _, tx := range protocoltest.Run(Definition(), d).Txs {
				if seen++; len(tx.Events) > 0 {
					t.Errorf("%s: %v", name, tx.Events)
				}
			}
		}
	}
	if len(names) > 0 && seen == 0 {
		t.Error("no message was read")
	}
}

func FuzzDHCP(f *testing.F) {
	f.Add(message(opRequest, "\x35\x01\x03\x34\x01\x03\x0c\x02pc\xff", "\x0c\x02ab\xff", "\x35\x01\x01"))
	f.Add(message(opReply, "\x33\x04\x00\x00\x0e\x10\x37\x02\x01\x03\x06\x05\x01\x02\x03\x04\x05", "", ""))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := protocoltest.Run(Definition(), dialogue(protocoltest.Chunk{Data: b}, protocoltest.Chunk{Dir: 1, Data: b}))
		for _, tx := range r.Parser.Txs().Live {
			tx.State.(*Message).Field("dhcp.leasetime", tx.State.(*Message).Dir, 1)
		}
		probe(protocol.ToServer, b)
	})
}
