// Package decode turns a frame into packets: offsets into its bytes, tunnels
// unwrapped, fragments put together. It takes frames from capture and gives
// Packets to flow; it keeps no state but fragments, and knows nothing of flows.
package decode

import (
	"net/netip"

	"sluice/dataplane/capture"
)

// Addr is an IP address in 16 bytes, IPv4 as ::ffff:a.b.c.d. It is comparable
// and hashes without allocation.
type Addr [16]byte

// Netip gives the address as the standard library's type, IPv4 unmapped.
func (a Addr) Netip() netip.Addr { return netip.AddrFrom16(a).Unmap() }

// AddrFrom gives ip as an Addr.
func AddrFrom(ip netip.Addr) Addr { return Addr(ip.As16()) }

// IP protocol numbers (IANA) that the decoder looks into.
const (
	ProtoICMP   = 1
	ProtoIGMP   = 2
	ProtoIPIP   = 4
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoIPv6   = 41
	ProtoGRE    = 47
	ProtoESP    = 50
	ProtoAH     = 51
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
)

// TCP header flags (RFC 9293 §3.1).
const (
	TCPFin = 1 << iota
	TCPSyn
	TCPRst
	TCPPsh
	TCPAck
	TCPUrg
	TCPEce
	TCPCwr
)

// Flags tells properties of a packet.
type Flags uint16

// The packet flags.
const (
	// FlagFragment: one fragment, not put together (its payload has no ports
	// unless it is the first).
	FlagFragment Flags = 1 << iota
	// FlagReassembled: built from fragments; Data is the decoder's own buffer.
	FlagReassembled
	// FlagTunnel: carried inside another packet of the same frame.
	FlagTunnel
	// FlagTruncated: the capture or a header's length field cuts the packet.
	FlagTruncated
	// FlagBadIPChecksum and FlagBadL4Checksum: verified and wrong.
	FlagBadIPChecksum
	FlagBadL4Checksum
	// FlagInvalid: not to be taken into any flow; Events say why.
	FlagInvalid
	// FlagHasPorts: SrcPort and DstPort hold ports.
	FlagHasPorts
)

// MaxVLAN is how many VLAN tags of a frame are kept.
const MaxVLAN = 3

// MaxEvents is how many decoder events of a packet are kept; more are counted only.
const MaxEvents = 8

// Packet is one IP packet (or non-IP frame) of a frame, as offsets into Data.
// A frame with tunnels gives several, outermost first. All of it is borrowed:
// valid to the decoder's next Decode.
type Packet struct {
	Frame *capture.Frame
	// Data holds the packet's bytes: the frame's, or the reassembled datagram.
	// L3, L4 and Payload are offsets into it; PayloadEnd is one past the last
	// payload byte by the headers' lengths (padding excluded).
	Data []byte
	// L2 is where the packet's own link header begins; it equals L3 where there
	// is none (raw IP, IP in IP).
	L2         uint32
	L3, L4     uint32
	Payload    uint32
	PayloadEnd uint32

	// Time is the frame's, in nanoseconds since the epoch.
	Time int64

	Src, Dst         Addr
	SrcPort, DstPort uint16

	// EtherType of the innermost link header; 0 where there is none.
	EtherType uint16
	// VLAN holds NVLAN identifiers (12 bits), outermost first.
	VLAN  [MaxVLAN]uint16
	NVLAN uint8
	// TunnelDepth is 0 for the outermost packet. TunnelID tells tunnels apart
	// (kind, VNI, GRE key …, mixed over all levels); 0 outside of tunnels. What
	// differs between the two directions of one tunnel is left out: MPLS labels,
	// GTP tunnel endpoints, PPTP call ids.
	TunnelDepth uint8
	TunnelID    uint32

	// IPVersion is 4, 6 or 0 for a frame without IP.
	IPVersion uint8
	// Proto is the transport protocol (IANA number), after extension headers.
	Proto uint8
	TTL   uint8
	TOS   uint8
	// IPID is the IPv4 identification or the IPv6 fragment header's.
	IPID uint32
	// FragOffset in bytes; MoreFragments and DontFragment as in the header.
	FragOffset    uint16
	MoreFragments bool
	DontFragment  bool

	// TCP fields; Options in TCPOpts.
	Seq, Ack uint32
	Window   uint16
	Urgent   uint16
	TCPFlags uint8
	TCPOpts  TCPOptions
	// SPI is the security parameters index of an ESP or AH header.
	SPI       uint32
	ICMPType  uint8
	ICMPCode  uint8
	L4HdrLen  uint8
	Flags     Flags
	NEvents   uint8
	EventList [MaxEvents]Event
}

// TCPOptions holds the options that reassembly and rules need.
type TCPOptions struct {
	MSS          uint16
	WScale       uint8
	HasMSS       bool
	HasWScale    bool
	SACKOK       bool
	HasTimestamp bool
	TSVal, TSEcr uint32
}

// PayloadBytes gives the transport payload, borrowed from Data.
func (p *Packet) PayloadBytes() []byte { return p.Data[p.Payload:p.PayloadEnd] }

// Has reports whether all flags of f are set.
func (p *Packet) Has(f Flags) bool { return p.Flags&f == f }

// Events gives the packet's decoder events.
func (p *Packet) Events() []Event { return p.EventList[:p.NEvents] }
