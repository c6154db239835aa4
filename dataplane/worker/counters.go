package worker

// Counters tell what a worker did since its start. They are written by the
// worker only; Snapshot copies them for others.
type Counters struct {
	Frames, Bytes               uint64
	Packets, Invalid, NoFlow    uint64
	Flows, FlowsEnded           uint64
	InvalidSegments             uint64
	Gaps, GapBytes              uint64
	BypassedPackets             uint64
	DroppedFrames, DroppedBytes uint64
	Transactions, Files         uint64
	Alerts, Findings            uint64
	BlockedFlows, Anomalies     uint64
	Events                      uint64
	// Injected counts frames sent to refuse flows, RefusalErrors flows whose ends
	// could not be told.
	Injected, RefusalErrors uint64
	// Associations counts SCTP associations that were seen to their end.
	Associations uint64
	// Egress bytes of objects by what became of them, for the coverage figures.
	EgressInspected, EgressUnscannable, EgressEncrypted, EgressBypassed uint64
}

// Counters gives the worker's counters; call it on the worker's goroutine.
func (w *Worker) Counters() Counters { return w.counters }

// Add sums counters of several workers.
func (c *Counters) Add(o Counters) {
	c.Frames += o.Frames
	c.Bytes += o.Bytes
	c.Packets += o.Packets
	c.Invalid += o.Invalid
	c.NoFlow += o.NoFlow
	c.Flows += o.Flows
	c.FlowsEnded += o.FlowsEnded
	c.InvalidSegments += o.InvalidSegments
	c.Gaps += o.Gaps
	c.GapBytes += o.GapBytes
	c.BypassedPackets += o.BypassedPackets
	c.DroppedFrames += o.DroppedFrames
	c.DroppedBytes += o.DroppedBytes
	c.Transactions += o.Transactions
	c.Files += o.Files
	c.Alerts += o.Alerts
	c.Findings += o.Findings
	c.BlockedFlows += o.BlockedFlows
	c.Anomalies += o.Anomalies
	c.Events += o.Events
	c.Injected += o.Injected
	c.RefusalErrors += o.RefusalErrors
	c.Associations += o.Associations
	c.EgressInspected += o.EgressInspected
	c.EgressUnscannable += o.EgressUnscannable
	c.EgressEncrypted += o.EgressEncrypted
	c.EgressBypassed += o.EgressBypassed
}

// Each calls fn with each counter under its name in stats events.
func (c *Counters) Each(fn func(name string, value uint64)) {
	fn("capture.frames", c.Frames)
	fn("decoder.pkts", c.Packets)
	fn("decoder.bytes", c.Bytes)
	fn("decoder.invalid", c.Invalid)
	fn("flow.total", c.Flows)
	fn("flow.ended", c.FlowsEnded)
	fn("flow.none", c.NoFlow)
	fn("tcp.invalid_segments", c.InvalidSegments)
	fn("tcp.reassembly_gap", c.Gaps)
	fn("tcp.reassembly_gap_bytes", c.GapBytes)
	fn("sctp.associations", c.Associations)
	fn("app_layer.tx", c.Transactions)
	fn("app_layer.files", c.Files)
	fn("detect.alert", c.Alerts)
	fn("dlp.findings", c.Findings)
	fn("ips.blocked_flows", c.BlockedFlows)
	fn("ips.dropped_frames", c.DroppedFrames)
	fn("ips.dropped_bytes", c.DroppedBytes)
	fn("ips.bypassed_packets", c.BypassedPackets)
	fn("ips.injected_frames", c.Injected)
	fn("ips.refusal_errors", c.RefusalErrors)
	fn("anomaly.total", c.Anomalies)
	fn("events.total", c.Events)
	fn("coverage.egress_bytes.inspected", c.EgressInspected)
	fn("coverage.egress_bytes.unscannable", c.EgressUnscannable)
	fn("coverage.egress_bytes.encrypted", c.EgressEncrypted)
	fn("coverage.egress_bytes.bypassed", c.EgressBypassed)
}
