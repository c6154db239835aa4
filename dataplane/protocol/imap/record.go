package imap

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/mime"
	"sluice/events"
)

// Buffer implements protocol.Parser; there are no buffers.
func (p *Parser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}

// Record implements protocol.Parser. It fills EVE's email object.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Mail)
	if !ok || m.reader == nil {
		return
	}
	h := m.reader.Header()
	e := &events.Email{
		Status: "HEADER_STARTED", From: h.Get("From"), Subject: h.Get("Subject"), Date: h.Get("Date"),
		MessageID: h.Get("Message-ID"), XMailer: h.Get("X-Mailer"),
		To: mime.Addresses(h.Get("To")), Cc: mime.Addresses(h.Get("Cc")),
		Attachment: append([]string(nil), m.reader.Attachments()...),
	}
	switch {
	case m.ended && !m.truncated:
		e.Status = "PARSE_DONE"
	case m.ended:
		e.Status = "PARSE_ERROR"
	case m.reader.HeaderDone():
		e.Status = "BODY_STARTED"
	}
	ev.Email = e
}

// Log implements protocol.Parser: messages are reported as files, there is no
// record of IMAP itself.
func (p *Parser) Log(*protocol.Tx) []string { return nil }
