package protocol

import (
	"bytes"
	"slices"
)

// AddMessage appends the transaction of a protocol whose every message is one: it has
// one direction, and is complete when it exists.
func (l *TxList) AddMessage(state any, now int64, dir Dir, complete uint8) *Tx {
	tx := l.Add(state, now)
	tx.Only, tx.Progress = DirsToServer<<dir, [2]uint8{complete, complete}
	return tx
}

// Foreign answers a datagram that is not of the parser's protocol: it is recognised
// anew, since one message of a scanner must not hide what other protocols send in the
// same flow. On a port of the protocol itself, with ok false, it stays with the parser:
// junk must not end the reading of what is meant for it.
func (e *Env) Foreign(data []byte, ports ...uint16) (st Status, ok bool) {
	if slices.Contains(ports, e.DstPort) {
		return Continue, false
	}
	e.SwitchTo, e.Rest = Unknown, data
	return Switch, true
}

// Text gives bytes as a text of an event; what is no UTF-8 is replaced.
func Text(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("\uFFFD"))) }
