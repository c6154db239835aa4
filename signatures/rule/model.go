package rule

import (
	"fmt"
	"slices"

	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
	"sluice/internal/pcre"
)

// Action is what a rule asks for.
type Action uint8

// The actions in the order in which rules are evaluated.
const (
	Pass Action = iota
	Drop
	Reject
	RejectSrc
	RejectDst
	RejectBoth
	Alert
	Config
)

var actionNames = []string{"pass", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "alert", "config"}

// String gives the action as rules spell it.
func (a Action) String() string { return actionNames[a] }

// Order gives the place of the action in evaluation unless it is configured
// otherwise: pass, drop, reject, alert.
func (a Action) Order() int {
	switch a {
	case Pass:
		return 0
	case Drop:
		return 1
	case Alert, Config:
		return 3
	}
	return 2
}

// ActionOrder is the order in which rules of different actions are evaluated: a
// place by Action.Order. The zero value is the usual one.
type ActionOrder [4]uint8

// NewActionOrder reads names of actions, the first to be evaluated first. What
// they leave out follows in the usual order.
func NewActionOrder(names []string) (ActionOrder, error) {
	var o ActionOrder
	var seen [len(o)]bool
	place := uint8(0)
	put := func(class int) {
		seen[class], o[class] = true, place
		place++
	}
	for _, name := range names {
		class := slices.Index([]string{"pass", "drop", "reject", "alert"}, name)
		if class < 0 {
			return ActionOrder{}, fmt.Errorf("%q is no action of an order: pass, drop, reject, alert", name)
		}
		if seen[class] {
			return ActionOrder{}, fmt.Errorf("%s is in the order twice", name)
		}
		put(class)
	}
	for class := range seen {
		if !seen[class] {
			put(class)
		}
	}
	return o, nil
}

// Of gives the place of an action.
func (o ActionOrder) Of(a Action) int {
	if o == (ActionOrder{}) {
		return a.Order()
	}
	return int(o[a.Order()])
}

// Verdict gives what happens to the traffic; a pass rule gives None.
func (a Action) Verdict(scope Scope) verdict.Action {
	switch a {
	case Alert:
		return verdict.Alert
	case Drop:
		if scope == ScopePacket {
			return verdict.DropPacket
		}
		return verdict.DropFlow
	case Reject, RejectSrc, RejectDst, RejectBoth:
		return verdict.Reject
	}
	return verdict.None
}

// Scope is what an action applies to.
type Scope uint8

// The scopes; by default the kind of match decides.
const (
	ScopeDefault Scope = iota
	ScopePacket
	ScopeFlow
	ScopeHook
	ScopeTx
)

// KV is a metadata entry.
type KV struct{ Key, Value string }

// Reference is a rule's pointer to further reading.
type Reference struct {
	Type, Value string
	// URL is the whole address where the type's prefix is known.
	URL string
}

// Transport is what a rule's header asks of the packet below the application.
type Transport uint8

// The transports.
const (
	AnyIP Transport = iota
	TCP
	UDP
	ICMP
	ICMPv6
	AnyICMP
	SCTP
	ProtoNum
	NonIP
)

// Proto is a rule header's protocol.
type Proto struct {
	Name      string
	Transport Transport
	// Num is the IP protocol where Transport is ProtoNum.
	Num uint8
	// IPVersion is 4 or 6 where the name fixes it.
	IPVersion uint8
	// PacketOnly (tcp-pkt) keeps the rule off the stream, StreamOnly
	// (tcp-stream) off packets.
	PacketOnly, StreamOnly bool
	// PreFlow (tcp:pre_flow) asks for packets before their flow is looked up.
	PreFlow bool
	// Apps are the application protocols any of which satisfies the rule.
	Apps []protocol.ID
	// Hook names the transaction state after the colon (http1:request_line);
	// HookDir and HookState are the direction and the progress it stands for.
	Hook      string
	HookDir   protocol.Dir
	HookState uint8
}

// FlowOpt is the flow keyword.
type FlowOpt struct {
	Set                         bool
	Established, NotEstablished bool
	ToServer, ToClient          bool
	OnlyStream, NoStream        bool
	OnlyFrag, NoFrag            bool
	Stateless                   bool
}

