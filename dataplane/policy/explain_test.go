package policy

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/classifiers"
)

const everyCondition = `
exceptions:
  - name: bank
    owner: cfo@example.com
    expires: 2026-11-01
rules:
  - {name: direction, when: {direction: [ingress, internal]}, action: block}
  - {name: channel, when: {channel: smtp}, action: block}
  - {name: source, when: {source: "10.9.0.0/16"}, action: block}
  - {name: destination, when: {destination: "*.bank.example"}, action: block}
  - {name: port, when: {port: [25]}, action: block}
  - {name: hours, when: {hours: "22:00-06:00", days: mon}, action: block}
  - {name: file_names, when: {file_names: "*.step"}, action: block}
  - {name: max_size, when: {max_size: 10B}, action: block}
  - {name: file_types, when: {file_types: "image/*"}, action: block}
  - {name: min_size, when: {min_size: 1MB}, action: block}
  - {name: gaps, when: {gaps: true}, action: block}
  - {name: min_released, when: {min_released: 64KB}, action: block}
  - {name: unscannable, when: {unscannable: any}, action: block}
  - {name: detectors, when: {detectors: "id.*"}, action: block}
  - {name: tags, when: {tags: HIPAA, detectors: "pay.*"}, action: block}
  - {name: level, when: {level: restricted, detectors: "pay.*"}, action: block}
  - {name: min_confidence, when: {min_confidence: high, detectors: "pay.*"}, action: block}
  - {name: unique, when: {unique: 5, detectors: "pay.*"}, action: block}
  - {name: count, when: {count: 7, detectors: "pay.*"}, action: block}
  - {name: tiers, when: {detectors: "pay.*"}, tiers: [{unique: 20, action: alert}, {count: 30, action: reset}]}
  - {name: silent, shadow: true, when: {level: confidential}, action: quarantine}
  - {name: decides, when: {direction: egress, detectors: [pay.card]}, action: alert}
  - {name: late, action: block}
`

// TestExplain holds that each condition is told by name, with what was wanted
// and what there was.
func TestExplain(t *testing.T) {
	p := parse(t, everyCondition)
	in := input(count("pay.card", classifiers.Confidential, classifiers.Medium, 3, "PCI DSS"), count("pay.iban", classifiers.Confidential, classifiers.Medium, 1, "PCI DSS"))
	in.Released = 1000
	d, steps := p.Explain(in)
	if d.Rule != "decides" || p.Decide(in).Rule != d.Rule {
		t.Fatalf("%q decided", d.Rule)
	}
	at := map[string]Step{}
	for _, s := range steps {
		at[s.Rule] = s
	}
	if len(steps) != 24 || len(at) != 24 {
		t.Fatalf("%d steps", len(steps))
	}
	f := func(rule, failed, wanted, actual string) {
		t.Helper()
		s := at[rule]
		if s.Failed.String() != failed || s.Wanted != wanted || s.Actual != actual || s.Matched || s.Decided {
			t.Errorf("%+v\nwant %s: wanted %q, is %q", s, failed, wanted, actual)
		}
	}
	f("bank", "expires", "until 2026-11-01", "2026-11-23")
	f("direction", "direction", "ingress | internal", "egress")
	f("channel", "channel", "smtp", "http-request")
	f("source", "source", "10.9.0.0/16", "10.1.2.3")
	f("destination", "destination", "*.bank.example", "198.51.100.7, www.example.com")
	f("port", "port", "25", "443")
	f("hours", "hours", "22:00-06:00 mon UTC", "Mon 12:00")
	f("file_names", "file_names", "*.step", "list.csv")
	f("max_size", "max_size", "at most 10B", "1000 bytes")
	f("file_types", "file_types", "image/*", "text/plain")
	f("min_size", "min_size", "at least 1MB", "1000 bytes")
	f("gaps", "gaps", "with gaps", "without gaps")
	f("min_released", "min_released", "at least 64KB released", "1000 bytes released")
	f("unscannable", "unscannable", "any", "readable")
	f("detectors", "detectors", "id.*", "pay.card, pay.iban")
	f("tags", "tags", "HIPAA", "pay.card (PCI DSS), pay.iban (PCI DSS)")
	f("level", "level", "restricted or above", "pay.card confidential, pay.iban confidential")
	f("min_confidence", "min_confidence", "at least high", "pay.card medium, pay.iban medium")
	f("unique", "unique", "at least 5 different values", "4 (pay.card 3, pay.iban 1)")
	f("count", "count", "at least 7 values", "4 (pay.card 3, pay.iban 1)")
	f("tiers", "tiers", "20 different to alert or 30 in all to reset", "4 different, 4 in all")
	if s := at["silent"]; !s.Matched || s.Decided || !s.Shadow || s.Action != "quarantine" {
		t.Errorf("%+v", s)
	}
	if s := at["decides"]; !s.Decided || len(s.Held) != 3 || s.Held[0] != (Held{CondDirection, "egress", "egress"}) {
		t.Errorf("%+v", s)
	}
	if s := at["late"]; !s.Matched || s.Decided || s.Why != "all conditions hold, but a rule before it decided" {
		t.Errorf("%+v", s)
	}
	in.Counts = nil
	_, steps = Default().Explain(in)
	if s := steps[5]; s.Rule != "block-restricted" || s.Why != "level: wanted restricted or above, is nothing found" {
		t.Errorf("%+v", s)
	}
	in.Final = false
	if _, steps = p.Explain(in); steps[10].Why != "min_size: wanted at least 1MB, is 1000 bytes so far" {
		t.Errorf("%+v", steps[10])
	}
}

