package signatures

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// payload tells whether a rule's options match a UDP payload.
func payloadMatches(t *testing.T, options, payload string) bool {
	t.Helper()
	r := newRig(t, fmt.Sprintf("alert udp any any -> any any (%s sid:1;)\n", options))
	f := r.flow(decode.ProtoUDP, 1000, 2000)
	r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1000, 2000, []byte(payload)), f, protocol.ToServer)
	r.take()
	return len(r.got) == 1
}

func TestPayload(t *testing.T) {
	f := func(options, payload string, want bool) {
		t.Helper()
		if got := payloadMatches(t, options, payload); got != want {
			t.Errorf("%s on %q: %v, want %v", options, payload, got, want)
		}
	}
	f(`content:"abcd";`, "xxabcdxx", true)
	f(`content:"abcd";`, "xxabcexx", false)
	f(`content:"ABCD"; nocase;`, "xxaBcDxx", true)
	f(`content:"ABCD";`, "xxaBcDxx", false)
	f(`content:"|41 42|C|44|";`, "ABCD", true)
	f(`content:"ab\;c\"d";`, `ab;c"d`, true)
	f(`content:"abcd"; startswith;`, "abcdx", true)
	f(`content:"abcd"; startswith;`, "xabcd", false)
	f(`content:"abcd"; endswith;`, "abcdxabcd", true)
	f(`content:"abcd"; endswith;`, "abcdx", false)
	f(`content:"abcd"; startswith; endswith;`, "abcd", true)
	f(`content:"abcd"; offset:2;`, "xxabcd", true)
	f(`content:"abcd"; offset:3;`, "xxabcd", false)
	f(`content:"abcd"; depth:5;`, "xabcd", true)
	f(`content:"abcd"; depth:5;`, "xxabcd", false)
	f(`content:"abcd"; offset:1; depth:4;`, "xabcd", true)
	f(`content:"abcd"; offset:1; depth:4;`, "xxabcd", false)
	f(`content:"abcd"; entropy:value 2;`, "abcd", true)
	f(`content:"abcd"; entropy:value 1.5-2.5;`, "abcd", true)
	f(`content:"abcd"; entropy:value 2.1-3;`, "abcd", false)
	f(`content:"abcd"; entropy:value !1.5-2.5;`, "abcd", false)
	f(`content:"abcd"; entropy:value !2.1-3;`, "abcd", true)
	// Relative tests try every occurrence of what they are relative to.
	f(`content:"key="; content:"42"; distance:0; within:2;`, "key=41 key=42", true)
	f(`content:"key="; content:"42"; distance:0; within:2;`, "key=41 key=43 42", false)
	f(`content:"a1"; content:"b2"; distance:1; within:2; content:"c3"; distance:0; within:2;`, "a1.b2.. a1.b2c3", true)
	f(`content:"a1"; content:"b2"; distance:-4;`, "b2a1", true)
	f(`content:"abcd"; content:!"evil";`, "abcd fine", true)
	f(`content:"abcd"; content:!"evil";`, "abcd evil", false)
	f(`content:"abcd"; content:!"x"; within:3;`, "abcd...x", true)
	f(`content:"abcd"; content:!"x"; within:3;`, "abcd..x", false)
	f(`content:"abcd"; isdataat:3,relative;`, "abcd123", true)
	f(`content:"abcd"; isdataat:3,relative;`, "abcd12", false)
	f(`content:"abcd"; isdataat:!1,relative;`, "abcd", true)
	f(`content:"abcd"; isdataat:!1,relative;`, "abcd1", false)
	f(`content:"abcd"; isdataat:6;`, "abcd567", true)
	f(`content:"abcd"; isdataat:6;`, "abcd56", false)
	f(`content:"abcd"; pcre:"/^\d+$/R";`, "abcd123", true)
	f(`content:"abcd"; pcre:"/^\d+$/R";`, "abcd12x", false)
	f(`content:"abcd"; pcre:"/^\d+$/R";`, "abcdxabcd1", true)
	f(`content:"abcd"; pcre:!"/evil/i";`, "abcd EVIL", false)
	f(`content:"abcd"; byte_test:2,>,255,0,relative;`, "abcd\x01\x00", true)
	f(`content:"abcd"; byte_test:2,>,255,0,relative;`, "abcd\x00\xff", false)
	f(`content:"abcd"; byte_test:2,=,1,0,relative,little;`, "abcd\x01\x00", true)
	f(`content:"abcd"; byte_test:3,=,123,1,relative,string,dec;`, "abcd:123", true)
	f(`content:"abcd"; byte_test:1,!&,8,0,relative;`, "abcd\x07", true)
	f(`content:"abcd"; byte_test:1,&,8,0,relative;`, "abcd\x07", false)
	f(`content:"abcd"; byte_jump:1,0,relative; content:"X"; within:1;`, "abcd\x02..X", true)
	f(`content:"abcd"; byte_jump:1,0,relative; content:"X"; within:1;`, "abcd\x03..X.", false)
	f(`content:"abcd"; byte_jump:1,4,from_beginning; content:"b"; within:1;`, "abcd\x01", true)
	f(`content:"abcd"; byte_extract:1,0,n,relative; content:"X"; distance:n; within:1;`, "abcd\x02..X", true)
	f(`content:"abcd"; byte_extract:1,0,n,relative; byte_test:1,=,n,1,relative;`, "abcd\x02..\x02", false)
	f(`content:"abcd"; byte_extract:1,0,n,relative; byte_test:1,=,n,0,relative;`, "abcd\x02\x02", true)
	f(`content:"abcd"; byte_math:bytes 1,offset 4,oper *,rvalue 3,result r; isdataat:r;`, "abcd\x02..", true)
	f(`content:"abcd"; byte_math:bytes 1,offset 4,oper *,rvalue 3,result r; isdataat:r;`, "abcd\x03..", false)
	f(`content:"abcd"; base64_decode:offset 1,relative; base64_data; content:"secret"; startswith;`, "abcd c2VjcmV0IQ==", true)
	f(`content:"abcd"; base64_decode:offset 1,relative; base64_data; content:"Secret";`, "abcd c2VjcmV0IQ==", false)
	f(`content:"abcd"; dsize:4;`, "abcd", true)
	f(`content:"abcd"; dsize:>4;`, "abcd", false)
	f(`content:"abcd"; dsize:3<>6;`, "abcd", true)
	f(`dsize:3<>6;`, "wxyz", true)
	f(`content:"abcd"; fast_pattern:1,2; content:"zz";`, "abcd zz", true)
	f(`pcre:"/[0-9]{4}/";`, "in 1984", true)
	f(`content:"ab"; content:"cd";`, "ab cd", true)
	f(`content:!"abcd";`, "xyz", true)
	f(`content:!"abcd";`, "abcd", false)
	// Four letters, each as often: two bits a byte.
	f(`entropy:value >= 2;`, "abcdabcd", true)
	f(`entropy:value > 2;`, "abcdabcd", false)
	f(`entropy:value 2;`, "abcdabcd", true)
	f(`entropy:value !2;`, "abcdabcd", false)
	f(`entropy:value !1.5;`, "abcdabcd", true)
	f(`entropy:value 1-3;`, "abcdabcd", true)
	f(`entropy:value 2-3;`, "abcdabcd", false) // the ends are left out
	f(`entropy:value !1-3;`, "abcdabcd", false)
	f(`entropy:value !2-3;`, "abcdabcd", true)
	f(`entropy:offset 4, value < 1;`, "abcdaaaa", true)
	f(`entropy:bytes 4, value > 1.9;`, "abcdaaaa", true)
	f(`entropy:offset 9, value < 8;`, "abcdaaaa", false)
}

