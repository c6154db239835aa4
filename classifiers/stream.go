package classifiers

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"sluice/internal/hs"
)

// pending is a hit that waits for the bytes after it.
type pending struct {
	to  uint64
	pat uint32
}

// Stream is the state of one object's bytes. Its memory does not grow with the
// object: a window of bytes, the hits waiting in it, and bounded findings.
type Stream struct {
	meta ObjectMeta
	// buf holds the last bytes before end.
	buf []byte
	end uint64
	// head is the object's first bytes, to tell its type.
	head []byte

	// pend[next:] are the hits that wait.
	pend []pending
	next int
	// scanned is where the search for anchors goes on, dotted where the last number
	// with dots ended.
	scanned, dotted, colonDone uint64
	// tokenDone is where the last judged token ended, covered where the last
	// value of medium confidence did.
	tokenDone, covered uint64
	ctx                contextMarks
	csv                header
	// cell is the stretch, counted from one, that nearLens is about: the lengths worth
	// trying for the words nearby.
	cell, nearLens uint64
	// closeAt is one more than the token that close and closeLens are about: the
	// detectors that words close by speak for, and the lengths of their values.
	closeAt, closeLens uint64
	close              detSet

	// recent are the findings made last.
	recent  [8]told
	nrecent int

	rec *record
	own record
	// The rest is for content that was decoded out of another stream.
	depth  uint8
	path   string
	parent *Stream
	pos    offsetMap
	hsst   hs.Stream
	dec    decoders

	code codeState
	// table reads a table of people, where the object is one; tabled tells that this
	// is known.
	table  *contactTable
	tabled bool
	// typed tells that the first bytes were looked at.
	typed bool
	// holed tells that bytes were missing.
	holed bool
	// unscannable is the first reason why something could not be read.
	unscannable string
	// edge, where not zero, is the offset at which no finding counts that ends
	// there.
	edge uint64
}

// told names a finding within its stream.
type told struct {
	from, to uint64
	det      uint16
}

// Scanner judges for one worker: it is not safe for concurrent use. It borrows
// a Hyperscan scanner for decoded content and whole buffers; hits handed to
// Write may come from the same one, they are copied before it is used again.
type Scanner struct {
	c    *Catalog
	sc   *hs.Scanner
	free []*Stream
	big  []byte
	hits []hs.Hit
	val  [maxValue + 64]byte
	lens [maxLeft + 1 + maxRight]uint8
	cand []candidate
	// counts are what Counts gave last.
	counts []Count
	va     value
	// parts are the tokens of the run being judged.
	parts [maxLeft + 1 + maxRight]part
	// seen is the view of the hit being judged, out what was decoded last: both would
	// be allocated anew each time otherwise.
	seen window2
	out  [flushAt + 4]byte
	// peek is Preview's copy of a stream.
	peek Stream
	// aside are the words read last that are read on demand.
	aside contextMarks
	// places are those of the view of each depth that was written to last.
	places [maxDepth + 1]places
	// slow has the places found the slow way, for tests.
	slow bool
	// Counters: objects closed, candidates left out at a bound.
	Objects, Dropped uint64
}

// NewScanner makes a worker's scanner. sc's scratch space is grown for the
// catalogue's own databases; sc stays the caller's.
func (c *Catalog) NewScanner(sc *hs.Scanner) (*Scanner, error) {
	if err := sc.Prepare(c.block, c.stream); err != nil {
		return nil, err
	}
	return &Scanner{c: c, sc: sc}, nil
}

// Databases gives the databases that the scanner uses on its own.
func (s *Scanner) Databases() []*hs.DB { return []*hs.DB{s.c.block, s.c.stream} }

const maxFreeStreams = 1024

// Open begins an object.
func (s *Scanner) Open(meta ObjectMeta) *Stream {
	st := s.get()
	st.meta = meta
	st.rec = &st.own
	return st
}

func (s *Scanner) get() *Stream {
	if n := len(s.free); n > 0 {
		st := s.free[n-1]
		s.free = s.free[:n-1]
		return st
	}
	return &Stream{} // its window grows with what comes: most flows bring little
}

const (
	// window is the memory of a stream's bytes; larger writes borrow the
	// scanner's.
	window = 8 << 10
	// keep is how many bytes a stream needs from before a write.
	keep    = behind + ahead
	headLen = 512
	// fieldSize is the size up to which an object may be the value of one field.
	fieldSize = 64
	// anchorReach is how far after a word that announces a value it is looked for.
	anchorReach = 64
)

