package dns

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func udp(dir protocol.Dir, msgs ...[]byte) protocoltest.Dialogue {
	d := protocoltest.Dialogue{UDP: true, SrcPort: 4000, DstPort: 53}
	for _, m := range msgs {
		d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: dir, Data: m})
	}
	return d
}

func framed(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
}

const (
	query    = "1234 0100 0001 0000 0000 0000 076578616d706c6503636f6d00 0001 0001"
	response = "1234 8180 0001 0002 0000 0001 076578616d706c6503636f6d00 0001 0001" +
		"c00c 0005 0001 0000003c 0006 03777777c00c" +
		"c029 0001 0001 0000003c 0004 01020304" +
		"00 0029 1000 00000000 0000"
)

func TestResponse(t *testing.T) {
	r := protocoltest.Run(Definition(), udp(protocol.ToClient, unhex(t, response)))
	if len(r.Txs) != 1 {
		t.Fatalf("got %d transactions", len(r.Txs))
	}
	tx := r.Txs[0]
	want := map[string][]string{
		"to_client dns.queries.rrname":     {"example.com"},
		"to_client dns.answers.rrname":     {"example.com", "www.example.com"},
		"to_client dns.additionals.rrname": {""},
		"to_client dns.response.rrname":    {"example.com", "example.com", "www.example.com", "www.example.com", ""},
	}
	if diff := cmp.Diff(want, tx.Buffers); diff != "" {
		t.Error(diff)
	}
	d := tx.Event.DNS
	if d.Type != "response" || d.Flags != "8180" || d.RCode != "NOERROR" || !d.QR || !d.RA || !d.RD || d.AA {
		t.Errorf("header: %+v", d)
	}
	if diff := cmp.Diff(map[string][]string{"CNAME": {"www.example.com"}, "A": {"1.2.3.4"}}, d.Grouped); diff != "" {
		t.Error(diff)
	}
	if len(tx.Events) != 0 {
		t.Errorf("events: %v", tx.Events)
	}
}