// TestEntropyIsNoted: what a rule measured is kept with the flow, the newest of each
// buffer, whether the rule holds or not.
func TestEntropyIsNoted(t *testing.T) {
	r := newRig(t, `alert tcp any any -> any any (entropy:value >= 7; sid:1;)
`)
	f := r.flow(decode.ProtoTCP, 1000, 80)
	s := r.open(f, protocol.ToServer)
	if got := r.m.Entropies(f); len(got) != 0 {
		t.Errorf("before any data: %v", got)
	}
	s.data([]byte("aaaa"))
	s.data([]byte("abcdabcd"))
	r.want()
	if got := r.m.Entropies(f); len(got) != 1 || got[0].Buffer != "content" || !(got[0].Value > 0) {
		t.Errorf("noted %v", got)
	}
}

func TestHeaders(t *testing.T) {
	f := func(header, options string, proto uint8, want bool) {
		t.Helper()
		r := newRig(t, fmt.Sprintf("alert %s (%s sid:1;)\n", header, options))
		p := r.packet(proto, inside, outside, 1000, 80, []byte("payload"))
		p.TCPFlags = decode.TCPSyn
		fl := r.flow(proto, 1000, 80)
		fl.Pkts = [2]uint64{1, 0}
		r.m.Packet(p, fl, protocol.ToServer)
		if r.take(); (len(r.got) == 1) != want {
			t.Errorf("%s (%s): %v, want %v", header, options, r.got, want)
		}
	}
	f("tcp any any -> any 80", "flags:S;", decode.ProtoTCP, true)
	f("tcp any any -> any 81", "flags:S;", decode.ProtoTCP, false)
	f("tcp any any -> any [80:90,!85]", "flags:S;", decode.ProtoTCP, true)
	f("tcp any any -> any ![80:90]", "flags:S;", decode.ProtoTCP, false)
	f("tcp $HOME_NET any -> $EXTERNAL_NET any", "flags:S;", decode.ProtoTCP, true)
	f("tcp $EXTERNAL_NET any -> $HOME_NET any", "flags:S;", decode.ProtoTCP, false)
	f("tcp $EXTERNAL_NET any <> $HOME_NET any", "flags:S;", decode.ProtoTCP, true)
	f("tcp [10.0.0.0/8,!10.1.1.1] any -> any any", "flags:S;", decode.ProtoTCP, false)
	f("udp any any -> any 80", "", decode.ProtoTCP, false)
	f("udp any any -> any 80", "", decode.ProtoUDP, true)
	f("ip any any -> 203.0.113.9 any", "", decode.ProtoUDP, true)
	f("ip 203.0.113.9 any -> any any", "", decode.ProtoUDP, false)
	f("ip any any -> any any", "ip_proto:17;", decode.ProtoUDP, true)
	f("ip any any -> any any", "ip_proto:!udp;", decode.ProtoUDP, false)
	f("tcp any any -> any any", "flags:SA;", decode.ProtoTCP, false)
	f("tcp any any -> any any", "flags:S,12; ttl:>60; window:1024;", decode.ProtoTCP, true)
	f("tcp any any -> any any", "flow:to_client; flags:S;", decode.ProtoTCP, false)
	f("tcp any any -> any any", "flow:established,to_server; flags:S;", decode.ProtoTCP, true)
	f("tcp any any -> any any", "flow:not_established; flags:S;", decode.ProtoTCP, false)
	f("tcp-pkt any any -> any any", `content:"payload";`, decode.ProtoTCP, true)
	f("tcp any any -> any any", `tcp.hdr; content:"|00 50|"; offset:2; depth:2;`, decode.ProtoTCP, true)
	f("ip any any -> any any", `ip.src; content:"|0a 01 01 01|"; bsize:4;`, decode.ProtoUDP, true)
	f("ip any any -> any any", `sameip;`, decode.ProtoUDP, false)
}

