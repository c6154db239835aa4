package inspect

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"

	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/internal/hs"
	"sluice/internal/magic"
	"sluice/signatures"
)

// Counters tell what an Inspector did. They are written by its worker only.
type Counters struct {
	ObjectBytes, StreamBytes, RawBytes uint64
	Objects                            uint64
	// ScanFailures counts scans that Hyperscan did not finish.
	ScanFailures uint64
	// Magic counts what it took to describe files.
	Magic MagicCounters
	// Frames counts the pieces of frames that were judged.
	Frames uint64
}

// Inspector is one worker's side of a Set. It belongs to the worker's
// goroutine. Objects and streams finish on the Inspector they began with, so
// one that a reload replaced lives on until Idle.
type Inspector struct {
	set *Set
	// Matcher is nil without signatures.
	Matcher *signatures.Matcher
	// Classifier is nil without classification.
	Classifier *classifiers.Scanner

	scanner *hs.Scanner
	magic   *magic.Reader // nil where nothing needs files to be described
	open    int
	objects []*Object
	streams []*Stream
	buffers buffers
	framing framing
	// hits is scratch for the hits of one owner with the base taken off.
	hits []hs.Hit
	seed []byte

	Counters Counters
}

// NewInspector makes a worker's side of set.
func NewInspector(set *Set) (*Inspector, error) {
	dbs := set.Databases()
	if set.Rules != nil {
		dbs = append(dbs, set.Rules.Databases()...)
	}
	sc, err := hs.NewScanner(dbs...)
	if err != nil {
		return nil, err
	}
	sc.Trace = set.Trace
	in := &Inspector{set: set, scanner: sc}
	if set.Rules != nil {
		in.Matcher = set.Rules.NewMatcher(sc)
	}
	if set.Catalog != nil {
		if in.Classifier, err = set.Catalog.NewScanner(sc); err != nil {
			sc.Close()
			return nil, fmt.Errorf("classifiers: %w", err)
		}
	}
	if set.Magic != nil {
		if in.magic, err = set.Magic.NewReader(); err != nil {
			sc.Close()
			return nil, fmt.Errorf("describe files: %w", err)
		}
	}
	if m, ok := sha256.New().(encoding.BinaryMarshaler); ok {
		in.seed, _ = m.MarshalBinary()
	}
	return in, nil
}

// Set gives the set that the Inspector serves.
func (in *Inspector) Set() *Set { return in.set }

// Idle reports whether no object or stream is open.
func (in *Inspector) Idle() bool { return in.open == 0 }

// Close frees the scratch space. The Inspector must be Idle.
func (in *Inspector) Close() {
	in.scanner.Close()
	if in.magic != nil {
		in.magic.Close()
	}
}

// Object is the inspection of one object, from OpenObject to CloseObject.
type Object struct {
	// Meta is the parser's part; Flow the flow that carries it.
	Meta *protocol.Object
	Flow *flow.Flow
	// App is the protocol that carries it.
	App protocol.ID
	// Size counts the bytes seen; Released those that had left before the
	// packet in Packet, which brought the newest.
	Size, Released, Packet uint64
	// Stream is the classification; nil for containers, where nobody wants to know,
	// and without classifiers.
	Stream *classifiers.Stream
	// Decided is the caller's note of what was done about the object so far.
	Decided any
	// Failed tells that a scan did not finish: anything may have matched.
	Failed bool
	// Spool keeps the bytes for who wants them whole, Spooling is the caller's note
	// of how that stands, Keeps that they may be wanted as evidence. They are the
	// caller's own; a Spool is to be taken back before Close.
	Spool    *document.Spool
	Spooling uint8
	Keeps    bool
	// Unwanted tells that nobody wants to know what is in it: it is not classified.
	Unwanted bool
	// Early is the caller's note that what is found may matter before its end.
	Early bool

	in   *Inspector
	db   *hs.DB
	scan hs.Stream
	// base is the object's offset at which scan was opened.
	base  uint64
	sum   hash.Hash
	hash  bool
	rules bool
	win   window
	// head are the first bytes of a file that is not classified, to tell its type.
	head []byte
	// first are the first bytes of one that may have to be described, firstEnds that
	// no more come.
	first     []byte
	firstEnds bool
	// ended: the object is closed.
	ended bool
}

