package classifiers

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"sluice/internal/hs"
)

// Custom is a detector of an organisation's own, as a policy file defines it: a
// pattern or a list of words, which a validator and words nearby may confirm.
type Custom struct {
	// ID begins with "custom.".
	ID string
	// Pattern is a regular expression in the syntax of RE2, case-sensitive unless it
	// begins with (?i). It must be bounded: at most MaxCustomLength bytes long.
	Pattern string
	// Words are found whole, whatever their case. Pattern or Words is given.
	Words []string
	// Validator names one of Validators; empty for none.
	Validator string
	// Context are words of which one must be near for the full confidence; without
	// one, a finding is of low confidence. Empty asks for none.
	Context    []string
	Level      Level
	Confidence Confidence
	Tags       []string
	// Bulk, when above zero, raises the level to Restricted for that many different
	// values.
	Bulk int
}

const (
	// MaxCustomLength bounds a match of a custom pattern in bytes.
	MaxCustomLength = 256
	// maxCustomWords bounds the words of a custom detector.
	maxCustomWords = 5000
	// maxCustomHits is how often a pattern may match in the sample of ordinary text
	// before it is too broad.
	maxCustomHits = 12
)

// validators are what custom detectors may ask of a value, by name. They are given
// its letters and digits, in upper case.
var validators = map[string]func(b []byte) bool{
	"luhn":     func(b []byte) bool { return len(b) > 1 && allDigits(b) && luhn(b) },
	"verhoeff": func(b []byte) bool { return len(b) > 1 && allDigits(b) && verhoeff(b) },
	"damm":     func(b []byte) bool { return len(b) > 1 && allDigits(b) && damm(b) },
	"mod97":    func(b []byte) bool { return len(b) > 2 && mod97(b) == 1 },
	"mod11-10": func(b []byte) bool { return len(b) > 1 && allDigits(b) && mod11_10(b) },
	"mod11-2": func(b []byte) bool {
		return len(b) > 1 && allDigits(b[:len(b)-1]) && (isDigit(b[len(b)-1]) || b[len(b)-1] == 'X') && mod11_2(b)
	},
	"iban":    func(b []byte) bool { return len(b) > 4 && ibanValid(&value{b: b}) },
	"card":    func(b []byte) bool { return len(b) >= 12 && len(b) <= 19 && allDigits(b) && cardValid(&value{b: b}) },
	"entropy": func(b []byte) bool { return entropy(b) >= 3 && !placeholder(b) },
}

