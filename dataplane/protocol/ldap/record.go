package ldap

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// The bounds of a record.
const (
	maxLogged    = 256  // answers, and values of an attribute
	maxLoggedOf  = 128  // attributes of a message
	maxText      = 4096 // bytes of a text
	hidden       = "***"
	maxLoggedAll = 64 << 10 // bytes of all texts
)

// eveLDAP is EVE's ldap object.
type eveLDAP struct {
	Request   map[string]any   `json:"request,omitempty"`
	Responses []map[string]any `json:"responses,omitempty"`
	// Truncated tells that not all answers are shown, and Count how many there were.
	Truncated bool   `json:"truncated,omitempty"`
	Count     uint64 `json:"responses_count,omitempty"`
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	t, ok := tx.State.(*Transaction)
	if !ok || t.Request == nil && len(t.Responses) == 0 {
		return
	}
	w := writer{left: maxLoggedAll, secrets: p.secrets}
	var r eveLDAP
	if m := t.Request; m != nil {
		r.Request = map[string]any{"message_id": m.ID, "operation": opNames[m.Op]}
		if part := w.request(m); part != nil && !m.Bare {
			r.Request[opNames[m.Op]] = part
		}
		w.controls(r.Request, m)
	}
	for i, m := range t.Responses {
		if i == maxLogged || w.left <= 0 {
			break
		}
		out := map[string]any{"operation": opNames[m.Op]}
		if t.Request == nil {
			out["message_id"] = m.ID
		}
		if part := w.response(m); part != nil {
			out[opNames[m.Op]] = part
		}
		w.controls(out, m)
		r.Responses = append(r.Responses, out)
	}
	if uint64(len(r.Responses)) < t.Count {
		r.Truncated, r.Count = true, t.Count
	}
	ev.SetExtra("ldap", r)
}

// Mask lets mask replace values in all text that is a sender's own.
func (e eveLDAP) Mask(mask func([]byte) []byte) {
	maskIn(e.Request, mask)
	for _, m := range e.Responses {
		maskIn(m, mask)
	}
}

// maskIn masks the texts of a record's part.
func maskIn(part map[string]any, mask func([]byte) []byte) {
	for k, v := range part {
		switch v := v.(type) {
		case string:
			if k != "operation" && k != "result_code" && v != "" {
				part[k] = string(mask([]byte(v)))
			}
		case []string:
			for i := range v {
				v[i] = string(mask([]byte(v[i])))
			}
		case map[string]any:
			maskIn(v, mask)
		case []map[string]any:
			for _, m := range v {
				maskIn(m, mask)
			}
		}
	}
}

var logLDAP = []string{"ldap"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if t, ok := tx.State.(*Transaction); ok && (t.Request != nil || len(t.Responses) > 0) {
		return logLDAP
	}
	return nil
}

// writer makes the parts of a record, up to a number of bytes.
type writer struct {
	left    int
	secrets bool
}

// text gives text as it is, and bytes that are none with escapes.
func (w *writer) text(b []byte) string {
	n := min(len(b), maxText)
	valid := utf8.Valid(b)
	for n < len(b) && n > 0 && valid && !utf8.RuneStart(b[n]) {
		n-- // no character is cut
	}
	cut := len(b) - n
	b = b[:n]
	w.left -= n
	s := string(b)
	if !valid {
		s = escaped(b)
	}
	if cut > 0 {
		s += fmt.Sprintf("[truncated %d additional bytes]", cut)
	}
	return s
}