// TestExplainDecidesAlike holds that an explanation tells what was decided, for
// whatever input.
func TestExplainDecidesAlike(t *testing.T) {
	policies := []*Policy{Default(), parse(t, everyCondition), parse(t, full2)}
	rapid.Check(t, func(t *rapid.T) {
		in := input()
		in.Final, in.Gaps = rapid.Bool().Draw(t, "final"), rapid.Bool().Draw(t, "gaps")
		in.Direction = Direction(rapid.IntRange(0, 3).Draw(t, "direction"))
		in.Size, in.Released = rapid.Uint64Max(4e6).Draw(t, "size"), rapid.Uint64Max(100000).Draw(t, "released")
		in.Channel = rapid.SampledFrom([]string{"smtp", "http-request", "raw-tcp"}).Draw(t, "channel")
		in.Unscannable = rapid.SampledFrom([]string{"", "encrypted", "damaged"}).Draw(t, "unscannable")
		in.Time += int64(rapid.IntRange(-1000, 1000).Draw(t, "hours")) * int64(time.Hour)
		if rapid.Bool().Draw(t, "mail") {
			in.Recipients = rapid.SliceOfN(rapid.SampledFrom([]string{"a@bank.example", "b@x.bank.example", "c@other.example"}), 1, 3).Draw(t, "to")
		}
		for _, id := range []string{"pay.card", "id.us.ssn", "mark.secret"} {
			if n := rapid.Uint32Max(40).Draw(t, id); n > 0 {
				in.Counts = append(in.Counts, count(id, classifiers.Level(rapid.IntRange(0, 3).Draw(t, "level")), classifiers.Confidence(rapid.IntRange(0, 2).Draw(t, "confidence")), n))
			}
		}
		p := rapid.SampledFrom(policies).Draw(t, "policy")
		want := p.Decide(in)
		got, steps := p.Explain(in)
		if got.Rule != want.Rule || got.Action != want.Action || len(got.Shadow) != len(want.Shadow) {
			t.Fatalf("explained %+v, decided %+v", got, want)
		}
		decided := ""
		for _, s := range steps {
			if s.Decided {
				decided += s.Rule
			} else if !s.Matched && (s.Failed == CondNone || s.Wanted == "" || s.Actual == "") {
				t.Fatalf("no reason: %+v", s)
			}
		}
		if decided != want.Rule {
			t.Fatalf("step says %q, decided %q", decided, want.Rule)
		}
	})
}

const full2 = `
zones: {inside: [10.0.0.0/8]}
groups: {finance: [10.1.0.0/16, "cfo@example.com", "user:carol"]}
destinations: {bank: ["*.bank.example", bank.example, "country:CH", "asn:64500"]}
exceptions:
  - {name: to-bank, owner: cfo@example.com, expires: 2027-12-31, when: {source: finance, destination: bank, max_size: 1MB}}
rules:
  - {name: cards, when: {detectors: "pay.*"}, action: block}
  - {name: gaps, when: {gaps: true, min_released: 4KB}, action: quarantine}
  - {name: whole, when: {gaps: false, destination: "!bank", unscannable: any}, action: alert}
`

