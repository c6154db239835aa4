package mime

import (
	b64 "encoding/base64"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

type outcome struct {
	Objects     []*protocoltest.Object
	Events      []string
	URLs        []string
	Attachments []string
	Header      Header
}

func read(t interface{ Fatal(...any) }, chunks [][]byte, limits *protocol.Limits) outcome {
	sink := &protocoltest.Sink{}
	env := protocoltest.NewEnv(protocoltest.Dialogue{}, sink)
	if limits != nil {
		env.Limits = limits
	}
	tx := &protocol.Tx{}
	r := NewReader(Options{Tx: tx, Whole: true, Kind: protocol.KindFile})
	for _, c := range chunks {
		r.Write(env, append([]byte(nil), c...))
	}
	r.Close(env, false)
	if err := sink.Check(); err != nil {
		t.Fatal(err)
	}
	if tx.OpenObjects != 0 {
		t.Fatal("objects left open: ", tx.OpenObjects)
	}
	return outcome{sink.Objects, tx.Events, r.URLs(), r.Attachments(), r.Header()}
}

// summary gives each object as "kind name: content".
func summary(o outcome) []string {
	var s []string
	for _, x := range o.Objects {
		if x.Container || x.Name == "header" {
			continue
		}
		kind := map[protocol.ObjectKind]string{protocol.KindText: "text", protocol.KindAttachment: "att"}[x.Kind]
		s = append(s, fmt.Sprintf("%s %s: %s", kind, x.Name, x.Data))
	}
	return s
}

func crlfs(s string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n"))
}

var cases = []struct {
	name, mail string
	want       []string
	events     []string
}{
	{"plain", `
From: a@x
Subject: s

hello
world
`, []string{"text : hello\r\nworld\r\n"}, nil},
	{"no body", "\nSubject: x\n", []string{"text : "}, nil},
	{"base64", `
Content-Transfer-Encoding: base64
Content-Type: text/plain

aGVsbG8g
d29ybGQ=
`, []string{"text : hello world"}, nil},
	{"base64 padded twice, with junk", `
Content-Transfer-Encoding: BASE64 (comment)

aGk=!aGk=
aGk
`, []string{"text : hihihi"}, []string{"mime_invalid_base64"}},
	{"base64 in the alphabet of URLs", `
Content-Transfer-Encoding: base64

-_-_aGk=
`, []string{"text : \xfb\xff\xbfhi"}, nil},
	{"base64 in the standard alphabet, with junk", `
Content-Transfer-Encoding: base64

++++b -_c
`, []string{"text : \xfb\xef\xbem"}, []string{"mime_invalid_base64"}},
	{"quoted-printable", `
Content-Transfer-Encoding: quoted-printable

a=3Db=
c =  
d=zz=41`, []string{"text : a=bc d=zzA"}, []string{"mime_invalid_qp"}},
	{"uuencode", `
Content-Type: application/octet-stream
Content-Transfer-Encoding: x-uuencode

noise
begin 644 cat.txt
#0V%T
` + "`" + `
end
more
`, []string{"att cat.txt: Cat"}, nil},
	{"a file within the text", "\nSubject: x\n\nhello\nbegin 644 cat.txt\n#0V%T\n`\nend\nmore\nbegin 755 b\n#0V%T",
		[]string{"text : hello\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nmore\r\nbegin 755 b\r\n#0V%T", "att cat.txt: Cat", "att b: Cat"}, nil},
	{"mixed", `
Content-Type: multipart/mixed; boundary="b 1"

This is a preamble.
--b 1
Content-Type: text/plain; charset=utf-8

first
--not it
-- b 1
--b 1  
Content-Disposition: attachment; filename="a.bin"
Content-Transfer-Encoding: base64

AAEC
--b 1--
epilogue
`, []string{"text preamble: This is a preamble.", "text : first\r\n--not it\r\n-- b 1", "att a.bin: \x00\x01\x02", "text preamble: epilogue\r\n"}, nil},
	{"nested, inner never closed", `
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=oi

--oi

one
--oi
Content-Type: text/html

<p>two
--o
Content-Type: text/plain; name=c.txt

three
--o--
`, []string{"text : one", "text : <p>two", "att c.txt: three"}, nil},
	{"part without a header's end", `
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain
--o
junk line

x
--o--
`, []string{"text : ", "text : x"}, []string{"mime_malformed_msg"}},
	{"attached message", `
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: message/rfc822
Content-Disposition: attachment; filename=m.eml

Subject: inner
Content-Type: multipart/mixed; boundary=i

--i
Content-Transfer-Encoding: base64
Content-Type: application/pdf; name="p.pdf"

UERG
--i--
--o--
`, []string{"att p.pdf: PDF"}, nil},
	{"attached message in base64", "\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" +
		base64std("Subject: in\r\n\r\nsecret") + "\n", []string{"text : secret"}, nil},
	{"names", `
Content-Type: multipart/mixed; boundary=o

--o
Content-Disposition: attachment; filename*0*=utf-8''%e2%82%ac; filename*1=" rates.txt"

1
--o
Content-Type: x/y; name="=?iso-8859-1?q?caf=E9.txt?="

2
--o
Content-Disposition: attachment; filename*=iso-8859-1'en'%A3.txt

3
--o
Content-Disposition: attachment; filename=no quotes.txt; size=1

4
--o
Content-Disposition: attachment; filename="C:\dir\a;b.txt"

5
--o--
`, []string{"att € rates.txt: 1", "att café.txt: 2", "att £.txt: 3", "att no quotes.txt: 4", `att C:\dir\a;b.txt: 5`}, nil},
	{"multipart without boundary", "\nContent-Type: multipart/mixed\n\ntext\n", []string{"text : text\r\n"}, []string{"mime_malformed_msg"}},
	{"delimiter at the very end", "\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\nx\n--o--", []string{"text : x"}, nil},
	{"cut within a part", "\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\nx\n--", []string{"text : x\r\n--"}, nil},
}

func base64std(s string) string { return b64.StdEncoding.EncodeToString([]byte(s)) }

func TestReader(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			mail := crlfs(c.mail)
			o := read(t, [][]byte{mail}, nil)
			if diff := cmp.Diff(c.want, nonEmpty(c.want, summary(o)), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.events, o.Events, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if whole := o.Objects[0]; !whole.Container || string(whole.Data) != string(mail) {
				t.Errorf("the whole message is not given first and unchanged: %q", whole.Data)
			}
		})
	}
}

