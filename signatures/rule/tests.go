package rule

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// Local names the buffers that are taken from the packet itself.
type Local uint8

// The packet's own buffers.
const (
	NotLocal Local = iota
	LocalIPv4Hdr
	LocalIPv6Hdr
	LocalTCPHdr
	LocalUDPHdr
	LocalICMPv4Hdr
	LocalICMPv6Hdr
	LocalIPSrc
	LocalIPDst
	LocalTCPOpts
)

// TestKind is a kind of Test.
type TestKind uint8

// The tests on a packet or a flow.
const (
	TestDsize TestKind = iota
	TestTCPFlags
	TestTTL
	TestTOS
	TestIPID
	TestSeq
	TestAck
	TestWindow
	TestICMPType
	TestICMPCode
	TestICMPID
	TestICMPSeq
	TestFragBits
	TestFragOffset
	TestIPProto
	TestSameIP
	TestIPOpts
	TestMSS
	TestWScale
	TestICMPv6MTU
	TestStreamSize
	TestFlowAge
	TestFlowPkts
	TestFlowBytes
	TestVLAN
	TestVLANLayers
	TestAppProto
	TestDecodeEvent
	TestStreamEvent
	TestChecksum
	TestRPC
	TestL3Proto
	// TestIPRep: What is the category of reputation, Which the side (any, src,
	// dst or both), Neg asks that there is no reputation at all.
	TestIPRep
	// TestGeoIP: What are two-letter country codes, one after the other, Which the
	// side (any, src, dst or both), Neg asks for none of them.
	TestGeoIP
	// TestAppEvent: recognition of the protocol saw an anomaly; Option is the
	// bit of protocol.SessionEvents.
	TestAppEvent
)

// Test is a test on a packet or its flow.
type Test struct {
	Kind TestKind
	Int  IntTest
	Neg  bool
	// Flags, Ignore and Mode are of tcp flags ('+', '*', '!' or 0 for exact)
	// and fragbits.
	Flags, Ignore, Mode uint8
	// Dir picks a direction (0 either, 1 to server, 2 to client, 3 both) of
	// stream_size, flow.pkts and flow.bytes.
	Dir   uint8
	Layer int8
	App   protocol.ID
	Event decode.Event
	// Which of the flow's protocols is meant: either, final, to_server,
	// to_client or original.
	Which  string
	Option uint8
	RPC    [3]int64
	// What is the header whose checksum is meant: ipv4, tcpv4, tcpv6 …; Valid
	// tells whether it must be right.
	What  string
	Valid bool
	Col   int
}

// AppEvent is the app-layer-event keyword: an anomaly of a transaction.
type AppEvent struct {
	Proto protocol.ID
	Name  string
}

// BitScope is where a bit lives.
type BitScope uint8

// The scopes of bits.
const (
	BitFlow BitScope = iota
	BitHostSrc
	BitHostDst
	BitPair
	BitTx
)

// BitOp is a use of flowbits, xbits or hostbits.
type BitOp struct {
	// Op is set, unset, toggle, isset or isnotset.
	Op    string
	Scope BitScope
	// Names has several members for or-groups of isset and isnotset.
	Names  []string
	Expire uint32
}

// Test reports whether the operation is a condition rather than an effect.
func (b *BitOp) Test() bool { return b.Op == "isset" || b.Op == "isnotset" }

// FlowInt is the flowint keyword.
type FlowInt struct {
	Name string
	// Op is +, -, = (effects), <, <=, >, >=, ==, !=, isset or isnotset.
	Op    string
	Value uint32
	// From names the variable used instead of Value.
	From string
}

// Test reports whether the operation is a condition.
func (f *FlowInt) Test() bool { return f.Op != "+" && f.Op != "-" && f.Op != "=" }
