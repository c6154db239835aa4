package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the program callable from the scripts by its name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": main})
}

// TestScripts runs the command line as users do; each file in testdata/script
// is one behaviour.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("SLUICE_CACHE", cache)
			e.Setenv("EXAMPLE", example)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"pcap": writePcap, "mmdb": writeMMDB, "ng": writeBadPcap, "hello": writeHello},
	})
}

// cache is shared by the scripts, so that databases are compiled once.
var cache = func() string {
	dir, err := os.MkdirTemp("", "sluice-test-cache-*")
	if err != nil {
		panic(err)
	}
	return dir
}()

// example is the configuration that ships, as an absolute path.
var example = func() string {
	p, err := filepath.Abs("../../deploy/sluice.yaml")
	if err != nil {
		panic(err)
	}
	return p
}()
