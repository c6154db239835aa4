package modbus

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/dataplane/protocol"
	"sluice/events"
)

var functionNames = map[byte]string{rdCoils: "RdCoils", rdDiscretes: "RdDiscreteInputs", rdHolding: "RdHoldRegs", rdInput: "RdInputRegs", wrCoil: "WrSingleCoil",
	wrRegister: "WrSingleReg", rdException: "RdExcStatus", diagnostic: "Diagnostic", 9: "Program484", 10: "Poll484", commEventCounter: "GetCommEventCtr",
	commEventLog: "GetCommEventLog", 13: "ProgramController", 14: "PollController", wrCoils: "WrMultCoils", wrRegisters: "WrMultRegs", serverID: "ReportServerID",
	18: "Program884", 19: "ResetCommLink", rdFile: "RdFileRec", wrFile: "WrFileRec", maskWrite: "MaskWrReg", rdWrRegisters: "RdWrMultRegs", rdFIFO: "RdFIFOQueue", mei: "MEI"}

// functionName gives the name of a function in records.
func functionName(f byte) string {
	if name := functionNames[f]; name != "" {
		return name
	}
	return "Unknown"
}

var exceptionNames = map[byte]string{1: "IllegalFunction", 2: "IllegalDataAddr", 3: "IllegalDataValue", 4: "ServerDeviceFail", 5: "Ack", 6: "ServerDeviceBusy",
	7: "NegAck", 8: "MemParityErr", 10: "GatewayPathUnavailable", 11: "GatewayTargetFailToResp"}

var diagnosticNames = map[uint16]string{0: "RetQueryData", 1: "RestartCommOpt", 2: "RetDiagReg", 3: "ChangeInputDelimiter", 4: "ForceListenOnlyMode",
	10: "ClearCtrDiagReg", 11: "RetBusMsgCount", 12: "RetBusCommErrCount", 13: "RetBusExcErrCount", 14: "RetServerMsgCount", 15: "RetServerNoRespCount",
	16: "RetServerNAKCount", 17: "RetServerBusyCount", 18: "RetBusCharOverrunCount", 20: "ClearOverrunCounterFlag"}

var meiNames = map[uint16]string{13: "CANOpenGenRefReqResp", 14: "RdDevId"}

// Names of bits, in the order in which records tell of them.
var (
	accessNames   = [...]string{"READ", "WRITE", "DISCRETES", "COILS", "INPUT", "HOLDING", "SINGLE", "MULTIPLE"}
	categoryNames = [...]string{"PUBLIC_UNASSIGNED", "PUBLIC_ASSIGNED", "USER_DEFINED", "RESERVED"}
	errorNames    = [...]string{"DATA_VALUE", "DATA_LENGTH", "EXC_CODE", "FUNC_CODE", "PROTO_ID"}
)

