package near

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"block", "alert", "allow", "http.uri", "http.url_raw"}
	for s, want := range map[string]string{"blok": "block", "allert": "alert", "http.url": "http.uri", "quarantine": "", "": "", strings.Repeat("x", 100): ""} {
		if got := Nearest(s, names); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	names := []string{"mon", "tue", "nats-url", "depth", "detph"}
	for s, want := range map[string][]string{"monday": {"mon"}, "NATS": {"nats-url"}, "detpht": {"detph"}, "dephth": {"depth"}, "zzzzzz": nil} {
		if got := Names(s, names, 2); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"abc", "acb", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {strings.Repeat("x", 65), "x", 9}} {
		if got := Distance(tt.a, tt.b, 9); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
