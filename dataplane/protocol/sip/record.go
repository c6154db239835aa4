package sip

import (
	"bytes"
	"slices"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// eveSIP is EVE's sip object.
type eveSIP struct {
	Method       string  `json:"method,omitempty"`
	URI          string  `json:"uri,omitempty"`
	Version      string  `json:"version,omitempty"`
	RequestLine  string  `json:"request_line,omitempty"`
	Code         string  `json:"code,omitempty"`
	Reason       string  `json:"reason,omitempty"`
	ResponseLine string  `json:"response_line,omitempty"`
	SDP          *eveSDP `json:"sdp,omitempty"`
}

// eveSDP is EVE's sdp object within it.
type eveSDP struct {
	Origin        string     `json:"origin,omitempty"`
	SessionName   string     `json:"session_name,omitempty"`
	SessionInfo   string     `json:"session_info,omitempty"`
	URI           string     `json:"uri,omitempty"`
	Email         string     `json:"email,omitempty"`
	Phone         string     `json:"phone_number,omitempty"`
	Connection    string     `json:"connection_data,omitempty"`
	Bandwidths    []string   `json:"bandwidths,omitempty"`
	Times         []eveTime  `json:"time_descriptions,omitempty"`
	Timezone      string     `json:"timezone,omitempty"`
	EncryptionKey string     `json:"encryption_key,omitempty"`
	Attributes    []string   `json:"attributes,omitempty"`
	Media         []eveMedia `json:"media_descriptions,omitempty"`
}

type eveTime struct {
	Time   string `json:"time"`
	Repeat string `json:"repeat_time,omitempty"`
}

type eveMedia struct {
	Media         string   `json:"media"`
	Info          string   `json:"media_info,omitempty"`
	Bandwidths    []string `json:"bandwidths,omitempty"`
	Connection    string   `json:"connection_data,omitempty"`
	EncryptionKey string   `json:"encryption_key,omitempty"`
	Attributes    []string `json:"attributes,omitempty"`
}

// Mask lets mask replace values in all text that is a sender's own, and hides keys
// and passwords.
func (e *eveSIP) Mask(mask func([]byte) []byte) {
	masked := func(list ...*string) {
		for _, s := range list {
			if *s != "" {
				*s = string(mask([]byte(*s)))
			}
		}
	}
	each := func(list []string, hide func([]byte)) {
		for i := range list {
			b := []byte(list[i])
			hide(b)
			list[i] = string(mask(b))
		}
	}
	none := func([]byte) {}
	masked(&e.Method, &e.URI, &e.RequestLine, &e.Reason, &e.ResponseLine)
	for _, s := range []*string{&e.URI, &e.RequestLine} {
		b := []byte(*s)
		hideURIs(b)
		*s = string(b)
	}
	d := e.SDP
	if d == nil {
		return
	}
	masked(&d.Origin, &d.SessionName, &d.SessionInfo, &d.URI, &d.Email, &d.Phone, &d.Connection, &d.Timezone)
	d.EncryptionKey = hiddenKey(d.EncryptionKey)
	each(d.Bandwidths, none)
	each(d.Attributes, hideKey)
	for i := range d.Times {
		masked(&d.Times[i].Time, &d.Times[i].Repeat)
	}
	for i := range d.Media {
		m := &d.Media[i]
		masked(&m.Media, &m.Info, &m.Connection)
		m.EncryptionKey = hiddenKey(m.EncryptionKey)
		each(m.Bandwidths, none)
		each(m.Attributes, hideKey)
	}
}

// hiddenKey gives a key line without a key that is in it.
func hiddenKey(s string) string {
	method, _, has := strings.Cut(s, ":")
	if has && !strings.EqualFold(method, "uri") {
		return method + ":***"
	}
	return s
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	m := message(tx)
	if m == nil || m.line == nil {
		return
	}
	e := &eveSIP{Version: text(m.version), SDP: m.sdp.record()}
	if m.response {
		e.Code, e.Reason, e.ResponseLine = text(m.code), text(m.reason), text(m.line)
	} else {
		e.Method, e.URI, e.RequestLine = text(m.method), text(m.uri), text(m.line)
	}
	ev.SetExtra("sip", e)
}

// record gives a description's part of an event. Lines that may be repeated where
// EVE has one text are put side by side.
func (d *SDP) record() *eveSDP {
	if d == nil || !slices.ContainsFunc(d.lines, func(l sdpLine) bool { return l.typ != 'v' }) {
		return nil
	}
	e := &eveSDP{}
	var m *eveMedia
	for i := range d.lines {
		l := &d.lines[i]
		v := text(l.value)
		if l.media > 0 {
			switch l.typ {
			case 'm':
				e.Media = append(e.Media, eveMedia{Media: v})
				m = &e.Media[len(e.Media)-1]
			case 'i':
				also(&m.Info, v)
			case 'b':
				m.Bandwidths = append(m.Bandwidths, v)
			case 'c':
				also(&m.Connection, v)
			case 'k':
				also(&m.EncryptionKey, v)
			case 'a':
				m.Attributes = append(m.Attributes, v)
			}
			continue
		}
		switch l.typ {
		case 'o':
			also(&e.Origin, v)
		case 's':
			also(&e.SessionName, v)
		case 'i':
			also(&e.SessionInfo, v)
		case 'u':
			also(&e.URI, v)
		case 'e':
			also(&e.Email, v)
		case 'p':
			also(&e.Phone, v)
		case 'c':
			also(&e.Connection, v)
		case 'b':
			e.Bandwidths = append(e.Bandwidths, v)
		case 't':
			e.Times = append(e.Times, eveTime{Time: v})
		case 'r':
			if n := len(e.Times); n > 0 {
				also(&e.Times[n-1].Repeat, v)
			}
		case 'z':
			also(&e.Timezone, v)
		case 'k':
			also(&e.EncryptionKey, v)
		case 'a':
			e.Attributes = append(e.Attributes, v)
		}
	}
	return e
}

func also(s *string, v string) {
	if *s != "" {
		v = *s + ", " + v
	}
	*s = v
}

func text(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("\uFFFD"))) }

var logSIP = []string{"sip"}

// Log implements protocol.Parser: messages have a record that go the way of their
// kind.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if m := message(tx); m != nil && m.line != nil && !m.reversed() {
		return logSIP
	}
	return nil
}
