package rdp

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// packet makes a packet of a code of X.224 with what follows its header.
func packet(code byte, body string) string {
	head := string([]byte{code, 0, 0, 0, 0, 0})
	n := len(head) + len(body)
	if code == x224Data {
		head, n = "\xf0\x80", 2
	}
	b := binary.BigEndian.AppendUint16([]byte{3, 0}, uint16(tpktLen+1+len(head)+len(body)))
	return string(append(b, byte(n))) + head + body
}

func nego(typ, flags byte, v uint32) string {
	return string(binary.LittleEndian.AppendUint32([]byte{typ, flags, 8, 0}, v))
}

func wide(s string, n int) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(append(b, make([]byte, n-len(b))...))
}

func u16(v uint16) string { return string(binary.LittleEndian.AppendUint16(nil, v)) }
func u32(v uint32) string { return string(binary.LittleEndian.AppendUint32(nil, v)) }

func block(typ uint16, body string) string { return u16(typ) + u16(uint16(4+len(body))) + body }

// connect makes Connect-Initial or, with its mark, Connect-Response.
func connect(tag byte, mark, blocks string) string {
	n := len(blocks)
	return packet(x224Data, "\x7f"+string(tag)+"\x82\x01\x00\x04\x01\x01 and what is always the same "+mark+string([]byte{byte(n>>8) | 0x80, byte(n)})+blocks)
}

var core = block(clientCore, u32(0x80004)+u16(1280)+u16(1024)+u16(0xca01)+u16(0xaa03)+u32(0x409)+u32(2600)+wide("WORKSTATION", 32)+u32(4)+u32(0)+u32(12)+wide("", 64)+
	u16(0xca01)+u16(1)+u32(0)+u16(16)+u16(7)+u16(1)+wide("55274-OEM", 64)+"\x06\x00"+u32(0))

func c(s string) string { return "> " + s }
func s(s string) string { return "< " + s }

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, status protocol.Status, records ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			var got []string
			for _, tx := range r.Txs {
				b, err := json.Marshal(tx.Event.Extra["rdp"])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(b))
			}
			if diff := cmp.Diff(records, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if r.Status != status || status == protocol.Switch && r.SwitchTo != protocol.TLS {
				t.Errorf("status %d to %s", r.Status, r.SwitchTo)
			}
		})
	}
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(3389, turns...) }
	asked := packet(x224Request, "Cookie: mstshash=anna\r\n"+nego(negRequest, 9, 3))
	request := `{"tx_id":0,"event_type":"initial_request","cookie":"anna","flags":["restricted_admin_mode_required","correlation_info_present"]}`
	f("over to TLS", tcp(c(asked), s(packet(x224Confirm, nego(negResponse, 3, 2)))), protocol.Switch, request,
		`{"tx_id":1,"event_type":"initial_response","server_supports":["extended_client_data","dynvc_gfx"],"protocol":"hybrid"}`)
	f("turned down", tcp(c(asked), s(packet(x224Confirm, nego(negFailure, 0, 5)))), protocol.Continue, request,
		`{"tx_id":1,"event_type":"initial_response","error_code":5,"reason":"hybrid required by server"}`)
	f("without TLS", tcp(c(packet(x224Request, "")), s(packet(x224Confirm, "")), c(connect(0x65, "Duca", core+block(clientNet, u32(2)+"rdpdr\x00\x00\x00"+u32(1)+"cliprdr\x00"+u32(2)))),
		s(connect(0x66, "McDn", block(serverSecurity, u32(2)+u32(2))))), protocol.Continue,
		`{"tx_id":0,"event_type":"initial_request"}`, `{"tx_id":1,"event_type":"initial_response"}`,
		`{"tx_id":2,"event_type":"connect_request","client":{"version":"v5","desktop_width":1280,"desktop_height":1024,"color_depth":16,"keyboard_layout":"en-US","build":"Windows XP",`+
			`"client_name":"WORKSTATION","keyboard_type":"enhanced","function_keys":12,"product_id":1,"capabilities":["support_errinfo_pdf"],"id":"55274-OEM","connection_hint":"lan"},`+
			`"channels":["rdpdr","cliprdr"]}`, `{"tx_id":3,"event_type":"connect_response"}`)
	f("no beginning of it", tcp(c("GET / HTTP/1.1\r\n\r\n")), protocol.Continue)
	f("settings that are cut short", tcp(c(packet(x224Request, "")), c(connect(0x65, "Duca", block(clientCore, u32(0x80004)))), c(connect(0x65, "none", ""))), protocol.Continue,
		`{"tx_id":0,"event_type":"initial_request"}`, `{"tx_id":1,"event_type":"connect_request"}`, `{"tx_id":2,"event_type":"connect_request"}`)
}

