package sip

import (
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

// Mask hides keys and passwords. The rest is names and addresses, which are masked as
// other texts of events are.
func (e *eveSIP) Mask(func([]byte) []byte) {
	hide := func(how func([]byte), list ...*string) {
		for _, s := range list {
			b := []byte(*s)
			how(b)
			*s = string(b)
		}
	}
	hide(hideURIs, &e.URI, &e.RequestLine)
	d := e.SDP
	if d == nil {
		return
	}
	d.EncryptionKey = hiddenKey(d.EncryptionKey)
	for i := range d.Attributes {
		hide(hideKey, &d.Attributes[i])
	}
	for i := range d.Media {
		m := &d.Media[i]
		m.EncryptionKey = hiddenKey(m.EncryptionKey)
		for i := range m.Attributes {
			hide(hideKey, &m.Attributes[i])
		}
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
	e := &eveSIP{Version: protocol.Text(m.version), SDP: m.sdp.record()}
	if m.response {
		e.Code, e.Reason, e.ResponseLine = protocol.Text(m.code), protocol.Text(m.reason), protocol.Text(m.line)
	} else {
		e.Method, e.URI, e.RequestLine = protocol.Text(m.method), protocol.Text(m.uri), protocol.Text(m.line)
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
		v := protocol.Text(l.value)
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

var logSIP = []string{"sip"}

// Log implements protocol.Parser: messages have a record that go the way of their
// kind.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if m := message(tx); m != nil && m.line != nil && !m.reversed() {
		return logSIP
	}
	return nil
}
