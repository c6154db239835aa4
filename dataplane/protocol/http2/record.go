package http2

import (
	"bytes"
	"strconv"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/events"
)

var logHTTP, logDNS = []string{"http"}, []string{"http", "dns"}

// Log implements protocol.Parser. Frames and streams that have nothing to tell
// are not reported.
func (p *parser) Log(tx *protocol.Tx) []string {
	ex, ok := tx.State.(*exchange)
	if !ok {
		return nil
	}
	if ex.doh.Known() {
		return logDNS
	}
	for d := range ex.msg {
		f := &ex.facts[d]
		if len(ex.msg[d].fields) > 0 || len(f.settings)+len(f.errors)+len(f.priorities) > 0 {
			return logHTTP
		}
	}
	return nil
}

func (f *facts) frames() events.HTTP2Frames {
	var r events.HTTP2Frames
	for _, s := range f.settings {
		name := "SETTINGS" + strconv.Itoa(int(s.id))
		if int(s.id) < len(settingNames) && settingNames[s.id] != "" {
			name = strings.ReplaceAll(settingNames[s.id], "_", "")
		}
		r.Settings = append(r.Settings, events.HTTP2Setting{ID: name, Value: s.value})
	}
	if len(f.errors) > 0 {
		if c := f.errors[0]; int(c) < len(errorNames) {
			r.ErrorCode = errorNames[c]
		} else {
			r.ErrorCode = strconv.FormatUint(uint64(c), 10)
		}
	}
	if len(f.priorities) > 0 {
		w := f.priorities[0]
		r.Priority = &w
	}
	return r
}

// Record implements protocol.Parser.
func (p *parser) Record(tx *protocol.Tx, e *events.Event) {
	if tx == nil {
		return
	}
	ex, ok := tx.State.(*exchange)
	if !ok {
		return
	}
	h := &events.HTTP{Protocol: string(protocolName)}
	req, resp := &ex.msg[protocol.ToServer], &ex.msg[protocol.ToClient]
	text := func(m *message, k kind) string {
		v, _ := m.get(k)
		return string(v)
	}
	h.URL, h.Method = text(req, kindPath), text(req, kindMethod)
	host, ok := req.get(kindAuthority)
	if !ok {
		host, ok = req.get(kindHost)
	}
	if ok {
		name, port := splitHost(host)
		h.Hostname, h.HTTPPort = string(bytes.ToLower(name)), port
	}
	h.UserAgent, h.Refer = text(req, kindUserAgent), text(req, kindReferer)
	if resp.done {
		ct, _, _ := strings.Cut(text(resp, kindContentType), ";")
		h.ContentType = strings.TrimSpace(ct)
		if h.Status = resp.status; h.Status == 0 {
			h.StatusString = text(resp, kindStatus)
		}
		if resp.status/100 == 3 {
			h.Redirect = text(resp, kindLocation)
		}
		if v, ok := resp.get(kindContentRange); ok {
			h.ContentRange = contentRange(v)
		}
	}
	h.Length = int64(resp.wire)
	h.RequestHeaders, h.ResponseHeaders = req.list(), resp.list()
	h.Version = "2"
	h.HTTP2 = &events.HTTP2{StreamID: ex.id, Request: ex.facts[0].frames(), Response: ex.facts[1].frames()}
	e.HTTP = h
	ex.doh.Record(tx, e)
}

func contentRange(v []byte) *events.ContentRange {
	r := &events.ContentRange{Raw: string(v)}
	start, end, size, _ := parseRange(v)
	for _, x := range []struct {
		n  int64
		to **int64
	}{{start, &r.Start}, {end, &r.End}, {size, &r.Size}} {
		if x.n >= 0 {
			n := x.n
			*x.to = &n
		}
	}
	return r
}

// list gives the fields as events show them: without what proves who somebody
// is, since all fields of all streams go into events.
func (m *message) list() []events.HTTPHeader {
	var l []events.HTTPHeader
	for i := range m.fields {
		f := &m.fields[i]
		v := string(m.value(f))
		switch f.kind {
		case kindCookie, kindSetCookie:
			v = masked
		case kindAuthorization, kindProxyAuthorization:
			if scheme, _, ok := strings.Cut(v, " "); ok {
				v = scheme + " " + masked
			} else {
				v = masked
			}
		}
		l = append(l, events.HTTPHeader{Name: string(m.name(f)), Value: v})
	}
	return l
}

const masked = "***"
