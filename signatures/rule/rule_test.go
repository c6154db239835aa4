package rule

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// testEnv is an environment in which all known buffers exist.
func testEnv() Env {
	prefix := map[string]protocol.ID{"http": protocol.HTTP1, "tls": protocol.TLS, "ja3": protocol.TLS, "ja3s": protocol.TLS, "ja4": protocol.TLS,
		"dns": protocol.DNS, "ssh": protocol.SSH, "smtp": protocol.SMTP, "email": protocol.SMTP, "ftp": protocol.FTP, "smb": protocol.SMB, "dcerpc": protocol.DCERPC}
	toClient := map[string]bool{"http.stat_code": true, "http.stat_msg": true, "http.response_line": true, "http.response_body": true,
		"http.location": true, "http.server": true, "tls.certs": true, "tls.cert_subject": true, "tls.cert_issuer": true, "tls.cert_serial": true, "ja3s.hash": true}
	both := map[string]bool{"http.header": true, "http.header.raw": true, "http.cookie": true, "http.header_names": true, "http.protocol": true, "http.start": true,
		"http.content_type": true, "http.content_len": true, "http.connection": true, "ssh.proto": true, "ssh.software": true, "file.data": true, "file.name": true, "file.magic": true,
		"tls.cert_fingerprint": true, "tls.random": true, "dcerpc.stub_data": true, "dcerpc.iface": true}
	buffers := map[string]protocol.BufferSpec{}
	for i, n := range knownBuffers {
		p, _, _ := strings.Cut(n, ".")
		s := protocol.BufferSpec{Name: n, ID: protocol.Buffer(prefix[p], uint8(i)), Dirs: protocol.DirsToServer}
		switch {
		case toClient[n]:
			s.Dirs = protocol.DirsToClient
		case both[n]:
			s.Dirs = protocol.DirsBoth
		}
		s.Multi = n == "dns.query" || n == "tls.certs"
		if prefix[p] != 0 || p == "file" {
			buffers[n] = s
		}
	}
	byName := func(n string) (protocol.ID, bool) {
		if n == "http1" {
			return protocol.HTTP1, true
		}
		for id := protocol.HTTP1; id < protocol.NumIDs; id++ {
			if id.String() == n {
				return id, true
			}
		}
		return 0, false
	}
	def := &protocol.Definition{Events: []string{"x", "double_encoded_uri"}}
	return Env{
		Vars: map[string]string{"HOME_NET": "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", "EXTERNAL_NET": "!$HOME_NET", "HTTP_SERVERS": "$HOME_NET",
			"SMTP_SERVERS": "$HOME_NET", "SQL_SERVERS": "$HOME_NET", "DNS_SERVERS": "$HOME_NET", "TELNET_SERVERS": "$HOME_NET", "AIM_SERVERS": "$EXTERNAL_NET",
			"DC_SERVERS": "$HOME_NET", "HTTP_PORTS": "80", "SHELLCODE_PORTS": "!80", "ORACLE_PORTS": "1521", "SSH_PORTS": "22", "FTP_PORTS": "21", "FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]"},
		Buffer: func(n string) (protocol.BufferSpec, bool) { b, ok := buffers[n]; return b, ok },
		Proto:  byName,
		Definition: func(id protocol.ID) *protocol.Definition {
			switch id {
			case protocol.HTTP1, protocol.DNS, protocol.TLS, protocol.SSH, protocol.SMTP, protocol.FTP, protocol.FTPData, protocol.SMB, protocol.DCERPC:
				return def
			}
			return nil
		},
		Field:   func(string) bool { return true },
		Event:   func(string) (decode.Event, bool) { return 1, true },
		Classes: map[string]Class{"trojan-activity": {"A Network Trojan was detected", 1}},
	}
}

// shared finds the folder of test data beside the repository.
func shared(t testing.TB, path string) string {
	dir, _ := os.Getwd()
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Skip("no go.mod above")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(dir, "..", "shared", path)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("%s is not here", path)
	}
	return p
}

func TestETOpenLoads(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t, "data/rules/et-open"), "*.rules"))
	p := NewParser(testEnv())
	total, bad := 0, 0
	reasons, examples := map[string]int{}, map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range Lines(string(data)) {
			total++
			if _, err := p.Parse(filepath.Base(f), l.Number, l.Text); err != nil {
				bad++
				k := err.Keyword + ": " + err.Message
				reasons[k]++
				examples[k] = fmt.Sprintf("%s (enabled %v)", err.Error(), l.Enabled)
			}
		}
	}
	keys := make([]string, 0, len(reasons))
	for k := range reasons {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return reasons[keys[i]] > reasons[keys[j]] })
	for i, k := range keys {
		if i < 40 {
			t.Logf("%5d %s", reasons[k], examples[k])
		}
	}
	t.Logf("%d of %d rules load (%.2f %%)", total-bad, total, 100*float64(total-bad)/float64(total))
	if float64(bad) > 0.005*float64(total) {
		t.Errorf("%d of %d rules are refused", bad, total)
	}
}

