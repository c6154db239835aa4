// Package protocol is the seam between ordered bytes and what they mean. It
// names the application protocols, finds out which one a flow speaks, and
// defines what a parser takes (bytes of one direction, in order, gaps marked)
// and gives (transactions with named buffers, and objects). The parsers live
// in packages below it; none of them knows flows, rules or policies.
package protocol

import "sluice/events"

// ID numbers an application protocol.
type ID uint8

// The protocols that rules may name. Those without a parser are recognised or
// refused by the rule compiler, by name.
const (
	Unknown ID = iota
	// Failed: recognition has given up on the flow.
	Failed
	HTTP1
	HTTP2
	TLS
	DNS
	SMTP
	FTP
	FTPData
	SSH
	SMB
	DCERPC
	IMAP
	POP3
	NFS
	TFTP
	SIP
	RDP
	RFB
	MQTT
	KRB5
	SNMP
	DHCP
	NTP
	IKE
	LDAP
	QUIC
	WebSocket
	DoH2
	MDNS
	LLMNR
	Telnet
	PGSQL
	Modbus
	DNP3
	ENIP
	BitTorrentDHT
	IRC
	Jabber
	NumIDs
)

// Any as a buffer's protocol marks buffers that every protocol may fill.
const Any ID = 0

var idNames = [NumIDs]string{
	"unknown", "failed", "http", "http2", "tls", "dns", "smtp", "ftp", "ftp-data", "ssh", "smb", "dcerpc",
	"imap", "pop3", "nfs", "tftp", "sip", "rdp", "rfb", "mqtt", "krb5", "snmp", "dhcp", "ntp", "ike", "ldap",
	"quic", "websocket", "doh2", "mdns", "llmnr", "telnet", "pgsql", "modbus", "dnp3", "enip", "bittorrent-dht", "irc", "jabber",
}

// String gives the name that EVE's app_proto and rule headers use.
func (id ID) String() string {
	if id < NumIDs {
		return idNames[id]
	}
	return "invalid"
}

// Spoken gives the protocol whose parser reads a flow of this one: DNS over HTTP/2
// is read by HTTP/2's.
func (id ID) Spoken() ID {
	if id == DoH2 {
		return HTTP2
	}
	return id
}

// Dir is the direction of bytes within a flow: the sender of the flow's first
// packet (or, after a correction by the stream, the TCP client) is the client.
type Dir uint8

// The two directions.
const (
	ToServer Dir = iota
	ToClient
)

// Other gives the opposite direction.
func (d Dir) Other() Dir { return d ^ 1 }

// String gives the name that EVE's direction fields use.
func (d Dir) String() string {
	if d == ToServer {
		return "to_server"
	}
	return "to_client"
}

// Dirs is a set of directions, bit 1<<Dir.
type Dirs uint8

// Sets of directions.
const (
	DirsToServer Dirs = 1 << ToServer
	DirsToClient Dirs = 1 << ToClient
	DirsBoth          = DirsToServer | DirsToClient
)

// Has reports whether d is in the set.
func (s Dirs) Has(d Dir) bool { return s>>d&1 == 1 }

// BufferID names a buffer: the protocol in the high byte, its slot in the low.
type BufferID uint16

// Buffer makes the id of a protocol's slot-th buffer.
func Buffer(p ID, slot uint8) BufferID { return BufferID(p)<<8 | BufferID(slot) }

// Protocol gives the protocol that fills the buffer; Any where several do.
func (b BufferID) Protocol() ID { return ID(b >> 8) }

// Slot gives the buffer's number within its protocol.
func (b BufferID) Slot() uint8 { return uint8(b) }

// Buffers that belong to no single protocol. They are filled by the worker.
const (
	// BufPayload is a packet's payload, and reassembled stream data for rules
	// of TCP without a sticky buffer.
	BufPayload BufferID = iota
	// BufFileData is an object's content after transfer decoding (file.data).
	BufFileData
	// BufFileName is the object's name (file.name).
	BufFileName
	// BufFileMagic is a description of the object's type by content (file.magic).
	BufFileMagic
	NumAnyBuffers
)

