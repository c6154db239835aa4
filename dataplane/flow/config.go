package flow

import (
	"errors"
	"time"
	"unsafe"

	"sluice/dataplane/decode"
	"sluice/dataplane/stream"
)

// Timeouts say how long a flow of a state may be idle (flow-timeouts.PROTO.*).
type Timeouts struct {
	New, Established, Closed, Bypassed time.Duration
}

func (t *Timeouts) of(s State) time.Duration {
	return [...]time.Duration{t.New, t.Established, t.Closed, t.Bypassed}[s&3]
}

// Reason says why a flow left the table.
type Reason uint8

// The reasons.
const (
	// Timeout: it was idle for longer than its state allows.
	Timeout Reason = iota
	// Reused: a new connection took its addresses and ports.
	Reused
	// Forced: the table was full and it was the weakest.
	Forced
	// Shutdown: the end of the run.
	Shutdown
)

var reasonNames = [...]string{"timeout", "tcp_reuse", "forced", "shutdown"}

// String gives EVE's flow.reason.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "invalid"
}

// Config sets a Table up. The zero value of a field stands for its default.
type Config struct {
	// Default, TCP, UDP and ICMP are the timeouts (flow-timeouts.*), the
	// defaults being Suricata's. A zero New takes the whole default set; a zero
	// in another field is meant.
	Default, TCP, UDP, ICMP Timeouts
	// Emergency are the timeouts (emergency-*) while the table is full, in the
	// order Default, TCP, UDP, ICMP; a zero set is the usual one. EmergencyRecovery
	// (flow.emergency-recovery) is the percentage of free room that ends the
	// emergency; 0 is never to have one.
	Emergency         [4]Timeouts
	EmergencyRecovery int
	// MaxFlows bounds the flows of this table. Default: what Memcap allows.
	MaxFlows int
	// Memcap (flow.memcap) bounds the bytes of flows, TCP sessions included.
	// Default 512 MiB.
	Memcap int64
	// Seed makes the hash unpredictable to outsiders. It has no influence on
	// flow ids. Default: a random number.
	Seed uint64
	// IDSeed is mixed into flow ids. Keep it the same on every worker and in
	// every run whose ids must agree.
	IDSeed uint64
	// IgnoreVLAN (the opposite of vlan.use-for-tracking) leaves VLAN
	// identifiers out of the key.
	IgnoreVLAN bool
	// Evict takes the flows that Get and Renew have to end: timed out and
	// reused ones, and, when the table is full, the weakest. It is called before
	// the flow's memory is used again, and must not call the Table. Nil drops them
	// silently, which loses their last bytes and events.
	Evict func(*Flow, Reason)
}

// DefaultTimeouts gives Suricata's values for a protocol.
func DefaultTimeouts(proto uint8) Timeouts {
	switch proto {
	case decode.ProtoTCP:
		return Timeouts{New: 60 * time.Second, Established: 600 * time.Second, Closed: 60 * time.Second, Bypassed: 100 * time.Second}
	default:
		return Timeouts{New: 30 * time.Second, Established: 300 * time.Second, Bypassed: 100 * time.Second}
	}
}

// FlowBytes is what one TCP flow takes, its session included, without buffers.
const FlowBytes = int64(unsafe.Sizeof(Flow{}) + unsafe.Sizeof(stream.Session{}))

// Validate reports what is wrong with a configuration.
func (c *Config) Validate() error {
	var errs []error
	for _, t := range append([]Timeouts{c.Default, c.TCP, c.UDP, c.ICMP}, c.Emergency[:]...) {
		for s := StateNew; s <= StateBypassed; s++ {
			if t.of(s) < 0 {
				errs = append(errs, errors.New("flow: negative timeout"))
			}
		}
	}
	if c.EmergencyRecovery < 0 || c.EmergencyRecovery > 100 {
		errs = append(errs, errors.New("flow: emergency recovery is no percentage"))
	}
	if c.MaxFlows < 0 || c.MaxFlows > maxFlows {
		errs = append(errs, errors.New("flow: max flows out of range"))
	}
	if c.Memcap < 0 || c.Memcap > 0 && c.Memcap < 16*FlowBytes {
		errs = append(errs, errors.New("flow: memcap below 16 flows"))
	}
	return errors.Join(errs...)
}

// maxFlows is the most flows that a table can hold.
const maxFlows = 1 << 26

// Counters count what a Table did since its start. They are the worker's own.
type Counters struct {
	// Packets were given a flow, NoFlow have none (fragments, ICMP errors, not IP).
	Packets, NoFlow uint64
	// TCP, UDP, ICMP and Other are flows begun.
	TCP, UDP, ICMP, Other uint64
	// Flows that left, by reason.
	TimedOut, Reused, Forced, Flushed uint64
	// EmergencyEntered and EmergencyOver count emergencies, EmergencyTimedOut the
	// flows of TimedOut that would have stayed without.
	EmergencyEntered, EmergencyOver, EmergencyTimedOut uint64
	// Active is the number of flows now, Peak its highest value.
	Active, Peak uint64
	// ByState are the flows now, by State.
	ByState [4]uint64
}

// Each calls fn with each counter under EVE's name in stats, or one in its manner.
func (c *Counters) Each(fn func(name string, value uint64)) {
	fn("flow.packets", c.Packets)
	fn("flow.no_flow", c.NoFlow)
	fn("flow.total", c.TCP+c.UDP+c.ICMP+c.Other)
	fn("flow.tcp", c.TCP)
	fn("flow.udp", c.UDP)
	fn("flow.icmp", c.ICMP)
	fn("flow.other", c.Other)
	fn("flow.timed_out", c.TimedOut)
	fn("flow.tcp_reuse", c.Reused)
	fn("flow.emerg_evicted", c.Forced)
	fn("flow.emerg_mode_entered", c.EmergencyEntered)
	fn("flow.emerg_mode_over", c.EmergencyOver)
	fn("flow.emerg_timed_out", c.EmergencyTimedOut)
	fn("flow.flushed", c.Flushed)
	fn("flow.active", c.Active)
	fn("flow.peak", c.Peak)
	fn("flow.state.new", c.ByState[StateNew])
	fn("flow.state.established", c.ByState[StateEstablished])
	fn("flow.state.closed", c.ByState[StateClosed])
	fn("flow.state.local_bypassed", c.ByState[StateBypassed])
}
