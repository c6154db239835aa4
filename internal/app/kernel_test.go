package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/dataplane/fastpath"
	"sluice/internal/config"
	"sluice/internal/livetest"
)

const kernelConfig = `
ports: {bridges: ["a,b"]}
fast-path:
  malformed: {land: yes, length: no}
  rate-limits: {syn: {per-second: 10, burst: 20}, new-flows: {per-second: 30}}
segmentation:
  zones: {office: [10.1.0.0/16, "fd00:1::/32"], servers: [10.2.0.1], empty: []}
  rules:
    - {name: web, from: office, to: servers, protocol: tcp, ports: [443, 8000-8080], action: allow}
    - {name: rest, from: any, to: other, action: drop}
quarantine:
  allow: [10.9.0.1, "fd00:9::/64 icmp", "10.9.0.53 udp/53"]
`

func TestKernelSettings(t *testing.T) {
	cfg, err := config.Parse("t.yaml", []byte(kernelConfig))
	if err != nil {
		t.Fatal(err)
	}
	p := netip.MustParsePrefix
	want := fastpath.Segmentation{
		Zones: map[string][]netip.Prefix{"office": {p("10.1.0.0/16"), p("fd00:1::/32")}, "servers": {p("10.2.0.1/32")}, "empty": nil},
		Rules: []fastpath.SegmentRule{
			{Name: "web", From: "office", To: "servers", Proto: 6, Ports: []fastpath.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 8080}}},
			{Name: "rest", From: "any", To: "other", Drop: true},
		}}
	if got := segmentation(cfg.Segmentation); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	reach := reachable(cfg.Quarantine.Allow)
	if got, want := allowances(reach), []fastpath.Allowance{{Prefix: p("10.9.0.1/32")}, {Prefix: p("fd00:9::/64"), Proto: 58}, {Prefix: p("10.9.0.53/32"), Proto: 17, First: 53, Last: 53}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := limitsOf(cfg.FastPath.RateLimits); got != (fastpath.Limits{SYN: fastpath.Limit{PerSecond: 10, Burst: 20}, New: fastpath.Limit{PerSecond: 30}}) {
		t.Errorf("%+v", got)
	}
	for _, tt := range []struct {
		taps, bridges bool
		beside        fastpath.Malformed
	}{{false, true, fastpath.MalformedTCPFlags}, {true, true, 0}, {true, false, 0}} {
		d := &Daemon{cfg: &config.Config{}}
		if tt.taps {
			d.cfg.Ports.Taps = []string{"x"}
		}
		if tt.bridges {
			d.cfg.Ports.Bridges = cfg.Ports.Bridges
		}
		if must, beside := d.malformed(cfg.FastPath.Malformed); must != fastpath.MalformedLAND || beside != tt.beside {
			t.Errorf("%+v: %b, %b", tt, must, beside)
		}
	}
}

// TestKernelBounds holds that the configuration takes as much as the fast path,
// and no more.
func TestKernelBounds(t *testing.T) {
	text := func(zones, rules, allow int) string {
		var b strings.Builder
		b.WriteString("segmentation:\n  zones:\n")
		for i := range zones {
			fmt.Fprintf(&b, "    z%d: []\n", i)
		}
		b.WriteString("  rules:\n")
		for i := range rules {
			fmt.Fprintf(&b, "    - {name: r%d, from: any, to: any, action: drop}\n", i)
		}
		b.WriteString("quarantine:\n  allow:\n")
		for i := range allow {
			fmt.Fprintf(&b, "    - 10.0.0.%d\n", i)
		}
		return b.String()
	}
	most := [3]int{fastpath.MaxZones, fastpath.MaxSegmentRules, fastpath.MaxAllowances}
	if _, err := config.Parse("t.yaml", []byte(text(most[0], most[1], most[2]))); err != nil {
		t.Errorf("as much as there is room for: %v", err)
	}
	for i := range most {
		n := most
		n[i]++
		if _, err := config.Parse("t.yaml", []byte(text(n[0], n[1], n[2]))); err == nil || !strings.Contains(err.Error(), "too many") {
			t.Errorf("%v: %v", n, err)
		}
	}
}

