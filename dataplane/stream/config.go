package stream

import (
	"errors"
	"fmt"
	"net/netip"

	"sluice/dataplane/protocol"
)

// Policy says which of two overlapping segments a host believes. The rules are
// those published as target-based reassembly (Novak and Sturges, 2007).
type Policy uint8

// The overlap policies.
const (
	PolicyBSD Policy = iota
	PolicyBSDRight
	PolicyOldLinux
	PolicyLinux
	PolicyFirst
	PolicyLast
	PolicyWindows
	PolicyVista
	PolicyWindows2K3
	PolicySolaris
	PolicyHPUX10
	PolicyHPUX11
	PolicyIRIX
	PolicyMacOS
	numPolicies
)

var policyNames = [numPolicies]string{"bsd", "bsd-right", "old-linux", "linux", "first", "last", "windows", "vista",
	"windows2k3", "solaris", "hpux10", "hpux11", "irix", "macos"}

// String gives the policy's name in host-os-policy.
func (p Policy) String() string {
	if p < numPolicies {
		return policyNames[p]
	}
	return "invalid"
}

// ParsePolicy gives the policy of a name of host-os-policy; old_linux is the
// same as old-linux.
func ParsePolicy(name string) (Policy, error) {
	for i, n := range policyNames {
		if n == name {
			return Policy(i), nil
		}
	}
	if name == "old_linux" {
		return PolicyOldLinux, nil
	}
	return 0, fmt.Errorf("unknown host-os-policy %q", name)
}

// newWins reports whether a later segment [ns, ne) replaces what it shares with
// an earlier one [os, oe). Both differences are signed distances: ns-os, ne-oe.
func (p Policy) newWins(start, end int32) bool {
	switch p {
	case PolicyFirst, PolicyVista:
		return false
	case PolicyLast:
		return true
	case PolicyLinux:
		return start < 0 || start == 0 && end > 0
	case PolicyOldLinux:
		return start < 0 || start == 0 && end >= 0
	case PolicySolaris, PolicyHPUX11:
		return end > 0 || end == 0 && start <= 0
	case PolicyBSDRight:
		return start >= 0
	default: // BSD and its descendants
		return start < 0
	}
}

// UrgentPolicy says what becomes of the byte that the urgent pointer marks.
type UrgentPolicy uint8

// The urgent policies (stream.reassembly.urgent.policy).
const (
	// UrgentOOB takes the byte out of the stream, as receivers do that have not
	// set SO_OOBINLINE.
	UrgentOOB UrgentPolicy = iota
	// UrgentInline leaves it in the stream.
	UrgentInline
	// UrgentDrop refuses segments with urgent data.
	UrgentDrop
	// UrgentGap reports the byte as a gap.
	UrgentGap
)

var urgentNames = [...]string{"oob", "inline", "drop", "gap"}

// String gives the policy's name in the configuration.
func (u UrgentPolicy) String() string {
	if int(u) < len(urgentNames) {
		return urgentNames[u]
	}
	return "invalid"
}

// ParseUrgent gives the urgent policy of a name.
func ParseUrgent(name string) (UrgentPolicy, error) {
	for i, n := range urgentNames {
		if n == name {
			return UrgentPolicy(i), nil
		}
	}
	return 0, fmt.Errorf("unknown urgent policy %q", name)
}

// HostPolicy gives the overlap policy of the hosts in a prefix.
type HostPolicy struct {
	Prefix netip.Prefix
	Policy Policy
}

