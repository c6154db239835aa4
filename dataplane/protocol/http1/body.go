package http1

import (
	"bytes"
	"errors"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/decompress"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/multipart"
)

// usualLayers is how many encodings Suricata's defaults find acceptable; we
// undo up to Limits.MaxLayers.
const usualLayers = 2

// bodyState is a direction's current body: one object for the whole of it, and
// for forms one for each part.
type bodyState struct {
	p   *parser
	dir protocol.Dir
	obj protocol.Object
	// armed: a body is expected, its object is opened with its first byte.
	armed, open bool
	// chunks: a chunk was read. after is the stage behind stMaybeBody.
	chunks bool
	after  stage
	encs   []decompress.Encoding
	dec    *decompress.Decoder
	// doh takes the body where it is a message of DNS; nil otherwise.
	doh *dns.OverHTTP
	// deaf: nothing further can be decoded.
	deaf bool
	gaps bool

	// url undoes the encoding of a form, allocated with the first one; isURL
	// tells that this body is one.
	url      *urlForm
	isURL    bool
	form     *multipart.Parser
	useForm  bool
	part     protocol.Object
	partOpen bool
	partSeen bool
	// outside collects what stands between parts, as a field.
	outside     protocol.Object
	outsideOpen bool
}

func (b *bodyState) reset() { b.armed, b.chunks = false, false }

// drop gives back what is pooled, without calls to the sink.
func (b *bodyState) drop() {
	if b.dec != nil {
		b.deaf = true
		dec := b.dec
		b.dec = nil
		b.open = false
		_ = dec.Close()
	}
}

// openRaw opens an object for bytes that are no message.
func (b *bodyState) openRaw(tx *protocol.Tx) {
	b.close(protocol.ObjectTruncated)
	b.obj = protocol.Object{Kind: protocol.KindBody, Dir: b.dir, Tx: tx}
	b.armed = true
	b.doh = nil
	b.dec, b.useForm, b.isURL, b.deaf, b.gaps = nil, false, false, false, false
	b.begin()
}

