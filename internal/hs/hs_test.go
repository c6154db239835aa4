package hs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func patterns() []Pattern {
	return []Pattern{
		{Expr: Literal([]byte("abc")), ID: 1},
		{Expr: Literal([]byte{0, 0xff, '.'}), ID: 2},
		{Expr: Literal([]byte("KEY")), Flags: Caseless, ID: 3},
		{Expr: `[0-9]{4}`, ID: 4, MaxOffset: 8},
	}
}

func compile(t testing.TB, mode Mode, dir string) *DB {
	t.Helper()
	db, err := Compile(patterns(), mode, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func TestScan(t *testing.T) {
	db := compile(t, Block, "")
	s, err := NewScanner(db)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		in   string
		want []Hit
	}{
		{"", nil},
		{"xabcx", []Hit{{To: 4, ID: 1}}},
		{"\x00\xff.", []Hit{{To: 3, ID: 2}}},
		{"kEyabc", []Hit{{To: 3, ID: 3}, {To: 6, ID: 1}}},
		{"12345", []Hit{{To: 4, ID: 4}, {To: 5, ID: 4}}},
		{"........1234", nil},
	} {
		hits, err := s.Scan(db, []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(append([]Hit(nil), hits...), c.want) {
			t.Errorf("Scan(%q) = %v, want %v", c.in, hits, c.want)
		}
	}
}

func TestBatch(t *testing.T) {
	db := compile(t, Block, "")
	s, _ := NewScanner(db)
	defer s.Close()
	for i, in := range []string{"none", "abc", "", "key abc"} {
		if n, ok := s.Queue(db, []byte(in)); !ok || n != i {
			t.Fatalf("Queue = %d, %v", n, ok)
		}
	}
	hits, err := s.Flush()
	if err != nil {
		t.Fatal(err)
	}
	want := []Hit{{To: 3, ID: 1, Buf: 1}, {To: 3, ID: 3, Buf: 3}, {To: 7, ID: 1, Buf: 3}}
	if !slices.Equal(hits, want) {
		t.Errorf("hits %v, want %v", hits, want)
	}
	if _, ok := s.Queue(db, make([]byte, copyLimit+1)); ok {
		t.Error("an oversized buffer was queued")
	}
	if h, err := s.Flush(); len(h) != 0 || err != nil {
		t.Errorf("empty flush: %v, %v", h, err)
	}
}

func TestStreamFindsAcrossAnyCut(t *testing.T) {
	db := compile(t, Streaming, "")
	s, _ := NewScanner(db)
	defer s.Close()
	data := []byte("zz1234 abc Key \x00\xff.")
	var want []Hit
	for cut := 0; cut <= len(data); cut++ {
		st, err := s.Open(db)
		if err != nil {
			t.Fatal(err)
		}
		var got []Hit
		for _, part := range [][]byte{data[:cut], data[cut:]} {
			h, err := s.ScanStream(st, part)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, h...)
		}
		s.CloseStream(st)
		if cut == 0 {
			want = got
			if len(want) != 4 {
				t.Fatalf("whole: %v", want)
			}
		} else if !slices.Equal(got, want) {
			t.Fatalf("cut at %d: %v, want %v", cut, got, want)
		}
	}
}

func TestCache(t *testing.T) {
	dir := t.TempDir()
	if compile(t, Block, dir).FromCache {
		t.Fatal("the first compile came from an empty cache")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.hsdb"))
	if len(files) != 1 {
		t.Fatalf("cache holds %v", files)
	}
	if !compile(t, Block, dir).FromCache {
		t.Error("the second compile did not come from the cache")
	}
	if compile(t, Streaming, dir).FromCache {
		t.Error("a block database served for streaming")
	}
	// A damaged file is compiled anew, not trusted.
	data, _ := os.ReadFile(files[0])
	data[len(data)/2] ^= 0xff
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	db := compile(t, Block, dir)
	if db.FromCache {
		t.Error("a damaged cache file was used")
	}
}

func TestBadPatternIsNamed(t *testing.T) {
	_, err := Compile([]Pattern{{Expr: "ok", ID: 1}, {Expr: "(", ID: 2}}, Block, "")
	var pe *PatternError
	if !errors.As(err, &pe) || pe.Pattern.ID != 2 {
		t.Errorf("error %v does not name pattern 2", err)
	}
	if _, err := Compile(nil, Block, ""); !errors.Is(err, ErrNoPatterns) {
		t.Errorf("empty set: %v", err)
	}
}

func TestTooManyHits(t *testing.T) {
	db, err := Compile([]Pattern{{Expr: "a", ID: 1}}, Block, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, _ := NewScanner(db)
	defer s.Close()
	hits, err := s.Scan(db, []byte(string(slices.Repeat([]byte("a"), MaxHits+10))))
	if !errors.Is(err, ErrTooManyHits) || len(hits) != MaxHits {
		t.Errorf("%d hits, %v", len(hits), err)
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	db, sdb := compile(t, Block, ""), compile(t, Streaming, "")
	s, _ := NewScanner(db, sdb)
	defer s.Close()
	data := []byte("some bytes with abc and KEY in them")
	if n := testing.AllocsPerRun(100, func() {
		s.Scan(db, data)
		s.Queue(db, data)
		s.Queue(db, data)
		s.Flush()
		st, _ := s.Open(sdb)
		s.ScanStream(st, data)
		s.CloseStream(st)
	}); n != 0 {
		t.Errorf("%v allocations per round", n)
	}
}
