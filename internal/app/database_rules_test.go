package app

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dataplane/capture"
	"sluice/dataplane/worker"
	"sluice/internal/config"
)

// TestDatabaseRules holds what the keywords of NFS and PostgreSQL match in captures,
// against what tshark counts there.
func TestDatabaseRules(t *testing.T) {
	f := func(file, rules string, want map[uint32]int) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "test.rules")
		if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := config.Default()
		cfg.Rules.Paths, cfg.CacheDir = []string{path}, ""
		parts, err := Load(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		wc, err := parts.Worker(Mode{NoChecksum: true, Types: func(string) bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		w, err := worker.New(wc)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		got := map[uint32]int{}
		take := func() {
			for _, e := range w.Events() {
				if e.Alert != nil {
					got[e.Alert.SignatureID]++
				}
			}
		}
		in, err := capture.OpenFile(shared(t, file))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		var b capture.Batch
		for {
			err := in.ReadBatch(&b)
			if len(b.Frames) > 0 {
				w.Process(&b, make([]bool, len(b.Frames)))
				take()
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		take()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
	f("data/suricata-verify/tests/nfs3-01/input.pcap", `
alert nfs any any -> any any (nfs_procedure:lookup; sid:1;)
alert nfs any any -> any any (nfs_procedure:3; nfs.version:3; sid:2;)
alert nfs any any -> any any (nfs_procedure:2<>4; sid:3;)
alert nfs any any -> any any (nfs_procedure:read; nfs_version:<4; sid:4;)
alert nfs any any -> any any (nfs_procedure:3; nfs_version:4; sid:5;)
alert nfs any any -> any any (file.name; content:"bln"; sid:6;)
`, map[uint32]int{1: 24, 2: 24, 3: 29, 4: 1, 6: 1})
	f("data/suricata-verify/tests/nfs4-01/input.pcap", `
alert nfs any any -> any any (nfs_procedure:write; sid:1;)
alert nfs any any -> any any (nfs_procedure:38; sid:2;)
alert nfs any any -> any any (nfs_procedure:7; sid:3;)
alert nfs any any -> any any (file.data; content:"test"; sid:4;)
`, map[uint32]int{1: 1, 2: 1, 4: 1})
	f("data/suricata-verify/tests/pgsql/pgsql-copy-data-out/input.pcap", `
alert pgsql any any -> any any (pgsql.query; content:"COPY (SELECT"; startswith; sid:1;)
alert pgsql any any -> any any (pgsql.query; content:"copy"; nocase; content:"TO STDOUT"; endswith; sid:2;)
alert pgsql any any -> any any (pgsql.query; content:"insert"; nocase; sid:3;)
alert postgresql any any -> any any (app-layer-event:pgsql.malformed_response; sid:4;)
`, map[uint32]int{1: 1, 2: 1})
}
