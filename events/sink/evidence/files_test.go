package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openFiles(t *testing.T, cfg FilesConfig) *Files {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := OpenFiles(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeFiles(t *testing.T, s *Files) FileStats {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return s.Stats()
}

// stored gives the files below a folder by their paths, and checks their modes.
func stored(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && path != dir {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !d.IsDir() {
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(dir, path)
			got[rel] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func nameOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	h := hex.EncodeToString(sum[:])
	return h[:2] + "/" + h
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "filestore")
	// Three files at a time with two descriptors; one is left over from a crash.
	if err := os.MkdirAll(filepath.Join(dir, partDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, partDir, "file.9"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	// What is not the store's own stays: the folder may be /var.
	others := filepath.Join(dir, partDir, "others")
	if err := os.WriteFile(others, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openFiles(t, FilesConfig{Dir: dir, MaxOpen: 2})
	if err := os.Remove(others); err != nil {
		t.Error(err)
	}
	want := map[string]string{}
	var ids []uint32
	text := func(i int) string { return strings.Repeat(fmt.Sprintf("file %d ", i), 100) }
	for i := range 5 {
		ids = append(ids, s.Begin())
		_ = i
	}
	buf := make([]byte, 0, 64)
	for at := 0; at < len(text(0)); at += 50 {
		for i, id := range ids {
			buf = append(buf[:0], text(i % 4)[at:at+50]...)
			if !s.Write(id, buf) {
				t.Fatal("no room")
			}
			clear(buf) // the bytes stay the caller's
		}
	}
	s.End(ids[0], 1700000000e9, []byte(`{"a":1}`))
	s.End(ids[1], 1700000000e9, nil)
	s.Discard(ids[2])
	s.End(ids[4], 1700000001e9, nil) // the content of the first
	want[nameOf(text(0))] = text(0)
	want[nameOf(text(0))+fmt.Sprintf(".1700000000.%d.json", ids[0])] = `{"a":1}` + "\n"
	want[nameOf(text(1))] = text(1)
	st := closeFiles(t, s) // the fourth never ended
	got := stored(t, dir)
	if len(got) != len(want) {
		t.Errorf("%d files, not %d: %v", len(got), len(want), got)
	}
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s is %q", name, got[name])
		}
	}
	size := int64(2*len(text(0)) + 8)
	if st != (FileStats{Stored: 2, Duplicates: 1, Bytes: size}) {
		t.Errorf("%+v", st)
	}
	// The next run finds them.
	s = openFiles(t, FilesConfig{Dir: dir})
	if st := closeFiles(t, s); st.Bytes != size {
		t.Errorf("%d bytes were found, not %d", st.Bytes, size)
	}
	if s.Write(s.Begin(), []byte("late")) {
		t.Error("a closed store took a file")
	}
}

func TestFilesBounded(t *testing.T) {
	dir := t.TempDir()
	s := openFiles(t, FilesConfig{Dir: dir, MaxBytes: 3000, Lossless: true})
	content := func(i int) string { return fmt.Sprintf("%1000d", i) }
	for i := range 6 {
		id := s.Begin()
		s.Write(id, []byte(content(i)))
		s.End(id, 1e18, nil)
	}
	// One alone is too large for the folder.
	id := s.Begin()
	for range 4 {
		s.Write(id, bytes.Repeat([]byte("x"), 1000))
	}
	s.End(id, 1e18, nil)
	last := s.Begin()
	s.Write(last, []byte("last"))
	s.End(last, 1e18, nil)
	st := closeFiles(t, s)
	if got := stored(t, dir); len(got) != 1 || got[nameOf("last")] != "last" {
		t.Errorf("%d files are left: %v", len(got), got)
	}
	if st.Stored != 7 || st.Expired != 6 || st.Failed != 1 || st.Bytes != 4 {
		t.Errorf("%+v", st)
	}
}

// TestFilesMany bounds the number of files, however small they are.
func TestFilesMany(t *testing.T) {
	dir := t.TempDir()
	s := openFiles(t, FilesConfig{Dir: dir, MaxFiles: 3, Lossless: true})
	for i := range 10 {
		id := s.Begin()
		s.Write(id, []byte{byte('a' + i)})
		s.End(id, 1e18, nil)
	}
	st := closeFiles(t, s)
	if got := stored(t, dir); len(got) != 3 || got[nameOf("j")] != "j" || st.Expired != 7 || st.Bytes != 3 {
		t.Errorf("%v, %+v", got, st)
	}
}

func TestFilesQueueFull(t *testing.T) {
	dir := t.TempDir()
	s := openFiles(t, FilesConfig{Dir: dir, QueueBytes: 4000})
	// Hold the writer: it needs the lock to take pieces.
	s.mu.Lock()
	go func() { time.Sleep(20 * time.Millisecond); s.mu.Unlock() }()
	kept, lost := 0, 0
	for range 200 {
		id := s.Begin()
		if s.Write(id, bytes.Repeat([]byte{byte(id)}, 2000)) {
			kept++
			s.End(id, 1e18, nil)
		} else {
			lost++
		}
	}
	st := closeFiles(t, s)
	if st.Stored != uint64(kept) || st.Dropped != uint64(lost) || lost == 0 || kept == 0 {
		t.Errorf("%d kept, %d lost, %+v", kept, lost, st)
	}
}

func TestFilesDiskFails(t *testing.T) {
	dir := t.TempDir()
	s := openFiles(t, FilesConfig{Dir: dir})
	// A file where the folder of parts was.
	if err := os.RemoveAll(filepath.Join(dir, partDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, partDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	id := s.Begin()
	s.Write(id, []byte("lost"))
	s.Write(id, []byte(" twice"))
	s.End(id, 1e18, nil)
	if st := closeFiles(t, s); st.Failed != 1 || st.Stored != 0 || st.Bytes != 0 {
		t.Errorf("%+v", st)
	}
}
