package ftp

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
	"sluice/dataplane/protocol/protocoltest"
)

func dialogue(turns ...string) protocoltest.Dialogue {
	for i := range turns {
		turns[i] = strings.ReplaceAll(turns[i], "\n", "\r\n")
	}
	return protocoltest.TCP(21, turns...)
}

// shown gives a transaction as one line.
func shown(tx protocoltest.Tx) string {
	r := tx.Event.Extra["ftp"].(eveFTP)
	s := strings.TrimSpace(r.Command+" "+r.CommandData) + ": " + strings.Join(r.CompletionCode, ",") + " " + strings.Join(r.Reply, "|")
	if r.Mode != "" {
		s += fmt.Sprint(" ", r.Mode, " ", r.DynamicPort)
	}
	if r.ReplyReceived == "no" {
		s += " unanswered"
	}
	if tx.Progress != [2]uint8{Answered, Replied} {
		s += fmt.Sprint(" ", tx.Progress)
	}
	return s
}

func TestDialogues(t *testing.T) {
	f := func(name string, d protocoltest.Dialogue, want []string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d)
			var got, evs []string
			for _, tx := range r.Txs {
				got = append(got, shown(tx))
				evs = append(evs, tx.Events...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(events, evs, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	f("login", dialogue("< 220-hello\n220 there\n", "> user bob\n", "< 331 pass?\n", "> pass geheim\n", "< 230-a\n 230 no\n230 in\n", "> QUIT\n", "< 221 bye\n"),
		[]string{": 220 hello|there", "USER bob: 331 pass?", "PASS ***: 230 a| 230 no|in", "QUIT: 221 bye"})
	f("anonymous", dialogue("< 220 hello\n", "> USER anonymous\n", "< 331 pass?\n", "> PASS anonymous\n", "< 230 in\n", "> ACCT x\n", "< 230 in\n"),
		[]string{": 220 hello", "USER anonymous: 331 pass?", "PASS anonymous: 230 in", "ACCT ***: 230 in"})
	f("a password without a user, behind a tab", dialogue("> PASS\tanonymous\n", "< 230 in\n"), []string{"PASS ***: 230 in"})
	f("early answer and final one", dialogue("< 220 a\n", "> PORT 10,0,0,1,4,1\n", "< 200 ok\n", "> RETR x\n", "< 150 here\n", "< 226 done\n"),
		[]string{": 220 a", "PORT 10,0,0,1,4,1: 200 ok active 1025", "RETR x: 150,226 here|done"})
	f("pipelined", dialogue("> USER a\nPASV\nLIST\n", "< 220 x\n230 y\n227 (10,0,0,2,200,1)\n150 z\n226 z\n"),
		[]string{"USER a: 230 y", "PASV: 227 (10,0,0,2,200,1) passive 51201", "LIST: 150,226 z|z", ": 220 x"})
	f("unanswered", dialogue("< 220 a\n", "> NOOP\n", "> QUIT\n", "< 200 b\n"), []string{": 220 a", "NOOP: 200 b", "QUIT:   unanswered"})
	f("unasked", dialogue("< 220 a\n", "< 421 timeout\n"), []string{": 220 a", ": 421 timeout"})
	f("EPSV", dialogue("< 220 a\n", "> EPSV\n", "< 229 Extended (|||40000|)\n", "> EPSV\n", "< 500 no\n"),
		[]string{": 220 a", "EPSV: 229 Extended (|||40000|) passive 40000", "EPSV: 500 no passive 0"})
	f("file without connection", dialogue("< 220 a\n", "> STOR x\n", "< 425 first\n", "> CWD /\n", "< 250 ok\n"),
		[]string{": 220 a", "STOR x: 425 first", "CWD /: 250 ok"}, "file_before_port")
	f("Telnet", dialogue("< 220 a\n", "> \xff\xf4\xff\xf2AB\xff\xfb\x01OR\n", "< 226 ok\n"), []string{": 220 a", "ABOR: 226 ok"})
	f("not TLS", dialogue("< 220 a\n", "> AUTH TLS\n", "> USER x\n", "< 500 no\n", "< 331 y\n"), []string{": 220 a", "AUTH TLS: 500 no", "USER x: 331 y"})
	f("without last line end", dialogue("< 220 a\n", "> QUIT", "< 221 bye"), []string{": 220 a", "QUIT: 221 bye"})
	f("long", dialogue("< 220 a\n", "> RETR "+strings.Repeat("a", 5000)+"\nNOOP\n", "< 550 "+strings.Repeat("b", 5000)+"\n200 c\n"),
		[]string{": 220 a", "RETR " + strings.Repeat("a", 4091) + ": 550 " + strings.Repeat("b", 4092), "NOOP: 200 c"},
		"request_command_too_long", "file_before_port", "response_command_too_long")
	f("as long as may be", dialogue("< 220 a\n", "> RETR "+strings.Repeat("a", 4091)+"\n", "< 550 b\n"),
		[]string{": 220 a", "RETR " + strings.Repeat("a", 4091) + ": 550 b"}, "file_before_port")
	gap := dialogue("< 220 a\n", "> NOOP\n", "> SYST\n", "< x", "< 215 y\n", "> PW", "> x", "> CDUP\n", "> PWD\n", "< 257 z\n")
	for _, i := range []int{3, 6} {
		gap.Chunks[i].Gap, gap.Chunks[i].Data = 10, nil
	}
	f("gaps", gap, []string{": 220 a", "NOOP:   unanswered", "SYST:   unanswered", "PWD: 257 z"})
	f("one direction", dialogue("> "+strings.Repeat("NOOP\n", 17)), append([]string{}, strings.Split(strings.Repeat("NOOP:   unanswered;", 16)+"NOOP:   unanswered", ";")...))
}

func TestTooMany(t *testing.T) {
	d := dialogue("< 220 a\n", "> PWD\nPWD\nPASV\n", "< 257 b\n257 c\n227 (10,0,0,1,200,1)\n", "> RETR x\n", "< 150 c\n226 d\n")
	s := &sink{}
	env := protocoltest.NewEnv(d, nil)
	env.Objects = s
	env.Limits.MaxTx = 1
	p := Definition().New(env)
	for _, c := range d.Chunks {
		p.Parse(env, c.Dir, c.Data)
	}
	txs := protocoltest.Collect(Definition(), p)
	if len(txs) != 2 || len(txs[1].Events) != 1 || txs[1].Events[0] != "too_many_transactions" {
		t.Errorf("%d transactions: %+v", len(txs), txs)
	}
	if len(s.announced) != 1 || s.announced[0].Hint.Transfer() == nil || s.announced[0].Hint.Transfer().Name != "x" {
		t.Errorf("data connections are no longer followed: %+v", s.announced)
	}
}

func TestSwitchToTLS(t *testing.T) {
	r := protocoltest.CheckCuts(t, Definition(), dialogue("< 220 a\n", "> AUTH TLS\n", "> USER eve\nSTOR x\n", "< 234 go\n"))
	if r.Status != protocol.Switch || r.SwitchTo != protocol.TLS {
		t.Errorf("status %d to %s", r.Status, r.SwitchTo)
	}
	if n := len(r.Txs); n != 2 {
		t.Errorf("%d transactions: what came before the encryption counts", n)
	}
	r = protocoltest.Run(Definition(), dialogue("< 220 a\n", "> AUTH TLS\n", "< 234 go\n\x16\x03"))
	if r.Rest != "\x16\x03" {
		t.Errorf("rest %q", r.Rest)
	}
}

// sink is an object sink that takes announcements.
type sink struct {
	protocoltest.Sink
	announced []expect.Announcement
	withdrawn int
}

func (s *sink) Announce(a expect.Announcement) { s.announced = append(s.announced, a) }
func (s *sink) Renew(*expect.Hint)             {}
func (s *sink) Withdraw(*expect.Hint)          { s.withdrawn++ }

func TestAnnouncements(t *testing.T) {
	f := func(want string, turns ...string) {
		t.Helper()
		d := dialogue(append([]string{"< 220 hi\n"}, turns...)...)
		s := &sink{}
		env := protocoltest.NewEnv(d, nil)
		env.Objects = s
		p := Definition().New(env)
		for _, c := range d.Chunks {
			p.Parse(env, c.Dir, c.Data)
		}
		var got []string
		for _, a := range s.announced {
			line := fmt.Sprint(a.Passive, " ", a.Addr, " ", a.Port)
			if t := a.Hint.Transfer(); t != nil {
				line += " " + strings.TrimSpace(t.Command+" "+t.Name)
				if t.Start > 0 {
					line += fmt.Sprint(" from ", t.Start)
				}
				if t.Deflated {
					line += " deflated"
				}
			}
			got = append(got, line)
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%q:\n got %s\nwant %s", turns, s, want)
		}
		if s.withdrawn != max(len(s.announced)-1, 0) {
			t.Errorf("%d withdrawn of %d", s.withdrawn, len(s.announced))
		}
	}
	f("true 10.0.0.2 1025 RETR x", "> PASV\n", "< 227 Entering (10,0,0,2,4,1)\n", "> RETR x\n")
	f("true 10.0.0.2 1025", "> PASV\n", "< 227 =10,0,0,2,4,1\n")
	f("true 10.0.0.2 1025", "> PASV\n", "< 227-1.5 servers\n227 now 10,0,0,2,4,1\n")
	f("true invalid IP 40000 STOR a b.txt", "> EPSV\n", "< 229 ok (|||40000|)\n", "> STOR a b.txt\n")
	f("false 10.0.0.1 1025 STOR x from 77", "> PORT 10,0,0,1,4,1\n", "< 200 ok\n", "> REST 77\n", "< 350 ok\n", "> STOR x\n")
	f("false 10.0.0.1 1025 STOR x", "> PORT 10,0,0,1,4,1\n", "< 200 ok\n", "> REST 77\n", "< 500 no\n", "> STOR x\n")
	f("false 10.0.0.1 1025 RETR x deflated", "> MODE Z\n", "< 200 ok\n", "> PORT 10,0,0,1,4,1\n", "< 200 ok\n", "> RETR x\n")
	f("false 2001:db8::1 1026 LIST", "> EPRT |2|2001:db8::1|1026|\n", "< 200 ok\n", "> LIST -a\n", "< 150 go\n")
	f("false 10.0.0.1 1025 STOU name.1", "> PORT 10,0,0,1,4,1\n", "< 200 ok\n", "> STOU\n", "< 150 FILE: name.1\n")
	f("true 10.0.0.2 1025; true 10.0.0.2 1026 RETR y", "> PASV\nPASV\nRETR y\n", "< 227 (10,0,0,2,4,1)\n", "< 227 (10,0,0,2,4,2)\n")
	f("true 10.0.0.2 1025 RETR x; true 10.0.0.2 1026 RETR y", "> PASV\nRETR x\nPASV\nRETR y\n", "< 227 (10,0,0,2,4,1)\n150 a\n226 b\n227 (10,0,0,2,4,2)\n")
	f("", "> PORT 10,0,0,1,0,80\n", "< 200 ok\n", "> RETR x\n")
	f("", "> PASV\n", "< 227 (10,0,0,2,0,0)\n", "> RETR x\n")
	f("", "> PORT 10,0,0,1,4\n", "< 500 no\n", "> EPRT |1|x|1026|\n", "> EPRT |1|10.0.0.1|99999|\n", "> EPSV\n", "< 500 a\n500 b\n500 c\n229 (|||\n")
}

func TestParsePorts(t *testing.T) {
	f := func(parse func([]byte) (endpoint, bool), s, want string) {
		t.Helper()
		e, ok := parse([]byte(s))
		got := ""
		if ok {
			got = netip.AddrPortFrom(e.addr, e.port).String()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	f(parsePort, "1,2,3,4,5,6", "1.2.3.4:1286")
	f(parsePort, " 1, 2,3,4,5,6 ", "1.2.3.4:1286")
	f(parsePort, "1,2,3,4,5,256", "")
	f(parsePort, "1,2,3,4,5", "")
	f(parsePort, "1,2,3,4,5,", "")
	f(parsePort, "0001,2,3,4,5,6", "")
	f(parsePort, "", "")
	f(parsePasv, "in 30 s at (1,2,3,4,5,6).", "1.2.3.4:1286")
	f(parsePasv, "at 999,1,2,3,4,5,6", "1.2.3.4:1286")
	f(parsePasv, "none", "")
	f(parseEprt, "|1|1.2.3.4|80|", "1.2.3.4:80")
	f(parseEprt, "!2!fe80::1%eth0!80!", "[fe80::1]:80")
	f(parseEprt, "|1|1.2.3.4|80", "")
	f(parseEprt, "|1|1.2.3.4|0|", "")
	f(parseEprt, "1111111111", "")
	f(parseEprt, "|1|"+strings.Repeat("1", 100)+"|80|", "")
	f(parseEpsv, "a (b) (|||65535|)", "invalid AddrPort")
	f(parseEpsv, "(|||65536|)", "")
	f(parseEpsv, "((((", "")
}

func TestField(t *testing.T) {
	r := protocoltest.Run(Definition(), dialogue("< 220 a\n", "> EPSV\n", "< 229 (|||40000|)\n", "> NOOP\n"))
	get := func(i int, name string, dir protocol.Dir) string {
		v, ok := r.Parser.Txs().Live[i].State.(*Command).Field(name, dir, 0)
		if !ok {
			return "-"
		}
		return fmt.Sprint(v)
	}
	f := func(i int, name string, toServer, toClient string) {
		t.Helper()
		if a, b := get(i, name, protocol.ToServer), get(i, name, protocol.ToClient); a != toServer || b != toClient {
			t.Errorf("%d %s: %s %s, want %s %s", i, name, a, b, toServer, toClient)
		}
	}
	f(0, "ftp.reply_received", "-", "-")
	f(0, "ftp.reply_code", "-", "220")
	f(0, "ftp.mode", "-", "-")
	f(1, "ftp.reply_received", "-", "1")
	f(1, "ftp.mode", "2", "2")
	f(1, "ftp.dynamic_port", "40000", "40000")
	f(2, "ftp.reply_received", "-", "0")
	f(2, "other", "-", "-")
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, s string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(s)); got != want {
			t.Errorf("%s %q: %d, want %d", dir, s, got, want)
		}
	}
	f(protocol.ToClient, "220 (vsFTPd 2.3.5)\r\n", protocol.Certain)
	f(protocol.ToClient, "220-Welcome\r\n220-\r\n", protocol.Unsure)
	f(protocol.ToClient, "220 Operation successful\r\n", protocol.Unsure)
	f(protocol.ToClient, "220 Operation successful\r\n230 ok\r\n", protocol.Certain)
	f(protocol.ToClient, "220-Welcome\r\nany text\r\n220 x\r\n331 who\r\n", protocol.Certain)
	f(protocol.ToClient, "220 ftp.example.com ESMTP\r\n", protocol.NotForUs)
	f(protocol.ToClient, "22", protocol.Unsure)
	f(protocol.ToClient, "HTTP/1.1 200", protocol.NotForUs)
	f(protocol.ToClient, "+OK POP3\r\n", protocol.NotForUs)
	f(protocol.ToServer, "USER bob\r\n", protocol.Unsure)
	f(protocol.ToServer, "USER bob\r\nPASS x\r\n", protocol.Unsure)
	f(protocol.ToServer, "USER bob\r\nPASS x\r\nSYST\r\n", protocol.Certain)
	f(protocol.ToServer, "USER bob\r\nxyz\r\nTYPE I\r\n", protocol.Certain)
	f(protocol.ToServer, "feat\r\n", protocol.Certain)
	f(protocol.ToServer, "PO", protocol.Unsure)
	f(protocol.ToServer, "POST / HTTP/1.1\r\n", protocol.NotForUs)
	f(protocol.ToServer, "GET / HTTP/1.1\r\n", protocol.NotForUs)
	f(protocol.ToServer, "STATUS x\r\n", protocol.NotForUs)
	f(protocol.ToServer, "\x16\x03\x01", protocol.NotForUs)
}

func TestRecordNames(t *testing.T) {
	r := protocoltest.Run(Definition(), dialogue("< 220 a\n", "> PORT 10,0,0,1,4,1\n", "< 200 ok\n"))
	b, err := json.Marshal(r.Txs[1].Event.Extra["ftp"])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"command":"PORT","command_data":"10,0,0,1,4,1","command_truncated":false,"reply":["ok"],"completion_code":["200"],"dynamic_port":1025,"mode":"active","reply_received":"yes","reply_truncated":false}`
	if string(b) != want {
		t.Errorf("%s", b)
	}
	for _, tx := range r.Txs {
		if diff := cmp.Diff([]string{"ftp"}, tx.Log); diff != "" {
			t.Error(diff)
		}
	}
}
