package enip

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

func le16(v int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }

// message makes a message of the encapsulation; its context is the number n.
func message(command, status, n byte, body string) string {
	b := make([]byte, headerLen)
	b[0], b[4], b[8], b[12] = command, 1, status, n
	binary.LittleEndian.PutUint16(b[2:], uint16(len(body)))
	return string(b) + body
}

func item(typ int, data string) string { return le16(typ) + le16(len(data)) + data }

// unconnected and connected carry a message of CIP.
func unconnected(n byte, cip string) string {
	return message(cmdSendRRData, 0, n, "\x00\x00\x00\x00\x00\x00\x02\x00"+item(0, "")+item(itemUnconnected, cip))
}

func connected(seq int, cip string) string {
	return message(cmdSendUnitData, 0, 0, "\x00\x00\x00\x00\x00\x00\x02\x00"+item(0xa1, "abcd")+item(itemConnected, le16(seq)+cip))
}

// request makes a request for class, instance and attribute, response an answer.
func request(service, class, instance, attribute byte, data string) string {
	return string([]byte{service, 3, 0x20, class, 0x24, instance, 0x30, attribute}) + data
}
func response(service, status byte, data string) string {
	return string([]byte{service | responseBit, 0, status, 0}) + data
}

// several makes a multiple service packet's data.
func several(parts ...string) string {
	head, body := le16(len(parts)), ""
	for _, p := range parts {
		head += le16(2 + 2*len(parts) + len(body))
		body += p
	}
	return head + body
}

const product = "1756-ENBT/A"

var identityItem = item(itemIdentity, "\x01\x00\x00\x02\xaf\x12\x0a\x01\x01\xa4"+strings.Repeat("\x00", 8)+"\x01\x00\x0c\x00\x3a\x00\x04\x03\x30\x00\x8e\x4d\x52\x00\x0b"+product+"\x03")

