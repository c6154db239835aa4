package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d", "control.sock")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	})
	mux.HandleFunc("GET /no", func(w http.ResponseWriter, r *http.Request) { Reply(w, 409, errors.New("not now")) })
	s, err := Listen(path, mux)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if st, _ := os.Stat(path); st.Mode().Perm()&0o007 != 0 {
		t.Errorf("socket is open to others: %v", st.Mode())
	}
	c, ctx := NewClient(path), context.Background()
	var out map[string]int
	if err := c.Do(ctx, "POST", "echo", map[string]int{"a": 1}, &out); err != nil || out["a"] != 1 {
		t.Errorf("echo: %v, %v", out, err)
	}
	var e *Error
	if err := c.Do(ctx, "GET", "no", nil, nil); !errors.As(err, &e) || e.Message != "not now" {
		t.Errorf("refusal: %v", err)
	}
	if err := c.Do(ctx, "GET", "nothing", nil, nil); !errors.As(err, &e) {
		t.Errorf("unknown verb: %v", err)
	}
	if _, err := Listen(path, mux); err == nil {
		t.Error("a second daemon took a live socket")
	}
}

func TestAbsentAndStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if err := NewClient(path).Do(context.Background(), "GET", "x", nil, nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("absent daemon: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := NewClient(path).Do(context.Background(), "GET", "x", nil, nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stale socket: %v", err)
	}
	s, err := Listen(path, http.NewServeMux())
	if err != nil {
		t.Fatalf("a stale socket was not replaced: %v", err)
	}
	s.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("socket left behind")
	}
}
