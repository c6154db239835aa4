package smb

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dcerpc"
	"sluice/events"
)

// eveSMB is EVE's smb object.
type eveSMB struct {
	ID             uint64         `json:"id"`
	Dialect        string         `json:"dialect"`
	Command        string         `json:"command"`
	Status         string         `json:"status,omitempty"`
	StatusCode     string         `json:"status_code,omitempty"`
	SessionID      uint64         `json:"session_id"`
	TreeID         uint32         `json:"tree_id"`
	ClientDialects []string       `json:"client_dialects,omitempty"`
	ClientGUID     string         `json:"client_guid,omitempty"`
	ServerGUID     string         `json:"server_guid,omitempty"`
	Request        *eveNative     `json:"request,omitempty"`
	Response       *eveNative     `json:"response,omitempty"`
	NTLMSSP        *eveNTLM       `json:"ntlmssp,omitempty"`
	Filename       string         `json:"filename,omitempty"`
	Share          string         `json:"share,omitempty"`
	NamedPipe      string         `json:"named_pipe,omitempty"`
	Service        *eveService    `json:"service,omitempty"`
	Disposition    string         `json:"disposition,omitempty"`
	Access         string         `json:"access,omitempty"`
	SubCmd         string         `json:"subcmd,omitempty"`
	Created        *int64         `json:"created,omitempty"`
	Accessed       *int64         `json:"accessed,omitempty"`
	Modified       *int64         `json:"modified,omitempty"`
	Changed        *int64         `json:"changed,omitempty"`
	Size           *uint64        `json:"size,omitempty"`
	FUID           string         `json:"fuid,omitempty"`
	Function       string         `json:"function,omitempty"`
	Rename         *eveRename     `json:"rename,omitempty"`
	DCERPC         *dcerpc.Record `json:"dcerpc,omitempty"`
}

type eveNative struct {
	OS string `json:"native_os"`
	LM string `json:"native_lm"`
}

type eveNTLM struct {
	Domain  string `json:"domain"`
	User    string `json:"user"`
	Host    string `json:"host"`
	Version string `json:"version,omitempty"`
}

type eveService struct {
	Request  string `json:"request"`
	Response string `json:"response,omitempty"`
}

type eveRename struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// unixTime gives seconds of 1970 for tenths of microseconds of 1601; 0 stays.
func unixTime(t uint64) *int64 {
	s := int64(0)
	if t != 0 {
		s = int64(t/10_000_000) - 11_644_473_600
	}
	return &s
}

func guid(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	return fileID(b).String()
}

func nameOr(name string) string {
	if name == "" {
		return "<share_root>"
	}
	return name
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	t, ok := tx.State.(*Transaction)
	if !ok {
		return
	}
	r := &eveSMB{ID: tx.ID + 1, Dialect: dialectName(t.Dialect), Command: commandName(t.Version, t.Command), SessionID: t.Session, TreeID: t.Tree}
	if t.Dialect1 != "" {
		r.Dialect = t.Dialect1
	}
	if t.HasStatus {
		r.Status, r.StatusCode = t.status()
	}
	t.describe(r)
	ev.SetExtra("smb", r)
}

// describe fills in the transaction's own part.
func (t *Transaction) describe(r *eveSMB) {
	switch {
	case t.negotiate != nil:
		n := t.negotiate
		r.ClientDialects, r.ClientGUID, r.ServerGUID = n.dialects, guid(n.client), guid(n.server)
	case t.setup != nil:
		u := t.setup
		if u.hasNative {
			r.Request = &eveNative{u.nativeOS, u.nativeLM}
		}
		if u.hasServer {
			r.Response = &eveNative{u.serverOS, u.serverLM}
		}
		if u.ntlm != nil {
			r.NTLMSSP = &eveNTLM{u.ntlm.domain, u.ntlm.user, u.ntlm.host, u.ntlm.version}
		}
	case t.connect != nil:
		c := t.connect
		if c.pipe {
			r.NamedPipe = c.name
		} else {
			r.Share = c.name
		}
		if c.service != "" {
			r.Service = &eveService{c.service, c.gotService}
		}
	case t.create != nil:
		c := t.create
		r.Filename, r.Disposition, r.Access = nameOr(c.name), dispositionName(c.disposition), access(c.deleteOnClose)
		if c.opened {
			size := c.size
			r.Created, r.Accessed, r.Modified, r.Changed = unixTime(c.created), unixTime(c.accessed), unixTime(c.modified), unixTime(c.changed)
			r.Size, r.FUID = &size, c.id.String()
		}
	case t.transfer != nil:
		r.Filename, r.Share, r.FUID = t.transfer.name, t.transfer.share, t.transfer.id.String()
	case t.rename != nil:
		r.Rename, r.FUID = &eveRename{t.rename.from, t.rename.to}, t.rename.id.String()
	case t.setInfo != nil:
		r.Filename, r.Access, r.SubCmd, r.FUID = t.setInfo.name, access(t.setInfo.deleteOnClose), t.setInfo.sub, t.setInfo.id.String()
	case t.ioctl != nil:
		r.Function = fsctlName(*t.ioctl)
	case t.call != nil:
		r.DCERPC = t.call.Describe("UNREPLIED")
		if r.DCERPC.Req != nil {
			opnum := t.call.Opnum
			r.DCERPC.Opnum = &opnum
		}
	}
}

func access(deleteOnClose bool) string {
	if deleteOnClose {
		return "delete on close"
	}
	return "normal"
}

var logSMB = []string{"smb"}

// Log implements protocol.Parser. Configuration may choose among the kinds.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if t, ok := tx.State.(*Transaction); !ok || p.records != 0 && p.records&t.kind() == 0 {
		return nil
	}
	return logSMB
}

// kind tells what a transaction is of, for the choice of records.
func (t *Transaction) kind() protocol.SMBRecords {
	switch {
	case t.negotiate != nil:
		return protocol.SMBNegotiate
	case t.setup != nil:
		return protocol.SMBSessionSetup
	case t.connect != nil:
		return protocol.SMBTreeConnect
	case t.create != nil:
		return protocol.SMBCreate
	case t.transfer != nil:
		return protocol.SMBFile
	case t.rename != nil:
		return protocol.SMBRename
	case t.setInfo != nil:
		return protocol.SMBSetInfo
	case t.ioctl != nil:
		return protocol.SMBIoctl
	case t.call != nil:
		return protocol.SMBCall
	}
	return protocol.SMBGeneric
}
