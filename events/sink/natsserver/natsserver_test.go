package natsserver

import (
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestStartRequiresAuthAndKeepsPassword(t *testing.T) {
	dir := t.TempDir()
	s, err := Start(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(u.Hostname()); !ip.IsLoopback() {
		t.Fatalf("listens on %s", s.URL)
	}
	if nc, err := nats.Connect(s.URL); err == nil {
		nc.Close()
		t.Fatal("connected without credentials")
	}
	if nc, err := nats.Connect(s.URL, nats.UserInfo(s.User, "wrong")); err == nil {
		nc.Close()
		t.Fatal("connected with a wrong password")
	}
	path := filepath.Join(dir, "nats.json")
	st, err := LoadState(path)
	if err != nil || st != s.State {
		t.Fatalf("state file: %+v, %v", st, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("state file mode %v, %v", info.Mode(), err)
	}
	nc, err := nats.Connect(st.URL, nats.UserInfo(st.User, st.Password))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	s.Close()

	s2, err := Start(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s2.Close()
	if s2.Password != s.Password {
		t.Fatal("the password changed over a restart")
	}
	// A password that others could read is not used again.
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	s3, err := Start(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s3.Close()
	if s3.Password == s.Password {
		t.Fatal("an exposed password is used again")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Fatalf("state file mode %v", info.Mode())
	}
}

func TestRefusesOtherAddresses(t *testing.T) {
	for _, host := range []string{"0.0.0.0", "::", "192.0.2.1", "localhost.example"} {
		if _, err := Start(Config{Dir: t.TempDir(), Host: host}); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v", host, err)
		}
	}
}
