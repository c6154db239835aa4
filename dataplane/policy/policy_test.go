package policy

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/classifiers"
	"sluice/dataplane/verdict"
	"sluice/deploy/policies"
)

func count(id string, level classifiers.Level, conf classifiers.Confidence, n uint32, tags ...string) classifiers.Count {
	c := classifiers.Count{Detector: id, Level: level, Confidence: conf, Tags: tags}
	for i := classifiers.Confidence(0); i <= conf; i++ {
		c.Total[i], c.Unique[i] = n, n
	}
	return c
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixNano() // a Monday

func input(counts ...classifiers.Count) Input {
	return Input{Direction: Egress, Channel: "http-request", Src: netip.MustParseAddr("10.1.2.3"), Dst: netip.MustParseAddr("198.51.100.7"), DstPort: 443, Domain: "www.example.com",
		Name: "list.csv", Type: "text/plain", Size: 1000, Counts: counts, Time: noon, Final: true}
}

func TestShippedPoliciesCompile(t *testing.T) {
	names, _ := fs.Glob(policies.FS, "*.yaml")
	if len(names) != 5 {
		t.Fatalf("policies: %v", names)
	}
	for _, n := range names {
		data, _ := policies.FS.ReadFile(n)
		p, err := Parse(data, n)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if d := p.Decide(input()); d.Action != verdict.None {
			t.Errorf("%s does %v with nothing found", n, d)
		}
	}
}

func TestDefault(t *testing.T) {
	p := Default()
	conf, rest := classifiers.Confidential, classifiers.Restricted
	f := func(want verdict.Action, rule string, in Input) {
		t.Helper()
		if d := p.Decide(in); d.Action != want || d.Rule != rule {
			_, steps := p.Explain(in)
			t.Errorf("%v %q, want %v %q; %+v", d.Action, d.Rule, want, rule, steps)
		}
	}
	f(verdict.None, "", input())
	f(verdict.Alert, "alert-confidential", input(count("pay.card", conf, classifiers.Medium, 1)))
	f(verdict.Block, "block-cards", input(count("pay.card", rest, classifiers.Medium, 5)))
	f(verdict.Block, "block-restricted", input(count("pay.card", rest, classifiers.High, 1)))
	f(verdict.None, "", input(count("pay.card", conf, classifiers.Low, 9)))
	f(verdict.Block, "block-ibans", input(count("pay.iban", conf, classifiers.High, 10)))
	f(verdict.Block, "block-ssns", input(count("id.us.ssn", conf, classifiers.Medium, 5)))
	f(verdict.Block, "block-secret-keys", input(count("sec.private-key", rest, classifiers.High, 1)))
	f(verdict.Block, "block-marked", input(count("mark.confidential", conf, classifiers.High, 1)))
	f(verdict.None, "", input(count("mark.internal", classifiers.Internal, classifiers.High, 1)))
	in := input(count("pay.card", rest, classifiers.High, 100))
	in.Direction = Ingress
	f(verdict.None, "", in)
	in = input()
	in.Unscannable = "encrypted"
	f(verdict.Alert, "alert-unscannable", in)
}

func parse(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := Parse([]byte(text), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const full = `
zones:
  inside: [10.0.0.0/8]
  dmz: 10.9.0.0/16
groups:
  finance: [10.1.0.0/16, "!10.1.9.9"]
destinations:
  bank: ["*.bank.example", bank.example, 203.0.113.0/24]
exceptions:
  - name: to-bank
    owner: cfo@example.com
    expires: 2026-12-31
    when: {source: finance, destination: bank}
rules:
  - name: try
    shadow: true
    when: {detectors: "id.*"}
    action: quarantine
  - name: small-hours
    when: {hours: "22:00-06:00", days: [mon], level: internal}
    action: quarantine
  - name: pay
    when: {detectors: ["pay.*", "!pay.bic"], channel: "http-*"}
    tiers:
      - {unique: 2, action: alert}
      - {unique: 4, action: reset}
  - name: big-pdf
    when: {file_types: [application/pdf], min_size: 2MB, file_names: ["*.PDF"]}
    action: block
  - name: hipaa
    when: {tags: [hipaa], min_confidence: high, count: 3}
    action: block
    keep_evidence: true
    reason: because
`

func TestConditions(t *testing.T) {
	p := parse(t, strings.Replace(full, "dmz: 10.9.0.0/16", "dmz: [10.9.0.0/16]", 1))
	c := classifiers.Confidential
	f := func(name string, want verdict.Action, rule string, change func(*Input), counts ...classifiers.Count) {
		t.Helper()
		in := input(counts...)
		if change != nil {
			change(&in)
		}
		if d := p.Decide(in); d.Action != want || d.Rule != rule {
			t.Errorf("%s: %v %q, want %v %q", name, d.Action, d.Rule, want, rule)
		}
	}
	card := func(n uint32) classifiers.Count { return count("pay.card", c, classifiers.Medium, n) }
	f("below the tiers", verdict.None, "", nil, card(1))
	f("first tier", verdict.Alert, "pay", nil, card(2))
	f("second tier", verdict.Reject, "pay", nil, card(4))
	f("sum over detectors", verdict.Reject, "pay", nil, card(2), count("pay.iban", c, classifiers.Medium, 2))
	f("excluded detector", verdict.None, "", nil, count("pay.bic", c, classifiers.Medium, 9))
	f("another channel", verdict.None, "", func(in *Input) { in.Channel = "smtp" }, card(9))
	f("the exception", verdict.None, "to-bank", func(in *Input) { in.Domain = "www.BANK.example" }, card(9))
	f("the exception by address", verdict.None, "to-bank", func(in *Input) { in.Dst = netip.MustParseAddr("203.0.113.9") }, card(9))
	f("its excluded sender", verdict.Reject, "pay", func(in *Input) { in.Domain, in.Src = "bank.example", netip.MustParseAddr("10.1.9.9") }, card(9))
	f("after its expiry", verdict.Reject, "pay", func(in *Input) {
		in.Domain, in.Time = "bank.example", time.Date(2027, 1, 1, 0, 0, 1, 0, time.UTC).UnixNano()
	}, card(9))
	f("at night", verdict.Quarantine, "small-hours", func(in *Input) { in.Time += int64(11 * time.Hour) }, card(1))
	f("a big pdf", verdict.Block, "big-pdf", func(in *Input) { in.Type, in.Name, in.Size = "application/pdf", "a.pdf", 3e6 })
	f("a small pdf", verdict.None, "", func(in *Input) { in.Type, in.Name = "application/pdf", "a.pdf" })
	f("tags", verdict.Block, "hipaa", nil, count("health.x", c, classifiers.High, 3, "HIPAA"))
	f("tags, unsure", verdict.None, "", nil, count("health.x", c, classifiers.Medium, 3, "HIPAA"))

	d := p.Decide(input(count("id.us.ssn", c, classifiers.High, 1), card(4)))
	if len(d.Shadow) != 1 || d.Shadow[0].Rule != "try" || d.Shadow[0].Action != verdict.Quarantine || d.Rule != "pay" {
		t.Errorf("shadow: %+v", d)
	}
	if v := d.Verdict(); v.Action != verdict.Reject || v.Cause != verdict.CausePolicy || v.Rule != "pay" {
		t.Errorf("verdict: %+v", v)
	}
}

func TestDecidesEarlyOnlyWhenNothingCanStillAllow(t *testing.T) {
	p := parse(t, `
rules:
  - {name: small, when: {max_size: 1KB, detectors: "pay.*"}, action: allow}
  - {name: block, when: {detectors: "pay.*"}, action: block}
`)
	in := input(count("pay.card", classifiers.Confidential, classifiers.High, 9))
	in.Final, in.Size = false, 100
	if d := p.Decide(in); d.Action != verdict.None {
		t.Errorf("decided too early: %+v", d)
	}
	in.Size = 2000
	if d := p.Decide(in); d.Action != verdict.Block {
		t.Errorf("too large to be allowed, yet %+v", d)
	}
	in.Final, in.Size = true, 100
	if d := p.Decide(in); d.Rule != "small" {
		t.Errorf("final: %+v", d)
	}
}

func TestDirection(t *testing.T) {
	in, out, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("192.168.1.1")
	p := Default()
	for _, c := range []struct {
		p        *Policy
		src, dst netip.Addr
		want     Direction
	}{
		{p, in, out, Egress}, {p, out, in, Ingress}, {p, in, other, InternalOnly}, {p, out, out, External},
		{p.WithHome([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}), in, other, Egress},
		{p, netip.MustParseAddr("::ffff:10.0.0.1"), out, Egress},
		{p, netip.MustParseAddr("fd00::1"), netip.MustParseAddr("2001:db8::1"), Egress},
	} {
		if got := c.p.Direction(c.src, c.dst); got != c.want {
			t.Errorf("%v → %v: %v, want %v", c.src, c.dst, got, c.want)
		}
	}
}

func TestErrorsSayWhereAndWhatToDo(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"rules:\n  - name: a\n    acton: block\n", `p.yaml:3:5: unknown key "acton" (did you mean "action"?)`},
		{"rulez: []\nrules: [{name: a, acton: x, action: block, when: {unique: many, port: [80, 70000]}}]\n", "p.yaml:1:1: unknown key \"rulez\" (did you mean \"rules\"?)\np.yaml:2:19: unknown key \"acton\" (did you mean \"action\"?)\np.yaml:2:59: unique: expected a whole number, found \"many\"\np.yaml:2:76: port: expected a port from 1 to 65535, found \"70000\""},
		{"rules: block\n", `p.yaml:1:8: rules: expected a list, found "block"`},
		{"rules:\n  - name: a\n    action: block\n    shadow: maybe\n", `p.yaml:4:13: shadow: expected true or false, found "maybe"`},
		{"rules:\n  - name: [a]\n    action: block\n", `p.yaml:2:11: name: expected text, found a list`},
		{"rules:\n  - name: a\n    action: blok\n", `unknown action "blok" (did you mean "block"?)`},
		{"rules:\n  - name: a\n", `a rule has no action`},
		{"rules:\n  - name: a\n    action: block\n    when: {level: confidental}\n", `(did you mean "confidential"?)`},
		{"rules:\n  - name: a\n    action: block\n    when: {tags: [GPDR]}\n", `no detector carries the tag "GPDR" (did you mean "GDPR"?)`},
		{"zones: {plant: [10.0.0.0/8]}\nrules:\n  - name: a\n    action: block\n    when: {source: plnat}\n", `p.yaml:5:20: "plnat" names nothing (did you mean "plant"?)`},
		{"rules:\n  - name: a\n   action: block\n", `p.yaml:3:4: `},
		{"rules:\n\t- name: a\n", `(indent with spaces)`},
		{"rules:\n  - name: a\n    action: explode\n", `p.yaml:3:13: unknown action "explode" (use allow`},
		{"rules:\n  - name: a\n    action: block\n    when:\n      detectors: [pay.crad]\n", `p.yaml:5:19: no detector is named "pay.crad"`},
		{"rules:\n  - name: a\n    action: block\n    quarantine: {ttl: 1h}\n", `p.yaml:4:17: the rule "a" says how to hold a host, but puts none in quarantine (set action: quarantine`},
		{"rules:\n  - name: a\n    action: quarantine\n    quarantine: {ttl: soon}\n", `p.yaml:4:23: "soon" is no time to live (write it as 1h`},
		{"rules:\n  - name: a\n    action: quarantine\n    quarantine:\n      allow: [10.9.0.1, 10.9.0.0/24 tcp/0]\n", `p.yaml:5:25: "0" is no port`},
		{"rules:\n  - name: a\n    action: quarantine\n    quarantine: {allow: 0.0.0.0/0}\n", `would allow everything`},
		{"rules:\n  - name: a\n    action: block\n    when: {source: nobody}\n", `"nobody" names nothing`},
		{"rules:\n  - name: a\n    action: block\n    when: {level: secret}\n", `unknown level "secret"`},
		{"rules:\n  - name: a\n    action: block\n  - name: a\n    action: block\n", `p.yaml:4:11: there are two rules named "a"`},
		{"exceptions:\n  - name: x\nrules:\n  - {name: a, action: alert}\n", `has no owner (add owner`},
		{"groups:\n  a: [b]\n  b: [a]\nrules:\n  - {name: r, action: alert}\n", `nested too deep`},
		{"rules:\n  - name: a\n    action: block\n    when: {channel: [smtp, htp]}\n", `p.yaml:4:28: no channel is named "htp" (did you mean "http"?)`},
		{"rules: []\n", `the policy has no rules`},
		{"rules:\n  - name: a\n    action: block\n    when: {min_size: huge}\n", `"huge" is no size`},
		{"rules: [\n", `p.yaml:`},
	} {
		_, err := Parse([]byte(c.text), "p.yaml")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := Load("does-not-exist.yaml"); err == nil {
		t.Error("a missing file loads")
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	p := Default()
	nothing, card := input(), input(count("pay.card", classifiers.Restricted, classifiers.Medium, 5))
	if n := testing.AllocsPerRun(100, func() { p.Decide(nothing); p.Decide(card) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(full))
	f.Add(policies.Default)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data, "f.yaml")
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		in := input(count("pay.card", classifiers.Restricted, classifiers.High, 9))
		d := p.Decide(in)
		_, steps := p.Explain(in)
		for _, s := range steps {
			if s.Decided && s.Rule != d.Rule {
				t.Errorf("explained %q, decided %q", s.Rule, d.Rule)
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	p := Default()
	in := input(count("pay.card", classifiers.Restricted, classifiers.Medium, 5), count("pii.email", classifiers.Internal, classifiers.Medium, 50))
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(in)
	}
}
