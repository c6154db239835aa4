package rule

import "strings"

// http2Settings are the settings of RFC 9113 §6.5.2 by name.
var http2Settings = map[string]uint64{"settings_header_table_size": 1, "settings_enable_push": 2, "settings_max_concurrent_streams": 3,
	"settings_initial_window_size": 4, "settings_max_frame_size": 5, "settings_max_header_list_size": 6}

// http2Setting parses http2.settings: a setting's name, alone or with a test of its
// value. The field of that name has the identifier in the upper 32 bits and the
// value in the lower, so that a test of the value becomes ranges of both.
func (c *context) http2Setting(name, val string) error {
	if err := c.needProto("http2"); err != nil {
		return err
	}
	end := strings.IndexFunc(val, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
	if end < 0 {
		end = len(val)
	}
	setting := strings.ToLower(val[:end])
	id, ok := http2Settings[setting]
	if !ok {
		var names []string
		for n := range http2Settings {
			names = append(names, n)
		}
		return faultf("%q is no setting of HTTP/2%s", clip(val[:end]), didYouMean(setting, names))
	}
	const most = 1<<32 - 1
	f := FieldTest{Keyword: name, Col: c.col}
	within := func(lo, hi uint64) {
		if lo <= hi && hi <= most {
			f.Any = append(f.Any, IntTest{Op: 'i', A: id<<32 | lo, B: id<<32 | hi})
		}
	}
	if test := strings.TrimSpace(val[end:]); test == "" {
		within(0, most)
	} else {
		t, err := parseInt(test, most, nil)
		if err != nil {
			return err
		}
		switch t.Op {
		case '=':
			within(t.A, t.A)
		case '!':
			if t.A > 0 {
				within(0, t.A-1)
			}
			within(t.A+1, most)
		case '<':
			if t.A > 0 {
				within(0, t.A-1)
			}
		case 'L':
			within(0, t.A)
		case '>':
			within(t.A+1, most)
		case 'G':
			within(t.A, most)
		case 'r':
			within(t.A+1, t.B-1)
		case 'R':
			within(0, t.A)
			within(t.B, most)
		case '&':
			f.Any = append(f.Any, IntTest{Op: '&', A: most<<32 | t.A, B: id<<32 | t.B})
		case '|':
			// The masked value is another one where any of its bits is.
			for bit := uint64(1); bit <= most; bit <<= 1 {
				if (t.A|t.B)&bit != 0 {
					f.Any = append(f.Any, IntTest{Op: '&', A: most<<32 | t.A&bit, B: id<<32 | (t.B&bit ^ bit)})
				}
			}
		}
	}
	if len(f.Any) == 0 {
		return faultf("no value of a setting passes: it can never match")
	}
	c.r.Fields = append(c.r.Fields, f)
	if c.env.Field == nil || !c.env.Field(name) {
		return unevaluated("keyword " + name)
	}
	return nil
}