func TestStreamAcrossSegments(t *testing.T) {
	r := newRig(t, `alert tcp any any -> any any (flow:established,to_server; content:"first"; content:"second"; distance:0; sid:1;)
alert tcp any any -> any any (content:"GET "; depth:4; sid:2;)
alert tcp any any -> any any (flow:to_client; content:"first"; sid:3;)
`)
	s := r.open(r.flow(decode.ProtoTCP, 1000, 80), protocol.ToServer)
	s.data([]byte("GET the fir"))
	r.want(2)
	s.data([]byte("st and the sec"))
	r.want()
	s.data([]byte("ond one"))
	r.want(1)
	s.data([]byte(" nothing new"))
	r.want()
	// Depth means packets as well as the stream; later bytes match again.
	s.data([]byte("GET first second"))
	r.want(1, 2)
}

// However a stream is cut, the same rules match.
func TestStreamRulesDoNotDependOnCuts(t *testing.T) {
	r := newRig(t, `alert tcp any any -> any any (content:"alpha"; content:"beta"; distance:0; within:40; sid:1;)
alert tcp any any -> any any (content:"alpha"; pcre:"/gam+a/R"; sid:2;)
alert tcp any any -> any any (content:"DELTA"; nocase; byte_test:1,>,64,0,relative; sid:3;)
alert tcp any any -> any any (content:"zz"; content:"yy"; distance:2; sid:4;)
alert tcp any any -> any any (pcre:"/om+ega/"; sid:5;)
`)
	words := []string{"alpha", "beta", "gamma", "delta", "DeltA", "zz", "yy", "omega", " ", "....", "0123456789", "alp", "ha"}
	rapid.Check(t, func(t *rapid.T) {
		var text []byte
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(words)-1), 1, 20).Draw(t, "words") {
			text = append(text, words[i]...)
		}
		run := func(cuts []int) map[uint32]bool {
			s := r.open(r.flow(decode.ProtoTCP, 1000, 80), protocol.ToServer)
			defer r.sc.CloseStream(s.st)
			for at := 0; at < len(text); {
				n := len(text) - at
				if len(cuts) > 0 {
					n, cuts = min(n, cuts[0]), cuts[1:]
				}
				s.data(text[at : at+n])
				at += n
			}
			out := map[uint32]bool{}
			for _, sid := range r.got {
				out[sid] = true
			}
			r.got = nil
			return out
		}
		whole := run(nil)
		cut := run(rapid.SliceOfN(rapid.IntRange(1, 12), 1, 40).Draw(t, "cuts"))
		if fmt.Sprint(whole) != fmt.Sprint(cut) {
			t.Fatalf("%q: whole %v, cut %v", text, whole, cut)
		}
	})
}

