package rule

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// IntTest compares an unsigned number.
type IntTest struct {
	// Op is = ! < > L (<=) G (>=) r (range) R (not in range) & (all bits of A
	// set, masked comparison with B) or | (masked comparison fails).
	Op   byte
	A, B uint64
}

// Match reports whether v passes. Ranges exclude both ends, as rules mean them.
func (t IntTest) Match(v uint64) bool {
	switch t.Op {
	case '=':
		return v == t.A
	case '!':
		return v != t.A
	case '<':
		return v < t.A
	case '>':
		return v > t.A
	case 'L':
		return v <= t.A
	case 'G':
		return v >= t.A
	case 'r':
		return v > t.A && v < t.B
	case 'i':
		return v >= t.A && v <= t.B
	case 'R':
		return v <= t.A || v >= t.B
	case '&':
		return v&t.A == t.B
	case '|':
		return v&t.A != t.B
	}
	return false
}

// isDigit reports whether a value begins as a number does.
func isDigit(v string) bool { return v != "" && v[0] >= '0' && v[0] <= '9' }

// parseInt reads N, =N, !N, <N, <=N, >N, >=N, A-B, A<>B, !A-B, &mask=value.
// Names maps enumeration names, nil for none.
func parseInt(s string, limit uint64, names map[string]uint64) (IntTest, error) {
	s = strings.TrimSpace(s)
	num := func(v string) (uint64, error) {
		v = strings.TrimSpace(v)
		if names != nil {
			if n, ok := names[strings.ToLower(v)]; ok {
				return n, nil
			}
			if hint := didYouMean(strings.ToLower(v), slices.Collect(maps.Keys(names))); hint != "" && !isDigit(v) {
				return 0, faultf("unknown name %q%s", clip(v), hint)
			}
		}
		return parseUint(v, limit)
	}
	one := func(op byte, v string) (IntTest, error) {
		n, err := num(v)
		return IntTest{Op: op, A: n}, err
	}
	if s == "" {
		return IntTest{}, faultf("a number is missing")
	}
	if i := strings.Index(s, "<>"); i >= 0 {
		neg := strings.HasPrefix(s, "!")
		lo := strings.TrimPrefix(s[:i], "!")
		if strings.TrimSpace(lo) == "" {
			return one('!', s[i+2:])
		}
		return rangeTest(lo, s[i+2:], neg, num)
	}
	switch {
	case strings.HasPrefix(s, "<="):
		return one('L', s[2:])
	case strings.HasPrefix(s, ">="):
		return one('G', s[2:])
	case strings.HasPrefix(s, "!="):
		return one('!', s[2:])
	case s[0] == '<', s[0] == '>':
		return one(s[0], s[1:])
	case s[0] == '=':
		return one('=', s[1:])
	case s[0] == '&' || strings.HasPrefix(s, "!&"):
		op := byte('&')
		if s[0] == '!' {
			op, s = '|', s[1:]
		}
		mask, val, ok := strings.Cut(s[1:], "=")
		if strings.HasSuffix(mask, "!") {
			mask, op = mask[:len(mask)-1], '|'
		}
		m, err := num(mask)
		if err != nil {
			return IntTest{}, err
		}
		if !ok {
			// A bare mask asks for any of its bits.
			if op == '&' {
				return IntTest{Op: '|', A: m, B: 0}, nil
			}
			return IntTest{Op: '&', A: m, B: 0}, nil
		}
		v, err := num(val)
		if err == nil && v&^m != 0 {
			return IntTest{}, faultf("the value %#x has bits outside of the mask %#x", v, m)
		}
		return IntTest{Op: op, A: m, B: v}, err
	}
	neg := s[0] == '!'
	if neg {
		s = s[1:]
	}
	if _, err := num(s); err != nil {
		if i := strings.IndexByte(s, '-'); i > 0 {
			return rangeTest(s[:i], s[i+1:], neg, num)
		}
	}
	if neg {
		return one('!', s)
	}
	return one('=', s)
}

func rangeTest(lo, hi string, neg bool, num func(string) (uint64, error)) (IntTest, error) {
	a, err := num(lo)
	if err != nil {
		return IntTest{}, err
	}
	b, err := num(hi)
	if err != nil {
		return IntTest{}, err
	}
	if a >= b || b-a < 2 {
		return IntTest{}, faultf("the range %d to %d holds no number (its ends are excluded)", a, b)
	}
	op := byte('r')
	if neg {
		op = 'R'
	}
	return IntTest{Op: op, A: a, B: b}, nil
}

// parseUint reads a decimal or 0x number with an optional unit (kb, mb, gb).
func parseUint(s string, limit uint64) (uint64, error) {
	s = strings.TrimSpace(s)
	mult := uint64(1)
	lower := strings.ToLower(s)
	for _, u := range []struct {
		suffix string
		mult   uint64
	}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}} {
		if strings.HasSuffix(lower, u.suffix) && !strings.HasPrefix(lower, "0x") {
			lower, mult = strings.TrimSpace(strings.TrimSuffix(lower, u.suffix)), u.mult
			break
		}
	}
	base := 10
	if strings.HasPrefix(lower, "0x") {
		lower, base = lower[2:], 16
	}
	n, err := strconv.ParseUint(lower, base, 64)
	if err != nil || n > limit/mult {
		if err == nil || strings.Contains(err.Error(), "range") {
			return 0, faultf("%q is larger than %d", s, limit)
		}
		return 0, faultf("%q is no number", s)
	}
	return n * mult, nil
}

func parseSigned(s string, lo, hi int64) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(s), "+"), 0, 64)
	if err != nil {
		return 0, faultf("%q is no number", s)
	}
	if n < lo || n > hi {
		return 0, faultf("%d is outside of %d to %d", n, lo, hi)
	}
	return n, nil
}
