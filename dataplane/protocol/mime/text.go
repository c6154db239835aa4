package mime

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// textLines looks at plain text line by line, or in runs of maxURLLine bytes of
// a longer one, so that it does not matter how it comes.
type textLines struct {
	line []byte
	// uu decodes a file that stands in the text, between "begin" and "end", as
	// programs did before MIME; obj is that file.
	uu  decoder
	obj *protocol.Object
}

// readText takes the next bytes of a text part.
func (r *Reader) readText(env *protocol.Env, b []byte) {
	t := &r.lines
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		n = min(n, maxURLLine-len(t.line))
		whole := b[n-1] == '\n' || len(t.line)+n == maxURLLine
		if whole && len(t.line) == 0 {
			r.textLine(env, b[:n])
		} else {
			t.line = append(t.line, b[:n]...)
			if whole {
				r.textLine(env, t.line)
				t.line = t.line[:0]
			}
		}
		b = b[n:]
	}
}

// endText ends a text part, and a file within it that lacks its end.
func (r *Reader) endText(env *protocol.Env, state protocol.ObjectState) {
	if len(r.lines.line) > 0 {
		r.textLine(env, r.lines.line)
		r.lines.line = r.lines.line[:0]
	}
	closeObject(env, &r.lines.obj, state)
}

func (r *Reader) textLine(env *protocol.Env, line []byte) {
	t := &r.lines
	if t.obj == nil {
		if l := &env.Limits.Mail; !l.NoURLs && len(r.root.urls.list) < maxURLs {
			r.root.urls.find(line, l)
		}
		name, ok := uuBegin(trimEOL(line))
		if !ok || r.root.parts >= env.Limits.MaxParts {
			return
		}
		r.root.parts++
		if len(r.root.attachments) < maxFields {
			r.root.attachments = append(r.root.attachments, name)
		}
		t.uu = decoder{enc: uuencode, uuState: 1}
		t.obj = r.open(env, &protocol.Object{Kind: protocol.KindAttachment, Name: name, File: true})
		return
	}
	if len(line) > maxUULine {
		return
	}
	var out [96]byte
	t.uu.uu = append(t.uu.uu[:0], trimEOL(line)...)
	give(env, t.obj, t.uu.uuLine(out[:0]))
	if t.uu.uuState == 2 {
		closeObject(env, &t.obj, protocol.ObjectClosed)
	}
}
