package smtp

import (
	"crypto/md5"
	"encoding/hex"
	"slices"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/mime"
	"sluice/events"
)

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m, ok := tx.State.(*Mail)
	if !ok || dir != protocol.ToServer || i < 0 {
		return nil, false
	}
	var b []byte
	switch slot := id.Slot(); slot {
	case slotHelo:
		b = m.Helo
	case slotMailFrom:
		b = m.MailFrom
	case slotRcptTo:
		if i >= len(m.RcptTo) {
			return nil, false
		}
		return m.RcptTo[i], true
	case slotURL:
		if m.reader == nil || i >= len(m.reader.URLs()) {
			return nil, false
		}
		return []byte(m.reader.URLs()[i]), true
	case slotReceived:
		if m.reader == nil {
			return nil, false
		}
		if v := m.reader.Header().Values("Received"); i < len(v) {
			// Without the tabs of folded lines, as Suricata's buffer has it.
			return []byte(strings.ReplaceAll(v[i], "\t", "")), true
		}
		return nil, false
	case slotBodyMD5:
		b = m.md5()
	default:
		name, ok := headerSlots[slot]
		if !ok || m.reader == nil {
			return nil, false
		}
		b = []byte(m.reader.Header().Get(name))
	}
	return b, i == 0 && len(b) > 0
}

// md5 gives the digest of the body in hex, nil where it is not known.
func (m *Mail) md5() []byte {
	if m.bodyMD5 == nil && m.digest != nil && m.ended && !m.truncated {
		m.bodyMD5 = hex.AppendEncode(nil, m.digest.Sum(nil))
	}
	return m.bodyMD5
}

// Log implements protocol.Parser. A dialogue without any mail or greeting of
// the client is not worth a record.
func (p *Parser) Log(tx *protocol.Tx) []string {
	m, ok := tx.State.(*Mail)
	if !ok || len(m.Helo) == 0 && m.MailFrom == nil && m.RcptTo == nil && m.reader == nil {
		return nil
	}
	return logSMTP
}

var logSMTP = []string{"smtp"}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		if len(p.helo) > 0 {
			ev.SMTP = &events.SMTP{Helo: string(p.helo)}
		}
		return
	}
	m, ok := tx.State.(*Mail)
	if !ok {
		return
	}
	s := &events.SMTP{Helo: string(m.Helo), MailFrom: string(m.MailFrom)}
	for _, r := range m.RcptTo {
		s.RcptTo = append(s.RcptTo, string(r))
	}
	ev.SMTP = s
	if m.reader == nil {
		return
	}
	h := m.reader.Header()
	e := &events.Email{
		Status: status(m), From: h.Get("From"), Subject: h.Get("Subject"), Date: h.Get("Date"),
		MessageID: h.Get("Message-ID"), XMailer: h.Get("X-Mailer"),
		To: mime.Addresses(h.Get("To")), Cc: mime.Addresses(h.Get("Cc")),
	}
	if urls := m.reader.URLs(); len(urls) > 0 {
		// Suricata lists the last one first, and SIEM rules have got used to it.
		e.URLs = append([]string(nil), urls...)
		slices.Reverse(e.URLs)
	}
	if names := m.reader.Attachments(); len(names) > 0 {
		e.Attachment = append([]string(nil), names...)
	}
	if p.md5 && e.Subject != "" {
		sum := md5.Sum([]byte(e.Subject))
		e.SubjectMD5 = hex.EncodeToString(sum[:])
	}
	if p.bodyMD5 {
		e.BodyMD5 = string(m.md5())
	}
	ev.Email = e
}

// status gives EVE's email.status.
func status(m *Mail) string {
	switch {
	case m.ended && !m.truncated:
		return "PARSE_DONE"
	case m.ended:
		return "PARSE_ERROR"
	case m.reader.HeaderDone():
		return "BODY_STARTED"
	}
	return "HEADER_STARTED"
}