func TestTransactions(t *testing.T) {
	f := func(rule string, want bool, pairs ...string) {
		t.Helper()
		r := newRig(t, rule+"\n")
		r.http(pairs...)
		if (len(r.got) == 1) != want || len(r.got) > 1 {
			t.Errorf("%s on %q: %v, want %v", rule, pairs, r.got, want)
		}
	}
	get := []string{"http.method=GET", "http.uri=/index.php?cmd=Id", "http.host=example.com", "http.user_agent=curl/8", "http.header=Host: Example.com\r\n",
		"http.stat_code=200", "response_body=<html>hello EVIL world</html>"}
	post := []string{"http.method=POST", "http.uri=/login", "http.host=example.com", "request_body=user=bob&pass=hunter2", "http.stat_code=302"}
	f(`alert http any any -> any any (http.uri; content:"cmd="; sid:1;)`, true, get...)
	f(`alert tcp any any -> any any (http.uri; content:"cmd="; sid:1;)`, true, get...)
	f(`alert http any any -> any 80 (flow:established,to_server; http.method; content:"GET"; http.uri; content:"/index.php"; startswith; content:"cmd="; distance:0; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.method; content:"POST"; http.uri; content:"cmd="; sid:1;)`, false, get...)
	f(`alert http any any -> any any (content:"cmd="; http_uri; content:"GET"; http_method; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.uri; content:!"cmd="; sid:1;)`, false, get...)
	f(`alert http any any -> any any (http.method; content:"GET"; http.uri; content:!"evil"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.referer; content:!"x"; sid:1;)`, false, get...)
	f(`alert http any any -> any any (http.uri; content:"cmd"; http.referer; absent; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.uri; content:"cmd"; http.host; absent; sid:1;)`, false, get...)
	f(`alert http any any -> any any (http.referer; absent:or_else; content:!"x"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.host; bsize:11; content:"example.com"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.host; dotprefix; content:".example.com"; endswith; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.host; dotprefix; content:".ample.com"; endswith; sid:1;)`, false, get...)
	f(`alert http any any -> any any (urilen:17; sid:1;)`, true, get...)
	f(`alert http any any -> any any (urilen:>17; sid:1;)`, false, get...)
	f(`alert http any any -> any any (http.uri; to_lowercase; content:"cmd=id"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.uri; pcre:"/cmd=[A-Z]/"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (pcre:"/cmd=[A-Z]/U"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.host; to_md5; content:"|5a ba bd 60|"; startswith; sid:1;)`, true, "http.host=example.com")
	f(`alert http any any -> any any (flow:to_client; http.stat_code; content:"200"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (flow:to_client; file.data; content:"EVIL"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (flow:to_client; http.stat_code; content:"200"; file.data; content:"evil"; nocase; content:"world"; distance:1; sid:1;)`, true, get...)
	f(`alert http any any -> any any (flow:to_client; http.stat_code; content:"200"; file.data; content:!"EVIL"; sid:1;)`, false, get...)
	f(`alert http any any -> any any (flow:to_client; http.stat_code; content:"200"; file.data; content:!"other"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (flow:to_client; http.stat_code; content:"404"; file.data; content:"EVIL"; sid:1;)`, false, get...)
	f(`alert http any any -> any any (http.request_body; content:"pass="; sid:1;)`, true, post...)
	f(`alert http any any -> any any (http.method; content:"POST"; http.uri; content:"/login"; bsize:6; fast_pattern; http.request_body; content:"pass="; sid:1;)`, true, post...)
	f(`alert http any any -> any any (http.method; content:"POST"; http.request_body; content:"user="; startswith; pcre:"/pass=\w+$/R"; sid:1;)`, true, post...)
	f(`alert http any any => any any (http.uri; content:"/login"; http.stat_code; content:"302"; sid:1;)`, true, post...)
	f(`alert http any any => any any (http.uri; content:"/login"; http.stat_code; content:"200"; sid:1;)`, false, post...)
	f(`alert http any any => any any (http.uri; content:"/login"; http.connection:to_client; content:"x"; sid:1;)`, false, post...)
	f(`alert http any any -> any any (http.uri; content:"Id"; to_lowercase; content:"=id"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.uri; content:"id"; to_lowercase; content:"=id"; sid:1;)`, false, get...)
	f(`alert http1:request_complete any any -> any any (sid:1;)`, true, get...)
	f(`alert http1:response_complete any any -> any any (http.stat_code; content:"200"; sid:1;)`, true, get...)
	f(`alert http any any -> any any (pcre:/cmd=[A-Z]/U; sid:1;)`, true, get...)
	f(`alert http any any -> any any (content:"/index"; http_uri; isdataat:4,relative; content:"cmd"; http_uri; distance:0; sid:1;)`, true, get...)
	f(`alert http any any -> any any (http.method; content:"POST"; http.request_body; absent; sid:1;)`, false, post...)
	f(`alert http any any -> any any (flow:to_server; http.method; content:"GET"; http.request_body; absent; sid:1;)`, true, get...)
	f(`alert http any any -> any any (flow:to_server; http.request_body; absent; sid:1;)`, true, get...)
	f(`alert http any any -> any any (flow:to_server; http.request_body; absent:or_else; content:!"zzz"; sid:1;)`, true, post...)
	f(`alert http any any -> any any (flow:to_server; http.request_body; absent:or_else; content:!"user"; sid:1;)`, false, post...)
	f(`alert http any any -> any any (filesize:>10; sid:1;)`, true, "http.method=GET", "response_body=0123456789a")
	f(`alert http any any -> any any (filesize:<10; sid:1;)`, false, "http.method=GET", "response_body=0123456789a")
}

