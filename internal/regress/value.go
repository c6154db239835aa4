package regress

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// errNoText says that an operator for texts met something else.
var errNoText = errors.New("no text there")

// split takes the operator off a line's key.
func split(key string) (path, op string) {
	if i := strings.LastIndex(key, ".__"); i >= 0 {
		return key[:i], key[i+3:]
	}
	return key, ""
}

// holds evaluates one line of a filter on an event.
func holds(key string, want any, e map[string]any) (bool, error) {
	if key == "has-key" || key == "not-has-key" {
		list, ok := want.([]any)
		if !ok {
			list = []any{want}
		}
		for _, p := range list {
			if (lookup(fmt.Sprint(p), e) != nil) != (key == "has-key") {
				return false, nil
			}
		}
		return true, nil
	}
	path, op := split(key)
	got := lookup(path, e)
	switch op {
	case "":
		return equal(got, want), nil
	case "len":
		n := -1
		switch v := got.(type) {
		case string:
			n = len([]rune(v))
		case []any:
			n = len(v)
		case map[string]any:
			n = len(v)
		}
		return equal(float64(n), want), nil
	case "gt", "gte", "lt", "lte":
		a, aok := number(got)
		b, bok := number(want)
		if !aok || !bok {
			return false, nil
		}
		return op == "gt" && a > b || op == "gte" && a >= b || op == "lt" && a < b || op == "lte" && a <= b, nil
	case "find", "contains", "startswith", "endswith":
	default:
		return false, fmt.Errorf("%s: unknown operator", key)
	}
	text, isText := got.(string)
	if list, ok := got.([]any); ok && op == "contains" {
		for _, x := range list {
			if equal(x, want) {
				return true, nil
			}
		}
		return false, nil
	}
	if !isText {
		return false, fmt.Errorf("%s: %w", key, errNoText)
	}
	w := fmt.Sprint(want)
	switch op {
	case "startswith":
		return strings.HasPrefix(text, w), nil
	case "endswith":
		return strings.HasSuffix(text, w), nil
	}
	return strings.Contains(text, w), nil
}

var indexed = regexp.MustCompile(`^(.*)\[(\d+)\]$`)

// lookup follows a path of names and indices (dns.answers[0].rdata); nil where it
// leads nowhere.
func lookup(path string, v any) any {
	for part := range strings.SplitSeq(path, ".") {
		name, index := part, -1
		if m := indexed.FindStringSubmatch(part); m != nil {
			name = m[1]
			index, _ = strconv.Atoi(m[2])
		}
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[name]
		if index >= 0 {
			list, ok := v.([]any)
			if !ok || index >= len(list) {
				return nil
			}
			v = list[index]
		}
	}
	return v
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// equal compares by value and type; "yes" and "no" are truths, as in YAML 1.1.
func equal(got, want any) bool {
	if a, ok := number(got); ok {
		b, ok := number(want)
		return ok && a == b
	}
	if b, ok := got.(bool); ok {
		switch w := want.(type) {
		case bool:
			return b == w
		case string:
			w = strings.ToLower(w)
			return b && (w == "yes" || w == "on") || !b && (w == "no" || w == "off")
		}
		return false
	}
	if list, ok := got.([]any); ok {
		w, ok := want.([]any)
		if !ok || len(w) != len(list) {
			return false
		}
		for i := range w {
			if !equal(list[i], w[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}
