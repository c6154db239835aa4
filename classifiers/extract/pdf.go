package extract

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"
)

// pdfDoc is an opened document. Its objects are found by reading the file from
// front to back, not by its cross-reference tables: those are often damaged,
// and what they leave out is still in the file.
type pdfDoc struct {
	w       *walker
	o       *object
	b       []byte
	offs    map[int]pdfPlace
	cache   map[int]any
	trailer pdfDict
	crypt   *pdfCrypt
	fonts   map[any]*pdfFont
	steps   int
	busy    map[int]bool
	seen    map[pdfRef]bool
	shown   int
}

// pdfPlace is where an object stands: a byte, or a place in an object stream.
type pdfPlace struct {
	at, gen int
	stream  int // number of the object stream; 0 for none
}

const pdfMaxObjects = 1 << 20

func (w *walker) pdf(o *object) error {
	b, err := w.bytes(o)
	if err != nil {
		return err
	}
	p := &pdfDoc{w: w, o: o, b: b, offs: map[int]pdfPlace{}, cache: map[int]any{}, trailer: pdfDict{}, fonts: map[any]*pdfFont{}, busy: map[int]bool{}, seen: map[pdfRef]bool{}}
	streams, err := p.scan()
	if err != nil {
		return err
	}
	if enc, ok := p.resolve(p.trailer["Encrypt"]).(pdfDict); ok {
		var id []byte
		if a, ok := p.resolve(p.trailer["ID"]).(pdfArray); ok && len(a) > 0 {
			s, _ := p.resolve(a[0]).(pdfString)
			id = []byte(s)
		}
		if p.crypt, err = newPDFCrypt(p, enc, id); err != nil {
			return err
		}
		p.cache = map[int]any{}
	}
	if err := p.objectStreams(streams); err != nil {
		return err
	}
	return p.read()
}

// scan finds the objects, the trailers and the object streams.
func (p *pdfDoc) scan() ([]int, error) {
	var streams []int
	b := p.b
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("obj"))
		j := bytes.Index(b[at:min(len(b), at+max(i, 0)+len(b)*b2i(i < 0))], []byte("trailer"))
		if j >= 0 {
			l := &pdfLexer{b: b, i: at + j + 7}
			if d, ok := l.object(true, 0).(pdfDict); ok {
				p.addTrailer(d)
			}
			at += j + 7
			continue
		}
		if i < 0 {
			return streams, nil
		}
		at += i + 3
		if err := p.w.tick(); err != nil {
			return nil, err
		}
		num, gen, ok := objHead(b, at-3)
		if !ok || len(p.offs) >= pdfMaxObjects {
			continue
		}
		p.offs[num] = pdfPlace{at: at, gen: gen}
		l := &pdfLexer{b: b, i: at}
		d, isDict := l.object(true, 0).(pdfDict)
		if !isDict {
			continue
		}
		s := p.streamAt(l, d, num, gen)
		if s == nil {
			at = max(at, min(l.i, len(b)))
			continue
		}
		at = l.i
		switch t, _ := d["Type"].(pdfName); t {
		case "ObjStm":
			streams = append(streams, num)
		case "XRef":
			p.addTrailer(d)
		}
	}
}

func (p *pdfDoc) addTrailer(d pdfDict) {
	for _, k := range []string{"Root", "Info", "Encrypt", "ID"} {
		if v, ok := d[k]; ok && v != nil {
			p.trailer[k] = v
		}
	}
}

// objHead reads backwards from "obj" the two numbers before it.
func objHead(b []byte, i int) (num, gen int, ok bool) {
	if i >= 3 && string(b[i-3:i]) == "end" {
		return 0, 0, false
	}
	back := func() (v int, ok bool) {
		for i > 0 && pdfSpace(b[i-1]) {
			i--
		}
		end := i
		for i > 0 && b[i-1] >= '0' && b[i-1] <= '9' && end-i < 10 {
			i--
		}
		for _, c := range b[i:end] {
			v = v*10 + int(c-'0')
		}
		return v, end > i
	}
	gen, ok = back()
	if !ok || i == 0 || !pdfSpace(b[i-1]) {
		return 0, 0, false
	}
	num, ok = back()
	return num, gen, ok
}

// streamAt reads the stream that follows a dictionary; nil when none does. Its
// length is believed only when endstream stands there.
func (p *pdfDoc) streamAt(l *pdfLexer, d pdfDict, num, gen int) *pdfStream {
	l.skipSpace()
	if !bytes.HasPrefix(l.b[min(l.i, len(l.b)):], []byte("stream")) {
		return nil
	}
	at := l.i + 6
	if at < len(l.b) && l.b[at] == '\r' {
		at++
	}
	if at < len(l.b) && l.b[at] == '\n' {
		at++
	}
	if n, ok := d["Length"].(float64); ok && n >= 0 && at+int(n) <= len(l.b) {
		end := at + int(n)
		if tail := bytes.TrimLeft(l.b[end:min(end+12, len(l.b))], " \r\n"); bytes.HasPrefix(tail, []byte("endst")) {
			l.i = end
			return &pdfStream{d, l.b[at:end], num, gen}
		}
	}
	if r, ok := d["Length"].(pdfRef); ok {
		if n, ok := p.resolve(r).(float64); ok && n >= 0 && at+int(n) <= len(l.b) {
			end := at + int(n)
			if tail := bytes.TrimLeft(l.b[end:min(end+12, len(l.b))], " \r\n"); bytes.HasPrefix(tail, []byte("endst")) {
				l.i = end
				return &pdfStream{d, l.b[at:end], num, gen}
			}
		}
	}
	end := bytes.Index(l.b[min(at, len(l.b)):], []byte("endstream"))
	if end < 0 {
		if end = bytes.Index(l.b[min(at, len(l.b)):], []byte("endobj")); end < 0 {
			end = len(l.b) - min(at, len(l.b))
		}
	}
	at = min(at, len(l.b))
	end += at
	l.i = end
	raw := l.b[at:end]
	if n := len(raw); n > 0 && raw[n-1] == '\n' {
		raw = raw[:n-1]
	}
	if n := len(raw); n > 0 && raw[n-1] == '\r' {
		raw = raw[:n-1]
	}
	return &pdfStream{d, raw, num, gen}
}

