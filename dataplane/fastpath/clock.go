package fastpath

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic gives the clock that BPF programs read, in nanoseconds.
func monotonic() uint64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return uint64(ts.Nano())
}

// monotonicAt gives the monotonic time of a wall-clock instant: 0 for the zero
// time (never), and at least 1 otherwise.
func monotonicAt(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	at := int64(monotonic()) + int64(time.Until(t))
	return uint64(max(at, 1))
}

// wallAt is the reverse of monotonicAt.
func wallAt(mono uint64) time.Time {
	if mono == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(int64(mono) - int64(monotonic())))
}

func isPermission(err error) bool {
	return errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EPERM)
}
