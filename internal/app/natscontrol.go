package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/events/sink/natssink"
	"sluice/internal/ctlsign"
)

// ControlSubject begins the subjects of requests; sensor and verb follow.
const ControlSubject = "sluice.ctl"

// remoteVerbs are the requests that are answered over NATS, as method and path of
// the control socket. What could take the daemon away is not among them.
var remoteVerbs = map[string][2]string{
	"status": {"GET", "/status"}, "blocks": {"GET", "/block"}, "block": {"POST", "/block"}, "unblock": {"POST", "/unblock"},
	"quarantined": {"GET", "/quarantine"}, "quarantine": {"POST", "/quarantine"}, "release": {"POST", "/release"},
}

const (
	// maxRemoteBody bounds a request, maxRemoteAnswer an answer: brokers take a
	// megabyte unless told otherwise.
	maxRemoteBody   = 64 << 10
	maxRemoteAnswer = 900 << 10
	// remoteQueue bounds the requests that wait.
	remoteQueue = 64
)

// natsControl answers signed requests over NATS, one at a time.
type natsControl struct {
	conf    natssink.Config
	handler http.Handler
	check   ctlsign.Checker
	log     *slog.Logger
	// told is when a refusal was last logged, refused how many were since.
	told    time.Time
	refused int
}

// run serves until ctx ends. A broker that is away is tried again and again.
func (c *natsControl) run(ctx context.Context) {
	opts := append(c.conf.Auth(), nats.Name("sluice control "+c.conf.Sensor), nats.Timeout(3*time.Second), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(2*time.Second), nats.PingInterval(5*time.Second), nats.MaxPingsOutstanding(2))
	nc, err := nats.Connect(c.conf.URL, opts...)
	if err != nil {
		c.log.Error("requests over NATS are not answered", "error", err)
		return
	}
	defer nc.Close()
	prefix := ControlSubject + "." + natssink.Token(c.conf.Sensor) + "."
	msgs := make(chan *nats.Msg, remoteQueue)
	if _, err := nc.ChanSubscribe(prefix+"*", msgs); err != nil {
		c.log.Error("requests over NATS are not answered", "error", err)
		return
	}
	c.log.Info("answering signed requests over NATS", "subjects", prefix+"*")
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-msgs:
			if a := c.answer(ctx, m, m.Subject[len(prefix):], time.Now()); a != nil {
				_ = m.RespondMsg(a)
			}
		}
	}
}

// answer gives the answer to a request; nil to one that is not rightly signed:
// whoever has no key learns nothing.
func (c *natsControl) answer(ctx context.Context, m *nats.Msg, verb string, now time.Time) *nats.Msg {
	r := ctlsign.Request{Subject: m.Subject, Time: m.Header.Get(ctlsign.HeaderTime), Nonce: m.Header.Get(ctlsign.HeaderNonce), Body: m.Data}
	if len(m.Data) > maxRemoteBody {
		c.refuse(verb, fmt.Errorf("it has %d bytes, the most is %d", len(m.Data), maxRemoteBody), now)
		return nil
	}
	if err := c.check.Check(&r, m.Header.Get(ctlsign.HeaderSignature), now); err != nil {
		c.refuse(verb, err, now)
		return nil
	}
	status, body := http.StatusNotFound, []byte(`{"error":"no such request"}`)
	if to, ok := remoteVerbs[verb]; ok {
		c.log.Info("request over NATS", "verb", verb)
		status, body = c.serve(ctx, to[0], to[1], m.Data)
	}
	a := nats.NewMsg(m.Reply)
	a.Data = body
	text := strconv.Itoa(status)
	a.Header.Set(ctlsign.HeaderStatus, text)
	a.Header.Set(ctlsign.HeaderSignature, c.check.Key.SignAnswer(r.Nonce, text, body))
	return a
}

// serve has the control socket's handler answer.
func (c *natsControl) serve(ctx context.Context, method, path string, body []byte) (int, []byte) {
	req, err := http.NewRequestWithContext(ctx, method, "http://sluice"+path, bytes.NewReader(body))
	if err != nil {
		return http.StatusInternalServerError, []byte(`{"error":"bad request"}`)
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	c.handler.ServeHTTP(w, req)
	if w.body.Len() > maxRemoteAnswer {
		return http.StatusInsufficientStorage, []byte(`{"error":"the answer is too long for a message: ask on the host"}`)
	}
	return w.status, w.body.Bytes()
}

// recorder is an http.ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// refuse logs a refusal, at most one in ten seconds.
func (c *natsControl) refuse(verb string, why error, now time.Time) {
	c.refused++
	if now.Sub(c.told) < 10*time.Second {
		return
	}
	if len(verb) > 32 {
		verb = verb[:32]
	}
	c.log.Warn("request over NATS refused", "verb", verb, "error", why, "refused", c.refused)
	c.told, c.refused = now, 0
}

// openControl prepares the answering of requests over NATS; nil where that is off.
func (d *Daemon) openControl() (*natsControl, error) {
	n := d.cfg.Outputs.NATS
	if !n.Control {
		return nil, nil
	}
	if d.out.natsConfig == nil {
		return nil, fmt.Errorf("outputs.nats.control: there is no NATS: set outputs.nats.url")
	}
	key, err := ctlsign.ReadKey(n.ControlKeyFile)
	if err != nil {
		return nil, err
	}
	return &natsControl{conf: *d.out.natsConfig, handler: d.gate(d.handler()), check: ctlsign.Checker{Key: key, Since: d.begin}, log: d.log}, nil
}
