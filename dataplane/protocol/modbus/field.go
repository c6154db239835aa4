package modbus

import (
	"encoding/binary"

	"sluice/dataplane/protocol"
)

// Field gives instance i of a number for the modbus keyword, which is about
// requests. Of a message there are modbus.unit, modbus.function, modbus.subfunction
// and modbus.category (a bit of Category), of each of its accesses modbus.access (the
// bits of Access), modbus.first and modbus.last (where it begins and ends, counted
// from 1 as rules do), and of each item that is written modbus.item, its place, and
// modbus.value, and modbus.table (as modbus.access).
func (t *Transaction) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	m := t.Messages[protocol.ToServer]
	if dir != protocol.ToServer || m == nil || m.Errors&ErrLength != 0 && m.Unit == 0 && m.Function == 0 {
		return 0, false
	}
	switch name {
	case "modbus.unit":
		return uint64(m.Unit), i == 0
	case "modbus.function":
		return uint64(m.Function), i == 0
	case "modbus.subfunction":
		return uint64(m.Sub), i == 0 && m.HasSub
	case "modbus.category":
		return uint64(m.Category), i == 0
	case "modbus.access", "modbus.first", "modbus.last":
		return m.accessed(name, i)
	case "modbus.table", "modbus.item", "modbus.value":
		return m.written(name, i)
	}
	return 0, false
}

// accessed gives a number of the i-th access of a request.
func (m *Message) accessed(name string, i int) (uint64, bool) {
	var list [2]Access
	n := 0
	for _, kind := range [...]Access{Read, Write} {
		if m.Access&kind != 0 {
			list[n] = m.Access&^(Read|Write) | kind
			n++
		}
	}
	if i >= n {
		return 0, false
	}
	s := m.Reads
	if list[i]&Write != 0 {
		s = m.Writes
	}
	switch {
	case name == "modbus.access":
		return uint64(list[i]), true
	case s.Count == 0:
		return 0, true // nowhere
	case name == "modbus.first":
		return uint64(s.Address) + 1, true
	}
	return uint64(s.Address) + uint64(s.Count), true
}

// written gives a number of the i-th item that a request writes.
func (m *Message) written(name string, i int) (uint64, bool) {
	if i >= int(m.Writes.Count) {
		return 0, false
	}
	value := uint64(m.Value)
	switch {
	case m.Access&Single != 0 || m.Function == maskWrite:
	case m.Access&Coils != 0:
		if i/8 >= len(m.Data) {
			return 0, false
		}
		value = uint64(m.Data[i/8] >> (i % 8) & 1)
	default:
		if 2*i+2 > len(m.Data) {
			return 0, false
		}
		value = uint64(binary.BigEndian.Uint16(m.Data[2*i:]))
	}
	switch name {
	case "modbus.table":
		return uint64(m.Access&^Read | Write), true
	case "modbus.item":
		return uint64(m.Writes.Address) + uint64(i) + 1, true
	}
	return value, true
}
