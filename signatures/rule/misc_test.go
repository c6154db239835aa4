package rule

import (
	"strings"
	"testing"

	"sluice/dataplane/protocol"
)

// TestNumbersOfProtocols holds how rules ask for numbers of WebSocket, IKE and DHCP:
// test is what a number must pass, and one that it must not.
func TestNumbersOfProtocols(t *testing.T) {
	f := func(option, keyword string, yes, no uint64) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, "alert ip any any -> any any ("+option+"; sid:1;)")
		if err != nil {
			t.Errorf("%s: %v", option, err)
			return
		}
		if len(r.Fields) != 1 || r.Fields[0].Keyword != keyword || !r.Fields[0].Int.Match(yes) || r.Fields[0].Int.Match(no) {
			t.Errorf("%s: %+v", option, r.Fields)
		}
	}
	bad := func(option, problem string) {
		t.Helper()
		if _, err := NewParser(testEnv()).Parse("t.rules", 1, "alert ip any any -> any any ("+option+"; sid:1;)"); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %s", option, err, problem)
		}
	}
	f("websocket.flags:fin,!comp", "websocket.flags", 0x80, 0xc0)
	f("websocket.flags:128", "websocket.flags", 0x80, 0)
	f("websocket.flags:&0x40=0x40", "websocket.flags", 0xc0, 0x80)
	bad("websocket.flags:end", `"end" is no flag`)
	bad("websocket.flags:fin,!fin", "is given twice")
	f("websocket.opcode:ping", "websocket.opcode", 9, 1)
	f("websocket.opcode:>8", "websocket.opcode", 9, 8)
	f("websocket.mask:>0", "websocket.mask", 1, 0)
	f("dhcp.leasetime:<7200", "dhcp.leasetime", 60, 7200)
	f("dhcp.renewal_time:1000<>2000", "dhcp.renewal_time", 1500, 2000)
	f("ike.exchtype:34", "ike.exchtype", 34, 2)
	f("ike.nonce_payload_length:>=32", "ike.nonce_payload_length", 32, 31)
	f("ike.chosen_sa_attribute:alg_hash=2", "ike.chosen_sa_attribute alg_hash", 2, 1)
	f("ike.chosen_sa_attribute:sa_key_length<256", "ike.chosen_sa_attribute sa_key_length", 128, 256)
	bad("ike.chosen_sa_attribute:alg_hsah=2", `did you mean "alg_hash"?`)
	bad("ike.chosen_sa_attribute:alg_hash", "ATTRIBUTE=NUMBER")
	bad("ike.chosen_sa_attribute:alg_hash=x", "x")
}

// TestDNSOverHTTP holds which protocols rules on DNS concern, and that one may ask
// for what HTTP and DNS say together.
func TestDNSOverHTTP(t *testing.T) {
	f := func(text string, want ...protocol.ID) {
		t.Helper()
		env := testEnv()
		env.Definition = func(protocol.ID) *protocol.Definition { return &protocol.Definition{} }
		r, err := NewParser(env).Parse("t.rules", 1, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if len(r.Proto.Apps) != len(want) {
			t.Errorf("%s: %+v", text, r)
			return
		}
		for i := range want {
			if r.Proto.Apps[i] != want[i] {
				t.Errorf("%s: %v", text, r.Proto.Apps)
			}
		}
	}
	f(`alert dns any any -> any any (dns.query; content:"a"; sid:1;)`, protocol.DNS, protocol.DoH2)
	f(`alert udp any any -> any any (dns.query; content:"a"; sid:1;)`, protocol.DNS, protocol.DoH2)
	f(`alert doh2 any any -> any any (dns.query; content:"a"; http.host; content:"b"; sid:1;)`, protocol.DoH2)
}