// objectStreams enters the objects inside object streams (7.5.7). Of two
// objects with one number the later in the file counts.
func (p *pdfDoc) objectStreams(list []int) error {
	sort.Slice(list, func(i, j int) bool { return p.offs[list[i]].at < p.offs[list[j]].at })
	for _, num := range list {
		s, ok := p.load(num).(*pdfStream)
		if !ok {
			continue
		}
		b, _, err := p.decode(s)
		if err != nil {
			if p.w.fatal(err) {
				return err
			}
			p.w.unscannable(p.o.path, Damaged)
			continue
		}
		first, _ := p.resolve(s.dict["First"]).(float64)
		count, _ := p.resolve(s.dict["N"]).(float64)
		if first < 0 || int(first) > len(b) || count < 0 {
			continue
		}
		s.raw, s.num = b, 0 // decoded from here on
		s.dict = pdfDict{"First": first}
		p.cache[num] = s
		l := &pdfLexer{b: b[:int(first)]}
		for range min(int(count), len(b)) {
			n, ok1 := l.object(false, 0).(float64)
			off, ok2 := l.object(false, 0).(float64)
			if !ok1 || !ok2 || len(p.offs) >= pdfMaxObjects {
				break
			}
			if old, ok := p.offs[int(n)]; ok && old.stream == 0 && old.at > p.offs[num].at {
				continue
			}
			p.offs[int(n)] = pdfPlace{at: int(off) + int(first), stream: num}
			delete(p.cache, int(n))
		}
	}
	return nil
}

// load reads an object by number.
func (p *pdfDoc) load(num int) any {
	if v, ok := p.cache[num]; ok {
		return v
	}
	place, ok := p.offs[num]
	if !ok || p.busy[num] {
		return nil
	}
	p.busy[num] = true
	defer delete(p.busy, num)
	var v any
	if place.stream > 0 {
		s, ok := p.load(place.stream).(*pdfStream)
		if !ok || place.at >= len(s.raw) {
			return nil
		}
		l := &pdfLexer{b: s.raw, i: place.at}
		v = l.object(true, 0)
	} else {
		l := &pdfLexer{b: p.b, i: place.at}
		v = l.object(true, 0)
		if d, ok := v.(pdfDict); ok {
			if s := p.streamAt(l, d, num, place.gen); s != nil {
				v = s
			}
		}
		if p.crypt != nil {
			v = p.decryptStrings(v, num, place.gen, 0)
		}
	}
	switch v.(type) {
	case pdfEnd, pdfOp:
		v = nil
	}
	if len(p.cache) < 1<<18 {
		p.cache[num] = v
	}
	return v
}

func (p *pdfDoc) decryptStrings(v any, num, gen, depth int) any {
	if depth > pdfDepth {
		return v
	}
	switch v := v.(type) {
	case pdfString:
		return pdfString(p.crypt.string(num, gen, []byte(v)))
	case pdfArray:
		for i := range v {
			v[i] = p.decryptStrings(v[i], num, gen, depth+1)
		}
	case pdfDict:
		for k := range v {
			v[k] = p.decryptStrings(v[k], num, gen, depth+1)
		}
	case *pdfStream:
		p.decryptStrings(v.dict, num, gen, depth+1)
	}
	return v
}

// resolve follows references to the object itself.
func (p *pdfDoc) resolve(v any) any {
	for range 16 {
		r, ok := v.(pdfRef)
		if !ok {
			return v
		}
		v = p.load(r.num)
	}
	return nil
}

func (p *pdfDoc) get(d pdfDict, keys ...string) any {
	for _, k := range keys {
		if v := p.resolve(d[k]); v != nil {
			return v
		}
	}
	return nil
}

func (p *pdfDoc) dict(v any) pdfDict {
	switch v := p.resolve(v).(type) {
	case pdfDict:
		return v
	case *pdfStream:
		return v.dict
	}
	return nil
}

// pdfText decodes a text string (7.9.2.2): UTF-16, UTF-8 or PDFDocEncoding.
func pdfText(s pdfString) string {
	b := []byte(s)
	switch {
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return string(decodeUTF16(b[2:], true))
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return string(decodeUTF16(b[2:], false))
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return string(b[3:])
	case !utf8.Valid(b):
		return string(decodeWith(codepage(1252), b))
	}
	return strings.ToValidUTF8(string(b), "")
}
