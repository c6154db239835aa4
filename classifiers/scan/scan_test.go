package scan

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"sluice/classifiers"
)

// TestMain lets the scoring tool drive the test binary as it drives the command:
// SLUICE_SCAN_JSONL=low|medium|high reads standard input.
func TestMain(m *testing.M) {
	if min, ok := os.LookupEnv("SLUICE_SCAN_JSONL"); ok {
		c, err := classifiers.ParseConfidence(min)
		if err == nil {
			err = ScanJSONL(os.Stdin, os.Stdout, c, 2)
		}
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestScanJSONL(t *testing.T) {
	in := `{"id":1,"text":"card 4539 5787 6362 1486"}
not json

{"id":"b","text":"nothing here"}
{"id":{"x":[1]}}
{"id":"c","text":"prüf AKIAQYLPMN5HHHFPZAM2"}
`
	var out bytes.Buffer
	if err := ScanJSONL(strings.NewReader(in), &out, classifiers.Medium, 2); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	for i, want := range []string{
		`{"id":1,"level":"restricted","findings":[{"detector":"pay.card","start":5,"end":24,"confidence":"high","level":"restricted","tags":["PCI DSS","GLBA"],"masked":"********1486"}]}`,
		`"error":"bad JSON`,
		`{"id":"b","level":"public","findings":[]}`,
		`{"id":{"x":[1]},"findings":[],"error":"no \"text\" in the line"}`,
		`"start":6,"end":26`,
	} {
		if !json.Valid([]byte(lines[i])) || !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %s, want %s", i, lines[i], want)
		}
	}
}