func show(tx protocoltest.Tx) string {
	b, err := json.Marshal(tx.Event.Extra["enip"])
	if err != nil {
		return err.Error()
	}
	s := strings.ReplaceAll(string(b), `"`, "")
	if len(tx.Events) > 0 {
		s += fmt.Sprint(" ", tx.Events)
	}
	return s
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			for i, tx := range slices.DeleteFunc(slices.Clone(r.Txs), func(tx protocoltest.Tx) bool { return tx.Log == nil }) {
				if i >= len(want) {
					t.Errorf("one more: %s", show(tx))
					continue
				}
				for _, part := range strings.Split(want[i], " & ") {
					if got := show(tx); !strings.Contains(got, part) {
						t.Errorf("%d: %s\nhas no %s", i, got, part)
					}
				}
				if tx.Progress != over {
					t.Errorf("%d: progress %v", i, tx.Progress)
				}
			}
			if len(r.Txs) < len(want) {
				t.Errorf("%d transactions, want %d", len(r.Txs), len(want))
			}
		})
	}
	tcp := func(turns ...string) protocoltest.Dialogue { return protocoltest.TCP(44818, turns...) }
	f("identity", tcp("> "+message(cmdListIdentity, 0, 1, ""), "< "+message(cmdListIdentity, 0, 1, "\x01\x00"+identityItem)),
		"{request:{command:list_identity,status:success},response:{command:list_identity,status:success,identity:{protocol_version:1,revision:4.3,"+
			"vendor_id:Rockwell Automation/Allen-Bradley,device_type:Communications Adapter,product_code:58,status:48,serial:5393806,product_name:1756-ENBT/A,state:3}}}")
	f("services", tcp("> "+message(cmdListServices, 0, 1, ""), "< "+message(cmdListServices, 0, 1, "\x01\x00"+item(itemServices, "\x01\x00\x20\x01Communications\x00\x00"))),
		"list_services:{protocol_version:1,capabilities:288,service_name:Communications}")
	f("session", tcp("> "+message(cmdRegisterSession, 0, 1, "\x01\x00\x00\x00"), "< "+message(cmdRegisterSession, 0x69, 1, "\x01\x00\x00\x00"), "> "+message(cmdUnregisterSession, 0, 2, "")),
		"register_session:{protocol_version:1,options:0} & response:{command:register_session,status:unsupported_prot_rev", "{request:{command:unregister_session,status:success}}")
	f("attribute", tcp("> "+unconnected(1, request(0x0e, 1, 1, 7, "")), "< "+unconnected(1, response(0x0e, 0x14, ""))),
		"cip:{service:get_attr_single,path:[{segment_type:class,value:1},{segment_type:instance,value:1},{segment_type:attribute,value:7}],class_name:Identity}"+
			" & cip:{service:get_attr_single,status:attribute_not_supported}")
	f("extended", tcp("> "+unconnected(1, "\x54\x02\x20\x06\x24\x01"), "< "+unconnected(1, "\xd4\x00\x01\x01\x00\x01")),
		"service:forward_open & status:connection_failure,status_extended:0001,status_extended_meaning:Connection In Use")
	f("several", tcp("> "+connected(5, "\x0a\x02\x20\x02\x24\x01"+several(request(0x10, 4, 3, 3, "x"), "\x4c\x04\x91\x05speed\x00\x01\x00")),
		"< "+connected(5, response(0x0a, 0, several(response(0x10, 0, ""), response(0x4c, 5, ""))))),
		"multiple:[{service:set_attr_single & class_name:Assembly},{service:open_connection,path:[{segment_type:symbol,name:speed}]}] & multiple:[{service:set_attr_single,status:success},{service:open_connection,status:path_destination_unknown}]")
	f("sent on", tcp("> "+unconnected(1, "\x52\x02\x20\x06\x24\x01\x05\x0a\x06\x00\x07\x02\x20\x8e\x24\x01\x01\x00\x01\x00")),
		"service:unconnected_send & multiple:[{service:stop,path:[{segment_type:class,value:142}")
	f("out of order", tcp("> "+unconnected(1, request(0x0e, 1, 1, 1, ""))+unconnected(2, request(0x0e, 1, 1, 2, "")), "< "+unconnected(2, response(0x0e, 0, ""))+unconnected(1, response(0x0e, 5, ""))),
		"value:1}] & status:path_destination_unknown", "value:2}] & status:success")
	f("no request", tcp("< "+unconnected(9, response(0x0e, 0, ""))), "{response:")
	f("unknown command", tcp("> "+message(0x99, 0, 1, "xyz")+message(cmdListServices, 0, 1, "")), "command:153 & [invalid_pdu]", "list_services")
	f("broken", tcp("> "+message(cmdSendRRData, 0, 1, "\x00\x00\x00\x00\x00\x00\x02\x00"+item(0, "")+"\xb2\x00\xff\xff")+unconnected(2, "\x0e\x09\x20")+unconnected(3, "\x0e\x01\x23\x01")+message(cmdRegisterSession, 0, 4, "")),
		"[invalid_pdu]", "[invalid_pdu]", "[invalid_pdu]", "[invalid_pdu]")
	f("too many services", tcp("> "+unconnected(1, "\x0a\x02\x20\x02\x24\x01"+several(slices.Repeat([]string{"\x01\x00"}, 300)...))), "[invalid_pdu]")
	udp := protocoltest.Dialogue{UDP: true, Chunks: []protocoltest.Chunk{{Data: []byte(message(cmdListIdentity, 0, 1, ""))}, {Dir: 1, Data: []byte(message(cmdListIdentity, 0, 1, "\x01\x00"+identityItem))},
		{Data: []byte(message(cmdListIdentity, 0, 1, "")[:20])}}}
	f("datagrams", udp, product, "[invalid_pdu]")
	gap := tcp("> " + unconnected(1, request(0x0e, 1, 1, 1, ""))[:30])
	gap.Chunks = append(gap.Chunks, protocoltest.Chunk{Gap: 9}, protocoltest.Chunk{Data: []byte("of another")}, protocoltest.Chunk{Data: []byte(unconnected(2, request(0x05, 1, 1, 1, "")))})
	r := protocoltest.Run(Definition(), gap)
	if len(r.Txs) != 2 || !strings.Contains(show(r.Txs[1]), "service:reset") || !r.Sink.Contains("of another") {
		t.Errorf("after a gap: %+v", r.Txs)
	}
}

