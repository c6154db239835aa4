package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the program callable from the scripts by its name.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == extractArg {
		main() // the scripts' program is this one too: its children read documents
		return
	}
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
			e.Setenv("CASES", cases)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"pcap": writePcap, "papers": writePapers, "mmdb": writeMMDB, "ng": writeBadPcap, "hello": writeHello, "modbus": writeModbus},
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

// cases are the regression cases that ship, as an absolute path.
var cases = func() string {
	p, err := filepath.Abs("../../testdata/cases")
	if err != nil {
		panic(err)
	}
	return p
}()

// example is the configuration that ships, as an absolute path.
var example = func() string {
	p, err := filepath.Abs("../../deploy/sluice.yaml")
	if err != nil {
		panic(err)
	}
	return p
}()
