package http2

import (
	"bytes"
	"errors"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/decompress"
	"sluice/dataplane/protocol/multipart"
	"sluice/dataplane/protocol/websocket"
)

// usualLayers is how many content encodings are nothing special.
const usualLayers = 2

// body is one direction's body of a stream: one object for the whole of it, and
// for forms one for each part.
type body struct {
	p   *parser
	ex  *exchange
	dir protocol.Dir
	obj protocol.Object
	// ready: the object is described; open: the sink has it. whole: the declared
	// length was reached, and the object closed before the stream's end.
	ready, open, whole bool
	encs               []decompress.Encoding
	dec                *decompress.Decoder
	// deaf: nothing further can be decoded.
	deaf bool
	gaps bool

	// tunnel reads WebSocket in the stream of an extended CONNECT; nil otherwise.
	tunnel *websocket.Parser

	form     *multipart.Parser
	useForm  bool
	part     protocol.Object
	partOpen bool
	partSeen bool
	// outside collects what stands between parts, as a field.
	outside     protocol.Object
	outsideOpen bool
}

// renew readies the body for another stream.
func (b *body) renew() {
	*b = body{p: b.p, ex: b.ex, dir: b.dir, encs: b.encs[:0], form: b.form}
}

// drop gives back what is pooled, without calls to the sink.
func (b *body) drop() {
	if b.tunnel != nil {
		b.tunnel.Release()
		b.tunnel = nil
	}
	if b.dec != nil {
		b.deaf, b.open = true, false
		dec := b.dec
		b.dec = nil
		_ = dec.Close()
	}
}

// prepareBody readies the object of the message whose head is complete, or of
// data without a head.
func (p *parser) prepareBody(dir protocol.Dir, ex *exchange) {
	b := &ex.body[dir]
	if b.ready {
		return
	}
	m := &ex.msg[dir]
	b.ready = true
	b.obj = protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: ex.tx, File: m.done}
	if v, ok := ex.msg[protocol.ToServer].get(kindMethod); ok && string(v) == "CONNECT" {
		b.obj.File = false // a tunnel
		b.tunnel = ex.webSocket(dir)
	}
	b.obj.Name = ex.fileName(dir)
	if ct, ok := m.get(kindContentType); ok {
		b.obj.ContentType = string(ct)
	}
	if r, ok := m.get(kindContentRange); ok {
		start, _, size, valid := parseRange(r)
		if !valid {
			ex.tx.AddEvent("invalid_range")
		} else {
			b.obj.Start, b.obj.Total = uint64(max(start, 0)), uint64(max(size, 0))
		}
	}
	b.encodings(m, p.env.Limits)
	if dir == protocol.ToServer && len(b.obj.ContentType) >= 10 && strings.EqualFold(b.obj.ContentType[:10], "multipart/") {
		if boundary, ok := multipart.Param(b.obj.ContentType, "boundary"); ok && boundary != "" {
			if b.form == nil {
				b.form = new(multipart.Parser)
			}
			b.form.Reset([]byte(boundary), (*formHandler)(b), p.env.Limits.MaxParts, 16<<10)
			b.useForm, b.obj.Container = true, true
		} else {
			ex.tx.AddEvent("multipart_generic_error")
		}
	}
}

// encodings prepares the decoder for the message's content codings.
func (b *body) encodings(m *message, limits *protocol.Limits) {
	b.encs = b.encs[:0]
	for i := range m.fields {
		if f := &m.fields[i]; f.kind == kindContentEncoding {
			b.encs, _ = decompress.Parse(b.encs, string(m.value(f)))
		}
	}
	// What an unknown coding hides stays hidden; those around it can be undone.
	for i := len(b.encs) - 1; i >= 0; i-- {
		if b.encs[i] == decompress.Unsupported {
			if v, ok := m.get(kindContentEncoding); ok {
				b.obj.Encoding = string(v)
			}
			b.encs = b.encs[i+1:]
			break
		}
	}
	if len(b.encs) > usualLayers {
		b.obj.Tx.AddEvent("too_many_encoding_layers")
	}
	if len(b.encs) > max(1, limits.MaxLayers) {
		b.obj.Unscannable = "too-deep"
		b.obj.Encoding = b.encs[0].String()
	}
	if len(b.encs) > 0 {
		b.dec = decompress.New(b.encs, limits, b.give)
	}
	// Messages within a gRPC stream are encoded one by one.
	if v, ok := m.get(kindGRPCEncoding); ok && b.obj.Encoding == "" && string(v) != "identity" {
		b.obj.Encoding = string(v)
	}
}

