package natssink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/events"
	"sluice/events/sink/natsserver"
	"sluice/events/sink/spool"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func startServer(t testing.TB, dir string, port int) *natsserver.Server {
	t.Helper()
	srv, err := natsserver.Start(natsserver.Config{Dir: dir, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

func config(srv *natsserver.Server, spoolDir string) Config {
	return Config{URL: srv.URL, User: srv.User, Password: srv.Password, Sensor: "test.sensor", SpoolDir: spoolDir, Log: quiet}
}

func portOf(t testing.TB, srv *natsserver.Server) int {
	t.Helper()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	p, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustNew(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t testing.TB, s *Sink, from, n int) {
	t.Helper()
	var recs []events.Record
	for i := from; i < from+n; i++ {
		recs = append(recs, events.Record{Type: "alert", ID: fmt.Sprint("run-", i), JSON: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	if err := s.Write(t.Context(), recs); err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// stored gives the stream's messages.
func stored(t testing.TB, srv *natsserver.Server) []string {
	t.Helper()
	nc, err := nats.Connect(srv.URL, nats.UserInfo(srv.User, srv.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(t.Context(), "SLUICE_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	info, err := st.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		m, err := st.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject != "sluice.events.test_sensor.alert" {
			t.Fatalf("subject %s", m.Subject)
		}
		out = append(out, string(m.Data))
	}
	return out
}

func wantOrdered(t testing.TB, got []string, n int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("stored %d messages, want %d", len(got), n)
	}
	for i, m := range got {
		if m != fmt.Sprintf(`{"n":%d}`, i) {
			t.Fatalf("message %d is %s", i, m)
		}
	}
}

func TestPublishesInOrder(t *testing.T) {
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Close()
	s := mustNew(t, config(srv, t.TempDir()))
	for i := range 20 {
		write(t, s, i*100, 100)
	}
	eventually(t, "connected", func() bool { return s.Stats().Connected })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOrdered(t, stored(t, srv), 2000)
	if st := s.Stats(); st.Acked != 2000 || st.Rejected != 0 {
		t.Fatalf("stats %+v", st)
	}
}

// TestServerKilledAndRestarted: what is published while the server is away, and
// what was on its way when it died, arrives once and in order.
func TestServerKilledAndRestarted(t *testing.T) {
	dir := t.TempDir()
	srv := startServer(t, dir, -1)
	port := portOf(t, srv)
	s := mustNew(t, config(srv, t.TempDir()))
	n := 0
	for round := range 3 {
		for range 10 {
			write(t, s, n, 100)
			n += 100
		}
		if round == 0 {
			eventually(t, "first events stored", func() bool { return s.Stats().Acked > 0 })
		}
		srv.Close() // with publications on their way
		write(t, s, n, 200)
		n += 200
		srv = startServer(t, dir, port)
	}
	defer func() { srv.Close() }()
	eventually(t, "spool drained", func() bool { return s.Stats().Spool.PendingBytes == 0 })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOrdered(t, stored(t, srv), n)
	if st := s.Stats(); st.Spool.Overflow != 0 {
		t.Fatalf("stats %+v", st)
	}
}

// TestProgramRestart: what an earlier run left in the spool is published by the
// next one, and what both publish is stored once.
func TestProgramRestart(t *testing.T) {
	dir, spoolDir := t.TempDir(), t.TempDir()
	srv := startServer(t, dir, -1)
	port := portOf(t, srv)
	cfg := config(srv, spoolDir)
	srv.Close()
	s := mustNew(t, cfg)
	write(t, s, 0, 300)
	eventually(t, "found the server away", func() bool { return s.Stats().Retries > 0 })
	start := time.Now()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Fatalf("Close waited %v for a server that is away", d)
	}
	// A crash after publishing and before the cursor was written: the spool as
	// it was is drained twice.
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(spoolDir)); err != nil {
		t.Fatal(err)
	}
	srv = startServer(t, dir, port)
	defer srv.Close()
	for _, d := range []string{spoolDir, copied} {
		cfg.SpoolDir = d
		s := mustNew(t, cfg)
		eventually(t, "spool drained", func() bool { return s.Stats().Spool.PendingBytes == 0 })
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wantOrdered(t, stored(t, srv), 300)
}

func TestOverflowIsCounted(t *testing.T) {
	cfg := Config{URL: "nats://127.0.0.1:1", Sensor: "s", SpoolDir: t.TempDir(), SpoolMaxBytes: 2000, Log: quiet}
	s := mustNew(t, cfg)
	var recs []events.Record
	for i := range 100 {
		recs = append(recs, events.Record{Type: "alert", ID: fmt.Sprint(i), JSON: []byte(strings.Repeat("x", 100))})
	}
	if err := s.Write(t.Context(), recs); !errors.Is(err, spool.ErrFull) {
		t.Fatalf("got %v", err)
	}
	if st := s.Stats(); st.Spool.Overflow == 0 || st.Spool.Appended+st.Spool.Overflow != 100 || st.Connected {
		t.Fatalf("stats %+v", st)
	}
	eventually(t, "tried", func() bool { return s.Stats().Retries > 0 })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWrongPasswordKeepsEvents(t *testing.T) {
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Close()
	cfg := config(srv, t.TempDir())
	cfg.Password = "wrong"
	s := mustNew(t, cfg)
	write(t, s, 0, 10)
	eventually(t, "refused", func() bool { return s.Stats().Retries > 0 })
	if st := s.Stats(); st.Acked != 0 || st.Spool.PendingBytes == 0 {
		t.Fatalf("stats %+v", st)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Password = srv.Password
	s = mustNew(t, cfg)
	eventually(t, "drained", func() bool { return s.Stats().Acked == 10 })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOrdered(t, stored(t, srv), 10)
}

// TestTooLargeDoesNotBlock: an event above the server's limit is dropped and
// counted, and what follows it arrives.
func TestTooLargeDoesNotBlock(t *testing.T) {
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Close()
	nc, err := nats.Connect(srv.URL, nats.UserInfo(srv.User, srv.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// A stream that its owner made: it is left as it is.
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SLUICE_EVENTS",
		Subjects: []string{"sluice.events.>"}, MaxMsgSize: 1000}); err != nil {
		t.Fatal(err)
	}
	s := mustNew(t, config(srv, t.TempDir()))
	write(t, s, 0, 5)
	if err := s.Write(t.Context(), []events.Record{
		{Type: "alert", ID: "big", JSON: make([]byte, 2000)},
		{Type: "alert", ID: "bigger", JSON: make([]byte, 8<<20)}}); err != nil {
		t.Fatal(err)
	}
	write(t, s, 5, 5)
	eventually(t, "all settled", func() bool { st := s.Stats(); return st.Acked == 10 && st.Rejected == 2 })
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantOrdered(t, stored(t, srv), 10)
}

func TestToken(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Token(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("gw-1", "gw-1")
	f("gw.example.com", "gw_example_com")
	f("a b*>\x00é", "a_b_____")
	f("", "unknown")
	f(strings.Repeat("x", 100), strings.Repeat("x", 64))
}

func TestRedact(t *testing.T) {
	if got := redact("nats://u:secret@h:4222,nats://tok@h2"); strings.Contains(got, "secret") || strings.Contains(got, "tok") || !strings.Contains(got, "h:4222") {
		t.Fatalf("got %s", got)
	}
}

func BenchmarkPublish(b *testing.B) {
	srv := startServer(b, b.TempDir(), -1)
	defer srv.Close()
	s := mustNew(b, config(srv, b.TempDir()))
	data := make([]byte, 800)
	recs := make([]events.Record, 64)
	n := 0
	eventually(b, "connected", func() bool { return s.Stats().Connected })
	start := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		for i := range recs {
			recs[i] = events.Record{Type: "alert", ID: strconv.Itoa(n), JSON: data}
			n++
		}
		if err := s.Write(b.Context(), recs); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(context.Background()); err != nil { // waits for the broker's word
		b.Fatal(err)
	}
	b.ReportMetric(float64(n-int(s.Stats().Spool.Overflow))/time.Since(start).Seconds(), "stored/s")
}