// nonEmpty leaves an expected empty object as it is.
func nonEmpty(_, got []string) []string { return got }

func TestCutsDoNotMatter(t *testing.T) {
	small := protocol.DefaultLimits()
	small.MaxHeader = 60
	small.MaxParts = 2
	for _, limits := range []*protocol.Limits{nil, small} {
		for _, c := range cases {
			mail := crlfs(c.mail)
			want := read(t, [][]byte{mail}, limits)
			rapid.Check(t, func(rt *rapid.T) {
				r := rand.New(rand.NewSource(rapid.Int64().Draw(rt, "seed")))
				if diff := cmp.Diff(want, read(rt, cut(r, mail), limits), cmpopts.EquateEmpty()); diff != "" {
					rt.Fatal(c.name, diff)
				}
			})
		}
	}
}

func cut(r *rand.Rand, b []byte) [][]byte {
	var chunks [][]byte
	bound := 1 + r.Intn(30)
	for len(b) > 0 {
		n := min(len(b), 1+r.Intn(bound))
		chunks = append(chunks, b[:n])
		b = b[n:]
	}
	return chunks
}

func TestHeaderObject(t *testing.T) {
	o := read(t, [][]byte{crlfs("\nSubject: =?utf-8?b?c2VjcmV0IHBsYW4=?=\n =?utf-8?q?_two?=\nFrom: a\n\nx")}, nil)
	if h := o.Objects[1]; h.Name != "header" || string(h.Data) != "Subject: secret plan two\r\nFrom: a\r\n" {
		t.Errorf("header is %q: %q", h.Name, h.Data)
	}
	if name := o.Objects[0].Name; name != "secret plan two.eml" {
		t.Errorf("message is named %q", name)
	}
	if v := o.Header.Get("subject"); v != "=?utf-8?b?c2VjcmV0IHBsYW4=?= =?utf-8?q?_two?=" {
		t.Errorf("subject is %q", v)
	}
}

func TestURLs(t *testing.T) {
	o := read(t, [][]byte{crlfs("\nContent-Type: text/html\n\nsee (https://a.example/x?y=1), <a href=\"HTTP://b.example\">ftp://c.example.</a> mailto:d@e http://a b://x https://a.example/x?y=1")}, nil)
	want := []string{"https://a.example/x?y=1", "HTTP://b.example", "ftp://c.example", "mailto:d@e", "http://a"}
	if diff := cmp.Diff(want, o.URLs); diff != "" {
		t.Error(diff)
	}
}