// webSocket gives what reads a direction of an extended CONNECT (RFC 8441) for
// WebSocket, nil for anything else.
func (ex *exchange) webSocket(dir protocol.Dir) *websocket.Parser {
	req := &ex.msg[protocol.ToServer]
	if v, _ := req.get(kindProtocol); string(v) != "websocket" || dir == protocol.ToClient && ex.msg[dir].status/100 != 2 {
		return nil
	}
	if other := ex.body[dir.Other()].tunnel; other != nil {
		return other
	}
	return websocket.Within(ex.tx, protocol.Upgrade{Path: ex.fileName(dir)})
}

// endTunnel ends WebSocket in the direction. What comes behind it is a body.
func (b *body) endTunnel() {
	if b.tunnel != nil {
		b.tunnel.End(b.p.env, b.dir)
		b.tunnel = nil
	}
}

// begin opens the object.
func (b *body) begin() {
	if b.ready && !b.open {
		if b.whole {
			// More than was declared.
			b.obj = protocol.Object{Kind: protocol.KindBody, Dir: b.dir, Tx: b.obj.Tx}
			b.deaf, b.gaps, b.whole = false, false, false
			b.ex.msg[b.dir].length = -1
			b.ex.tx.AddEvent("data_exceeds_length")
		}
		b.open = true
		b.p.env.Objects.OpenObject(&b.obj)
	}
}

// bodyBytes takes a body's bytes.
func (p *parser) bodyBytes(dir protocol.Dir, ex *exchange, data []byte) {
	m, b := &ex.msg[dir], &ex.body[dir]
	m.wire += uint64(len(data))
	// What is declared ends the object as soon as it is there, so that it is
	// judged before its last bytes have passed, not with the stream's end.
	if m.length >= 0 && !b.whole && b.ready && !b.gaps {
		if over := int64(m.wire) - m.length; over >= 0 {
			n := len(data) - int(min(over, int64(len(data))))
			b.write(data[:n])
			data = data[n:]
			if b.open {
				b.close(protocol.ObjectClosed)
				b.ready, b.whole = true, true
			}
			if len(data) > 0 {
				m.length = -1 // it tells nothing any more
			}
		}
	}
	b.write(data)
}

func (b *body) write(data []byte) {
	if len(data) == 0 {
		return
	}
	if b.tunnel != nil {
		if b.tunnel.Parse(b.p.env, b.dir, data) != protocol.Error {
			return
		}
		b.endTunnel()
	}
	b.begin()
	switch {
	case !b.open, b.deaf:
	case b.dec != nil:
		if err := b.dec.Write(data); err != nil {
			b.deaf = true
			b.unscannable(err)
		}
	default:
		b.give(data)
	}
}

// give passes on decoded bytes.
func (b *body) give(data []byte) {
	if !b.open || len(data) == 0 {
		return
	}
	b.p.env.Objects.ObjectData(&b.obj, data)
	if !b.ex.doh.Body(b.dir, data) {
		if b.dir == protocol.ToServer {
			b.ex.tx.AddEvent("dns_request_too_long")
		} else {
			b.ex.tx.AddEvent("dns_response_too_long")
		}
	}
	if b.useForm {
		b.form.Write(data)
	}
}

// gap tells of missing bytes. Behind them nothing can be decoded.
func (b *body) gap(n uint64) {
	if n == 0 || !b.ready {
		return
	}
	b.ex.msg[b.dir].wire += n
	if b.tunnel != nil {
		if b.tunnel.Gap(b.p.env, b.dir, n) != protocol.Error {
			return
		}
		b.endTunnel()
	}
	b.begin()
	if !b.open {
		return
	}
	b.gaps = true
	if b.dec != nil && !b.deaf {
		b.deaf = true
		b.obj.Unscannable = "gap"
	}
	b.p.env.Objects.ObjectGap(&b.obj, n)
	if b.partOpen && b.partSeen {
		b.p.env.Objects.ObjectGap(&b.part, n)
	}
}

// unscannable notes why decoding went wrong.
func (b *body) unscannable(err error) {
	tx := b.obj.Tx
	switch {
	case errors.Is(err, decompress.ErrRatio):
		b.obj.Unscannable = "ratio"
		tx.AddEvent("compression_bomb")
	case errors.Is(err, decompress.ErrTooLarge):
		b.obj.Unscannable = "too-large"
		tx.AddEvent("compression_bomb")
	case errors.Is(err, decompress.ErrBroken), errors.Is(err, decompress.ErrTrailing):
		b.obj.Unscannable = "encoding"
		tx.AddEvent("failed_decompression")
	case errors.Is(err, decompress.ErrPlain):
		tx.AddEvent("failed_decompression")
	}
}

