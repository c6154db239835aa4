package ldap

import (
	"sluice/dataplane/protocol/ber"
)

// The bounds of a filter that is shown.
const (
	maxFilterDepth = 16
	maxFilterText  = 4096
)

// filterNames are the kinds of filters by the number of their tag (RFC 4511 §4.5.1).
var filterNames = [...]string{"and", "or", "not", "equality_match", "substrings", "greater_or_equal", "less_or_equal", "present",
	"approx_match", "extensible_match"}

// comparisons are the signs between an attribute and a value.
var comparisons = [16]string{3: "=", 5: ">=", 6: "<=", 8: "~="}

// filterKind gives a filter's kind, empty for one that is unknown.
func filterKind(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if n := int(b[0] & 0x1f); n < len(filterNames) && ber.Tag(b[0])&^(0x1f|ber.Constructed) == ber.Context {
		return filterNames[n]
	}
	return ""
}

// filterText gives a filter as people write it (RFC 4515), up to maxFilterText bytes;
// what cannot be read is "?".
func filterText(b []byte) string {
	r := ber.NewReader(b)
	out := appendFilter(nil, &r, 0)
	return string(out[:min(len(out), maxFilterText)])
}

func appendFilter(dst []byte, r *ber.Reader, depth int) []byte {
	tag, body := r.Next()
	if !r.OK() || depth > maxFilterDepth || len(dst) > maxFilterText {
		return append(dst, '?')
	}
	in := ber.NewReader(body)
	dst = append(dst, '(')
	switch tag {
	case ctxC, ctxC | 1, ctxC | 2:
		dst = append(dst, "&|!"[tag&3])
		for in.More() && len(dst) <= maxFilterText {
			dst = appendFilter(dst, &in, depth+1)
		}
	case ctxC | 3, ctxC | 5, ctxC | 6, ctxC | 8:
		dst = append(dst, in.Take(ber.OctetString)...)
		dst = append(dst, comparisons[tag&0x0f]...)
		dst = appendValue(dst, in.Take(ber.OctetString))
	case ctxC | 4:
		dst = append(append(dst, in.Take(ber.OctetString)...), '=')
		list := in.In(ber.Sequence)
		star := false
		for list.More() && len(dst) <= maxFilterText {
			tag, part := list.Next()
			if tag != ctx0 && !star {
				dst = append(dst, '*')
			}
			dst = appendValue(dst, part)
			if star = tag != ber.Context|2; star {
				dst = append(dst, '*')
			}
		}
	case ber.Context | 7:
		dst = append(append(dst, body...), "=*"...)
	case ctxC | 9:
		rule, hasRule := in.Optional(ctx1)
		attr, _ := in.Optional(ber.Context | 2)
		value := in.Take(ber.Context | 3)
		all, _ := in.Optional(ber.Context | 4)
		dst = append(dst, attr...)
		if len(all) == 1 && all[0] != 0 {
			dst = append(dst, ":dn"...)
		}
		if hasRule {
			dst = append(append(dst, ':'), rule...)
		}
		dst = appendValue(append(dst, ":="...), value)
	default:
		dst = append(dst, '?')
	}
	return append(dst, ')')
}

// appendValue escapes what would be read as something else (RFC 4515 §3).
func appendValue(dst, v []byte) []byte {
	const hex = "0123456789abcdef"
	for _, c := range v {
		if len(dst) > maxFilterText {
			break
		}
		switch {
		case c == '*' || c == '(' || c == ')' || c == '\\' || c < ' ' || c >= 0x7f:
			dst = append(dst, '\\', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