func TestEvents(t *testing.T) {
	f := func(name string, dir protocol.Dir, msg string, want ...string) {
		t.Helper()
		r := protocoltest.Run(Definition(), udp(dir, unhex(t, msg)))
		if len(r.Txs) != 1 {
			t.Fatalf("%s: got %d transactions", name, len(r.Txs))
		}
		if diff := cmp.Diff(want, r.Txs[0].Events, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("sound query", protocol.ToServer, query)
	f("response to the server", protocol.ToServer, response, "not_request")
	f("query to the client", protocol.ToClient, query, "not_response")
	f("reserved bit", protocol.ToServer, strings.Replace(query, "0100", "0140", 1), "z_flag_set")
	f("opcode 9", protocol.ToServer, strings.Replace(query, "0100", "4800", 1), "invalid_opcode")
	f("shorter than a header", protocol.ToServer, "1234 0100", "malformed_data")
	f("question cut", protocol.ToServer, "1234 0100 0001 0000 0000 0000 0765", "malformed_data")
	f("pointer to itself", protocol.ToServer, "1234 0100 0001 0000 0000 0000 c00c 0001 0001", "infinite_loop")
	f("label of unknown kind", protocol.ToServer, "1234 0100 0001 0000 0000 0000 8141 00 0001 0001", "malformed_data")
	f("long name", protocol.ToServer, "1234 0100 0001 0000 0000 0000"+strings.Repeat("3f"+strings.Repeat("61", 63), 17)+"00 0001 0001", "name_too_long")
	f("many labels", protocol.ToServer, "1234 0100 0001 0000 0000 0000"+strings.Repeat("0161", 300)+"00 0001 0001", "too_many_labels")
	f("authority cut", protocol.ToClient, "1234 8100 0001 0000 0001 0000 0161 00 0001 0001 c00c 0006", "invalid_authorities")
	f("additional cut", protocol.ToServer, "1234 0100 0001 0000 0000 0001 0161 00 0001 0001 00 0029", "invalid_additionals")
}

func TestRecordData(t *testing.T) {
	f := func(rrtype, rdata string, want ...any) {
		t.Helper()
		data := unhex(t, rdata)
		msg := unhex(t, "0001 8180 0001 0001 0000 0000 0161 00"+rrtype+"0001"+"c00c"+rrtype+"0001 00000001")
		msg = append(binary.BigEndian.AppendUint16(msg, uint16(len(data))), data...)
		r := protocoltest.Run(Definition(), udp(protocol.ToClient, msg))
		var got []any
		for _, a := range r.Txs[0].Event.DNS.Answers {
			for _, v := range []any{a.RData, a.SOA, a.SRV, a.SSHFP, a.OPT} {
				if v != nil {
					got = append(got, v)
				}
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("type %s: %s", rrtype, diff)
		}
	}
	f("001c", "20010db8000000000000000000000001", "2001:0db8:0000:0000:0000:0000:0000:0001")
	f("000f", "000a 026d78 c00c", "mx.a")
	f("000c", "0170 00", "p")
	f("0010", "0568656c6c6f 00 0141", "hello", "", "A")
	f("0010", "ff41", "A") // the string's length lies
	f("0021", "0014 0001 13c4 0173 00", srv{20, 1, 5060, "s"})
	f("002c", "02 01 abcd", sshfp{"ab:cd", 2, 1})
	f("0006", "016d 00 0172 00 00000001 00000002 00000003 00000004 00000005", soa{"m", "r", 1, 2, 3, 4, 5})
	f("0006", "016d 00 0172 00 00000001") // cut: nothing is told
	f("0029", "000a 0002 beef", []option{{10, "beef"}})
	f("000a", "0041ff", `\x00A\xff`)
	f("0041", "0001 00") // HTTPS: name and type only
}

// TestAgreesWithTshark compares names and addresses of a real capture with
// what tshark 4.0 prints of it (dns.qry.name, dns.a, dns.flags.response).
func TestAgreesWithTshark(t *testing.T) {
	flows := protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "arkime__dns-tcp.pcap"))
	var got []string
	for _, d := range flows {
		r := protocoltest.Run(Definition(), d)
		for _, tx := range r.Txs {
			ev := tx.Event.DNS
			line := ev.Type
			for _, q := range ev.Queries {
				line += " " + q.RRName + "/" + q.RRType
			}
			for _, a := range append(ev.Answers, ev.Additionals...) {
				if s, _ := a.RData.(string); a.RRType == "A" {
					line += " " + s
				}
			}
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(tsharkDNSTCP, got); diff != "" {
		t.Error(diff)
	}
}

func TestChunkInvariance(t *testing.T) {
	for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", "arkime__dns-tcp.pcap")) {
		protocoltest.CheckCuts(t, Definition(), d)
	}
}

func TestGapOverTCP(t *testing.T) {
	msg := framed(unhex(t, query))
	d := protocoltest.TCP(53, "> "+string(msg)+string(msg[:20]))
	d.Chunks = append(d.Chunks,
		protocoltest.Chunk{Gap: uint64(len(msg) - 22)},                                // within the second message
		protocoltest.Chunk{Data: append([]byte("XX"), msg...)},                        // its end and a third
		protocoltest.Chunk{Gap: 1000}, protocoltest.Chunk{Data: []byte("no message")}, // nobody knows where we are
		protocoltest.Chunk{Data: msg})
	r := protocoltest.Run(Definition(), d)
	if len(r.Txs) != 3 {
		t.Errorf("got %d messages, want the first, third and fourth", len(r.Txs))
	}
}

func TestProbe(t *testing.T) {
	f := func(name string, want protocol.Certainty, got protocol.Certainty) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	q, r := unhex(t, query), unhex(t, response)
	def := Definition()
	f("query", protocol.Certain, def.ProbeDatagram(0, q))
	f("response", protocol.Certain, def.ProbeDatagram(1, r))
	f("trailing bytes", protocol.Unsure, def.ProbeDatagram(0, append(q[:len(q):len(q)], 1)))
	f("record cut", protocol.Unsure, def.ProbeDatagram(1, r[:len(r)-1]))
	f("empty", protocol.NotForUs, def.ProbeDatagram(0, nil))
	nb := unhex(t, "0001 0110 0001 0000 0000 0000 20"+strings.Repeat("4341", 16)+"00 0020 0001")
	f("netbios", protocol.NotForUs, def.ProbeDatagram(0, nb))
	for _, s := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on", "SSH-2.0-OpenSSH\r\n", "220 mail ESMTP\r\n"} {
		f(s, protocol.NotForUs, def.Probe(0, []byte(s)))
		f(s, protocol.NotForUs, def.ProbeDatagram(0, []byte(s)))
	}
	stream := framed(q)
	for n := range stream {
		if c := def.Probe(0, stream[:n]); c != protocol.Unsure {
			t.Errorf("stream of %d bytes: %d", n, c)
		}
	}
	f("stream", protocol.Certain, def.Probe(0, stream))
	if !Reversed(r) || Reversed(q) {
		t.Error("only the response tells that the flow is reversed")
	}
}

func TestBounds(t *testing.T) {
	t.Run("transactions", func(t *testing.T) {
		msg := framed(unhex(t, query))
		r := protocoltest.Run(Definition(), protocoltest.TCP(53, "> "+strings.Repeat(string(msg), 2000)))
		if n := len(r.Txs); n != protocol.DefaultLimits().MaxTx {
			t.Errorf("%d live transactions", n)
		} else if diff := cmp.Diff([]string{"flooded"}, r.Txs[n-1].Events); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("names", func(t *testing.T) {
		// 5000 records that all point to one long name.
		msg := unhex(t, "0001 8180 0001 1388 0000 0000"+strings.Repeat("3f"+strings.Repeat("61", 63), 15)+"00 0001 0001")
		for range 5000 {
			msg = append(msg, unhex(t, "c00c 0001 0001 00000001 0000")...)
		}
		m := Message{raw: msg}
		m.parse()
		if len(m.arena) > maxArena {
			t.Errorf("%d bytes of names", len(m.arena))
		}
		if m.faults != faultNameTooLong {
			t.Errorf("faults %b", m.faults)
		}
	})
}

func FuzzParse(f *testing.F) {
	q, r := unhex(f, query), unhex(f, response)
	f.Add(q, true)
	f.Add(r, true)
	f.Add(append(framed(q), framed(r)...), false)
	f.Add(unhex(f, "1234 0100 0001 0000 0000 0000 c00c 0001 0001"), true)
	f.Fuzz(func(t *testing.T, data []byte, datagram bool) {
		d := protocoltest.Dialogue{UDP: datagram, DstPort: 53, Chunks: []protocoltest.Chunk{{Data: data}, {Dir: protocol.ToClient, Data: data}}}
		want := protocoltest.Run(Definition(), d)
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		if !datagram {
			got := protocoltest.Run(Definition(), d.Cut(rand.New(rand.NewSource(int64(len(data))))))
			if diff := protocoltest.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		Definition().ProbeDatagram(0, data)
		Definition().Probe(0, data)
		MDNS().Probe(0, data)
		Reversed(data)
	})
}

func BenchmarkMessage(b *testing.B) {
	def := Definition()
	msg := unhex(b, response)
	env := protocoltest.NewEnv(protocoltest.Dialogue{UDP: true, DstPort: 53}, &protocoltest.Sink{})
	p := def.New(env)
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		p.Parse(env, protocol.ToClient, msg)
		p.Txs().Prune(func(*protocol.Tx) bool { return true })
	}
}
