package snmp

import (
	"fmt"
	"net/netip"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
	"sluice/events"
)

// Field gives a number for the keyword name: snmp.version and snmp.pdu_type.
func (m *Message) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if dir != m.Dir || i > 0 {
		return 0, false
	}
	switch name {
	case "snmp.version":
		return uint64(m.Version), m.Version != 0
	case "snmp.pdu_type":
		return uint64(m.PDU), m.HasPDU
	}
	return 0, false
}

// eveSNMP is EVE's snmp object.
type eveSNMP struct {
	Version     int64    `json:"version"`
	PDUType     string   `json:"pdu_type,omitempty"`
	Error       string   `json:"error,omitempty"`
	TrapType    string   `json:"trap_type,omitempty"`
	TrapOID     string   `json:"trap_oid,omitempty"`
	TrapAddress string   `json:"trap_address,omitempty"`
	Vars        []string `json:"vars,omitempty"`
	Community   *string  `json:"community,omitempty"`
	User        *string  `json:"usm,omitempty"`
}

// Mask lets mask replace values in what a sender calls itself.
func (e *eveSNMP) Mask(mask func([]byte) []byte) {
	for _, s := range []**string{&e.Community, &e.User} {
		if *s != nil {
			masked := string(mask([]byte(**s)))
			*s = &masked
		}
	}
}

// hidden stands for a community.
const hidden = "***"

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Message)
	if !ok || m.Version == 0 {
		return
	}
	r := &eveSNMP{Version: m.Version}
	switch {
	case m.Encrypted:
		r.PDUType = "encrypted"
	case m.HasPDU:
		r.PDUType = pduNames[m.PDU]
		if m.Status != 0 {
			r.Error = statusName(m.Status)
		}
		if m.PDU == TrapV1 {
			r.TrapType, r.TrapOID = trapName(m.Trap), oid(m.Enterprise)
			if a, ok := netip.AddrFromSlice(m.Address); ok && a.Is4() {
				r.TrapAddress = a.String()
			}
		}
		for _, v := range m.Vars {
			r.Vars = append(r.Vars, oid(v))
		}
	}
	if m.HasCommunity {
		s := hidden
		if p.secrets || !secret(m.Community) {
			s = protocol.Text(m.Community)
		}
		r.Community = &s
	}
	if m.HasUser {
		s := protocol.Text(m.User)
		r.User = &s
	}
	ev.SetExtra("snmp", r)
}

var logSNMP = []string{"snmp"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if m, ok := tx.State.(*Message); ok && m.Version != 0 {
		return logSNMP
	}
	return nil
}

func oid(b []byte) string { return string(ber.AppendOID(nil, b)) }

var pduNames = [...]string{"get_request", "get_next_request", "response", "set_request", "trap_v1", "get_bulk_request", "inform_request",
	"trap_v2", "report"}

// statusNames are the errors of RFC 3416 §3, in the spelling of events.
var statusNames = [...]string{"NoError", "TooBig", "NoSuchName", "BadValue", "ReadOnly", "GenErr", "NoAccess", "WrongType", "WrongLength",
	"WrongEncoding", "WrongValue", "NoCreation", "InconsistentValue", "ResourceUnavailable", "CommitFailed", "UndoFailed",
	"AuthorizationError", "NotWritable", "InconsistentName"}

func statusName(v int64) string {
	if v >= 0 && v < int64(len(statusNames)) {
		return statusNames[v]
	}
	return fmt.Sprintf("ErrorStatus(%d)", v)
}

// trapNames are the kinds of traps of RFC 1157 §4.1.6.
var trapNames = [...]string{"ColdStart", "WarmStart", "LinkDown", "LinkUp", "AuthenticationFailure", "EgpNeighborLoss", "EnterpriseSpecific"}

func trapName(v int64) string {
	if v >= 0 && v < int64(len(trapNames)) {
		return trapNames[v]
	}
	return fmt.Sprintf("TrapType(%d)", v)
}
