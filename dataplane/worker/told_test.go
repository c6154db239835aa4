package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/classifiers/document"
	"sluice/dataplane/worker"
)

// TestRefusedSegment: rules see the payload of a segment that the stream has refused,
// in that packet, since they see it nowhere else.
func TestRefusedSegment(t *testing.T) {
	f := func(text string, want int) {
		t.Helper()
		r := withRules(t, `alert tcp any any -> any any (content:"secret word"; sid:1;)
`, nil)
		r.open()
		r.send(r.frame(0, r.seq[0]+1<<30, []byte(text), &layers.TCP{ACK: true}))
		r.nod(0)
		r.nod(1)
		if got := r.told(); len(got) != want {
			t.Errorf("%q far outside of the window gave %q", text, got)
		}
	}
	f("a secret word", 1)
	f("nothing to see", 0)
}

// TestRefusedEndsNothing: a segment that anybody could have forged alerts, but ends no
// connection and has none passed.
func TestRefusedEndsNothing(t *testing.T) {
	r := withRules(t, `drop tcp any any -> any any (content:"secret word"; sid:1;)
pass tcp any any -> any any (content:"let me by"; sid:2;)
alert tcp any any -> any any (content:"after all"; sid:3;)
`, nil)
	r.open()
	r.send(r.frame(0, r.seq[0]+1<<30, []byte("a secret word, let me by"), &layers.TCP{ACK: true}))
	if !r.data(0, "hello, after all") {
		t.Error("the connection is ended")
	}
	r.nod(1)
	r.expect("3@0 to_server wire/pcap")
	if r.data(0, "a secret word") {
		t.Error("what the stream has taken is not withheld")
	}
}

// TestRefusedOnce: what the stream has taken is no such segment, be it sent twice.
func TestRefusedOnce(t *testing.T) {
	r := withRules(t, `alert tcp any any -> any any (content:"secret word"; sid:1;)
`, nil)
	r.open()
	seq := r.seq[0]
	r.data(0, "a secret word")
	r.send(r.frame(0, seq, []byte("a secret word"), &layers.TCP{ACK: true}))
	r.nod(1)
	if got := r.told(); len(got) != 1 {
		t.Errorf("sent twice: %q", got)
	}
}

// TestProtocolOfBroken: records name the protocol that a flow was, also once its
// parser has given up.
func TestProtocolOfBroken(t *testing.T) {
	r := withRules(t, "", listener)
	r.port = 443
	r.open()
	r.data(0, "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"+strings.Repeat("r", 32)+"\x00\x00\x02\x13\x01\x01\x00\x00\x00")
	r.nod(1)
	r.data(1, "220 mail.example ESMTP\r\n")
	r.nod(0)
	r.w.Flush()
	r.take()
	var got []string
	for _, e := range r.events {
		if e.Type == "flow" {
			got = append(got, fmt.Sprintf("%s %s/%s", e.AppProto, e.AppProtoTS, e.AppProtoTC))
		}
	}
	if want := []string{"tls tls/smtp"}; !slices.Equal(got, want) {
		t.Errorf("flows %q, want %q", got, want)
	}
}

// TestFileAtEndOfMail: the record of a mail's last file tells of the whole mail where
// one packet ends both.
func TestFileAtEndOfMail(t *testing.T) {
	f := func(want string, pieces ...string) {
		t.Helper()
		r := newRig(t, "", hung(), func(c *worker.Config, _ *document.Config) { listener(c); c.Policy = nil })
		r.port = 25
		r.open()
		for i, s := range []string{"220 mail.example ESMTP\r\n", "EHLO a\r\n", "250 ok\r\n", "MAIL FROM:<a@x>\r\n", "250 ok\r\n", "RCPT TO:<b@y>\r\n", "250 ok\r\n", "DATA\r\n", "354 go\r\n"} {
			r.data(1-i%2, s)
			r.nod(i % 2)
		}
		for _, s := range pieces {
			r.data(0, s)
			r.nod(1)
		}
		var got []string
		for _, e := range r.events {
			if e.FileInfo != nil && e.FileInfo.Filename == "a.bin" {
				got = append(got, e.Email.Status)
			}
		}
		if !slices.Equal(got, []string{want}) {
			t.Errorf("in %d pieces: files told with %q, want %q", len(pieces), got, want)
		}
	}
	const head = "Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\nhello\r\n"
	f("PARSE_DONE", head+"--b--\r\n.\r\n")
	f("BODY_STARTED", head+"--b\r\n\r\nmore", "\r\n--b--\r\n.\r\n")
}