func (s *Scanner) put(st *Stream) {
	st.own.reset()
	if cap(st.buf) > 2*window {
		st.buf = make([]byte, 0, window)
	}
	*st = Stream{buf: st.buf[:0], head: st.head[:0], pend: st.pend[:0], own: st.own, ctx: contextMarks{m: st.ctx.m[:0]}, pos: offsetMap{p: st.pos.p[:0]}}
	if cap(st.pos.p) > usualPlaces {
		st.pos.p = nil
	}
	if len(s.free) < maxFreeStreams {
		s.free = append(s.free, st)
	}
}

// Write takes the object's next bytes and the hits that the shared pass found
// in them: To counts from the object's first byte, IDs are those of Patterns.
// data and hits are borrowed for the call. How the bytes are cut makes no
// difference to the findings.
func (s *Scanner) Write(st *Stream, data []byte, hits []hs.Hit) {
	if len(data) > piece {
		// Decoding scans, and so ends the life of hits that came from the same
		// Hyperscan scanner.
		s.hits = append(s.hits[:0], hits...)
		hits = s.hits
	}
	for len(data) > piece {
		to := st.end + piece
		n := 0
		for n < len(hits) && hits[n].To <= to {
			n++
		}
		s.write(st, data[:piece], hits[:n])
		data, hits = data[piece:], hits[n:]
	}
	s.write(st, data, hits)
}

func (s *Scanner) write(st *Stream, data []byte, hits []hs.Hit) {
	if len(st.head) < headLen && !st.holed {
		st.head = append(st.head, data[:min(len(data), headLen-len(st.head))]...)
	}
	if len(st.head) == headLen && !st.typed {
		s.tellType(st)
	}
	s.readTable(st, data)
	var view []byte
	large := len(st.buf)+len(data) > window
	if large {
		if tail := len(st.buf) - keep; tail > 0 {
			st.buf = st.buf[:copy(st.buf, st.buf[tail:])]
		}
		large = len(st.buf)+len(data) > window
	}
	if large {
		s.big = append(append(s.big[:0], st.buf...), data...)
		view = s.big
	} else {
		st.buf = append(st.buf, data...)
		view = st.buf
	}
	st.end += uint64(len(data))
	base := st.end - uint64(len(view))
	s.find(st, view, base, len(data))

	s.nominate(st, view, base, hits)
	s.settle(st, view, base, st.end, false)
	if st.depth < maxDepth {
		// From here on, Hyperscan may be called and hits be gone. A decoded
		// stream's bytes are in s.big too: the view must be the stream's own.
		s.decode(st, view, base, false)
	}
	if large {
		st.buf = append(st.buf[:0], view[max(0, len(view)-keep):]...)
	}
}

// nominate queues the hits, judging those whose view is complete on the way: so
// the state in which a hit is judged does not depend on how many came at once.
func (s *Scanner) nominate(st *Stream, view []byte, base uint64, hits []hs.Hit) {
	for i := range hits {
		h := &hits[i]
		if h.ID >= uint32(len(s.c.pats)) {
			continue
		}
		s.settle(st, view, base, h.To, true)
		if st.next > 256 {
			st.pend = st.pend[:copy(st.pend, st.pend[st.next:])]
			st.next = 0
		}
		if len(st.pend)-st.next >= maxPending {
			st.rec.dropped++
			s.Dropped++
			continue
		}
		st.pend = append(st.pend, pending{h.To, h.ID})
		// Hits that end together come in no fixed order.
		for j := len(st.pend) - 1; j > st.next && st.pend[j].to == st.pend[j-1].to && st.pend[j].pat < st.pend[j-1].pat; j-- {
			st.pend[j], st.pend[j-1] = st.pend[j-1], st.pend[j]
		}
	}
}

// settle judges the queued hits whose view ends at upto or before, and the
// anchors between them; with strict, hits before it alone.
func (s *Scanner) settle(st *Stream, view []byte, base, upto uint64, strict bool) {
	for st.next < len(st.pend) {
		p := st.pend[st.next]
		if need := p.to + ahead; need > upto || strict && need == upto {
			break
		}
		st.next++
		s.anchors(st, view, base, p.to)
		s.judge(st, view, base, p)
	}
	if st.next == len(st.pend) {
		st.pend, st.next = st.pend[:0], 0
	}
	if !strict && upto >= base+ahead {
		s.anchors(st, view, base, upto-ahead)
	}
}

