package fastpath

// Reason says what became of a frame in XDP. The values are those of
// bpf/include/sluice_const.h, enum sluice_reason.
type Reason uint8

// The reasons. Those below ReasonBlockSource let the frame pass.
const (
	ReasonPass Reason = iota
	ReasonAllowed
	ReasonNotIP
	ReasonUnparsed
	ReasonBlockSource
	ReasonBlockDestination
	ReasonFlow
	ReasonFragment
	ReasonLAND
	ReasonTCPFlags
	ReasonLength
	ReasonRateSYN
	ReasonRateUDP
	ReasonRateICMP
	ReasonRateNew
	ReasonACL
	ReasonQuarantine
	// NumReasons is how many there are.
	NumReasons
)

var reasonNames = [NumReasons]string{
	"pass", "allowed", "not-ip", "unparsed",
	"block-source", "block-destination", "flow", "fragment",
	"land", "tcp-flags", "length", "rate-syn", "rate-udp", "rate-icmp",
	"rate-new", "acl", "quarantine",
}

// String gives the reason's name as metrics and events spell it.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonNames[r]
	}
	return "invalid"
}

// Drops reports whether a frame with this reason was dropped.
func (r Reason) Drops() bool { return r >= ReasonBlockSource && r < NumReasons }

// Malformed selects kinds of impossible packets to drop.
type Malformed uint32

// The kinds of malformed packets (sluice_const.h, MALFORMED_…).
const (
	// MalformedLAND: source and destination address and port are the same.
	MalformedLAND Malformed = 1 << iota
	// MalformedTCPFlags: SYN with FIN or RST, FIN without ACK, no flag at all.
	MalformedTCPFlags
	// MalformedLength: header lengths that contradict each other.
	MalformedLength

	// MalformedAll is all of them.
	MalformedAll = MalformedLAND | MalformedTCPFlags | MalformedLength
)
