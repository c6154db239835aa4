package rule

import (
	"strings"
	"testing"
)

func TestReplaceKeyword(t *testing.T) {
	f := func(header, options, with, problem string) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, header+" any any -> any any ("+options+" sid:1;)")
		switch {
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("%s: %v, want %s", options, err, problem)
		case problem == "" && err != nil:
			t.Errorf("%s: %v", options, err)
		case problem == "" && (!r.Replaces || string(r.Lists[0].Items[0].Replace) != with):
			t.Errorf("%s: %q", options, r.Lists[0].Items[0].Replace)
		}
	}
	f("alert tcp", `content:"abcd"; replace:"wxyz";`, "wxyz", "")
	f("alert tcp", `content:"abcd"; nocase; depth:9; replace:"|00 41|";`, "\x00A", "")
	f("pass udp", `content:"abcd"; replace:"wxyz"; content:"e"; distance:0;`, "wxyz", "")
	f("alert http", `flow:to_server; content:"abcd"; replace:"wxyz"; flowbits:set,x;`, "wxyz", "")

	f("alert tcp", `replace:"x";`, "", "t.rules:1:31: sid 1: replace: needs a content before it")
	f("alert tcp", `content:"abcd"; replace:"vwxyz";`, "", "has 5 bytes and the content 4: a packet cannot grow")
	f("alert tcp", `content:!"abcd"; replace:"wxyz";`, "", "cannot follow a negated content")
	f("alert tcp", `content:"abcd"; replace:!"wxyz";`, "", "cannot be negated")
	f("alert tcp", `content:"abcd"; replace:"w"; replace:"x";`, "", "given twice")
	f("alert tcp", `content:"abcd"; replace:"|0|";`, "", "odd number of hex digits")
	f("alert tcp", `content:"abcd"; replace:"";`, "", "the value is empty")
	f("alert http", `http.host; content:"abcd"; replace:"wxyz";`, "", "only the payload of a packet can be rewritten")
	f("alert http", `content:"abcd"; http_uri; replace:"wxyz";`, "", "only the payload of a packet can be rewritten")
	f("alert http", `content:"abcd"; replace:"wxyz"; http_uri;`, "", "the content is in http.uri")
	f("alert http", `content:"abcd"; replace:"wxyz"; http.host; content:"e";`, "", "cannot be combined with http.host")
	f("alert http", `content:"abcd"; replace:"wxyz"; app-layer-event:http.x;`, "", "cannot be combined with tests of a transaction")
	f("alert tcp-stream", `content:"abcd"; replace:"wxyz";`, "", "looks at the stream alone")
	f("alert tcp", `flow:only_stream; content:"abcd"; replace:"wxyz";`, "", "looks at the stream alone")
	f("drop tcp", `content:"abcd"; replace:"wxyz";`, "", "the action is drop: use alert or pass")
	f("config tcp", `content:"abcd"; replace:"wxyz"; config:logging disable, type flow, scope flow;`, "", "the action is config")
}
