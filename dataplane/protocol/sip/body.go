package sip

import (
	"bytes"
	"errors"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/decompress"
	"sluice/dataplane/protocol/mime"
)

// body makes objects of a message's body. A session description is kept, and its
// free text is an object once it is read; a body of several parts is read as a
// mail is; anything else is one object.
type body struct {
	env *protocol.Env
	tx  *protocol.Tx
	msg *Message
	obj *protocol.Object
	dec *decompress.Decoder
	// reader takes bodies of several parts, and encoded ones.
	reader *mime.Reader
	// desc is a session description as far as it is there, keep says that it is
	// one; the whole of it fits into MaxHeader.
	desc []byte
	keep bool
	// deaf: nothing more can be decoded. cut: bytes are missing.
	deaf, cut bool
}

// begin readies the body of a message of which total bytes are declared.
func (b *body) begin(env *protocol.Env, tx *protocol.Tx, m *Message, total uint64) {
	*b = body{env: env, tx: tx, msg: m}
	typ := m.one(fieldContentType)
	media, _, _ := bytes.Cut(typ, []byte(";"))
	media = bytes.TrimSpace(media)
	b.obj = &protocol.Object{Kind: protocol.KindBody, Dir: m.Dir, Tx: tx, ContentType: string(media), Total: total, Exact: true}
	b.encodings(env.Limits)
	encoding := m.one(fieldTransferEncoding)
	switch {
	case bytes.EqualFold(media, []byte("application/sdp")):
		b.keep = true
	case len(media) > 10 && bytes.EqualFold(media[:10], []byte("multipart/")), bytes.EqualFold(encoding, []byte("base64")), bytes.EqualFold(encoding, []byte("quoted-printable")):
		b.obj.Container = true
		b.reader = mime.NewReader(mime.Options{Tx: tx, Dir: m.Dir})
	}
	if b.keep {
		return
	}
	env.Objects.OpenObject(b.obj)
	if b.reader != nil {
		head := append(append([]byte("Content-Type: "), typ...), "\r\n"...)
		if len(encoding) > 0 {
			head = append(append(append(head, "Content-Transfer-Encoding: "...), encoding...), "\r\n"...)
		}
		b.reader.Write(env, append(head, "\r\n"...))
	}
}

// encodings readies the decoder for what Content-Encoding declares.
func (b *body) encodings(limits *protocol.Limits) {
	v := b.msg.one(fieldContentEncoding)
	if len(v) == 0 {
		return
	}
	encs, _ := decompress.Parse(nil, string(v))
	for _, e := range encs {
		if e == decompress.Unsupported {
			b.obj.Encoding, b.obj.Unscannable = string(v), "encoding"
			return
		}
	}
	if layers := max(1, limits.MaxLayers); len(encs) > layers {
		b.obj.Unscannable = "too-deep"
		encs = encs[len(encs)-layers:]
	}
	if len(encs) > 0 {
		b.obj.Total = 0 // what is declared is the encoded size
		b.dec = decompress.New(encs, limits, b.give)
	}
}

// write takes the body's next bytes.
func (b *body) write(env *protocol.Env, data []byte) {
	if b.env = env; len(data) == 0 || b.deaf {
		return
	}
	if b.dec == nil {
		b.give(data)
		return
	}
	if err := b.dec.Write(data); err != nil {
		b.deaf = true
		b.unscannable(err)
	}
}

// give takes decoded bytes.
func (b *body) give(data []byte) {
	if len(data) == 0 {
		return
	}
	if b.keep {
		n := min(len(data), b.env.Limits.MaxHeader-len(b.desc))
		b.desc = append(b.desc, data[:n]...)
		if data = data[n:]; len(data) == 0 {
			return
		}
		b.plain()
	}
	b.env.Objects.ObjectData(b.obj, data)
	if b.reader != nil {
		b.reader.Write(b.env, data)
	}
}

// plain takes a description that is too long, or none, as any other content.
func (b *body) plain() {
	b.keep = false
	b.env.Objects.OpenObject(b.obj)
	if len(b.desc) > 0 {
		b.env.Objects.ObjectData(b.obj, b.desc)
	}
}

// gap tells of n missing bytes. Behind them nothing can be decoded.
func (b *body) gap(env *protocol.Env, n uint64) {
	b.env, b.cut = env, true
	if b.dec != nil {
		b.deaf = true
		b.obj.Unscannable = "gap"
	}
	if b.keep {
		b.plain()
	}
	env.Objects.ObjectGap(b.obj, n)
	if b.reader != nil {
		b.reader.Gap(env, n)
	}
}

// unscannable notes why decoding went wrong.
func (b *body) unscannable(err error) {
	switch {
	case errors.Is(err, decompress.ErrRatio):
		b.obj.Unscannable = "ratio"
	case errors.Is(err, decompress.ErrTooLarge):
		b.obj.Unscannable = "too-large"
	case errors.Is(err, decompress.ErrBroken), errors.Is(err, decompress.ErrTrailing):
		b.obj.Unscannable = "encoding"
	default:
		return
	}
	b.tx.AddEvent("invalid_data")
}

// end closes the body's objects.
func (b *body) end(env *protocol.Env, state protocol.ObjectState) {
	b.env = env
	if b.cut || b.deaf {
		state = protocol.ObjectTruncated
	}
	if b.dec != nil && !b.cut {
		b.unscannable(b.dec.Close())
	}
	desc := b.desc
	if b.keep {
		var sound bool
		if b.msg.sdp, sound = parseSDP(desc); sound && b.obj.Unscannable == "" {
			if b.msg.sdp.cut {
				b.tx.AddEvent("invalid_data")
			}
			b.obj.Name, b.obj.Kind = "sdp", protocol.KindText
			b.desc = b.msg.sdp.freeText()
			b.obj.Total = uint64(len(b.desc))
		}
		if b.keep = len(b.desc) == 0 && b.obj.Unscannable == ""; !b.keep {
			b.plain()
		}
	} else if len(desc) > 0 {
		b.msg.sdp, _ = parseSDP(desc) // its beginning
	}
	if b.reader != nil {
		b.reader.Close(env, state != protocol.ObjectClosed)
	}
	if !b.keep {
		env.Objects.CloseObject(b.obj, state)
	}
	*b = body{}
}