// Config sets an Engine up. Comments name the configuration keys; the zero
// value of a limit stands for its default. It is not changed by the Engine.
type Config struct {
	// Inline (stream.inline) gives data on arrival; false is ids mode.
	Inline bool
	// OnArrival gives data on arrival in ids mode too, where the answer must not
	// wait for the receiver's. What is sent again before it is acknowledged is
	// compared as it is inline.
	OnArrival bool
	// Midstream (stream.midstream) picks up connections without handshake.
	Midstream bool
	// AsyncOneside (stream.async-oneside) follows connections of which one
	// direction only is seen: nothing waits for acknowledgements. Inline, the
	// side that is seen must be the one that opens the connection.
	AsyncOneside bool
	// ChecksumValidation (stream.checksum-validation) makes segments with a
	// wrong checksum invalid.
	ChecksumValidation bool
	// Depth (stream.reassembly.depth) is how many bytes of a direction are
	// given, 0 for all.
	Depth uint64
	// Depths (app-layer.protocols.*.stream-depth) replaces Depth by protocol,
	// protocol.Unknown included: what comes with the bytes that tell the protocol is
	// given by that. nil leaves one depth for all. It is not changed
	// once an engine has it.
	Depths *[protocol.NumIDs]uint64
	// RaisesDepth has StoreDepth, 0 for none, be the depth of connections whose
	// files are stored where that is more (outputs.file-store.stream-depth).
	RaisesDepth bool
	StoreDepth  uint64
	// Memcap (stream.reassembly.memcap) bounds the bytes of buffers in use by
	// this engine. Default 256 MiB.
	Memcap int64
	// MaxHeldBytes and MaxHeldSegments bound what a direction of a connection
	// may hold undelivered. Defaults 4 MiB and 4096.
	MaxHeldBytes    int
	MaxHeldSegments int
	// MaxKeptBytes bounds the delivered, not yet acknowledged bytes of a
	// direction that inline mode remembers to compare retransmissions with.
	// Default 1 MiB.
	MaxKeptBytes int
	// NoOverlapCheck (the opposite of stream.reassembly.check-overlap-different-data)
	// keeps no delivered bytes in inline mode: faster, and blind to
	// retransmissions that differ.
	NoOverlapCheck bool
	// MaxSynAckQueued (stream.max-synack-queued) is how many different SYN/ACKs
	// are remembered until the client chooses one. Default and maximum 5.
	MaxSynAckQueued int
	// Urgent (stream.reassembly.urgent.policy); UrgentLimit
	// (…urgent.oob-limit-policy) applies after UrgentMax bytes of a direction.
	Urgent      UrgentPolicy
	UrgentLimit UrgentPolicy
	// UrgentMax is the number of out-of-band bytes after which UrgentLimit
	// applies. Default 65535, which is also the maximum.
	UrgentMax int
	// Default is the overlap policy of hosts that HostOS does not name; HostOS
	// (host-os-policy) is matched by longest prefix. Both matter in ids mode.
	Default Policy
	HostOS  []HostPolicy
}

// DefaultConfig gives the defaults: inline, checksums verified, no pick-up
// midway, unlimited depth, urgent bytes out of band and dropped past the limit.
func DefaultConfig() Config {
	return Config{Inline: true, ChecksumValidation: true, UrgentLimit: UrgentDrop}
}

// Validate reports what is wrong with a configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.Memcap < 0 || c.MaxHeldBytes < 0 || c.MaxHeldSegments < 0 || c.MaxKeptBytes < 0 {
		errs = append(errs, errors.New("stream: negative limit"))
	}
	if c.MaxSynAckQueued < 0 || c.MaxSynAckQueued > maxAlternatives {
		errs = append(errs, fmt.Errorf("stream: max-synack-queued must be 0 to %d", maxAlternatives))
	}
	if c.UrgentMax < 0 || c.UrgentMax > 0xffff {
		errs = append(errs, errors.New("stream: oob limit must be 0 to 65535"))
	}
	if c.Default >= numPolicies {
		errs = append(errs, errors.New("stream: unknown default policy"))
	}
	for _, h := range c.HostOS {
		if !h.Prefix.IsValid() || h.Policy >= numPolicies {
			errs = append(errs, fmt.Errorf("stream: bad host-os-policy entry %v", h.Prefix))
		}
	}
	return errors.Join(errs...)
}

// withDefaults fills in the limits left at zero.
func (c Config) withDefaults() Config {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	if c.Memcap <= 0 {
		c.Memcap = 256 << 20
	}
	def(&c.MaxHeldBytes, 4<<20)
	def(&c.MaxHeldSegments, 4096)
	def(&c.MaxKeptBytes, 1<<20)
	def(&c.MaxSynAckQueued, maxAlternatives)
	def(&c.UrgentMax, 0xffff)
	c.MaxSynAckQueued = min(c.MaxSynAckQueued, maxAlternatives)
	return c
}
