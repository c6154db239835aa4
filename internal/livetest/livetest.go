// Package livetest says what becomes of a live test on a machine that lacks what
// it needs: a skip with the reason for a developer, a failure in CI, where a test
// that did not run must not look like one that passed. It takes a test and a
// reason, and knows nothing of the product.
package livetest

import (
	"os"
	"testing"
)

// Lacks ends the test for want of something: it is skipped, or fails where the
// environment variable CI is set, as continuous integration does.
func Lacks(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatalf("cannot run here, and must in CI: "+format, args...)
	}
	tb.Skipf(format, args...)
}