// prepareBody readies the object of the message whose head is complete.
func (p *parser) prepareBody(dir protocol.Dir, s *side) {
	ex, b := s.ex, &s.body
	m := &ex.msg[dir]
	b.close(protocol.ObjectTruncated)
	b.obj = protocol.Object{Kind: protocol.KindBody, Dir: dir, Tx: ex.tx, File: true, RuleLimit: p.env.Limits.HTTP.Rules[dir]}
	b.armed, b.chunks = true, false
	b.useForm, b.deaf, b.gaps = false, false, false
	if b.doh = nil; ex.doh.Wants(dir) {
		b.doh = ex.doh
	}
	b.obj.Name = ex.fileName(dir)
	framing := s.stage
	if framing == stMaybeBody {
		framing = b.after
	}
	b.obj.UntilEnd, b.obj.Exact = framing == stUntilEnd, framing == stLength
	if ct, ok := m.get(kindContentType); ok {
		b.obj.ContentType = string(ct)
	}
	if r, ok := m.get(kindContentRange); ok {
		start, _, size, valid := parseRange(r)
		if !valid {
			ex.tx.AddEvent("range_invalid")
		} else {
			b.obj.Start, b.obj.Total = uint64(max(start, 0)), uint64(max(size, 0))
		}
	}
	b.encodings(ex, m, p.env.Limits)
	if b.isURL = dir == protocol.ToServer && hasPrefixFold([]byte(b.obj.ContentType), "application/x-www-form-urlencoded"); b.isURL {
		if b.url == nil {
			b.url = new(urlForm)
		}
		b.obj.Container = true
	}
	if dir == protocol.ToServer && hasPrefixFold([]byte(b.obj.ContentType), "multipart/") {
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

// encodings prepares the decoder for the message's content and transfer codings.
func (b *bodyState) encodings(ex *exchange, m *message, limits *protocol.Limits) {
	b.encs = b.encs[:0]
	odd := false
	for _, k := range []kind{kindContentEncoding, kindTransferEncoding} {
		for i := int(m.first[k]) - 1; i >= 0; {
			f := &m.fields[i]
			var o bool
			v := string(cleaned(m.value(f)))
			if k == kindTransferEncoding {
				if !strings.EqualFold(v, "chunked") && (containsFold([]byte(v), "gzip") || containsFold([]byte(v), "deflate")) {
					b.encs, _ = decompress.Parse(b.encs, v)
				}
			} else {
				b.encs, o = decompress.Parse(b.encs, strings.TrimLeft(v, ":"))
			}
			odd = odd || o
			if i = int(f.next); i == 0 {
				break
			}
		}
	}
	if odd {
		ex.tx.AddEvent("abnormal_ce_header")
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
		ex.tx.AddEvent("too_many_encoding_layers")
	}
	layers := max(1, limits.MaxLayers)
	if own := limits.HTTP.ResponseLayers; own > 0 && b.dir == protocol.ToClient {
		layers = min(layers, own)
	}
	if len(b.encs) > layers {
		b.obj.Unscannable = "too-deep"
		b.obj.Encoding = b.encs[0].String()
		b.encs = b.encs[len(b.encs)-layers:]
	}
	if len(b.encs) > 0 {
		b.dec = decompress.New(b.encs, limits, b.give)
	}
}

// begin opens the object.
func (b *bodyState) begin() {
	if b.armed && !b.open {
		b.armed, b.open = false, true
		b.p.env.Objects.OpenObject(&b.obj)
		if b.isURL {
			b.url.begin(b)
		}
	}
}

// bodyBytes takes a body's bytes after dechunking; wire is what they took on
// the wire.
func (p *parser) bodyBytes(s *side, data []byte, wire int) {
	s.ex.msg[s.body.dir].wire += uint64(wire)
	if len(data) == 0 {
		return
	}
	b := &s.body
	b.begin()
	if !b.open {
		return
	}
	switch {
	case b.deaf:
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
func (b *bodyState) give(data []byte) {
	if !b.open || len(data) == 0 {
		return
	}
	b.p.env.Objects.ObjectData(&b.obj, data)
	if !b.doh.Body(b.dir, data) {
		b.obj.Tx.AddEvent(pick(b.dir, "dns_request_too_long", "dns_response_too_long"))
	}
	if b.isURL {
		b.url.write(b.p.env.Objects, data)
	}
	if b.useForm {
		b.form.Write(data)
	}
}

// bodyGap tells of missing bytes. Behind them nothing can be decoded.
func (p *parser) bodyGap(s *side, n uint64) {
	if n == 0 {
		return
	}
	s.ex.msg[s.body.dir].wire += n
	b := &s.body
	b.begin()
	if !b.open {
		return
	}
	b.gaps = true
	if b.dec != nil && !b.deaf {
		b.deaf = true
		b.obj.Unscannable = "gap"
	}
	p.env.Objects.ObjectGap(&b.obj, n)
	if b.isURL {
		b.url.n = 0
		p.env.Objects.ObjectGap(&b.url.obj, n)
	}
	if b.partOpen {
		p.env.Objects.ObjectGap(&b.part, n)
	}
}

// unscannable notes why decoding went wrong.
func (b *bodyState) unscannable(err error) {
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
		tx.AddEvent("gzip_decompression_failed")
	case errors.Is(err, decompress.ErrPlain):
		tx.AddEvent("gzip_decompression_failed")
	}
}

// close ends the body's objects.
func (b *bodyState) close(state protocol.ObjectState) {
	b.armed = false
	if b.doh != nil {
		defer func() {
			b.doh.End(b.obj.Tx, b.dir, state == protocol.ObjectClosed && !b.deaf && !b.gaps)
			b.doh = nil
		}()
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
	if b.isURL {
		b.url.close(sink, state)
		b.isURL = false
	}
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
type formHandler bodyState

// PartBegin implements multipart.Handler.
func (h *formHandler) PartBegin(hd *multipart.Header) {
	b := (*bodyState)(h)
	b.part = protocol.Object{Kind: protocol.KindField, Dir: b.dir, Tx: b.obj.Tx, Name: hd.Name, ContentType: hd.ContentType}
	if hd.HasFileName {
		b.part.Kind, b.part.Name, b.part.File = protocol.KindPart, hd.FileName, true
	}
	b.partOpen, b.partSeen = true, false
	// The bound holds for each part: where the body's bytes are cut when a part
	// begins must not matter.
	b.part.RuleLimit = b.obj.RuleLimit
	if !b.part.File {
		b.p.env.Objects.OpenObject(&b.part)
		b.partSeen = true
	}
}

// PartData implements multipart.Handler.
func (h *formHandler) PartData(data []byte) {
	b := (*bodyState)(h)
	if !b.partSeen {
		b.partSeen = true
		b.p.env.Objects.OpenObject(&b.part)
	}
	b.p.env.Objects.ObjectData(&b.part, data)
}

// PartEnd implements multipart.Handler.
func (h *formHandler) PartEnd(complete bool) {
	b := (*bodyState)(h)
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
	b := (*bodyState)(h)
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

// fileName gives the name that Suricata reports: Content-Disposition's, else
// the request's path.
func (ex *exchange) fileName(dir protocol.Dir) string {
	if v, ok := ex.msg[dir].get(kindContentDisposition); ok {
		if n, ok := multipart.FileName(string(v)); ok && n != "" {
			return n
		}
	}
	if ex.tx.Progress[protocol.ToServer] == ProgressStarted || ex.msg[0].lineEnd == 0 {
		return ""
	}
	uri := ex.normalURI()
	return string(uri[:ex.msg[protocol.ToServer].pathLen])
}

// parseRange reads a Content-Range: "bytes 0-99/200", with * for unknown; -1
// stands for what is not there.
func parseRange(v []byte) (start, end, size int64, ok bool) {
	start, end, size = -1, -1, -1
	if !hasPrefixFold(v, "bytes") {
		return start, end, size, false
	}
	v = bytes.TrimLeft(v[5:], " \t=")
	rng, total, _ := bytes.Cut(v, []byte("/"))
	if string(rng) != "*" {
		from, to, found := bytes.Cut(rng, []byte("-"))
		if start, ok = number(from); !ok || !found {
			return -1, -1, -1, false
		}
		if end, ok = number(to); !ok || end < start {
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
