package fastpath

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// blocksOf makes so many prefixes of a network, and those given.
func blocksOf(first byte, n int, more ...string) (out []Block) {
	for i := range n {
		out = append(out, Block{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{first, byte(i >> 8), byte(i), 1}), 32), Entry: Entry{Reason: fmt.Sprint("of ", first)}})
	}
	for _, m := range more {
		out = append(out, Block{Prefix: netip.MustParsePrefix(m), Entry: Entry{Reason: "more"}})
	}
	return out
}

// before and after are tables of which every part differs, with prefixes that
// both have.
func tablesBefore() *Tables {
	return &Tables{
		Segmentation: testSegmentation(),
		Malformed:    MalformedLAND,
		Limits:       Limits{SYN: Limit{PerSecond: 100000}},
		Samples:      5,
		Allowances:   []Allowance{{Prefix: netip.MustParsePrefix("10.9.0.1/32")}, {Prefix: netip.MustParsePrefix("fd00:9::/64"), Proto: 58}},
		Allowed:      []List{{"friends", blocksOf(172, 3, "2001:db8:f::/48")}},
		Blocked:      []List{{"feed", blocksOf(1, 300, "203.0.113.0/24", "2001:db8:bad::/48", "2000::/12")}, {"ending", blocksOf(3, 5, "203.0.113.0/24")}},
	}
}

func tablesAfter() *Tables {
	// One is on the list as before, and once more in another way.
	twice := Block{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Entry: Entry{Reason: "twice"}}
	return &Tables{
		Segmentation: Segmentation{
			Zones: map[string][]netip.Prefix{"new": prefixList("10.200.0.0/16", "fd00:200::/32"), "lab": prefixList("10.10.0.0/16")},
			Rules: []SegmentRule{{Name: "new-rule", From: "new", To: ZoneAny, Proto: 6, Drop: true}},
		},
		Malformed:  MalformedAll,
		Limits:     Limits{UDP: Limit{PerSecond: 200000}},
		Samples:    6,
		Allowances: []Allowance{{Prefix: netip.MustParsePrefix("10.9.0.2/32"), Proto: 6, First: 80, Last: 80}},
		Allowed:    []List{{"friends", blocksOf(173, 2, "2001:db8:e::/48")}, {"others", blocksOf(172, 1)}},
		Blocked: []List{{"feed", append(blocksOf(2, 300, "203.0.113.0/24", "2001:db8:bad:1::/64", "2001:db8::/33"), append(blocksOf(1, 40), twice)...)},
			{"ending", nil}, {"fresh", blocksOf(1, 10)}},
	}
}

// picture is all that the kernel has of tables, as the programs read it.
func picture(t *testing.T, f *FastPath) map[string]any {
	t.Helper()
	out := map[string]any{"settings": f.set, "listed": claims(f.block), "allowed": claims(f.allow)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var s settings
	must(f.xdp.Settings.Get(&s))
	out["settings in the kernel"] = s
	tries := func(name string, v4, v6 *ebpf.Map) {
		all := map[string]blockValue{}
		var v blockValue
		var k4 lpm4
		for it := v4.Iterate(); it.Next(&k4, &v); {
			all[fmt.Sprint(k4)] = v
		}
		var k6 lpm6
		for it := v6.Iterate(); it.Next(&k6, &v); {
			all[fmt.Sprint(k6)] = v
		}
		out[name] = all
	}
	tries("block", f.xdp.Block4, f.xdp.Block6)
	tries("allow", f.xdp.Allow4, f.xdp.Allow6)
	zones := map[string]uint32{}
	var z uint32
	var k4 lpm4
	half := func(v uint32) uint32 { // of the set that holds
		if f.acl.other {
			return v >> 16
		}
		return v & 0xffff
	}
	for it := f.xdp.Zone4.Iterate(); it.Next(&k4, &z); {
		zones[fmt.Sprint(k4)] = half(z)
	}
	var k6 lpm6
	for it := f.xdp.Zone6.Iterate(); it.Next(&k6, &z); {
		zones[fmt.Sprint(k6)] = half(z)
	}
	out["zones"] = zones
	var reach []allowance
	for i := range uint32(maxAllowances) {
		var a allowance
		must(f.xdp.Allowances.Lookup(i, &a))
		reach = append(reach, a)
	}
	out["reach"] = reach
	base := uint32(0)
	if f.acl.other {
		base = aclCells
	}
	var cells []aclCell
	for i := range uint32(aclCells) {
		var c aclCell
		must(f.xdp.Acl.Lookup(base+i, &c))
		cells = append(cells, c)
	}
	out["cells"], out["rules"] = cells, f.acl.rules
	dir := make([]byte, dir4Size)
	_, err := f.block.dir4.mem.ReadAt(dir, 0)
	must(err)
	set := map[int]byte{}
	for i, b := range dir {
		if b != 0 {
			set[i] = b
		}
	}
	out["networks"], out["filter"] = set, slices.Clone(f.block.filter6.words)
	out["short"] = f.block.short6
	return out
}

// claims is what user space has of a table.
func claims(p *prefixes) map[netip.Prefix][]claim {
	out := map[netip.Prefix][]claim{}
	for prefix, cs := range p.table.All() {
		cs = slices.Clone(cs)
		slices.SortFunc(cs, func(a, b claim) int { return int(a.list) - int(b.list) })
		out[prefix] = cs
	}
	return out
}

func same(t *testing.T, when string, got, want map[string]any) {
	t.Helper()
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: %s differs", when, name)
		}
	}
}