// Errors are part of what engineers work with: their text is fixed here.
func TestErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		p := NewParser(testEnv())
		_, err := p.Parse("t.rules", 7, text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got: %s\nwant: %s", text, got, want)
		}
	}
	o := func(options, want string) {
		t.Helper()
		f("alert tcp any any -> any any ("+options+" sid:1;)", want)
	}
	f(`alert tcp any any -> any any`, "t.rules:7: no options: a rule is `action protocol source port -> destination port (options)`")
	f(`alret tcp any any -> any any (sid:1;)`, `t.rules:7:1: sid 1: "alret" is no action; did you mean "alert"?`)
	f(`alert htpp any any -> any any (sid:1;)`, `t.rules:7:7: sid 1: unknown protocol "htpp"; did you mean "http"?`)
	f(`alert tcp $HOME_NETS any -> any any (sid:1;)`, `t.rules:7:11: sid 1: the address variable $HOME_NETS is not defined; did you mean "HOME_NET"?`)
	f(`alert tcp any 70000 -> any any (sid:1;)`, `t.rules:7:15: sid 1: "70000" is no port`)
	f(`alert tcp any any >> any any (sid:1;)`, `t.rules:7:19: sid 1: ">>" is no direction: use ->, <> or =>`)
	f(`alert tcp any -> any any (sid:1;)`, "t.rules:7: sid 1: the header has 6 parts: it is `action protocol source port -> destination port`")
	f(`alert tcp [1.2.3.4,!1.2.3.4] any -> any any (sid:1;)`, `t.rules:7:11: sid 1: the address group [1.2.3.4,!1.2.3.4] leaves no address`)
	f(`alert tcp 1.2.3.400 any -> any any (sid:1;)`, `t.rules:7:11: sid 1: "1.2.3.400" is no address`)
	f(`alert tcp any any -> any any (msg:"x";)`, `t.rules:7: sid: is missing: every rule needs a number of its own`)
	f(`alert tcp any any -> any any (sid:1)`, `t.rules:7:31: sid 1: sid: the option does not end with a semicolon`)
	o(`http.url; content:"x";`, `t.rules:7:31: sid 1: http.url: unknown keyword; did you mean "http.uri"?`)
	o(`contnet:"x";`, `t.rules:7:31: sid 1: contnet: unknown keyword; did you mean "content"?`)
	o(`content:"a|4|";`, `t.rules:7:31: sid 1: content: an odd number of hex digits before | at byte 4 of the value`)
	o(`content:"a|zz|";`, `t.rules:7:31: sid 1: content: 'z' is no hex digit; a bar that is meant as such is written |7C|`)
	o(`content:"a;b";`, `t.rules:7:31: sid 1: content: the value has no closing quote; a semicolon inside of quotes is written \;`)
	o(`content:"";`, `t.rules:7:31: sid 1: content: the value is empty`)
	o(`nocase; content:"x";`, `t.rules:7:31: sid 1: nocase: needs a content before it`)
	o(`content:"abc"; depth:2;`, `t.rules:7:46: sid 1: depth: 2 is less than the content's 3 bytes: it can never match`)
	o(`content:"abc"; depth:5; within:5;`, `t.rules:7:55: sid 1: within: cannot be combined with offset, depth or startswith of the same content`)
	o(`content:"abc"; distance:var;`, `t.rules:7:46: sid 1: distance: "var" is neither a number nor a variable that byte_extract or byte_math has set before`)
	o(`pcre:"/(a/";`, `t.rules:7:31: sid 1: pcre: the expression does not compile: missing closing parenthesis at byte 3`)
	o(`pcre:"/a/K";`, `t.rules:7:31: sid 1: pcre: unknown flag 'K'`)
	o(`flow:to_servr;`, `t.rules:7:31: sid 1: flow: unknown option "to_servr"; did you mean "to_server"?`)
	o(`flow:to_client; http.uri; content:"x";`, `t.rules:7:57: sid 1: http.uri: is filled by the client's request, and flow asks for to_client: it can never match`)
	o(`http.uri;`, `t.rules:7:31: sid 1: http.uri: no test follows this buffer`)
	o(`http.host; http.uri; content:"a";`, `t.rules:7:31: sid 1: http.host: no test follows this buffer`)
	o(`http.uri; to_lowercase;`, `t.rules:7:31: sid 1: to_lowercase: no test follows this transformation`)
	o(`http.uri; content:"a"; to_lowercase;`, `t.rules:7:31: sid 1: to_lowercase: no test follows this transformation`)
	o(`http.uri; content:"a"; to_md5; http.host; content:"b";`, `t.rules:7:31: sid 1: to_md5: no test follows this transformation`)
	o(`http.uri; content:"a"; content:"b"; http_uri;`, `t.rules:7:67: sid 1: http_uri: cannot follow the sticky buffer http.uri: use `+"`http.uri;`"+` before the content`)
	o(`content:"a"; to_lowercase; content:"b";`, `t.rules:7:44: sid 1: to_lowercase: needs a sticky buffer before it`)
	o(`http.uri; content:"a"; tls.sni; content:"b";`, `t.rules:7:7: sid 1: the rule is for tcp, and its keywords for tls: it can never match`)
	o(`threshold:type limit, track by_srcs, seconds 1, count 1;`, `t.rules:7:31: sid 1: threshold: unknown track "by_srcs"; did you mean "by_src"?`)
	o(`flags:SX;`, `t.rules:7:31: sid 1: flags: 'X' is no TCP flag: F S R P A U E C 1 2 or 0`)
	o(`dsize:5<>6;`, `t.rules:7:31: sid 1: dsize: the range 5 to 6 holds no number (its ends are excluded)`)
	o(`lua:x.lua;`, `t.rules:7:31: sid 1: lua: keyword lua: known, not evaluated yet`)
	o(`geoip:src,DE;`, `t.rules:7:31: sid 1: geoip: needs a database of countries: set geoip-database in the configuration`)
	o(`geoip:src,Germany;`, `t.rules:7:31: sid 1: geoip: "Germany" is no country: two letters of ISO 3166, after any, src, dst or both`)
	o(`cluster:x; badword;`, `t.rules:7:42: sid 1: badword: unknown keyword`)
	o(`dce_iface:1ff70682-0a51-30e8-076d-740be8cee98b,=1,any_frag; dce_opnum:0,3-5; content:"x"; byte_test:2,=,1,0,dce;`, ``)
	o(`dcerpc.iface:1ff70682;`, `t.rules:7:31: sid 1: dcerpc.iface: "1ff70682" is no UUID`)
	o(`dcerpc.iface:1ff70682-0a51-30e8-076d-740be8cee98b,1;`, `t.rules:7:31: sid 1: dcerpc.iface: "1" is no version test: write it as =1, <2, >0 or !1`)
	o(`dcerpc.iface; content:"x";`, `t.rules:7:31: sid 1: dcerpc.iface: needs a value`)
	o(`dcerpc.opnum:1,x;`, `t.rules:7:31: sid 1: dcerpc.opnum: "x" is no number`)
	o(`ssl_state:!client_hello|server_hello;`, ``)
	o(`ssl_state:done;`, `t.rules:7:31: sid 1: ssl_state: unknown state "done"`)
	o(`ssl_state:!client_hello|server_hello|client_keyx|server_keyx|unknown;`, `t.rules:7:31: sid 1: ssl_state: excludes every state: it can never match`)
	o(`flowbits:isset,a; flowbits:isnotset,a;`, `t.rules:7:49: sid 1: flowbits: isnotset contradicts isset of a`)
}

