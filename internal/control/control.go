// Package control is the local door to a running daemon: HTTP over a unix
// socket that only its owner and group may open. It takes requests of the
// command line and gives JSON; what they mean is the daemon's business.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// DefaultSocket is where a daemon listens unless told otherwise.
const DefaultSocket = "/run/sluice/control.sock"

// ErrNotRunning is given when nobody listens on the socket.
var ErrNotRunning = errors.New("no sluice daemon answers")

// maxBody bounds requests and answers.
const maxBody = 64 << 20

// Error is a daemon's refusal, as it is sent.
type Error struct {
	Message string `json:"error"`
}

func (e *Error) Error() string { return e.Message }

// Server answers on the socket until it is closed.
type Server struct {
	l      net.Listener
	srv    *http.Server
	path   string
	cancel context.CancelFunc
}

// Listen begins to answer on path with h. A socket that a dead daemon left
// behind is replaced; one that is still answered is an error.
func Listen(path string, h http.Handler) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("control socket %s: another daemon answers there; stop it or set control.socket", path)
	} else if !errors.Is(err, os.ErrNotExist) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("control socket %s: remove what is there: %w", path, err)
		}
	}
	// The mask makes the socket private from its first moment.
	old := syscall.Umask(0o117)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{l: l, path: path, cancel: cancel, srv: &http.Server{Handler: http.MaxBytesHandler(h, maxBody), ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}}
	go s.srv.Serve(l)
	return s, nil
}

// closeWait bounds the wait for requests in progress.
const closeWait = 5 * time.Second

// Close stops answering, waits for the requests in progress, whose context ends,
// and removes the socket.
func (s *Server) Close() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	err := s.srv.Shutdown(ctx)
	if err != nil {
		err = s.srv.Close()
	}
	os.Remove(s.path)
	return err
}

// Reply writes v as JSON, or err as a refusal with the given status.
func Reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err, ok := v.(error); ok {
		v = &Error{Message: err.Error()}
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// Client talks to the daemon behind a socket. It is safe for concurrent use.
type Client struct {
	path string
	http *http.Client
}

// NewClient makes a client; nothing is opened before the first request.
func NewClient(path string) *Client {
	d := net.Dialer{Timeout: 3 * time.Second}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}
}

// Do sends a request; in is sent as JSON unless nil, and the answer is decoded
// into out unless nil. A daemon's refusal comes back as *Error, an absent
// daemon as ErrNotRunning.
func (c *Client) Do(ctx context.Context, method, verb string, in, out any) error {
	body, err := c.send(ctx, method, verb, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(body, maxBody)).Decode(out); err != nil {
		return fmt.Errorf("daemon's answer to %s: %w", verb, err)
	}
	return nil
}

// Upload sends what r holds as it is, and decodes the answer into out.
func (c *Client) Upload(ctx context.Context, verb string, r io.Reader, out any) error {
	body, err := c.request(ctx, http.MethodPost, verb, r)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxBody)).Decode(out); err != nil {
		return fmt.Errorf("daemon's answer to %s: %w", verb, err)
	}
	return nil
}

// Stream gives the answer's body as it comes, until ctx ends.
func (c *Client) Stream(ctx context.Context, verb string) (io.ReadCloser, error) {
	return c.send(ctx, http.MethodGet, verb, nil)
}

func (c *Client) send(ctx context.Context, method, verb string, in any) (io.ReadCloser, error) {
	var r io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	return c.request(ctx, method, verb, r)
}

func (c *Client) request(ctx context.Context, method, verb string, r io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://sluice/"+strings.TrimPrefix(verb, "/"), r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w on %s: start one with `sluice run`, or name its socket with --socket", ErrNotRunning, c.path)
		}
		return nil, err
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		var e Error
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		if json.Unmarshal(b, &e) != nil || e.Message == "" {
			e.Message = fmt.Sprintf("%s: %s", resp.Status, strings.TrimSpace(string(b)))
		}
		return nil, &e
	}
	return resp.Body, nil
}
