package sip

import "sluice/dataplane/protocol"

// The slots of buffers of first lines.
const (
	slotMethod = iota
	slotURI
	slotRequestLine
	slotStatCode
	slotStatMsg
	slotResponseLine
	slotProtocol
)

// buffers are the sticky buffers by slot; further names are aliases.
var buffers = [...]struct {
	names []string
	dirs  protocol.Dirs
	multi bool
	// field is what fills a buffer of a header, sdp and scope one of a description.
	field kind
	sdp   byte
	scope scope
}{
	slotMethod:       {names: []string{"sip.method"}, dirs: protocol.DirsToServer},
	slotURI:          {names: []string{"sip.uri"}, dirs: protocol.DirsToServer},
	slotRequestLine:  {names: []string{"sip.request_line"}, dirs: protocol.DirsToServer},
	slotStatCode:     {names: []string{"sip.stat_code"}, dirs: protocol.DirsToClient},
	slotStatMsg:      {names: []string{"sip.stat_msg"}, dirs: protocol.DirsToClient},
	slotResponseLine: {names: []string{"sip.response_line"}, dirs: protocol.DirsToClient},
	slotProtocol:     {names: []string{"sip.protocol"}, dirs: protocol.DirsBoth},
	{names: []string{"sip.from"}, dirs: protocol.DirsBoth, multi: true, field: fieldFrom},
	{names: []string{"sip.to"}, dirs: protocol.DirsBoth, multi: true, field: fieldTo},
	{names: []string{"sip.via"}, dirs: protocol.DirsBoth, multi: true, field: fieldVia},
	{names: []string{"sip.user_agent"}, dirs: protocol.DirsBoth, multi: true, field: fieldUserAgent},
	{names: []string{"sip.content_type"}, dirs: protocol.DirsBoth, multi: true, field: fieldContentType},
	{names: []string{"sip.content_length"}, dirs: protocol.DirsBoth, multi: true, field: fieldContentLength},
	{names: []string{"sdp.origin"}, dirs: protocol.DirsBoth, multi: true, sdp: 'o'},
	{names: []string{"sdp.session_name"}, dirs: protocol.DirsBoth, multi: true, sdp: 's'},
	{names: []string{"sdp.session_info"}, dirs: protocol.DirsBoth, multi: true, sdp: 'i'},
	{names: []string{"sdp.uri"}, dirs: protocol.DirsBoth, multi: true, sdp: 'u'},
	{names: []string{"sdp.email"}, dirs: protocol.DirsBoth, multi: true, sdp: 'e'},
	{names: []string{"sdp.phone_number"}, dirs: protocol.DirsBoth, multi: true, sdp: 'p'},
	{names: []string{"sdp.connection_data"}, dirs: protocol.DirsBoth, multi: true, sdp: 'c'},
	{names: []string{"sdp.bandwidth"}, dirs: protocol.DirsBoth, multi: true, sdp: 'b', scope: ofAny},
	{names: []string{"sdp.time"}, dirs: protocol.DirsBoth, multi: true, sdp: 't'},
	{names: []string{"sdp.repeat_time"}, dirs: protocol.DirsBoth, multi: true, sdp: 'r'},
	{names: []string{"sdp.timezone"}, dirs: protocol.DirsBoth, multi: true, sdp: 'z'},
	{names: []string{"sdp.encryption_key"}, dirs: protocol.DirsBoth, multi: true, sdp: 'k'},
	// Bandwidths and attributes of media have no buffer of their own.
	{names: []string{"sdp.attribute"}, dirs: protocol.DirsBoth, multi: true, sdp: 'a', scope: ofAny},
	{names: []string{"sdp.media.media"}, dirs: protocol.DirsBoth, multi: true, sdp: 'm', scope: ofMedia},
	{names: []string{"sdp.media.media_info", "sdp.media.session_info"}, dirs: protocol.DirsBoth, multi: true, sdp: 'i', scope: ofMedia},
	{names: []string{"sdp.media.connection_data"}, dirs: protocol.DirsBoth, multi: true, sdp: 'c', scope: ofMedia},
	{names: []string{"sdp.media.encryption_key"}, dirs: protocol.DirsBoth, multi: true, sdp: 'k', scope: ofMedia},
}

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	m := message(tx)
	if m == nil || id.Protocol() != protocol.SIP || int(id.Slot()) >= len(buffers) || m.Dir != dir {
		return nil, false
	}
	b := &buffers[id.Slot()]
	switch {
	case b.sdp != 0:
		return m.sdp.get(b.sdp, b.scope, i)
	case b.field != fieldOther:
		return m.get(b.field, i)
	case i > 0 || m.line == nil:
		return nil, false
	}
	var v []byte
	request := true
	switch id.Slot() {
	case slotMethod:
		v = m.method
	case slotURI:
		v = m.uri
	case slotRequestLine:
		v = m.line
	case slotProtocol:
		return m.version, true
	case slotStatCode:
		v, request = m.code, false
	case slotStatMsg:
		v, request = m.reason, false
	case slotResponseLine:
		v, request = m.line, false
	}
	return v, request != m.response
}