func TestGroups(t *testing.T) {
	g := &groups{vars: map[string]string{"HOME": "[10.0.0.0/8,!10.1.0.0/16]", "EXT": "!$HOME", "LOOP": "$LOOP", "P": "[80,443]"}, addrs: map[string]*AddrSet{}, ports: map[string]*PortSet{}}
	a := func(set, ip string, want bool) {
		t.Helper()
		s, err := g.addr(set)
		if err != nil {
			t.Fatal(err)
		}
		r, err := parseAddr(ip)
		if err != nil {
			t.Fatal(err)
		}
		if s.Has(&r.Lo) != want {
			t.Errorf("%s has %s: %v", set, ip, !want)
		}
	}
	a("any", "::1", true)
	a("$HOME", "10.2.3.4", true)
	a("$HOME", "10.1.3.4", false)
	a("$EXT", "10.1.3.4", true)
	a("$EXT", "10.2.3.4", false)
	a("$EXT", "2001:db8::1", true)
	a("[$HOME,192.168.0.0/16]", "192.168.255.255", true)
	a("![1.1.1.1,2.2.2.2]", "2.2.2.2", false)
	a("[1.2.3.4-1.2.3.9]", "1.2.3.9", true)
	a("[1.2.3.4-1.2.3.9]", "1.2.3.10", false)
	a("2001:db8::/32", "2001:db8:ffff::1", true)
	a("10.0.0.0/255.0.0.0", "10.9.9.9", true)
	p := func(set string, port uint16, want bool) {
		t.Helper()
		s, err := g.port(set)
		if err != nil {
			t.Fatal(err)
		}
		if s.Has(port) != want {
			t.Errorf("%s has %d: %v", set, port, !want)
		}
	}
	p("any", 0, true)
	p("$P", 443, true)
	p("!$P", 443, false)
	p("!$P", 444, true)
	p("[1:1023,!80]", 80, false)
	p("[1024:]", 65535, true)
	p("[:1023]", 0, true)
	if _, err := g.addr("$LOOP"); err == nil {
		t.Error("a variable that names itself was taken")
	}
}