// judge hands a hit to its detectors, with the view that belongs to it.
func (s *Scanner) judge(st *Stream, view []byte, base uint64, p pending) {
	v := &s.seen
	*v = around(view, base, int(p.to-base))
	pat := &s.c.pats[p.pat]
	switch pat.kind {
	case patAnchor:
		if wholeWord(v.b, v.at-int(pat.n), v.at) {
			s.judgeWords(st, v, v.at, min(v.at+anchorReach, len(v.b)))
		}
	case patToken:
		s.judgeTokens(st, v, pat)
	case patMark:
		s.judgeMarks(st, v, pat)
	case patPrivateKey:
		s.judgePrivateKey(st, v)
	case patScheme:
		if st.meta.MinConfidence < Medium {
			s.judgePlainURL(st, v)
		}
		if s.c.urlCreds != none {
			s.judgeURL(st, v)
		}
	case patJWT:
		s.judgeJWT(st, v, int(pat.n))
	case patCustom:
		for _, ref := range pat.refs {
			s.judgeCustom(st, v, &s.c.customs[ref], int(pat.n))
		}
	case patLiteral:
		start := v.at - int(pat.n)
		if start < 0 || isAlnum(v.b[start]) && start > 0 && isAlnum(v.b[start-1]) {
			return
		}
		for _, ref := range pat.refs {
			if l, r, value, level, conf, ok := s.c.lits[ref].judge(v, start, v.at); ok {
				s.emit(st, v, s.c.litDet[ref], l, r, conf, level, value)
			}
		}
	case patAssign:
		s.judgeAssign(st, v, int(pat.n))
	}
}

// window2 is what a judge sees: b begins at offset base of the stream, the hit
// ends before b[at].
type window2 struct {
	b    []byte
	base uint64
	at   int
}

// emit records a finding of the detector at det.
func (s *Scanner) emit(st *Stream, v *window2, det uint16, start, end int, conf Confidence, level Level, normal []byte) {
	if conf < st.meta.MinConfidence {
		return
	}
	d := &s.c.dets[det]
	if conf == High {
		level = max(level, d.HighLevel)
	}
	from, to := v.base+uint64(start), v.base+uint64(end)
	if st.edge > 0 && to == st.edge {
		return
	}
	// Several names or literals may lead to one value.
	mark := told{from, to, det}
	for i := range st.recent {
		if st.recent[i] == mark {
			return
		}
	}
	st.recent[st.nrecent%len(st.recent)] = mark
	st.nrecent++
	for p := st; p.parent != nil; p = p.parent {
		n := to - from
		if p.dec.marked && !p.pos.skipped(from, to) {
			return // found without
		}
		from, to = p.pos.origin(from), p.pos.originEnd(to)
		if p.dec.verbatim && to-from == n {
			return // the same bytes stand in the parent
		}
	}
	r := st.rec
	var hash [16]byte
	known := false
	keyed := func() [16]byte {
		if !known {
			hash, known = s.c.hash(det, normal), true
		}
		return hash
	}
	r.add(s.c, det, conf, level, normal, keyed)
	r.made++
	if st.meta.CountsOnly {
		return
	}
	if len(r.findings) < MaxFindings {
		r.findings = append(r.findings, Finding{Detector: d.ID, Start: from, End: to, Confidence: conf, Level: level, Tags: d.Tags, Masked: masked(normal, d.Secret), Hash: keyed(), Path: st.path})
	} else {
		r.dropped++
	}
}

// finish judges what waits when no more bytes come.
func (s *Scanner) finish(st *Stream) {
	if !st.typed {
		s.tellType(st)
	}
	s.flush(st)
	if st.parent == nil && st.end <= fieldSize {
		s.judgeSmall(st)
	}
	if st.depth < maxDepth {
		s.decode(st, st.buf, st.end-uint64(len(st.buf)), true)
	}
}

// judgeSmall judges an object that may be the value of one field.
func (s *Scanner) judgeSmall(st *Stream) {
	v := window2{b: st.buf, base: st.end - uint64(len(st.buf))}
	s.judgeWords(st, &v, 0, len(st.buf))
	s.judgeField(st, st.buf)
}

