package nfs

import (
	"fmt"
	"hash/crc32"
	"strconv"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// eveNFS is EVE's nfs object.
type eveNFS struct {
	Version   uint32       `json:"version"`
	Procedure string       `json:"procedure"`
	Filename  string       `json:"filename"`
	HHash     string       `json:"hhash,omitempty"`
	ID        uint64       `json:"id"`
	FileTx    bool         `json:"file_tx"`
	Type      string       `json:"type"`
	Status    string       `json:"status"`
	Rename    *eveRename   `json:"rename,omitempty"`
	Read      *eveTransfer `json:"read,omitempty"`
	Write     *eveTransfer `json:"write,omitempty"`
}

type eveRename struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type eveTransfer struct {
	First   bool   `json:"first"`
	Last    bool   `json:"last"`
	LastXID uint32 `json:"last_xid"`
	Chunks  uint64 `json:"chunks"`
}

// eveRPC is EVE's rpc object.
type eveRPC struct {
	XID      uint32          `json:"xid"`
	Status   string          `json:"status"`
	AuthType string          `json:"auth_type"`
	Creds    *eveCredentials `json:"creds,omitempty"`
}

type eveCredentials struct {
	Machine string `json:"machine_name"`
	UID     uint32 `json:"uid"`
	GID     uint32 `json:"gid"`
}

var authNames = map[uint32]string{authNull: "NULL", authUnix: "UNIX", 2: "SHORT", 3: "DH", authGSS: "GSS"}

// Mask lets mask replace values in names.
func (e *eveNFS) Mask(mask func([]byte) []byte) {
	e.Filename = string(mask([]byte(e.Filename)))
	if e.Rename != nil {
		e.Rename.From, e.Rename.To = string(mask([]byte(e.Rename.From))), string(mask([]byte(e.Rename.To)))
	}
}

// Mask lets mask replace values in what a caller says of itself.
func (e *eveRPC) Mask(mask func([]byte) []byte) {
	if e.Creds != nil {
		e.Creds.Machine = string(mask([]byte(e.Creds.Machine)))
	}
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	t, ok := tx.State.(*Transaction)
	if !ok || t.Version == 0 {
		return
	}
	r := &eveNFS{Version: t.Version, Procedure: procedureName(t.Version, t.Procedure), Filename: t.name, ID: tx.ID + 1,
		FileTx: t.kind == kRead || t.kind == kWrite, Type: "response", Status: statusName(t.status)}
	if len(t.handle) > 0 {
		r.HHash = fmt.Sprintf("%08x", crc32.ChecksumIEEE(t.handle))
	}
	moved := &eveTransfer{First: true, Last: t.last, Chunks: t.chunks, LastXID: t.lastXID}
	switch t.kind {
	case kRename:
		r.Rename = &eveRename{t.name, t.to}
	case kRead:
		r.Read = moved
	case kWrite:
		r.Write = moved
	}
	ev.SetExtra("nfs", r)
	rpc := &eveRPC{XID: t.XID, Status: "ACCEPTED", AuthType: authNames[t.cred.flavor]}
	if t.denied {
		rpc.Status = "DENIED"
	}
	if rpc.AuthType == "" {
		rpc.AuthType = strconv.FormatUint(uint64(t.cred.flavor), 10)
	}
	if t.cred.flavor == authUnix {
		rpc.Creds = &eveCredentials{t.cred.machine, t.cred.uid, t.cred.gid}
	}
	ev.SetExtra("rpc", rpc)
}

var logNFS = []string{"nfs"}

// Log implements protocol.Parser. Clients ask for attributes all the time.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if t, ok := tx.State.(*Transaction); !ok || t.Version == 0 || t.kind == kGetAttr {
		return nil
	}
	return logNFS
}