func TestReadLists(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := file("good", "10.0.0.1\n"), file("bad", "10.0.0.1\n10.0.0.1/8\n")
	s := kernelSettings{blocks: []config.BlockList{{Name: "b", File: good, Direction: "src"}}, fast: config.FastPath{AllowLists: []config.AllowList{{Name: "a", File: good}}}}
	lists, allows, err := readLists(s)
	if err != nil || len(lists["b"]) != 1 || lists["b"][0].Entry.Direction != fastpath.AsSource || len(allows["a"]) != 1 {
		t.Errorf("%v, %v, %v", lists, allows, err)
	}
	for text, s := range map[string]kernelSettings{
		bad + ":2: ":           {blocks: []config.BlockList{{Name: "b", File: bad}}},
		"allow list a: " + bad: {fast: config.FastPath{AllowLists: []config.AllowList{{Name: "a", File: bad}}}},
		"a meaning of its own": {blocks: []config.BlockList{{Name: operatorList, File: good}}},
		"no such file":         {blocks: []config.BlockList{{Name: "b", File: good + "2"}}},
	} {
		if _, _, err := readLists(s); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestApplyKernelWholly has a reload whose last list has no room change nothing of
// what is in force, neither in the kernel nor for the workers.
func TestApplyKernelWholly(t *testing.T) {
	if os.Geteuid() != 0 {
		livetest.Lacks(t, "loading BPF programs needs root")
	}
	log := slog.New(slog.DiscardHandler)
	fast, err := fastpath.Open(fastpath.Config{MaxPrefixes: 50, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer fast.Close()
	dir := t.TempDir()
	list := func(name string, first, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "10.%d.0.%d\n", first, i)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parse := func(text string) kernelSettings {
		t.Helper()
		cfg, err := config.Parse("t.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return kernelSettingsOf(cfg)
	}
	d := &Daemon{cfg: &config.Config{}, fast: fast, log: log, quarantine: newQuarantine(fast, 10, log)}
	good := parse(kernelConfig + "  ttl: 1h\nblock-lists: [{name: one, file: " + list("one", 1, 20) + "}, {name: two, file: " + list("two", 2, 10) + "}]\n")
	if err := d.applyKernel(good, nil); err != nil {
		t.Fatal(err)
	}
	picture := func() string {
		rules, err := fast.SegmentCounters()
		if err != nil {
			t.Fatal(err)
		}
		var prefixes []string
		for _, b := range fast.List() {
			prefixes = append(prefixes, b.Prefix.String()+" "+b.Entry.List)
		}
		return fmt.Sprint(prefixes, rules, d.quarantine.terms.base.ttl, d.kernel)
	}
	before := picture()
	next := strings.ReplaceAll(kernelConfig, "name: web", "name: other") + "  ttl: 2h\nblock-lists: [{name: one, file: " + list("three", 3, 20) + "}, {name: four, file: "
	if err := d.applyKernel(parse(next+list("four", 4, 40)+"}]\n"), nil); !errors.Is(err, fastpath.ErrFull) || !strings.Contains(err.Error(), "four") {
		t.Errorf("a list without room: %v", err)
	}
	if after := picture(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if err := d.applyKernel(parse(next+list("four", 4, 30)+"}]\n"), nil); err != nil {
		t.Error(err)
	}
	if n := len(fast.ListOf("one")) + len(fast.ListOf("four")); n != 50 || len(fast.ListOf("two")) != 0 || d.quarantine.terms.base.ttl != 2*time.Hour {
		t.Errorf("%d entries, ttl %v", n, d.quarantine.terms.base.ttl)
	}
}