// BufferSpec describes a buffer to the rule compiler.
type BufferSpec struct {
	ID BufferID
	// Name is the sticky buffer's keyword: "http.uri".
	Name string
	// Dirs are the directions in which the buffer can be filled.
	Dirs Dirs
	// Progress is the transaction's progress in that direction from which the
	// buffer is final and may be inspected.
	Progress uint8
	// Multi tells that a transaction may hold several (dns.query.name).
	Multi bool
	// Body tells that the buffer is an object's bytes, given to the ObjectSink
	// rather than by Parser.Buffer.
	Body bool
}

// Certainty is a probe's answer.
type Certainty uint8

// What a probe may answer.
const (
	// NotForUs: these bytes cannot be this protocol.
	NotForUs Certainty = iota
	// Unsure: more bytes are needed.
	Unsure
	// Certain: this is the protocol.
	Certain
)

// Status is a parser's answer to bytes.
type Status uint8

// What Parse and Gap may answer.
const (
	// Continue: go on giving bytes.
	Continue Status = iota
	// Skip: nothing more is wanted of this direction (encrypted, or past what
	// is inspected); the flow may be bypassed when both directions say so.
	Skip
	// Error: not the protocol after all, or broken beyond use; the parser is
	// closed and the flow goes on as raw stream.
	Error
	// Switch: the rest of the flow is another protocol (STARTTLS, CONNECT,
	// upgrades): Env.SwitchTo names it, Unknown for renewed recognition, and
	// Env.Rest holds bytes of this call that already belong to it.
	Switch
)

// Definition describes a protocol to the registry. It is immutable.
type Definition struct {
	ID ID
	// TCP and UDP say over which transports the protocol is recognised.
	TCP, UDP bool
	// Ports are where servers usually listen. They order probes and decide
	// between answers that are unsure; they never replace a probe.
	Ports []uint16
	// Probe looks at the first bytes of a direction. It must not keep data and
	// must answer Certain or NotForUs once it has seen ProbeDepth bytes.
	Probe func(dir Dir, data []byte) Certainty
	// ProbeDatagram looks at one datagram, where that takes another look than
	// Probe; nil otherwise.
	ProbeDatagram func(dir Dir, data []byte) Certainty
	// Answer judges the first bytes of a direction once the other one has settled that
	// the flow speaks the protocol, where less is enough then; nil is Probe.
	Answer func(dir Dir, data []byte) Certainty
	// Reversed reports whether a datagram, sent by what the flow takes for its
	// client, is a server's; nil where that cannot be told.
	Reversed func(data []byte) bool
	// ReversedStream is Reversed for the beginning of a stream that the probe is
	// certain of as a server's.
	ReversedStream func(data []byte) bool
	// New makes the parser of one flow.
	New func(env *Env) Parser
	// Buffers lists what the protocol fills.
	Buffers []BufferSpec
	// Frames are the kinds of frames that the parser announces (Env.Frame).
	Frames []FrameSpec
	// Complete is the progress of a finished transaction in each direction.
	Complete [2]uint8
	// First are the directions that may send the first bytes; none means both.
	First Dirs
	// ClientView tells that records of the server's transactions are told as the
	// client sees the flow, as Suricata's are.
	ClientView bool
	// States names progress values for rule hooks (http1:request_headers) and
	// explanations.
	States [2][]string
	// Events are all the anomalies that the parser may add to a transaction: rules
	// can ask for these and no others.
	Events []string
}

// ProbeDepth is how many bytes of a direction recognition looks at, at most.
const ProbeDepth = 4096

// Parser is the state of one protocol in one flow. It belongs to the flow's
// worker. A parser bounds all it keeps by Env.Limits.
type Parser interface {
	// Parse takes the next bytes of a direction, or one datagram. The parser
	// consumes all of them; what it needs later it copies. Objects are given
	// to env.Objects while parsing.
	Parse(env *Env, dir Dir, data []byte) Status
	// Gap tells that n bytes of a direction are missing.
	Gap(env *Env, dir Dir, n uint64) Status
	// End tells that a direction has ended (FIN, RST, end of flow). Open
	// transactions and objects are closed as truncated where they need more.
	End(env *Env, dir Dir)
	// Txs gives the live transactions, oldest first.
	Txs() *TxList
	// Buffer gives instance i of a buffer of tx in a direction. It returns
	// false where there is none (yet). The bytes stay valid until the next
	// Parse, Gap or End.
	Buffer(tx *Tx, id BufferID, dir Dir, i int) ([]byte, bool)
	// Record fills in the protocol's part of an event about tx (event.HTTP …).
	// It copies what it takes. With tx nil it fills what is known of the flow.
	Record(tx *Tx, event *events.Event)
	// Log gives the event types that a completed transaction is reported as
	// ("http"), nil for none.
	Log(tx *Tx) []string
}

