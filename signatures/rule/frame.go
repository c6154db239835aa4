package rule

import (
	"slices"
	"strings"

	"sluice/dataplane/protocol"
)

// knownFrames are the kinds of frames that the language has, by protocol as rule
// headers call it. Those that no parser announces are known and not evaluated.
// Every protocol over TCP has "stream" as well.
var knownFrames = map[string]string{
	"http1": "request response", "http2": "pdu hdr data", "dns": "pdu", "tls": "pdu hdr data alert heartbeat ssl2.hdr ssl2.pdu",
	"smtp": "command_line data response_line", "dcerpc": "pdu hdr data", "mqtt": "pdu header data", "ssh": "record.hdr record.data record.pdu",
	"smb":    "nbss.pdu nbss.hdr nbss.data smb1.pdu smb1.hdr smb1.data smb2.pdu smb2.hdr smb2.data smb3.pdu smb3.hdr smb3.data",
	"telnet": "pdu ctl data", "ldap": "pdu", "websocket": "header pdu data", "rfb": "pdu", "imap": "pdu headers body", "pop3": "", "ftp": "", "pgsql": "",
	"sip":  "pdu request.line response.line request.headers response.headers request.body response.body",
	"nfs":  "rpc.pdu rpc.hdr rpc.data rpc.creds nfs.pdu nfs.status nfs4.pdu nfs4.hdr nfs4.ops nfs4.status",
	"enip": "hdr data pdu cip enip.item", "modbus": "", "quic": "",
}

// frame makes a kind of frames the buffer in force: by its name alone where the
// header says which protocol is meant, else after the protocol's.
func (c *context) frame(_, val string) error {
	if t := c.r.Proto.Transport; t != AnyIP && t != TCP && t != UDP {
		return faultf("frames are of protocols over TCP and UDP: the header says %s", c.r.Proto.Name)
	}
	val = strings.Trim(val, `"`)
	for _, id := range c.r.Proto.Apps {
		if c.frameOf(id, val) {
			return nil
		}
	}
	proto, name, _ := strings.Cut(val, ".")
	id, found := protocol.Unknown, false
	if c.env.Proto != nil {
		id, found = c.env.Proto(proto)
	}
	if found && c.frameOf(id, name) {
		return nil
	}
	// The name is known, perhaps, of a protocol without a parser that has it.
	var offered []string
	for _, app := range c.r.Proto.Apps {
		names := c.frameNames(app)
		if slices.Contains(names, val) {
			return c.lacksFrame(val)
		}
		offered = append(offered, names...)
	}
	if found {
		names := c.frameNames(id)
		if slices.Contains(names, name) {
			return c.lacksFrame(val)
		}
		for _, n := range names {
			offered = append(offered, proto+"."+n)
		}
	}
	if !found && len(c.r.Proto.Apps) == 0 {
		for p, names := range knownFrames {
			for n := range strings.FieldsSeq(names) {
				offered = append(offered, p+"."+n)
			}
			offered = append(offered, p+".stream")
		}
		slices.Sort(offered)
	}
	hint := didYouMean(val, offered)
	if hint == "" {
		hint = "; a frame is named by its protocol and kind, as tls.pdu is"
	}
	return faultf("unknown frame %q%s", clip(val), hint)
}

// lacksFrame answers for a frame that the language has and no parser.
func (c *context) lacksFrame(val string) error {
	c.setBuffer("frame:"+val, protocol.BufferSpec{}, NotLocal)
	return unevaluated("frame " + clip(val))
}

// frameOf makes a protocol's kind of frames the buffer in force; false where it
// has none of the name.
func (c *context) frameOf(id protocol.ID, name string) bool {
	if c.env.Definition == nil {
		return false
	}
	d := c.env.Definition(id)
	if d == nil {
		return false
	}
	t, s, ok := d.Frame(name)
	if !ok {
		return false
	}
	full := "frame:" + frameProto(id) + "." + name
	c.setBuffer(full, protocol.BufferSpec{ID: protocol.FrameBuffer(id, t), Name: full, Dirs: s.Dirs, Multi: true}, NotLocal)
	return true
}

// frameProto is how the names of frames call a protocol.
func frameProto(id protocol.ID) string {
	if id == protocol.HTTP1 {
		return "http1"
	}
	return id.String()
}

// frameNames gives the kinds of frames that the language or the program has of a
// protocol.
func (c *context) frameNames(id protocol.ID) []string {
	names := append(strings.Fields(knownFrames[frameProto(id)]), "stream")
	if c.env.Definition != nil {
		if d := c.env.Definition(id); d != nil {
			for _, s := range d.Frames {
				if !slices.Contains(names, s.Name) {
					names = append(names, s.Name)
				}
			}
		}
	}
	return names
}

// finishFrame refuses what cannot be told of one frame.
func (c *context) finishFrame() error {
	r := c.r
	var first *List
	for i := range r.Lists {
		if _, ok := r.Lists[i].Buffer.ID.Frame(); ok {
			first = &r.Lists[i]
			break
		}
	}
	if first == nil {
		return nil
	}
	if r.Transactional {
		return &fault{col: first.Col, keyword: first.Name, msg: "a frame is of one direction: it cannot be in a rule with =>"}
	}
	if id := first.Buffer.ID.Protocol(); len(r.Proto.Apps) > 0 && !slices.Contains(r.Proto.Apps, id) {
		return c.atProto("the rule is for %s, and the frame of %s: it can never match", r.Proto.Name, frameProto(id))
	}
	with := ""
	for i := range r.Lists {
		switch l := &r.Lists[i]; {
		case l.Local != NotLocal:
		case l.Name == "":
			with = "the payload"
		case l.Buffer.ID != first.Buffer.ID:
			with = l.Name
		case l.Absent != AbsentFails:
			return &fault{col: l.Col, keyword: l.Name, msg: "absent cannot be asked of frames: only those that are there are looked at"}
		}
	}
	switch {
	case with != "":
	case len(r.Fields) > 0:
		with = r.Fields[0].Keyword
	case len(r.AppEvents) > 0:
		with = "app-layer-event"
	case len(r.Files) > 0:
		with = r.Files[0].Keyword
	case r.Proto.Hook != "":
		with = "a hook in the header"
	}
	if with != "" && c.missing == nil {
		c.missing = unevaluated(first.Name + " together with " + with)
		c.missingCol, c.missingKw = first.Col, "frame"
	}
	return nil
}
