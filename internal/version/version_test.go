package version

import (
	"runtime"
	"strings"
	"testing"
)

func TestString(t *testing.T) {
	old := Version
	defer func() { Version = old }()
	Version = "v1.2.3"
	if s := String(); !strings.HasPrefix(s, "v1.2.3 (commit ") || !strings.Contains(s, runtime.Version()) {
		t.Fatalf("got %q", s)
	}
}
