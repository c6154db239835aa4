// Package natssink publishes rendered events to NATS JetStream, at least once
// and in order. It takes records from the publisher into a bounded spool on
// disk and drains that from one goroutine, so that a broker that is slow or
// away never holds up inspection and loses nothing within the spool's bound;
// what comes twice has the same Nats-Msg-Id, which the broker sorts out. It
// knows nothing of what events hold.
package natssink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/events"
	"sluice/events/sink/spool"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config says where to publish. Empty fields have defaults except URL, Sensor
// and SpoolDir.
type Config struct {
	// URL is one server's or several, separated by commas.
	URL string
	// User and Password, Token or CredsFile authenticate.
	User, Password, Token, CredsFile string
	// CAFile, CertFile and KeyFile are for tls:// servers.
	CAFile, CertFile, KeyFile string
	// Sensor is this sensor's name in subjects.
	Sensor string
	// Stream is the JetStream stream, SLUICE_EVENTS by default. It is made where
	// it does not exist; an existing one is left as its owner set it up.
	Stream string
	// SubjectPrefix comes before sensor and type; "sluice.events" by default.
	SubjectPrefix string
	// StreamMaxBytes and StreamMaxAge bound a stream that is made here; 1 GiB
	// and 7 days by default. The oldest events go first.
	StreamMaxBytes int64
	StreamMaxAge   time.Duration
	// SpoolDir and SpoolMaxBytes are the spool's; 256 MiB by default.
	SpoolDir      string
	SpoolMaxBytes int64
	// MaxPending bounds publications that wait for the broker's word; 1,024 by
	// default.
	MaxPending int
	// Types are the event types published; nil publishes all.
	Types map[string]bool
	// Log takes connection changes and losses; slog.Default when nil.
	Log *slog.Logger
}

const (
	minBackoff  = 100 * time.Millisecond
	maxBackoff  = 5 * time.Second
	ackTimeout  = 5 * time.Second
	dedupWindow = 10 * time.Minute
)

// Stats counts what the sink did.
type Stats struct {
	// Connected tells whether the last look found the broker.
	Connected bool
	// Acked counts events that the broker has stored (or had already), Rejected
	// those it will never take (too large), Retries the sessions that ended
	// with an error.
	Acked, Rejected, Retries uint64
	Spool                    spool.Stats
}

// Sink publishes to NATS. Write and Close belong to the publisher's goroutine;
// Stats is safe for concurrent use.
type Sink struct {
	cfg    Config
	prefix string
	spool  *spool.Spool
	cancel context.CancelFunc
	done   chan struct{}

	connected, backingOff    atomic.Bool
	acked, rejected, retries atomic.Uint64
	subjects                 map[string]string
}

// New opens the spool and starts publishing. It does not wait for the broker:
// one that is away is tried again and again.
func New(cfg Config) (*Sink, error) {
	if cfg.Stream == "" {
		cfg.Stream = "SLUICE_EVENTS"
	}
	if cfg.SubjectPrefix == "" {
		cfg.SubjectPrefix = "sluice.events"
	}
	if cfg.StreamMaxBytes <= 0 {
		cfg.StreamMaxBytes = 1 << 30
	}
	if cfg.StreamMaxAge <= 0 {
		cfg.StreamMaxAge = 7 * 24 * time.Hour
	}
	if cfg.MaxPending <= 0 {
		cfg.MaxPending = 1024
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	sp, err := spool.Open(cfg.SpoolDir, spool.Options{MaxBytes: cfg.SpoolMaxBytes})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sink{cfg: cfg, prefix: cfg.SubjectPrefix + "." + Token(cfg.Sensor) + ".", spool: sp, cancel: cancel,
		done: make(chan struct{}), subjects: map[string]string{}}
	go s.run(ctx)
	return s, nil
}

// Auth gives how a connection authenticates and what it trusts.
func (c *Config) Auth() (opts []nats.Option) {
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.Token != "" {
		opts = append(opts, nats.Token(c.Token))
	}
	if c.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(c.CredsFile))
	}
	if c.CAFile != "" {
		opts = append(opts, nats.RootCAs(c.CAFile))
	}
	if c.CertFile != "" {
		opts = append(opts, nats.ClientCert(c.CertFile, c.KeyFile))
	}
	return opts
}

