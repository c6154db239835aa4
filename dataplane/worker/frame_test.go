package worker_test

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/dataplane/capture"
	"sluice/dataplane/worker"
	"sluice/events"
)

// framed gives what events say of frames: the rule, or "-" for a record of its own.
func (r *rig) framed() (list []string) {
	r.Helper()
	for _, e := range r.events {
		f, ok := e.Extra["frame"].(*events.Frame)
		if !ok {
			continue
		}
		who := "-"
		if e.Alert != nil {
			who = fmt.Sprint(e.Alert.SignatureID)
		} else if e.Type != "frame" {
			r.Fatalf("a frame in an event of type %s", e.Type)
		}
		at := "datagram"
		if f.StreamOffset != nil {
			at = fmt.Sprint(*f.StreamOffset)
		}
		list = append(list, fmt.Sprintf("%s %s %s %s+%d", who, f.Direction, f.Type, at, f.Length))
	}
	r.events = nil
	return list
}

// talk sends turns of client ("> ") and server ("< "), in pieces of at most bound
// bytes, and ends the flow.
func (r *rig) talk(rnd *rand.Rand, bound int, turns ...string) {
	r.Helper()
	r.open()
	for _, t := range turns {
		from := strings.IndexByte("><", t[0])
		for text := t[2:]; len(text) > 0; {
			n := min(1+rnd.Intn(bound), len(text))
			r.data(from, text[:n])
			r.send(r.frame(1-from, r.seq[1-from], nil, &layers.TCP{ACK: true}))
			text = text[n:]
		}
	}
	r.w.Flush()
	r.take()
}

const longMail = 90 << 10

var mailTurns = []string{"< 220 mx ESMTP\r\n", "> EHLO a\r\n", "< 250 mx\r\n", "> MAIL FROM:<a@example.test>\r\n", "< 250 ok\r\n", "> RCPT TO:<b@example.test>\r\n", "< 250 ok\r\n",
	"> DATA\r\n", "< 354 go\r\n", "> Subject: one\r\n\r\n" + strings.Repeat("line of text\r\n", longMail/14) + "needle-at-the-end\r\n.\r\n", "< 250 taken\r\n", "> QUIT\r\n", "< 221 bye\r\n"}

