package ctlsign

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testKey(t *testing.T, secret string) Key {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := ReadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRequests(t *testing.T) {
	k, other := testKey(t, strings.Repeat("a", MinKey)), testKey(t, strings.Repeat("b", MinKey))
	now := time.Unix(1_800_000_000, 0)
	c := Checker{Key: k, Since: now.Add(-Window / 2)}
	f := func(name string, want error, at time.Time, key Key, change func(*Request)) {
		t.Helper()
		r := NewRequest("sluice.ctl.gw.block", []byte(`{"prefix":"192.0.2.1"}`), at)
		sig := key.Sign(&r)
		if change != nil {
			change(&r)
		}
		if err := c.Check(&r, sig, now); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	f("right", nil, now, k, nil)
	f("another key", ErrSignature, now, other, nil)
	f("another body", ErrSignature, now, k, func(r *Request) { r.Body = []byte("{}") })
	f("another verb", ErrSignature, now, k, func(r *Request) { r.Subject = "sluice.ctl.gw.unblock" })
	f("another sensor", ErrSignature, now, k, func(r *Request) { r.Subject = "sluice.ctl.gw2.block" })
	f("another time", ErrSignature, now, k, func(r *Request) { r.Time += "0" })
	f("another nonce", ErrSignature, now, k, func(r *Request) { r.Nonce = strings.Repeat("0", nonceLen) })
	f("a shifted border", ErrSignature, now, k, func(r *Request) { r.Body, r.Nonce = append([]byte(r.Nonce[31:]), r.Body...), r.Nonce[:31] })
	f("from before the start", ErrTime, now.Add(-Window/2-time.Second), k, nil)
	f("old", ErrTime, now.Add(-2*Window), k, nil)
	f("early", ErrTime, now.Add(2*Window), k, nil)
	r := NewRequest("s", nil, now)
	if err := c.Check(&r, k.Sign(&r), now); err != nil {
		t.Error(err)
	}
	if err := c.Check(&r, k.Sign(&r), now.Add(Window)); !errors.Is(err, ErrReplayed) {
		t.Errorf("again: %v", err)
	}
	for i := range maxNonces {
		r := NewRequest(fmt.Sprint(i), nil, now)
		if err := c.Check(&r, k.Sign(&r), now); err != nil && !errors.Is(err, ErrTooMany) {
			t.Fatal(err)
		}
	}
	f("too many", ErrTooMany, now, k, nil)
	now = now.Add(2 * Window)
	f("later", nil, now, k, nil)
	if !k.CheckAnswer("n", "200", []byte("x"), k.SignAnswer("n", "200", []byte("x"))) || k.CheckAnswer("n", "200", []byte("x"), k.SignAnswer("m", "200", []byte("x"))) {
		t.Error("answers")
	}
	if s := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Contains(s, "aaa") {
		t.Errorf("a key prints: %s", s)
	}
}

func TestReadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for want, how := range map[string]func() error{
		"no such file":              func() error { return nil },
		"32 are the least":          func() error { return os.WriteFile(path, []byte("short"), 0o600) },
		"others may read it; chmod": func() error { return os.Chmod(path, 0o644) },
	} {
		os.Remove(path)
		if strings.HasPrefix(want, "others") {
			if err := os.WriteFile(path, []byte(strings.Repeat("x", MinKey)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := how(); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
