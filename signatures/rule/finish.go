package rule

import (
	"bytes"
	"fmt"
	"slices"

	"sluice/dataplane/protocol"
)

const noTest = "no test follows this buffer"

// finish checks the rule as a whole.
func (c *context) finish() error {
	r := c.r
	if r.SID == 0 {
		return &fault{keyword: "sid", msg: "is missing: every rule needs a number of its own"}
	}
	if r.Classtype != "" && c.env.Classes != nil {
		if cl, ok := c.env.Classes[r.Classtype]; ok {
			r.Category = cl.Description
			if r.Priority == 0 {
				r.Priority = cl.Priority
			}
		}
	}
	if r.Priority == 0 {
		r.Priority = 3
	}
	// Lists can be empty after an old modifier has taken the content away.
	keep := r.Lists[:0]
	for _, l := range r.Lists {
		if len(l.Items) > 0 || l.Absent != AbsentFails {
			keep = append(keep, l)
		}
	}
	r.Lists = keep
	// To describe a file costs more than all else that can be asked of it.
	slices.SortStableFunc(r.Files, func(a, b FileTest) int {
		switch am, bm := a.Keyword == "filemagic", b.Keyword == "filemagic"; {
		case am == bm:
			return 0
		case am:
			return 1
		}
		return -1
	})
	if c.idle == nil {
		c.idle = c.untested()
	}
	if c.idle != nil {
		return c.idle
	}
	for i := range r.Lists {
		if err := c.finishList(&r.Lists[i]); err != nil {
			return err
		}
	}
	if err := c.finishFrame(); err != nil {
		return err
	}
	if err := c.finishConfig(); err != nil {
		return err
	}
	if err := c.finishReplace(); err != nil {
		return err
	}
	if err := c.finishProto(); err != nil {
		return err
	}
	return c.finishFilestore()
}

// untested is the error of a sticky buffer or a transformation after which nothing
// is tested; nil where something is.
func (c *context) untested() error {
	switch {
	case c.name == "" || c.list >= 0 || c.base64 != nil:
	case len(c.transforms) > 0:
		return &fault{col: c.lastSet, keyword: c.transforms[len(c.transforms)-1].Name, msg: "no test follows this transformation"}
	case !slices.ContainsFunc(c.r.Lists, func(l List) bool { return l.Name == c.name }):
		return &fault{col: c.lastSet, keyword: c.name, msg: noTest}
	}
	return nil
}

// hashForm brings contents into the form in which their buffer holds hashes and
// numbers, as Suricata does: rules write them in either case.
func hashForm(l *List) {
	if len(l.Transforms) > 0 {
		return
	}
	for i := range l.Items {
		it := &l.Items[i]
		if it.Op != OpContent {
			continue
		}
		switch l.Name {
		case "ja3.hash", "ja3s.hash", "ssh.hassh", "ssh.hassh.server", "tls.cert_fingerprint":
			it.Pattern = bytes.ToLower(it.Pattern)
		case "tls.cert_serial":
			it.Pattern = bytes.ToUpper(it.Pattern)
		}
	}
}

func (c *context) finishList(l *List) error {
	hashForm(l)
	if err := finishItems(l.Items); err != nil {
		return err
	}
	at := func(format string, args ...any) error {
		return &fault{col: l.Col, keyword: l.Name, msg: fmt.Sprintf(format, args...)}
	}
	if l.Local != NotLocal || l.Name == "" {
		return nil
	}
	d := l.Buffer.Dirs
	if d != 0 && !c.r.Transactional {
		if c.r.Flow.ToServer && !d.Has(protocol.ToServer) {
			return at("is filled by the server's answer, and flow asks for to_server: it can never match")
		}
		if c.r.Flow.ToClient && !d.Has(protocol.ToClient) {
			return at("is filled by the client's request, and flow asks for to_client: it can never match")
		}
	}
	if l.Buffer.Body && l.Buffer.ID == protocol.BufFileMagic {
		c.needMagic(l.Name, l.Col)
	}
	if p := l.Buffer.ID.Protocol(); p != protocol.Any && l.Buffer.Name != "" {
		c.needApps = append(c.needApps, p)
	}
	return nil
}

