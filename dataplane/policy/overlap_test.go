package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/classifiers"
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

// TestWarnedRulesNeverDecide holds the warning to what is decided: over random
// pairs of rules and random inputs.
func TestWarnedRulesNeverDecide(t *testing.T) {
	pool := map[string][]string{
		"direction":      {"egress", "ingress", "[egress, internal]"},
		"channel":        {"smtp", `"http-*"`, `"*"`, "http-request", "raw"},
		"source":         {"it", "[it, 10.3.0.0/16]", `[it, "!10.2.0.9"]`, "ann@home.example"},
		"destination":    {`"*.bank.example"`, "bank.example", `["!bank.example"]`, "[bank.example, other.example]"},
		"port":           {"[25]", "[25, 443]"},
		"detectors":      {`"pay.*"`, "pay.card", `["pay.*", "!pay.iban"]`, `["*"]`, "id.us.ssn"},
		"level":          {"internal", "confidential", "restricted"},
		"min_confidence": {"medium", "high"},
		"unique":         {"1", "2", "5"},
		"count":          {"1", "3", "6"},
		"unscannable":    {"any", "encrypted", "[encrypted, damaged]"},
		"gaps":           {"true", "false"},
		"min_size":       {"1KB", "2KB"},
		"max_size":       {"1KB", "2KB"},
		"min_released":   {"10B", "1KB"},
		"hours":          {`"08:00-18:00"`, `"22:00-06:00"`},
		"days":           {"mon", "[mon, tue]"},
		"tags":           {"GDPR", "[GDPR, HIPAA]"},
	}
	keys := slices.Sorted(maps.Keys(pool))
	warned := 0
	rapid.Check(t, func(t *rapid.T) {
		text := "groups: {it: [10.2.0.0/16]}\nrules:\n"
		for _, name := range []string{"a", "b"} {
			var when []string
			for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 3, rapid.ID[string]).Draw(t, "keys") {
				when = append(when, k+": "+rapid.SampledFrom(pool[k]).Draw(t, k))
			}
			action := "action: " + rapid.SampledFrom([]string{"allow", "alert", "block"}).Draw(t, "action")
			if rapid.IntRange(0, 4).Draw(t, "tiers") == 0 {
				action = "tiers: [{unique: 3, action: alert}, {count: 5, action: block}]"
			}
			text += fmt.Sprintf("  - {name: %s, when: {%s}, %s}\n", name, strings.Join(when, ", "), action)
		}
		p, err := Parse([]byte(text), "p.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Warnings(time.Unix(0, noon))) == 0 {
			return
		}
		warned++
		for range 40 {
			in := randomInput(t)
			if d := p.Decide(in); d.Rule == "b" {
				t.Fatalf("%s\nb decides %+v", text, in)
			}
		}
	})
	if warned == 0 {
		t.Error("no pair was warned of")
	}
}

// randomInput draws an input near the conditions of the pool above.
func randomInput(t *rapid.T) Input {
	bit := rapid.Bool()
	in := input()
	in.Final, in.Gaps = bit.Draw(t, "final"), bit.Draw(t, "gaps")
	in.Direction = Direction(rapid.IntRange(0, 3).Draw(t, "direction"))
	in.Channel = rapid.SampledFrom([]string{"smtp", "http-request", "http-response", "raw-tcp"}).Draw(t, "channel")
	in.DstPort = rapid.SampledFrom([]uint16{25, 80, 443}).Draw(t, "port")
	in.Src = in.Src.Next()
	if bit.Draw(t, "it") {
		in.Src = netip.MustParseAddr(rapid.SampledFrom([]string{"10.2.0.9", "10.2.0.1", "10.3.0.1"}).Draw(t, "src"))
	}
	in.Sender = rapid.SampledFrom([]string{"", "ann@home.example"}).Draw(t, "sender")
	names := rapid.SampledFrom([]string{"bank.example", "www.bank.example", "other.example", "x.example"})
	if in.Domain = names.Draw(t, "domain"); bit.Draw(t, "mail") {
		for _, n := range rapid.SliceOfN(names, 1, 3).Draw(t, "to") {
			in.Recipients = append(in.Recipients, "bob@"+n)
		}
	}
	in.Size = rapid.SampledFrom([]uint64{0, 999, 1000, 1500, 2000, 3000}).Draw(t, "size")
	in.Released = rapid.SampledFrom([]uint64{0, 10, 1000}).Draw(t, "released")
	in.Unscannable = rapid.SampledFrom([]string{"", "encrypted", "damaged", "timeout"}).Draw(t, "unscannable")
	in.Time += int64(rapid.IntRange(0, 72).Draw(t, "hours")) * int64(time.Hour)
	for _, id := range []string{"pay.card", "pay.iban", "id.us.ssn"} {
		n := rapid.Uint32Max(6).Draw(t, id)
		if n == 0 {
			continue
		}
		c := count(id, classifiers.Level(rapid.IntRange(1, 3).Draw(t, "level")), classifiers.Confidence(rapid.IntRange(0, 2).Draw(t, "confidence")), n,
			rapid.SampledFrom([]string{"GDPR", "HIPAA", "SOC 2"}).Draw(t, "tag"))
		times := rapid.Uint32Range(1, 3).Draw(t, "times") // the same value again
		for i := range c.Total {
			c.Total[i] *= times
		}
		in.Counts = append(in.Counts, c)
	}
	return in
}
