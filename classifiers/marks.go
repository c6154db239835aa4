package classifiers

import "bytes"

// mark is a detector of classification markings: phrases, and where they stand.
// A marking is a line of its own, a header or a labelled field; the same word
// within a sentence is talk.
type mark struct {
	Detector
	phrases []phrase
}

// phrase is one wording of a marking.
type phrase struct {
	// text is in lower case; any case is found.
	text string
	// upper wants capital letters unless the phrase is labelled
	// ("Classification: …").
	upper bool
	// alone wants the phrase to be the whole line, or labelled.
	alone bool
	// anywhere tells that the phrase is a marking wherever it stands.
	anywhere bool
	// level, when not Public, replaces the detector's.
	level Level
	// public tells that the phrase is a marking that allows disclosure.
	public bool
	// valid confirms by what follows.
	valid func(after []byte) bool
}

func (m *mark) index(p phrase) int {
	for i := range m.phrases {
		if m.phrases[i].text == p.text {
			return i
		}
	}
	return 0
}

func words(level Level, upper bool, texts ...string) []phrase {
	var out []phrase
	for _, t := range texts {
		out = append(out, phrase{text: t, upper: upper, level: level})
	}
	return out
}

// alone makes phrases that are too common a word to be a marking among others.
func alone(level Level, texts ...string) []phrase {
	out := words(level, true, texts...)
	for i := range out {
		out[i].alone = true
	}
	return out
}

func anywhere(level Level, texts ...string) []phrase {
	var out []phrase
	for _, t := range texts {
		out = append(out, phrase{text: t, anywhere: true, level: level})
	}
	return out
}

func concat(ps ...[]phrase) []phrase {
	var out []phrase
	for _, p := range ps {
		out = append(out, p...)
	}
	return out
}

// labels are words that announce a marking when they stand right before it.
var labels = [][]byte{[]byte("classification"), []byte("classified"), []byte("sensitivity"), []byte("marking"), []byte("label"), []byte("protection"), []byte("klassifizierung"), []byte("einstufung"), []byte("vertraulichkeit"),
	[]byte("clasificación"), []byte("clasificacion"), []byte("classificazione"), []byte("klasyfikacja"), []byte("confidentiality"), []byte("confidentialité"), []byte("security level"), []byte("handling"), []byte("distribution")}

// boilerplate are beginnings of the disclaimers that mail programs append.
var boilerplate = [][]byte{[]byte("this e-mail"), []byte("this email"), []byte("this message"), []byte("intended recipient"), []byte("intended only"), []byte("may contain"), []byte("diese e-mail"), []byte("ce message"), []byte("este mensaje"), []byte("questo messaggio"), []byte("confidentiality notice")}

// lineReach is how far a line is followed to either side.
const lineReach = 240

// judgeMarks decides whether a phrase stands as a marking.
func (s *Scanner) judgeMarks(st *Stream, v *window2, pat *pattern) {
	start, end := v.at-int(pat.n), v.at
	if start < 0 || !wholeWord(v.b, start, end) {
		return
	}
	for _, ref := range pat.refs {
		m := s.c.marks[ref>>6]
		p := &m.phrases[ref&63]
		det := s.c.mrkDet[ref>>6]
		if p.valid != nil && !p.valid(v.b[end:]) {
			continue
		}
		conf, ok := placed(v, start, end, p)
		if !ok {
			continue
		}
		level := m.Level
		if p.level != Public || p.public {
			level = p.level
		}
		stop := end
		if p.anywhere {
			// TLP:AMBER+STRICT and the like: the word goes on.
			for stop < len(v.b) && stop < end+8 && (isAlnum(v.b[stop]) || v.b[stop] == '+') {
				stop++
			}
		}
		var low [80]byte
		n := copy(low[:], v.b[start:min(end, start+80)])
		s.emit(st, v, det, start, end, conf, level, bytes.ToLower(low[:n]))
	}
}

