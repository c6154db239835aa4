package engine

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/signatures/rule"
)

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDatasets(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "list", "LmV2aWwuY29t\n# note\nd3d3,7\n")
	file(t, dir, "json", `{"d":[{"ioc":{"host":"a.example"},"n":1},{"ioc":{"host":"a.example"},"n":2},{"n":3}]}`)
	file(t, dir, "bad", "not base64!\n")
	at := func(p string) string { return filepath.Join(dir, p) }
	f := func(d rule.Dataset, value string, want bool, context string) {
		t.Helper()
		set, err := NewState().dataset(&d, at)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := set.test(&d, []byte(value), nil)
		if ok != want || m.context != context {
			t.Errorf("%+v on %q: %v %q", d, value, ok, m.context)
		}
	}
	list := rule.Dataset{Name: "s", Type: "string", Op: "isset", Load: "list"}
	f(list, ".evil.com", true, "")
	f(list, ".www.evil.com", false, "")
	list.Subdomain = true
	f(list, ".www.evil.com", true, "")
	f(list, ".notevil.com", false, "")
	list = rule.Dataset{Name: "s", Type: "string", Op: "isset", Load: "list", IsRep: false}
	list.Op = "isnotset"
	f(list, "x", true, "")
	doc := rule.Dataset{Name: "j", Type: "string", Op: "isset", Load: "json", Format: "json", ArrayKey: "d", ValueKey: "ioc.host", ContextKey: "c"}
	f(doc, "a.example", true, `{"ioc":{"host":"a.example"},"n":1}`)
	f(doc, "b.example", false, "")
	doc.RemoveKey = true
	f(doc, "a.example", true, `{"ioc":{},"n":1}`)

	rep := rule.Dataset{Name: "r", Type: "string", Op: "isset", Load: "reps", IsRep: true, RepOp: '>', RepValue: 5}
	file(t, dir, "reps", "d3d3,7\n")
	f(rep, "www", true, "")
	rep.RepValue = 7
	f(rep, "www", false, "")

	for _, d := range []rule.Dataset{{Name: "n", Op: "isset"}, {Name: "n", Type: "string", Op: "isset", Load: "bad"}, {Name: "n", Type: "md5", Op: "isset", Load: "none"}} {
		if _, err := NewState().dataset(&d, at); err == nil {
			t.Errorf("%+v: no error", d)
		}
	}
}

// TestSaveSets holds that a set is found again, and that a rule cannot name a
// place outside of the folder.
func TestSetBounds(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "three", "YQ==\nYg==\nYw==\n")
	at := func(p string) string { return filepath.Join(dir, p) }
	d := func(name, load string, limit uint64) *rule.Dataset {
		return &rule.Dataset{Name: name, Type: "string", Op: "set", Load: load, Limit: limit}
	}
	const one = memberCost + 1
	st := NewState()
	st.SetBounds(SetBounds{Memcap: 2 * one, Total: 4})
	if _, err := st.dataset(d("a", "three", 0), at); !errors.Is(err, errSetMemcap) {
		t.Errorf("three members in room for two: %v", err)
	}
	if n := st.members.Load(); n != 0 {
		t.Errorf("%d members of a set that was not loaded", n)
	}
	if _, err := st.dataset(d("b", "three", 3*one), at); err != nil {
		t.Errorf("the rule's own memcap: %v", err)
	}
	if _, err := st.dataset(d("c", "three", 3*one), at); !errors.Is(err, errSetsMember) {
		t.Errorf("six members of four: %v", err)
	}
	set, err := st.dataset(d("d", "", 0), at)
	if err != nil {
		t.Fatal(err)
	}
	full := uint64(0)
	put := func(op, key string, want bool, wantFull uint64) {
		t.Helper()
		if _, ok := set.test(&rule.Dataset{Op: op}, []byte(key), &full); ok != want || full != wantFull {
			t.Errorf("%s %s: %v, %d times full", op, key, ok, full)
		}
	}
	put("set", "x", true, 0)
	put("set", "y", false, 1) // the fifth member of all
	put("unset", "x", true, 1)
	put("set", "y", true, 1)
	key := []byte("z")
	if n := testing.AllocsPerRun(100, func() { set.test(&rule.Dataset{Op: "set"}, key, &full) }); n > 0 {
		t.Errorf("a full set allocates %v times", n)
	}
	st.SetBounds(SetBounds{Off: true})
	if _, err := st.dataset(d("e", "", 0), at); err == nil {
		t.Error("datasets are off and one is loaded")
	}
}