// TestNoBeginning holds that what is no packet is looked through from its first byte on.
func TestNoBeginning(t *testing.T) {
	f := func(data string, gap uint64) {
		t.Helper()
		d := protocoltest.TCP(3389, c(data))
		if gap > 0 {
			d.Chunks = append(d.Chunks, protocoltest.Chunk{Gap: gap})
		}
		r := protocoltest.CheckCuts(t, Definition(), d)
		if len(r.Objects) != 1 || string(r.Objects[0].Data) != data || r.Objects[0].Missing != gap {
			t.Errorf("%q: %+v", data, r.Objects)
		}
	}
	f("GET / HTTP/1.1\r\n\r\n", 0)
	f("\x03\x00\xff\xff and more", 0)
	f("\x03\x00\x00\x40 that is cut short", 0)
	f("\x03\x00\x00\x40 that is cut short", 9)
}

// TestUnfinished holds that a client's first packet is looked through where the server
// does not wait for all of it.
func TestUnfinished(t *testing.T) {
	const part = "\x03\x00\x00\x40 a part"
	f := func(name, answer string) {
		t.Helper()
		r := protocoltest.Run(Definition(), protocoltest.TCP(3389, c(part), s(answer)))
		for _, o := range r.Objects {
			if o.Dir == protocol.ToServer && string(o.Data) == part {
				return
			}
		}
		t.Errorf("%s: %+v", name, r.Objects)
	}
	f("settings", connect(0x66, "McDn", block(serverSecurity, u32(2)+u32(2))))
	f("TLS", packet(x224Confirm, nego(negResponse, 3, 2)))
}

// TestUnread holds that what is encrypted is told, and what is not is looked through.
func TestUnread(t *testing.T) {
	f := func(method uint32, encrypted uint64, seen bool) {
		t.Helper()
		r := protocoltest.Run(Definition(), protocoltest.TCP(3389, c(packet(x224Request, "")), s(connect(0x66, "McDn", block(serverSecurity, u32(method)+u32(2)))), c("\x00\x0bsomething")))
		if e, o := r.Parser.(protocol.Opaque).Unread(protocol.ToServer); e != encrypted || o != 0 {
			t.Errorf("method %d: %d encrypted, %d other", method, e, o)
		}
		if got := string(r.Objects[0].Data); r.Objects[0].Dir != protocol.ToServer || strings.HasSuffix(got, "something") != seen {
			t.Errorf("method %d: %q is looked through", method, got)
		}
	}
	f(2, 11, false)
	f(0, 0, true)
}

func TestProbe(t *testing.T) {
	f := func(name string, dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	f("a cookie", protocol.ToServer, packet(x224Request, "Cookie: mstshash=x\r\n"), protocol.Certain)
	f("part of it", protocol.ToServer, packet(x224Request, "Cookie: mstshash=x\r\n")[:14], protocol.Unsure)
	f("a negotiation", protocol.ToServer, packet(x224Request, nego(negRequest, 0, 1)), protocol.Certain)
	f("neither", protocol.ToServer, packet(x224Request, ""), protocol.Unsure)
	f("a controller's", protocol.ToServer, packet(x224Request, "\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02"), protocol.NotForUs)
	f("an answer", protocol.ToClient, packet(x224Confirm, nego(negResponse, 0, 1)), protocol.Certain)
	f("an answer to a controller", protocol.ToClient, packet(x224Confirm, "\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02"), protocol.NotForUs)
	f("an answer of the client", protocol.ToServer, packet(x224Confirm, nego(negResponse, 0, 1)), protocol.NotForUs)
	f("text", protocol.ToServer, "hello world", protocol.NotForUs)
}

// TestCapture holds what is read of a captured connection.
func TestCapture(t *testing.T) {
	d := protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "rdp-protocol", "RDP-003.pcap"))
	r := protocoltest.Run(Definition(), d[0])
	var kinds []string
	for _, tx := range r.Txs {
		kinds = append(kinds, tx.Event.Extra["rdp"].(*eveRDP).EventType)
	}
	if got := strings.Join(kinds, " "); got != "initial_request initial_response connect_request connect_response" {
		t.Error(got)
	}
}

func FuzzRDP(f *testing.F) {
	f.Add([]byte(packet(x224Request, "Cookie: mstshash=a\r\n"+nego(negRequest, 1, 3))), []byte(packet(x224Confirm, nego(negResponse, 3, 0))), []byte(connect(0x65, "Duca", core)))
	f.Add([]byte(packet(x224Request, "")), []byte(connect(0x66, "McDn", block(serverSecurity, u32(2)))), []byte("\x03\x00\x00\x04"))
	f.Fuzz(func(t *testing.T, a, b, more []byte) {
		d := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: a}, {Dir: 1, Data: b}, {Data: more}, {Gap: 3}, {Data: a}, {Dir: 1, Gap: 1}, {Dir: 1, Data: b}}}
		if err := protocoltest.Run(Definition(), d).Sink.Check(); err != nil {
			t.Fatal(err)
		}
		probe(protocol.ToServer, a)
		probe(protocol.ToClient, b)
	})
}
