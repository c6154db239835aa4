package app

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sluice/dataplane/fastpath"
	"sluice/internal/config"
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
