package fastpath

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadList(t *testing.T) {
	blocks, err := ReadList(strings.NewReader("\ufeff# a comment\n"+
		"\n"+
		"192.0.2.0/24\n"+
		"198.51.100.7 scanner of last week # seen twice\r\n"+
		"203.0.113.0/24 ; SBL1234\n"+
		"::ffff:10.1.2.0/120\n"+
		"\t2001:db8::/32   expires=2030-01-02T03:04:05Z\n"+
		"2001:db8::1 a reason expires=2030-01-02T03:04:05+01:00 # and a comment\n"+
		"10.0.0.1"), "f", "feed")
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ prefix, reason, expires string }{
		{"192.0.2.0/24", "", ""},
		{"198.51.100.7/32", "scanner of last week", ""},
		{"203.0.113.0/24", "SBL1234", ""},
		{"10.1.2.0/24", "", ""},
		{"2001:db8::/32", "", "2030-01-02T03:04:05Z"},
		{"2001:db8::1/128", "a reason", "2030-01-02T02:04:05Z"},
		{"10.0.0.1/32", "", ""},
	}
	if len(blocks) != len(want) {
		t.Fatalf("%d entries, want %d: %v", len(blocks), len(want), blocks)
	}
	for i, w := range want {
		b := blocks[i]
		expires := ""
		if !b.Entry.Expires.IsZero() {
			expires = b.Entry.Expires.UTC().Format(time.RFC3339)
		}
		if b.Prefix.String() != w.prefix || b.Entry.Reason != w.reason || expires != w.expires || b.Entry.List != "feed" {
			t.Errorf("entry %d: %+v, want %+v", i, b, w)
		}
	}
}

func TestReadListErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"nonsense", `f:2: "nonsense" is not an address`},
		{"10.0.0.0/33", `f:2: "10.0.0.0/33" is not a prefix`},
		{"10.0.0.1/8 why", `f:2: "10.0.0.1/8" has bits set beyond its length: is 10.0.0.0/8 meant?`},
		{"0.0.0.0/0", `f:2: "0.0.0.0/0" would block everything`},
		{"::/0", `f:2: "::/0" would block everything`},
		{"::ffff:0.0.0.0/90", `f:2: "::ffff:0.0.0.0/90" mixes IPv4 and IPv6`},
		{"fe80::1%eth0", `f:2: "fe80::1%eth0" is not an address`},
		{"10.0.0.1 expires=tomorrow", `f:2: "expires=tomorrow" is not a time such as 2026-01-02T15:04:05Z`},
		{strings.Repeat("x", 5000), "is longer than 1024 bytes"},
	} {
		blocks, err := ReadList(strings.NewReader("192.0.2.1\n"+tt.in+"\n192.0.2.2\n"), "f", "")
		var le *ListError
		if !errors.As(err, &le) || le.Line != 2 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: %v, want %s", tt.in, err, tt.want)
		}
		if len(blocks) != 2 {
			t.Errorf("%.40q: %d good entries, want the other 2", tt.in, len(blocks))
		}
	}
	_, err := ReadList(strings.NewReader(strings.Repeat("bad\n", 100)), "f", "")
	if err == nil || !strings.Contains(err.Error(), "80 more bad lines") || strings.Count(err.Error(), "\n") != maxListErrors {
		t.Errorf("a hundred bad lines: %v", err)
	}
	if _, err := LoadList(filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func FuzzReadList(f *testing.F) {
	f.Add("192.0.2.0/24 reason # comment\n::1\n")
	f.Add("10.0.0.0/8 expires=2030-01-02T03:04:05Z\n;x\n0/0")
	f.Fuzz(func(t *testing.T, in string) {
		blocks, _ := ReadList(strings.NewReader(in), "f", "l")
		if len(blocks) > strings.Count(in, "\n")+1 {
			t.Errorf("%d entries from %d lines", len(blocks), strings.Count(in, "\n")+1)
		}
		for _, b := range blocks {
			if !b.Prefix.IsValid() || b.Prefix != b.Prefix.Masked() || b.Prefix.Bits() == 0 || len(b.Entry.Reason) > maxReason {
				t.Errorf("accepted %+v", b)
			}
		}
	})
}
