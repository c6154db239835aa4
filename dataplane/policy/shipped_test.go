package policy

import (
	"testing"

	"sluice/classifiers"
	"sluice/dataplane/verdict"
	"sluice/deploy/policies"
)

// TestShippedPolicies holds each shipped policy to what it is for, and to what
// it must leave alone.
func TestShippedPolicies(t *testing.T) {
	const internal, conf, rest = classifiers.Internal, classifiers.Confidential, classifiers.Restricted
	const low, medium, high = classifiers.Low, classifiers.Medium, classifiers.High
	type change = func(*Input)
	type found = classifiers.Count
	type expected struct {
		rule   string
		action verdict.Action
	}
	inbound := func(in *Input) { in.Direction = Ingress }
	inside := func(in *Input) { in.Direction = InternalOnly }
	unscannable := func(why string) change { return func(in *Input) { in.Unscannable = why } }
	typed := func(typ string) change { return func(in *Input) { in.Type = typ } }
	reached := map[string]map[string]bool{}
	f := func(name, rule string, action verdict.Action, ch change, counts ...found) {
		t.Helper()
		data, err := policies.FS.ReadFile(name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		p := parse(t, string(data))
		if reached[name] == nil {
			reached[name] = map[string]bool{}
			for _, r := range p.RuleNames() {
				reached[name][r] = false
			}
		}
		in := input(counts...)
		if ch != nil {
			ch(&in)
		}
		d, steps := p.Explain(in)
		if got := (expected{d.Rule, d.Action}); got != (expected{rule, action}) {
			t.Errorf("%s: %q %v, want %q %v: %+v", name, d.Rule, d.Action, rule, action, steps)
		}
		reached[name][d.Rule] = true
	}
	pass := func(name string, ch change, counts ...found) {
		t.Helper()
		f(name, "", verdict.None, ch, counts...)
	}

	// Everyday data: no policy says a word.
	for _, n := range []string{"default", "gdpr", "hipaa", "pci-dss", "trade-secrets"} {
		pass(n, nil)
		pass(n, nil, count("pii.email", internal, high, 3, "GDPR"), count("pii.phone", internal, medium, 2, "GDPR"))
		pass(n, nil, count("pay.card", conf, low, 50, "PCI DSS"), count("id.us.ssn", conf, low, 50, "GDPR", "HIPAA"))
		pass(n, inbound, count("pay.card", rest, high, 50, "PCI DSS"), count("mark.restricted", rest, high, 1))
		pass(n, inside, count("health.us.mbi", rest, high, 50, "HIPAA"), count("sec.private-key", rest, high, 1))
		pass(n, func(in *Input) { inbound(in); in.Unscannable, in.Type = "encrypted", "model/step" })
	}

	f("default", "block-secret-keys", verdict.Block, nil, count("sec.aws-access-token", conf, high, 1))
	f("default", "block-cards", verdict.Block, nil, count("pay.card", conf, medium, 5))
	f("default", "alert-confidential", verdict.Alert, nil, count("pay.card", conf, medium, 4))
	f("default", "block-ibans", verdict.Block, nil, count("pay.iban", conf, medium, 10))
	f("default", "block-ssns", verdict.Block, nil, count("id.us.ssn", conf, medium, 5))
	f("default", "block-marked", verdict.Block, nil, count("label.mip", conf, high, 1))
	f("default", "alert-confidential", verdict.Alert, nil, count("mark.confidential", conf, medium, 1))
	f("default", "block-restricted", verdict.Block, nil, count("health.mrn", rest, high, 1))
	f("default", "alert-unscannable", verdict.Alert, unscannable("encrypted (q3.zip)"))
	f("default", "alert-unscannable", verdict.Alert, unscannable("ratio"))
	pass("default", unscannable("damaged"))

	f("pci-dss", "block-track-data", verdict.Block, nil, count("pay.track", rest, medium, 1))
	f("pci-dss", "block-sure-cards", verdict.Block, nil, count("pay.card", rest, high, 1))
	f("pci-dss", "block-many-cards", verdict.Block, nil, count("pay.card", conf, medium, 3))
	f("pci-dss", "alert-card", verdict.Alert, nil, count("pay.card", conf, medium, 2))
	f("pci-dss", "block-credentials", verdict.Block, nil, count("sec.stripe-access-token", rest, high, 1))
	pass("pci-dss", nil, count("sec.generic-api-key", conf, medium, 3))
	pass("pci-dss", nil, count("id.us.ssn", conf, high, 30))

	f("gdpr", "block-health", verdict.Block, nil, count("health.uk.nhs", conf, medium, 3))
	f("gdpr", "block-identifiers", verdict.Block, nil, count("id.de.steuerid", conf, medium, 6), count("id.fr.nir", conf, medium, 4))
	f("gdpr", "alert-personal", verdict.Alert, nil, count("id.de.steuerid", conf, medium, 9, "GDPR"))
	f("gdpr", "block-accounts", verdict.Block, nil, count("pay.iban", conf, medium, 10))
	f("gdpr", "block-contacts", verdict.Block, nil, count("pii.email", internal, medium, 1000))
	f("gdpr", "alert-contacts", verdict.Alert, nil, count("pii.email", internal, medium, 50))
	pass("gdpr", nil, count("pii.email", internal, medium, 49))

	f("hipaa", "block-phi-sure", verdict.Block, nil, count("health.us.mbi", conf, high, 1))
	f("hipaa", "block-phi", verdict.Block, nil, count("health.mrn", conf, medium, 3))
	f("hipaa", "block-ssns", verdict.Block, nil, count("id.us.ssn", conf, medium, 2))
	f("hipaa", "alert-hipaa", verdict.Alert, nil, count("id.us.ssn", conf, medium, 1, "HIPAA"))
	pass("hipaa", nil, count("pay.card", rest, high, 9, "PCI DSS"))

	f("trade-secrets", "block-marked", verdict.Block, nil, count("mark.nda", conf, medium, 1))
	f("trade-secrets", "block-engineering", verdict.Block, nil, count("ip.step", conf, high, 1))
	f("trade-secrets", "block-drawings-by-type", verdict.Block, typed("model/x-solidworks"))
	f("trade-secrets", "block-drawings-by-type", verdict.Block, typed("image/vnd.dxf; format=ascii"))
	f("trade-secrets", "block-secrets", verdict.Block, nil, count("sec.private-key", rest, high, 1))
	f("trade-secrets", "alert-internal", verdict.Alert, nil, count("mark.internal", internal, medium, 1))
	pass("trade-secrets", typed("image/png"))
	pass("trade-secrets", nil, count("pay.card", rest, high, 9))

	for _, n := range []string{"gdpr", "hipaa", "pci-dss", "trade-secrets"} {
		f(n, "block-unscannable", verdict.Block, unscannable("encrypted"))
		f(n, "alert-unscannable", verdict.Alert, unscannable("damaged"))
	}
	for name, rules := range reached {
		for rule, ok := range rules {
			if !ok {
				t.Errorf("%s: no case reaches %s", name, rule)
			}
		}
	}
}
