// Package http1 reads HTTP/1.x and 0.9 (RFC 9110, 9112) as it passes by. It
// takes ordered bytes of both directions, gaps marked, and gives transactions
// with Suricata's sticky buffers, bodies as objects after dechunking and content
// decoding, and event records. It knows neither flows nor rules.
//
// An inspector cannot choose what the ends understand. Where a message can be
// read in two ways this parser takes the one that decodes more: whatever
// resembles chunks or an encoding is tried, and data that turns out otherwise
// goes through as it is.
package http1

import "sluice/dataplane/protocol"

// Progress of a transaction, in each direction: that much is complete.
const (
	ProgressStarted uint8 = iota
	ProgressLine
	ProgressHeaders
	ProgressBody
	ProgressTrailer
	ProgressComplete
)

// Slots of the buffers.
const (
	slotMethod uint8 = iota
	slotURI
	slotURIRaw
	slotProtocol
	slotRequestLine
	slotResponseLine
	slotHost
	slotHostRaw
	slotUserAgent
	slotReferer
	slotCookie
	slotAccept
	slotAcceptEnc
	slotAcceptLang
	slotConnection
	slotContentLen
	slotContentType
	slotHeader
	slotHeaderRaw
	slotHeaderNames
	slotStart
	slotStatCode
	slotStatMsg
	slotLocation
	slotServer
	slotRequestHeader
	slotResponseHeader
	slotRequestBody
	slotResponseBody
	slotTrailer
	numSlots
)

func spec(slot uint8, name string, dirs protocol.Dirs, progress uint8) protocol.BufferSpec {
	return protocol.BufferSpec{ID: protocol.Buffer(protocol.HTTP1, slot), Name: name, Dirs: dirs, Progress: progress}
}

func multi(s protocol.BufferSpec) protocol.BufferSpec { s.Multi = true; return s }

func body(s protocol.BufferSpec) protocol.BufferSpec { s.Body = true; return s }

// Definition describes HTTP/1 to the registry.
func Definition() *protocol.Definition {
	const (
		ts, tc, both = protocol.DirsToServer, protocol.DirsToClient, protocol.DirsBoth
		line, head   = ProgressLine, ProgressHeaders
	)
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.HTTP1,
		TCP:    true,
		Ports:  []uint16{80, 8080, 8000, 3128, 8888, 8081, 8008, 5985, 631},
		Probe:  Probe,
		New:    func(*protocol.Env) protocol.Parser { return newParser() },
		Frames: frames[:],
		First:  ts,
		Buffers: []protocol.BufferSpec{
			spec(slotMethod, "http.method", ts, line),
			spec(slotURI, "http.uri", ts, line),
			spec(slotURIRaw, "http.uri.raw", ts, line),
			spec(slotProtocol, "http.protocol", both, line),
			spec(slotRequestLine, "http.request_line", ts, line),
			spec(slotResponseLine, "http.response_line", tc, line),
			spec(slotHost, "http.host", ts, head),
			spec(slotHostRaw, "http.host.raw", ts, head),
			spec(slotUserAgent, "http.user_agent", ts, head),
			spec(slotReferer, "http.referer", ts, head),
			spec(slotCookie, "http.cookie", both, head),
			spec(slotAccept, "http.accept", ts, head),
			spec(slotAcceptEnc, "http.accept_enc", ts, head),
			spec(slotAcceptLang, "http.accept_lang", ts, head),
			spec(slotConnection, "http.connection", both, head),
			spec(slotContentLen, "http.content_len", both, head),
			spec(slotContentType, "http.content_type", both, head),
			spec(slotHeader, "http.header", both, head),
			spec(slotHeaderRaw, "http.header.raw", both, head),
			spec(slotHeaderNames, "http.header_names", both, head),
			spec(slotStart, "http.start", both, head),
			spec(slotStatCode, "http.stat_code", tc, line),
			spec(slotStatMsg, "http.stat_msg", tc, line),
			spec(slotLocation, "http.location", tc, head),
			spec(slotServer, "http.server", tc, head),
			multi(spec(slotRequestHeader, "http.request_header", ts, head)),
			multi(spec(slotResponseHeader, "http.response_header", tc, head)),
			body(spec(slotRequestBody, "http.request_body", ts, head)),
			body(spec(slotResponseBody, "http.response_body", tc, head)),
			// Ours: what follows a chunked body. Rules on http.header see the head
			// alone, since that is final before the body.
			spec(slotTrailer, "http.trailer", both, ProgressTrailer),
		},
		Complete: [2]uint8{ProgressComplete, ProgressComplete},
		States: [2][]string{
			{"request_started", "request_line", "request_headers", "request_body", "request_trailer", "request_complete"},
			{"response_started", "response_line", "response_headers", "response_body", "response_trailer", "response_complete"},
		},
	}
}
