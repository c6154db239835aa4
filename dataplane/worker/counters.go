package worker

import (
	"reflect"
	"strings"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

// Counters tell what a worker did since its start. They are written by the
// worker only; Snapshot copies them for others.
type Counters struct {
	Frames, Bytes            uint64
	Packets, Invalid, NoFlow uint64
	// Untracked are packets that rules keep out of flows.
	Untracked         uint64
	Flows, FlowsEnded uint64
	InvalidSegments   uint64
	Gaps, GapBytes    uint64
	BypassedPackets   uint64
	BypassedBytes     uint64
	// OffloadedFlows were handed to the kernel, which forwarded packets and bytes
	// of them past the worker.
	OffloadedFlows, OffloadedPackets, OffloadedBytes uint64
	DroppedFrames, DroppedBytes                      uint64
	Transactions, Files                              uint64
	Alerts, Findings                                 uint64
	BlockedFlows, Anomalies                          uint64
	// DeadFlows were blocked and went on, and were handed to the kernel, which
	// dropped packets and bytes of them below the worker.
	DeadFlows, DeadPackets, DeadBytes uint64
	Events                            uint64
	// Injected counts frames sent to refuse flows, RefusalErrors flows whose ends
	// could not be told.
	Injected, RefusalErrors uint64
	// Renewed counts connections that were picked up anew because parts of them
	// went by while the worker hung.
	Renewed uint64
	// Associations counts SCTP associations that were seen to their end.
	Associations uint64
	// UnreadEncrypted and UnreadOther count bytes that parsers passed over, in flows
	// that have ended.
	UnreadEncrypted, UnreadOther uint64
	// Egress bytes of objects by what became of them, for the coverage figures.
	EgressInspected, EgressUnscannable, EgressEncrypted, EgressBypassed, EgressUnconcerned uint64
	// Overloads are times at which the worker could not keep up, Shed the flows
	// that went past it then, by class.
	Overloads uint64
	Shed      [numShedClasses]uint64

	// Documents were given to be read whole; of them, and of those not kept, some
	// were not read, by reason. Unscannable counts answers with a reason.
	Documents, DocumentsUnscannable, DocumentsTooLarge, DocumentsGap, DocumentsOverload, DocumentsTimeout uint64
	// RawCut counts raw objects that were judged before their end, to make room.
	RawCut uint64
	// HeldFrames were withheld for a verdict and HeldReleased let on; HeldAbsorbed
	// came again meanwhile, HeldOverflow found no room.
	HeldFrames, HeldReleased, HeldAbsorbed, HeldOverflow uint64

	// Replaced counts packets that were rewritten, ReplaceFailed the matches whose
	// rewriting was not possible, ReplaceForgotten the rewritten bytes' ranges that
	// made room for others before they were acknowledged.
	Replaced, ReplaceFailed, ReplaceForgotten uint64

	// FilesStored were given to the store of files, FilesCut lacked their end or
	// reached the bound of one file, FilesLost found no room on their way there.
	FilesStored, FilesCut, FilesLost uint64

	// Magic tells what describing files by their content took.
	Magic inspect.MagicCounters

	// Accepted, Blocked and Rejected count packets by what was decided, Drops
	// those blocked by reason, Exceptions the uses of exception policies.
	Accepted, Blocked, Rejected uint64
	Drops                       [numDropReasons]uint64
	Exceptions                  [numExceptions][numExceptionActions]uint64
	// AlertOverflow counts matches beyond the limit of a packet, Suppressed the
	// alerts that thresholds kept back.
	AlertOverflow, AlertsSuppressed uint64
	// RulesLimited counts confirmations that detect.inspection-recursion-limit cut
	// short, DatasetsFull members for which a dataset had no room, ThresholdsFull
	// thresholds and rate filters of an address that made room for another's,
	// BitsFull hostbits and xbits that did.
	RulesLimited, DatasetsFull, ThresholdsFull, BitsFull uint64
	// FramesLost counts the frames of protocols that were not judged since too many
	// of a direction were open.
	FramesLost uint64
	// AppFlows, AppTx, AppErrors and AppGaps count by protocol: flows recognised,
	// transactions, and parsers that gave up, over what they were given or over what
	// was missing. The second index is the transport
	// where a protocol has two: 0 for TCP, 1 for UDP.
	AppFlows, AppTx, AppErrors, AppGaps [protocol.NumIDs][2]uint64

	// StreamEvents count by anomaly of connections.
	StreamEvents [128]uint64

	// What the rooms below count.
	Decode decode.Counters
	Stream stream.Counters
	Flow   flow.Counters
}

// Counters gives the worker's counters; call it on the worker's goroutine.
func (w *Worker) Counters() Counters {
	c := w.counters
	c.Decode, c.Stream, c.Flow = w.decoder.Counters, w.tcp.Counters, w.flows.Counters
	for _, in := range w.old {
		c.Magic.Add(in.Counters.Magic)
	}
	c.Magic.Add(w.in.Counters.Magic)
	c.FramesLost = w.units.Lost
	return c
}

// add sums all numbers of b into a, field by field. It is for the cold side.
func add[T any](a *T, b T) { addValue(reflect.ValueOf(a).Elem(), reflect.ValueOf(b)) }

func addValue(a, b reflect.Value) {
	switch a.Kind() {
	case reflect.Uint64:
		a.SetUint(a.Uint() + b.Uint())
	case reflect.Struct:
		for i := range a.NumField() {
			addValue(a.Field(i), b.Field(i))
		}
	case reflect.Array:
		for i := range a.Len() {
			addValue(a.Index(i), b.Index(i))
		}
	}
}

// Add sums counters of several workers.
func (c *Counters) Add(o Counters) {
	largest, longest := max(c.Decode.MaxSize, o.Decode.MaxSize), max(c.Magic.Longest, o.Magic.Longest)
	add(c, o)
	c.Decode.MaxSize, c.Magic.Longest = largest, longest
}

// Each calls fn with each counter under its name in stats events.
func (c *Counters) Each(fn func(name string, value uint64)) {
	fn("capture.frames", c.Frames)
	fn("flow.ended", c.FlowsEnded)
	fn("flow.none", c.NoFlow)
	fn("flow.untracked", c.Untracked)
	fn("tcp.invalid_segments", c.InvalidSegments)
	fn("tcp.renewed_after_gap", c.Renewed)
	fn("sctp.associations", c.Associations)
	fn("app_layer.transactions", c.Transactions)
	fn("app_layer.files", c.Files)
	fn("file_magic.described", c.Magic.Files)
	fn("file_magic.failed", c.Magic.Failures)
	fn("file_magic.micros", c.Magic.Micros)
	fn("file_magic.longest_micros", c.Magic.Longest)
	fn("file_store.stored", c.FilesStored)
	fn("file_store.cut", c.FilesCut)
	fn("file_store.lost", c.FilesLost)
	fn("app_layer.unread.encrypted_bytes", c.UnreadEncrypted)
	fn("app_layer.unread.other_bytes", c.UnreadOther)
	fn("detect.alert", c.Alerts)
	fn("detect.alert_queue_overflow", c.AlertOverflow)
	fn("detect.alerts_suppressed", c.AlertsSuppressed)
	fn("detect.rules_limited", c.RulesLimited)
	fn("detect.datasets_full", c.DatasetsFull)
	fn("detect.thresholds_full", c.ThresholdsFull)
	fn("detect.bits_full", c.BitsFull)
	fn("detect.frames_lost", c.FramesLost)
	fn("ips.accepted", c.Accepted)
	fn("ips.blocked", c.Blocked)
	fn("ips.rejected", c.Rejected)
	fn("ips.replaced", c.Replaced)
	fn("ips.replace_failed", c.ReplaceFailed)
	fn("ips.replace_forgotten", c.ReplaceForgotten)
	for i, v := range c.Drops {
		fn("ips.drop_reason."+strings.ReplaceAll(dropReasons[i], " ", "_"), v)
	}
	for i := range c.Exceptions {
		for j, v := range c.Exceptions[i] {
			if v > 0 {
				fn("exception_policy."+exceptionCounters[i]+"."+exceptionActions[j], v)
			}
		}
	}
	for i := range c.AppFlows {
		for t := range 2 {
			id := protocol.ID(i)
			name := appCounter(id, t)
			if id == protocol.Unknown || t == 1 && name == appCounter(id, 0) {
				continue
			}
			flows, txs, errs, gaps := c.AppFlows[i][t], c.AppTx[i][t], c.AppErrors[i][t], c.AppGaps[i][t]
			if name == appCounter(id, 1) && t == 0 {
				flows, txs, errs, gaps = flows+c.AppFlows[i][1], txs+c.AppTx[i][1], errs+c.AppErrors[i][1], gaps+c.AppGaps[i][1]
			}
			fn("app_layer.flow."+name, flows)
			if id == protocol.Failed {
				continue
			}
			fn("app_layer.tx."+name, txs)
			fn("app_layer.error."+name+".parser", errs)
			fn("app_layer.error."+name+".gap", gaps)
		}
	}
	for i, v := range c.StreamEvents {
		if v > 0 {
			fn((decode.StreamEvents + decode.Event(i)).String(), v)
		}
	}
	c.Decode.Each(fn)
	c.Stream.Each(fn)
	c.Flow.Each(fn)
	fn("dlp.findings", c.Findings)
	fn("dlp.documents", c.Documents)
	fn("dlp.documents_unscannable", c.DocumentsUnscannable)
	fn("dlp.documents_too_large", c.DocumentsTooLarge)
	fn("dlp.documents_gap", c.DocumentsGap)
	fn("dlp.documents_overload", c.DocumentsOverload)
	fn("dlp.documents_timeout", c.DocumentsTimeout)
	fn("dlp.raw_cut", c.RawCut)
	fn("ips.held_frames", c.HeldFrames)
	fn("ips.held_released", c.HeldReleased)
	fn("ips.held_absorbed", c.HeldAbsorbed)
	fn("ips.held_overflow", c.HeldOverflow)
	fn("ips.blocked_flows", c.BlockedFlows)
	fn("ips.kernel_flows", c.DeadFlows)
	fn("ips.kernel_packets", c.DeadPackets)
	fn("ips.kernel_bytes", c.DeadBytes)
	fn("ips.dropped_frames", c.DroppedFrames)
	fn("ips.dropped_bytes", c.DroppedBytes)
	fn("ips.bypassed_packets", c.BypassedPackets)
	fn("flow_bypassed.capture_flows", c.OffloadedFlows)
	fn("flow_bypassed.local_pkts", c.BypassedPackets)
	fn("flow_bypassed.local_bytes", c.BypassedBytes)
	fn("flow_bypassed.pkts", c.OffloadedPackets)
	fn("flow_bypassed.bytes", c.OffloadedBytes)
	fn("ips.injected_frames", c.Injected)
	fn("ips.refusal_errors", c.RefusalErrors)
	fn("anomaly.total", c.Anomalies)
	fn("events.total", c.Events)
	fn("overload.times", c.Overloads)
	for i, v := range c.Shed {
		fn("overload.shed_flows."+ShedClasses[i], v)
	}
	fn("coverage.egress_bytes.inspected", c.EgressInspected)
	fn("coverage.egress_bytes.unscannable", c.EgressUnscannable)
	fn("coverage.egress_bytes.encrypted", c.EgressEncrypted)
	fn("coverage.egress_bytes.bypassed", c.EgressBypassed)
	fn("coverage.egress_bytes.unconcerned", c.EgressUnconcerned)
}

// appCounter gives a protocol's name in counters: with its transport where it
// has two.
func appCounter(id protocol.ID, transport int) string {
	switch id {
	case protocol.Failed, protocol.DNS, protocol.KRB5, protocol.NFS, protocol.SIP, protocol.DCERPC:
		return strings.ReplaceAll(id.String(), "-", "_") + [2]string{"_tcp", "_udp"}[transport]
	}
	return strings.ReplaceAll(id.String(), "-", "_")
}

// transportOf gives a flow's second index in counters by protocol.
func transportOf(f *flow.Flow) int {
	if f.Proto == decode.ProtoUDP {
		return 1
	}
	return 0
}