func TestSaveSets(t *testing.T) {
	dir := t.TempDir()
	d := rule.Dataset{Name: "seen", Type: "string", Op: "set", Load: "../seen.lst", Save: "../seen.lst"}
	st := NewState()
	st.SetDir(filepath.Join(dir, "sets"))
	set, err := st.dataset(&d, func(p string) string { return filepath.Join(dir, "rules", p) })
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.test(&d, []byte("www"), nil); !ok {
		t.Error("a new member is none")
	}
	if err := st.SaveSets(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "sets", "seen.lst"))
	if err != nil || strings.TrimSpace(string(b)) != "d3d3" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestReputation(t *testing.T) {
	dir := t.TempDir()
	r, err := LoadReputation(file(t, dir, "cats", "1,bad,Bad hosts\n2,odd,Odd\n"), []string{file(t, dir, "list", "192.0.2.1,1,90\n192.0.2.0/24,1,10\n")})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Category("bad") || r.Category("good") {
		t.Error("categories")
	}
	m := &Matcher{e: &Engine{opt: Options{Reputation: r}}}
	one, two, far := addr("192.0.2.1"), addr("192.0.2.2"), addr("198.51.100.1")
	f := func(src, dst decode.Addr, test rule.Test, want bool) {
		t.Helper()
		m.src, m.dst = &src, &dst
		if got := m.reputed(&test); got != want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	over := rule.IntTest{Op: '>', A: 50}
	f(one, far, rule.Test{Which: "src", What: "bad", Int: over}, true)
	f(one, far, rule.Test{Which: "dst", What: "bad", Int: over}, false)
	f(one, two, rule.Test{Which: "both", What: "bad", Int: over}, false)
	f(far, one, rule.Test{Which: "any", What: "bad", Int: over}, true)
	f(far, one, rule.Test{Which: "src", What: "bad", Neg: true}, true)
	f(one, far, rule.Test{Which: "any", What: "odd", Int: rule.IntTest{Op: 'G'}}, false)
	if _, err := LoadReputation(filepath.Join(dir, "cats"), []string{file(t, dir, "worse", "192.0.2.1,1,200\n")}); err == nil {
		t.Error("a score of 200 is taken")
	}
}

// places is a Geo for tests.
type places map[netip.Addr]string

func (p places) Country(a netip.Addr) string { return p[a] }

func TestGeoIP(t *testing.T) {
	at, de, none := addr("192.0.2.1"), addr("192.0.2.2"), addr("198.51.100.1")
	m := &Matcher{e: &Engine{opt: Options{Geo: places{at.Netip(): "AT", de.Netip(): "DE"}}}}
	f := func(src, dst decode.Addr, which, what string, neg, want bool) {
		t.Helper()
		m.src, m.dst = &src, &dst
		if got := m.test(&rule.Test{Kind: rule.TestGeoIP, Which: which, What: what, Neg: neg}); got != want {
			t.Errorf("%s %s %v: %v", which, what, neg, got)
		}
	}
	f(at, de, "src", "AT", false, true)
	f(at, de, "dst", "AT", false, false)
	f(at, de, "any", "CHDE", false, true)
	f(at, de, "both", "ATDE", false, true)
	f(at, de, "both", "AT", false, false)
	f(at, none, "any", "TD", false, false)
	f(at, de, "dst", "AT", true, true)
	f(at, de, "src", "CHAT", true, false)
	f(at, none, "dst", "AT", true, false)
}

func addr(s string) decode.Addr { return decode.AddrFrom(netip.MustParseAddr(s)) }
