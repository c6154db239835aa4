package app

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/benchmarks/traffic"
	"sluice/internal/config"
)

var update = flag.Bool("update", false, "write the golden counts anew")

// root gives the repository's folder; shared the folder beside it that holds
// the collections, or skips the test.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

func shared(t *testing.T, name string) string {
	t.Helper()
	p := filepath.Join(root(t), "..", "shared", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the shared collection is not here: %v", err)
	}
	return p
}

type captureCount struct {
	File    string         `json:"file"`
	Packets uint64         `json:"packets"`
	Events  map[string]int `json:"events"`
	Tshark  map[string]int `json:"tshark"`
	Note    string         `json:"note,omitempty"`
}

// replayEvents replays a capture and gives its EVE lines decoded.
func replayEvents(t *testing.T, file string, set ...string) ([]map[string]any, ReplaySummary) {
	t.Helper()
	cfg := config.Default()
	eve := filepath.Join(t.TempDir(), "eve.json")
	empty := filepath.Join(t.TempDir(), "none.rules")
	if err := os.WriteFile(empty, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Rules.Paths, cfg.Policy.File = []string{empty}, PolicyNone
	cfg.Outputs.EVE.Enabled, cfg.Outputs.EVE.Filename = true, eve
	cfg.Stats.Enabled = false
	for _, s := range set {
		if err := cfg.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := Replay(context.Background(), cfg, ReplayOptions{Files: []string{file}, Workers: max(cfg.Workers, 1), Inline: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(eve)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		var e map[string]any
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v: %s", file, err, sc.Text())
		}
		out = append(out, e)
	}
	return out, sum
}

// TestCaptures holds the events of each shared capture to counts that were
// checked against tshark.
func TestCaptures(t *testing.T) {
	dir := shared(t, "data/pcaps")
	golden := filepath.Join(root(t), "testdata/captures/counts.json")
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var want []captureCount
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		w := &want[i]
		evs, sum := replayEvents(t, filepath.Join(dir, w.File))
		got := map[string]int{}
		for _, e := range evs {
			typ := e["event_type"].(string)
			if typ == "flow" {
				typ += "/" + strings.ToLower(e["proto"].(string))
			}
			got[typ]++
		}
		if *update {
			w.Events, w.Packets = got, sum.Packets
			continue
		}
		if d := cmp.Diff(w.Events, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", w.File, d)
		}
		if sum.Packets != w.Packets {
			t.Errorf("%s: %d packets, want %d", w.File, sum.Packets, w.Packets)
		}
		if w.Note == "" {
			// Where no note says why, the counts are tshark's.
			for ours, theirs := range map[string]string{"http": "http_requests", "dns": "dns", "tls": "client_hellos", "smtp": "mails", "flow/tcp": "tcp_streams", "flow/udp": "udp_streams"} {
				if got[ours] != w.Tshark[theirs] {
					t.Errorf("%s: %d %s events, tshark has %d %s", w.File, got[ours], ours, w.Tshark[theirs], theirs)
				}
			}
		}
	}
	if *update {
		var b strings.Builder
		b.WriteString("[\n")
		for i, w := range want {
			line, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(line)
			if i < len(want)-1 {
				b.WriteByte(',')
			}
			b.WriteByte('\n')
		}
		b.WriteString("]\n")
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestObjects looks for the hashes of the objects that tshark exports from the
// captures among the files reported.
func TestObjects(t *testing.T) {
	dir := shared(t, "data/pcaps")
	data, err := os.ReadFile(filepath.Join(dir, "objects.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]map[string]bool{}
	total, found := 0, 0
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		files := len(f) > 1 && (f[1] == "smb" || f[1] == "tftp")
		if len(f) < 5 || !files && f[1] != "http" && (f[1] != "imf" || !strings.Contains(f[0], "smtp")) {
			continue
		}
		if seen[f[0]] == nil {
			seen[f[0]] = map[string]bool{}
			evs, _ := replayEvents(t, filepath.Join(dir, f[0]))
			for _, e := range evs {
				if fi, ok := e["fileinfo"].(map[string]any); ok {
					if s, ok := fi["sha256"].(string); ok {
						seen[f[0]][s] = true
					}
				}
			}
		}
		total++
		if seen[f[0]][f[3]] {
			found++
		} else {
			t.Logf("not found: %s %s (%s bytes)", f[0], f[4], f[2])
			// A message of a pipe is classified, and no file.
			if files && f[4] != "%5csrvsvc" {
				t.Errorf("%s: the file %s is not reported", f[0], f[4])
			}
		}
	}
	t.Logf("%d of %d objects of http, smtp, smb and tftp", found, total)
	if found*100 < total*minObjects {
		t.Errorf("%d of %d objects found, want %d %%", found, total, minObjects)
	}
}

// minObjects is the share of objects that must be found, in percent. The six
// that are not are no objects: tshark exports the first segment of an HTTP/2
// client, two SCTP messages that are pieces of one body, a message in a pipe, a
// mail with a retransmitted piece in it twice, and one without its last line end.
const minObjects = 78

// TestWorkersTellTheSame holds that the number of workers changes nothing of
// what is told about flows, and that a replay gives the same every time.
func TestWorkersTellTheSame(t *testing.T) {
	file := filepath.Join(t.TempDir(), "traffic.pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := traffic.Write(f, 24<<20, 7); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	lines := func(workers string) []string {
		evs, _ := replayEvents(t, file, "workers="+workers)
		out := make([]string, len(evs))
		for i, e := range evs {
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			out[i] = string(b)
		}
		return out
	}
	one, again, three := lines("1"), lines("1"), lines("3")
	if d := cmp.Diff(one, again); d != "" {
		t.Fatalf("two replays differ:\n%s", d)
	}
	if len(one) < 1000 {
		t.Fatalf("only %d events", len(one))
	}
	slices.Sort(one)
	slices.Sort(three)
	if d := cmp.Diff(one, three); d != "" {
		t.Errorf("one worker and three differ:\n%.2000s", d)
	}
}