// Num is a number or a variable of byte_extract or byte_math.
type Num struct {
	V int64
	// Var is the variable's index plus one; 0 for a plain number.
	Var uint8
}

// Op is a kind of Item.
type Op uint8

// The kinds of items of a List.
const (
	OpContent Op = iota
	OpPCRE
	OpIsDataAt
	OpByteTest
	OpByteJump
	OpByteExtract
	OpByteMath
	OpBsize
	OpBase64
	OpDataset
	OpEntropy
	OpASN1
	OpFTPBounce
	OpASCII
)

// Item is one test of a List on a buffer.
type Item struct {
	Op  Op
	Neg bool
	// Relative tells that the item counts from the end of the match before it.
	Relative bool
	// RelativeNext tells that the next item of the list is relative: a failure
	// there makes this one look for another occurrence.
	RelativeNext bool

	// Content.
	Pattern                             []byte
	NoCase                              bool
	HasOffset, HasDepth                 bool
	HasDistance, HasWithin              bool
	StartsWith, EndsWith                bool
	Offset, Depth, Distance, Within     Num
	FastPattern, FastOnly, HasFastRange bool
	FastOffset, FastLen                 int
	Rawbytes                            bool
	// Replace takes the place of the content's first bytes in the packet.
	Replace []byte

	PCRE   *PCRE
	Byte   *ByteOp
	Int    IntTest
	At     Num // isdataat
	Base64 *Base64
	Data   *Dataset
	Ent    *Entropy
	ASN1   *ASN1
	Col    int
}

// PCRE is an expression with what to do with its captures.
type PCRE struct {
	Expr     string
	Flags    pcre.Flag
	Re       *pcre.Regexp
	Captures []Capture
}

// Capture names what a group's bytes are kept as.
type Capture struct {
	Group int
	// Scope is "flow", "pkt" or "alert".
	Scope, Name string
	// Int tells that the bytes are a decimal number for flowint.
	Int bool
}

// Endian is a byte order.
type Endian uint8

// The byte orders.
const (
	Big Endian = iota
	Little
)

// ByteOp is byte_test, byte_jump, byte_extract or byte_math.
type ByteOp struct {
	NBytes Num
	// Oper is one of < > = ! & ^ for tests (with OrEqual), + - * / < > for maths.
	Oper          byte
	NotOper       bool
	OrEqual       bool
	Value         Num
	Offset        Num
	Endian        Endian
	String        bool
	Base          int
	Mask          uint64
	Shift         uint8
	DCE           bool
	Multiplier    int64
	Align         int
	FromBeginning bool
	FromEnd       bool
	PostOffset    Num
	// Result is the variable written, its index plus one.
	Result uint8
}

// Base64 is base64_decode; Items are tested on what was decoded.
type Base64 struct {
	Bytes, Offset int
	// Mode is rfc4648 unless RFC2045 is set.
	RFC2045, Strict bool
	Items           []Item
}

// Entropy is the entropy keyword.
type Entropy struct {
	// Op is one of < > = !, L for <= and G for >=; or R for values between Value and
	// High, both of them left out, and O for all others.
	Op            byte
	Value, High   float64
	Bytes, Offset int
	// Buffer is what events call the bytes that were measured.
	Buffer string
}

// ASN1 is the asn1 keyword.
type ASN1 struct {
	BitstringOverflow, DoubleOverflow bool
	OversizeLength                    uint32
	HasOversize                       bool
	AbsoluteOffset, RelativeOffset    int
	HasAbsolute, HasRelative          bool
}

// Dataset is the dataset and datarep keyword.
type Dataset struct {
	Name, Type string
	Op         string
	Load, Save string
	RepOp      byte
	RepValue   uint64
	// Limit bounds the set's memory in bytes; 0 leaves that to the configuration.
	Limit uint64
	IsRep bool
	// Subdomain matches a name below a member as well as the member itself.
	Subdomain bool
	// Format is csv (also when empty), json or ndjson. ValueKey names what is
	// looked up in each object, ArrayKey where the list of objects is, and
	// ContextKey the name under which the object goes into the alert, without
	// ValueKey where RemoveKey is set. Keys are dotted paths.
	Format, ValueKey, ArrayKey, ContextKey string
	RemoveKey                              bool
}

