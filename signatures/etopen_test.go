package signatures

import (
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"testing"
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// shared finds the folder of test data beside the repository.
func shared(t testing.TB, path string) string {
	dir, _ := os.Getwd()
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Skip("no go.mod above")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(dir, "..", "shared", path)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("%s is not here", path)
	}
	return p
}

func TestETOpenCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles tens of thousands of rules")
	}
	path := shared(t, "data/rules/et-open")
	cfg := Config{Registry: fakeRegistry(t), Fields: fakeFields(), CacheDir: t.TempDir()}
	start := time.Now()
	rs, rep := Load([]string{path}, cfg)
	t.Logf("loaded in %v: %+v", time.Since(start).Round(time.Millisecond), Report{Files: rep.Files, Total: rep.Total, Loaded: rep.Loaded, Rejected: rep.Rejected, Disabled: rep.Disabled})
	reasons := map[string]int{}
	for _, e := range rep.Errors {
		reasons[e.Keyword+": "+e.Message]++
	}
	var keys []string
	for k := range reasons {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return reasons[keys[i]] > reasons[keys[j]] })
	for i, k := range keys {
		if i < 30 {
			t.Logf("%5d %s", reasons[k], k)
		}
	}
	if rep.Rejected*200 > rep.Total {
		t.Errorf("%d of %d rules are refused", rep.Rejected, rep.Total)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start = time.Now()
	e, err := rs.Compile()
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("compiled cold in %v: %d rules, %d databases of %d bytes, %d object and %d stream patterns, %d bytes of Go memory", time.Since(start).Round(time.Millisecond),
		e.Rules(), len(e.Databases()), e.Memory(), len(e.SharedPatterns(GroupObject)), len(e.SharedPatterns(GroupStream)), after.HeapAlloc-before.HeapAlloc)
	e.Close()
	start = time.Now()
	rs, _ = Load([]string{path}, cfg)
	if e, err = rs.Compile(); err != nil {
		t.Fatal(err)
	}
	t.Logf("loaded and compiled warm in %v", time.Since(start).Round(time.Millisecond))
	e.Close()
}

func TestNoMatchDoesNotAllocate(t *testing.T) {
	r := rigOf(t, nil, false)
	f := r.flow(decode.ProtoTCP, 1000, 80)
	p := r.packet(decode.ProtoTCP, inside, outside, 1000, 80, []byte("some payload that is of no interest to anybody"))
	tx := r.tx(r.speak(f, 'H'), "http.method=GET", "http.uri=/nothing/to/see", "http.host=example.com", "http.user_agent=Mozilla/5.0")
	tx.Progress[0] = atDone
	def := r.reg.Definition(protocol.HTTP1)
	parser := f.App.Parser()
	w := Window{Data: p.PayloadBytes()}
	if n := testing.AllocsPerRun(200, func() {
		tx.Detect[0].Inspected = 0
		r.m.Packet(p, f, protocol.ToServer)
		r.m.Stream(p, f, protocol.ToServer, w, nil)
		r.m.Tx(p, f, parser, def, tx, protocol.ToServer)
		r.m.Matches()
		r.m.Reset()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