func bitNames(v uint, names []string) string {
	var out []string
	for i, n := range names {
		if v>>i&1 == 1 {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return "NONE"
	}
	return strings.Join(out, " | ")
}

type eveModbus struct {
	ID       uint64      `json:"id"`
	Request  *eveMessage `json:"request,omitempty"`
	Response *eveMessage `json:"response,omitempty"`
}

type eveMessage struct {
	TransactionID uint16    `json:"transaction_id"`
	ProtocolID    uint16    `json:"protocol_id"`
	UnitID        byte      `json:"unit_id"`
	FunctionRaw   byte      `json:"function_raw"`
	FunctionCode  string    `json:"function_code"`
	AccessType    string    `json:"access_type"`
	Category      string    `json:"category"`
	ErrorFlags    string    `json:"error_flags"`
	Exception     *eveCode  `json:"exception,omitempty"`
	Diagnostic    *eveCode  `json:"diagnostic,omitempty"`
	MEI           *eveCode  `json:"mei,omitempty"`
	Read          *eveSpan  `json:"read,omitempty"`
	Write         *eveWrite `json:"write,omitempty"`
	Data          *string   `json:"data,omitempty"`
}

type eveCode struct {
	Raw  uint16  `json:"raw"`
	Code string  `json:"code"`
	Data *string `json:"data,omitempty"`
}

type eveSpan struct {
	Address  *uint16 `json:"address,omitempty"`
	Quantity *uint16 `json:"quantity,omitempty"`
	Data     *string `json:"data,omitempty"`
}

type eveWrite struct {
	Address  *uint16 `json:"address,omitempty"`
	Quantity *uint16 `json:"quantity,omitempty"`
	AndMask  *uint16 `json:"and_mask,omitempty"`
	OrMask   *uint16 `json:"or_mask,omitempty"`
	// Data is a number for a single item, text for several.
	Data any `json:"data,omitempty"`
}

// Mask lets mask replace values in content.
func (e eveModbus) Mask(mask func([]byte) []byte) {
	one := func(s *string) {
		if s != nil {
			*s = string(mask([]byte(*s)))
		}
	}
	for _, m := range []*eveMessage{e.Request, e.Response} {
		if m == nil {
			continue
		}
		one(m.Data)
		for _, c := range []*eveCode{m.Diagnostic, m.MEI} {
			if c != nil {
				one(c.Data)
			}
		}
		if m.Read != nil {
			one(m.Read.Data)
		}
		if m.Write != nil {
			if s, ok := m.Write.Data.(string); ok {
				m.Write.Data = string(mask([]byte(s)))
			}
		}
	}
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	t, ok := tx.State.(*Transaction)
	if !ok {
		return
	}
	ev.SetExtra("modbus", eveModbus{ID: tx.ID + 1, Request: record(t.Messages[protocol.ToServer]), Response: record(t.Messages[protocol.ToClient])})
}

func record(m *Message) *eveMessage {
	if m == nil {
		return nil
	}
	out := &eveMessage{TransactionID: m.ID, ProtocolID: m.Protocol, UnitID: m.Unit, FunctionRaw: m.Function, FunctionCode: functionName(m.Function),
		AccessType: bitNames(uint(m.Access), accessNames[:]), Category: bitNames(uint(m.Category), categoryNames[:]), ErrorFlags: bitNames(uint(m.Errors), errorNames[:])}
	switch {
	case m.Exception && m.Dir == protocol.ToServer:
		out.FunctionRaw |= exceptionBit
		out.Data = content(m.Data)
	case m.Exception:
		out.FunctionRaw |= exceptionBit
		out.Exception = &eveCode{Raw: uint16(m.Code), Code: named(exceptionNames[m.Code])}
	case m.Function == diagnostic && m.HasSub:
		code := diagnosticNames[m.Sub]
		if code == "" {
			code = "Reserved"
		}
		out.Diagnostic = &eveCode{Raw: m.Sub, Code: code, Data: content(m.Data)}
	case m.Function == mei && m.HasSub:
		out.MEI = &eveCode{Raw: m.Sub, Code: named(meiNames[m.Sub]), Data: content(m.Data)}
	case m.Reads.Count == 0 && m.Writes.Count == 0:
		if m.Dir == protocol.ToClient && m.Access&Read != 0 {
			out.Read = &eveSpan{Data: content(m.Data)}
		} else if len(m.Data) > 0 {
			out.Data = content(m.Data)
		}
	default:
		if m.Reads.Count > 0 {
			out.Read = &eveSpan{Address: &m.Reads.Address, Quantity: &m.Reads.Count}
		}
		out.Write = m.write()
	}
	return out
}

// write tells of what a message writes, nil for one that does not.
func (m *Message) write() *eveWrite {
	switch {
	case m.Writes.Count == 0:
		return nil
	case m.Function == maskWrite:
		return &eveWrite{Address: &m.Writes.Address, AndMask: &m.Value, OrMask: &m.Or}
	case m.Access&Single != 0:
		return &eveWrite{Address: &m.Writes.Address, Data: m.Value}
	case m.Dir == protocol.ToClient:
		// A response repeats how many, where a single one has the value.
		return &eveWrite{Address: &m.Writes.Address, Data: m.Writes.Count}
	}
	return &eveWrite{Address: &m.Writes.Address, Quantity: &m.Writes.Count, Data: *content(m.Data)}
}

func named(s string) string {
	if s == "" {
		return "Unknown"
	}
	return s
}

// content gives bytes as text, those that are none as \xNN.
func content(b []byte) *string {
	s := string(b)
	if !utf8.Valid(b) {
		var sb strings.Builder
		for _, c := range b {
			if c >= 0x20 && c < 0x7f {
				sb.WriteByte(c)
			} else {
				fmt.Fprintf(&sb, "\\x%02x", c)
			}
		}
		s = sb.String()
	}
	return &s
}

var logModbus = []string{"modbus"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if tx.State == nil {
		return nil
	}
	return logModbus
}
