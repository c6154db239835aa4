package evefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/events"
	"sluice/internal/livetest"
)

func recs(lines ...string) []events.Record {
	var out []events.Record
	for _, l := range lines {
		out = append(out, events.Record{Type: "http", JSON: []byte(l)})
	}
	return out
}

func TestWriteReopenClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.json")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Path: path, Wants: func(typ string) bool { return typ == "http" }})
	if err != nil {
		t.Fatal(err)
	}
	write := func(r ...events.Record) {
		t.Helper()
		if err := s.Write(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	want := func(path, content string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil || string(b) != content {
			t.Fatalf("%s: %q, %v; want %q", path, b, err, content)
		}
	}
	write(recs("a", "b")...)
	write(events.Record{Type: "flow", JSON: []byte("not wanted")})
	want(path, "old\na\nb\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(recs("c")...)
	s.Reopen()
	write(recs("d")...)
	want(path+".1", "old\na\nb\nc\n")
	want(path, "d\n")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err = New(Config{Path: path, Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	write(recs("e")...)
	s.Close(t.Context())
	want(path, "e\n")
}

func TestErrors(t *testing.T) {
	if _, err := New(Config{Path: filepath.Join(t.TempDir(), "no", "such", "folder")}); err == nil {
		t.Fatal("no error for a missing folder")
	}
	s, err := New(Config{Path: "/dev/full"})
	if err != nil {
		t.Skip("this system has no /dev/full to try a full disk with")
	}
	for range 2 {
		if err := s.Write(t.Context(), recs("x")); err == nil {
			t.Fatal("no error from a full disk")
		}
	}
	s.Close(t.Context())
}

func TestOCSF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ocsf.json")
	s, err := New(Config{Path: path, OCSF: true})
	if err != nil {
		t.Fatal(err)
	}
	alert := events.Event{Type: "alert", Alert: &events.Alert{SignatureID: 1}}
	if err := s.Write(t.Context(), []events.Record{{Type: "http", Event: &events.Event{Type: "http"}}, {Type: "alert", Event: &alert}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil || s.Name() != "ocsf" {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if want := string(events.AppendOCSF(nil, &alert)) + "\n"; err != nil || string(b) != want {
		t.Fatalf("got %q, want %q", b, want)
	}
}

// TestFullDisk has a small file system fill up and be freed: what is lost is
// counted, and what comes after is whole.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		livetest.Lacks(t, "mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("eve", dir, "tmpfs", 0, "size=64k"); err != nil {
		livetest.Lacks(t, "no small file system: %v", err)
	}
	path := filepath.Join(dir, "eve.json")
	s, err := New(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(t.Context()), syscall.Unmount(dir, 0)); err != nil {
			t.Error(err)
		}
	}()
	batch := func(tag string) error {
		var recs []events.Record
		for i := range 10 {
			recs = append(recs, events.Record{Type: "http", JSON: fmt.Appendf(nil, `{"%s":%d,"pad":%q}`, tag, i, strings.Repeat("x", 1000))})
		}
		return s.Write(t.Context(), recs)
	}
	for err == nil {
		err = batch("before")
	}
	if n := s.Lost(); n != 10 {
		t.Errorf("%d lost", n)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Someone makes room, and keeps the end of the file.
	tail := old[len(old)-500:]
	if err := os.WriteFile(path, tail, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := batch("after"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := strings.CutPrefix(string(got), string(tail)+"\n")
	if !ok {
		t.Fatalf("the torn line goes on: %.600q", got)
	}
	lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	for i, l := range lines {
		if !json.Valid([]byte(l)) || !strings.Contains(l, fmt.Sprintf(`"after":%d`, i)) {
			t.Errorf("line %d: %.60q", i, l)
		}
	}
	if len(lines) != 10 || s.Lost() != 10 {
		t.Errorf("%d lines, %d lost", len(lines), s.Lost())
	}
}
