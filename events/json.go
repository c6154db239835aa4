package events

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"unicode/utf8"
)

// The helpers below append JSON to a byte slice. Records are rendered by hand
// because reflection costs several times as much per event, and because strings
// from the wire need an answer to bytes that are not UTF-8.

const hexDigits = "0123456789abcdef"

// appendKey begins a member of the object that dst ends in. It finds out from
// the last byte whether a comma is due.
func appendKey(dst []byte, key string) []byte {
	if c := dst[len(dst)-1]; c != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// appendStr writes a member with a string value.
func appendStr(dst []byte, key, v string) []byte {
	return appendString(appendKey(dst, key), v)
}

// appendStrOmit writes the member unless the value is empty.
func appendStrOmit(dst []byte, key, v string) []byte {
	if v == "" {
		return dst
	}
	return appendStr(dst, key, v)
}

func appendUint(dst []byte, key string, v uint64) []byte {
	return strconv.AppendUint(appendKey(dst, key), v, 10)
}

func appendInt(dst []byte, key string, v int64) []byte {
	return strconv.AppendInt(appendKey(dst, key), v, 10)
}

func appendBool(dst []byte, key string, v bool) []byte {
	return strconv.AppendBool(appendKey(dst, key), v)
}

// appendTrue writes the member only when v is true, as Suricata does for flags.
func appendTrue(dst []byte, key string, v bool) []byte {
	if !v {
		return dst
	}
	return appendBool(dst, key, true)
}

func appendStrs(dst []byte, key string, v []string) []byte {
	if len(v) == 0 {
		return dst
	}
	return appendStrList(appendKey(dst, key), v)
}

func appendStrList(dst []byte, v []string) []byte {
	dst = append(dst, '[')
	for i, s := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

func appendStrListMap(dst []byte, key string, m map[string][]string) []byte {
	if len(m) == 0 {
		return dst
	}
	dst = append(appendKey(dst, key), '{')
	for _, k := range sortedKeys(m) {
		dst = appendDynKey(dst, k)
		dst = appendStrList(dst, m[k])
	}
	return append(dst, '}')
}

func appendBase64(dst []byte, key string, v []byte) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = append(appendKey(dst, key), '"')
	dst = base64.StdEncoding.AppendEncode(dst, v)
	return append(dst, '"')
}

// appendDynKey begins a member whose name comes from data.
func appendDynKey(dst []byte, key string) []byte {
	if c := dst[len(dst)-1]; c != '{' {
		dst = append(dst, ',')
	}
	dst = appendString(dst, key)
	return append(dst, ':')
}

// appendString writes s as a JSON string. A string that is not UTF-8 has all
// its bytes above 0x7f written out as \xHH in text, which is how Suricata's
// records show them, so that no byte is lost and no reader stumbles.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start, i := 0, 0
	for i < len(s) && s[i] < utf8.RuneSelf {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			start = i + 1
		}
		i++
	}
	if i < len(s) {
		raw := !utf8.ValidString(s[i:])
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case c >= utf8.RuneSelf && raw:
				dst = append(dst, s[start:i]...)
				dst = append(dst, '\\', '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
				start = i + 1
			case c < 0x20 || c == '"' || c == '\\':
				dst = append(dst, s[start:i]...)
				dst = appendEscape(dst, c)
				start = i + 1
			}
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// maxAnyDepth bounds nesting in values of type any, which parsers build from
// what they read.
const maxAnyDepth = 32

// appendAny writes a value of a part that has no type here. Maps are written
// with sorted keys, so that the same event always gives the same bytes.
func appendAny(dst []byte, v any, depth int) []byte {
	if depth > maxAnyDepth {
		return append(dst, "null"...)
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return appendString(dst, v)
	case []byte:
		return appendString(dst, string(v))
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int8:
		return strconv.AppendInt(dst, int64(v), 10)
	case int16:
		return strconv.AppendInt(dst, int64(v), 10)
	case int32:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10)
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10)
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10)
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10)
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "null"...)
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case []string:
		return appendStrList(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAny(dst, e, depth+1)
		}
		return append(dst, ']')
	case []map[string]any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAny(dst, e, depth+1)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for _, k := range sortedKeys(v) {
			dst = appendDynKey(dst, k)
			dst = appendAny(dst, v[k], depth+1)
		}
		return append(dst, '}')
	case map[string]string:
		dst = append(dst, '{')
		for _, k := range sortedKeys(v) {
			dst = appendDynKey(dst, k)
			dst = appendString(dst, v[k])
		}
		return append(dst, '}')
	}
	return appendReflected(dst, v)
}

// appendReflected leaves structures of parsers to encoding/json. What it cannot
// encode becomes a string that says so: a record is never lost over one part.
func appendReflected(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return appendString(dst, fmt.Sprintf("unencodable: %v", err))
	}
	return append(dst, b...)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