func TestDNSInstancesAndNumbers(t *testing.T) {
	r := newRig(t, `alert dns any any -> any any (dns.query; content:"evil"; content:".example"; endswith; sid:1;)
alert dns any any -> any any (dns.opcode:2; sid:2;)
alert dns any any -> any any (dns.rrtype:txt; dns.query; content:"evil"; sid:3;)
alert dns any any -> any any (dns.query; dotprefix; content:".evil.example"; nocase; endswith; sid:4;)
`)
	f := r.flow(decode.ProtoUDP, 1000, 53)
	p := r.speakUDP(f, 'D')
	tx := r.tx(p, "dns.query=good.example", "dns.query=www.EVIL.example", "dns.query=evil.example")
	tx.State.(*fakeTx).fields["dns.rrtype"] = []uint64{1, 16}
	tx.State.(*fakeTx).fields["dns.opcode"] = []uint64{0}
	r.progress(f, tx, protocol.ToServer, atDone)
	r.want(1, 3, 4)
	r.progress(f, tx, protocol.ToServer, atDone)
	r.want()
}

func TestFlowState(t *testing.T) {
	r := newRig(t, `alert tcp any any -> any any (content:"login"; flowbits:set,seen; flowbits:noalert; sid:1;)
alert tcp any any -> any any (content:"secret"; flowbits:isset,seen; sid:2;)
alert tcp any any -> any any (content:"secret"; flowbits:isnotset,seen; sid:3;)
alert tcp any any -> any any (content:"count"; flowint:n,+,1; noalert; sid:4;)
alert tcp any any -> any any (content:"count"; flowint:n,>,2; sid:5;)
alert tcp any any -> any any (content:"either"; flowbits:isset,other|seen; sid:6;)
alert tcp any any -> any any (content:"mark"; xbits:set,bad,track ip_src,expire 10; noalert; sid:7;)
alert tcp any any -> any any (content:"check"; xbits:isset,bad,track ip_src; sid:8;)
`)
	f := r.flow(decode.ProtoTCP, 1000, 80)
	s := r.open(f, protocol.ToServer)
	s.data([]byte("secret "))
	r.want(3)
	s.data([]byte("login secret "))
	r.want(2)
	s.data([]byte("either "))
	r.want(6)
	for range 2 {
		s.data([]byte("count "))
	}
	r.want()
	s.data([]byte("count "))
	r.want(5)
	s.data([]byte("mark check "))
	r.want(8)
	// Another flow of the same host knows the xbit, not the flowbit.
	s = r.open(r.flow(decode.ProtoTCP, 1001, 80), protocol.ToServer)
	s.data([]byte("check secret "))
	r.want(3, 8)
	r.now += 11e9
	s.data([]byte("check "))
	r.want()
}