func TestIntegers(t *testing.T) {
	f := func(s string, v uint64, want bool) {
		t.Helper()
		x, err := parseInt(s, 1<<32, map[string]uint64{"txt": 16})
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if x.Match(v) != want {
			t.Errorf("%s on %d: %v", s, v, !want)
		}
	}
	f("5", 5, true)
	f("!5", 5, false)
	f("<5", 4, true)
	f("<=5", 5, true)
	f(">=5", 4, false)
	f("2<>5", 2, false)
	f("2-5", 3, true)
	f("!2-5", 3, false)
	f("0x10", 16, true)
	f("txt", 16, true)
	f("!txt", 16, false)
	f("&0xf0=0x20", 0x25, true)
	f("&0xf0=0x20", 0x35, false)
	f("1kb", 1024, true)
}

func TestLines(t *testing.T) {
	ls := Lines("# prose\n\nalert tcp any any -> any any ( \\\n  sid:1;)\n#alert tcp any any -> any any (sid:2;)\r\n# alert on this (not a rule)\n")
	if len(ls) != 2 || !ls[0].Enabled || ls[0].Number != 3 || !strings.HasSuffix(ls[0].Text, "( sid:1;)") && !strings.HasSuffix(ls[0].Text, "(  sid:1;)") ||
		ls[1].Enabled || ls[1].Number != 5 {
		t.Errorf("%+v", ls)
	}
}

func FuzzRule(f *testing.F) {
	f.Add("alert http2 any any -> any any (http2.settings:SETTINGS_INITIAL_WINDOW_SIZE !&0x30=0x10; sid:1;)")
	f.Add("alert tls any any -> any any (tls_cert_notafter:2015-01-01T10<>1893456000; tls_cert_expired; tls.store; sid:1;)")
	f.Add("alert http any any -> any any (http.uri; entropy:bytes 8, value !1.5-2.5; sid:1;)")
	files, _ := filepath.Glob("../rules/*.rules")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, l := range Lines(string(data)) {
			f.Add(l.Text)
		}
	}
	for _, o := range []string{`content:"a"; byte_extract:1,0,x,relative; byte_jump:2,x,relative,align; isdataat:!x,relative;`, `byte_math:bytes 2,offset 0,oper <<,rvalue 1,result y;`,
		`base64_decode:bytes 4,offset 1,relative; base64_data; content:"x";`, `flowint:a,+,1; xbits:set,b,track ip_pair,expire 5; hostbits:isset,c;`,
		`http.uri; xor:"0a0b"; from_base64:mode rfc2045; content:"|00|"; endswith;`, `flags:!SA,12; fragbits:+MD; ipopts:lsrr; stream_size:both,>,5; vlan.id:>4,0;`,
		`asn1:oversize_length 10,relative_offset 2; ssl_version:!tls1.2; tls_cert_notbefore:2020<>2021; requires:version >= 7 | < 6;`,
		`http.host; content:"a"; config:logging disable, type tx, scope tx;`, `config:logging disable,type flow,scope  flow;`} {
		f.Add("alert tcp [1.2.3.4/8,!$HOME_NET] [1:,!$HTTP_PORTS] <> any any (" + o + " sid:1;)")
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := NewParser(testEnv())
		for _, l := range Lines(text) {
			if r, err := p.Parse("f", l.Number, l.Text); (r == nil) == (err == nil) {
				t.Fatal("neither a rule nor an error, or both")
			}
		}
		p.Parse("f", 1, text)
	})
}

// TestHashForm holds that hashes and serial numbers may be written in either case.
func TestHashForm(t *testing.T) {
	f := func(options, want string) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, "alert tls any any -> any any ("+options+" sid:1;)")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Lists[0].Items[0].Pattern); got != want {
			t.Errorf("%s: looks for %q, want %q", options, got, want)
		}
	}
	f(`tls.cert_fingerprint; content:"32:56:AB";`, "32:56:ab")
	f(`tls.cert_serial; content:"0f:ab";`, "0F:AB")
	f(`tls.sni; content:"Example";`, "Example")
}
