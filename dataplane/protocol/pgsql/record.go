package pgsql

import (
	"encoding/hex"
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// evePGSQL is EVE's pgsql object.
type evePGSQL struct {
	TxID     uint64       `json:"tx_id"`
	Request  *eveRequest  `json:"request,omitempty"`
	Response *eveResponse `json:"response,omitempty"`
}

type eveRequest struct {
	Message         string      `json:"message,omitempty"`
	ProtocolVersion string      `json:"protocol_version,omitempty"`
	Startup         *eveStartup `json:"startup_parameters,omitempty"`
	Password        string      `json:"password,omitempty"`
	Redacted        bool        `json:"password_redacted,omitempty"`
	Mechanism       string      `json:"sasl_authentication_mechanism,omitempty"`
	SASLParam       string      `json:"sasl_param,omitempty"`
	SASLResponse    string      `json:"sasl_response,omitempty"`
	SimpleQuery     *string     `json:"simple_query,omitempty"`
	// Prepared are the texts of an extended query, for which EVE has no field.
	Prepared  []string   `json:"prepared_queries,omitempty"`
	ProcessID *uint32    `json:"process_id,omitempty"`
	SecretKey *uint32    `json:"secret_key,omitempty"`
	CopyData  *eveCopyIn `json:"copy_data_in,omitempty"`
}

type eveStartup struct {
	User     string              `json:"user,omitempty"`
	Optional []map[string]string `json:"optional_parameters,omitempty"`
}

type eveCopyIn struct {
	Messages uint64 `json:"msg_count"`
	Size     uint64 `json:"data_size"`
}

type eveCopyOut struct {
	Rows uint64 `json:"row_count"`
	Size uint64 `json:"data_size"`
}

type eveColumns struct {
	Columns int `json:"columns"`
}

// eveResponse is what a server has answered; fields of errors are added by name.
type eveResponse struct {
	Message   string              `json:"message,omitempty"`
	Accepted  *bool               `json:"ssl_accepted,omitempty"`
	GSS       *bool               `json:"gss_accepted,omitempty"`
	Salt      string              `json:"authentication_md5_password,omitempty"`
	SASLFinal string              `json:"authentication_sasl_final,omitempty"`
	Status    []map[string]string `json:"parameter_status,omitempty"`
	ProcessID *uint32             `json:"process_id,omitempty"`
	SecretKey *uint32             `json:"secret_key,omitempty"`
	Fields    *int                `json:"field_count,omitempty"`
	Rows      *uint64             `json:"data_rows,omitempty"`
	RowSize   *uint64             `json:"data_size,omitempty"`
	Command   string              `json:"command_completed,omitempty"`
	CopyIn    *eveColumns         `json:"copy_in_response,omitempty"`
	CopyOut   *eveColumns         `json:"copy_out_response,omitempty"`
	CopyData  *eveCopyOut         `json:"copy_data_out,omitempty"`

	SeverityLocal    string `json:"severity_localizable,omitempty"`
	Severity         string `json:"severity_non_localizable,omitempty"`
	Code             string `json:"code,omitempty"`
	Detail           string `json:"detail,omitempty"`
	Hint             string `json:"hint,omitempty"`
	Position         string `json:"position,omitempty"`
	InternalPosition string `json:"internal_position,omitempty"`
	InternalQuery    string `json:"internal_query,omitempty"`
	Where            string `json:"where,omitempty"`
	Schema           string `json:"schema_name,omitempty"`
	Table            string `json:"table_name,omitempty"`
	Column           string `json:"column_name,omitempty"`
	DataType         string `json:"data_type_name,omitempty"`
	Constraint       string `json:"constraint_name,omitempty"`
	File             string `json:"file,omitempty"`
	Line             string `json:"line,omitempty"`
	Routine          string `json:"routine,omitempty"`
}

// byType gives where a field of an error goes, nil for one that is not told.
func (r *eveResponse) byType(typ byte) *string {
	switch typ {
	case 'S':
		return &r.SeverityLocal
	case 'V':
		return &r.Severity
	case 'C':
		return &r.Code
	case 'M':
		return &r.Message
	case 'D':
		return &r.Detail
	case 'H':
		return &r.Hint
	case 'P':
		return &r.Position
	case 'p':
		return &r.InternalPosition
	case 'q':
		return &r.InternalQuery
	case 'W':
		return &r.Where
	case 's':
		return &r.Schema
	case 't':
		return &r.Table
	case 'c':
		return &r.Column
	case 'd':
		return &r.DataType
	case 'n':
		return &r.Constraint
	case 'F':
		return &r.File
	case 'L':
		return &r.Line
	case 'R':
		return &r.Routine
	}
	return nil
}

// hidden stands for what proves who somebody is.
const hidden = "***"

// Mask lets mask replace values in all text that is a sender's own, and hides what
// proves who somebody is.
func (e *evePGSQL) Mask(mask func([]byte) []byte) {
	apply := func(list ...*string) {
		for _, s := range list {
			if s != nil && *s != "" {
				*s = string(mask([]byte(*s)))
			}
		}
	}
	settings := func(list []map[string]string) {
		for i, m := range list {
			out := make(map[string]string, len(m))
			for k, v := range m {
				out[string(mask([]byte(k)))] = string(mask([]byte(v)))
			}
			list[i] = out
		}
	}
	if q := e.Request; q != nil {
		if q.SASLResponse != "" {
			q.SASLResponse = hidden
		}
		if q.Password != "" {
			q.Password = hidden
		}
		q.SecretKey = nil
		apply(&q.SASLParam, q.SimpleQuery)
		for i := range q.Prepared {
			apply(&q.Prepared[i])
		}
		if q.Startup != nil {
			apply(&q.Startup.User)
			settings(q.Startup.Optional)
		}
	}
	if r := e.Response; r != nil {
		r.SecretKey = nil
		apply(&r.Message, &r.Command, &r.Detail, &r.Hint, &r.InternalQuery, &r.Where, &r.Table, &r.Column, &r.Constraint)
		settings(r.Status)
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
	ev.SetExtra("pgsql", &evePGSQL{TxID: tx.ID + 1, Request: p.requestRecord(t), Response: t.response()})
}

// requestRecord tells of a request; nil where there was none.
func (p *Parser) requestRecord(t *Transaction) *eveRequest {
	q := &eveRequest{}
	switch t.Kind {
	case Orphan:
		return nil
	case Unknown:
		q.Message = "unknown_message"
	case TLSRequest:
		q.Message = "SSL Request"
	case GSSRequest:
		q.Message = "GSSENC Request"
	case Startup:
		q.ProtocolVersion = fmt.Sprintf("%d.%d", t.Version>>16, t.Version&0xffff)
		q.Startup = &eveStartup{User: t.User, Optional: settings(t.Params)}
	case Cancel:
		q.Message, q.ProcessID, q.SecretKey = "cancel_request", &t.Process, &t.Key
	case Password:
		q.Redacted = !p.passwords
		q.Password = t.Password
	case SASLInitial:
		q.Mechanism, q.SASLParam = t.Mechanism, t.SASL
	case SASLResponse:
		q.SASLResponse = t.SASL
	case Query:
		simple := ""
		if len(t.Queries) > 0 {
			simple = hideSecrets(protocol.Text(t.Queries[0]))
		}
		q.SimpleQuery = &simple
	case Extended:
		q.Message = "extended_query"
		for _, b := range t.Queries {
			q.Prepared = append(q.Prepared, hideSecrets(protocol.Text(b)))
		}
	case FunctionCall:
		q.Message = "function_call"
	case CopyIn:
		q.Message, q.CopyData = t.CopyEnd, &eveCopyIn{t.CopyMessages, t.CopySize}
	case Terminate:
		q.Message = "termination_message"
	}
	return q
}

// response tells of what a server has answered; nil where it has not.
func (t *Transaction) response() *eveResponse {
	r := &t.Reply
	out := &eveResponse{Message: r.Message, Salt: r.Salt, SASLFinal: r.SASLFinal, Status: settings(r.Status), Command: r.Command}
	switch {
	case t.Kind == TLSRequest:
		out.Accepted = &t.Accepted
		return out
	case t.Kind == GSSRequest:
		out.GSS = &t.Accepted
		return out
	case !r.seen:
		return nil
	}
	if r.HasKey {
		out.ProcessID, out.SecretKey = &r.Process, &r.Key
	}
	if r.HasFields {
		out.Fields = &r.Fields
	}
	if r.Rows > 0 {
		out.Rows, out.RowSize = &r.Rows, &r.RowSize
	}
	if r.HasCopyIn {
		out.CopyIn = &eveColumns{r.CopyColumns}
	}
	if r.HasCopyOut {
		out.CopyOut = &eveColumns{r.CopyColumns}
	}
	if r.CopyRows > 0 {
		out.CopyData = &eveCopyOut{r.CopyRows, r.CopySize}
	}
	for _, f := range r.Error {
		if to := out.byType(f.typ); to != nil {
			*to = f.value
		}
	}
	return out
}

// settings gives parameters as records have them: each by itself.
func settings(list []pair) []map[string]string {
	var out []map[string]string
	for _, s := range list {
		out = append(out, map[string]string{s.name: s.value})
	}
	return out
}

func hexText(b []byte) string { return hex.EncodeToString(b[:min(len(b), 16)]) }

var logPGSQL = []string{"pgsql"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if t, ok := tx.State.(*Transaction); ok && (t.Kind > Unknown || t.Reply.seen) {
		return logPGSQL
	}
	return nil
}
