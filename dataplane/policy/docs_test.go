package policy

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentedExamples holds that the examples in docs/policy.md are policies.
func TestDocumentedExamples(t *testing.T) {
	b, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(b), "```yaml\n")[1:]
	if len(parts) < 5 {
		t.Fatalf("%d examples", len(parts))
	}
	for i, p := range parts {
		text, _, _ := strings.Cut(p, "```")
		if _, err := Parse([]byte(text), "docs/policy.md"); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
}