// TestRules holds what rules are told.
func TestRules(t *testing.T) {
	f := func(dir protocol.Dir, turn, name string, want ...uint64) {
		t.Helper()
		r := protocoltest.Run(Definition(), protocoltest.TCP(44818, turn))
		var got []uint64
		for i := 0; ; i++ {
			v, ok := r.Parser.Txs().Live[0].State.(*Transaction).Field(name, dir, i)
			if !ok {
				break
			}
			got = append(got, v)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %s: %v, want %v", dir, name, got, want)
		}
	}
	listed := "> " + unconnected(1, "\x03\x02\x20\xf6\x24\x01\x02\x00\x01\x00\x05\x00")
	f(0, listed, "enip_command", cmdSendRRData)
	f(1, listed, "enip_command")
	f(0, listed, "cip_service", PackService(3, 246, 1), PackService(3, 246, 5))
	f(0, listed, "enip.cip_attribute", 1, 5)
	f(0, listed, "enip.cip_class", 246)
	f(0, listed, "enip.cip_instance", 1)
	f(0, listed, "enip.cip_status")
	two := "< " + connected(5, response(0x0a, 0x1e, several(response(0x10, 0, ""), "\xcc\x00\x05\x01\x34\x12")))
	f(1, two, "enip.cip_status", 0x1e, 0, 5)
	f(1, two, "enip.cip_extendedstatus", 0x1234)
	f(1, two, "cip_service", PackService(0x0a, partMask, partMask), PackService(0x10, partMask, partMask), PackService(0x4c, partMask, partMask))
	id := "< " + message(cmdListIdentity, 0, 1, "\x01\x00"+identityItem)
	for name, want := range map[string]uint64{"enip.status": 0, "enip.protocol_version": 1, "enip.revision": 0x403, "enip.identity_status": 0x30, "enip.state": 3,
		"enip.serial": 0x524d8e, "enip.product_code": 58, "enip.device_type": 12, "enip.vendor_id": 1} {
		f(1, id, name, want)
	}
	services := message(cmdListServices, 0, 1, "\x01\x00"+item(itemServices, "\x01\x00\x20\x01Communications\x00\x00"))
	f(1, "< "+services, "enip.capabilities", 288)
	r := protocoltest.Run(Definition(), protocoltest.TCP(44818, id, "< "+services))
	if got := r.Txs[0].Buffers["to_client enip.product_name"]; !slices.Equal(got, []string{product}) {
		t.Errorf("product %q", got)
	}
	if got := r.Txs[1].Buffers["to_client enip.service_name"]; !slices.Equal(got, []string{"Communications"}) {
		t.Errorf("service %q", got)
	}
}

// TestFlood holds that requests without answers are bounded, and told of.
func TestFlood(t *testing.T) {
	var all strings.Builder
	for i := range 12 {
		all.WriteString(message(cmdListIdentity, 0, byte(i), ""))
	}
	d := protocoltest.TCP(44818, "> "+all.String())
	d.Limits = protocol.DefaultLimits()
	d.Limits.TxOf[protocol.ENIP] = 10
	r := protocoltest.CheckCuts(t, Definition(), d)
	for i, tx := range r.Txs {
		if (len(tx.Events) > 0) != (i < 2) {
			t.Errorf("%d: %v", i, tx.Events)
		}
	}
}

// TestObjects holds that what is written is looked through, under the name of its tag.
func TestObjects(t *testing.T) {
	r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(44818, "> "+unconnected(1, "\x4d\x07\x91\x04line\x91\x06recipe\xd0\x00\x10\x00top secret"),
		"> "+unconnected(2, "\x0a\x02\x20\x02\x24\x01"+several(request(0x10, 4, 3, 3, "4111111111111111")))))
	if len(r.Objects) != 2 || r.Objects[0].Name != "line.recipe" || !r.Sink.Contains("top secret") || string(r.Objects[1].Data) != "4111111111111111" {
		t.Errorf("%+v", r.Objects)
	}
	e := r.Txs[0].Event.Extra["enip"].(eveENIP)
	e.Mask(func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "recipe", "+++")) })
	if b, _ := json.Marshal(e); strings.Contains(string(b), "recipe") {
		t.Errorf("not masked: %s", b)
	}
}

// TestStray holds that what is not understood is looked through all the same.
func TestStray(t *testing.T) {
	for _, sent := range []string{message(cmdNOP, 0, 1, "top secret"), message(0x99, 0, 1, "top secret"), message(cmdSendRRData, 0, 1, "\x00\x00\x00\x00\x00\x00\x05\x00top secret"),
		message(cmdSendRRData, 0, 1, "\x00\x00\x00\x00\x00\x00\x01\x00"+item(0x999, "this is top secret")), message(cmdNOP, 0, 1, "top secret")[:34]} {
		r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(44818, "> "+message(cmdListServices, 0, 1, "")+sent))
		if !r.Sink.Contains("top secret") {
			t.Errorf("%q: %+v", sent, r.Objects)
		}
	}
}

