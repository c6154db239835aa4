package app

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/policy"
	"sluice/internal/config"
)

func termsOf(t *testing.T, rules string) *terms {
	t.Helper()
	cfg, err := config.Parse("t.yaml", []byte("quarantine: {ttl: 2h, allow: [10.9.0.1]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse([]byte("rules:\n"+rules), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out, err := newTerms(cfg.Quarantine, pol)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestQuarantineTerms holds that hosts are held as the rule says that put them in
// quarantine, and that a reload changes what they reach.
func TestQuarantineTerms(t *testing.T) {
	q := testQuarantine(t, t.TempDir(), 10)
	if err := q.setTerms(termsOf(t, `
  - {name: plain, action: quarantine}
  - {name: short, action: quarantine, quarantine: {ttl: 10m}}
  - {name: own, action: quarantine, quarantine: {ttl: 0, allow: [10.9.2.0/24, "10.9.3.1 tcp/22"]}}
  - {name: none, action: quarantine, quarantine: {allow: []}}
`), false, nil); err != nil {
		t.Fatal(err)
	}
	for i, rule := range []string{"plain", "short", "own", "none"} {
		q.isolate(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), [6]byte{}, rule)
	}
	if err := q.add(netip.MustParseAddr("10.0.0.4"), "", "", nil); err != nil {
		t.Fatal(err)
	}
	check := func(when string, reaches [5]string, spans [5]time.Duration) {
		t.Helper()
		for i, e := range q.listed() {
			if e.Reaches() != reaches[i] {
				t.Errorf("%s: host %d reaches %s", when, i, e.Reaches())
			}
			if (e.Expires == nil) != (spans[i] == 0) || e.Expires != nil && e.Expires.Sub(e.Since) != spans[i] {
				t.Errorf("%s: host %d from %v to %v", when, i, e.Since, e.Expires)
			}
		}
	}
	spans := [5]time.Duration{2 * time.Hour, 10 * time.Minute, 0, 2 * time.Hour, 2 * time.Hour}
	check("at first", [5]string{"10.9.0.1", "10.9.0.1", "10.9.2.0/24, 10.9.3.1 tcp/22", "nothing", "10.9.0.1"}, spans)
	reach := func(host int, dst string) bool {
		return !q.set.Holds(&decode.Packet{IPVersion: 4, Proto: 6, Time: time.Now().UnixNano(), Flags: decode.FlagHasPorts, DstPort: 22,
			Src: decode.AddrFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(host)})), Dst: decode.AddrFrom(netip.MustParseAddr(dst))})
	}
	for _, tt := range []struct {
		host int
		dst  string
		want bool
	}{{0, "10.9.0.1", true}, {2, "10.9.0.1", false}, {2, "10.9.2.9", true}, {2, "10.9.3.1", true}, {0, "10.9.2.9", false}, {3, "10.9.0.1", false}, {4, "10.9.0.1", true}} {
		if got := reach(tt.host, tt.dst); got != tt.want {
			t.Errorf("host %d reaches %s: %v", tt.host, tt.dst, got)
		}
	}
	if err := q.setTerms(termsOf(t, `
  - {name: plain, action: quarantine, quarantine: {ttl: 1m, allow: [10.9.9.9]}}
  - {name: other, action: quarantine, quarantine: {allow: [10.9.2.0/24]}}
`), false, nil); err != nil {
		t.Fatal(err)
	}
	check("after a reload", [5]string{"10.9.9.9", "10.9.0.1", "10.9.0.1", "10.9.0.1", "10.9.0.1"}, spans)
	if !reach(0, "10.9.9.9") || reach(0, "10.9.0.1") || reach(2, "10.9.2.9") {
		t.Error("the workers go by what was said before")
	}
}

// TestQuarantineTermsRefused has a worker put hosts in quarantine while the kernel
// is told of other terms: with an error all stays as it was, and without one those
// hosts too are held by the new terms.
func TestQuarantineTermsRefused(t *testing.T) {
	refused := errors.New("no room")
	for _, want := range []error{refused, nil} {
		q := testQuarantine(t, t.TempDir(), 10)
		if err := q.setTerms(termsOf(t, "  - {name: r, action: quarantine, quarantine: {allow: [10.9.1.1]}}\n"), false, nil); err != nil {
			t.Fatal(err)
		}
		before, during := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		q.isolate(before, [6]byte{}, "r")
		sets := map[uint8]int{}
		err := q.setTerms(termsOf(t, "  - {name: other, action: quarantine, quarantine: {allow: [10.9.2.2]}}\n  - {name: r, action: quarantine, quarantine: {allow: [10.9.3.3]}}\n"), false, func(all []fastpath.Allowance) error {
			for _, a := range all {
				sets[a.Set]++
			}
			q.isolate(during, [6]byte{}, "r")
			return want
		})
		if !errors.Is(err, want) || len(sets) != 3 {
			t.Errorf("%v, %v", err, sets)
		}
		reached, not := "10.9.3.3", "10.9.1.1"
		if want != nil {
			reached, not = not, reached
		}
		for _, host := range []netip.Addr{before, during} {
			holds := func(dst string) bool {
				return q.set.Holds(&decode.Packet{IPVersion: 4, Proto: 6, Time: time.Now().UnixNano(), Src: decode.AddrFrom(host), Dst: decode.AddrFrom(netip.MustParseAddr(dst))})
			}
			if holds(reached) || !holds(not) || !holds("10.9.2.2") {
				t.Errorf("%v: %v does not reach what it may, or more", want, host)
			}
		}
		for _, e := range q.listed() {
			if e.Reaches() != reached {
				t.Errorf("%v: %v is said to reach %s", want, e.Host, e.Reaches())
			}
		}
	}
}

func TestQuarantineTermsBound(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("rules:\n")
	for i := range 70 {
		fmt.Fprintf(&rules, "  - {name: r%d, action: quarantine, quarantine: {allow: [10.9.0.%d]}}\n", i, i)
	}
	pol, err := policy.Parse([]byte(rules.String()), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newTerms(config.Quarantine{}, pol); err == nil || !strings.Contains(err.Error(), "70 destinations") {
		t.Errorf("%v", err)
	}
}
