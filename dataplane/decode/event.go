package decode

// Event is an anomaly that decoding, defragmentation or stream tracking saw.
// Its name is Suricata's (decode-event and stream-event keywords, EVE anomaly).
type Event uint16
