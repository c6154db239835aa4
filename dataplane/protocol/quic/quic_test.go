package quic

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
	"sluice/dataplane/protocol/quic/quictest"
)

const clientID = "\x83\x94\xc8\xf0\x3e\x51\x57\x08"

// TestKeys compares with the sample keys of RFC 9001 A.1 and RFC 9369 A.1.
func TestKeys(t *testing.T) {
	f := func(version uint32, dir protocol.Dir, key, iv, hp string) {
		t.Helper()
		raw := func(s string) []byte {
			b, err := hex.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		k := newKeys(version, []byte(clientID), dir)
		block, _ := aes.NewCipher(raw(key))
		aead, _ := cipher.NewGCM(block)
		header, _ := aes.NewCipher(raw(hp))
		var want, got [16]byte
		header.Encrypt(want[:], want[:])
		k.header.Encrypt(got[:], got[:])
		if want != got || !bytes.Equal(k.iv[:], raw(iv)) || !bytes.Equal(aead.Seal(nil, raw(iv), []byte("x"), nil), k.aead.Seal(nil, k.iv[:], []byte("x"), nil)) {
			t.Errorf("version %x, %v: not the sample's keys", version, dir)
		}
	}
	f(Version1, protocol.ToServer, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2")
	f(Version1, protocol.ToClient, "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314")
	f(Version2, protocol.ToServer, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9")
}

func hello(t testing.TB, name string) []byte {
	t.Helper()
	m, err := quictest.ClientHello(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// initial is the client's packet with the number n.
func initial(version uint32, salt, id string, n byte, frames string) string {
	return quictest.Packet{Version: version, Salt: salt, ID: id, Number: n}.Seal(frames)
}

// initial1 is one of version 1.
func initial1(n byte, frames string) string {
	return initial(Version1, quictest.Salt1, clientID, n, frames)
}

var (
	crypto = quictest.Crypto
	num    = quictest.Num
)

func run(chunks ...protocoltest.Chunk) *protocoltest.Result {
	return protocoltest.Run(Definition(), protocoltest.Dialogue{UDP: true, DstPort: 443, Chunks: chunks})
}

func sent(b string) protocoltest.Chunk { return protocoltest.Chunk{Data: []byte(b)} }

func TestHello(t *testing.T) {
	m := hello(t, "upload.example.net")
	n := len(m)
	f := func(name, want string, chunks ...protocoltest.Chunk) {
		t.Helper()
		got := ""
		for _, tx := range run(chunks...).Txs {
			e := tx.Event.Extra["quic"].(eveQUIC)
			got += e.Version + " " + e.SNI + " " + e.JA4[:min(len(e.JA4), 4)]
			for _, x := range e.Extensions {
				if x.Name == "alpn" {
					got += " " + strings.Join(x.Values, ",")
				}
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	const known = "upload.example.net q13d h3"
	whole := crypto(m, 0, n)
	f("version 1", "1 "+known, sent(initial1(0, whole)))
	f("version 2", "2 "+known, sent(initial(Version2, quictest.Salt2, clientID, 0, whole)))
	f("a draft", "draft-29 "+known, sent(initial(0xff00001d, quictest.Salt29, clientID, 0, whole)))
	f("an older draft", "draft-27 "+known, sent(initial(0xff00001b, quictest.Salt23, clientID, 0, whole)))
	f("in pieces, out of order, twice, with other frames", "1 "+known, sent(initial1(0,
		"\x01"+crypto(m, 90, n)+"\x02"+num(0)+num(0)+num(1)+num(0)+num(2)+num(3)+crypto(m, 40, 95)+"\x03"+num(0)+num(0)+num(0)+num(0)+num(1)+num(1)+num(1)+crypto(m, 0, 50)+crypto(m, 0, 50))))
	f("in two datagrams", "1 "+known, sent(initial1(0, crypto(m, 100, n))), sent(initial1(1, crypto(m, 0, 100))))
	f("packets in one datagram", "1 "+known, sent(initial1(0, crypto(m, 0, 100))+initial1(1, crypto(m, 100, n))))
	retry := "\xf0\x00\x00\x00\x01\x00\x08newserve" + strings.Repeat("t", 40)
	f("after a retry", "1 "+known, sent(initial1(0, crypto(m, 0, 100))), protocoltest.Chunk{Dir: 1, Data: []byte(retry)},
		sent(initial(Version1, quictest.Salt1, "newserve", 1, whole)))
	f("an id of the server's own", "1 "+known, sent(initial1(0, crypto(m, 0, 100))),
		sent(quictest.Packet{Version: Version1, Salt: quictest.Salt1, ID: clientID, Dest: "theirown", Number: 1}.Seal(crypto(m, 100, n))))
	f("a piece is missing", "", sent(initial1(0, crypto(m, 0, 40)+crypto(m, 50, n))))
	f("changed on the way", "", sent(strings.Replace(initial1(0, whole), "\x00\x00", "\x00\x01", 1)))
	f("not a hello", "", sent(initial1(0, crypto([]byte("\x02\x00\x00\x01x"), 0, 5))), sent(initial1(1, whole)))
	f("before a frame that ends it all", "1 "+known, sent(initial1(0, whole+"\x1c"+num(0)+num(0)+num(0))))
	f("another frame", "", sent(initial1(0, "\x08"+whole)))
	f("longer than it says", "", sent(initial1(0, "\x06"+num(0)+num(5000)+"abc")))
}

// TestBounds holds that a flow cannot make the parser open packets for ever,
// nor keep pieces without end.
func TestBounds(t *testing.T) {
	m := hello(t, "example.net")
	var chunks []protocoltest.Chunk
	for i := range byte(maxInitials) {
		chunks = append(chunks, sent(initial1(i, "\x01")))
	}
	r := run(append(chunks, sent(initial1(99, crypto(m, 0, len(m)))))...)
	if len(r.Txs) != 0 || !r.Skipped[0] {
		t.Errorf("%d transactions, skipped %v", len(r.Txs), r.Skipped)
	}
	var s stream
	for i := range uint64(10000) {
		s.put(i*2, []byte("x"))
		s.put(1<<60, []byte("x"))
		s.put(maxHello-1, []byte("xx"))
	}
	if len(s.ranges) > maxRanges || len(s.b) > maxHello {
		t.Errorf("%d ranges of %d bytes", len(s.ranges), len(s.b))
	}
}

func TestStream(t *testing.T) {
	f := func(want string, pieces ...string) {
		t.Helper()
		var s stream
		for _, p := range pieces {
			off, data, _ := strings.Cut(p, ":")
			s.put(uint64(off[0]-'0'), []byte(data))
		}
		if got := string(s.ready()); got != want {
			t.Errorf("%v: got %q, want %q", pieces, got, want)
		}
	}
	f("", "1:bc")
	f("abc", "1:bc", "0:a")
	f("abcdef", "4:ef", "0:ab", "2:cd")
	f("abcdef", "4:ef", "0:ab", "1:bcde")
	f("ab", "0:ab", "3:d", "5:f")
	f("abcdef", "0:ab", "3:d", "5:f", "2:cde")
	f("abc", "0:abc", "1:b", "0:")
}

func TestProbe(t *testing.T) {
	m := hello(t, "example.net")
	first := initial1(0, crypto(m, 0, len(m)))
	f := func(dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%.20q: got %d, want %d", b, got, want)
		}
	}
	f(protocol.ToServer, first, protocol.Certain)
	f(protocol.ToServer, first[:1100], protocol.NotForUs)
	f(protocol.ToServer, "\x40"+first[1:], protocol.NotForUs)
	f(protocol.ToServer, first[:4]+"\x07"+first[5:], protocol.NotForUs)
	f(protocol.ToClient, "\xf0\x00\x00\x00\x01\x00\x08newserve"+strings.Repeat("t", 40), protocol.Certain)
	f(protocol.ToClient, "", protocol.NotForUs)
}

func FuzzParse(f *testing.F) {
	m := hello(f, "example.net")
	f.Add([]byte(initial1(0, crypto(m, 0, len(m)))), []byte(crypto(m, 0, 20)))
	f.Add([]byte("\xf0\x00\x00\x00\x01\x00\x08newserve"+strings.Repeat("t", 40)), []byte("\x02"+num(0)+num(0)+num(1)+num(0)+num(2)+num(3)))
	f.Add([]byte("\xd0\x6b\x33\x43\xcf\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\x00\x00\x40\x20"), []byte("\x06\x00\x40\xff"))
	f.Fuzz(func(t *testing.T, datagram, frames []byte) {
		probe(protocol.ToServer, datagram)
		// What is sealed is a sender's to choose as well.
		sealed := initial1(0, string(frames[:min(len(frames), 1100)]))
		r := run(sent(string(datagram)), sent(sealed), protocoltest.Chunk{Dir: 1, Data: datagram}, sent(sealed+string(datagram)))
		if err := r.Sink.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
