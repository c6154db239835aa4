package rule

import (
	"strconv"
	"strings"
	"time"
)

// certDate reads a date of UTC in one of the forms of ISO 8601, or seconds since
// 1970. Four digits are a year.
func certDate(s string) (uint64, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{"2006", "2006-01", "2006-01-02", "2006-01-02 15", "2006-01-02 15:04", "2006-01-02 15:04:05",
		"2006-01-02T15", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil && t.Unix() >= 0 {
			return uint64(t.Unix()), nil
		}
	}
	if n, err := strconv.ParseUint(s, 10, 63); err == nil {
		return n, nil
	}
	return 0, faultf("%q is no date", clip(s))
}

// certTime parses tls_cert_notbefore and tls_cert_notafter. Comparisons and ranges
// include the dates that they name.
func (c *context) certTime(name, val string) error {
	t := IntTest{Op: '='}
	var err error
	if lo, hi, ok := strings.Cut(val, "<>"); ok {
		t.Op = 'i'
		if t.A, err = certDate(lo); err != nil {
			return err
		}
		if t.B, err = certDate(hi); err == nil && t.B <= t.A {
			return faultf("the second date is not after the first")
		}
	} else {
		switch val[0] {
		case '<':
			t.Op, val = 'L', val[1:]
		case '>':
			t.Op, val = 'G', val[1:]
		}
		t.A, err = certDate(val)
	}
	if err != nil {
		return err
	}
	return c.certField(FieldTest{Keyword: name, Int: t})
}

// certAge parses tls_cert_expired and tls_cert_valid, which ask whether the end of
// a certificate's validity is past when it is seen.
func (c *context) certAge(name, _ string) error {
	f := FieldTest{Keyword: name, Clock: '<'}
	if name == "tls_cert_valid" {
		f.Clock = 'G'
	}
	return c.certField(f)
}

func (c *context) certField(f FieldTest) error {
	if err := c.needProto("tls"); err != nil {
		return err
	}
	f.Col = c.col
	c.r.Fields = append(c.r.Fields, f)
	if c.env.Field == nil || !c.env.Field(f.Keyword) {
		return unevaluated("keyword " + f.Keyword)
	}
	return nil
}

// tlsStore has a match keep the certificates of the handshake.
func (c *context) tlsStore(string, string) error {
	c.r.StoreCerts = true
	return c.needProto("tls")
}
