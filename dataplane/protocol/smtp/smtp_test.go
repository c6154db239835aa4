package smtp

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

func dialogue(turns ...string) protocoltest.Dialogue {
	for i := range turns {
		turns[i] = strings.ReplaceAll(turns[i], "\n", "\r\n")
	}
	return protocoltest.TCP(25, turns...)
}

// mails gives "from to,to: content status" of the messages found.
func mails(r *protocoltest.Result) []string {
	var list []string
	for _, tx := range r.Txs {
		s := tx.Event.SMTP
		line := s.MailFrom + " " + strings.Join(s.RcptTo, ",")
		for _, o := range r.Objects {
			if o.Container && o.TxID == tx.ID {
				line += " " + o.State.String() + " " + strings.ReplaceAll(string(o.Data), "\r\n", "|")
			}
		}
		list = append(list, line)
	}
	return list
}

func TestDialogues(t *testing.T) {
	const hello = "< 220 mx ESMTP\n"
	f := func(name string, d protocoltest.Dialogue, want []string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			if diff := cmp.Diff(want, mails(r)); diff != "" {
				t.Error(diff)
			}
			var got []string
			for _, tx := range r.Txs {
				got = append(got, tx.Events...)
			}
			if diff := cmp.Diff(events, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	f("two mails", dialogue(hello, "> EHLO me\n", "< 250-mx\n250-STARTTLS\n250 8BITMIME\n",
		"> MAIL FROM:<a@b> SIZE=10\n", "< 250 ok\n", "> RCPT TO:<c@d>\n", "< 250 ok\n", "> rcpt to: <e@f>\n", "< 250 ok\n",
		"> DATA\n", "< 354 go\n", "> Subject: x\n\nhi\n..dot\n.\n", "< 250 queued\n",
		"> MAIL FROM:<>\n", "< 250 ok\n", "> RCPT TO:<g@h>\n", "< 250 ok\n", "> DATA\n", "< 354 go\n", "> \nsecond\n.\n", "< 250 ok\n",
		"> QUIT\n", "< 221 bye\n"),
		[]string{"<a@b> <c@d>,<e@f> CLOSED Subject: x||hi|.dot|", "<> <g@h> CLOSED |second|"})
	f("pipelined, content after the reply", dialogue(hello, "> EHLO me\n", "< 250 PIPELINING\n", "> MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n",
		"< 250 ok\n250 ok\n354 go\n", "> \nx\n.\nMAIL FROM:<e@f>\nRCPT TO:<g@h>\nDATA\n", "< 250 queued\n250 ok\n250 ok\n354 go\n", "> \ny\n.\nQUIT\n", "< 250 ok\n221 bye\n"),
		[]string{"<a@b> <c@d> CLOSED |x|", "<e@f> <g@h> CLOSED |y|"})
	f("content before the reply", dialogue(hello, "> HELO me\n", "< 250 ok\n", "> MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n\nsecret\n.\n", "< 250 ok\n250 ok\n354 go\n250 ok\n"),
		[]string{"<a@b> <c@d> CLOSED |secret|"}, "invalid_pipelined_sequence")
	f("refused DATA with commands behind it", dialogue(hello, "> HELO me\n", "< 250 ok\n", "> DATA\nRSET\nMAIL FROM:<a@b>\n", "< 503 no\n", "< 250 ok\n250 ok\n",
		"> RCPT TO:<c@d>\n", "< 250 ok\n", "> DATA\n", "< 354 go\n", "> \nx\n.\n", "< 250 ok\n"),
		[]string{"<a@b> <c@d> TRUNCATED RSET|MAIL FROM:<a@b>| CLOSED |x|"}, "invalid_pipelined_sequence", "data_command_rejected", "mime_malformed_msg")
	f("reset", dialogue(hello, "> HELO me\n", "< 250 ok\n", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> RSET\n", "< 250 ok\n", "> MAIL FROM:<c@d>\n", "< 250 ok\n"),
		[]string{"<a@b> ", "<c@d> "})
	f("chunks", dialogue(hello, "> EHLO me\n", "< 250 CHUNKING\n", "> MAIL FROM:<a@b>\nRCPT TO:<c@d>\nBDAT 8\n\n.\n.\n", "< 250 ok\n250 ok\n250 ok\n", "> BDAT 4 LAST\nend\n", "< 250 ok\n",
		"> MAIL FROM:<e@f>\n", "< 250 ok\n", "> BDAT 0 LAST\n", "< 250 ok\n"),
		[]string{"<a@b> <c@d> CLOSED |.|.|end\r", "<e@f>  CLOSED "})
	f("one direction only", dialogue("> EHLO me\n", "> MAIL FROM:<a@b>\n", "> RCPT TO:<c@d>\n", "> DATA\n", "> \nx\n.\n", "> MAIL FROM:<e@f>\n", "> DATA\n", "> \ny\n"),
		[]string{"<a@b> <c@d> CLOSED |x|", "<e@f>  TRUNCATED |y|"})
	f("sloppy end that the server takes", protocoltest.TCP(25, hello, "> HELO me\r\n", "< 250 ok\r\n", "> MAIL FROM:<a@b>\r\n", "< 250 ok\r\n", "> DATA\r\n", "< 354 go\r\n", "> \nx\n.\n", "< 250 ok\r\n", "> QUIT\r\n"),
		[]string{"<a@b>  CLOSED \nx\n.\n"})
	f("sloppy end that the server does not take", protocoltest.TCP(25, hello, "> HELO me\r\n", "< 250 ok\r\n", "> MAIL FROM:<a@b>\r\n", "< 250 ok\r\n", "> DATA\r\n", "< 354 go\r\n", "> \nx\n.\nMAIL FROM:<no>\n\r\n.\r\n", "< 250 ok\r\n"),
		[]string{"<a@b>  CLOSED \nx\n.\nMAIL FROM:<no>\n|"})
	f("bad replies", dialogue("< 554 go away\n", "> HELO me\n", "< hello\n", "< 250 ok\n", "< 250 what\n"),
		[]string{" "}, "no_server_welcome_message", "invalid_reply", "unable_to_match_reply_with_request")
	f("long lines", dialogue(hello, "> HELO "+strings.Repeat("x", 600)+"\n", "< 250 "+strings.Repeat("y", 600)+"\n", "> NOOP "+strings.Repeat("z", 9000)+"\nMAIL FROM:<a@b>\n"),
		[]string{"<a@b> "}, "max_command_line_len_exceeded", "max_reply_line_len_exceeded")
	f("starttls refused", dialogue(hello, "> EHLO me\n", "< 250 ok\n", "> STARTTLS\n", "< 454 no\n", "> MAIL FROM:<a@b>\n", "< 250 ok\n"), []string{"<a@b> "}, "tls_rejected")
}

func TestSwitchToTLS(t *testing.T) {
	d := dialogue("< 220 mx ESMTP\n", "> EHLO me\n", "< 250-mx\n250 STARTTLS\n", "> STARTTLS\n", "< 220 go\n")
	r := protocoltest.Run(Definition(), d)
	if r.Status != protocol.Switch || r.SwitchTo != protocol.TLS {
		t.Fatalf("status %d to %s", r.Status, r.SwitchTo)
	}
	if p := r.Parser.(*Parser); p.Capabilities() != CapStartTLS {
		t.Errorf("capabilities %b", p.Capabilities())
	}
	if len(r.Txs) != 1 || r.Txs[0].Event.SMTP.Helo != "me" || r.Txs[0].Event.Email != nil {
		t.Errorf("transactions %+v", r.Txs)
	}
}

func TestCredentialsAreKeptNowhere(t *testing.T) {
	d := dialogue("< 220 mx ESMTP\n", "> EHLO me\n", "< 250 AUTH PLAIN LOGIN\n", "> AUTH PLAIN AHVzZXIAc2VjcmV0\n", "< 535 no\n",
		"> AUTH LOGIN\n", "< 334 VXNlcm5hbWU6\n", "> MAIL FROM:<hidden>\n", "< 334 UGFzc3dvcmQ6\n", "> c2VjcmV0\n", "< 235 ok\n", "> MAIL FROM:<a@b>\n", "< 250 ok\n")
	r := protocoltest.CheckCuts(t, Definition(), d)
	text, err := json.Marshal(r.Txs)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"c2VjcmV0", "AHVzZXI", "hidden"} {
		if strings.Contains(string(text), s) {
			t.Errorf("%s is in %s", s, text)
		}
	}
	if got := mails(r); len(got) != 1 || got[0] != "<a@b> " {
		t.Errorf("mails %q", got)
	}
}

func TestRefusal(t *testing.T) {
	f := func(want string, turns ...string) {
		t.Helper()
		d := dialogue(append([]string{"< 220 mx ESMTP\n", "> EHLO me\n", "< 250 ok\n"}, turns...)...)
		sink := &protocoltest.Sink{}
		env := protocoltest.NewEnv(d, sink)
		p := Definition().New(env)
		for _, c := range d.Chunks {
			p.Parse(env, c.Dir, c.Data)
		}
		reply, ok := p.(protocol.Refuser).Refusal()
		if ok != (want != "") || ok && string(reply[:3]) != want {
			t.Errorf("after %q: %q %v, want %s", turns[len(turns)-1], reply, ok, want)
		}
	}
	f("550", "> MAIL FROM:<a@b>\n")
	f("", "> MAIL FROM:<a@b>\nRCPT TO:<c@d>\n")
	f("550", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> RCPT TO:<c@d>\n")
	f("554", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> DATA\n", "< 354 go\n", "> \nx")
	f("554", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> DATA\n", "< 354 go\n", "> \nx\n.\n")
	f("", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> DATA\n", "< 354 go\n", "> \nx\n.\n", "< 250-part\n")
	f("554", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> BDAT 1 LAST\nx")
	f("", "> AUTH LOGIN\n", "< 334 x\n", "> y\n")
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, s string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(s)); got != want {
			t.Errorf("%s %q: %d, want %d", dir, s, got, want)
		}
	}
	f(protocol.ToClient, "220 mx ESMTP Postfix\r\n", protocol.Certain)
	f(protocol.ToClient, "220-mx ready\r\n", protocol.Unsure)
	f(protocol.ToClient, "220 FTP server\r\n", protocol.NotForUs)
	f(protocol.ToClient, "22", protocol.Unsure)
	f(protocol.ToClient, "HTTP/1.1 200", protocol.NotForUs)
	f(protocol.ToServer, "EHLO x\r\n", protocol.Certain)
	f(protocol.ToServer, "eh", protocol.Unsure)
	f(protocol.ToServer, "HELP me\r\n", protocol.Unsure)
	f(protocol.ToServer, "GET / HTTP/1.1\r\n", protocol.NotForUs)
	f(protocol.ToServer, "\x16\x03\x01", protocol.NotForUs)
	f(protocol.ToServer, "hello\r\n", protocol.NotForUs)
}

// TestCaptures checks that whole messages have the hashes that tshark 4.0's
// export of IMF objects gives, in captures of real dialogues. Two rows are left
// out where that export is wrong: it leaves a dot stuffed and repeats a segment
// in one mail, and cuts the last line end off the other.
func TestCaptures(t *testing.T) {
	rows, err := os.ReadFile(protocoltest.Shared(t, "pcaps", "objects.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, row := range strings.Split(strings.TrimSpace(string(rows)), "\n") {
		c := strings.Split(row, "\t")
		if c[1] == "imf" && strings.Contains(c[0], "smtp") {
			want[c[0]] = append(want[c[0]], c[3])
		}
	}
	delete(want, "zeek__smtp.pcap")
	if len(want) == 0 {
		t.Fatal("no rows")
	}
	for file, hashes := range want {
		found := map[string]bool{}
		for _, d := range protocoltest.Dialogues(t, protocoltest.Shared(t, "pcaps", file)) {
			r := protocoltest.Run(Definition(), d)
			if err := r.Sink.Check(); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			for _, o := range r.Objects {
				if o.File {
					sum := sha256.Sum256(o.Data)
					found[hex.EncodeToString(sum[:])] = true
				}
			}
		}
		for _, h := range hashes {
			if !found[h] {
				t.Errorf("%s: no object has hash %s", file, h)
			}
		}
	}
}

func TestRealMail(t *testing.T) {
	flows := protocoltest.Dialogues(t, protocoltest.Shared(t, "suricata-verify", "tests", "bug-3616-smtp", "input.pcap"))
	for flows[0].UDP {
		flows = flows[1:]
	}
	r := protocoltest.CheckCuts(t, Definition(), flows[0])
	if len(r.Txs) != 1 {
		t.Fatalf("%d transactions", len(r.Txs))
	}
	e, s := r.Txs[0].Event.Email, r.Txs[0].Event.SMTP
	got := []string{s.Helo, s.MailFrom, s.RcptTo[0], e.From, e.To[0], e.Subject, e.Status, e.Attachment[0]}
	want := []string{"GP", "<gurpartap@patriots.in>", "<raj_deol2002in@yahoo.co.in>", `"Gurpartap Singh" <gurpartap@patriots.in>`, "<raj_deol2002in@yahoo.co.in>", "SMTP", "PARSE_DONE", "NEWS.txt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if o := r.Sink.Find("NEWS.txt"); o == nil || len(o.Data) != 10807 || o.State != protocol.ObjectClosed {
		t.Errorf("NEWS.txt: %+v", o)
	}
}

// TestDescribed checks what the descriptions of shared test cases expect.
func TestDescribed(t *testing.T) {
	f := func(name string, tx int, check func(tx protocoltest.Tx) string, want string) {
		t.Helper()
		files, err := filepath.Glob(protocoltest.Shared(t, "suricata-verify", "tests", name) + "/*.pcap")
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v %v", name, files, err)
		}
		for _, d := range protocoltest.Dialogues(t, files[0]) {
			if d.UDP || len(d.Chunks) < 2 {
				continue
			}
			if r := protocoltest.Run(Definition(), d); tx < len(r.Txs) {
				if got := check(r.Txs[tx]); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
				return
			}
		}
		t.Errorf("%s: no transaction %d", name, tx)
	}
	urls := func(tx protocoltest.Tx) string { return strings.Join(tx.Event.Email.URLs, " ") }
	subject := func(tx protocoltest.Tx) string { return tx.Event.Email.Subject + " " + tx.Event.Email.Status }
	events := func(tx protocoltest.Tx) string { return strings.Join(tx.Events, " ") }
	f("smtp-url-base64", 0, urls, "http://codashop-free01.duckdns.org/")
	f("smtp-extract-url-schemes", 0, urls, "ftp://172.42.48.124 https://facebook.com http://test-site.org/blah/123/ http://google.com")
	f("smtp-bdat-multichunk-inspection", 1, subject, "SECOND-MAIL-MARKER PARSE_DONE")
	f("smtp-pipelined-post-data-rset-sequence", 1, subject, "pipelined second after rset PARSE_DONE")
	f("smtp-pipelined-post-data-rset-sequence", 1, events, "")
	f("smtp-pipelined-rset-data-replies", 0, events, "invalid_pipelined_sequence")
	f("smtp-bdat-zero-last-next-mail", 0, events, "")
	f("smtp-to-comma", 1, func(tx protocoltest.Tx) string { return strings.Join(tx.Event.Email.Cc, "|") }, `"jam,abrakadabra.ch" <mirjam@abrakadabra.ch>`)
	f("smtp-data-rejected", 1, func(tx protocoltest.Tx) string { return tx.Buffers["to_server email.received"][0] },
		"from [65.201.218.30] (helo=COZOXORY.club)by 173-66-46-112.wash.fios.verizon.net with esmtpa (Exim 4.86)(envelope-from )id 71cF63a9for mirjam@abrakadabra.ch; Mon, 29 Jul 2019 17:01:45 +0000")
	f("smtp-no-helo-quit", 0, func(tx protocoltest.Tx) string { return strings.Join(tx.Log, "") }, "")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a>\r\nDATA\r\n"), []byte("220 ESMTP\r\n250 ok\r\n250 ok\r\n354 go\r\n"), []byte("\r\nx\r\n.\r\nBDAT 2 LAST\r\nxxSTARTTLS\r\n"), []byte("250 ok\r\n250 ok\r\n220 go\r\n\x16"))
	f.Add([]byte("AUTH LOGIN\r\n"), []byte("334 x\r\n"), []byte("x\r\n\n.\n"), []byte("235\n"))
	f.Fuzz(func(t *testing.T, a, b, c, e []byte) {
		d := protocoltest.Dialogue{DstPort: 25}
		for i, x := range [][]byte{a, b, c, e} {
			d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i & 1), Data: x})
		}
		want := protocoltest.Run(Definition(), d)
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		var one protocoltest.Dialogue
		for _, x := range d.Chunks {
			for i := range x.Data {
				one.Chunks = append(one.Chunks, protocoltest.Chunk{Dir: x.Dir, Data: x.Data[i : i+1]})
			}
		}
		got := protocoltest.Run(Definition(), one)
		want.Rest, got.Rest = "", "" // cut by construction
		if diff := protocoltest.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		probe(protocol.ToServer, a)
		probe(protocol.ToClient, b)
	})
}

type nullSink struct{}

func (nullSink) OpenObject(*protocol.Object)                        {}
func (nullSink) ObjectData(*protocol.Object, []byte)                {}
func (nullSink) ObjectGap(*protocol.Object, uint64)                 {}
func (nullSink) CloseObject(*protocol.Object, protocol.ObjectState) {}

func TestNoAllocationWithinContent(t *testing.T) {
	d := dialogue("< 220 mx ESMTP\n", "> EHLO me\n", "< 250 ok\n", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> DATA\n", "< 354 go\n",
		"> Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n")
	env := protocoltest.NewEnv(d, nil)
	env.Objects = nullSink{}
	p := Definition().New(env)
	for _, c := range d.Chunks {
		p.Parse(env, c.Dir, c.Data)
	}
	body := []byte(strings.Repeat("aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsaW5lIG9mIHRleHQgYW5kIG5vdGhpbmcgZWxzZSEh\r\n", 20))
	p.Parse(env, protocol.ToServer, body)
	if n := testing.AllocsPerRun(200, func() { p.Parse(env, protocol.ToServer, body) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestDigests holds that the body's digest is of the bytes as sent, dots that are
// doubled included, however they are cut.
func TestDigests(t *testing.T) {
	limits := *protocol.DefaultLimits()
	limits.SubjectMD5, limits.BodyMD5 = true, true
	f := func(name, body, want string) {
		t.Helper()
		d := dialogue("< 220 mx\n", "> EHLO me\n", "< 250 mx\n", "> MAIL FROM:<a@b>\n", "< 250 ok\n", "> RCPT TO:<c@d>\n", "< 250 ok\n",
			"> DATA\n", "< 354 go\n", "> Subject: hello\n\n"+body+"\n.\n", "< 250 ok\n")
		d.Limits = &limits
		r := protocoltest.CheckCuts(t, Definition(), d)
		if len(r.Txs) != 1 || r.Txs[0].Event.Email == nil {
			t.Fatalf("%s: %+v", name, r.Txs)
		}
		sum := md5.Sum([]byte(strings.ReplaceAll(want, "\n", "\r\n")))
		if got := r.Txs[0].Event.Email.BodyMD5; got != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %s", name, got)
		}
	}
	f("plain", "one\ntwo", "one\ntwo\n")
	f("doubled dots", "..one\n.. \n...\nend", "..one\n.. \n...\nend\n")
	f("empty", "", "\n")
}
