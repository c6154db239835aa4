package smb

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dcerpc"
)

// Transaction is the State of a transaction: what both versions have in common,
// and one of the parts below.
type Transaction struct {
	Version  uint8
	Command  uint16
	Session  uint64
	Tree     uint32
	Dialect  uint16
	Dialect1 string
	// Status is the server's, where HasStatus; DOS tells that it is an error
	// class and code of version 1.
	Status    uint32
	HasStatus bool
	DOS       bool

	negotiate *negotiate
	setup     *setup
	connect   *connect
	create    *create
	transfer  *transfer
	rename    *rename
	setInfo   *setInfo
	ioctl     *uint32
	call      *dcerpc.Call
	// user, domain and share are what the buffers show.
	user, domain, share []byte
}

type negotiate struct {
	dialects       []string
	client, server []byte
}

// setup is a session setup.
type setup struct {
	ntlm                 *ntlm
	nativeOS, nativeLM   string
	serverOS, serverLM   string
	hasNative, hasServer bool
}

// connect is a tree connect.
type connect struct {
	name                string
	pipe                bool
	service, gotService string
}

// create is the opening of a file.
type create struct {
	name                                 string
	disposition                          uint32
	deleteOnClose                        bool
	created, accessed, modified, changed uint64
	size                                 uint64
	id                                   fileID
	opened                               bool
}

// transfer is content of a file in one direction.
type transfer struct {
	name, share string
	id          fileID
}

type rename struct {
	from, to string
	id       fileID
}

// setInfo is a change of a file's properties.
type setInfo struct {
	name          string
	deleteOnClose bool
	sub           string
	id            fileID
}

// Field gives the numbers of keywords: smb.version, and the opnum of a call.
func (t *Transaction) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	switch {
	case name == "smb.version":
		return uint64(t.Version), i == 0 && t.Version != 0
	case t.call != nil:
		return t.call.Field(name, dir, i)
	}
	return 0, false
}

// LittleEndian gives the byte order of a call's sender (the dce option of byte
// keywords).
func (t *Transaction) LittleEndian(dir protocol.Dir) bool {
	return t.call != nil && t.call.LittleEndian(dir)
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	t, ok := tx.State.(*Transaction)
	if !ok {
		return nil, false
	}
	if id.Protocol() == protocol.DCERPC {
		if t.call == nil {
			return nil, false
		}
		return t.call.Buffer(id.Slot(), dir, i)
	}
	if i != 0 || dir != protocol.ToServer || id.Protocol() != protocol.SMB {
		return nil, false
	}
	var b []byte
	switch id.Slot() {
	case slotNamedPipe:
		if t.connect != nil && t.connect.pipe {
			b = t.share
		}
	case slotShare:
		if t.connect != nil && !t.connect.pipe {
			b = t.share
		}
	case slotUser:
		b = t.user
	case slotDomain:
		b = t.domain
	}
	return b, len(b) > 0
}