// flush judges what waits, with no bytes to follow.
func (s *Scanner) flush(st *Stream) {
	view := st.buf
	base := st.end - uint64(len(view))
	s.find(st, view, base, 0)
	for _, p := range st.pend[st.next:] {
		s.anchors(st, view, base, p.to)
		s.judge(st, view, base, p)
	}
	st.pend, st.next = st.pend[:0], 0
	s.anchors(st, view, base, st.end)
	s.mnemonicSmallObject(st, view)
	if !st.tabled {
		s.learnTable(st)
		if st.table != nil {
			s.tableBytes(st, st.head, 0)
		}
	}
	if st.table != nil {
		s.tableEnd(st)
	}
}

// Gap tells that n bytes are missing here: what was begun before them is judged
// as it stands and not joined with what follows. Offsets go on counting. Hits
// given to Write afterwards count from the object's first byte still.
func (s *Scanner) Gap(st *Stream, n uint64) {
	s.flush(st)
	if st.depth < maxDepth {
		s.decode(st, st.buf, st.end-uint64(len(st.buf)), true)
	}
	st.end += n
	st.buf = st.buf[:0]
	st.holed = true
	st.scanned, st.dotted, st.tokenDone, st.covered = st.end, st.end, st.end, st.end
	st.ctx = contextMarks{m: st.ctx.m[:0]}
	st.cell, st.closeAt, st.csv.line = 0, 0, 0
	st.code.gap(st.end)
	d := &st.dec
	d.b64next, d.b64done, d.u16next, d.pctnext = st.end, st.end, st.end, st.end
	for i := range d.folds {
		d.folds[i] = unfolding{next: st.end, floor: st.end}
	}
}

// Close ends an object and gives what it holds. st must not be used again.
func (s *Scanner) Close(st *Stream) Result {
	s.finish(st)
	s.Objects++
	res := Result{Counts: st.rec.counts(s.c), Size: st.end, Unscannable: st.unscannable, Dropped: st.rec.dropped}
	if len(st.rec.findings) > 0 {
		res.Findings = slices.Clone(st.rec.findings)
		slices.SortFunc(res.Findings, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), strings.Compare(a.Detector, b.Detector), cmp.Compare(a.End, b.End), strings.Compare(a.Path, b.Path))
		})
	}
	res.Level = highest(res.Counts)
	if !st.meta.Raw {
		res.Type = TypeOf(st.head)
	}
	if res.Unscannable == "" {
		res.Unscannable = unreadable(st.head)
	}
	s.put(st)
	return res
}

// Abandon gives a stream's memory back without a result.
func (s *Scanner) Abandon(st *Stream) {
	s.dropDecoders(st)
	s.put(st)
}

// Found reports how many findings there are so far, to tell cheaply whether a
// write brought new ones.
func (st *Stream) Found() int { return int(st.rec.made + st.rec.dropped) }

// Findings gives the findings so far in the order in which they were made,
// valid until the next call for the stream.
func (st *Stream) Findings() []Finding { return st.rec.findings }

// Counts gives the sums of the findings so far, as Result.Counts will, valid until
// the Scanner's next call.
func (s *Scanner) Counts(st *Stream) []Count {
	s.counts = st.rec.appendCounts(s.counts[:0], s.c)
	return s.counts
}

// Size gives the number of bytes written.
func (st *Stream) Size() uint64 { return st.end }

// Type gives the media type by content as far as it can be told yet.
func (st *Stream) Type() string { return TypeOf(st.head) }

// Unscannable gives the reason why the content cannot be read to the end, as
// far as it is known yet.
func (st *Stream) Unscannable() string {
	if st.unscannable != "" {
		return st.unscannable
	}
	return unreadable(st.head)
}

// ScanBytes judges a whole buffer. It does its own Hyperscan pass.
func (s *Scanner) ScanBytes(data []byte, meta ObjectMeta) Result {
	st := s.Open(meta)
	if len(data) <= piece {
		hits, err := s.sc.Scan(s.c.block, data)
		st.failed(err)
		s.write(st, data, hits)
		return s.Close(st)
	}
	h, err := s.sc.Open(s.c.stream)
	st.failed(err)
	if err == nil {
		for len(data) > 0 {
			n := min(len(data), piece)
			hits, err := s.sc.ScanStream(h, data[:n])
			st.failed(err)
			s.write(st, data[:n], hits)
			data = data[n:]
		}
		s.sc.CloseStream(h)
	}
	return s.Close(st)
}

// failed notes that a scan did not finish.
func (st *Stream) failed(err error) {
	if err == nil || st.unscannable != "" {
		return
	}
	if errors.Is(err, hs.ErrTooManyHits) {
		st.unscannable = "too-many-hits"
	} else {
		st.unscannable = "scan-failed"
	}
}