const (
	upgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Version: 13\r\n\r\n"
	upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// ldapMessage makes a message of LDAP with a number and an operation of nine bytes.
func ldapMessage(id, op string) string { return "\x30\x0c\x02\x01" + id + op }

// words makes numbers of four bytes.
func words(list ...uint32) string {
	var b []byte
	for _, n := range list {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return string(b)
}

// TestFrames has rules look at frames of what is sent in one piece, and finds the
// same of it cut in any way.
func TestFrames(t *testing.T) {
	mailSize := len(mailTurns[9]) - 2
	for name, c := range map[string]struct {
		port  uint16
		rules []string
		turns []string
		want  []string
	}{
		"mail": {25, []string{
			`alert smtp any any -> any any (frame:command_line; content:"MAIL FROM"; startswith; content:">|0d 0a|"; endswith; sid:1;)`,
			`alert smtp any any -> any any (frame:smtp.response_line; content:"250 "; startswith; content:"taken"; sid:2;)`,
			`alert tcp any any -> any any (flow:to_server; frame:smtp.data; content:"Subject"; startswith; sid:3;)`,
			`alert smtp any any -> any any (frame:smtp.data; content:"needle-at-the-end"; sid:4;)`,
			// What is said of the end waits for it.
			`alert smtp any any -> any any (frame:smtp.data; content:"|0d 0a|.|0d 0a|"; endswith; sid:5;)`,
			`alert smtp any any -> any any (frame:smtp.data; content:!"no-such-text"; sid:6;)`,
			`alert smtp any any -> any any (frame:smtp.data; content:!"needle-at-the-end"; sid:7;)`,
			// A frame begins and ends where its protocol says.
			`alert smtp any any -> any any (frame:smtp.data; content:"DATA"; sid:8;)`,
			`alert smtp any any -> any any (frame:smtp.command_line; content:"Subject"; sid:9;)`,
			`alert smtp any any -> any any (frame:smtp.command_line; content:"mail from"; startswith; sid:10;)`,
			`alert smtp any any -> any any (frame:smtp.command_line; to_lowercase; content:"mail from"; startswith; sid:11;)`,
			`alert smtp any any -> any any (frame:smtp.stream; content:"QUIT"; sid:12;)`,
		}, mailTurns, []string{"1 toserver command_line 8+28", "11 toserver command_line 8+28", "12 toserver stream 0", "2 toclient response_line 46+11",
			"3 toserver data 68", "4 toserver data 68", fmt.Sprintf("5 toserver data 68+%d", mailSize), fmt.Sprintf("6 toserver data 68+%d", mailSize)}},
		"web": {80, []string{
			`alert http any any -> any any (frame:http1.request; content:"POST"; startswith; content:"body"; distance:0; sid:1;)`,
			`alert http1 any any -> any any (frame:response; content:"HTTP/1.1 200"; startswith; content:"bye"; endswith; sid:2;)`,
			`alert tcp any any -> any any (frame:http1.request; bsize:>30; content:"GET"; startswith; sid:3;)`,
		}, []string{"> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET /b HTTP/1.1\r\nHost: a\r\n\r\n", "< HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
			"< HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbye"}, []string{"1 toserver request 0+52", "2 toclient response 43+41"}},
		"mqtt": {1883, []string{
			`alert mqtt any any -> any any (frame:pdu; content:"|10|"; startswith; sid:1;)`,
			`alert mqtt any any -> any any (frame:mqtt.header; content:"|e0 00|"; bsize:2; sid:2;)`,
			`alert mqtt any any -> any any (frame:data; content:"|00 04|MQTT"; startswith; content:"me"; endswith; sid:3;)`,
		}, []string{"> \x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me", "< \x20\x02\x00\x00", "> \xe0\x00"},
			[]string{"1 toserver pdu 0+16", "2 toserver header 16+2", "3 toserver data 2+14"}},
		"ldap": {389, []string{
			`alert ldap any any -> any any (frame:pdu; content:"|02 01 01 60|"; offset:2; depth:4; bsize:14; sid:1;)`,
			`alert tcp any any -> any any (flow:to_client; frame:ldap.pdu; content:"|30 0c 02 01 02 61|"; startswith; sid:2;)`,
		}, []string{"> " + ldapMessage("\x01", "\x60\x07\x02\x01\x03\x04\x00\x80\x00"), "< " + ldapMessage("\x01", "\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
			"> " + ldapMessage("\x02", "\x60\x07\x02\x01\x03\x04\x00\x80\x00"), "< " + ldapMessage("\x02", "\x61\x07\x0a\x01\x00\x04\x00\x04\x00")},
			[]string{"1 toserver pdu 0+14", "2 toclient pdu 14+14"}},
		"websocket": {80, []string{
			`alert websocket any any -> any any (flow:to_server; frame:websocket.header; content:"|81 85|"; startswith; bsize:6; sid:1;)`,
			`alert websocket any any -> any any (flow:to_client; frame:pdu; content:"|81 05|world"; startswith; endswith; sid:2;)`,
			`alert tcp any any -> any any (flow:to_client; frame:websocket.data; content:"world"; startswith; endswith; sid:3;)`,
			// As it was sent: masked.
			`alert websocket any any -> any any (flow:to_server; frame:data; content:"hello"; sid:4;)`,
			`alert websocket any any -> any any (flow:to_server; frame:data; content:"|69 67 6f 68 6e|"; bsize:5; sid:5;)`,
		}, []string{"> " + upgrade, "< " + upgraded, "> \x81\x85\x01\x02\x03\x04igohn", "< \x81\x05world"},
			[]string{fmt.Sprintf("1 toserver header %d+6", len(upgrade)), fmt.Sprintf("2 toclient pdu %d+7", len(upgraded)),
				fmt.Sprintf("3 toclient data %d+5", len(upgraded)+2), fmt.Sprintf("5 toserver data %d+5", len(upgrade)+6)}},
		"imap": {143, []string{
			`alert imap any any -> any any (flow:to_server; frame:imap.pdu; content:"a1 NOOP|0d 0a|"; startswith; endswith; sid:1;)`,
			`alert imap any any -> any any (frame:headers; content:"A: b|0d 0a|"; startswith; endswith; sid:2;)`,
			`alert tcp any any -> any any (frame:imap.body; content:"text"; bsize:4; sid:3;)`,
			`alert imap any any -> any any (frame:body; content:"A: b"; sid:4;)`,
			`alert imap any any -> any any (frame:pdu; content:"* 1 FETCH"; startswith; content:"text)|0d 0a|"; endswith; sid:5;)`,
		}, []string{"< * OK hi\r\n", "> a1 NOOP\r\na2 FETCH 1 BODY[]\r\n", "< * 1 FETCH (BODY[] {12}\r\nA: b\r\n\r\ntext)\r\n"},
			[]string{"1 toserver pdu 0+9", "2 toclient headers 33+6", "3 toclient body 41+4", "5 toclient pdu 9+39"}},
		"nfs": {2049, []string{
			`alert nfs any any -> any any (frame:rpc.pdu; content:"|80 00 00 30|"; startswith; bsize:52; sid:1;)`,
			`alert nfs any any -> any any (frame:nfs.nfs.status; content:"|00 00 00 02|"; bsize:4; sid:2;)`,
			`alert nfs any any -> any any (frame:rpc.creds; content:"|00 00 00 00 00 00 00 00|"; bsize:8; sid:3;)`,
			`alert tcp any any -> any any (frame:nfs.nfs.pdu; content:"|00 00 00 04|fhfh"; bsize:8; sid:4;)`,
		}, []string{"> \x80\x00\x00\x30" + words(7, 0, 2, 100003, 3, 1, 0, 0, 0, 0, 4) + "fhfh", "< \x80\x00\x00\x1c" + words(7, 1, 0, 0, 0, 0, 2)},
			[]string{"1 toserver rpc.pdu 0+52", "2 toclient nfs.status 28+4", "3 toserver rpc.creds 28+8", "4 toserver nfs.pdu 44+8"}},
		"enip": {44818, []string{
			`alert enip any any -> any any (frame:hdr; content:"|65 00 04 00|"; startswith; bsize:24; sid:1;)`,
			`alert tcp any any -> any any (flow:to_server; frame:enip.data; content:"|01 00 00 00|"; bsize:4; sid:2;)`,
			`alert enip any any -> any any (flow:to_server; frame:pdu; bsize:28; content:"|65 00|"; startswith; sid:3;)`,
		}, []string{"> \x65\x00\x04\x00" + strings.Repeat("\x00", 20) + "\x01\x00\x00\x00", "< \x65\x00\x04\x00" + strings.Repeat("\x00", 20) + "\x01\x00\x00\x00"},
			[]string{"1 toclient hdr 0+24", "1 toserver hdr 0+24", "2 toserver data 24+4", "3 toserver pdu 0+28"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, bound := range []int{1 << 20, 60000, 1400, 700, 7} {
				if bound < 100 && name == "mail" {
					continue // thousands of segments
				}
				for seed := range int64(3) {
					r := withRules(t, strings.Join(c.rules, "\n"), func(c *worker.Config) { c.Inline, c.Live = false, false })
					r.port = c.port
					r.talk(rand.New(rand.NewSource(seed)), min(bound, 60000), c.turns...)
					got := r.framed()
					for i := range got {
						// How much was there when a rule matched depends on the cuts, where
						// the end was not known.
						if short, _, _ := strings.Cut(got[i], "+"); slices.Contains(c.want, short) {
							got[i] = short
						}
					}
					slices.Sort(got)
					if want := c.want; !slices.Equal(got, want) {
						t.Fatalf("pieces of up to %d bytes, seed %d:\n got %q\nwant %q", bound, seed, got, want)
					}
				}
			}
		})
	}
}

// TestFramesRefused sends a mail after many that the server did not take.
func TestFramesRefused(t *testing.T) {
	r := withRules(t, `alert smtp any any -> any any (frame:smtp.data; content:"needle"; sid:1;)
alert smtp any any -> any any (frame:smtp.data; content:"QUIT"; sid:2;)
`, func(c *worker.Config) { c.Inline, c.Live = false, false })
	r.port = 25
	turns := []string{"< 220 mx ESMTP\r\n", "> EHLO a\r\n", "< 250 mx\r\n"}
	for range 40 {
		turns = append(turns, "> DATA\r\n", "< 503 no\r\n")
	}
	r.talk(rand.New(rand.NewSource(1)), 60000, append(turns, "> MAIL FROM:<a@example.test>\r\n", "< 250 ok\r\n", "> DATA\r\n", "< 354 go\r\n", "> needle\r\n.\r\n", "< 250 ok\r\n", "> QUIT\r\n")...)
	if got, want := r.framed(), []string{"1 toserver data 282+11"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := r.w.Counters().FramesLost; n != 0 {
		t.Errorf("%d frames were lost", n)
	}
}

// TestFramesInDatagrams judges a frame of each datagram by itself.
func TestFramesInDatagrams(t *testing.T) {
	r := withRules(t, `alert udp any any -> any any (frame:dns.pdu; content:"|01 00 00 01|"; offset:2; depth:4; content:"|07|example"; sid:1;)
alert tcp any any -> any any (frame:dns.pdu; content:"example"; sid:2;)
`, func(c *worker.Config) { c.Report.Frames = true })
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x04test\x00\x00\x01\x00\x01"
	udp := &layers.UDP{SrcPort: 40000, DstPort: 53}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, 2}, DstIP: net.IP{203, 0, 113, 10}}
	_ = udp.SetNetworkLayerForChecksum(ip)
	buf := gopacket.NewSerializeBuffer()
	eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, udp, gopacket.Payload(query)); err != nil {
		t.Fatal(err)
	}
	r.send(capture.Frame{Data: buf.Bytes(), WireLen: uint32(len(buf.Bytes())), Link: capture.LinkEthernet, Num: 1, Time: time.Now().UnixNano()})
	r.take()
	want := []string{"- toserver pdu datagram+30", "1 toserver pdu datagram+30"}
	got := r.framed()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFramesAroundGap judges what there is of a frame with a hole, and finds the
// next one.
func TestFramesAroundGap(t *testing.T) {
	r := withRules(t, `alert mqtt any any -> any any (frame:pdu; content:"before"; sid:1;)
alert mqtt any any -> any any (frame:pdu; content:"behind"; sid:2;)
alert mqtt any any -> any any (frame:pdu; content:"beforebehind"; sid:3;)
alert mqtt any any -> any any (frame:pdu; content:"|e0|"; startswith; sid:4;)
`, func(c *worker.Config) { c.Inline, c.Live = false, false })
	r.port = 1883
	r.open()
	r.data(0, "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me")
	r.data(1, "\x20\x02\x00\x00")
	r.data(0, "\x30\x74\x00\x01tbefore")
	r.seq[0] += 100
	r.data(0, "behind+\xe0\x00")
	// The server has it all: what is missing was lost on the way to here.
	r.data(1, "\xd0\x00")
	r.w.Flush()
	r.take()
	got := r.framed()
	slices.Sort(got)
	want := []string{"1 toserver pdu 16+118", "2 toserver pdu 16+118", "4 toserver pdu 134+2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFrameRecords writes a record of each frame where that is asked for, and
// none otherwise.
func TestFrameRecords(t *testing.T) {
	for _, on := range []bool{false, true} {
		r := withRules(t, "", func(c *worker.Config) { c.Report.Frames = on })
		r.port = 1883
		r.talk(rand.New(rand.NewSource(1)), 5, "> \x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me", "< \x20\x02\x00\x00")
		want := []string(nil)
		if on {
			want = []string{"- toserver header 0+2", "- toserver pdu 0+16", "- toserver data 2+14", "- toclient header 0+2", "- toclient pdu 0+4", "- toclient data 2+2",
				"- toserver stream 0+16", "- toclient stream 0+4"}
		}
		got := r.framed()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("records %v: got %q, want %q", on, got, want)
		}
	}
}
