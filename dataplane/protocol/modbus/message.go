package modbus

import (
	"encoding/binary"
	"fmt"

	"sluice/dataplane/protocol"
)

// Access says what a function does to which table, as a set.
type Access uint16

// What a function does: the kind, the table, and to how much of it.
const (
	Read Access = 1 << iota
	Write
	Discretes
	Coils
	Input
	Holding
	Single
	Multiple
)

// Category is the kind of a function's code (Application Protocol §5).
type Category uint8

// The kinds of functions.
const (
	PublicUnassigned Category = 1 << iota
	PublicAssigned
	UserDefined
	Reserved
)

// Errors are what is wrong with a message, in the order of errorEvents.
type Errors uint8

// What may be wrong with a message.
const (
	ErrValue Errors = 1 << iota
	ErrLength
	ErrException
	ErrFunction
	ErrProtocol
	ErrUnit
	ErrMismatch
)

var errorEvents = [...]string{"invalid_value", "invalid_length", "invalid_exception_code", "invalid_function_code", "invalid_protocol_id",
	"invalid_unit_identifier", "value_mismatch"}

// Span is a run of a table that a message is about: Count items from Address on,
// which counts from 0.
type Span struct {
	Address, Count uint16
}

// Message is a request or a response.
type Message struct {
	Dir          protocol.Dir
	ID, Protocol uint16
	Unit         byte
	// Function is the code without the bit of exceptions, which Exception tells.
	Function  byte
	Exception bool
	Access    Access
	Category  Category
	Errors    Errors
	// Code is an exception's.
	Code byte
	// Sub is the subfunction of a diagnosis or the type of an encapsulated
	// interface, where HasSub says that there is one.
	Sub    uint16
	HasSub bool
	// Reads and Writes are where the message reads and writes, if Count is not 0.
	Reads, Writes Span
	// Value is that of a single write, or the mask of and; Or is the other mask.
	Value, Or uint16
	// Data is content: what is written by several, what was read, or whatever
	// follows the function.
	Data []byte
}

// Functions (Application Protocol §6).
const (
	rdCoils          = 1
	rdDiscretes      = 2
	rdHolding        = 3
	rdInput          = 4
	wrCoil           = 5
	wrRegister       = 6
	rdException      = 7
	diagnostic       = 8
	commEventCounter = 11
	commEventLog     = 12
	wrCoils          = 15
	wrRegisters      = 16
	serverID         = 17
	rdFile           = 20
	wrFile           = 21
	maskWrite        = 22
	rdWrRegisters    = 23
	rdFIFO           = 24
	mei              = 43
)

var access = [256]Access{
	rdCoils: Read | Coils, rdDiscretes: Read | Discretes, rdHolding: Read | Holding, rdInput: Read | Input,
	wrCoil: Write | Coils | Single, wrRegister: Write | Holding | Single, wrCoils: Write | Coils | Multiple, wrRegisters: Write | Holding | Multiple,
	rdFile: Read, wrFile: Write, maskWrite: Write | Holding, rdWrRegisters: Read | Write | Holding | Multiple, rdFIFO: Read | Holding,
}

// category gives the kind of a function; sub counts where the function has one.
func category(function byte, sub uint16) Category {
	switch {
	case function >= 65 && function <= 72, function >= 100 && function <= 110:
		return UserDefined
	}
	switch function {
	case 9, 10, 13, 14, 41, 42, 90, 91, 125, 126, 127:
		return Reserved
	case diagnostic:
		if sub >= 5 && sub <= 9 || sub == 19 || sub > 20 {
			return Reserved
		}
		return PublicAssigned
	case mei:
		if sub != 13 && sub != 14 {
			return Reserved
		}
		return PublicAssigned
	}
	if access[function] != 0 || function == rdException || function == commEventCounter || function == commEventLog || function == serverID {
		return PublicAssigned
	}
	return PublicUnassigned
}

// lastUnit is the highest address of a unit; 255 stands for the device itself
// (Messaging Guide §4.4.2.3).
const lastUnit = 247

// parse reads unit, function and what follows; it keeps b.
func (m *Message) parse(dir protocol.Dir, b []byte) {
	m.Unit, m.Function = b[0], b[1]&^exceptionBit
	m.Exception = b[1]&exceptionBit != 0
	b = b[2:]
	if m.Unit > lastUnit && m.Unit != 255 {
		m.Errors |= ErrUnit
	}
	m.Access = access[m.Function]
	if m.Function == diagnostic && len(b) >= 2 {
		m.Sub, m.HasSub, b = binary.BigEndian.Uint16(b), !m.Exception, b[2:]
	} else if m.Function == mei && len(b) >= 1 && !m.Exception {
		m.Sub, m.HasSub, b = uint16(b[0]), true, b[1:]
	}
	if m.Function != diagnostic && m.Function != mei || m.HasSub {
		m.Category = category(m.Function, m.Sub)
	} else {
		m.Category = PublicAssigned
	}
	if m.Function == 0 || m.Exception && dir == protocol.ToServer {
		m.Errors |= ErrFunction
	}
	switch {
	case m.Exception && dir == protocol.ToServer:
		m.Data = b
	case m.Exception:
		if len(b) != 1 {
			m.Errors |= ErrLength
			m.Data = b
			break
		}
		if m.Code = b[0]; exceptionNames[m.Code] == "" {
			m.Errors |= ErrException
		}
	case dir == protocol.ToServer:
		m.request(b)
	default:
		m.response(b)
	}
}

