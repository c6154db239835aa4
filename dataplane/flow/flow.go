// Package flow keeps the state of conversations. It takes packets and gives
// each its Flow and direction; it times idle flows out. A Table belongs to one
// worker and needs no lock. It knows nothing of rules, policies or events.
package flow

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
	"sluice/dataplane/verdict"
)

// Key identifies a flow in user space and, with the same bytes in the same
// order, in the kernel's maps (bpf/include/sluice_maps.h: struct flow_key). The
// lower (address, port) pair comes first, so that both directions give one key.
type Key struct {
	Addr [2]decode.Addr
	Port [2]uint16
	// VLAN is the outermost and the second tag's identifier, 0 without.
	VLAN   [2]uint16
	Tunnel uint32
	Proto  uint8
	// IPVersion keeps IPv4-mapped IPv6 addresses apart from IPv4.
	IPVersion uint8
	_         [2]uint8
}

// State is a flow's life stage, as EVE's flow.state tells it.
type State uint8

// The states of a flow.
const (
	StateNew State = iota
	StateEstablished
	StateClosed
	StateBypassed
)

// String gives EVE's flow.state.
func (s State) String() string {
	return [...]string{"new", "established", "closed", "bypassed"}[s]
}

// Flow is one conversation. All times are packet times in nanoseconds.
type Flow struct {
	// What every packet reads and writes comes first, in as few cache lines as
	// it takes.

	Key  Key
	Last int64
	// State, and the transport protocol and IP version of the key.
	State     State
	Proto     uint8
	IPVersion uint8
	// ClientIsLow tells that Client is Key.Addr[0].
	ClientIsLow bool
	// TCPFlags collects the flags seen by direction.
	TCPFlags [2]uint8
	// MinTTL and MaxTTL by direction.
	MinTTL, MaxTTL [2]uint8
	// ICMPAnswer is the type and code of the newest message to the client of an ICMP
	// flow.
	ICMPAnswer [2]uint8
	// Pkts and Bytes count frames and their wire bytes by direction.
	Pkts, Bytes [2]uint64

	// ID is the deterministic hash of key and start time (EVE's flow_id).
	ID    uint64
	Start int64
	// Client and Server are the ends: the first packet's source and destination,
	// unless the TCP handshake tells otherwise. For ICMP the ports hold type and code.
	Client, Server         decode.Addr
	ClientPort, ServerPort uint16
	VLAN                   [decode.MaxVLAN]uint16
	NVLAN                  uint8
	// Port is the capture port of the first packet.
	Port uint8
	// FirstNum is the number of the first frame.
	FirstNum uint64

	// TCP is the connection; nil for other protocols.
	TCP *stream.Session
	// App is the application layer.
	App protocol.Session

	// Verdict is the strongest decision so far.
	Verdict verdict.Verdict
	// PassRules tells that a pass rule silenced the signatures of this flow.
	PassRules bool
	// WouldDrop tells that a rule would have dropped the flow, of a replay that
	// drops nothing.
	WouldDrop bool
	// Completing tells that the packet in work is the bare ACK that completes the
	// handshake: to rules the connection is established from the next one on.
	Completing bool
	// Alerted tells that an alert was written for the flow.
	Alerted bool
	// Quiet tells that a rule keeps the flow's record from being written,
	// QuietTxs those of its transactions.
	Quiet, QuietTxs bool
	// Store tells the directions of which a rule wants all files stored.
	Store [2]bool
	// Detect, Inspect and Enforce are the states that the rule engine, the
	// worker and enforcement keep with a flow; nil until needed.
	Detect, Inspect, Enforce any

	// next and prev, bucket links and the table's own fields follow.
	table entry
}

// entry is what the table keeps in a flow. Links are flow indexes plus one; 0
// ends a list.
type entry struct {
	hash uint64
	// due is the tick of the wheel's slot that the flow is in; since is when it
	// entered its state's list (packet time).
	due   int64
	since int64
	// self is the flow's own index.
	self uint32
	// wheelNext and wheelPrev link flows of a slot, ageNext and agePrev those of
	// a state by time of entry.
	wheelNext, wheelPrev uint32
	ageNext, agePrev     uint32
	live                 bool
}

// DirOf gives the direction of a packet of this flow.
func (f *Flow) DirOf(p *decode.Packet) protocol.Dir {
	if p.Src != f.Client {
		return protocol.ToClient
	}
	if p.Flags&decode.FlagHasPorts != 0 && p.SrcPort != f.ClientPort {
		return protocol.ToClient
	}
	if p.Src == f.Server && (f.Proto == decode.ProtoICMP || f.Proto == decode.ProtoICMPv6) {
		_, low, _ := KeyOf(p, true)
		return f.dir(low) // a host that talks to itself
	}
	return protocol.ToServer
}

// dir gives the direction of a packet whose source is the key's lower end, or
// is not.
func (f *Flow) dir(low bool) protocol.Dir {
	if low == f.ClientIsLow {
		return protocol.ToServer
	}
	return protocol.ToClient
}