// Releaser is implemented by parsers that hold pooled memory. Session.Release
// calls it once, when the flow is gone; the parser is not used afterwards.
type Releaser interface{ Release() }

// Opaque is implemented by parsers of protocols that are in the clear but for
// some messages.
type Opaque interface {
	// Unread counts a direction's bytes that were passed over so far because they
	// are encrypted, and those that could not be read for another reason.
	Unread(dir Dir) (encrypted, other uint64)
}

// Refuser is implemented by parsers whose protocol lets a server turn down what
// the client has just sent.
type Refuser interface {
	// Refusal gives the bytes that can be sent to the client now, in place of
	// the server's, before the connection is reset. ok is false where the state
	// of the dialogue allows none. The slice must not be changed.
	Refusal() (reply []byte, ok bool)
}

// Env is what a worker lends to a parser for one call. Parsers do not keep it.
type Env struct {
	// Objects takes the objects found; never nil.
	Objects ObjectSink
	// Limits bound what a parser keeps; shared by all flows, not to be changed.
	Limits *Limits
	// Now is the packet's time in nanoseconds.
	Now int64
	// SrcPort and DstPort are the flow's, as its client sees them.
	SrcPort, DstPort uint16
	// SwitchTo and Rest go with the answer Switch.
	SwitchTo ID
	Rest     []byte
	// Hint goes with the answer Switch, too: the new parser gets it where it is a
	// Hinter.
	Hint any
	// Became names the protocol that the flow turns out to speak on top of the
	// parser's own, which goes on; Unknown for none. The Session takes it.
	Became ID
	// Datagram tells that Parse is given whole datagrams; the Session sets it.
	Datagram bool
	// Inline tells that data is judged before it is forwarded.
	Inline bool
	// Frames takes what Frame announces; nil where nobody asks for frames.
	Frames *FrameSink
	// framing are the kinds that are asked for of the parser at work.
	framing uint32
	// BodyMD5 tells that a rule asks for the digest of mails' bodies.
	BodyMD5 bool
}

// Limits bound parsers. Each has a default that Default sets; configuration
// names follow Suricata's app-layer.protocols.* where it has the same limit.
type Limits struct {
	// MaxTx bounds the live transactions of a flow.
	MaxTx int
	// MaxHeader bounds a header block or a line that has to be kept, in bytes.
	MaxHeader int
	// MaxDecompressed bounds the decoded bytes of one object.
	MaxDecompressed int64
	// MaxRatio bounds decoded bytes per encoded byte, after the first 64 KiB.
	MaxRatio int
	// MaxLayers bounds nested content encodings and MIME multiparts.
	MaxLayers int
	// MaxParts bounds the MIME parts of a message or form.
	MaxParts int
	// MaxMIMEDepth bounds nested multiparts and attached messages of a mail; 0
	// means 16. Forwarded mail nests deeper than content encodings do.
	MaxMIMEDepth int
	// SubjectMD5 and BodyMD5 ask for digests of a mail's parts in its event: the
	// body's is of the bytes as sent.
	SubjectMD5, BodyMD5 bool
	// TxOf replaces MaxTx for single protocols, where it is not 0. Ask Tx.
	TxOf [NumIDs]int
	// RatioFree is how many decoded bytes are not measured against MaxRatio; 0
	// means 64 KiB.
	RatioFree int64
	// ShowSecrets has records show communities and the like, which nobody asked to
	// mask.
	ShowSecrets bool
	// NoJA3, NoJA4 and NoHASSH leave fingerprints out.
	NoJA3, NoJA4, NoHASSH bool
	// HTTP, HTTP2, Mail, SMB, MQTT, PGSQL and DNP3 bound and tune single parsers.
	HTTP  HTTPLimits
	HTTP2 HTTP2Limits
	Mail  MailLimits
	SMB   SMBLimits
	MQTT  MQTTLimits
	// DHCP, IKE and WebSocket tune what is read and recorded of them.
	DHCP, IKE RecordLimits
	WebSocket WebSocketLimits
	PGSQL     PGSQLLimits
	DNP3      DNP3Limits
}

