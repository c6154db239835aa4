package rule

import "strings"

// geoip reads a side, which may be left out, and countries: "src,!AT,CH". A "!"
// before any country negates the whole, as Suricata has it.
func (c *context) geoip(_, val string) error {
	t := Test{Kind: TestGeoIP, Which: "any", Col: c.col}
	parts := fieldsOf(val)
	if len(parts) > 0 {
		switch side := strings.ToLower(parts[0]); side {
		case "any", "src", "dst", "both":
			t.Which, parts = side, parts[1:]
		}
	}
	if len(parts) == 0 {
		return faultf("names no country")
	}
	for _, p := range parts {
		code, not := strings.CutPrefix(p, "!")
		if len(code) != 2 || strings.Trim(strings.ToUpper(code), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return faultf("%q is no country: two letters of ISO 3166, after any, src, dst or both", clip(code))
		}
		t.Neg = t.Neg || not
		t.What += strings.ToUpper(code)
	}
	if !c.env.Countries {
		return faultf("needs a database of countries: set geoip-database in the configuration")
	}
	c.r.Tests = append(c.r.Tests, t)
	return nil
}