func TestPath(t *testing.T) {
	f := func(in string, ok bool, want ...Segment) {
		t.Helper()
		got, good := path([]byte(in))
		if fmt.Sprint(got) != fmt.Sprint(want) || good != ok {
			t.Errorf("%x: %v %v, want %v %v", in, got, good, want, ok)
		}
	}
	f("\x21\x00\x34\x12\x26\x00\x78\x56\x34\x12", true, Segment{Type: SegClass, Value: 0x1234}, Segment{Type: SegInstance, Value: 0x12345678})
	f("\x01\x05\x12\x0310.\x00\x34\x04\x01\x00\x0c\x00\x3a\x00\x04\x03\x20\x01", true, Segment{Type: SegPort, Value: 1}, Segment{Type: SegPort, Value: 2}, Segment{Type: SegSpecial}, Segment{Type: SegClass, Value: 1})
	f("\x63abc\x80\x01\x00\x00\x43\x01", true, Segment{Type: SegSymbol, Name: []byte("abc")}, Segment{Type: SegData}, Segment{Type: SegNetwork})
	f("\x91\x20abc", false)
	f("\x20", false)
	f("\xe0\x00", false)
	f("\x23\x00\x01\x00", false)
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%q: got %d, want %d", b, got, want)
		}
	}
	register := message(cmdRegisterSession, 0, 1, "\x01\x00\x00\x00")
	f(0, register, protocol.Certain)
	f(0, register[:24], protocol.Certain)
	f(0, register[:5], protocol.Unsure)
	f(0, message(cmdNOP, 0, 0, "")+register, protocol.Certain)
	f(0, strings.Repeat("\x00", 100), protocol.Unsure)
	f(0, message(cmdNOP, 0, 0, "")+"GET", protocol.NotForUs)
	f(0, message(cmdRegisterSession, 1, 1, "\x01\x00\x00\x00"), protocol.NotForUs)
	f(1, message(cmdRegisterSession, 1, 1, "\x01\x00\x00\x00"), protocol.Certain)
	f(0, message(cmdListIdentity, 0, 1, "abc"), protocol.NotForUs)
	f(0, "p\x00\x10 GET / HTTP/1.1\r\nHost: x", protocol.NotForUs)
	f(0, "GET / HTTP/1.1\r\nHost: x\r\n", protocol.NotForUs)
	f(0, message(0x99, 0, 1, "xyz"), protocol.Certain)
	f(1, message(0x99, 1, 1, ""), protocol.Certain)
	f(0, message(0x99, 1, 1, ""), protocol.NotForUs)
	f(0, message(0x99, 0, 1, "xyz")+"x", protocol.NotForUs)
	f(0, message(0x99, 0, 1, "")[:23], protocol.NotForUs)
	if probeDatagram(0, []byte(register+"x")) != protocol.NotForUs || probeDatagram(0, []byte(register)) != protocol.Certain {
		t.Error("datagrams")
	}
}

// TestCaptured follows a real controller.
func TestCaptured(t *testing.T) {
	n, answered := 0, 0
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "enip-keywords", "enip_cip_example.pcap")) {
		if d.DstPort != 44818 || len(d.Chunks) == 0 || d.UDP {
			continue
		}
		for _, tx := range protocoltest.CheckCuts(t, Definition(), d).Txs {
			n++
			if len(tx.Events) > 0 {
				t.Errorf("%d: %v", tx.ID, tx.Events)
			}
			if e := tx.Event.Extra["enip"].(eveENIP); e.Request != nil && e.Response != nil {
				answered++
			}
		}
	}
	if n != 135 || answered != 134 {
		t.Errorf("%d transactions, %d with an answer", n, answered)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(message(cmdListIdentity, 0, 1, "")), []byte(message(cmdListIdentity, 0, 1, "\x01\x00"+identityItem)))
	f.Add([]byte(unconnected(1, "\x52\x02\x20\x06\x24\x01\x05\x0a\x06\x00\x07\x02\x20\x8e\x24\x01\x01\x00\x01\x00")), []byte(unconnected(1, response(0x0e, 0, "abc"))))
	f.Add([]byte(connected(5, "\x0a\x02\x20\x02\x24\x01"+several(request(0x10, 4, 3, 3, "x"), "\x4c\x04\x91\x05speed\x00\x01\x00"))), []byte(message(cmdNOP, 0, 0, "abc")))
	f.Add([]byte("c"), []byte(nil))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		one := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: client}, {Dir: 1, Data: server}}}
		var parts protocoltest.Dialogue
		for _, c := range one.Chunks {
			for k := range c.Data {
				parts.Chunks = append(parts.Chunks, protocoltest.Chunk{Dir: c.Dir, Data: c.Data[k : k+1]})
			}
		}
		want, got := protocoltest.Run(Definition(), one), protocoltest.Run(Definition(), parts)
		if diff := protocoltest.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		for _, tx := range want.Parser.Txs().Live {
			if tx.State == nil {
				continue
			}
			for _, name := range []string{"cip_service", "enip.cip_attribute", "enip.cip_extendedstatus", "enip.serial"} {
				tx.State.(*Transaction).Field(name, 0, 3)
			}
		}
		for _, tx := range want.Txs {
			if _, err := json.Marshal(tx.Event.Extra); err != nil {
				t.Fatal(err)
			}
		}
		one.UDP = true
		protocoltest.Run(Definition(), one)
		probe(0, client)
		probeDatagram(1, server)
	})
}
