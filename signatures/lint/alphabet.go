package lint

import (
	"sluice/signatures/rule"
)

// alphabet is what is known of the bytes that a buffer can hold once its
// transformations are done.
type alphabet struct {
	noUpper, noLower, noSpace bool
	// size is the length of a hash, 0 where it is open; hash names it.
	size int
	hash string
}

// alphabetOf gives what is known of a list's bytes. What is not known of a
// transformation ends what was known before it.
func alphabetOf(l *rule.List) (a alphabet) {
	if l.Name == "http.host" {
		a.noUpper = true // the name is brought to small letters
	}
	for i := range l.Transforms {
		switch t := &l.Transforms[i]; t.Name {
		case "to_lowercase":
			a.noUpper, a.noLower = true, false
		case "to_uppercase":
			a.noUpper, a.noLower = false, true
		case "strip_whitespace":
			a.noSpace = true
		case "to_md5":
			a = alphabet{size: 16, hash: t.Name}
		case "to_sha1":
			a = alphabet{size: 20, hash: t.Name}
		case "to_sha256":
			a = alphabet{size: 32, hash: t.Name}
		case "dotprefix", "domain", "tld", "pcrexform", "compress_whitespace":
			a.size = 0
		default:
			a = alphabet{}
		}
	}
	return a
}

// alphabets looks for contents with bytes that their buffer never has.
func (c *checker) alphabets() {
	for i := range c.r.Lists {
		l := &c.r.Lists[i]
		if l.Absent != rule.AbsentFails {
			continue
		}
		a := alphabetOf(l)
		for k := range l.Items {
			it := &l.Items[k]
			if it.Op != rule.OpContent || it.Neg {
				continue
			}
			if a.size > 0 && len(it.Pattern) > a.size {
				c.warn(Never, it.Col, "write the hash's bytes between bars: content:\"|d4 1d 8c …|\"", "is longer than the %d bytes that %s gives: it can never match", a.size, a.hash)
				return
			}
			for _, b := range it.Pattern {
				switch {
				case a.noUpper && b >= 'A' && b <= 'Z' && !it.NoCase:
					c.warn(Never, it.Col, "write it in small letters", "has capital letters, which %s never has here: it can never match", l.Name)
					return
				case a.noLower && b >= 'a' && b <= 'z' && !it.NoCase:
					c.warn(Never, it.Col, "write it in capital letters", "has small letters, which %s never has here: it can never match", l.Name)
					return
				case a.noSpace && (b == ' ' || b >= '\t' && b <= '\r'):
					c.warn(Never, it.Col, "leave the white space out", "has white space, which strip_whitespace takes out of %s: it can never match", l.Name)
					return
				}
			}
		}
	}
}

// transport looks for tests of TCP's header on packets of another protocol.
func (c *checker) transport() {
	tr := c.r.Proto.Transport
	if tr != rule.UDP && tr != rule.SCTP && tr != rule.ICMP && tr != rule.ICMPv6 && tr != rule.AnyICMP {
		return
	}
	for i := range c.r.Tests {
		switch t := &c.r.Tests[i]; t.Kind {
		case rule.TestTCPFlags, rule.TestSeq, rule.TestAck, rule.TestWindow, rule.TestMSS, rule.TestWScale:
			c.warn(Never, t.Col, "write tcp in the header", "is of TCP, and the rule is for %s: it can never match", c.r.Proto.Name)
			return
		}
	}
}