func finishItems(items []Item) error {
	for i := range items {
		it := &items[i]
		if i > 0 && it.Relative {
			// The occurrence to try again is the positive test before.
			for j := i - 1; j >= 0; j-- {
				if !items[j].Neg {
					items[j].RelativeNext = true
					break
				}
			}
		}
		if it.Op == OpContent {
			if it.FastPattern && it.Neg && (it.HasOffset || it.HasDepth || it.HasDistance || it.HasWithin) {
				return &fault{col: it.Col, keyword: "fast_pattern", msg: "cannot be on a negated content with a position"}
			}
			if it.HasOffset && it.HasDepth && it.Offset.Var == 0 && it.Depth.Var == 0 && !it.StartsWith && it.Depth.V < int64(len(it.Pattern)) {
				return &fault{col: it.Col, keyword: "depth", msg: "is less than the content's length: it can never match"}
			}
		}
		if it.Base64 != nil {
			if err := finishItems(it.Base64.Items); err != nil {
				return err
			}
		}
	}
	return nil
}

// finishProto brings the header's protocol and what the buffers need together.
func (c *context) finishProto() error {
	r := c.r
	for _, id := range c.needApps {
		if len(r.Proto.Apps) > 0 {
			if !compatible(r.Proto.Apps, id) {
				return c.atProto("the rule is for %s, and its keywords for %s: it can never match", r.Proto.Name, id)
			}
			// http as a header covers two protocols; a buffer may settle which.
			var both []protocol.ID
			for _, s := range speakers(id) {
				if slices.Contains(r.Proto.Apps, s) {
					both = append(both, s)
				}
			}
			if len(both) > 0 {
				r.Proto.Apps = both
			}
			continue
		}
		switch r.Proto.Transport {
		case AnyIP, TCP, UDP:
		default:
			return c.atProto("the rule is for %s, and its keywords for %s: it can never match", r.Proto.Name, id)
		}
		if r.Proto.PacketOnly {
			return c.atProto("tcp-pkt cannot be combined with keywords of %s", id)
		}
		r.Proto.Apps = speakers(id)
	}
	return nil
}

// atProto is an error about the header's protocol.
func (c *context) atProto(format string, args ...any) error {
	return &fault{col: c.protoCol, msg: fmt.Sprintf(format, args...)}
}

// speakers gives the protocols that fill the buffers of id: HTTP/2 fills those of
// HTTP/1, SMB those of DCE/RPC, and DNS over HTTP/2 those of DNS.
func speakers(id protocol.ID) []protocol.ID {
	if id == protocol.HTTP1 {
		return []protocol.ID{protocol.HTTP1, protocol.HTTP2}
	}
	if id == protocol.DCERPC {
		return []protocol.ID{protocol.DCERPC, protocol.SMB}
	}
	if id == protocol.DNS {
		return []protocol.ID{protocol.DNS, protocol.DoH2}
	}
	return []protocol.ID{id}
}

func compatible(apps []protocol.ID, id protocol.ID) bool {
	if slices.Contains(apps, id) {
		return true
	}
	// A QUIC hello fills TLS buffers, DNS over HTTPS the ones of DNS.
	return slices.Contains(apps, protocol.DoH2) && (id == protocol.DNS || id == protocol.HTTP1) || slices.Contains(apps, protocol.QUIC) && id == protocol.TLS || slices.Contains(apps, protocol.MDNS) && id == protocol.DNS ||
		slices.Contains(apps, protocol.LLMNR) && id == protocol.DNS || slices.Contains(apps, protocol.HTTP2) && id == protocol.HTTP1 ||
		slices.Contains(apps, protocol.DoH2) && id == protocol.HTTP2 || slices.Contains(apps, protocol.DCERPC) && id == protocol.SMB ||
		slices.Contains(apps, protocol.SMB) && id == protocol.DCERPC
}
