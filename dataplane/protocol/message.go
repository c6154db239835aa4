package protocol

import "bytes"

// AddMessage appends the transaction of a protocol whose every message is one: it has
// one direction, and is complete when it exists.
func (l *TxList) AddMessage(state any, now int64, dir Dir, complete uint8) *Tx {
	tx := l.Add(state, now)
	tx.Only, tx.Progress = DirsToServer<<dir, [2]uint8{complete, complete}
	return tx
}

// Text gives bytes as a text of an event; what is no UTF-8 is replaced.
func Text(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("\uFFFD"))) }

// Stars hides bytes that nobody may read in place.
func Stars(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}
