package stream

import (
	"strings"

	"sluice/dataplane/decode"
)

// The events of stream tracking. Each is named in eventNames below, as
// Suricata's stream-event keyword and EVE's anomaly.event name it.
// Names of Suricata's whose condition cannot arise here (wrong_thread, as flows
// do not cross workers; 3whs_syn_flood; failures of its segment pool) are left
// out, so that a rule on them is refused, not silently dead.
const (
	EventThreeWHSAckInWrongDir = decode.StreamEvents + iota
	EventThreeWHSAsyncWrongSeq
	EventThreeWHSRightSeqWrongAckEvasion
	EventThreeWHSSynAckInWrongDirection
	EventThreeWHSSynAckResendWithDifferentAck
	EventThreeWHSSynAckResendWithDiffSeq
	EventThreeWHSSynAckToserverOnSynRecv
	EventThreeWHSSynAckWithWrongAck
	EventThreeWHSSynAckFlood
	EventThreeWHSSynAckTFODataIgnored
	EventThreeWHSSynResendDiffSeqOnSynRecv
	EventThreeWHSSynToclientOnSynRecv
	EventThreeWHSWrongSeqWrongAck
	EventThreeWHSAckDataInject
	EventFourWHSSynAckWithWrongAck
	EventFourWHSSynAckWithWrongSyn
	EventFourWHSWrongSeq
	EventFourWHSInvalidAck
	EventClosewaitAckOutOfWindow
	EventClosewaitFinOutOfWindow
	EventClosewaitPktBeforeLastAck
	EventClosewaitInvalidAck
	EventClosingAckWrongSeq
	EventClosingInvalidAck
	EventEstPacketOutOfWindow
	EventEstPktBeforeLastAck
	EventEstSynAckResend
	EventEstSynAckResendWithDifferentAck
	EventEstSynAckResendWithDiffSeq
	EventEstSynAckToserver
	EventEstSynResend
	EventEstSynResendDiffSeq
	EventEstSynToclient
	EventEstInvalidAck
	EventFinInvalidAck
	EventFin1AckWrongSeq
	EventFin1FinWrongSeq
	EventFin1InvalidAck
	EventFin2AckWrongSeq
	EventFin2FinWrongSeq
	EventFin2InvalidAck
	EventFinButNoSession
	EventFinOutOfWindow
	EventFinSyn
	EventLastackAckWrongSeq
	EventLastackInvalidAck
	EventRstButNoSession
	EventRstInvalidAck
	EventTimewaitAckWrongSeq
	EventTimewaitInvalidAck
	EventShutdownSynResend
	EventPktInvalidTimestamp
	EventPktInvalidAck
	EventPktBrokenAck
	EventPktRetransmission
	EventPktSpuriousRetransmission
	EventPktBadWindowUpdate
	EventSuspectedRstInject
	EventReassemblySegmentBeforeBaseSeq
	EventReassemblySeqGap
	EventReassemblyOverlapDifferentData
	EventReassemblyDepthReached
	EventReassemblyInsertMemcap
	EventReassemblyInsertLimit

	endOfEvents
)

// eventNames are in the order of the constants.
var eventNames = [...]string{
	"stream.3whs_ack_in_wrong_dir",
	"stream.3whs_async_wrong_seq",
	"stream.3whs_right_seq_wrong_ack_evasion",
	"stream.3whs_synack_in_wrong_direction",
	"stream.3whs_synack_resend_with_different_ack",
	"stream.3whs_synack_resend_with_diff_seq",
	"stream.3whs_synack_toserver_on_syn_recv",
	"stream.3whs_synack_with_wrong_ack",
	"stream.3whs_synack_flood",
	"stream.3whs_synack_tfo_data_ignored",
	"stream.3whs_syn_resend_diff_seq_on_syn_recv",
	"stream.3whs_syn_toclient_on_syn_recv",
	"stream.3whs_wrong_seq_wrong_ack",
	"stream.3whs_ack_data_inject",
	"stream.4whs_synack_with_wrong_ack",
	"stream.4whs_synack_with_wrong_syn",
	"stream.4whs_wrong_seq",
	"stream.4whs_invalid_ack",
	"stream.closewait_ack_out_of_window",
	"stream.closewait_fin_out_of_window",
	"stream.closewait_pkt_before_last_ack",
	"stream.closewait_invalid_ack",
	"stream.closing_ack_wrong_seq",
	"stream.closing_invalid_ack",
	"stream.est_packet_out_of_window",
	"stream.est_pkt_before_last_ack",
	"stream.est_synack_resend",
	"stream.est_synack_resend_with_different_ack",
	"stream.est_synack_resend_with_diff_seq",
	"stream.est_synack_toserver",
	"stream.est_syn_resend",
	"stream.est_syn_resend_diff_seq",
	"stream.est_syn_toclient",
	"stream.est_invalid_ack",
	"stream.fin_invalid_ack",
	"stream.fin1_ack_wrong_seq",
	"stream.fin1_fin_wrong_seq",
	"stream.fin1_invalid_ack",
	"stream.fin2_ack_wrong_seq",
	"stream.fin2_fin_wrong_seq",
	"stream.fin2_invalid_ack",
	"stream.fin_but_no_session",
	"stream.fin_out_of_window",
	"stream.fin_syn",
	"stream.lastack_ack_wrong_seq",
	"stream.lastack_invalid_ack",
	"stream.rst_but_no_session",
	"stream.rst_invalid_ack",
	"stream.timewait_ack_wrong_seq",
	"stream.timewait_invalid_ack",
	"stream.shutdown_syn_resend",
	"stream.pkt_invalid_timestamp",
	"stream.pkt_invalid_ack",
	"stream.pkt_broken_ack",
	"stream.pkt_retransmission",
	"stream.pkt_spurious_retransmission",
	"stream.pkt_bad_window_update",
	"stream.suspected_rst_inject",
	"stream.reassembly_segment_before_base_seq",
	"stream.reassembly_seq_gap",
	"stream.reassembly_overlap_different_data",
	"stream.reassembly_depth_reached",
	"stream.reassembly_insert_memcap",
	"stream.reassembly_insert_limit",
}

var (
	_ = [1]struct{}{}[int(endOfEvents-decode.StreamEvents)-len(eventNames)]
	_ = decode.RegisterEvents(decode.StreamEvents, eventNames[:])
)

// EventByName gives the event that a rule's stream-event names, with or
// without the leading "stream.".
func EventByName(name string) (decode.Event, bool) {
	e, ok := decode.EventByName("stream." + strings.TrimPrefix(name, "stream."))
	return e, ok && e >= decode.StreamEvents && e < endOfEvents
}