// Validators gives the names of the validators, ordered.
func Validators() []string {
	var out []string
	for k := range validators {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Check tells why a detector cannot be used: it is wrong, would be slow, or would
// match everywhere. It compiles the pattern.
func (c *Custom) Check() error {
	if !strings.HasPrefix(c.ID, "custom.") || len(c.ID) < 8 {
		return fmt.Errorf("the id %q does not begin with custom.", c.ID)
	}
	if (c.Pattern == "") == (len(c.Words) == 0) {
		return errors.New("give either a pattern or words")
	}
	if _, ok := validators[c.Validator]; c.Validator != "" && !ok {
		return fmt.Errorf("unknown validator %q (use %s)", c.Validator, strings.Join(Validators(), ", "))
	}
	if len(c.Words) > maxCustomWords {
		return fmt.Errorf("%d words, more than the %d a detector may have", len(c.Words), maxCustomWords)
	}
	for _, w := range c.Words {
		if len(strings.TrimSpace(w)) < 3 || len(w) > MaxCustomLength {
			return fmt.Errorf("the word %q is too short or too long: 3 to %d bytes", w, MaxCustomLength)
		}
	}
	if c.Pattern == "" {
		return nil
	}
	re, err := syntax.Parse(c.Pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("the pattern is wrong: %w", err)
	}
	least, most := patternLength(re)
	switch {
	case most > MaxCustomLength:
		return fmt.Errorf("the pattern is slow: it can match more than %d bytes; write a bound such as {1,40} for each * and +", MaxCustomLength)
	case least < 3:
		return errors.New("the pattern is too broad: it can match fewer than three characters")
	}
	p := hs.Pattern{Expr: c.Pattern}
	if err := hs.Check(p); err != nil {
		return fmt.Errorf("the pattern is slow or not possible: %w", err)
	}
	g, err := regexp.Compile(c.Pattern)
	if err != nil {
		return fmt.Errorf("the pattern is wrong: %w", err)
	}
	if c.Validator == "" && len(c.Context) == 0 {
		if n := len(g.FindAllIndex(ordinary, maxCustomHits+1)); n > maxCustomHits {
			return errors.New("the pattern is too broad: it matches ordinary text, numbers and names all over; add a literal, a validator or context")
		}
	}
	return nil
}

// patternLength bounds the bytes that a pattern matches.
func patternLength(re *syntax.Regexp) (least, most int) {
	const unbounded = 1 << 20
	switch re.Op {
	case syntax.OpLiteral:
		n := len(string(re.Rune))
		return n, n
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, 4
	case syntax.OpConcat:
		for _, s := range re.Sub {
			a, b := patternLength(s)
			least, most = least+a, min(most+b, unbounded)
		}
	case syntax.OpAlternate:
		least = unbounded
		for _, s := range re.Sub {
			a, b := patternLength(s)
			least, most = min(least, a), max(most, b)
		}
	case syntax.OpCapture:
		return patternLength(re.Sub[0])
	case syntax.OpQuest:
		_, most = patternLength(re.Sub[0])
	case syntax.OpStar:
		return 0, unbounded
	case syntax.OpPlus:
		a, _ := patternLength(re.Sub[0])
		return a, unbounded
	case syntax.OpRepeat:
		a, b := patternLength(re.Sub[0])
		if re.Max < 0 {
			return a * re.Min, unbounded
		}
		return a * re.Min, min(b*re.Max, unbounded)
	}
	return least, most
}

// ordinary is text of everyday kinds, to tell patterns that match anything.
var ordinary = []byte(strings.Repeat(`2026-11-22T10:33:44Z INFO server[4127]: request 3f9a81c2-77d0-4c1e-9a55-0b6f1d2e3c4a from 192.0.2.17:52814 took 12.8ms, 200 OK
func readFrame(r io.Reader, max int) (frame []byte, err error) { return buf[:n], nil } // see issue 20481
The invoice of March 14 lists 25 items at 1,299.00 each; please call Anna Miller before 5 pm or write to sales@example.com.
{"id": 4711, "name": "Berlin", "ok": true, "size": 1048576, "hash": "d41d8cd98f00b204e9800998ecf8427e", "tags": ["a1", "b22"]}
<div class="row-2"><a href="/static/app.js?v=20261122">More about PRODUCT-LINE 7 and ORDER 100042</a></div>
`, 4))

// custom is a compiled custom detector.
type custom struct {
	det       uint16
	re        *regexp.Regexp
	validator func([]byte) bool
	conf      Confidence
	context   bool
}

// addCustom compiles the detectors of cfg.
func (c *Catalog) addCustom(list []Custom) error {
	for i := range list {
		d := &list[i]
		if err := d.Check(); err != nil {
			return fmt.Errorf("detector %s: %w", d.ID, err)
		}
		if _, ok := c.ids[d.ID]; ok {
			return fmt.Errorf("detector %s is defined twice", d.ID)
		}
		det := Detector{ID: d.ID, Level: d.Level, Tags: d.Tags, Context: lowered(d.Context)}
		if d.Bulk > 0 {
			det.Bulk, det.BulkLevel = d.Bulk, Restricted
		}
		x := custom{det: c.addDetector(det), validator: validators[d.Validator], conf: d.Confidence, context: len(d.Context) > 0}
		if d.Pattern != "" {
			re, err := regexp.Compile("(?:" + d.Pattern + ")$")
			if err != nil {
				return fmt.Errorf("detector %s: %w", d.ID, err)
			}
			x.re = re
		}
		c.customs = append(c.customs, x)
	}
	return nil
}

func lowered(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToLower(w)
	}
	return out
}

// judgeCustom confirms a hit of a custom detector's pattern, or of its word of n
// bytes.
func (s *Scanner) judgeCustom(st *Stream, v *window2, x *custom, n int) {
	b := v.b
	start := v.at - n
	if x.re != nil {
		from := max(0, v.at-MaxCustomLength)
		loc := x.re.FindIndex(b[from:v.at])
		if loc == nil {
			return
		}
		if v.at < len(b) {
			if more := x.re.FindIndex(b[from : v.at+1]); more != nil && more[0] <= loc[0] {
				return // it goes on
			}
		}
		start = from + loc[0]
	} else if start < 0 || !wholeWord(b, start, v.at) {
		return
	}
	var norm [MaxCustomLength]byte
	val := norm[:0]
	for _, c := range b[start:v.at] {
		if isAlnum(c) {
			if c >= 'a' && c <= 'z' {
				c -= 0x20
			}
			val = append(val, c)
		}
	}
	if x.validator != nil && (len(val) == 0 || !x.validator(val)) {
		return
	}
	if len(val) == 0 {
		val = append(val, bytes.ToLower(b[start:v.at])...)
	}
	conf := x.conf
	if x.context {
		if pro, _ := s.context(st, v, x.det, start, v.at); !pro {
			conf = Low
		}
	}
	s.emit(st, v, x.det, start, v.at, conf, s.c.dets[x.det].Level, val)
}