func TestConfiguredURLs(t *testing.T) {
	text := crlfs("\nContent-Type: text/html\n\nhttp://a/x HXXPS://b ftp://c mailto:d@e gemini-x://f abcdefgh://g")
	f := func(l protocol.MailLimits, want ...string) {
		t.Helper()
		limits := protocol.DefaultLimits()
		limits.Mail = l
		if diff := cmp.Diff(want, read(t, [][]byte{text}, limits).URLs, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v: %s", l, diff)
		}
	}
	f(protocol.MailLimits{}, "http://a/x", "ftp://c", "mailto:d@e")
	f(protocol.MailLimits{NoURLs: true})
	f(protocol.MailLimits{Schemes: []string{"hxxps", "abcdefgh"}}, "HXXPS://b", "abcdefgh://g")
	f(protocol.MailLimits{BareURLs: true}, "a/x", "c", "mailto:d@e")
	f(protocol.MailLimits{Schemes: []string{}})
}

func TestRuleLimit(t *testing.T) {
	limits := protocol.DefaultLimits()
	limits.Mail.Rules = 5
	o := read(t, [][]byte{crlfs("\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext of it\n--b\nContent-Disposition: attachment; filename=x\n\nattached\n--b--\n")}, limits)
	for _, x := range o.Objects {
		if want := map[protocol.ObjectKind]uint64{protocol.KindAttachment: 5}[x.Kind]; x.RuleLimit != want {
			t.Errorf("%v %q has the bound %d", x.Kind, x.Data, x.RuleLimit)
		}
	}
	if len(o.Objects) < 3 || len(o.Attachments) != 1 {
		t.Errorf("%d objects, attachments %v", len(o.Objects), o.Attachments)
	}
}

func TestAddresses(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, Addresses(in), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	f("")
	f("a@b, c@d", "a@b", "c@d")
	f(`"x, y" <a@b>,(c, d) e@f`, `"x, y" <a@b>`, "(c, d) e@f")
	f(`"unclosed, a@b`, `"unclosed, a@b`)
}

func TestBounds(t *testing.T) {
	f := func(name string, mail string, event string, unscannable string) {
		t.Helper()
		o := read(t, [][]byte{[]byte(mail)}, nil)
		if event != "" && (len(o.Events) == 0 || o.Events[0] != event) {
			t.Errorf("%s: events %v", name, o.Events)
		}
		found := unscannable == ""
		for _, x := range o.Objects {
			found = found || x.Unscannable == unscannable
		}
		if !found {
			t.Errorf("%s: no object is marked %q", name, unscannable)
		}
		if len(o.Objects) > 2100 {
			t.Errorf("%s: %d objects", name, len(o.Objects))
		}
	}
	deep := ""
	for i := range 40 {
		deep += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	f("deep multiparts", deep+"\r\nx", "", "too-deep")
	f("deep messages", strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 40)+"x", "", "too-deep")
	f("many parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n"+strings.Repeat("--b\r\n\r\nx\r\n", 5000), "mime_parse_failed", "too-large")
	f("long header", "Subject: "+strings.Repeat("x", 1<<20)+"\r\n\r\nbody", "mime_long_header_value", "")
	f("long line", "\r\n"+strings.Repeat("x", 5000), "mime_long_line", "")
}

func FuzzReader(f *testing.F) {
	for _, c := range cases {
		f.Add(crlfs(c.mail), int64(1))
	}
	f.Fuzz(func(t *testing.T, mail []byte, seed int64) {
		want := read(t, [][]byte{mail}, nil)
		if len(mail) > 0 && string(want.Objects[0].Data) != string(mail) {
			t.Fatal("the whole message was changed")
		}
		got := read(t, cut(rand.New(rand.NewSource(seed)), mail), nil)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

type nullSink struct{ n int }

func (s *nullSink) OpenObject(*protocol.Object)                        {}
func (s *nullSink) ObjectData(_ *protocol.Object, b []byte)            { s.n += len(b) }
func (s *nullSink) ObjectGap(*protocol.Object, uint64)                 {}
func (s *nullSink) CloseObject(*protocol.Object, protocol.ObjectState) {}

func BenchmarkBase64Attachment(b *testing.B) {
	var mail strings.Builder
	mail.WriteString("Content-Type: multipart/mixed; boundary=frontier\r\n\r\n--frontier\r\nContent-Type: text/plain\r\n\r\nhi\r\n--frontier\r\nContent-Type: application/octet-stream; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	line := base64std(strings.Repeat("\xfb\x01\x7f", 19)) + "\r\n"
	for range 13000 {
		mail.WriteString(line)
	}
	mail.WriteString("--frontier--\r\n")
	data := []byte(mail.String())
	env := &protocol.Env{Objects: &nullSink{}, Limits: protocol.DefaultLimits()}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(Options{Tx: &protocol.Tx{}})
		for d := data; len(d) > 0; d = d[min(len(d), 1460):] {
			r.Write(env, d[:min(len(d), 1460)])
		}
		r.Close(env, false)
	}
}
