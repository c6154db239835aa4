package ike

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// gen makes a payload: the next one's type, and a body.
func gen(next byte, body string) string {
	b := []byte{next, 0}
	return string(binary.BigEndian.AppendUint16(b, uint16(4+len(body)))) + body
}

// message makes a message with its header.
func message(version, exchange, flags, first byte, payloads ...string) []byte {
	b := append([]byte("initiatrrespondr"), first, version, exchange, flags, 0, 0, 0, 3)
	body := strings.Join(payloads, "")
	b = binary.BigEndian.AppendUint32(b, uint32(headerLen+len(body)))
	return append(b, body...)
}

// attr is an attribute of two bytes.
func attr(typ, v uint16) string {
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, typ|0x8000), v))
}

// transform2 is a transform of version 2.
func transform2(last, typ byte, id uint16, attrs string) string {
	return gen(last, string([]byte{typ, 0, byte(id >> 8), byte(id)})+attrs)
}

// oldSA is a security association of version 1 with transforms of attributes.
func oldSA(next byte, transforms ...string) string {
	var ts string
	for i, t := range transforms {
		more := byte(3)
		if i == len(transforms)-1 {
			more = 0
		}
		ts += gen(more, string([]byte{byte(i + 1), 1, 0, 0})+t)
	}
	return gen(next, "\x00\x00\x00\x01\x00\x00\x00\x01"+gen(0, string([]byte{1, 1, 0, byte(len(transforms))})+ts))
}

// newSA is a security association of version 2 with one proposal.
func newSA(next byte, transforms ...string) string {
	return gen(next, gen(0, string([]byte{1, 1, 0, byte(len(transforms))})+strings.Join(transforms, "")))
}

func client(b []byte) protocoltest.Chunk { return protocoltest.Chunk{Data: b} }
func server(b []byte) protocoltest.Chunk { return protocoltest.Chunk{Dir: protocol.ToClient, Data: b} }

func dialogue(chunks ...protocoltest.Chunk) protocoltest.Dialogue {
	return protocoltest.Dialogue{UDP: true, SrcPort: 500, DstPort: 500, Chunks: chunks}
}

var aes = attr(1, 7) + attr(2, 2) + attr(3, 1) + attr(4, 2) + attr(11, 1) + "\x00\x0c\x00\x04\x00\x01\x51\x80" + attr(14, 128)