// wholeWord reports whether b[start:end] is not a part of a longer word.
func wholeWord(b []byte, start, end int) bool {
	if start > 0 && isWordByte(b[start-1]) && isWordByte(b[start]) {
		return false
	}
	return end >= len(b) || !isWordByte(b[end]) || !isWordByte(b[end-1])
}

func isWordByte(c byte) bool { return isAlnum(c) || c >= 0x80 || c == '_' }

// placed judges where a phrase stands.
func placed(v *window2, start, end int, p *phrase) (Confidence, bool) {
	b := v.b
	ls, le := start, end
	for ls > 0 && start-ls < lineReach && b[ls-1] != '\n' && b[ls-1] != '\r' && b[ls-1] != '\f' && b[ls-1] != 0 {
		ls--
	}
	for le < len(b) && le-end < lineReach && b[le] != '\n' && b[le] != '\r' && b[le] != '\f' && b[le] != 0 {
		le++
	}
	if !p.anywhere && (ls > 0 && b[ls-1] == 0 || le < len(b) && b[le] == 0) {
		return Low, true // a string within a program or a catalogue of texts
	}
	upper := isUpper(b[start:end])
	before, after := b[ls:start], b[end:le]
	label := labelled(before)
	if p.anywhere {
		return High, true
	}
	if label && wordCount(after) <= 6 {
		return High, true
	}
	var low [lineReach*2 + 128]byte
	line := bytes.ToLower(append(low[:0], b[ls:le]...))
	for _, t := range boilerplate {
		if bytes.Contains(line, t) {
			return Low, true
		}
	}
	if i, k := len(before)-1, 0; i >= 0 && k < len(after) && (before[i] == '"' || before[i] == '\'') && after[k] == before[i] || len(after) > 1 && after[0] == '.' && isAlnum(after[1]) {
		return Low, true // a constant, or the name of a file
	}
	others := wordCount(before) + wordCount(after)
	top := v.base+uint64(start) < 2048
	switch {
	case p.upper && !upper:
		return Low, false
	case others == 0 && (upper || isTitle(b[start:end])):
		// Alone on its line.
		return High, true
	case others == 0:
		return Medium, true
	case p.alone:
		return Low, true
	case others <= 5 && upper && !sentence(before, after):
		return High, true
	case others <= 8 && upper && top:
		return Medium, true
	case others <= 3 && isTitle(b[start:end]) && top && !sentence(before, after):
		return Medium, true
	}
	return Low, true
}

// labelled reports whether text ends in a word that announces a marking, with
// nothing but punctuation, quotes and markup after it.
func labelled(before []byte) bool {
	i := len(before)
	sep := false
	for i > 0 && !isWordByte(before[i-1]) {
		switch before[i-1] {
		case ':', '=', '>', '"', '|', ',', '\t':
			sep = true
		}
		i--
	}
	if !sep {
		return false
	}
	var low [40]byte
	tail := bytes.ToLower(append(low[:0], before[max(0, i-32):i]...))
	for _, l := range labels {
		if bytes.HasSuffix(tail, l) {
			return true
		}
	}
	return false
}

func isUpper(b []byte) bool {
	for _, c := range b {
		if c >= 'a' && c <= 'z' {
			return false
		}
	}
	return true
}

func isTitle(b []byte) bool { return len(b) > 0 && (b[0] < 'a' || b[0] > 'z') }

func wordCount(b []byte) int {
	n, in := 0, false
	for _, c := range b {
		w := isWordByte(c)
		if w && !in {
			n++
		}
		in = w
	}
	return n
}

// sentence reports whether the words around are running text: lower case on both
// sides or a full stop at the end.
func sentence(before, after []byte) bool {
	lower := func(b []byte) bool {
		n := 0
		for _, c := range b {
			if c >= 'a' && c <= 'z' {
				n++
			}
		}
		return n*2 > len(b) && n > 6
	}
	return lower(before) || lower(after)
}
