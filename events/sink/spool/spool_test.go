package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/internal/livetest"
)

func open(t testing.TB, dir string, opt Options) *Spool {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s *Spool, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if err := s.Append(fmt.Sprint("id-", i), "subj", fmt.Appendf(nil, "data-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
}

// take reads n records, checks that they are in order from `from` on and gives
// the last one's end.
func take(t testing.TB, s *Spool, from, n int) Position {
	t.Helper()
	var end Position
	for i := from; i < from+n; i++ {
		e, ok, err := s.Next()
		if err != nil || !ok {
			t.Fatalf("record %d: ok %v, error %v", i, ok, err)
		}
		if e.ID != fmt.Sprint("id-", i) || e.Subject != "subj" || string(e.Data) != fmt.Sprint("data-", i) {
			t.Fatalf("record %d: got %q %q %q", i, e.ID, e.Subject, e.Data)
		}
		end = e.End
	}
	return end
}

func none(t testing.TB, s *Spool) {
	t.Helper()
	if e, ok, err := s.Next(); ok || err != nil {
		t.Fatalf("got %q, error %v; want none", e.ID, err)
	}
}

func TestOrderAcrossSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	opt := Options{SegmentBytes: 200}
	s := open(t, dir, opt)
	none(t, s)
	put(t, s, 0, 50)
	end := take(t, s, 0, 20)
	if err := s.Commit(end); err != nil {
		t.Fatal(err)
	}
	take(t, s, 20, 10)
	s.Rewind()
	take(t, s, 20, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append("x", "y", nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("Append after Close: %v", err)
	}
	s = open(t, dir, opt)
	put(t, s, 50, 50)
	end = take(t, s, 20, 80)
	none(t, s)
	if err := s.Commit(end); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.PendingBytes != 0 || st.CorruptBytes != 0 {
		t.Fatalf("stats %+v", st)
	}
	put(t, s, 100, 5)
	take(t, s, 100, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	segs, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if len(segs) > 3 {
		t.Fatalf("done segments stay: %v", segs)
	}
}

func TestCrashLosesNothing(t *testing.T) {
	// A crash: the folder as it is after Flush, without Close.
	dir, copied := t.TempDir(), t.TempDir()
	s := open(t, dir, Options{SegmentBytes: 300})
	put(t, s, 0, 40)
	if err := s.Commit(take(t, s, 0, 17)); err != nil {
		t.Fatal(err)
	}
	put(t, s, 40, 3)
	if err := os.CopyFS(filepath.Join(copied, "c"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	c := open(t, filepath.Join(copied, "c"), Options{SegmentBytes: 300})
	e, ok, err := c.Next()
	var first int
	if _, serr := fmt.Sscanf(e.ID, "id-%d", &first); serr != nil || !ok || err != nil || first > 17 {
		t.Fatalf("first after the crash: %q (%v, %v)", e.ID, ok, err)
	}
	take(t, c, first+1, 43-first-1)
	none(t, c)
}

func TestBound(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 1000, SegmentBytes: 250})
	n := 0
	var err error
	for ; n < 100; n++ {
		if err = s.Append(fmt.Sprint("id-", n), "subj", fmt.Appendf(nil, "data-%d", n)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) || n < 20 || s.Stats().Overflow != 1 {
		t.Fatalf("n %d, error %v, stats %+v", n, err, s.Stats())
	}
	if st := s.Stats(); st.PendingBytes > 1000 {
		t.Fatalf("stats %+v", st)
	}
	if err := s.Commit(take(t, s, 0, n)); err != nil {
		t.Fatal(err)
	}
	put(t, s, n, 10) // there is room again
	take(t, s, n, 10)
	if err := s.Append("id", strings.Repeat("s", 256), nil); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("long subject: %v", err)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{}).Close()
}

func TestDamageCostsOnlyWhatItHits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	put(t, s, 0, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	segs, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	b, err := os.ReadFile(segs[0])
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("data-4"))
	b[i] ^= 0xff
	b = append(b, recMagic[:]...) // a torn record at the end
	if err := os.WriteFile(segs[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	defer s.Close()
	put(t, s, 10, 2)
	take(t, s, 0, 4)
	take(t, s, 5, 7)
	none(t, s)
	if st := s.Stats(); st.CorruptBytes == 0 {
		t.Fatalf("stats %+v", st)
	}
}

// TestFilesTakenAway: a segment that someone removed or cut is lost, counted,
// and not in the way of what follows.
func TestFilesTakenAway(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{SegmentBytes: 1}) // a segment a record
	defer s.Close()
	put(t, s, 0, 6)
	segs, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if len(segs) != 6 {
		t.Fatalf("%d segments", len(segs))
	}
	if err := os.Remove(segs[1]); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segs[2], 30); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segs[3], 2); err != nil {
		t.Fatal(err)
	}
	take(t, s, 0, 1)
	end := take(t, s, 4, 2)
	if err := s.Commit(end); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.CorruptBytes == 0 || st.PendingBytes != 0 {
		t.Fatalf("stats %+v", st)
	}
}

func TestWriteErrorIsCountedAndPassed(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	defer s.Close()
	put(t, s, 0, 3)
	s.out.Close() // the file system refuses from here on
	if err := s.Append("lost", "subj", make([]byte, 200<<10)); err == nil {
		t.Fatal("no error")
	}
	if err := s.Append("too soon", "subj", nil); err == nil {
		t.Fatal("the file system is asked anew at once")
	}
	time.Sleep(pause)
	put(t, s, 3, 3)
	take(t, s, 0, 6)
	none(t, s)
	if st := s.Stats(); st.WriteErrors != 2 {
		t.Fatalf("stats %+v", st)
	}
}

// TestFullDisk has a small file system fill up and be drained: no file is left
// behind, each record arrives or is counted, and there is room again once what
// was delivered is committed.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		livetest.Lacks(t, "mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("spool", dir, "tmpfs", 0, "size=256k"); err != nil {
		livetest.Lacks(t, "no small file system: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	s := open(t, dir, Options{})
	took, refused := 0, 0
	for range 3 {
		for range 200 {
			if err := s.Append("id", "subj", make([]byte, 4<<10)); err != nil {
				refused++
			} else {
				took++
			}
			_ = s.Flush() // counted
		}
		time.Sleep(pause)
	}
	if took == 0 || refused == 0 {
		t.Fatalf("%d taken, %d refused", took, refused)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*"+suffix)); err != nil || len(left) > 4 {
		t.Fatalf("%d segments, %v", len(left), err)
	}
	var end Position
	given := 0
	for {
		e, ok, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		given++
		end = e.End
	}
	if st := s.Stats(); given+int(st.WriteErrors) != took+refused {
		t.Errorf("%d given of %d taken, %d refused: %+v", given, took, refused, st)
	}
	if err := s.Commit(end); err != nil {
		t.Fatal(err)
	}
	none(t, s)
	if n := s.Stats().PendingBytes; n != 0 {
		t.Errorf("%d bytes wait", n)
	}
	time.Sleep(pause)
	put(t, s, 0, 10)
	take(t, s, 0, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestQueueModel compares the spool with a slice, over restarts and rewinds.
func TestQueueModel(t *testing.T) {
	root := t.TempDir()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		dir := filepath.Join(root, fmt.Sprint(round))
		opt := Options{SegmentBytes: int64(rapid.IntRange(1, 400).Draw(rt, "segment"))}
		s := open(t, dir, opt)
		defer func() { s.Close() }()
		appended, read, committed := 0, 0, 0
		ends := map[int]Position{}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(*rapid.T) { put(t, s, appended, 1); appended++ },
			"read": func(rt *rapid.T) {
				if read == appended {
					none(t, s)
					return
				}
				ends[read] = take(t, s, read, 1)
				read++
			},
			"commit": func(rt *rapid.T) {
				if read > committed {
					committed = rapid.IntRange(committed+1, read).Draw(rt, "to")
					if err := s.Commit(ends[committed-1]); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"rewind": func(*rapid.T) { s.Rewind(); read = committed },
			"restart": func(rt *rapid.T) {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open(t, dir, opt)
				read = committed
			},
			"": func(rt *rapid.T) {
				if st := s.Stats(); (st.PendingBytes == 0) != (committed == appended) || st.CorruptBytes != 0 {
					rt.Fatalf("appended %d committed %d: %+v", appended, committed, st)
				}
			},
		})
	})
}

// FuzzSegment reads arbitrary segment and cursor files: it must end, without a
// panic, and go on taking records.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	s := open(f, dir, Options{})
	put(f, s, 0, 3)
	s.Close()
	segs, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	good, err := os.ReadFile(segs[0])
	if err != nil {
		f.Fatal(err)
	}
	cursor, err := os.ReadFile(filepath.Join(dir, cursorName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, cursor)
	f.Add(good[:len(good)-3], []byte("x"))
	f.Add(append([]byte("garbage"), good...), []byte{})
	f.Add(append(recMagic[:], 0xff, 0xff, 0xff, 0xff), cursor)
	f.Fuzz(func(t *testing.T, seg, cur []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "0000000000000001"+suffix), seg, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, cursorName), cur, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, Options{MaxRecord: 1 << 16})
		defer s.Close()
		if err := s.Append("last", "subj", []byte("ok")); err != nil {
			t.Fatal(err)
		}
		for range len(seg) + 2 {
			e, ok, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				t.Fatal("the appended record is gone")
			}
			if e.ID == "last" && e.Subject == "subj" && string(e.Data) == "ok" {
				none(t, s)
				return
			}
		}
		t.Fatal("no end")
	})
}

func BenchmarkSpool(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	defer s.Close()
	data := make([]byte, 800)
	b.SetBytes(800)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := s.Append("id", "sluice.events.s.alert", data); err != nil {
			b.Fatal(err)
		}
		if i%64 == 63 {
			for {
				e, ok, err := s.Next()
				if err != nil {
					b.Fatal(err)
				}
				if !ok {
					break
				}
				if err := s.Commit(e.End); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}