// limits are how many items a function may ask for.
var limits = [256]uint16{rdCoils: 2000, rdDiscretes: 2000, rdHolding: 125, rdInput: 125, wrCoils: 1968, wrRegisters: 123}

// writeLimit is how many registers a function that reads, too, may write.
const writeLimit = 121

// span reads an address and a count of at most limit.
func (m *Message) span(b []byte, limit uint16) Span {
	s := Span{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}
	if s.Count == 0 || s.Count > limit || int(s.Address)+int(s.Count) > 1<<16 {
		m.Errors |= ErrValue
	}
	return s
}

// exactly notes a wrong length. What is too much is content.
func (m *Message) exactly(b []byte, n int) bool {
	if len(b) != n {
		m.Errors |= ErrLength
	}
	if len(b) > n {
		m.Data = b[n:]
	}
	return len(b) >= n
}

func (m *Message) request(b []byte) {
	switch m.Function {
	case rdCoils, rdDiscretes, rdHolding, rdInput:
		if m.exactly(b, 4) {
			m.Reads = m.span(b, limits[m.Function])
		}
	case wrCoil, wrRegister, maskWrite:
		m.single(b)
	case wrCoils, wrRegisters:
		if len(b) < 5 {
			m.Errors |= ErrLength
			return
		}
		m.Writes = m.span(b, limits[m.Function])
		m.counted(b[4:], m.size())
	case rdWrRegisters:
		if len(b) < 9 {
			m.Errors, m.Data = m.Errors|ErrLength, b
			return
		}
		m.Reads, m.Writes = m.span(b, limits[rdHolding]), m.span(b[4:], writeLimit)
		m.counted(b[8:], m.size())
	case rdFile, wrFile:
		m.counted(b, -1)
	case rdFIFO:
		if m.exactly(b, 2) {
			m.Reads = Span{binary.BigEndian.Uint16(b), 1}
		}
	case rdException, commEventCounter, commEventLog, serverID:
		m.exactly(b, 0)
	case diagnostic:
		if !m.HasSub || len(b) < 2 {
			m.Errors |= ErrLength
		}
		m.Data = b
	default:
		m.Data = b
	}
}

// size gives the bytes of what a request writes.
func (m *Message) size() int {
	if m.Access&Coils != 0 {
		return (int(m.Writes.Count) + 7) / 8
	}
	return 2 * int(m.Writes.Count)
}

// single reads a write of one item, which a response repeats.
func (m *Message) single(b []byte) {
	n := 4
	if m.Function == maskWrite {
		n = 6
	}
	if !m.exactly(b, n) {
		return
	}
	m.Writes, m.Value = Span{binary.BigEndian.Uint16(b), 1}, binary.BigEndian.Uint16(b[2:])
	if m.Function == maskWrite {
		m.Or = binary.BigEndian.Uint16(b[4:])
	}
	if m.Function == wrCoil && m.Value != 0 && m.Value != 0xff00 {
		m.Errors |= ErrValue
	}
}

// counted reads content behind its length, which should be want unless that is -1.
func (m *Message) counted(b []byte, want int) {
	if len(b) == 0 {
		m.Errors |= ErrLength
		return
	}
	n := int(b[0])
	if n != len(b)-1 {
		m.Errors |= ErrLength
	}
	if want >= 0 && n != want {
		m.Errors |= ErrValue
	}
	m.Data = b[1:]
}

func (m *Message) response(b []byte) {
	switch m.Function {
	case rdCoils, rdDiscretes, rdHolding, rdInput, rdWrRegisters, rdFile, wrFile, commEventLog, serverID:
		m.counted(b, -1)
	case wrCoil, wrRegister, maskWrite:
		m.single(b)
	case wrCoils, wrRegisters:
		if m.exactly(b, 4) {
			m.Writes = m.span(b, limits[m.Function])
		}
	case rdException:
		m.exactly(b, 1)
		m.Data = b
	case commEventCounter:
		m.exactly(b, 4)
		m.Data = b
	case rdFIFO:
		if len(b) < 4 || int(binary.BigEndian.Uint16(b)) != len(b)-2 {
			m.Errors |= ErrLength
		}
		m.Data = b
	case diagnostic:
		if !m.HasSub || len(b) < 2 {
			m.Errors |= ErrLength
		}
		m.Data = b
	default:
		m.Data = b
	}
}

// answeredBy reports whether a response says what one to the request has to.
func (m *Message) answeredBy(r *Message) bool {
	switch {
	case m.Function != r.Function || m.Unit != r.Unit:
		return false
	case r.Exception || r.Errors&ErrLength != 0 || m.Errors&ErrLength != 0:
		return true
	case m.HasSub && m.Sub != r.Sub:
		return false
	}
	switch m.Function {
	case rdCoils, rdDiscretes:
		return len(r.Data) == (int(m.Reads.Count)+7)/8
	case rdHolding, rdInput, rdWrRegisters:
		return len(r.Data) == 2*int(m.Reads.Count)
	case wrCoil, wrRegister, maskWrite, wrCoils, wrRegisters:
		return m.Writes == r.Writes && m.Value == r.Value && m.Or == r.Or
	}
	return true
}

// objectName tells where content is from or goes to.
func (m *Message) objectName() string {
	name := functionName(m.Function)
	if m.Writes.Count > 0 {
		return fmt.Sprintf("%s %d", name, int(m.Writes.Address)+1)
	}
	return name
}
