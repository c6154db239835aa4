// Package expect remembers connections that one flow announces and another
// flow will be: the data connections of FTP, the flows of TFTP's files. The parser of the announcing flow
// gives announcements, the worker adds addresses and asks the table at a TCP
// flow's first bytes: at its first packet the announcement may not have been
// read, where data is inspected once it is acknowledged. It knows no protocol
// beyond that and no flows; it imports nothing of the program, so that every
// layer may use it.
package expect

import (
	"net/netip"
	"sync/atomic"
)

// Transfer is what the announcing flow says of the content that is to come.
// It does not change once it is given to a Hint.
type Transfer struct {
	// Command is the command's name in capitals: "RETR".
	Command string
	// Name is the file name as sent; empty for listings.
	Name string
	// File tells that the content is a file, not a listing.
	File bool
	// Start is the offset of the content's first byte within the whole file.
	Start uint64
	// Deflated tells that the content is sent as a zlib stream (FTP's MODE Z).
	Deflated bool
	// User is who had logged in when it was asked for; empty where that is not known.
	User string
}

// Hint links the announcing flow with the expected one, which may be other
// workers' flows. It is safe for concurrent use.
type Hint struct {
	parent   atomic.Uint64
	transfer atomic.Pointer[Transfer]
	// keys are the table's, under the locks of their shards.
	keys [2]key
	n    int
}

// SetTransfer says what comes next. The command is mostly given after the
// connection was announced and often after it was opened, therefore a pointer
// to the hint is handed on rather than its content.
func (h *Hint) SetTransfer(t *Transfer) { h.transfer.Store(t) }

// Transfer gives what was said last, nil before the first command.
func (h *Hint) Transfer() *Transfer { return h.transfer.Load() }

// Parent gives the announcing flow's id (EVE's parent_id), 0 where it is unknown.
func (h *Hint) Parent() uint64 { return h.parent.Load() }

// Announcement is what a parser knows of the connection that is to come.
type Announcement struct {
	// Passive tells that the server of the announcing flow listens and its
	// client connects; else it is the other way round.
	Passive bool
	// Addr is the address announced for the listener. Invalid where none was:
	// the listener's own address holds, and it holds besides any other one.
	Addr netip.Addr
	// Port is where the listener listens.
	Port uint16
	// UDP tells that datagrams are expected rather than a connection: files of
	// TFTP.
	UDP bool
	// Hint is what the expected flow's parser gets; not nil. A hint is announced
	// once; a new announcement takes a new hint.
	Hint *Hint
}

// Announcer takes announcements. The worker's object sink implements it where
// data connections are followed; a parser asks Env.Objects for it.
type Announcer interface {
	// Announce expects a connection between the ends of the current flow.
	Announce(a Announcement)
	// Renew puts off the expiry of what was announced with the hint.
	Renew(h *Hint)
	// Withdraw takes back what was announced with the hint. Flows that have it
	// already keep it.
	Withdraw(h *Hint)
}

// Control describes the announcing flow.
type Control struct {
	// Scope keeps networks with the same addresses apart (VLAN, tunnel).
	Scope uint64
	// Client and Server are the flow's ends.
	Client, Server netip.Addr
	// Flow is the flow's id.
	Flow uint64
}