// Tx gives the bound on the live transactions of a flow of a protocol.
func (l *Limits) Tx(id ID) int {
	if n := l.TxOf[id]; n > 0 {
		return n
	}
	return l.MaxTx
}

// HTTPLimits bound and tune HTTP/1. The zero value bounds nothing.
type HTTPLimits struct {
	// Rules bounds by direction what rules see of a body; 0 is no bound.
	Rules [2]uint64
	// ResponseLayers bounds the content encodings that are undone of a response,
	// below MaxLayers; 0 is no bound of its own.
	ResponseLayers int
	// DecodePathTwice and DecodeQueryTwice undo escapes that hide escapes.
	DecodePathTwice, DecodeQueryTwice bool
}

// HTTP2Limits bound HTTP/2, each where it is not 0: the streams of a connection,
// in place of Limits.Tx, the dynamic table of header compression, and the bytes
// of a header block, in place of Limits.MaxHeader.
type HTTP2Limits struct {
	MaxStreams, MaxTable, MaxBlock int
}

// MailLimits tune the reading of mails. The zero value is how mails are read
// where nothing is configured.
type MailLimits struct {
	// NoURLs looks for no URLs, Schemes are those looked for, in lower case; nil
	// means http, https, ftp and mailto. BareURLs leaves the scheme off.
	NoURLs   bool
	Schemes  []string
	BareURLs bool
	// Rules bounds what rules see of an attachment; 0 is no bound.
	Rules uint64
}

// SMBLimits bound SMB's parser.
type SMBLimits struct {
	// MaxTx replaces Limits.MaxTx unless it is 0.
	MaxTx int
	// MaxRead and MaxWrite are the longest requests that are no anomaly; 0 is no
	// bound.
	MaxRead, MaxWrite int64
	// Records are the kinds of transactions that have a record; 0 is all of them.
	Records SMBRecords
	// Queue bounds the content of a file that came ahead of its place, by
	// direction: writes, reads.
	Queue [2]SMBQueue
}

// MQTTLimits bound MQTT; 0 is the parser's own bound.
type MQTTLimits struct {
	// MaxMessage bounds the messages whose content rules and records see.
	MaxMessage int
	// Logged bounds each text of a record.
	Logged int
	// Passwords has records show what clients prove themselves with.
	Passwords bool
}

// RecordLimits tune records. The zero value has all there is in them.
type RecordLimits struct {
	// Brief leaves out of records what EVE has in its extended ones alone.
	Brief bool
}

// WebSocketLimits tune WebSocket.
type WebSocketLimits struct {
	// MaxPayload bounds what rules and records see of a message; 0 is the parser's
	// own bound. Longer messages are classified all the same.
	MaxPayload int
	// Base64 and Printable have records show messages.
	Base64, Printable bool
}

// DNP3Limits bound the objects of a fragment of DNP3 and the points of all of them;
// 0 is the parser's own bound.
type DNP3Limits struct {
	MaxObjects, MaxPoints int
}

// PGSQLLimits tune PostgreSQL.
type PGSQLLimits struct {
	// Passwords has records show the passwords that clients send.
	Passwords bool
}

// SMBRecords is a set of kinds of transactions.
type SMBRecords uint16

// The kinds of transactions of SMB; SMBGeneric are those with nothing of their own.
const (
	SMBNegotiate SMBRecords = 1 << iota
	SMBSessionSetup
	SMBTreeConnect
	SMBCreate
	SMBFile
	SMBRename
	SMBSetInfo
	SMBIoctl
	SMBCall
	SMBGeneric
)

// SMBQueue bounds content that is kept: bytes and pieces.
type SMBQueue struct {
	Size  int64
	Count int
}

// DefaultLimits gives the limits used where none are configured.
func DefaultLimits() *Limits {
	return &Limits{MaxTx: 512, MaxHeader: 64 << 10, MaxDecompressed: 256 << 20, MaxRatio: 1024, MaxLayers: 4, MaxParts: 1000,
		SMB: SMBLimits{Queue: [2]SMBQueue{{Size: 4 << 20, Count: 64}, {Size: 4 << 20, Count: 64}}}}
}
