package rule

import (
	"slices"
	"strings"

	"sluice/dataplane/protocol"
)

const filestoreUsage = "write filestore; or filestore:DIRECTION; or filestore:DIRECTION,SCOPE; where DIRECTION is request, response, to_server, to_client or both and SCOPE file, tx, ssn or flow"

// filestore parses which files a match has stored. The rule is one of files then:
// it matches where there is one.
func (c *context) filestore(_, val string) error {
	if c.r.Filestore != nil {
		return faultf("is given twice")
	}
	s := &Filestore{}
	if val != "" {
		parts := fieldsOf(val)
		if len(parts) > 2 {
			return faultf("has %d parts; %s", len(parts), filestoreUsage)
		}
		switch strings.ToLower(parts[0]) {
		case "request", "to_server":
			s.Dirs = protocol.DirsToServer
		case "response", "to_client":
			s.Dirs = protocol.DirsToClient
		case "both":
			s.Dirs = protocol.DirsBoth
		default:
			return faultf("%q is no direction%s; %s", clip(parts[0]), didYouMean(parts[0], []string{"request", "response", "to_server", "to_client", "both"}), filestoreUsage)
		}
		if len(parts) == 2 {
			switch strings.ToLower(parts[1]) {
			case "file":
			case "tx":
				s.Scope = ScopeTx
			case "ssn", "flow":
				s.Scope = ScopeFlow
			default:
				return faultf("%q is no scope%s; %s", clip(parts[1]), didYouMean(parts[1], []string{"file", "tx", "ssn", "flow"}), filestoreUsage)
			}
		}
	}
	c.r.Filestore, c.storeCol = s, c.col
	c.r.Files = append(c.r.Files, FileTest{Keyword: "filestore"})
	return nil
}

// carriers are the protocols whose parsers give files.
var carriers = []protocol.ID{protocol.HTTP1, protocol.HTTP2, protocol.SMTP, protocol.IMAP, protocol.POP3, protocol.FTPData, protocol.SMB, protocol.TFTP, protocol.NFS}

// finishFilestore refuses rules whose protocol has no files.
func (c *context) finishFilestore() error {
	r := c.r
	if r.Filestore == nil {
		return nil
	}
	at := func(msg string) error { return &fault{col: c.storeCol, keyword: "filestore", msg: msg} }
	if len(r.Proto.Apps) > 0 && !slices.ContainsFunc(r.Proto.Apps, func(id protocol.ID) bool { return slices.Contains(carriers, id) }) {
		return at("the protocol " + r.Proto.Name + " carries no files")
	}
	if !r.Transactional && (r.Flow.ToServer && r.Filestore.Dirs == protocol.DirsToClient || r.Flow.ToClient && r.Filestore.Dirs == protocol.DirsToServer) && r.Filestore.Scope == ScopeDefault {
		return at("names the direction that flow excludes, and only the file that matched is meant: nothing would be stored; use the scope tx or flow")
	}
	return nil
}
