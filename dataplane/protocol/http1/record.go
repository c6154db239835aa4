package http1

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/events"
)

var logHTTP, logDNS = []string{"http"}, []string{"http", "dns"}

// Log implements protocol.Parser.
func (p *parser) Log(tx *protocol.Tx) []string {
	if ex, ok := tx.State.(*exchange); ok && ex.doh.Known() {
		return logDNS
	}
	return logHTTP
}

// hostField gives the host that a request names, in its URI or else its header.
func (ex *exchange) hostField() ([]byte, bool) {
	req := &ex.msg[protocol.ToServer]
	if ex.hostEnd > 0 {
		return req.raw[ex.host:ex.hostEnd], true
	}
	return req.get(kindHost)
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
	h := &events.HTTP{}
	req, resp := &ex.msg[protocol.ToServer], &ex.msg[protocol.ToClient]
	if req.lineEnd > 0 {
		h.URL = string(req.uri())
		h.Method = string(req.method())
		h.Protocol = string(req.proto())
		if host, ok := ex.hostField(); ok {
			name, port, _ := splitHost(host)
			h.Hostname, h.HTTPPort = string(bytes.ToLower(name)), port
		}
		if v, ok := req.get(kindUserAgent); ok {
			h.UserAgent = string(v)
		}
		if v, ok := req.named("x-forwarded-for"); ok {
			h.ForwardedFor = string(v)
		}
		if v, ok := req.get(kindReferer); ok {
			h.Refer = string(v)
		}
	}
	if resp.lineEnd > 0 {
		if v, ok := resp.get(kindContentType); ok {
			v, _, _ = bytes.Cut(v, []byte(";"))
			h.ContentType = string(bytes.TrimSpace(v))
		}
		if resp.status > 0 {
			h.Status = resp.status
		} else {
			h.StatusString = string(resp.code())
		}
		if v, ok := resp.get(kindLocation); ok && resp.status/100 == 3 {
			h.Redirect = string(v)
		}
		if v, ok := resp.get(kindContentRange); ok {
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
			h.ContentRange = r
		}
	}
	h.Length = int64(resp.wire)
	e.HTTP = h
	ex.doh.Record(tx, e)
}