// close ends the body's objects. Nothing is opened for the stream afterwards
// unless the head of another message prepares it.
func (b *body) close(state protocol.ObjectState) {
	b.ready = false
	b.endTunnel()
	if b.ex.doh.Wants(b.dir) {
		defer func() { b.ex.doh.End(b.ex.tx, b.dir, state == protocol.ObjectClosed && !b.deaf && !b.gaps) }()
	}
	if !b.open {
		b.drop()
		return
	}
	if b.dec != nil {
		err := b.dec.Close()
		b.dec = nil
		if !b.gaps {
			b.unscannable(err)
			if errors.Is(err, decompress.ErrTruncated) {
				state = max(state, protocol.ObjectTruncated)
			}
		}
	}
	if b.gaps || b.deaf {
		state = max(state, protocol.ObjectTruncated)
	}
	sink := b.p.env.Objects
	if b.useForm {
		b.form.Close()
		tx := b.obj.Tx
		pr := b.form.Problems()
		if pr&(multipart.NoBoundary|multipart.NoFinal|multipart.TooManyParts|multipart.BadBoundary) != 0 {
			tx.AddEvent("multipart_generic_error")
		}
		if pr&(multipart.BadHeader|multipart.HeaderTooLong) != 0 {
			tx.AddEvent("multipart_invalid_header")
		}
		if b.outsideOpen {
			b.outsideOpen = false
			sink.CloseObject(&b.outside, state)
		}
		b.useForm = false
	}
	if b.obj.Encoding != "" && b.obj.Unscannable == "" {
		b.obj.Unscannable = "encoding"
	}
	b.open = false
	sink.CloseObject(&b.obj, state)
}

// formHandler makes objects of a form's parts.
type formHandler body

// PartBegin implements multipart.Handler.
func (h *formHandler) PartBegin(hd *multipart.Header) {
	b := (*body)(h)
	b.part = protocol.Object{Kind: protocol.KindField, Dir: b.dir, Tx: b.obj.Tx, Name: hd.Name, ContentType: hd.ContentType}
	if hd.HasFileName {
		b.part.Kind, b.part.Name, b.part.File = protocol.KindPart, hd.FileName, true
	}
	b.partOpen, b.partSeen = true, false
	if !b.part.File {
		b.p.env.Objects.OpenObject(&b.part)
		b.partSeen = true
	}
}

// PartData implements multipart.Handler.
func (h *formHandler) PartData(data []byte) {
	b := (*body)(h)
	if !b.partSeen {
		b.partSeen = true
		b.p.env.Objects.OpenObject(&b.part)
	}
	b.p.env.Objects.ObjectData(&b.part, data)
}

// PartEnd implements multipart.Handler.
func (h *formHandler) PartEnd(complete bool) {
	b := (*body)(h)
	b.partOpen = false
	if !b.partSeen {
		// A form's file input left empty: no file.
		if b.part.Name != "" {
			b.obj.Tx.AddEvent("multipart_no_filedata")
		}
		return
	}
	state := protocol.ObjectClosed
	if !complete || b.gaps {
		state = protocol.ObjectTruncated
	}
	b.p.env.Objects.CloseObject(&b.part, state)
}

// Outside implements multipart.Handler.
func (h *formHandler) Outside(data []byte) {
	b := (*body)(h)
	if !b.outsideOpen {
		if data = bytes.TrimLeft(data, "\r\n-"); len(data) == 0 {
			return
		}
		b.outside = protocol.Object{Kind: protocol.KindField, Dir: b.dir, Tx: b.obj.Tx}
		b.outsideOpen = true
		b.p.env.Objects.OpenObject(&b.outside)
	}
	b.p.env.Objects.ObjectData(&b.outside, data)
}

// fileName gives the name that is reported: Content-Disposition's, else the
// request's path.
func (ex *exchange) fileName(dir protocol.Dir) string {
	if v, ok := ex.msg[dir].get(kindContentDisposition); ok {
		if n, ok := multipart.FileName(string(v)); ok && n != "" {
			return n
		}
	}
	m := &ex.msg[protocol.ToServer]
	uri := ex.normalURI()
	return string(uri[:m.pathLen])
}

// parseRange reads a Content-Range: "bytes 0-99/200", with * for unknown; -1
// stands for what is not there.
func parseRange(v []byte) (start, end, size int64, ok bool) {
	unit, rest, found := bytes.Cut(bytes.TrimSpace(v), []byte(" "))
	rng, total, slash := bytes.Cut(rest, []byte("/"))
	if !found || !slash || !strings.EqualFold(string(unit), "bytes") {
		return -1, -1, -1, false
	}
	start, end, size = -1, -1, -1
	if string(rng) != "*" {
		from, to, dash := bytes.Cut(rng, []byte("-"))
		var ok1, ok2 bool
		start, ok1 = number(from)
		end, ok2 = number(to)
		if !dash || !ok1 || !ok2 || end < start {
			return -1, -1, -1, false
		}
	}
	if string(total) != "*" {
		if size, ok = number(total); !ok {
			return -1, -1, -1, false
		}
	}
	return start, end, size, true
}

// number reads decimal digits; false for anything else and for what is too large.
func number(b []byte) (int64, bool) {
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<55 {
			return -1, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}
