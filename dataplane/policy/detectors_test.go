package policy

import (
	"strings"
	"testing"
)

func TestOwnDetectors(t *testing.T) {
	const rules = "rules:\n  - name: r\n    when: {detectors: [custom.part]}\n    action: alert\n"
	p, err := Parse([]byte("detectors:\n  part:\n    pattern: 'ACM-[0-9]{4}'\n    level: restricted\n  members:\n    words: [Blue Heron]\n"+rules), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Custom(); len(c) != 2 || c[1].ID != "custom.part" || c[1].Level.String() != "restricted" {
		t.Errorf("%+v", c)
	}
	for text, want := range map[string]string{
		"detectors:\n  part:\n    pattern: 'A.*'\n" + rules:                          "slow",
		"detectors:\n  part:\n    pattern: '[0-9]{3,9}'\n" + rules:                   "too broad",
		"detectors:\n  part:\n    pattern: 'ACM-[0-9]{4}'\n    level: top\n" + rules: "unknown level",
		rules: "no detector is named",
	} {
		if _, err := Parse([]byte(text), "p.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
