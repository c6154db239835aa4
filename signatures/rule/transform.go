package rule

import (
	"strings"

	"sluice/internal/pcre"
)

// transforms are the changes of buffers that are evaluated; true marks those
// with an option.
var transforms = map[string]bool{
	"to_lowercase": false, "to_uppercase": false, "strip_whitespace": false, "compress_whitespace": false, "url_decode": false,
	"dotprefix": false, "to_md5": false, "to_sha1": false, "to_sha256": false, "xor": true, "pcrexform": true,
	"header_lowercase": false, "strip_pseudo_headers": false, "domain": false, "tld": false, "from_base64": true,
	"gunzip": true, "zlib_deflate": true,
}

func (c *context) transform(name, val string) error {
	if c.name == "" {
		return faultf("needs a sticky buffer before it")
	}
	if c.local != NotLocal {
		return unevaluated(name + " on " + c.name)
	}
	if c.list >= 0 {
		// After tests on the buffer as it is, a transformation begins a list of
		// its own on the same buffer.
		c.list, c.transforms, c.base64, c.last = -1, nil, nil, ref{-1, -1}
	}
	if len(c.transforms) >= 16 {
		return faultf("more than 16 transformations of one buffer")
	}
	t := Transform{Name: name, Arg: val}
	switch name {
	case "xor":
		v, _, err := unquote(val)
		if err != nil {
			return err
		}
		v = strings.ReplaceAll(v, " ", "")
		if len(v) == 0 || len(v)%2 != 0 || len(v) > 512 {
			return faultf("needs a key of an even number of hex digits")
		}
		for i := 0; i < len(v); i += 2 {
			hi, lo := unhex(v[i]), unhex(v[i+1])
			if hi < 0 || lo < 0 {
				return faultf("%q is no hex key", clip(v))
			}
			t.Key = append(t.Key, byte(hi<<4|lo))
		}
	case "pcrexform":
		v, _, err := unquote(val)
		if err != nil {
			return err
		}
		re, err := pcre.Compile(v, 0)
		if err != nil {
			return faultf("the expression does not compile: %v", err)
		}
		if re.Captures != 1 {
			return faultf("the expression needs exactly one group, it has %d", re.Captures)
		}
		t.PCRE = re
	case "from_base64":
		for _, p := range fieldsOf(val) {
			word, arg, _ := strings.Cut(p, " ")
			switch word {
			case "":
			case "bytes", "offset":
				if _, err := parseUint(arg, 65535); err != nil {
					return err
				}
			case "mode":
				switch arg {
				case "rfc4648", "rfc2045", "strict":
				default:
					return faultf("unknown mode %q", clip(arg))
				}
			default:
				return faultf("unknown option %q", clip(p))
			}
		}
	case "gunzip", "zlib_deflate":
		if val != "" {
			word, arg, _ := strings.Cut(val, " ")
			if word != "max-size" {
				return faultf("unknown option %q", clip(val))
			}
			if _, err := parseUint(arg, 1<<31); err != nil {
				return err
			}
		}
	default:
		if val != "" {
			return faultf("takes no value")
		}
	}
	c.transforms = append(c.transforms[:len(c.transforms):len(c.transforms)], t)
	return nil
}