// judged is what the program says to some packets of which the tables differ.
func judged(t *testing.T, f *FastPath) (out []uint32) {
	t.Helper()
	for _, pkt := range [][]byte{
		from(netip.MustParseAddr("1.0.5.1")), from(netip.MustParseAddr("2.0.5.1")), from(netip.MustParseAddr("3.0.4.1")), from(netip.MustParseAddr("203.0.113.9")),
		from(netip.MustParseAddr("172.0.0.1")), udp4("10.0.0.5", "10.0.0.5", 7, 7),
		tcp4("10.200.0.1", "192.0.2.1", 1, 2, "S"),
		frame(eth(e6), ip6("2001:db8:bad::1", "fd00::1", pUDP), udp(1, 2)),
		frame(eth(e6), ip6("2001:db8:8::1", "fd00::1", pUDP), udp(1, 2)),
	} {
		out = append(out, run(t, f, pkt))
	}
	return out
}

var errFault = errors.New("a fault of the test's")

// TestReplaceWholly has every write that a replacement makes fail in turn: each
// time all is as it was before, to the last entry of each table, and the packets
// are judged as before. At last none fails, and all is new.
func TestReplaceWholly(t *testing.T) {
	var count, failAt int
	seen := map[string]int{}
	f := open(t, Config{fault: func(what string) error {
		count++
		seen[what]++
		if count == failAt {
			return fmt.Errorf("%s: %w", what, errFault)
		}
		return nil
	}})
	if err := f.Replace(tablesBefore()); err != nil {
		t.Fatal(err)
	}
	// Another's entries are on prefixes that come and go.
	for _, p := range []string{"203.0.113.0/24", "1.0.0.1/32", "1.0.7.1/32", "2.0.7.1/32", "2001:db8:bad::/48"} {
		if err := f.Block(netip.MustParsePrefix(p), Entry{List: "operator", Reason: "by hand", Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	want, verdicts := picture(t, f), judged(t, f)
	clear(seen)
	failed := 0
	for failAt = 1; ; failAt++ {
		count = 0
		err := f.Replace(tablesAfter())
		if err == nil {
			break
		}
		if !errors.Is(err, errFault) || failAt > 2000 {
			t.Fatalf("fault %d: %v", failAt, err)
		}
		failed++
		// Most are of the same kind.
		if failAt < 30 || failAt%25 == 0 || strings.Contains(err.Error(), "zones") || strings.Contains(err.Error(), "settings") {
			same(t, fmt.Sprintf("fault %d (%v)", failAt, err), picture(t, f), want)
			if got := judged(t, f); !slices.Equal(got, verdicts) {
				t.Errorf("fault %d (%v): judged %v, before %v", failAt, err, got, verdicts)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	for _, what := range []string{"prefixes", "remove", "allowances", "zones", "settings"} {
		if seen[what] == 0 {
			t.Errorf("no fault of %s was tried", what)
		}
	}
	t.Logf("%d faults", failed)
	if got := judged(t, f); slices.Equal(got, verdicts) {
		t.Errorf("nothing is new: %v", got)
	}
	// What went through after many faults is what a fast path without any has.
	g := open(t, Config{})
	if err := errors.Join(g.Replace(tablesBefore()), g.Replace(tablesAfter())); err != nil {
		t.Fatal(err)
	}
	got, fresh := picture(t, f), picture(t, g)
	for _, name := range []string{"zones", "reach", "rules", "cells"} {
		if !reflect.DeepEqual(got[name], fresh[name]) {
			t.Errorf("%s: %v, without faults %v", name, got[name], fresh[name])
		}
	}
	if a, b := len(f.ListOf("feed")), len(g.ListOf("feed")); a != b || len(f.ListOf("operator")) != 5 || len(f.ListOf("ending")) != 0 || len(f.ListOf("fresh")) != 10 {
		t.Errorf("%d entries, without faults %d", a, b)
	}
}

// TestReplaceFull has lists for which there is no room be refused with all else,
// and lists that take the room of those before be taken.
func TestReplaceFull(t *testing.T) {
	f := open(t, Config{MaxPrefixes: 400})
	if err := f.Replace(tablesBefore()); err != nil {
		t.Fatal(err)
	}
	want := picture(t, f)
	bad := tablesAfter()
	bad.Blocked = append(bad.Blocked, List{"large", blocksOf(4, 200)})
	if err := f.Replace(bad); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "large") {
		t.Errorf("%v", err)
	}
	same(t, "too large a list", picture(t, f), want)
	var six []Block
	for i := range 401 {
		six = append(six, Block{Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 13: byte(i >> 8), 14: byte(i)}), 120)})
	}
	bad = tablesAfter()
	bad.Blocked = append(bad.Blocked, List{"six", six})
	if err := f.Replace(bad); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	same(t, "too large a list of IPv6", picture(t, f), want)
	// 300 others in place of the 300, with room for 400.
	if err := f.Replace(tablesAfter()); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]*Tables{
		"no zone":            {Segmentation: Segmentation{Rules: []SegmentRule{{Name: "x", From: "nowhere", To: ZoneAny}}}},
		"the most is 64":     {Allowances: make([]Allowance, MaxAllowances+1)},
		"list x: \"invalid ": {Blocked: []List{{"x", []Block{{}}}}},
	} {
		before := picture(t, f)
		if err := f.Replace(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name, picture(t, f), before)
	}
}
