package worker_test

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/signatures"
)

// listener makes a worker one that replays what was captured, as ids do.
func listener(c *worker.Config) {
	c.Inline, c.Stream.Inline, c.Live, c.Ifaces = false, false, false, nil
	c.Report.Ethernet, c.Report.ARP, c.Report.AppAnomalies = true, true, true
}

// nod sends a bare acknowledgement.
func (r *rig) nod(from int) {
	r.Helper()
	r.send(r.frame(from, r.seq[from], nil, &layers.TCP{ACK: true}))
}

// told gives the alerts so far: rule, packet, direction and where they come from.
func (r *rig) told() (list []string) {
	for _, e := range r.events {
		if e.Alert != nil {
			list = append(list, fmt.Sprintf("%d@%d %s %s", e.Alert.SignatureID, e.PcapCnt, e.Direction, e.PktSrc))
		}
	}
	return list
}

func (r *rig) expect(want ...string) {
	r.Helper()
	if got := r.told(); !slices.Equal(got, want) {
		r.Errorf("alerts %q, want %q", got, want)
	}
}

const ownRules = `alert http any any -> any any (http.uri; content:"/evil"; sid:1;)
alert tcp any any -> any any (content:"secret word"; sid:2;)
`

// TestOwnPacket: in replay a match is told with the next packet of the side whose
// bytes they are, not with the acknowledgement that made them readable.
func TestOwnPacket(t *testing.T) {
	r := withRules(t, ownRules, listener)
	r.open()
	r.data(0, "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n") // packet 4
	r.nod(1)
	r.expect()
	r.nod(0)
	r.expect("1@6 to_server wire/pcap")
	r.data(1, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nsecret word") // packet 7
	r.nod(0)
	r.expect("1@6 to_server wire/pcap")
	r.nod(1)
	r.expect("1@6 to_server wire/pcap", "2@9 to_client wire/pcap")
	for _, e := range r.events {
		if e.Alert != nil && e.Alert.SignatureID == 1 && (e.HTTP == nil || e.HTTP.URL != "/evil") {
			t.Errorf("the alert says nothing of its transaction: %+v", e.HTTP)
		}
	}
}

// TestOwnPacketKeepsTransaction: a match that waits keeps its transaction, though
// others follow on the connection meanwhile.
func TestOwnPacketKeepsTransaction(t *testing.T) {
	r := withRules(t, `alert http any any -> any any (http.stat_msg; content:"Strange"; sid:1;)
`, listener)
	r.open()
	for i := range 4 {
		r.data(0, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i))
	}
	r.data(1, "HTTP/1.1 200 Strange\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	r.nod(0)
	for i := range 4 {
		r.data(0, fmt.Sprintf("GET /more%d HTTP/1.1\r\nHost: x\r\n\r\n", i))
	}
	r.expect()
	r.nod(1)
	r.expect("1@14 to_client wire/pcap")
	for _, e := range r.events {
		if e.Alert != nil && (e.HTTP == nil || e.HTTP.URL != "/0" || e.TxID != 0) {
			t.Errorf("transaction %d: %+v", e.TxID, e.HTTP)
		}
	}
}

// TestOwnPacketNever: what no packet of the sender follows is told when the flow
// ends, with the addresses that the flow had on its link.
func TestOwnPacketNever(t *testing.T) {
	r := withRules(t, ownRules, listener)
	r.open()
	r.data(0, "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n")
	r.nod(1)
	r.expect()
	r.w.Flush()
	r.take()
	r.expect("1@0 to_server stream (flow timeout)")
	for _, e := range r.events {
		if e.Alert != nil && (e.Ether == nil || e.Ether.SrcMAC != "02:00:00:00:00:01" || e.Ether.DestMAC != "02:00:00:00:00:02") {
			t.Errorf("addresses %+v", e.Ether)
		}
	}
}

// TestLiveAtOnce: where somebody waits for it, an alert is told at once.
func TestLiveAtOnce(t *testing.T) {
	r := withRules(t, ownRules, func(c *worker.Config) { c.Inline, c.Stream.Inline = false, false })
	r.open()
	r.data(0, "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n")
	r.nod(1)
	if got := r.told(); len(got) != 1 || !strings.HasPrefix(got[0], "1@") {
		t.Errorf("alerts %q", got)
	}
}

// TestEtherOfEvent: an event that points the other way than its packet has the
// packet's link-layer addresses turned.
func TestEtherOfEvent(t *testing.T) {
	r := withRules(t, ownRules, listener)
	r.open()
	r.data(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r.data(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	r.nod(0)
	r.data(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r.data(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	r.w.Flush()
	r.take()
	n := 0
	for _, e := range r.events {
		if e.Type != "http" && e.Type != "fileinfo" {
			continue
		}
		n++
		src := "02:00:00:00:00:01"
		if e.Src.String() != "10.0.0.2" {
			src = "02:00:00:00:00:02"
		}
		if e.Ether == nil || e.Ether.SrcMAC != src {
			t.Errorf("%s from %s: %+v", e.Type, e.Src, e.Ether)
		}
	}
	if n < 2 {
		t.Errorf("%d events", n)
	}
}

// TestEstablishedFrom: rules take a connection as established from the packet after
// the bare acknowledgement that completes its handshake, and with the data that
// such an acknowledgement brings.
func TestEstablishedFrom(t *testing.T) {
	const rules = `alert tcp any any -> any 9999 (flow:established,to_server; dsize:0; sid:1;)
alert tcp any any -> any 9999 (flow:established,to_server; content:"hello"; sid:2;)
`
	r := withRules(t, rules, nil)
	r.open()
	if got := r.told(); len(got) != 0 {
		t.Errorf("the handshake gave %q", got)
	}
	r.nod(0)
	if got := r.told(); len(got) != 1 {
		t.Errorf("the next packet gave %q", got)
	}
	// The last part of the handshake with data.
	r = withRules(t, rules, nil)
	r.seq = [2]uint32{1000, 9000}
	r.send(r.frame(0, 1000, nil, &layers.TCP{SYN: true}))
	r.seq[0]++
	r.send(r.frame(1, 9000, nil, &layers.TCP{SYN: true, ACK: true}))
	r.seq[1]++
	r.data(0, "hello")
	if got := r.told(); len(got) != 1 || !strings.HasPrefix(got[0], "2@") {
		t.Errorf("data with the acknowledgement gave %q", got)
	}
}

// TestOnce: rules on nothing but ends match once each way, whatever their transport;
// those on a port look at each packet.
func TestOnce(t *testing.T) {
	r := withRules(t, `alert ip any any -> any any (sid:1;)
alert tcp any any -> any any (sid:2;)
alert tcp any any -> any 9999 (sid:3;)
`, nil)
	r.open()
	r.nod(0)
	r.nod(1)
	count := map[uint32]int{}
	for _, e := range r.events {
		if e.Alert != nil {
			count[e.Alert.SignatureID]++
		}
	}
	if count[1] != 2 || count[2] != 2 || count[3] != 3 {
		t.Errorf("alerts by rule: %v", count)
	}
}

// TestMismatchOnce: an anomaly of recognition is matched with the packet that
// brought it, and not again.
func TestMismatchOnce(t *testing.T) {
	r := withRules(t, `alert ip any any -> any any (app-layer-event:applayer_mismatch_protocol_both_directions; sid:1;)
`, listener)
	r.open()
	r.data(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r.data(1, "SSH-2.0-OpenSSH_9.2\r\n")
	r.nod(0)
	r.data(1, "Protocol mismatch.\r\n")
	r.nod(0)
	r.nod(1)
	if got := r.told(); len(got) != 1 {
		t.Errorf("alerts %q", got)
	}
}

// TestBounceInLines finds a PORT command behind other commands.
func TestBounceInLines(t *testing.T) {
	r := withRules(t, `alert tcp any any -> any any (ftpbounce; sid:1;)
`, nil)
	r.port = 21
	r.open()
	r.data(1, "220 ready\r\n")
	r.data(0, "USER anonymous\r\n")
	r.data(1, "230 in\r\n")
	r.data(0, "PORT 10,0,0,2,4,1\r\n") // the client's own address
	if got := r.told(); len(got) != 0 {
		t.Errorf("alerts %q", got)
	}
	r.data(0, "NOOP\r\nPORT 198,51,100,7,0,80\r\n")
	if got := r.told(); len(got) != 1 {
		t.Errorf("alerts %q", got)
	}
}

// TestARP tells of ARP messages with what they say, and of none that is broken.
func TestARP(t *testing.T) {
	r := withRules(t, ownRules, listener)
	msg := []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x06" +
		"\x00\x01\x08\x00\x06\x04\x00\x02\x02\x00\x00\x00\x00\x01\x0a\x00\x00\x02\x02\x00\x00\x00\x00\x02\x0a\x00\x00\x01")
	for n := range len(msg) + 1 {
		r.send(capture.Frame{Data: msg[:n:n], WireLen: uint32(n), Link: capture.LinkEthernet, Num: uint64(n)})
	}
	var got []*events.Event
	for _, e := range r.events {
		if e.Type == "arp" {
			got = append(got, e)
		}
	}
	if len(got) != 1 {
		t.Fatalf("%d events", len(got))
	}
	const want = `"arp":{"hw_type":"ethernet","proto_type":"ipv4","opcode":"reply","src_mac":"02:00:00:00:00:01","src_ip":"10.0.0.2",` +
		`"dest_mac":"02:00:00:00:00:02","dest_ip":"10.0.0.1"}`
	if line := string(events.AppendEVE(nil, got[0])); !strings.Contains(line, want) {
		t.Errorf("%s", line)
	}
}

// TestWouldDrop: in a listener's replay a rule that drops a flow ends what rules say
// of it, and the flow's record tells.
func TestWouldDrop(t *testing.T) {
	r := withRules(t, `drop tcp any any -> any any (content:"drop me"; sid:1;)
alert tcp any any -> any any (content:"afterwards"; sid:2;)
`, listener)
	r.open()
	r.data(0, "drop me")
	r.nod(1)
	r.nod(0)
	r.data(0, "afterwards")
	r.nod(1)
	r.nod(0)
	r.w.Flush()
	r.take()
	if got := r.told(); len(got) != 1 || !strings.HasPrefix(got[0], "1@6") {
		t.Errorf("alerts %q", got)
	}
	for _, e := range r.events {
		if e.Type == "flow" && e.Flow.Action != "drop" {
			t.Errorf("the flow's action is %q", e.Flow.Action)
		}
	}
}

// TestOriginalProtocol: records of a flow that turned to another protocol name the
// one before.
func TestOriginalProtocol(t *testing.T) {
	r := withRules(t, ownRules, listener)
	r.port = 80
	r.open()
	r.data(0, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
	r.data(1, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	r.data(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	r.nod(1)
	r.nod(0)
	r.w.Flush()
	r.take()
	for _, e := range r.events {
		if e.Type == "flow" && (e.AppProto != "http2" || e.AppProtoOrig != "http") {
			t.Errorf("%q after %q", e.AppProto, e.AppProtoOrig)
		}
	}
}

// wire serialises layers into a frame.
func (r *rig) wire(ls ...gopacket.SerializableLayer) capture.Frame {
	r.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		r.Fatal(err)
	}
	r.num++
	return capture.Frame{Data: buf.Bytes(), WireLen: uint32(len(buf.Bytes())), Link: capture.LinkEthernet, Num: r.num, Time: 1e18}
}

// TestCarriedByGRE: GRE around another packet has no flow, so that rules see each
// such packet; the answer of an ICMP flow is told of.
func TestCarriedByGRE(t *testing.T) {
	r := withRules(t, `alert ip any any -> any any (ip_proto:47; sid:1;)
alert ip any any -> any any (msg:"ends"; sid:2;)
`, listener)
	ends := [2]net.IP{{10, 0, 0, 2}, {203, 0, 113, 10}}
	for i, kind := range []uint8{layers.ICMPv4TypeEchoRequest, layers.ICMPv4TypeEchoReply, layers.ICMPv4TypeEchoRequest} {
		from := i % 2
		r.send(r.wire(&layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4},
			&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolGRE, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}},
			&layers.GRE{Protocol: layers.EthernetTypeIPv4},
			&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: ends[from], DstIP: ends[1-from]},
			&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, 0), Id: 7}, gopacket.Payload("ping")))
	}
	r.w.Flush()
	r.take()
	count := map[string]int{}
	for _, e := range r.events {
		switch {
		case e.Alert != nil:
			count[fmt.Sprintf("%d %s", e.Alert.SignatureID, e.Proto)]++
		case e.Type == "flow":
			count["flow "+e.Proto]++
			if !e.ICMPAnswered || e.ICMPType != 8 || e.ResponseICMPType != 0 {
				t.Errorf("%d was answered with %d: %v", e.ICMPType, e.ResponseICMPType, e.ICMPAnswered)
			}
		}
	}
	want := map[string]int{"1 GRE": 3, "2 GRE": 3, "2 ICMP": 2, "flow ICMP": 1}
	if !maps.Equal(count, want) {
		t.Errorf("%v, want %v", count, want)
	}
}

// TestReferences adds what a rule refers to where that is asked for.
func TestReferences(t *testing.T) {
	for _, on := range []bool{false, true} {
		r := withRules(t, `alert tcp any any -> any 9999 (content:"hello"; reference:url,example.com/a; reference:cve,2014-0160; sid:1;)
`, func(c *worker.Config) { c.Report.References = on })
		r.open()
		r.data(0, "hello")
		for _, e := range r.events {
			if e.Alert == nil {
				continue
			}
			if got := len(e.Alert.References); on && (got != 2 || !strings.HasSuffix(e.Alert.References[0], "example.com/a")) || !on && got != 0 {
				t.Errorf("%v: %q", on, e.Alert.References)
			}
		}
		if len(r.told()) != 1 {
			t.Errorf("%d alerts", len(r.told()))
		}
	}
}

// TestWideField: a number of MQTT belongs to the exchange, so that a rule on it
// matches once, though both directions have it.
func TestWideField(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.rules")
	if err := os.WriteFile(path, []byte("alert mqtt any any -> any any (mqtt.flags:!retain,!dup; sid:1;)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	field := func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
		s, ok := tx.State.(interface {
			Field(string, protocol.Dir, int) (uint64, bool)
		})
		if !ok {
			return 0, false
		}
		return s.Field("mqtt.flags", dir, i)
	}
	r := withRules(t, "", func(c *worker.Config) {
		rs, rep := signatures.Load([]string{path}, signatures.Config{Registry: c.Registry, Fields: map[string]signatures.FieldFunc{"mqtt.flags": field}})
		if len(rep.Errors) > 0 {
			t.Fatal(rep.Errors)
		}
		e, err := rs.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if c.Set, err = inspect.NewSet(e, nil, ""); err != nil {
			t.Fatal(err)
		}
	})
	r.port = 1883
	r.open()
	r.data(0, "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a")
	r.data(1, "\x20\x02\x00\x00")
	r.data(0, "\xe0\x00")
	if got := r.told(); len(got) != 2 {
		t.Errorf("two exchanges gave %q", got)
	}
}
