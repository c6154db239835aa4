package pop3

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/mime"
	"sluice/events"
)

// Buffer implements protocol.Parser; there are no buffers.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}

// evePOP3 is EVE's pop3 object.
type evePOP3 struct {
	Request  eveRequest   `json:"request"`
	Response *eveResponse `json:"response,omitempty"`
}

type eveRequest struct {
	Command string   `json:"command"`
	Args    []string `json:"args,omitempty"`
}

type eveResponse struct {
	Success bool     `json:"success"`
	Status  string   `json:"status"`
	Header  string   `json:"header"`
	Data    []string `json:"data,omitempty"`
}

// Record implements protocol.Parser. A message's text is no part of it.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	c, ok := tx.State.(*Command)
	if !ok {
		return
	}
	r := evePOP3{Request: eveRequest{Command: c.Name, Args: append([]string(nil), c.Args...)}}
	if c.answered {
		r.Response = &eveResponse{Success: c.OK, Status: "ERR", Header: c.Header, Data: append([]string(nil), c.Data...)}
		if c.OK {
			r.Response.Status = "OK"
		}
	}
	ev.SetExtra("pop3", r)
	if c.reader != nil {
		ev.Email = email(c)
	}
}

// email gives EVE's email object of a message.
func email(c *Command) *events.Email {
	h := c.reader.Header()
	e := &events.Email{
		Status: "HEADER_STARTED", From: h.Get("From"), Subject: h.Get("Subject"), Date: h.Get("Date"),
		MessageID: h.Get("Message-ID"), XMailer: h.Get("X-Mailer"),
		To: mime.Addresses(h.Get("To")), Cc: mime.Addresses(h.Get("Cc")),
		Attachment: append([]string(nil), c.reader.Attachments()...),
	}
	switch {
	case c.ended && !c.truncated:
		e.Status = "PARSE_DONE"
	case c.ended:
		e.Status = "PARSE_ERROR"
	case c.reader.HeaderDone():
		e.Status = "BODY_STARTED"
	}
	return e
}

var logPOP3 = []string{"pop3"}

// Log implements protocol.Parser.
func (p *Parser) Log(*protocol.Tx) []string { return logPOP3 }