func TestRecords(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.Run(Definition(), d)
			if len(r.Txs) != len(d.Chunks) {
				t.Fatalf("%d transactions", len(r.Txs))
			}
			last := r.Txs[len(r.Txs)-1]
			got, err := json.Marshal(last.Event.Extra["ike"])
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			var all []string
			for _, tx := range r.Txs {
				all = append(all, tx.Events...)
			}
			if strings.Join(all, " ") != strings.Join(events, " ") {
				t.Errorf("events %v, want %v", all, events)
			}
		})
	}
	props := `"alg_auth":"AuthPreSharedKey","alg_auth_raw":1,"alg_dh":"GroupAlternate1024BitModpGroup","alg_dh_raw":2,"alg_enc":"EncAesCbc","alg_enc_raw":7,` +
		`"alg_hash":"HashSha","alg_hash_raw":2`
	life := `"sa_key_length":"Unknown","sa_key_length_raw":128,"sa_life_duration":"Unknown","sa_life_duration_raw":86400,"sa_life_type":"LifeTypeSeconds","sa_life_type_raw":1`
	spis := `"init_spi":"` + hex.EncodeToString([]byte("initiatr")) + `"`
	resp := `"resp_spi":"` + hex.EncodeToString([]byte("respondr")) + `"`
	f("version 1", dialogue(client(message(0x10, 2, 0, v1SA, oldSA(v1Vendor, aes), gen(0, "vendor"))), server(message(0x10, 2, 0, v1SA, oldSA(0, aes))),
		client(message(0x10, 2, 0, v1Key, gen(v1Nonce, "key"), gen(0, "nonce"))), server(message(0x10, 2, flagEncrypted, v1Key, "sealed"))),
		`{`+props+`,"exchange_type":2,"exchange_type_verbose":"Identity Protection","ikev1":{"client":{"key_exchange_payload":"6b6579","key_exchange_payload_length":3,`+
			`"nonce_payload":"6e6f6e6365","nonce_payload_length":5,"proposals":[{`+props+`,`+life+`}]},"doi":1,"encrypted_payloads":true,"vendor_ids":["76656e646f72"]},`+spis+
			`,"message_id":3,`+resp+`,`+life+`,"version_major":1,"version_minor":0}`)
	weak := newSA(v2Key, transform2(3, typeEnc, 12, attr(14, 256)), transform2(3, typePRF, 2, ""), transform2(3, typeAuth, 2, ""), transform2(0, typeDH, 2, ""))
	f("version 2", dialogue(client(message(0x20, 34, flagInitiator, v2SA, weak, gen(v2Nonce, "\x00\x02\x00\x00key"), gen(v2Notify, "nonce"), gen(0, "\x00\x00\x40\x04"))),
		server(message(0x20, 34, 0x20, v2SA, newSA(v2Notify, transform2(3, typeEnc, 20, ""), transform2(3, typePRF, 5, ""), transform2(0, typeDH, 19, "")), gen(0, "\x00\x00\x00\x0e")))),
		`{"alg_dh":"Ecp256","alg_enc":"ENCR_AES_GCM_16","alg_prf":"PRF_HMAC_SHA2_256","exchange_type":34,"exchange_type_verbose":"SA Init","ikev2":{"errors":1,"notify":["NO_PROPOSAL_CHOSEN"]},`+
			spis+`,"message_id":3,"payload":["SecurityAssociation","Notify","NoNextPayload"],`+resp+`,"role":"responder","version_major":2,"version_minor":0}`,
		eventWeakPRF, eventWeakAuth, eventWeakDH)
	f("nothing protects", dialogue(client(message(0x20, 34, flagInitiator, v2SA, newSA(0, transform2(3, typeEnc, 3, ""), transform2(3, typePRF, 0, ""), transform2(0, 9, 1, ""))))),
		`{"exchange_type":34,"exchange_type_verbose":"SA Init","ikev2":{"errors":0,"notify":[]},`+spis+`,"message_id":3,"payload":["SecurityAssociation","NoNextPayload"],`+resp+
			`,"role":"initiator","version_major":2,"version_minor":0}`, eventWeakEnc, eventInvalid, eventUnknown, eventNoAuth, eventNoDH)
	f("cut short, and beside ESP", dialogue(client(append([]byte{0, 0, 0, 0}, message(0x20, 34, flagInitiator, v2Nonce, gen(v2Key, "n"), "\x00\x00\x00\x63")...))),
		`{"exchange_type":34,"exchange_type_verbose":"SA Init","ikev2":{"errors":0,"notify":[]},`+spis+`,"message_id":3,"payload":["Nonce"],`+resp+
			`,"role":"initiator","version_major":2,"version_minor":0}`, eventMalformed)
	many := protocoltest.Run(Definition(), dialogue(server(message(0x10, 2, 0, v1SA, oldSA(0, aes, aes), "more"))))
	if got := strings.Join(many.Txs[0].Events, " "); got != eventExtra+" "+eventManyProposals {
		t.Errorf("more than one choice: %s", got)
	}
}