// TestMailAndUsers holds that an allowed recipient does not take others along.
func TestMailAndUsers(t *testing.T) {
	p := parse(t, full2)
	f := func(want string, change func(*Input)) {
		t.Helper()
		in := input(count("pay.card", classifiers.Confidential, classifiers.Medium, 1))
		in.Channel, in.Domain = "smtp", ""
		change(&in)
		if d, steps := p.Explain(in); d.Rule != want {
			t.Errorf("%q decided, want %q: %+v", d.Rule, want, steps)
		}
	}
	other := netip.MustParseAddr("192.0.2.1")
	f("to-bank", func(in *Input) { in.Recipients = []string{"a@bank.example", "b@mail.BANK.example"} })
	f("cards", func(in *Input) { in.Recipients = []string{"a@bank.example", "b@elsewhere.example"} })
	f("cards", func(in *Input) { in.Src, in.Recipients = other, []string{"a@bank.example"} })
	f("to-bank", func(in *Input) {
		in.Src, in.Sender, in.Recipients = other, "CFO@example.com", []string{"a@bank.example"}
	})
	f("to-bank", func(in *Input) { in.Src, in.User, in.Domain = other, "carol", "bank.example" })
	f("cards", func(in *Input) { in.Src, in.User, in.Domain = other, "mallory", "bank.example" })
	unseen := func(in *Input) {
		in.Counts, in.Unscannable, in.Recipients = nil, "encrypted", []string{"a@bank.example", "b@elsewhere.example"}
	}
	f("whole", unseen)
	f("gaps", func(in *Input) { unseen(in); in.Gaps, in.Released = true, 5000 })
	f("", func(in *Input) { unseen(in); in.Gaps = true })
	f("", func(in *Input) { unseen(in); in.Src, in.Recipients = other, in.Recipients[:1] })
}

func TestMay(t *testing.T) {
	p := parse(t, full2)
	f := func(h *hostSet, addr, name, user string, want bool) {
		t.Helper()
		if got := h.may(party{netip.MustParseAddr(addr), name, user}, nil); got != want {
			t.Errorf("%s %q %q: %v", addr, name, user, got)
		}
	}
	from, to := p.rules[0].source, p.rules[0].dest
	f(from, "10.1.2.3", "", "", true)
	f(from, "192.0.2.1", "", "", true)
	f(from, "192.0.2.1", "bob@example.com", "dave", false)
	f(to, "192.0.2.1", "", "", true)
	f(to, "192.0.2.1", "x.example", "", false)
}

// places is a Geo for tests.
type places map[string]struct {
	country string
	asn     uint32
}

func (p places) Country(a netip.Addr) string { return p[a.String()].country }
func (p places) ASN(a netip.Addr) uint32     { return p[a.String()].asn }

func TestGeo(t *testing.T) {
	p := parse(t, `
destinations: {abroad: ["!country:at", "!asn:64500"]}
rules: [{name: abroad, when: {destination: abroad}, action: block}, {name: home, action: alert}]
`)
	if p.WantsGeo() != "abroad" || Default().WantsGeo() != "" {
		t.Errorf("wants %q", p.WantsGeo())
	}
	p = p.WithGeo(places{"192.0.2.1": {"AT", 1}, "192.0.2.2": {"DE", 64500}, "192.0.2.3": {"DE", 2}})
	for a, want := range map[string]string{"192.0.2.1": "home", "192.0.2.2": "home", "192.0.2.3": "abroad", "192.0.2.4": "abroad", "::ffff:192.0.2.1": "home"} {
		in := input()
		in.Dst = netip.MustParseAddr(a)
		if d := p.Decide(in); d.Rule != want {
			t.Errorf("%s: %q", a, d.Rule)
		}
	}
	for _, bad := range []string{"country:Austria", "asn:many", "asn:0"} {
		if _, err := Parse([]byte(`rules: [{name: a, when: {destination: "`+bad+`"}, action: block}]`), "p"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