// Token makes a name fit for one token of a subject: what NATS gives a meaning
// to becomes an underscore, and nothing becomes "unknown".
func Token(name string) string {
	if name == "" {
		return "unknown"
	}
	b := []byte(name)
	for i, c := range b {
		if c <= ' ' || c >= 0x7f || c == '.' || c == '*' || c == '>' {
			b[i] = '_'
		}
	}
	return string(b[:min(len(b), 64)])
}

// Name gives "nats".
func (s *Sink) Name() string { return "nats" }

// Write puts the records into the spool. Records that do not fit are counted
// (Stats.Spool.Overflow); the error tells of the first.
func (s *Sink) Write(_ context.Context, records []events.Record) error {
	var first error
	for i := range records {
		r := &records[i]
		if s.cfg.Types != nil && !s.cfg.Types[r.Type] {
			continue
		}
		if err := s.spool.Append(r.ID, s.subject(r.Type), r.JSON); err != nil {
			if errors.Is(err, spool.ErrTooLarge) {
				s.rejected.Add(1)
			}
			if first == nil {
				first = err
			}
		}
	}
	return errors.Join(first, s.spool.Flush())
}

// subject gives the subject of an event type. Types are few; a bound keeps a
// mistake from filling the memory.
func (s *Sink) subject(typ string) string {
	if subj, ok := s.subjects[typ]; ok {
		return subj
	}
	subj := s.prefix + Token(typ)
	if len(s.subjects) < 256 {
		s.subjects[typ] = subj
	}
	return subj
}

// Stats gives the counters.
func (s *Sink) Stats() Stats {
	return Stats{Connected: s.connected.Load(), Acked: s.acked.Load(), Rejected: s.rejected.Load(),
		Retries: s.retries.Load(), Spool: s.spool.Stats()}
}

// Close waits until the broker has everything, ctx ends, or the broker turns
// out to be away; what it does not have stays in the spool for the next run.
func (s *Sink) Close(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for s.spool.Stats().PendingBytes > 0 && !s.backingOff.Load() && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	left := s.spool.Stats().PendingBytes
	s.cancel()
	<-s.done
	err := s.spool.Close()
	if left > 0 {
		s.cfg.Log.Warn("events left in the spool for the next run", "sink", "nats", "bytes", left, "folder", s.cfg.SpoolDir)
	}
	return err
}

// run keeps a session with the broker until ctx ends.
func (s *Sink) run(ctx context.Context) {
	defer close(s.done)
	backoff := minBackoff
	for {
		start := time.Now()
		err := s.session(ctx)
		wasConnected := s.connected.Swap(false)
		s.spool.Rewind()
		if ctx.Err() != nil {
			return
		}
		s.retries.Add(1)
		if wasConnected && time.Since(start) > maxBackoff {
			backoff = minBackoff
		}
		if wasConnected || backoff == minBackoff {
			s.cfg.Log.Warn("events are not delivered to NATS; they wait in the spool", "url", redact(s.cfg.URL), "error", err)
		}
		s.backingOff.Store(true)
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// session connects, makes sure of the stream and publishes until something
// fails. The client library's own reconnecting is off: with a new connection
// and a rewound spool there is one way to recover, whatever went wrong.
func (s *Sink) session(ctx context.Context) error {
	closed := make(chan struct{})
	opts := []nats.Option{
		nats.Name("sluice " + s.cfg.Sensor), nats.NoReconnect(), nats.Timeout(3 * time.Second),
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
	}
	opts = append(opts, s.cfg.Auth()...)
	nc, err := nats.Connect(s.cfg.URL, opts...)
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(s.cfg.MaxPending+1),
		jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	if err := s.ensureStream(ctx, js); err != nil {
		return err
	}
	s.connected.Store(true)
	s.backingOff.Store(false)
	s.cfg.Log.Info("publishing events to NATS", "url", redact(s.cfg.URL), "subjects", s.prefix+">")
	return s.drain(ctx, js, closed)
}

func (s *Sink) ensureStream(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := js.Stream(ctx, s.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: s.cfg.Stream, Description: "Sluice events", Subjects: []string{s.cfg.SubjectPrefix + ".>"},
			Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, MaxBytes: s.cfg.StreamMaxBytes,
			MaxAge: s.cfg.StreamMaxAge, Duplicates: min(dedupWindow, s.cfg.StreamMaxAge),
		})
	}
	if err != nil {
		return fmt.Errorf("make stream %s: %w", s.cfg.Stream, err)
	}
	return nil
}

