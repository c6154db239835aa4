// Package natsserver runs a NATS server inside the program, for hosts that have
// none: on a loopback address only, with authentication and JetStream. It takes
// a folder and gives an address with credentials; it knows nothing of events.
package natsserver

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Config sets up the server.
type Config struct {
	// Dir holds JetStream's store and, unless StateFile says otherwise, the
	// state file.
	Dir string
	// Host is a loopback address; 127.0.0.1 when empty.
	Host string
	// Port listens on that port; 0 and -1 mean a free one.
	Port int
	// StateFile takes URL, user and password for clients on this host, mode
	// 0600; Dir/nats.json when empty. Its password is used again at the next
	// start, so that clients go on working.
	StateFile string
	// MaxStore bounds JetStream's files, in bytes; 2 GiB when 0.
	MaxStore int64
	// Log takes the server's own messages; discarded when nil.
	Log *slog.Logger
}

// State is what the state file holds.
type State struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// Server is a running server.
type Server struct {
	State
	srv *server.Server
}

// ErrNotLoopback tells that Config.Host could be reached from other hosts.
var ErrNotLoopback = errors.New("the embedded NATS server listens on loopback addresses only")

const userName = "sluice"

// Start starts the server and waits until it takes connections.
func Start(cfg Config) (*Server, error) {
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(cfg.Host); err != nil || !a.IsLoopback() {
		return nil, fmt.Errorf("%w: %q is none; use 127.0.0.1 or ::1", ErrNotLoopback, cfg.Host)
	}
	if cfg.Port == 0 {
		cfg.Port = server.RANDOM_PORT
	}
	if cfg.StateFile == "" {
		cfg.StateFile = filepath.Join(cfg.Dir, "nats.json")
	}
	if cfg.MaxStore <= 0 {
		cfg.MaxStore = 2 << 30
	}
	store := filepath.Join(cfg.Dir, "jetstream")
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, fmt.Errorf("make NATS store: %w", err)
	}
	password, err := loadPassword(cfg.StateFile)
	if err != nil {
		return nil, err
	}
	opts := &server.Options{
		ServerName: "sluice", Host: cfg.Host, Port: cfg.Port, NoSigs: true,
		Users:     []*server.User{{Username: userName, Password: password}},
		JetStream: true, StoreDir: store, JetStreamMaxStore: cfg.MaxStore, JetStreamMaxMemory: 64 << 20,
		MaxPayload: 8 << 20, NoLog: cfg.Log == nil,
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("set up NATS server: %w", err)
	}
	if cfg.Log != nil {
		srv.SetLoggerV2(logger{cfg.Log}, false, false, false)
	}
	go srv.Start()
	if !srv.ReadyForConnections(15 * time.Second) {
		srv.Shutdown()
		return nil, fmt.Errorf("start NATS server on %s port %d: not ready after 15 s; is the port taken?", cfg.Host, cfg.Port)
	}
	s := &Server{State: State{URL: srv.ClientURL(), User: userName, Password: password}, srv: srv}
	if err := writeState(cfg.StateFile, s.State); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close stops the server and waits for it. The state file stays: it has the
// password for the next start.
func (s *Server) Close() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}

// LoadState reads a state file; clients on this host connect with it.
func LoadState(path string) (State, error) {
	var st State
	b, err := os.ReadFile(path)
	if err != nil {
		return st, fmt.Errorf("read NATS state: %w", err)
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return st, fmt.Errorf("read NATS state %s: %w", path, err)
	}
	return st, nil
}

// loadPassword gives the password of the last run, or a new one where there is
// none or others could have read it.
func loadPassword(path string) (string, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 == 0 {
		if st, err := LoadState(path); err == nil && len(st.Password) >= 32 {
			return st.Password, nil
		}
	}
	var b [24]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make NATS password: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// writeState replaces the file; it is never readable by others, not even for a
// moment.
func writeState(path string, st State) error {
	b, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("write NATS state: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".nats-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write NATS state: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write NATS state: %w", err)
	}
	return nil
}

// logger gives the server's messages to slog.
type logger struct{ l *slog.Logger }

func (l logger) Noticef(format string, v ...any) {
	l.l.Debug(fmt.Sprintf(format, v...), "from", "nats-server")
}
func (l logger) Warnf(format string, v ...any) {
	l.l.Warn(fmt.Sprintf(format, v...), "from", "nats-server")
}
func (l logger) Fatalf(format string, v ...any) {
	l.l.Error(fmt.Sprintf(format, v...), "from", "nats-server")
}
func (l logger) Errorf(format string, v ...any) {
	l.l.Error(fmt.Sprintf(format, v...), "from", "nats-server")
}
func (l logger) Debugf(format string, v ...any) {
	l.l.Debug(fmt.Sprintf(format, v...), "from", "nats-server")
}
func (l logger) Tracef(format string, v ...any) {
	l.l.Debug(fmt.Sprintf(format, v...), "from", "nats-server")
}