// How says how an object is inspected.
type How struct {
	// Raw is for the bytes of no known protocol, which rules see as a Stream.
	Raw bool
	// Sum asks for a SHA-256.
	Sum bool
	// Unwanted leaves classification out.
	Unwanted bool
}

// OpenObject begins the inspection of meta.
func (in *Inspector) OpenObject(f *flow.Flow, app protocol.ID, meta *protocol.Object, how How) *Object {
	var o *Object
	if n := len(in.objects); n > 0 {
		o = in.objects[n-1]
		in.objects = in.objects[:n-1]
	} else {
		o = &Object{sum: sha256.New()}
	}
	h := o.sum
	*o = Object{Meta: meta, Flow: f, App: app, in: in, sum: h, hash: how.Sum, head: o.head[:0]}
	if how.Sum {
		h.Reset()
	}
	o.rules = in.Matcher != nil && !how.Raw
	o.Unwanted = how.Unwanted && in.Classifier != nil && !meta.Container
	switch {
	case how.Raw && o.Unwanted:
	case how.Raw:
		o.db = in.set.raw
	default:
		o.db = in.set.objectDB(app, meta.Dir, meta.Container || o.Unwanted)
	}
	if in.Classifier != nil && !meta.Container && !o.Unwanted {
		o.Stream = in.Classifier.Open(classifiers.ObjectMeta{Name: meta.Name, ContentType: meta.ContentType, MinConfidence: classifiers.Medium, CountsOnly: true, Raw: how.Raw})
	}
	if o.db != nil {
		var err error
		if o.scan, err = in.scanner.Open(o.db); err != nil {
			o.Failed = true
			in.Counters.ScanFailures++
		}
	}
	o.firstEnds = in.magic == nil || how.Raw || meta.Start > 0
	in.open++
	in.Counters.Objects++
	return o
}

// Data scans the object's next bytes, which packet number num completes, and
// lets rules and classifiers look at what was nominated.
func (o *Object) Data(p *decode.Packet, num uint64, data []byte) {
	in := o.in
	if num != o.Packet {
		o.Packet, o.Released = num, o.Size
	}
	in.Counters.ObjectBytes += uint64(len(data))
	if o.hash {
		o.sum.Write(data)
	}
	if o.Unwanted && o.Meta.File && len(o.head) < classifiers.TypeHead && !o.Meta.Gaps {
		o.head = append(o.head, data[:min(len(data), classifiers.TypeHead-len(o.head))]...)
	}
	if !o.firstEnds {
		o.keepFirst(data)
	}
	var hits []hs.Hit
	if o.scan.IsOpen() {
		var err error
		if hits, err = in.scanner.ScanStream(o.scan, data); err != nil {
			o.Failed = true
			in.Counters.ScanFailures++
		}
		rebase(hits, o.base)
	}
	var mine, class []hs.Hit
	if o.db == in.set.raw {
		class = hits
	} else {
		mine, class = in.split(hits)
	}
	at := o.Size
	o.Size += uint64(len(data))
	// The rules come first: classifying may scan what it decodes, which ends the
	// life of the hits.
	if o.rules {
		if seen, mine := o.ruled(at, data, mine); len(seen) > 0 {
			in.Matcher.Object(p, o.Flow, o.Meta.Tx, o.Meta, o.win.add(&in.buffers, at, seen), mine, false)
		}
	}
	if o.Stream != nil {
		in.Classifier.Write(o.Stream, data, class)
	}
}

// Outdated reports whether in has taken the place of the object's Inspector: what
// was settled about the object when it was opened is of before a reload.
func (o *Object) Outdated(in *Inspector) bool { return o.in != in }

// ruled gives what rules see of data at an offset, and the hits within it.
func (o *Object) ruled(at uint64, data []byte, hits []hs.Hit) ([]byte, []hs.Hit) {
	limit := o.Meta.RuleLimit
	if limit == 0 || at+uint64(len(data)) <= limit {
		return data, hits
	}
	n := 0
	for _, h := range hits {
		if h.To <= limit {
			hits[n] = h
			n++
		}
	}
	return data[:limit-min(at, limit)], hits[:n]
}

// Catalog gives the detectors that the object is classified by.
func (o *Object) Catalog() *classifiers.Catalog { return o.in.set.Catalog }

