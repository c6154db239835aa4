package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/http1"
	"sluice/dataplane/protocol/tls"
	"sluice/signatures"
	"sluice/signatures/lint"
)

// check loads rules, each with sid 1, 2 …, and gives "sid kind keyword:column" of
// their warnings.
func check(t *testing.T, lines ...string) []string {
	t.Helper()
	var text strings.Builder
	for i, l := range lines {
		fmt.Fprintf(&text, "%s sid:%d;)\n", l, i+1)
	}
	f := filepath.Join(t.TempDir(), "t.rules")
	if err := os.WriteFile(f, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	reg, err := protocol.NewRegistry(http1.Definition(), dns.Definition(), tls.Definition())
	if err != nil {
		t.Fatal(err)
	}
	rs, rep := signatures.Load([]string{f}, signatures.Config{Registry: reg})
	if len(rep.Errors) > 0 {
		t.Fatal(rep.Errors[0].Error())
	}
	var out []string
	for _, w := range lint.Check(rs.Rules, lint.Options{Classes: rs.Classes, Definition: reg.Definition}) {
		if w.Message == "" || w.Remedy == "" || w.File != f || w.Line == 0 || w.SID == 0 {
			t.Errorf("incomplete: %+v", w)
		}
		out = append(out, fmt.Sprintf("%d %s %s:%d", w.SID, w.Kind, w.Keyword, w.Column))
	}
	return out
}

func TestWarnings(t *testing.T) {
	f := func(name, want string, lines ...string) {
		t.Helper()
		if got := strings.Join(check(t, lines...), "\n"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	const tcp, http = "alert tcp any any -> any 7777 (", "alert http any any -> any any (http.uri; "
	// Sizes.
	f("dsize too small", "1 never-matches dsize:32", tcp+`dsize:<5; content:"abcdef";`)
	f("dsize of the chain", "1 never-matches dsize:32", tcp+`dsize:9; content:"abcd"; content:"efgh"; distance:2;`)
	f("dsize that fits", "", tcp+`dsize:10; content:"abcd"; content:"efgh"; distance:2;`)
	f("dsize with a step back", "", tcp+`dsize:8; content:"abcd"; content:"abcdefgh"; distance:-4;`)
	f("dsize and offset", "1 never-matches dsize:32", tcp+`dsize:<100; content:"abcd"; offset:97;`)
	f("dsize after a jump", "", tcp+`dsize:6; content:"abcd"; byte_jump:1,0,relative; content:"ef"; within:2; distance:0;`)
	f("bsize too small", "1 never-matches bsize:42", http+`bsize:3; content:"/abc";`)
	f("bsize enough", "", http+`bsize:4; content:"/abc";`)
	f("sizes that contradict", "1 never-matches bsize:51", http+`bsize:3; bsize:4; content:"/a";`)
	f("no data there", "1 never-matches isdataat:59", http+`content:"/abcd"; isdataat:!4;`)
	f("dsize out of reach", "1 never-matches dsize:42", tcp+`dsize:>9; dsize:<9; content:"abcd";`)
	// Contents.
	f("must be there and not", "1 never-matches content:59", http+`content:"/abcd"; content:!"bc";`)
	f("must not be elsewhere", "", http+`content:"/abcd"; content:!"bc"; offset:9;`)
	f("case differs", "", http+`content:"/abcd"; nocase; content:!"bc";`)
	f("two beginnings", "1 never-matches content:71", http+`content:"/abcd"; startswith; content:"/abce"; startswith;`)
	f("one begins the other", "", http+`content:"/abcd"; startswith; content:"/ab"; depth:3;`)
	f("two ends", "1 never-matches content:69", http+`content:"/abcd"; endswith; content:"/abce"; endswith;`)
	// Numbers of packets.
	// Bytes that the buffer never has.
	f("capitals", "1 never-matches content:56", http+`to_lowercase; content:"/Abc";`)
	f("capitals, letters folded", "", http+`to_lowercase; content:"/Abc"; nocase;`)
	f("capitals again", "", http+`to_lowercase; to_uppercase; content:"/ABC";`)
	f("small letters", "1 never-matches content:56", http+`to_uppercase; content:"/abc";`)
	f("decoded after", "", http+`to_lowercase; url_decode; content:"/Abc";`)
	f("white space", "1 never-matches content:60", http+`strip_whitespace; content:"a bcd";`)
	f("white space that must not be", "", http+`content:"abcd"; strip_whitespace; content:!"a bcd";`)
	f("a hash in digits", "1 never-matches content:50", http+`to_md5; content:"d41d8cd98f00b204e9800998ecf8427e";`)
	f("a hash", "", http+`to_md5; content:"|d4 1d 8c d9 8f 00 b2 04 e9 80 09 98 ec f8 42 7e|";`)
	f("host", "1 never-matches content:43", `alert http any any -> any any (http.host; content:"Example.com";`)
	f("flags of datagrams", "1 never-matches flags:32", `alert udp any any -> any 7777 (flags:S; content:"abcd";`)
	f("ttl", "1 never-matches ttl:41", tcp+`ttl:>64; ttl:<10; content:"abcd";`)
	f("ttl that fits", "", tcp+`ttl:<64; ttl:>10; content:"abcd";`)
	// Bits.
	f("nobody sets it", "1 never-matches flowbits:32", tcp+`flowbits:isset,a; content:"abcd";`)
	f("one of two is set", "", tcp+`flowbits:isset,a|b; content:"abcd";`, tcp+`flowbits:set,b; content:"efgh";`)
	f("set by one that is off", "1 never-matches flowbits:32", tcp+`flowbits:isset,a; content:"abcd";`, "# "+tcp+`flowbits:set,a; content:"efgh";`)
	f("not set is fine", "", tcp+`flowbits:isnotset,a; content:"abcd";`)
	f("an integer", "1 never-matches flowint:32", tcp+`flowint:n,>,3; content:"abcd";`)
	f("an integer that counts", "", tcp+`flowint:n,>,3; content:"abcd";`, tcp+`flowint:n,+,1; content:"efgh";`)
	f("a host's bit", "", tcp+`xbits:isset,a,track ip_dst; content:"abcd";`, tcp+`xbits:set,a,track ip_src; content:"efgh";`)
	// Names and carriers.
	f("class", "1 unknown-name classtype:48", tcp+`content:"abcd"; classtype:trojan-activty;`)
	f("no carrier", "1 never-matches :0", `alert udp any any -> any any (http.uri; content:"/abcd";`)
	f("a carrier", "", `alert tcp any any -> any any (http.uri; content:"/abcd";`, `alert udp any any -> any any (dns.query; content:"abcd";`)
	// Shadows.
	f("equal", "2 shadowed :0", http+`content:"/abcd"; msg:"one";`, http+`content:"/abcd"; msg:"two";`)
	f("not equal", "", http+`content:"/abcd";`, http+`content:"/abcd"; nocase;`)
	f("behind a pass", "2 shadowed :0", `pass http any any -> any any (http.uri; content:"/abcd";`, `alert http 10.0.0.1 any -> any any (http.uri; content:"/abcd";`)
	f("wider than the pass", "", `pass http 10.0.0.1 any -> any any (http.uri; content:"/abcd";`, `alert http any any -> any any (http.uri; content:"/abcd";`)
	f("behind a drop", "1 shadowed :0", `drop http 10.0.0.0/24 any -> any 80 (http.uri; content:"/abcd";`, `drop http 10.0.0.0/8 any -> any any (http.uri; content:"/abcd";`)
	f("alert both", "", `alert http 10.0.0.0/24 any -> any 80 (http.uri; content:"/abcd";`, `alert http 10.0.0.0/8 any -> any any (http.uri; content:"/abcd";`)
	// Cost.
	f("short content", "1 too-broad content:31", `alert tcp any any -> any any (content:"abc";`)
	f("short content at the beginning", "", `alert tcp any any -> any any (content:"abc"; startswith;`)
	f("short content of one port", "", tcp+`content:"abc";`)
	f("four bytes", "", `alert tcp any any -> any any (content:"abcd";`)
	f("no content", "1 too-broad byte_test:31", `alert tcp any any -> any any (byte_test:1,>,3,0;`)
	f("an address list", "", `alert ip 10.1.1.1 any -> any any (`)
	f("expression alone", "1 costly pcre:42", http+`pcre:"/a.*b/";`)
	f("expression at the beginning", "", http+`pcre:"/^(?:a|b)/";`)
	f("expression with a content", "", http+`content:"/x"; pcre:"/a.*b/";`)
	f("nested repeats", "1 costly pcre:56", http+`content:"/x"; pcre:"/(?:a+)+b/";`)
	f("nested repeats with an end", "", http+`content:"/x"; pcre:"/(?:a+=)+b/";`)
	f("nested repeats that are optional", "1 costly pcre:56", http+`content:"/x"; pcre:"/(\w+\/?)+\./";`)
}

// FuzzCheck: whatever parses is judged without a panic.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`alert tcp any any -> any any (content:"abc"; dsize:3; sid:1;)`, `alert http any any -> any any (http.uri; pcre:"/(a+)+/"; bsize:2; sid:1;)`,
		`pass ip any any -> any any (flowbits:isset,a; sid:1;)`, `alert tcp any any <> [1.1.1.1,!2.2.2.0/24] !80 (content:!"a"; within:3; isdataat:!3; sid:2;)`} {
		f.Add(s)
	}
	reg, err := protocol.NewRegistry(http1.Definition())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path := filepath.Join(t.TempDir(), "f.rules")
		if os.WriteFile(path, []byte(s), 0o600) != nil {
			t.Skip()
		}
		rs, _ := signatures.Load([]string{path}, signatures.Config{Registry: reg})
		lint.Check(rs.Rules, lint.Options{Classes: rs.Classes, Definition: reg.Definition})
	})
}
