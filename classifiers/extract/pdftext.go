package extract

import (
	"bytes"
	"math"
)

// pdfMatrix maps (x, y) to (ax+cy+e, bx+dy+f).
type pdfMatrix [6]float64

func (m pdfMatrix) mul(n pdfMatrix) pdfMatrix {
	return pdfMatrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// pdfGraphics is the part of the graphics state that places text.
type pdfGraphics struct {
	ctm           pdfMatrix
	font          *pdfFont
	size          float64
	charSp, wordS float64
	scale, lead   float64
	rise          float64
}

// pdfShow runs one content stream.
type pdfShow struct {
	p      *pdfDoc
	t      *writer
	res    pdfDict
	g      pdfGraphics
	stack  []pdfGraphics
	tm, lm pdfMatrix
	endX   float64 // where the last glyph ended, in page units
	endY   float64
	any    bool
	depth  int
	args   []any
	fonts  map[pdfName]*pdfFont
}

const pdfMaxSteps = 20_000_000

// show writes the text of a content stream.
func (p *pdfDoc) show(t *writer, content []byte, res pdfDict, depth int) error {
	id := pdfMatrix{1, 0, 0, 1, 0, 0}
	s := &pdfShow{p: p, t: t, res: res, tm: id, lm: id, depth: depth, fonts: map[pdfName]*pdfFont{}}
	s.g = pdfGraphics{ctm: id, scale: 1, size: 1}
	l := &pdfLexer{b: content}
	for {
		if p.steps++; p.steps > pdfMaxSteps {
			return errTimeout
		}
		if err := p.w.tick(); err != nil {
			return err
		}
		v := l.object(false, 0)
		switch v := v.(type) {
		case pdfEnd:
			if v.c == 0 {
				return t.err
			}
		case pdfOp:
			if v == "BI" {
				inlineImage(l)
			} else if err := s.op(v); err != nil {
				return err
			}
			s.args = s.args[:0]
		default:
			if len(s.args) < 64 {
				s.args = append(s.args, v)
			}
		}
	}
}

// inlineImage skips to the end of an image in the stream.
func inlineImage(l *pdfLexer) {
	i := bytes.Index(l.b[l.i:], []byte("ID"))
	if i < 0 {
		return
	}
	l.i += i + 2
	for {
		j := bytes.Index(l.b[l.i:], []byte("EI"))
		if j < 0 {
			l.i = len(l.b)
			return
		}
		l.i += j + 2
		before, after := l.i-3, l.i
		if before >= 0 && pdfSpace(l.b[before]) && (after >= len(l.b) || pdfSpace(l.b[after])) {
			// Binary data may hold the same; what follows must look like operators.
			if looksText(l.b[after:min(after+24, len(l.b))]) {
				return
			}
		}
	}
}

func (s *pdfShow) num(i int) float64 {
	if i < len(s.args) {
		if f, ok := s.args[i].(float64); ok && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	}
	return 0
}

func (s *pdfShow) matrix() pdfMatrix {
	return pdfMatrix{s.num(0), s.num(1), s.num(2), s.num(3), s.num(4), s.num(5)}
}

func (s *pdfShow) op(op pdfOp) error {
	g := &s.g
	switch op {
	case "q":
		if len(s.stack) < 1000 {
			s.stack = append(s.stack, *g)
		}
	case "Q":
		if n := len(s.stack); n > 0 {
			*g, s.stack = s.stack[n-1], s.stack[:n-1]
		}
	case "cm":
		g.ctm = s.matrix().mul(g.ctm)
	case "BT":
		s.tm, s.lm = pdfMatrix{1, 0, 0, 1, 0, 0}, pdfMatrix{1, 0, 0, 1, 0, 0}
	case "Tf":
		if n, ok := s.arg(0).(pdfName); ok {
			g.font = s.lookup(n)
		}
		g.size = s.num(1)
	case "Tc":
		g.charSp = s.num(0)
	case "Tw":
		g.wordS = s.num(0)
	case "Tz":
		g.scale = s.num(0) / 100
	case "TL":
		g.lead = s.num(0)
	case "Ts":
		g.rise = s.num(0)
	case "Td":
		s.move(s.num(0), s.num(1))
	case "TD":
		g.lead = -s.num(1)
		s.move(s.num(0), s.num(1))
	case "Tm":
		s.lm = s.matrix()
		s.tm = s.lm
	case "T*":
		s.move(0, -g.lead)
	case "Tj":
		s.string(s.arg(0))
	case "'":
		s.move(0, -g.lead)
		s.string(s.arg(0))
	case "\"":
		g.wordS, g.charSp = s.num(0), s.num(1)
		s.move(0, -g.lead)
		s.string(s.arg(2))
	case "TJ":
		a, _ := s.arg(0).(pdfArray)
		for _, v := range a {
			switch v := v.(type) {
			case float64:
				s.advance(-v / 1000 * g.size * g.scale)
			case pdfString:
				s.string(v)
			}
		}
	case "gs":
		n, _ := s.arg(0).(pdfName)
		gs := s.p.dict(s.p.dict(s.res["ExtGState"])[string(n)])
		if f, ok := s.p.resolve(gs["Font"]).(pdfArray); ok && len(f) == 2 {
			g.font = s.p.font(f[0])
			g.size, _ = s.p.resolve(f[1]).(float64)
		}
	case "Do":
		n, _ := s.arg(0).(pdfName)
		return s.xobject(s.p.dict(s.res["XObject"])[string(n)])
	case "BDC":
		// ActualText stands for glyphs that do not map to characters.
		var props pdfDict
		switch v := s.arg(1).(type) {
		case pdfDict:
			props = v
		case pdfName:
			props = s.p.dict(s.p.dict(s.res["Properties"])[string(v)])
		}
		if a, ok := s.p.resolve(props["ActualText"]).(pdfString); ok && s.g.font != nil && s.g.font.opaque {
			s.t.sep(' ')
			s.t.str(pdfText(a))
		}
	}
	return nil
}

func (s *pdfShow) arg(i int) any {
	if i < len(s.args) {
		return s.args[i]
	}
	return nil
}

func (s *pdfShow) lookup(n pdfName) *pdfFont {
	if f, ok := s.fonts[n]; ok {
		return f
	}
	f := s.p.font(s.p.dict(s.res["Font"])[string(n)])
	s.fonts[n] = f
	return f
}

// xobject shows a form; images are left to their own metadata.
func (s *pdfShow) xobject(v any) error {
	ref, _ := v.(pdfRef)
	st, ok := s.p.resolve(v).(*pdfStream)
	if !ok || s.depth > 12 || s.p.seen[ref] {
		return nil
	}
	if t, _ := s.p.resolve(st.dict["Subtype"]).(pdfName); t != "Form" {
		return nil
	}
	if s.p.shown++; s.p.shown > 20000 {
		return nil
	}
	s.p.seen[ref] = true
	defer delete(s.p.seen, ref)
	s.t.sep('\n')
	err := s.p.form(s.t, st, s.res, s.depth+1)
	s.t.sep('\n')
	s.any = false
	return err
}

func (s *pdfShow) move(x, y float64) {
	s.lm = pdfMatrix{1, 0, 0, 1, x, y}.mul(s.lm)
	s.tm = s.lm
}

func (s *pdfShow) advance(x float64) {
	if s.g.font != nil && s.g.font.vertical {
		s.tm = pdfMatrix{1, 0, 0, 1, 0, x}.mul(s.tm)
		return
	}
	s.tm = pdfMatrix{1, 0, 0, 1, x, 0}.mul(s.tm)
}

// string shows one string: a new line or a space is written first where the
// place on the page asks for one.
func (s *pdfShow) string(v any) {
	str, ok := v.(pdfString)
	if !ok || str == "" {
		return
	}
	f := s.g.font
	if f == nil {
		f = defaultFont
	}
	f.each([]byte(str), func(text string, width float64, code int, one bool) {
		m := s.tm.mul(s.g.ctm)
		unit := math.Abs(s.g.size) * math.Max(math.Hypot(m[0], m[1]), 1e-6)
		if s.any && text != "" {
			dx, dy := m[4]-s.endX, m[5]-s.endY
			// Along the direction of writing and across it.
			ux, uy := m[0], m[1]
			if f.vertical {
				ux, uy = -m[2], -m[3]
			}
			if h := math.Hypot(ux, uy); h > 0 {
				ux, uy = ux/h, uy/h
			}
			along, across := dx*ux+dy*uy, -dx*uy+dy*ux
			switch {
			case math.Abs(across) > 0.5*unit:
				s.t.sep('\n')
			case along > 0.18*unit || along < -1.5*unit:
				s.t.sep(' ')
			}
		}
		adv := width/1000*s.g.size + s.g.charSp
		if one && code == 32 {
			adv += s.g.wordS
		}
		if f.vertical {
			adv = -s.g.size + s.g.charSp
		} else {
			adv *= s.g.scale
		}
		s.t.str(text)
		s.advance(adv)
		if text != "" {
			m = s.tm.mul(s.g.ctm)
			s.endX, s.endY, s.any = m[4], m[5], true
		}
	})
}
