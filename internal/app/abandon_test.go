package app

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/worker"
	"sluice/internal/config"
)

// TestBlockedFlowsGiveBack holds that a flow which a verdict ends in the middle
// of a file leaves nothing open: a set of rules that was replaced could never be
// closed, and memory outside of Go's heap would be lost.
func TestBlockedFlowsGiveBack(t *testing.T) {
	file := shared(t, "data/suricata-verify/tests/smb2-03-rule/smb2.pcap")
	rules := filepath.Join(t.TempDir(), "drop.rules")
	if err := os.WriteFile(rules, []byte(`drop smb any any -> any any (file.data; content:"%PDF-1.5"; startswith; sid:1;)`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Rules.Paths, cfg.CacheDir = []string{rules}, ""
	parts, err := Load(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	wc, err := parts.Worker(Mode{Inline: true, Types: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(wc)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f, err := capture.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b capture.Batch
	for {
		err := f.ReadBatch(&b)
		if len(b.Frames) > 0 {
			w.Process(&b, make([]bool, len(b.Frames)))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	if n := w.Counters().BlockedFlows; n != 1 {
		t.Fatalf("%d flows were blocked, want 1", n)
	}
	if err := w.Swap(parts.Set, parts.Policy); err != nil {
		t.Fatal(err)
	}
	if w.Retiring() {
		t.Error("something is still open after the last flow")
	}
}
