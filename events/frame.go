package events

// Frame is EVE's frame object: a unit that a protocol makes of its bytes. It is
// the part of events of type "frame", and of alerts of rules on frames.
type Frame struct {
	Type string `json:"type"`
	// ID counts the frames of the flow's direction.
	ID        uint64 `json:"id"`
	Direction string `json:"direction"`
	// StreamOffset is the offset of the first byte in the direction's stream; nil
	// in datagrams.
	StreamOffset *uint64 `json:"stream_offset,omitempty"`
	Length       uint64  `json:"length"`
	// Complete tells that all of it was seen.
	Complete bool `json:"complete"`
	// Payload are its first bytes, masked.
	Payload          []byte  `json:"payload,omitempty"`
	PayloadPrintable string  `json:"payload_printable,omitempty"`
	TxID             *uint64 `json:"tx_id,omitempty"`
}
