package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice/internal/near"
)

// Size is a number of bytes, written as a number with kb, mb or gb (powers of
// 1,024, as in Suricata).
type Size int64

const (
	kib = 1 << 10
	mib = 1 << 20
)

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	t := strings.ToLower(strings.TrimSpace(string(text)))
	mult := int64(1)
	for _, u := range [...]struct {
		suffix string
		mult   int64
	}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30},
		{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1}} {
		if n, ok := strings.CutSuffix(t, u.suffix); ok {
			t, mult = strings.TrimSpace(n), u.mult
			break
		}
	}
	v, err := strconv.ParseFloat(t, 64)
	if err != nil || v < 0 || math.IsNaN(v) || v*float64(mult) >= math.MaxInt64/2 {
		return fmt.Errorf("%q is no size; write a number of bytes or one with kb, mb or gb", text)
	}
	*s = Size(v * float64(mult))
	return nil
}

// MarshalText writes the size as UnmarshalText reads it.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range [...]struct {
		suffix string
		mult   Size
	}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}} {
		if s != 0 && s%u.mult == 0 {
			return fmt.Appendf(nil, "%d%s", s/u.mult, u.suffix), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

// Duration is a time span, written as a number of seconds or with a unit (ms,
// s, m, h, d).
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	if n, ok := strings.CutSuffix(t, "d"); ok {
		if days, err := strconv.ParseUint(n, 10, 16); err == nil {
			*d = Duration(time.Duration(days) * 24 * time.Hour)
			return nil
		}
	}
	if n, err := strconv.ParseUint(t, 10, 31); err == nil {
		*d = Duration(time.Duration(n) * time.Second)
		return nil
	}
	v, err := time.ParseDuration(t)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no time span; write seconds or a number with ms, s, m, h or d", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// D gives the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// ExceptionPolicy answers a limit that was reached or data that cannot be read.
type ExceptionPolicy string

// The exception policies, under Suricata's names.
const (
	Auto       ExceptionPolicy = "auto"
	Ignore     ExceptionPolicy = "ignore"
	Bypass     ExceptionPolicy = "bypass"
	PassPacket ExceptionPolicy = "pass-packet"
	PassFlow   ExceptionPolicy = "pass-flow"
	DropPacket ExceptionPolicy = "drop-packet"
	DropFlow   ExceptionPolicy = "drop-flow"
	Reject     ExceptionPolicy = "reject"
	RejectBoth ExceptionPolicy = "rejectboth"
)

var exceptionPolicies = []string{"auto", "ignore", "bypass", "pass-packet", "pass-flow", "drop-packet", "drop-flow", "reject", "rejectboth"}

// UnmarshalText reads an exception policy.
func (p *ExceptionPolicy) UnmarshalText(text []byte) error {
	t := strings.ToLower(strings.TrimSpace(string(text)))
	for _, k := range exceptionPolicies {
		if t == k {
			*p = ExceptionPolicy(t)
			return nil
		}
	}
	return notOneOf(string(text), exceptionPolicies)
}

// UnmarshalText reads "INSIDE,OUTSIDE".
func (b *Bridge) UnmarshalText(text []byte) error {
	in, out, ok := strings.Cut(string(text), ",")
	in, out = strings.TrimSpace(in), strings.TrimSpace(out)
	if !ok || in == "" || out == "" || strings.Contains(out, ",") {
		return fmt.Errorf("%q is no pair of ports; write INSIDE,OUTSIDE", text)
	}
	b.Inside, b.Outside = in, out
	return nil
}

// MarshalText writes the pair as UnmarshalText reads it.
func (b Bridge) MarshalText() ([]byte, error) { return []byte(b.Inside + "," + b.Outside), nil }

// parseBool reads the ways to say yes and no.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "yes", "true", "on", "1", "enabled":
		return true, nil
	case "no", "false", "off", "0", "disabled":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", s)
}

// notOneOf is the error for a value outside of a list.
func notOneOf(got string, allowed []string) error {
	msg := fmt.Sprintf("%q is not one of %s", got, strings.Join(allowed, ", "))
	if names := near.Names(got, allowed, 1); len(names) > 0 {
		return fmt.Errorf("%s; did you mean %q?", msg, names[0])
	}
	return fmt.Errorf("%s", msg)
}
