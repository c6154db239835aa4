package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type line struct{ N int }

// keep is a journal of numbers: a negative one takes its opposite out.
func keep(t *testing.T, path string) (*journal, map[int]bool, int) {
	t.Helper()
	have := map[int]bool{}
	j, bad, err := openJournal(path, func(b []byte) error {
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			return err
		}
		if have[l.N] = true; l.N < 0 {
			delete(have, l.N)
			delete(have, -l.N)
		}
		return nil
	}, func() int { return len(have) }, func(yield func(any) bool) {
		for n := range have {
			if !yield(line{n}) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.close() })
	return j, have, bad
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _, _ := keep(t, path)
	for _, n := range []int{1, 2, 3, -2} {
		if err := j.add(line{n}); err != nil {
			t.Fatal(err)
		}
	}
	// What a crash leaves: a line that is cut, after one of another hand's.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("no json\n" + strings.Repeat("x", 2*maxJournalLine) + "\n{\"N\":9"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	_, have, bad := keep(t, path)
	if len(have) != 2 || !have[1] || !have[3] || bad != 2 {
		t.Errorf("kept %v, %d bad lines", have, bad)
	}
	if b, err := os.ReadFile(path); err != nil || bytes.Count(b, []byte("\n")) != 2 {
		t.Errorf("the file was not written anew: %q, %v", b, err)
	}
	j, have, bad = keep(t, path)
	if len(have) != 2 || bad != 0 || j.lines != 2 || j.base != 2 || j.add(line{-3}) != nil {
		t.Errorf("a clean file: %v, %d bad, %d lines", have, bad, j.lines)
	}
	if _, have, _ = keep(t, path); len(have) != 1 {
		t.Errorf("after what was added to it: %v", have)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestJournalGrowth has a file that grows for nothing be written anew.
func TestJournalGrowth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _, _ := keep(t, path)
	all := make([]any, 100)
	for i := range all {
		all[i] = line{i + 1}
	}
	for range 4 * journalSlack / len(all) {
		if err := j.add(all...); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || bytes.Count(b, []byte("\n")) > journalSlack+len(all) {
		t.Errorf("%d lines, %v", bytes.Count(b, []byte("\n")), err)
	}
	var none *journal
	if err := errors.Join(none.add(line{1}), none.close()); err != nil {
		t.Error(err)
	}
}

// TestJournalBulk has many lines that are all needed not be written a second time, and
// many that are not make the file be written anew.
func TestJournalBulk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _, _ := keep(t, path)
	const n = 4 * journalSlack
	for i, c := range []struct{ needed, lines int }{{n, n}, {n, 2 * n}, {0, 0}} {
		if err := j.addAll(func(yield func(any) bool) {
			for k := range n {
				if !yield(line{k + 1}) {
					return
				}
			}
		}, c.needed); err != nil {
			t.Fatal(err)
		}
		// What is left of them by the journal's owner is nothing.
		if b, err := os.ReadFile(path); err != nil || bytes.Count(b, []byte("\n")) != c.lines {
			t.Errorf("step %d: %d lines, %v", i, bytes.Count(b, []byte("\n")), err)
		}
	}
}

// TestOperatorLine holds the lines of the operator's list against encoding/json.
func TestOperatorLine(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
	for _, c := range []operatorChange{
		{},
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), As: "both"},
		{Prefix: netip.MustParsePrefix("2001:db8::/32"), As: "src", Reason: "says \"<no>\" & é\u2028\x00\xff", Expires: &at},
		{Prefix: netip.MustParsePrefix("::ffff:192.0.2.1/128"), Gone: true},
	} {
		want, err := json.Marshal(c)
		if got := c.appendLine(nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s, want %s, %v", got, want, err)
		}
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("{\"prefix\":\"10.0.0.0/8\"}\n{\"prefix\":\"10.0.0.0/8\",\"gone\":true}\n"))
	f.Add([]byte("{\"prefix\":\"fd00::/8\",\"as\":\"src\",\"expires\":\"2030-01-01T00:00:00Z\"}\n{"))
	f.Add([]byte("\n\n\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines := 0
		good, bad, whole, err := readJournal(bytes.NewReader(b), func(line []byte) error {
			lines++
			var c operatorChange
			if err := json.Unmarshal(line, &c); err != nil {
				return err
			}
			if len(line) > maxJournalLine {
				t.Errorf("a line of %d bytes", len(line))
			}
			return nil
		})
		if cut := len(b) > 0 && b[len(b)-1] != '\n'; err != nil || good > lines || whole == cut || bad > bytes.Count(b, []byte("\n"))+1 || lines > bytes.Count(b, []byte("\n")) {
			t.Errorf("%d lines, %d bad, %v", lines, bad, err)
		}
	})
}
