package policy

import (
	"strings"
	"testing"
	"time"

	"sluice/deploy/policies"
)

func TestShippedPoliciesHaveNoWarnings(t *testing.T) {
	for _, n := range []string{"default", "gdpr", "hipaa", "pci-dss", "trade-secrets"} {
		data, err := policies.FS.ReadFile(n + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range parse(t, string(data)).Warnings(time.Unix(0, noon)) {
			t.Errorf("%s: %v", n, w)
		}
	}
}

func TestWarnings(t *testing.T) {
	f := func(rules, want string) {
		t.Helper()
		p := parse(t, "groups: {it: [10.2.0.0/16]}\nrules:\n"+rules)
		var got []string
		for _, w := range p.Warnings(time.Unix(0, noon)) {
			got = append(got, w.Error())
		}
		if all := strings.Join(got, "\n"); want == "" && all != "" || !strings.Contains(all, want) {
			t.Errorf("%s\ngives %q, want %q", rules, all, want)
		}
	}
	const never = `p.yaml:4:12: the rule "b" can never decide: "a" before it matches whenever it would`
	pair := func(a, b string) string {
		return "  - {name: a, action: alert, when: {" + a + "}}\n  - {name: b, action: block, when: {" + b + "}}\n"
	}
	f(pair(``, `level: restricted`), never)
	f(pair(`direction: [egress, internal]`, `direction: egress`), never)
	f(pair(`channel: "http-*"`, `channel: http-request, port: [80]`), never)
	f(pair(`channel: "http-*"`, `channel: "*"`), "")
	f(pair(`source: [it, 10.3.0.1]`, `source: it`), never)
	f(pair(`source: it`, `source: [it, 10.3.0.1]`), "")
	f(pair(`source: [it, "!10.2.0.9"]`, `source: it`), "")
	f(pair(`source: it`, `source: [it, "!10.2.0.9"]`), never)
	f(pair(`destination: "*.example"`, `direction: egress`), "")
	f(pair(`detectors: "pay.*"`, `detectors: pay.card, unique: 10`), never)
	f(pair(`detectors: "pay.*", unique: 11`, `detectors: pay.card, unique: 10`), "")
	f(pair(`detectors: "pay.*", unique: 5`, `detectors: pay.card, count: 10`), "")
	f(pair(`detectors: "pay.*", count: 5`, `detectors: pay.card, unique: 10`), never)
	f(pair(`detectors: ["pay.*", "!pay.bic"]`, `detectors: pay.card`), never)
	f(pair(`detectors: ["pay.*", "!pay.card"]`, `detectors: pay.card`), "")
	f(pair(`detectors: "pay.*"`, `level: confidential`), "")
	f(pair(`level: confidential`, `level: restricted, min_confidence: high`), never)
	f(pair(`level: confidential, min_confidence: high`, `level: restricted`), "")
	f(pair(`tags: [gdpr, HIPAA]`, `tags: GDPR`), never)
	f(pair(`unscannable: any`, `unscannable: encrypted`), never)
	f(pair(`max_size: 1MB`, `max_size: 2MB`), "")
	f(pair(`min_size: 1MB`, `min_size: 2MB`), never)
	f(pair(`file_names: "*.PDF"`, `file_names: a.pdf`), never)
	f(pair(`hours: "08:00-18:00"`, `hours: "08:00-18:00", days: mon`), never)
	f(pair(`hours: "08:00-18:00"`, `days: mon`), "")
	f(pair(`gaps: true`, `gaps: false`), "")
	f("  - {name: a, shadow: true, action: alert}\n  - {name: b, action: block}\n", "")
	f("  - {name: a, action: allow, when: {destination: it}}\n  - {name: b, action: block, when: {destination: it}}\n", "")
	f("  - {name: a, tiers: [{unique: 5, action: alert}]}\n  - {name: b, when: {unique: 4}, action: block}\n", "")
	f("  - {name: a, tiers: [{unique: 5, action: alert}]}\n  - {name: b, when: {unique: 5}, action: block}\n", never)

	p := parse(t, "exceptions:\n  - name: old\n    owner: bob@example.com\n    expires: 2026-11-22\n  - name: fresh\n    owner: bob@example.com\n    expires: 2026-11-23\nrules: [{name: a, action: alert}]\n")
	w := p.Warnings(time.Unix(0, noon))
	if len(w) != 1 || w[0].Line != 2 || !strings.Contains(w[0].Msg, `"old" (owner bob@example.com) expired on 2026-11-22`) {
		t.Errorf("%v", w)
	}
}