// TestBuffersAndFields holds what rules see, and in which direction.
func TestBuffersAndFields(t *testing.T) {
	r := protocoltest.Run(Definition(), dialogue(client(message(0x10, 2, 0, v1Key, gen(v1Nonce, "key"), gen(v1Vendor, "nonce"), gen(v1Vendor, "a"), gen(0, "b"))),
		server(message(0x10, 2, 0, v1SA, oldSA(0, aes)))))
	want := map[string]string{"to_server ike.init_spi": hex.EncodeToString([]byte("initiatr")), "to_server ike.vendor": "61 62", "to_server ike.key_exchange_payload": "key",
		"to_server ike.nonce_payload": "nonce"}
	for k, v := range want {
		if got := strings.Join(r.Txs[0].Buffers[k], " "); got != v {
			t.Errorf("%s is %q, want %q", k, got, v)
		}
	}
	if len(r.Txs[0].Buffers) != len(want) || len(r.Txs[1].Buffers) != 1 || r.Txs[1].Buffers["to_client ike.resp_spi"] == nil {
		t.Errorf("%v %v", r.Txs[0].Buffers, r.Txs[1].Buffers)
	}
	txs := r.Parser.Txs().Live
	f := func(tx int, name string, dir protocol.Dir, want uint64, ok bool) {
		t.Helper()
		if v, found := txs[tx].State.(*Message).Field(name, dir, 0); v != want || found != ok {
			t.Errorf("%s: %d %v", name, v, found)
		}
	}
	f(0, "ike.exchtype", protocol.ToServer, 2, true)
	f(0, "ike.exchtype", protocol.ToClient, 0, false)
	f(0, "ike.key_exchange_payload_length", protocol.ToServer, 3, true)
	f(0, "ike.nonce_payload_length", protocol.ToServer, 5, true)
	f(1, "ike.nonce_payload_length", protocol.ToClient, 0, false)
	f(1, ChosenAttribute+"alg_hash", protocol.ToClient, 2, true)
	f(1, ChosenAttribute+"sa_life_duration", protocol.ToClient, 86400, true)
	f(1, ChosenAttribute+"alg_prf", protocol.ToClient, 0, false)
	f(0, ChosenAttribute+"alg_hash", protocol.ToServer, 0, false)
}

func TestProbe(t *testing.T) {
	f := func(name string, b []byte, want protocol.Certainty) {
		t.Helper()
		if got := probe(protocol.ToServer, b); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	good := message(0x20, 34, 8, v2Nonce, gen(0, "n"))
	f("a message", good, protocol.Certain)
	f("with what follows", append(append([]byte{}, good...), 1, 2), protocol.Unsure)
	f("longer than it is", good[:len(good)-1], protocol.NotForUs)
	f("an odd version", message(0x30, 34, 8, v2Nonce), protocol.NotForUs)
	f("an odd exchange", message(0x10, 77, 0, v1Key), protocol.NotForUs)
	f("odd flags", message(0x20, 34, 0x80, v2Nonce), protocol.NotForUs)
	f("ESP", append([]byte{1, 2, 3, 4}, good...), protocol.NotForUs)
	f("a keep-alive", []byte{0xff}, protocol.NotForUs)
}

// TestCaptures holds that captured exchanges are recognised and sound.
func TestCaptures(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(protocoltest.Shared(t, "suricata-verify", "tests"), "ike*", "*.pcap"))
	seen := 0
	for _, name := range names {
		for _, d := range protocoltest.Dialogues(t, name) {
			for _, c := range d.Chunks {
				if probe(c.Dir, c.Data) != protocol.Certain {
					t.Errorf("%s: a message is not recognised", name)
				}
			}
			for _, tx := range protocoltest.Run(Definition(), d).Txs {
				seen++
				for _, e := range tx.Events {
					if e == eventMalformed || e == eventUnknown {
						t.Errorf("%s: %s", name, e)
					}
				}
			}
		}
	}
	if len(names) > 0 && seen == 0 {
		t.Error("no message was read")
	}
}

func FuzzIKE(f *testing.F) {
	f.Add(message(0x10, 2, 0, v1SA, oldSA(v1Vendor, aes, aes), gen(0, "vendor")), message(0x10, 2, 0, v1Key, gen(v1Nonce, "key"), gen(0, "nonce")))
	f.Add(message(0x20, 34, 8, v2SA, newSA(v2Notify, transform2(3, typeEnc, 12, attr(14, 256)), transform2(0, typeDH, 2, "")), gen(0, "\x00\x00\x40\x04")), []byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, x := range [][]byte{a, b} {
			if len(x) >= headerLen {
				// Lengths that fit let the rest be reached.
				binary.BigEndian.PutUint32(x[24:], uint32(len(x)))
			}
		}
		r := protocoltest.Run(Definition(), dialogue(client(a), server(b), client(b), server(a)))
		for _, tx := range r.Parser.Txs().Live {
			m := tx.State.(*Message)
			for _, name := range ChosenAttributes {
				m.Field(ChosenAttribute+name, m.Dir, 0)
			}
		}
		probe(protocol.ToServer, a)
	})
}
