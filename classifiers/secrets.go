package classifiers

// Tokens with a literal of their own. Formats are the issuers' documented ones.

var secretTags = []string{"SOC 2 CC6.1", "ISO 27001 A.8.12"}

// tok makes the usual token: restricted, high confidence.
func tok(id string, body *charset, min, max int, entropy float64, prefixes ...string) *token {
	return &token{Detector: Detector{ID: id, Level: Restricted, Tags: secretTags, Secret: true}, prefixes: prefixes, body: body, min: min, max: max, entropy: entropy, conf: High}
}

func (t *token) cases(good, bad []string) *token {
	t.Good, t.Bad = good, bad
	return t
}

func (t *token) at(l Level) *token { t.Level = l; return t }

func tokens() []*token {
	return []*token{
		tok("sec.aws-access-token", csB32, 16, 16, 2.5, "AKIA", "ASIA", "ABIA", "ACCA").cases(
			[]string{"aws_access_key_id = AKIAQYLPMN5HHHFPZAM2", "key:ASIAQYLPMN5HHHFPZAM2"},
			[]string{"AKIAIOSFODNN7EXAMPLE", "XAKIAQYLPMN5HHHFPZAM2", "AKIAQYLPMN5HHHFPZAM2A", "AKIAAAAAAAAAAAAAAAAA"}),
	}
}
