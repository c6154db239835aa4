// Package version says which build of Sluice this is. It takes what the linker
// set and gives words; it knows nothing else.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is the release or "git describe", set by the Makefile with
// -ldflags "-X sluice/internal/version.Version=…"; "dev" in other builds.
var Version = "dev"

// String gives version, commit and toolchain on one line.
func String() string {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return fmt.Sprintf("%s (commit %s, %s %s/%s)", Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
