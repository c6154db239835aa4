package rule

import "fmt"

// replace parses the bytes that take the place of the first ones of the content
// before it, in the packet and inline only. There can be as many as the content
// has, or fewer: a packet keeps its length.
func (c *context) replace(_, val string) error {
	it, err := c.item()
	if err != nil {
		return err
	}
	if c.base64 != nil || c.name != "" || c.last.list >= 0 && c.r.Lists[c.last.list].Name != "" {
		return faultf("only the payload of a packet can be rewritten, no other buffer")
	}
	v, neg, err := unquote(val)
	if err != nil {
		return err
	}
	if neg {
		return faultf("cannot be negated")
	}
	b, err := parseContent(v)
	switch {
	case err != nil:
		return err
	case it.Neg:
		return faultf("cannot follow a negated content: there is nothing to replace")
	case it.Replace != nil:
		return faultf("is given twice for the same content")
	case len(b) > len(it.Pattern):
		return faultf("has %d bytes and the content %d: a packet cannot grow", len(b), len(it.Pattern))
	}
	it.Replace = b
	c.r.Replaces, c.replaceCol = true, c.col
	return nil
}

// finishReplace refuses rules in which a replacement could never be made: it is
// made in a packet that is at hand and goes on.
func (c *context) finishReplace() error {
	r := c.r
	if !r.Replaces {
		return nil
	}
	at := func(format string, args ...any) error {
		return &fault{col: c.replaceCol, keyword: "replace", msg: fmt.Sprintf(format, args...)}
	}
	for i := range r.Lists {
		l := &r.Lists[i]
		if l.Name == "" {
			continue
		}
		for k := range l.Items {
			if l.Items[k].Replace != nil {
				return at("only the payload of a packet can be rewritten, and the content is in %s", l.Name)
			}
		}
		if l.Local == NotLocal {
			return at("cannot be combined with %s: when a buffer of the protocol is known, the packets it came in may have gone", l.Name)
		}
	}
	switch {
	case len(r.Fields) > 0 || len(r.AppEvents) > 0 || len(r.Files) > 0 || r.Proto.Hook != "":
		return at("cannot be combined with tests of a transaction: when they hold, the packets it came in may have gone")
	case r.Proto.StreamOnly || r.Flow.OnlyStream:
		return at("rewrites packets, and the rule looks at the stream alone")
	case r.Flow.OnlyFrag:
		return at("cannot rewrite what came in fragments, and the rule asks for these")
	case r.Action != Alert && r.Action != Pass:
		return at("rewrites a packet that goes on, and the action is %s: use alert or pass", r.Action)
	}
	return nil
}