// Partial gives what was found so far, valid until the next call of the Inspector.
func (o *Object) Partial() classifiers.Result {
	return classifiers.Result{Counts: o.in.Classifier.Counts(o.Stream), Type: o.Stream.Type(), Size: o.Size, Unscannable: o.Stream.Unscannable()}
}

// Preview is Partial for if the object ended here, and whether that is more (see
// classifiers.Scanner.Preview).
func (o *Object) Preview(settled bool) (classifiers.Result, bool) {
	counts, more := o.in.Classifier.Preview(o.Stream, settled)
	return classifiers.Result{Counts: counts, Type: o.Stream.Type(), Size: o.Size, Unscannable: o.Stream.Unscannable()}, more
}

// PreviewRaw is Preview for bytes of which it is not known yet what they are.
func (in *Inspector) PreviewRaw(data []byte, settled bool) (classifiers.Result, bool) {
	counts, more := in.Classifier.PreviewBytes(data, classifiers.ObjectMeta{MinConfidence: classifiers.Medium, CountsOnly: true, Raw: true}, settled)
	return classifiers.Result{Counts: counts, Size: uint64(len(data))}, more
}

// split parts the hits of the joint database: those of the signatures, and
// those of the classifiers with the base taken off. Both are copies: the rules
// may scan the headers before they look at the hits of the body, which ends the
// life of the scanner's own.
func (in *Inspector) split(hits []hs.Hit) (rules, class []hs.Hit) {
	if len(hits) == 0 {
		return nil, nil
	}
	in.hits = in.hits[:0]
	for _, h := range hits {
		if h.ID >= classifierBase {
			h.ID -= classifierBase
			in.hits = append(in.hits, h)
		}
	}
	n := len(in.hits)
	for _, h := range hits {
		if h.ID < classifierBase {
			in.hits = append(in.hits, h)
		}
	}
	return in.hits[n:], in.hits[:n]
}

// rebase makes offsets of a scan that was opened at base offsets of the whole:
// Hyperscan counts from the first byte it was given.
func rebase(hits []hs.Hit, base uint64) {
	if base == 0 {
		return
	}
	for i := range hits {
		hits[i].To += base
	}
}

// Gap tells that n bytes are missing here. What was begun before the hole is
// not joined with what follows it.
func (o *Object) Gap(n uint64) {
	o.Size += n
	o.firstEnds = true
	if o.scan.IsOpen() {
		o.in.scanner.CloseStream(o.scan)
		o.scan, _ = o.in.scanner.Open(o.db)
		o.base = o.Size
	}
	if o.Stream != nil {
		o.in.Classifier.Gap(o.Stream, n)
	}
}

// Close ends the inspection and gives what was found. sum is the object's
// SHA-256, nil when it was not asked for or the object has holes.
func (o *Object) Close(p *decode.Packet) (res classifiers.Result, sum []byte) {
	in := o.in
	if o.Stream != nil {
		res = in.Classifier.Close(o.Stream)
		o.Stream = nil
	} else if o.Unwanted {
		res.Size, res.Type = o.Size, classifiers.TypeOf(o.head)
	}
	o.ended, o.firstEnds = true, true
	if o.rules {
		in.Matcher.Object(p, o.Flow, o.Meta.Tx, o.Meta, o.win.view(), nil, true)
	}
	if in.set.DescribeAll && o.Meta.File {
		o.Magic()
	}
	if o.hash && !o.Meta.Gaps {
		sum = o.sum.Sum(nil)
	}
	o.release()
	return res, sum
}

// Abandon ends the inspection of an object that nobody waits for any more: its
// flow is over. Nothing is judged.
func (o *Object) Abandon() {
	if o.Stream != nil {
		o.in.Classifier.Abandon(o.Stream)
		o.Stream = nil
	}
	o.release()
}

// release gives back what the object holds, and the object.
func (o *Object) release() {
	in := o.in
	if o.scan.IsOpen() {
		in.scanner.CloseStream(o.scan)
	}
	o.win.reset(&in.buffers)
	in.buffers.put(o.first)
	in.open--
	if len(in.objects) < maxPooled {
		*o = Object{sum: o.sum, head: o.head[:0]}
		in.objects = append(in.objects, o)
	}
}

// maxPooled bounds the idle states kept for reuse.
const maxPooled = 1024
