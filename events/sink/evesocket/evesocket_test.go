package evesocket

import (
	"bufio"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/events"
)

func record(typ, json string) events.Record {
	return events.Record{Type: typ, JSON: []byte(json)}
}

func TestStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.sock")
	s, err := New(Config{Kind: Stream, Path: path, Wants: func(typ string) bool { return typ != "flow" }})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	// Nobody listens yet: lost, and told.
	if err := s.Write(ctx, []events.Record{record("alert", `{"n":0}`), record("flow", `{}`)}); err == nil || !strings.HasPrefix(err.Error(), "1 events lost: connect: ") {
		t.Errorf("without a listener: %v", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.Write(ctx, []events.Record{record("alert", `{"n":0}`)}); err == nil {
		t.Error("the listener was not left alone")
	}
	s.next = time.Time{}
	if err := s.Write(ctx, []events.Record{record("alert", `{"n":1}`), record("flow", `{"n":2}`), record("dlp", `{"n":3}`)}); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, want := range []string{`{"n":1}`, `{"n":3}`} {
		if got, err := r.ReadString('\n'); err != nil || got != want+"\n" {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
	// The listener goes and comes back.
	c.Close()
	var failed error
	for range 100 {
		if failed = s.Write(ctx, []events.Record{record("alert", `{"n":4}`)}); failed != nil {
			break
		}
	}
	if failed == nil || !strings.Contains(failed.Error(), "write: ") {
		t.Errorf("a listener that is gone: %v", failed)
	}
	s.next = time.Time{}
	if err := s.Write(ctx, []events.Record{record("alert", `{"n":5}`)}); err != nil {
		t.Fatal(err)
	}
	if c, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(c).ReadString('\n'); err != nil || got != "{\"n\":5}\n" {
		t.Errorf("%q, %v", got, err)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestDatagram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.sock")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := New(Config{Kind: Datagram, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	// One that is too long is lost alone.
	err = s.Write(context.Background(), []events.Record{record("alert", `{"n":1}`), record("alert", strings.Repeat("x", 1<<20)), record("alert", `{"n":2}`)})
	if err == nil || !strings.Contains(err.Error(), "1 events lost: an event of 1048576 bytes is too long") {
		t.Errorf("%v", err)
	}
	buf := make([]byte, 100)
	for _, want := range []string{"{\"n\":1}\n", "{\"n\":2}\n"} {
		_ = l.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := l.Read(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{}, {Kind: Stream}, {Kind: Stream, Path: strings.Repeat("x", 200)}, {Kind: Syslog, Facility: "local9", Level: "info"}, {Kind: Syslog, Facility: "local1", Level: "loud"}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if s, err := New(Config{Kind: Syslog, Facility: "Local5", Level: "Info"}); err != nil || s.priority != 21<<3|6 { // RFC 5424, 6.2.1
		t.Errorf("%+v, %v", s, err)
	}
}
