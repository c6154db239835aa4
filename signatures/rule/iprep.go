package rule

import "strings"

// iprep reads side, category, operator and score, or isset and isnotset.
func (c *context) iprep(_, val string) error {
	parts := fieldsOf(val)
	if len(parts) < 3 {
		return faultf("needs a side, a category and a comparison")
	}
	t := Test{Kind: TestIPRep, Which: parts[0], What: parts[1], Col: c.col}
	switch t.Which {
	case "any", "src", "dst", "both":
	default:
		return faultf("%q is no side: any, src, dst or both", clip(t.Which))
	}
	if c.env.Category == nil || !c.env.Category(t.What) {
		return faultf("no category %q in reputation-categories-file", clip(t.What))
	}
	switch op := strings.ToLower(parts[2]); {
	case len(parts) == 3 && op == "isset":
		t.Int = IntTest{Op: 'G'}
	case len(parts) == 3 && op == "isnotset":
		t.Neg = true
	case len(parts) == 4:
		n, err := parseUint(parts[3], 127)
		if err != nil {
			return err
		}
		ops := map[string]byte{"<": '<', ">": '>', "=": '=', "<=": 'L', ">=": 'G'}
		o, ok := ops[op]
		if !ok {
			return faultf("%q is no operator: < > = <= >=", clip(op))
		}
		t.Int = IntTest{Op: o, A: n}
	default:
		return faultf("needs an operator and a score, isset or isnotset")
	}
	c.r.Tests = append(c.r.Tests, t)
	return nil
}
