package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/events/sink/natsserver"
	"sluice/events/sink/natssink"
	"sluice/internal/control"
	"sluice/internal/ctlsign"
)

// TestNATSControl asks through a real broker: signed requests are answered, others
// are not.
func TestNATSControl(t *testing.T) {
	dir := t.TempDir()
	srv, err := natsserver.Start(natsserver.Config{Dir: dir, Port: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(strings.Repeat("k", ctlsign.MinKey)), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := ctlsign.ReadKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	asked := 0
	mux.HandleFunc("POST /quarantine", func(w http.ResponseWriter, r *http.Request) {
		asked++
		b, _ := io.ReadAll(r.Body)
		control.Reply(w, http.StatusOK, map[string]string{"got": string(b)})
	})
	mux.HandleFunc("GET /block", func(w http.ResponseWriter, _ *http.Request) {
		control.Reply(w, http.StatusConflict, errors.New("not now"))
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 2*maxRemoteAnswer)) })
	conf := natssink.Config{URL: srv.URL, User: srv.User, Password: srv.Password, Sensor: "gw 1"}
	c := &natsControl{conf: conf, handler: mux, check: ctlsign.Checker{Key: key, Since: time.Now()}, log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { c.run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	nc, err := nats.Connect(conf.URL, conf.Auth()...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	message := func(verb, body string) (*nats.Msg, string) {
		r := ctlsign.NewRequest("sluice.ctl.gw_1."+verb, []byte(body), time.Now())
		m := nats.NewMsg(r.Subject)
		m.Data = r.Body
		m.Header.Set(ctlsign.HeaderTime, r.Time)
		m.Header.Set(ctlsign.HeaderNonce, r.Nonce)
		m.Header.Set(ctlsign.HeaderSignature, key.Sign(&r))
		return m, r.Nonce
	}
	f := func(verb, body, status, want string) {
		t.Helper()
		m, nonce := message(verb, body)
		var a *nats.Msg
		var err error
		for range 50 { // until it listens
			if a, err = nc.RequestMsg(m, 3*time.Second); !errors.Is(err, nats.ErrNoResponders) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			t.Fatalf("%s: %v", verb, err)
		}
		if got := a.Header.Get(ctlsign.HeaderStatus); got != status || !strings.Contains(string(a.Data), want) {
			t.Errorf("%s: %s %.100s", verb, got, a.Data)
		}
		if !key.CheckAnswer(nonce, status, a.Data, a.Header.Get(ctlsign.HeaderSignature)) {
			t.Errorf("%s: the answer's signature is wrong", verb)
		}
	}
	f("quarantine", `{"host":"10.0.0.1"}`, "200", `10.0.0.1`)
	f("blocks", "null", "409", "not now")
	f("status", "null", "507", "too long")
	f("handover", "null", "404", "no such request")
	// What is not rightly signed gets no answer at all.
	none := func(name string, change func(*nats.Msg)) {
		t.Helper()
		m, _ := message("quarantine", "{}")
		change(m)
		if a, err := nc.RequestMsg(m, 200*time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
	before := asked
	none("no signature", func(m *nats.Msg) { m.Header.Del(ctlsign.HeaderSignature) })
	none("another body", func(m *nats.Msg) { m.Data = []byte(`{"host":"10.0.0.2"}`) })
	none("another verb", func(m *nats.Msg) { m.Subject = "sluice.ctl.gw_1.release" })
	m, _ := message("quarantine", "{}")
	if _, err := nc.RequestMsg(m, 3*time.Second); err != nil {
		t.Error(err)
	}
	none("sent again", func(again *nats.Msg) { *again = *m; again.Reply = "" })
	if asked != before+1 {
		t.Errorf("%d requests came through", asked-before)
	}
}