// sent is a publication that waits for the broker's word; future is nil for a
// record that the broker cannot take.
type sent struct {
	future jetstream.PubAckFuture
	end    spool.Position
}

// drain publishes the spool's records, at most MaxPending ahead of what the
// broker has confirmed, and commits in order.
func (s *Sink) drain(ctx context.Context, js jetstream.JetStream, closed <-chan struct{}) error {
	var wait []sent
	for {
		for len(wait) < s.cfg.MaxPending {
			e, ok, err := s.spool.Next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			f, err := js.PublishMsgAsync(&nats.Msg{Subject: e.Subject, Data: e.Data,
				Header: nats.Header{jetstream.MsgIDHeader: {e.ID}}})
			if err != nil && !errors.Is(err, nats.ErrMaxPayload) {
				return fmt.Errorf("publish: %w", err)
			}
			wait = append(wait, sent{f, e.End})
		}
		if len(wait) == 0 {
			select {
			case <-s.spool.Wake():
			case <-closed:
				return nats.ErrConnectionClosed
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		n, err := s.settle(ctx, wait, closed)
		if n > 0 {
			if cerr := s.spool.Commit(wait[n-1].end); cerr != nil {
				return cerr
			}
			wait = append(wait[:0], wait[n:]...)
		}
		if err != nil {
			return err
		}
	}
}

// settle waits for the oldest publication, or for more to publish, and gives
// how many of the oldest are settled.
func (s *Sink) settle(ctx context.Context, wait []sent, closed <-chan struct{}) (int, error) {
	n := 0
	for n < len(wait) {
		f := wait[n].future
		if f == nil {
			s.reject(nats.ErrMaxPayload)
			n++
			continue
		}
		select {
		case <-f.Ok():
			s.acked.Add(1)
			n++
			continue
		case err := <-f.Err():
			if neverTaken(err) {
				s.reject(err)
				n++
				continue
			}
			return n, fmt.Errorf("publish: %w", err)
		default:
		}
		if n > 0 {
			return n, nil
		}
		var wake <-chan struct{}
		if len(wait) < s.cfg.MaxPending {
			wake = s.spool.Wake()
		}
		select {
		case <-f.Ok():
			s.acked.Add(1)
			n++
		case err := <-f.Err():
			if !neverTaken(err) {
				return n, fmt.Errorf("publish: %w", err)
			}
			s.reject(err)
			n++
		case <-wake:
			return n, nil
		case <-closed:
			return n, nats.ErrConnectionClosed
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
	return n, nil
}

func (s *Sink) reject(err error) {
	if n := s.rejected.Add(1); n&(n-1) == 0 { // 1, 2, 4 …: throttled
		s.cfg.Log.Error("NATS will never take an event; it is dropped", "error", err, "rejected_so_far", n)
	}
}

// errMessageTooLarge is JetStream's error code for a message above the stream's
// max_msg_size (nats-server errors.json, JSStreamMessageExceedsMaximumErr).
const errMessageTooLarge = 10054

// neverTaken reports whether a repetition is useless.
func neverTaken(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == errMessageTooLarge
}
