package evidence

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func key(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWrittenEncryptedForTheRecipient(t *testing.T) {
	id, dir := key(t), filepath.Join(t.TempDir(), "evidence")
	s, err := Open(Config{Dir: dir, Recipients: []string{id.Recipient().String()}, Lossless: true, QueueBytes: 1000, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	secret := bytes.Repeat([]byte("4111 1111 1111 1111 "), 100)
	var refs []string
	for i := range 20 {
		refs = append(refs, s.Put(Object{Time: time.Now().UnixNano(), FlowID: 7, TxID: uint64(i), Name: "../../etc/passwd", Data: bytes.Clone(secret)}))
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Written != 20 || st.Dropped+st.Failed+st.Expired != 0 {
		t.Fatalf("stats %+v", st)
	}
	if ref := s.Put(Object{}); ref != "" || s.Stats().Dropped != 1 {
		t.Fatalf("Put after Close: %q, %+v", ref, s.Stats())
	}
	for i, ref := range refs {
		path := filepath.Join(dir, ref)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("4111")) || bytes.Contains(raw, []byte("passwd")) {
			t.Fatal("the file shows what it holds")
		}
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Fatalf("mode %v", info.Mode())
		}
		r, err := age.Decrypt(bytes.NewReader(raw), id)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		head, data, _ := bytes.Cut(plain, []byte("\n"))
		if !bytes.Equal(data, secret) || !bytes.Contains(head, fmt.Appendf(nil, `"tx_id":%d,`, i)) {
			t.Fatalf("file %d: head %s, %d bytes", i, head, len(data))
		}
		if _, err := age.Decrypt(bytes.NewReader(raw), key(t)); err == nil {
			t.Fatal("another key opens it")
		}
	}
}

func TestOldestExpire(t *testing.T) {
	id, dir := key(t), t.TempDir()
	cfg := Config{Dir: dir, Recipients: []string{id.Recipient().String()}, MaxBytes: 5000, Lossless: true, Log: quiet}
	var last string
	for run := range 2 { // the second run knows the first one's files
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			last = s.Put(Object{Time: int64(run*100+i) * 1e9, Data: make([]byte, 1000)})
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.Bytes > 5000 || st.Expired == 0 {
			t.Fatalf("stats %+v", st)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) > 4 || files[len(files)-1].Name() != last {
		t.Fatalf("%d files, last %s, want %s: %v", len(files), files[len(files)-1].Name(), last, err)
	}
}

func TestFullQueueDropsAndCounts(t *testing.T) {
	id := key(t)
	s, err := Open(Config{Dir: t.TempDir(), Recipients: []string{id.Recipient().String()}, QueueBytes: 1, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.waiting = 1 // as while an object is being written
	s.mu.Unlock()
	if ref := s.Put(Object{Data: make([]byte, 10)}); ref != "" || s.Stats().Dropped != 1 {
		t.Fatalf("got %q, %+v", ref, s.Stats())
	}
	s.Close(t.Context())
}

func TestOpenRefuses(t *testing.T) {
	for _, r := range [][]string{nil, {"not a key"}, {"AGE-SECRET-KEY-1AAAA"}} {
		if _, err := Open(Config{Dir: t.TempDir(), Recipients: r}); err == nil || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%q: %v", r, err)
		}
	}
}

func TestFailuresAreCounted(t *testing.T) {
	id, dir := key(t), filepath.Join(t.TempDir(), "e")
	s, err := Open(Config{Dir: dir, Recipients: []string{id.Recipient().String()}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.Put(Object{Data: []byte("x")})
	if err := s.Close(t.Context()); err != nil || s.Stats().Failed != 1 {
		t.Fatalf("%v, %+v", err, s.Stats())
	}
}
