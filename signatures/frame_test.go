package signatures

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// TestFrameKeyword tells by what names frames are known, and what is refused.
func TestFrameKeyword(t *testing.T) {
	f := func(rule, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "t.rules")
		if err := os.WriteFile(path, []byte(rule+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, rep := Load([]string{path}, Config{Registry: fakeRegistry(t), Fields: fakeFields()})
		got := ""
		for i := range rep.Errors {
			got += rep.Errors[i].Message
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
	f(`alert smtp any any -> any any (frame:command_line; content:"a"; sid:1;)`, "")
	f(`alert smtp any any -> any any (frame:smtp.command_line; content:"a"; sid:1;)`, "")
	f(`alert tcp any any -> any any (frame:smtp.command_line; content:"a"; sid:1;)`, "")
	f(`alert ip any any -> any any (frame:smtp.stream; content:"a"; sid:1;)`, "")
	f(`alert smtp any any -> any any (frame:smtp.command_line; to_lowercase; content:"a"; frame:smtp.command_line; content:"B"; sid:1;)`, "")
	f(`alert tcp any any -> any any (frame:smtp.comand_line; content:"a"; sid:1;)`, `did you mean "smtp.command_line"?`)
	f(`alert smtp any any -> any any (frame:comand_line; content:"a"; sid:1;)`, `did you mean "command_line"?`)
	f(`alert tcp any any -> any any (frame:stmp.data; content:"a"; sid:1;)`, `did you mean "smtp.data"?`)
	f(`alert tcp any any -> any any (frame:nonsense; content:"a"; sid:1;)`, `unknown frame "nonsense"`)
	// The language has these, and no parser here announces them.
	f(`alert tls any any -> any any (frame:tls.pdu; content:"a"; sid:1;)`, "frame tls.pdu: known, not evaluated yet")
	f(`alert smb any any -> any any (frame:smb2.hdr; content:"a"; sid:1;)`, "frame smb2.hdr: known, not evaluated yet")
	f(`alert tcp any any -> any any (frame:sip.request.line; content:"a"; sid:1;)`, "known, not evaluated yet")
	// What can never match, or is no matter of one frame.
	f(`alert ssh any any -> any any (frame:smtp.data; content:"a"; sid:1;)`, "can never match")
	f(`alert smtp any any -> any any (flow:to_client; frame:smtp.command_line; content:"a"; sid:1;)`, "can never match")
	f(`alert icmp any any -> any any (frame:smtp.data; content:"a"; sid:1;)`, "TCP and UDP")
	f(`alert smtp any any => any any (frame:smtp.data; content:"a"; sid:1;)`, "=>")
	f(`alert smtp any any -> any any (frame:smtp.data; sid:1;)`, "no test follows")
	f(`alert smtp any any -> any any (frame:smtp.data; absent; sid:1;)`, "absent")
	f(`alert smtp any any -> any any (frame:smtp.data; content:"a"; smtp.helo; content:"b"; sid:1;)`, "together with smtp.helo: known, not evaluated yet")
	f(`alert smtp any any -> any any (content:"b"; frame:smtp.data; content:"a"; sid:1;)`, "together with the payload: known, not evaluated yet")
	f(`alert smtp any any -> any any (frame:smtp.data; content:"a"; frame:smtp.command_line; content:"b"; sid:1;)`, "known, not evaluated yet")
	f(`alert smtp any any -> any any (frame:; content:"a"; sid:1;)`, "value")
}

// frame gives a frame to the rules in pieces, each a packet; the last is final.
func (r *rig) frame(x protocol.Frame, pieces ...string) {
	r.t.Helper()
	f := r.flow(decode.ProtoTCP, 1000, 25)
	r.speak(f, 'S')
	var st FrameState
	all := ""
	for i, s := range pieces {
		was := len(all)
		all += s
		p := r.packet(f.Proto, f.Client, f.Server, f.ClientPort, f.ServerPort, nil)
		last := i == len(pieces)-1
		piece := FramePiece{Frame: &x, Window: Window{Data: []byte(all), New: was}, Whole: last, Final: last}
		if len(pieces) == 1 {
			r.m.Frame(p, f, &piece, nil)
		} else {
			r.m.Frame(p, f, &piece, &st)
		}
		r.take()
	}
}

// TestFramePieces has rules look at a frame in one piece and in several.
func TestFramePieces(t *testing.T) {
	line := protocol.Frame{App: protocol.SMTP, Type: 0, Len: protocol.FrameOpen}
	f := func(options string, want int, pieces ...string) {
		t.Helper()
		r := newRig(t, "alert smtp any any -> any any (frame:command_line; "+options+" sid:1;)\n")
		r.frame(line, pieces...)
		if len(r.got) != want {
			t.Errorf("%s on %q: %d matches, want %d", options, pieces, len(r.got), want)
		}
	}
	f(`content:"abcd";`, 1, "xxabcdxx")
	f(`content:"abcd";`, 0, "xxabc")
	f(`content:"abcd";`, 1, "xxa", "bcdxx")
	f(`content:"abcd";`, 1, "x", "x", "a", "b", "c", "d", "x")
	// Later bytes match again, those that did do not.
	f(`content:"abcd";`, 2, "xxabcd", "yy", "abcd", "")
	f(`content:"abcd"; startswith;`, 1, "ab", "cd", "abcd", "")
	f(`content:"abcd"; offset:2;`, 1, "xx", "abcd")
	f(`content:"abcd"; offset:3;`, 0, "xx", "abcd")
	f(`content:"abcd"; content:"efgh"; distance:0;`, 1, "abcd", "ef", "gh")
	f(`content:"abcd"; content:"efgh"; distance:0; within:4;`, 0, "abcd", "xef", "gh")
	// The end, the size and what is missing are known at the end only.
	f(`content:"abcd"; endswith;`, 1, "abcd", "xxabcd", "")
	f(`content:"abcd"; endswith;`, 0, "abcd", "xx")
	f(`content:"abcd"; bsize:6;`, 1, "abcd", "xx")
	f(`content:"abcd"; bsize:4;`, 0, "abcd", "xx")
	f(`content:!"abcd";`, 1, "ab", "c", "")
	f(`content:!"abcd";`, 0, "ab", "cd", "")
	f(`content:!"abcd";`, 1, "abc")
	f(`to_lowercase; content:"abcd";`, 1, "AB", "CD", "")
	f(`pcre:"/^ab+c$/";`, 1, "abbbc")
	f(`content:"ABcd"; nocase; fast_pattern:1,2;`, 1, "xabC", "D")
	f(`from_base64; content:"hello";`, 1, "aGVsbG8=")
	// Short patterns serve as well.
	f(`content:"a"; startswith;`, 1, "abc")
	f(`content:"a"; startswith;`, 0, "bac")
}

// TestFrameOthers does not match frames of another kind, protocol or direction.
func TestFrameOthers(t *testing.T) {
	const rules = `alert smtp any any -> any any (frame:command_line; content:"abcd"; sid:1;)
alert smtp any any -> any any (frame:data; content:"abcd"; sid:2;)
alert tcp any any -> any any (flow:to_client; frame:smtp.stream; content:"abcd"; sid:3;)
alert tcp any any -> any 26 (frame:smtp.stream; content:"abcd"; sid:4;)
alert tcp any any -> any 25 (frame:smtp.stream; content:"abcd"; dsize:>100; sid:5;)
alert tcp any any -> any 25 (frame:smtp.stream; content:"abcd"; flow:established,to_server; sid:6;)
`
	f := func(x protocol.Frame, want ...uint32) {
		t.Helper()
		r := newRig(t, rules)
		r.frame(x, "xxabcdxx")
		r.want(want...)
	}
	f(protocol.Frame{App: protocol.SMTP, Type: 0}, 1)
	f(protocol.Frame{App: protocol.SMTP, Type: 1}, 2)
	f(protocol.Frame{App: protocol.SMTP, Type: protocol.FrameStream}, 6)
	f(protocol.Frame{App: protocol.SMTP, Type: protocol.FrameStream, Dir: protocol.ToClient}, 3)
	f(protocol.Frame{App: protocol.SSH, Type: 0})
	r := newRig(t, rules)
	if got := r.e.FrameTypes(protocol.SMTP); got != 1|2|1<<protocol.FrameStream {
		t.Errorf("kinds %#x are asked for", got)
	}
	if got := r.e.FrameTypes(protocol.SSH); got != 0 {
		t.Errorf("kinds %#x are asked for", got)
	}
}

// TestFrameMatch tells which frame a rule matched on.
func TestFrameMatch(t *testing.T) {
	r := newRig(t, `drop smtp any any -> any any (frame:command_line; content:"abcd"; sid:1;)`+"\n")
	f := r.flow(decode.ProtoTCP, 1000, 25)
	r.speak(f, 'S')
	tx := &protocol.Tx{ID: 7}
	p := r.packet(f.Proto, f.Client, f.Server, f.ClientPort, f.ServerPort, nil)
	long := []byte("abcd" + strings.Repeat("x", 1<<16))
	r.m.Frame(p, f, &FramePiece{Frame: &protocol.Frame{App: protocol.SMTP, Start: 100, Len: int64(len(long)), Tx: tx}, ID: 3, Window: Window{Data: long}, Whole: true, Final: true}, nil)
	ms := r.m.Matches()
	if len(ms) != 1 || ms[0].Frame == nil {
		t.Fatalf("%+v", ms)
	}
	x := ms[0]
	if x.Kind != KindFrame || x.Tx != tx || x.Frame.ID != 3 || x.Frame.Start != 100 || !x.Frame.Complete || !x.FlowScope || x.End != 104 {
		t.Errorf("%+v, %+v", x, x.Frame)
	}
	if len(x.Frame.Data) != 4096 || !slices.Equal(x.Frame.Data, long[:4096]) {
		t.Errorf("%d bytes are kept", len(x.Frame.Data))
	}
}