func TestThresholds(t *testing.T) {
	f := func(option string, want ...int) {
		t.Helper()
		r := newRig(t, "alert udp any any -> any any (content:\"hello\"; "+option+"; sid:1;)\n")
		fl := r.flow(decode.ProtoUDP, 1, 2)
		for i, n := range want {
			r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1, 2, []byte("hello")), fl, protocol.ToServer)
			r.take()
			if len(r.got) != n {
				t.Errorf("%s: packet %d gave %d alerts, want %d", option, i+1, len(r.got), n)
			}
			r.got = nil
			if i == 4 {
				r.now += 100e9
			}
		}
	}
	f("threshold:type limit, track by_src, seconds 60, count 2", 1, 1, 0, 0, 0, 1, 1, 0)
	f("threshold:type threshold, track by_dst, seconds 60, count 2", 0, 1, 0, 1, 0, 0, 1)
	f("threshold:type both, track by_both, seconds 60, count 2", 0, 1, 0, 0, 0, 0, 1, 0)
	f("detection_filter:track by_src, count 2, seconds 60", 0, 0, 1, 1, 1, 0, 0, 1)
	f("threshold:type backoff, track by_flow, count 1, multiplier 2", 1, 1, 0, 1, 0, 0, 0, 1)
	f("threshold:type limit, track by_rule, seconds 60, count 1", 1, 0, 0)
}

func TestOrderAndLimit(t *testing.T) {
	r := newRig(t, `alert udp any any -> any any (content:"hello"; priority:3; sid:1;)
alert udp any any -> any any (content:"hello"; priority:1; sid:2;)
drop udp any any -> any any (content:"hello"; sid:3;)
reject udp any any -> any any (content:"hello"; sid:4;)
`)
	fl := r.flow(decode.ProtoUDP, 1, 2)
	r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1, 2, []byte("hello")), fl, protocol.ToServer)
	r.take()
	r.want(3, 4, 2, 1)
	r = newRig(t, `drop udp any any -> any any (content:"hello"; sid:1;)
pass udp any any -> any any (content:"hello"; sid:2;)
`)
	r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1, 2, []byte("hello")), fl, protocol.ToServer)
	r.take()
	r.want(2)
	text := ""
	for i := 1; i <= 20; i++ {
		text += fmt.Sprintf("alert udp any any -> any any (content:\"hello\"; sid:%d;)\n", i)
	}
	r = newRig(t, text)
	r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1, 2, []byte("hello")), fl, protocol.ToServer)
	r.take()
	if len(r.got) != 15 {
		t.Errorf("%d alerts for one packet", len(r.got))
	}
}

func TestObjectInPieces(t *testing.T) {
	r := newRig(t, `alert http any any -> any any (flow:to_client; file.data; content:"first"; content:"second"; distance:0; sid:1;)
alert http any any -> any any (flow:to_client; file.data; content:"tail"; isdataat:!1,relative; sid:2;)
`)
	f := r.flow(decode.ProtoTCP, 1000, 80)
	tx := r.tx(r.speak(f, 'H'))
	r.body(f, &protocol.Object{Kind: protocol.KindBody, Dir: protocol.ToClient, Tx: tx}, "the fi", "rst tail", " x sec", "ond", " tail")
	r.want(1, 2)
}

// TestLimitByFlowOfGroups counts rules of one sid and two gids apart.
func TestLimitByFlowOfGroups(t *testing.T) {
	r := newRig(t, `alert udp any any -> any any (content:"abcd"; threshold:type limit, track by_flow, count 1, seconds 60; sid:1;)
alert udp any any -> any any (content:"abcd"; threshold:type limit, track by_flow, count 1, seconds 60; gid:2; sid:1;)`)
	f := r.flow(decode.ProtoUDP, 5000, 6000)
	for _, want := range [][]uint32{{1, 1}, nil} {
		r.m.Packet(r.packet(decode.ProtoUDP, f.Client, f.Server, 5000, 6000, []byte("xx abcd")), f, protocol.ToServer)
		r.take()
		r.want(want...)
	}
}