// Transform is a change of a buffer before it is inspected.
type Transform struct {
	Name string
	// Arg is the option: a key, an expression.
	Arg  string
	Key  []byte
	PCRE *pcre.Regexp
}

// Absent is the absent keyword.
type Absent uint8

// What a missing buffer means.
const (
	AbsentFails Absent = iota
	// AbsentOnly: the buffer must be missing.
	AbsentOnly
	// AbsentOrElse: the buffer is missing or its items hold.
	AbsentOrElse
)

// List is a buffer with the tests on it.
type List struct {
	// Name is the sticky buffer's keyword, empty for the payload.
	Name       string
	Buffer     protocol.BufferSpec
	Transforms []Transform
	Items      []Item
	Absent     Absent
	// Dir is 1 or 2 where the rule asks for the buffer of the direction to the
	// server or to the client, 0 otherwise.
	Dir uint8
	// Local tells that the buffer is a packet's own (tcp.hdr, ip.src …).
	Local Local
	Col   int
}

// Threshold is the threshold or detection_filter keyword.
type Threshold struct {
	// Type is limit, threshold, both, backoff or detection_filter.
	Type string
	// Track is by_src, by_dst, by_both, by_rule or by_flow.
	Track             string
	Count, Seconds    uint32
	Multiplier        uint32
	HasUniqueOn       bool
	UniqueSrc, Unique uint16
}

// RateFilter changes a rule's action once it matches too often, for a time.
type RateFilter struct {
	Track          string
	Count, Seconds uint32
	NewAction      Action
	Timeout        uint32
}

// Suppress keeps a rule's alerts back: all, or those of some addresses.
type Suppress struct {
	// Track is by_src, by_dst or by_either; empty for all.
	Track string
	Addrs *AddrSet
}

// Tag is the tag keyword: Count of Metric (packets, seconds or bytes) of the
// session, or of the host that is the packet's Direction (src or dst).
type Tag struct {
	Session   bool
	Count     uint32
	Metric    string
	Direction string
}

// FileTest is a test on a file: name, extension, magic or hash list.
type FileTest struct {
	Keyword string
	Neg     bool
	Text    []byte
	// Dir is as in List.
	Dir uint8
	// Load names the list of hashes.
	Load string
	Int  IntTest
	// Col is the place in the rule of filemagic.
	Col int
}

// Filestore is the filestore keyword.
type Filestore struct {
	// Dirs are the directions whose files are meant; 0 is that of the match.
	Dirs protocol.Dirs
	// Scope is ScopeDefault for the file that matched, ScopeTx or ScopeFlow for all
	// files of the transaction or the flow.
	Scope Scope
}

// Rule is one parsed rule.
type Rule struct {
	File string
	Line int
	// Text is the rule as written, continuations joined, without the comment sign.
	Text    string
	Enabled bool

	Action        Action
	Scope         Scope
	GID, SID, Rev uint32
	Msg           string
	Classtype     string
	Category      string
	Priority      int
	Metadata      []KV
	References    []Reference
	Target        string
	NoAlert       bool
	// AlertToo: a pass rule that is to be reported as well.
	AlertToo bool

	Proto            Proto
	Src, Dst         *AddrSet
	SrcPort, DstPort *PortSet
	Bidirectional    bool
	Transactional    bool
	Flow             FlowOpt
	Lists            []List
	Tests            []Test
	Fields           []FieldTest
	AppEvents        []AppEvent
	Files            []FileTest
	Bits             []BitOp
	FlowInts         []FlowInt
	Threshold        *Threshold
	DetectionFilter  *Threshold
	// Rate and Suppress come from threshold.config.
	Rate     *RateFilter
	Suppress []Suppress
	Tags     []Tag
	Bypass   bool
	// Filestore says which files a match has stored; nil none.
	Filestore *Filestore
	// StoreCerts: a match keeps the certificates of the TLS handshake.
	StoreCerts bool
	// Replaces tells that a match rewrites the packet: an Item has a Replace.
	Replaces bool
	// Untracked keeps the packets that match out of any flow (config:tracking).
	Untracked bool
	// Quiet is what a match keeps from being logged.
	Quiet Quiet
	// Vars counts the variables of byte_extract and byte_math.
	Vars int
	// Requires holds reasons not to load the rule that are no fault of it.
	Skipped string
}