func escaped(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		if c >= ' ' && c < 0x7f {
			out = append(out, c)
		} else {
			out = append(out, '\\', 'x', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

func (w *writer) hex(b []byte) string {
	b = b[:min(len(b), maxText)]
	w.left -= 2 * len(b)
	return hex.EncodeToString(b)
}

// request gives the part of a request that goes by the name of its operation.
func (w *writer) request(m *Message) map[string]any {
	out := map[string]any{}
	switch m.Op {
	case BindRequest:
		out["version"], out["name"] = m.Version, w.text(m.DN)
		if m.Mechanism != nil {
			sasl := map[string]any{"mechanism": w.text(m.Mechanism)}
			if m.HasCreds {
				if sasl["credentials"] = hidden; w.secrets || !clearMechanism(m.Mechanism) {
					sasl["credentials"] = w.hex(m.Credentials)
				}
			}
			out["sasl"] = sasl
		}
	case SearchRequest:
		out["base_object"], out["scope"], out["deref_alias"] = w.text(m.DN), m.Scope, m.Deref
		out["size_limit"], out["time_limit"], out["types_only"] = m.SizeLimit, m.TimeLimit, m.TypesOnly
		if kind := filterKind(m.Filter); kind != "" {
			out["filter"] = map[string]any{"type": kind, "value": w.filter(kind, m.Filter)}
		}
		if len(m.Attributes) > 0 {
			var list []string
			for i := range m.Attributes[:min(len(m.Attributes), maxLoggedOf)] {
				list = append(list, w.text(m.Attributes[i].Type))
			}
			out["attributes"] = list
		}
	case ModifyRequest:
		out["object"] = w.text(m.DN)
		var list []map[string]any
		for i := range m.Attributes[:min(len(m.Attributes), maxLoggedOf)] {
			a := &m.Attributes[i]
			change := map[string]any{"attribute_type": w.text(a.Type)}
			if len(a.Values) > 0 {
				change["attribute_values"] = w.values(a)
			}
			list = append(list, map[string]any{"operation": changeName(a.Change), "modification": change})
		}
		if list != nil {
			out["changes"] = list
		}
	case AddRequest:
		out["entry"] = w.text(m.DN)
		w.attributes(out, "name", m)
	case DelRequest:
		out["dn"] = w.text(m.DN)
	case ModDNRequest:
		out["entry"], out["new_rdn"], out["delete_old_rdn"] = w.text(m.DN), w.text(m.NewRDN), m.DeleteOld
		if m.HasSuperior {
			out["new_superior"] = w.text(m.NewSuperior)
		}
	case CompareRequest:
		out["entry"] = w.text(m.DN)
		if len(m.Attributes) == 1 {
			a := &m.Attributes[0]
			out["attribute_value_assertion"] = map[string]any{"description": w.text(a.Type), "value": strings.Join(w.values(a), "")}
		}
	case ExtendedRequest:
		out["name"] = w.text(m.Name)
		if m.HasValue {
			if out["value"] = hidden; w.secrets || string(m.Name) != string(oidPassword) {
				out["value"] = w.text(m.Value)
			}
		}
	default:
		return nil
	}
	return out
}

// filter shows what is searched for; of mere presence the attribute alone.
func (w *writer) filter(kind string, b []byte) string {
	s := ""
	switch {
	case kind == "present":
		s = shown(b[min(2, len(b)):])
	default:
		if !w.secrets {
			b = append([]byte(nil), b...)
			HideSecrets(b)
		}
		s = filterText(b)
	}
	w.left -= len(s)
	return s
}

// response gives the part of an answer that goes by the name of its operation.
func (w *writer) response(m *Message) map[string]any {
	out := map[string]any{}
	switch m.Op {
	case SearchResultEntry:
		if m.Bare {
			return nil
		}
		out["base_object"] = w.text(m.DN)
		w.attributes(out, "type", m)
	case IntermediateResponse:
		if m.HasName {
			out["name"] = w.text(m.Name)
		}
		if m.HasValue {
			out["value"] = w.text(m.Value)
		}
	case SearchResultReference:
		return nil
	default:
		if !m.HasResult {
			return nil
		}
		out["result_code"], out["matched_dn"], out["message"] = resultName(m.Result), w.text(m.DN), w.text(m.Diagnostic)
		if m.HasCreds {
			out["server_sasl_creds"] = w.hex(m.Credentials)
		}
		if m.HasName {
			out["name"] = w.text(m.Name)
		}
		if m.HasValue {
			out["value"] = w.text(m.Value)
		}
	}
	return out
}

func (w *writer) attributes(out map[string]any, name string, m *Message) {
	var list []map[string]any
	for i := range m.Attributes[:min(len(m.Attributes), maxLoggedOf)] {
		a := &m.Attributes[i]
		part := map[string]any{name: w.text(a.Type)}
		if len(a.Values) > 0 {
			part["values"] = w.values(a)
		}
		list = append(list, part)
	}
	if list != nil {
		out["attributes"] = list
	}
}

// values gives an attribute's values, but for passwords.
func (w *writer) values(a *Attribute) []string {
	secret := !w.secrets && SecretType(a.Type)
	var out []string
	for _, v := range a.Values[:min(len(a.Values), maxLogged)] {
		switch {
		case secret:
			out = append(out, hidden)
		case w.left > 0:
			out = append(out, w.text(v))
		}
	}
	return out
}

func (w *writer) controls(out map[string]any, m *Message) {
	if len(m.Controls) == 0 {
		return
	}
	var list []map[string]any
	for _, c := range m.Controls {
		part := map[string]any{"control_type": w.text(c.Type), "criticality": c.Critical}
		if c.HasValue {
			part["control_value"] = w.hex(c.Value)
		}
		list = append(list, part)
	}
	out["controls"] = list
}

// changeNames are the kinds of changes (RFC 4511 §4.6, RFC 4525).
var changeNames = [...]string{"add", "delete", "replace", "increment"}

func changeName(v int64) string {
	if v >= 0 && v < int64(len(changeNames)) {
		return changeNames[v]
	}
	return fmt.Sprintf("Operation(%d)", v)
}
