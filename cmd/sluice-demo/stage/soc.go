package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/events/sink/natsserver"
	"sluice/internal/netlab"
)

// Event is a record as the SOC reads it.
type Event struct {
	// Subject is the NATS subject; Raw the record.
	Subject string          `json:"-"`
	Raw     json.RawMessage `json:"-"`

	Type     string `json:"event_type"`
	Src      string `json:"src_ip"`
	Dst      string `json:"dest_ip"`
	Proto    string `json:"proto"`
	AppProto string `json:"app_proto"`
	Alert    *struct {
		Action    string `json:"action"`
		ID        int    `json:"signature_id"`
		Signature string `json:"signature"`
		Category  string `json:"category"`
		Severity  int    `json:"severity"`
	} `json:"alert"`
	HTTP *struct {
		Host   string `json:"hostname"`
		Method string `json:"http_method"`
		URL    string `json:"url"`
		Status int    `json:"status"`
	} `json:"http"`
	TLS *struct {
		SNI     string `json:"sni"`
		Version string `json:"version"`
	} `json:"tls"`
	DNS *struct {
		Queries []struct {
			Name string `json:"rrname"`
			Type string `json:"rrtype"`
		} `json:"queries"`
	} `json:"dns"`
	Drop *struct {
		Reason string `json:"reason"`
		List   string `json:"list"`
		Source string `json:"source"`
		Count  int    `json:"count"`
	} `json:"drop"`
	DLP *DLP `json:"dlp"`
}

// DLP is the part of a data-loss event that the demonstration shows.
type DLP struct {
	Rule      string `json:"policy_rule"`
	Level     string `json:"level"`
	Action    string `json:"action"`
	Enforced  bool   `json:"enforced"`
	Channel   string `json:"channel"`
	Direction string `json:"direction"`
	Reason    string `json:"reason"`
	Released  int    `json:"bytes_released"`
	Object    struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int    `json:"size"`
		Path string `json:"path"`
	} `json:"object"`
	Findings []struct {
		Detector string   `json:"detector"`
		Count    int      `json:"count"`
		Unique   int      `json:"unique"`
		Masked   []string `json:"masked"`
	} `json:"findings"`
}

// SOC receives all events of a daemon from its embedded NATS server, those of
// before its connection too. Its methods are safe for concurrent use, Connect
// and Close with others than each other.
type SOC struct {
	nc *nats.Conn
	cc jetstream.ConsumeContext

	mu     sync.Mutex
	events []Event
	last   uint64        // place in the stream of the last event
	more   chan struct{} // closed and replaced with every event
}

// NewSOC makes a SOC that is not connected yet.
func NewSOC() *SOC { return &SOC{more: make(chan struct{})} }

// stream and wildcard are the contract with the SOC.
const (
	stream   = "SLUICE_EVENTS"
	wildcard = "sluice.events." + Sensor + ".>"
)

// Connect reads the daemon's state file as a client on its host does, and
// subscribes from inside the gateway's namespace. Called again for a daemon that
// follows on the first, it goes on where it was.
func (s *SOC) Connect(ctx context.Context, d *Daemon) error {
	s.Close()
	st, err := natsserver.LoadState(filepath.Join(d.StateDir(), "nats", "nats.json"))
	if err != nil {
		return err
	}
	if s.nc, err = nats.Connect(st.URL, nats.UserInfo(st.User, st.Password), nats.Name("demonstration SOC"),
		nats.SetCustomDialer(d.lab.Gateway), nats.NoReconnect()); err != nil {
		return fmt.Errorf("connect to %s: %w", st.URL, err)
	}
	return s.consume(ctx)
}

func (s *SOC) consume(ctx context.Context) error {
	js, err := jetstream.New(s.nc)
	if err != nil {
		return err
	}
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{wildcard}, DeliverPolicy: jetstream.DeliverAllPolicy}
	s.mu.Lock()
	if s.last > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.last+1
	}
	s.mu.Unlock()
	// The daemon's sink makes the stream when it first connects.
	for {
		c, err := js.OrderedConsumer(ctx, stream, cfg)
		if err == nil {
			s.cc, err = c.Consume(s.receive)
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("consume %s: %w (%w)", stream, err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *SOC) receive(m jetstream.Msg) {
	e := Event{Subject: m.Subject(), Raw: append(json.RawMessage(nil), m.Data()...)}
	if err := json.Unmarshal(e.Raw, &e); err != nil {
		e.Type = "unreadable: " + err.Error()
	}
	s.mu.Lock()
	if meta, err := m.Metadata(); err == nil {
		s.last = meta.Sequence.Stream
	}
	s.events = append(s.events, e)
	close(s.more)
	s.more = make(chan struct{})
	s.mu.Unlock()
}

// Close ends the subscription. What was received stays.
func (s *SOC) Close() {
	if s.cc != nil {
		s.cc.Stop()
	}
	if s.nc != nil {
		s.nc.Close()
	}
	s.cc, s.nc = nil, nil
}

// Mark is the number of events so far: a place to begin to look from.
func (s *SOC) Mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

// Since gives the events after a mark.
func (s *SOC) Since(mark int) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events[mark:]...)
}

// Await gives the first event after a mark that ok accepts, and waits for it.
func (s *SOC) Await(ctx context.Context, mark int, ok func(*Event) bool) (Event, error) {
	for {
		s.mu.Lock()
		list, more := s.events[mark:], s.more
		s.mu.Unlock()
		for i := range list {
			if ok(&list[i]) {
				return list[i], nil
			}
		}
		mark += len(list)
		select {
		case <-more:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("no such event reached the SOC: %w", ctx.Err())
		}
	}
}

var _ nats.CustomDialer = (*netlab.Namespace)(nil)
