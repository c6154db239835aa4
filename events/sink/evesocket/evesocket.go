// Package evesocket hands rendered events to a program on this host that listens
// on a unix socket, or to the system's log, one JSON object a line or message. It
// takes records from the publisher; it knows nothing of what they hold. What is
// not taken at once is lost, and told to the publisher as an error: whoever must
// not lose events follows the file, or the broker with its spool.
package evesocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"net"
	"strings"
	"syscall"
	"time"

	"sluice/events"
)

// Kind is how events are handed over, by its name in the configuration.
type Kind string

// The kinds.
const (
	Stream   Kind = "unix_stream"
	Datagram Kind = "unix_dgram"
	Syslog   Kind = "syslog"
)

// Config says where events go.
type Config struct {
	Kind Kind
	// Path is the socket's; of no use with Syslog.
	Path string
	// Identity, Facility and Level are the system log's: a name, such as local5, such
	// as info.
	Identity, Facility, Level string
	// Wants says whether events of a type are written; nil writes all.
	Wants func(eventType string) bool
}

const (
	// retryAfter is how long a listener that is not there is left alone.
	retryAfter = time.Second
	// writeWait bounds how long the publisher, on which other sinks depend, waits for
	// a slow listener.
	writeWait = 100 * time.Millisecond
)

// Sink hands events over. It belongs to the publisher's goroutine.
type Sink struct {
	cfg      Config
	priority syslog.Priority
	conn     io.WriteCloser
	next     time.Time
	why      error
	line     []byte
}

// New makes a sink; nothing is opened before the first event, for the listener may
// begin later.
func New(cfg Config) (*Sink, error) {
	s := &Sink{cfg: cfg}
	switch cfg.Kind {
	case Stream, Datagram:
		if cfg.Path == "" || len(cfg.Path) >= len(syscall.RawSockaddrUnix{}.Path) {
			return nil, fmt.Errorf("%q is no path of a socket", cfg.Path)
		}
	case Syslog:
		facility, ok := facilities[strings.ToLower(cfg.Facility)]
		level, ok2 := levels[strings.ToLower(cfg.Level)]
		if !ok || !ok2 {
			return nil, fmt.Errorf("unknown facility %q or level %q", cfg.Facility, cfg.Level)
		}
		s.priority = facility | level
	default:
		return nil, fmt.Errorf("unknown kind %q", cfg.Kind)
	}
	return s, nil
}

var facilities = map[string]syslog.Priority{
	"auth": syslog.LOG_AUTH, "authpriv": syslog.LOG_AUTHPRIV, "daemon": syslog.LOG_DAEMON, "user": syslog.LOG_USER,
	"local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2, "local3": syslog.LOG_LOCAL3,
	"local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5, "local6": syslog.LOG_LOCAL6, "local7": syslog.LOG_LOCAL7,
}

var levels = map[string]syslog.Priority{
	"emergency": syslog.LOG_EMERG, "alert": syslog.LOG_ALERT, "critical": syslog.LOG_CRIT, "error": syslog.LOG_ERR,
	"warning": syslog.LOG_WARNING, "notice": syslog.LOG_NOTICE, "info": syslog.LOG_INFO, "debug": syslog.LOG_DEBUG,
}

// Name implements events.Sink.
func (s *Sink) Name() string { return "eve-" + string(s.cfg.Kind) }

func (s *Sink) dial() (io.WriteCloser, error) {
	switch s.cfg.Kind {
	case Syslog:
		return syslog.New(s.priority, s.cfg.Identity)
	case Datagram:
		return net.DialTimeout("unixgram", s.cfg.Path, writeWait)
	}
	return net.DialTimeout("unix", s.cfg.Path, writeWait)
}

// Write hands the batch over. Its error tells how many events were lost.
func (s *Sink) Write(_ context.Context, records []events.Record) error {
	lost := 0
	for i := range records {
		if s.cfg.Wants != nil && !s.cfg.Wants(records[i].Type) {
			continue
		}
		if err := s.one(records[i].JSON); err != nil {
			s.why = err
			lost++
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d events lost: %w", lost, s.why)
	}
	return nil
}

func (s *Sink) one(json []byte) error {
	if s.conn == nil {
		now := time.Now()
		if now.Before(s.next) {
			return s.why
		}
		conn, err := s.dial()
		if err != nil {
			s.next = now.Add(retryAfter)
			return fmt.Errorf("connect: %w", err)
		}
		s.conn = conn
	}
	if c, ok := s.conn.(net.Conn); ok {
		_ = c.SetWriteDeadline(time.Now().Add(writeWait))
	}
	s.line = append(s.line[:0], json...)
	if s.cfg.Kind != Syslog {
		s.line = append(s.line, '\n')
	}
	_, err := s.conn.Write(s.line)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EMSGSIZE):
		return fmt.Errorf("an event of %d bytes is too long for a datagram: %w", len(json), err)
	}
	// A line may have gone in part: what follows must not continue it.
	s.conn.Close()
	s.conn, s.next = nil, time.Now().Add(retryAfter)
	return fmt.Errorf("write: %w", err)
}

// Close implements events.Sink.
func (s *Sink) Close(context.Context) error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}
