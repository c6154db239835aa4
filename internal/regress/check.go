package regress

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// check is one expectation.
type check struct {
	// match are the lines that an event must pass; count how many events must
	// pass all of them, min and max bounds where it is not exact (-1 for none).
	match    map[string]any
	min, max float64
	stats    map[string]any
}

// Failure is an expectation that was not met.
type Failure struct {
	// Check counts from 1.
	Check   int
	Message string
	// Detail shows the event that came nearest, line by line.
	Detail string
}

func (f Failure) Error() string { return fmt.Sprintf("check %d: %s", f.Check, f.Message) }

func parseChecks(v any) ([]check, error) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%s: checks is a list of what is expected, and is missing", FileName)
	}
	var out []check
	for i, x := range list {
		m, ok := x.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("check %d is not `filter:` or `stats:`", i+1)
		}
		for kind, v := range m {
			body, _ := v.(map[string]any)
			c := check{min: -1, max: -1}
			switch kind {
			case "filter":
				if err := c.filter(body); err != nil {
					return nil, fmt.Errorf("check %d: %w", i+1, err)
				}
			case "stats":
				c.stats = body
				if len(body) == 0 {
					return nil, fmt.Errorf("check %d: stats names no counter", i+1)
				}
			default:
				// What is not evaluated must not pass for held.
				return nil, fmt.Errorf("check %d: %q is not evaluated here: use filter or stats", i+1, kind)
			}
			if !applies(body["requires"]) {
				c = check{}
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func (c *check) filter(body map[string]any) error {
	match, ok := body["match"].(map[string]any)
	if !ok || len(match) == 0 {
		return errors.New("filter has no match")
	}
	c.match = match
	for _, k := range []string{"count", "min", "max"} {
		v, given := body[k]
		if !given {
			continue
		}
		n, ok := number(v)
		if !ok || n < 0 {
			return fmt.Errorf("%s is no number", k)
		}
		if k == "count" || k == "min" {
			c.min = n
		}
		if k == "count" || k == "max" {
			c.max = n
		}
	}
	if c.min < 0 && c.max < 0 {
		return errors.New("filter needs a count, or min and max")
	}
	for k := range body {
		switch k {
		case "match", "count", "min", "max", "requires", "comment", "filename":
		default:
			return fmt.Errorf("unknown key %q", k)
		}
	}
	if _, err := passes(match, map[string]any{}); err != nil && !errors.Is(err, errNoText) {
		return err
	}
	return nil
}

// Check compares events with what the case expects. The error tells of an
// expectation that cannot be evaluated.
func (c *Case) Check(evs []map[string]any) ([]Failure, error) {
	var out []Failure
	for i := range c.checks {
		k := &c.checks[i]
		switch {
		case k.match != nil:
			got, last := 0, 0
			for at, e := range evs {
				ok, err := passes(k.match, e)
				if err != nil {
					return out, fmt.Errorf("check %d: %w", i+1, err)
				}
				if ok {
					got, last = got+1, at
				}
			}
			n := float64(got)
			if n >= k.min && (k.max < 0 || n <= k.max) {
				continue
			}
			f := Failure{Check: i + 1, Message: fmt.Sprintf("%d events match, %s wanted: %s", got, k.wanted(), show(k.match))}
			if n < k.min {
				f.Detail = nearest(k.match, evs)
			} else {
				f.Detail = "the last of them: " + describe(evs, last)
			}
			out = append(out, f)
		case k.stats != nil:
			out = append(out, k.counters(i+1, evs)...)
		}
	}
	return out, nil
}

func (c *check) wanted() string {
	switch {
	case c.min == c.max:
		return fmt.Sprint(c.min)
	case c.max < 0:
		return fmt.Sprintf("%v or more", c.min)
	case c.min < 0:
		return fmt.Sprintf("%v at most", c.max)
	}
	return fmt.Sprintf("%v to %v", c.min, c.max)
}

// counters compares with the last stats event.
func (c *check) counters(n int, evs []map[string]any) (out []Failure) {
	var last map[string]any
	for _, e := range evs {
		if e["event_type"] == "stats" {
			last, _ = e["stats"].(map[string]any)
		}
	}
	var keys []string
	for key := range c.stats {
		if key != "requires" {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	for _, key := range keys {
		want := c.stats[key]
		if ok, err := holds(key, want, last); err != nil || !ok {
			path, _ := split(key)
			out = append(out, Failure{Check: n, Message: fmt.Sprintf("stats %s is %v, %v wanted", path, lookup(path, last), want)})
		}
	}
	return out
}

// passes reports whether an event passes all lines of a filter.
func passes(match, e map[string]any) (bool, error) {
	for _, k := range sortedNames(match) {
		if ok, err := holds(k, match[k], e); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// sortedNames puts plain comparisons first, since what a line with an operator
// means may hang on the type of event.
func sortedNames(m map[string]any) []string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := strings.Contains(names[i], ".__"), strings.Contains(names[j], ".__")
		if a != b {
			return b
		}
		return names[i] < names[j]
	})
	return names
}
