package rule

import (
	"strconv"
	"strings"
)

func (c *context) msg(_, val string) error {
	v, neg, err := unquote(val)
	if err != nil {
		return err
	}
	if neg {
		return faultf("cannot be negated")
	}
	if !strings.HasPrefix(val, `"`) {
		return faultf("the value needs quotes")
	}
	c.r.Msg = unescape(v)
	return nil
}

func (c *context) number(name, val string) error {
	if v, _, err := unquote(val); err == nil {
		val = v
	}
	n, err := strconv.ParseUint(strings.TrimSpace(val), 10, 32)
	if err != nil {
		return faultf("%q is no number of 32 bits", clip(val))
	}
	switch name {
	case "sid":
		if n == 0 {
			return faultf("must not be 0")
		}
		if c.r.SID != 0 {
			return faultf("is given twice")
		}
		c.r.SID = uint32(n)
	case "gid":
		c.r.GID = uint32(n)
	case "rev":
		c.r.Rev = uint32(n)
	case "priority":
		if n > 255 {
			return faultf("must be between 1 and 255")
		}
		c.r.Priority = int(n)
	}
	return nil
}

func (c *context) classtype(_, val string) error {
	if c.r.Classtype != "" {
		return faultf("is given twice")
	}
	c.r.Classtype = val
	return nil
}

func (c *context) metadata(_, val string) error {
	for _, p := range fieldsOf(val) {
		if p == "" {
			continue
		}
		k, v, _ := strings.Cut(p, " ")
		c.r.Metadata = append(c.r.Metadata, KV{k, strings.TrimSpace(v)})
	}
	return nil
}

func (c *context) reference(_, val string) error {
	t, v, ok := strings.Cut(val, ",")
	if !ok {
		return faultf("needs a type and a value, as in url,example.com")
	}
	r := Reference{Type: strings.ToLower(strings.TrimSpace(t)), Value: strings.TrimSpace(v)}
	if prefix, ok := c.env.References[r.Type]; ok {
		r.URL = prefix + r.Value
	}
	c.r.References = append(c.r.References, r)
	return nil
}

func (c *context) target(_, val string) error {
	if val != "src_ip" && val != "dest_ip" {
		return faultf("%q is neither src_ip nor dest_ip%s", clip(val), didYouMean(val, []string{"src_ip", "dest_ip"}))
	}
	c.r.Target = val
	return nil
}

// ourVersion is the version of the language that is spoken here.
var ourVersion = [3]int{8, 0, 7}

// features are what requires may ask for.
var features = map[string]bool{"ja3": true, "ja4": true, "true": true}

// requires decides whether a rule is meant for this program; one that is not
// is skipped and no fault.
func (c *context) requires(_, val string) error {
	for _, p := range fieldsOf(val) {
		word, arg, _ := strings.Cut(p, " ")
		arg = strings.TrimSpace(arg)
		switch word {
		case "feature":
			if !features[arg] {
				c.r.Skipped = "requires feature " + arg
			}
		case "keyword":
			arg = strings.TrimPrefix(arg, "!")
			if _, ok := keywords[arg]; !ok && !isKnownBuffer[arg] {
				c.r.Skipped = "requires keyword " + arg
			}
		case "version":
			ok, err := versionHolds(arg)
			if err != nil {
				return err
			}
			if !ok {
				c.r.Skipped = "requires version " + arg
			}
		default:
			c.r.Skipped = "requires " + p
		}
	}
	return nil
}

// versionHolds evaluates `>= 7.0.3 < 8 | >= 8.0.3`.
func versionHolds(s string) (bool, error) {
	for _, alt := range strings.Split(s, "|") {
		all := true
		f := strings.Fields(strings.NewReplacer(">=", " >= ", "<=", " <= ", "> ", " > ", "< ", " < ").Replace(alt))
		if len(f) == 0 || len(f)%2 != 0 {
			return false, faultf("%q is no version test", clip(s))
		}
		for i := 0; i < len(f); i += 2 {
			var v [3]int
			for j, part := range strings.SplitN(f[i+1], ".", 3) {
				n, err := strconv.Atoi(part)
				if err != nil {
					return false, faultf("%q is no version", clip(f[i+1]))
				}
				v[j] = n
			}
			cmp := 0
			for j := range v {
				if ourVersion[j] != v[j] {
					cmp = 1
					if ourVersion[j] < v[j] {
						cmp = -1
					}
					break
				}
			}
			switch f[i] {
			case ">=":
				all = all && cmp >= 0
			case ">":
				all = all && cmp > 0
			case "<=":
				all = all && cmp <= 0
			case "<":
				all = all && cmp < 0
			default:
				return false, faultf("%q is no comparison", clip(f[i]))
			}
		}
		if all {
			return true, nil
		}
	}
	return false, nil
}
