// Package classifiers knows confidential data when it sees it. It takes the
// bytes of objects, in pieces of any size, and gives findings: which detector,
// where in the original bytes, how sure. It knows nothing of packets, flows or
// protocols, and nothing of what is done about a finding: that is policy.
//
// A Catalog is the compiled detectors; it is immutable and shared. Hyperscan
// nominates: the catalogue's Patterns (literals and run anchors) are scanned
// together with the signatures' in one pass, and a Scanner, one per worker,
// confirms the hits with validators and with the words around. What decoding
// uncovers is scanned once more, with the catalogue's own databases.
//
// How the same findings come of any cut of the same bytes: a hit is judged once
// the bytes up to a fixed distance after it have come (or the end), on a view of
// fixed distances before and after it. Nothing else than that view and the hits
// before, in order, goes into the judgement.
package classifiers

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"sluice/internal/hs"
)

// Bounds of the judgement. They are part of what a detector can find: values
// longer than them are cut there.
const (
	// behind and ahead are how many bytes before and after a hit's end a
	// detector sees.
	behind = 1024
	ahead  = 1024
	// maxValue is the greatest number of digits and letters in a structured value.
	maxValue = 40
	// contextBefore and contextAfter are how far a context word may be from a
	// value; contextNear is how far one of up to three letters may be.
	contextBefore, contextAfter, contextNear = 300, 150, 60
	// maxPending bounds the hits waiting for their view.
	maxPending = 2048
	// piece is the size in which larger buffers are taken.
	piece = 64 << 10
)

// Config is what a catalogue is built from. The zero value is useful.
type Config struct {
	// Key makes the hashes of values; hashes compare only under the same key. A
	// zero key is replaced by a random one.
	Key [32]byte
	// CacheDir keeps compiled databases; empty compiles anew at each start.
	CacheDir string
	// Disabled are detector ids, or prefixes ending in "*", to leave out.
	Disabled []string
	// Custom are the organisation's own detectors; see Custom.Check.
	Custom []Custom
}

// Catalog is a compiled set of detectors. It is immutable and safe for
// concurrent use.
type Catalog struct {
	key  [64]byte
	dets []Detector
	ids  map[string]uint16

	nums   []*number
	numDet []uint16
	groups [][]grouping
	// strong and weak list the shapes of each length, weak those that are of low
	// confidence at most without a word about them. strongLens and weakLens tell the
	// lengths worth trying, leadLens those of shapes that want a beginning.
	strong, weak         [maxValue + 1][]shape
	strongLens, weakLens reach
	// weakOf finds a detector's shapes in weak.
	weakOf   [maxValue + 1]weakIndex
	leadLens uint64
	// surestLens are the lengths of what may be of high confidence.
	surestLens uint64
	pairs      pairs
	// detLens has a bit for each length of a detector's weak shapes.
	detLens []uint64
	// minLen is the least length of any.
	minLen int

	tokens  []*token
	tokDet  []uint16
	marks   []*mark
	mrkDet  []uint16
	lits    []*literal
	litDet  []uint16
	customs []custom
	// engineering are the detectors of files by their beginning.
	engineering map[string]uint16

	pats []pattern
	hsps []hs.Pattern

	words lexicon
	// aside are words that are read where a detector asks for them alone.
	aside lexicon

	block, stream *hs.DB
	specials
}

// specials are the detectors with code of their own, by their place in dets, or
// none.
type specials struct {
	privateKey, email, ipv4, urlCreds, jwt, assign, password, httpAuth, coin, mac, url int
	mnemonic, contacts, source, encrypted, clear                                       int
	// luhn is the first of the checksums.
	luhn int
}

const none = -1

// patternKind says which judge a pattern nominates for.
type patternKind uint8

const (
	patScheme patternKind = iota
	patToken
	patMark
	patPrivateKey
	patAssign
	patAnchor
	patJWT
	patLiteral
	patCustom
	patNone
)

// pattern is what a pattern's ID stands for.
type pattern struct {
	kind patternKind
	// n is the length of a literal.
	n uint16
	// refs are the specs that share the literal.
	refs []uint16
}

// New compiles the detectors. The databases for decoded content are compiled
// too, or read from the cache.
func New(cfg Config) (*Catalog, error) {
	c := &Catalog{ids: make(map[string]uint16)}
	c.specials = specials{none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none}
	if cfg.Key == [32]byte{} {
		if _, err := rand.Read(c.key[:]); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	} else {
		copy(c.key[:], cfg.Key[:])
	}
	off := func(id string) bool {
		return slices.ContainsFunc(cfg.Disabled, func(p string) bool { return MatchID(p, id) })
	}
	for _, n := range numbers() {
		if off(n.ID) {
			continue
		}
		c.nums = append(c.nums, n)
		c.numDet = append(c.numDet, c.addDetector(n.Detector))
	}
	for _, t := range tokens() {
		if off(t.ID) {
			continue
		}
		c.tokens = append(c.tokens, t)
		c.tokDet = append(c.tokDet, c.addDetector(t.Detector))
	}
	for _, m := range marks() {
		if off(m.ID) {
			continue
		}
		c.marks = append(c.marks, m)
		c.mrkDet = append(c.mrkDet, c.addDetector(m.Detector))
	}
	for _, l := range literalDetectors() {
		if !off(l.ID) {
			c.lits = append(c.lits, l)
			at := c.addDetector(l.Detector)
			c.litDet = append(c.litDet, at)
			if l.ID == "pay.crypto.seed" {
				c.mnemonic = int(at)
			}
		}
	}
	c.engineering = make(map[string]uint16)
	for _, e := range engineeringFiles {
		if !off(e.id) {
			c.engineering[e.id] = c.addDetector(Detector{ID: e.id, Level: Confidential, Tags: []string{engineeringTag}, Good: []string{e.good}, Bad: []string{"see " + e.id}})
		}
	}
	for _, d := range specialDetectors() {
		if off(d.ID) {
			continue
		}
		at := int(c.addDetector(d))
		switch d.ID {
		case "sec.private-key":
			c.privateKey = at
		case "pii.email":
			c.email = at
		case "pii.ip":
			c.ipv4 = at
		case "sec.url-credentials":
			c.urlCreds = at
		case "sec.jwt":
			c.jwt = at
		case "sec.generic-api-key":
			c.assign = at
		case "pay.crypto":
			c.coin = at
		case "sec.http-auth":
			c.httpAuth = at
		case "sec.generic-password":
			c.password = at
		case "pii.mac":
			c.mac = at
		case "pii.url":
			c.url = at
		case "bulk.contacts":
			c.contacts = at
		case "ip.source":
			c.source = at
		case "file.encrypted-archive":
			c.encrypted = at
		case "cred.ftp-pass":
			c.clear = at
		}
	}
	if !off(checksums[0].id) {
		for i, x := range checksums {
			if at := int(c.addDetector(Detector{ID: x.id, Level: Public, Good: []string{x.good}, Bad: []string{x.bad}})); i == 0 {
				c.luhn = at
			}
		}
	}
	if err := c.addCustom(cfg.Custom); err != nil {
		return nil, err
	}
	if len(c.dets) == 0 {
		return nil, errors.New("every detector is disabled")
	}
	c.compileShapes()
	c.indexWeak()
	c.words.build(c.dets, c.detLens)
	c.compileAside()
	c.compilePatterns(cfg.Custom)
	var err error
	if c.block, err = hs.Compile(c.hsps, hs.Block, cfg.CacheDir); err != nil {
		return nil, fmt.Errorf("compile the detectors' patterns: %w", err)
	}
	if c.stream, err = hs.Compile(c.hsps, hs.Streaming, cfg.CacheDir); err != nil {
		c.block.Close()
		return nil, fmt.Errorf("compile the detectors' patterns: %w", err)
	}
	return c, nil
}

// addDetector registers a detector and gives its place. Specs that share an id
// share the place.
func (c *Catalog) addDetector(d Detector) uint16 {
	if at, ok := c.ids[d.ID]; ok {
		old := &c.dets[at]
		old.Context = append(slices.Clip(old.Context), d.Context...)
		old.Against = append(slices.Clip(old.Against), d.Against...)
		return at
	}
	at := uint16(len(c.dets))
	h := fnv.New32a()
	h.Write([]byte(d.ID))
	d.hashID = uint16(h.Sum32() ^ h.Sum32()>>16)
	c.dets = append(c.dets, d)
	c.ids[d.ID] = at
	return at
}

func (c *Catalog) compileShapes() {
	c.detLens = make([]uint64, len(c.dets))
	for i, n := range c.nums {
		for _, s := range n.shapes {
			l, digits, letters := parseShape(s)
			if c.minLen == 0 || l < c.minLen {
				c.minLen = l
			}
			sh := shape{digits: digits, letters: letters, num: uint16(i), det: c.numDet[i], lead: n.lead, most: n.most()}
			humble := max(n.plain, n.usual, n.odd) < 2 && n.judge == nil || n.humble
			if humble || n.lead != 0 {
				// Without words about it, nothing can speak for it.
				if c.detLens[c.numDet[i]] |= 1 << l; len(c.dets[c.numDet[i]].Context) > 0 {
					c.weakLens.add(digits, letters, l)
				}
			}
			if sh.most > 2 {
				c.surestLens |= 1 << l
			}
			switch {
			case humble:
				c.weak[l] = append(c.weak[l], sh)
			case n.lead != 0:
				c.strong[l] = append(c.strong[l], sh)
				c.leadLens |= 1 << l
			default:
				c.strong[l] = append(c.strong[l], sh)
				c.strongLens.add(digits, letters, l)
			}
		}
		gs := parseGroups(n.groups)
		c.groups = append(c.groups, gs)
		for _, g := range gs {
			if g.sep != ' ' && g.sep != '*' {
				continue
			}
			for _, s := range n.shapes {
				_, _, letters := parseShape(s)
				c.pairs.add(g.lens, letters)
			}
		}
	}
}

// indexWeak orders the weak shapes by detector, as few of them are asked at once.
func (c *Catalog) indexWeak() {
	for n := range c.weak {
		slices.SortStableFunc(c.weak[n], func(a, b shape) int { return cmp.Compare(a.det, b.det) })
		x := &c.weakOf[n]
		x.from, x.to = make([]uint16, len(c.dets)), make([]uint16, len(c.dets))
		for i, sh := range c.weak[n] {
			if !x.dets.has(sh.det) {
				x.dets.add(sh.det)
				x.from[sh.det] = uint16(i)
			}
			x.to[sh.det] = uint16(i) + 1
		}
	}
}

// weakIndex tells which detectors have shapes of one length, and where their first
// and the one after their last is.
type weakIndex struct {
	dets     detSet
	from, to []uint16
}

// Close frees the databases. No Scanner may use the catalogue any more.
func (c *Catalog) Close() {
	c.block.Close()
	c.stream.Close()
}

// Patterns gives the patterns to scan for, with IDs from 0. Scan them in
// streaming mode with the object's other patterns (add a base to the IDs, and
// subtract it from the hits), without any flag beyond theirs.
func (c *Catalog) Patterns() []hs.Pattern { return slices.Clone(c.hsps) }

// StreamDatabase gives the compiled database of Patterns in streaming mode, for
// those who scan with nothing else. It belongs to the catalogue.
func (c *Catalog) StreamDatabase() *hs.DB { return c.stream }

// Detectors gives the detectors in use, ordered by id. Read only.
func (c *Catalog) Detectors() []Detector {
	out := slices.Clone(c.dets)
	slices.SortFunc(out, func(a, b Detector) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// MatchID reports whether a detector's id is p, or begins with what stands
// before a "*" at p's end.
func MatchID(p, id string) bool {
	if rest, ok := strings.CutSuffix(p, "*"); ok {
		return strings.HasPrefix(id, rest)
	}
	return p == id
}

// IDs gives the ids of all built-in detectors, ordered.
func IDs() []string {
	var out []string
	for _, n := range numbers() {
		out = append(out, n.ID)
	}
	for _, t := range tokens() {
		out = append(out, t.ID)
	}
	for _, m := range marks() {
		out = append(out, m.ID)
	}
	for _, d := range specialDetectors() {
		out = append(out, d.ID)
	}
	for _, x := range checksums {
		out = append(out, x.id)
	}
	for _, l := range literalDetectors() {
		out = append(out, l.ID)
	}
	for _, e := range engineeringFiles {
		out = append(out, e.id)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// compilePatterns gives every literal one ID whoever wants it.
func (c *Catalog) compilePatterns(own []Custom) {
	add := func(expr string, flags hs.Flag, p pattern) {
		c.hsps = append(c.hsps, hs.Pattern{Expr: expr, Flags: flags, ID: uint32(len(c.pats))})
		c.pats = append(c.pats, p)
	}
	if c.urlCreds != none || c.url != none {
		add(`://`, 0, pattern{kind: patScheme, n: 3})
	}
	if c.privateKey != none {
		add(`PRIVATE KEY`, 0, pattern{kind: patPrivateKey, n: 11})
	}
	type lit struct {
		s        string
		caseless bool
		kind     patternKind
	}
	at := make(map[lit]int)
	literal := func(s string, caseless bool, kind patternKind, ref uint16) {
		l := lit{s, caseless, kind}
		if i, ok := at[l]; ok {
			c.pats[i].refs = append(c.pats[i].refs, ref)
			return
		}
		at[l] = len(c.pats)
		var f hs.Flag
		if caseless {
			f = hs.Caseless
		}
		add(hs.Literal([]byte(s)), f, pattern{kind: kind, n: uint16(len(s)), refs: []uint16{ref}})
	}
	for _, n := range c.nums {
		for _, a := range n.anchors {
			literal(a, true, patAnchor, 0)
		}
	}
	for i, t := range c.tokens {
		for _, p := range t.prefixes {
			literal(p, t.caseless, patToken, uint16(i))
		}
	}
	for i, m := range c.marks {
		for _, p := range m.phrases {
			ref := uint16(i)<<6 | uint16(m.index(p))
			literal(p.text, true, patMark, ref)
			// Without case is without ASCII case.
			if up := strings.ToUpper(p.text); asciiUpper(p.text) != up {
				literal(up, true, patMark, ref)
			}
		}
	}
	for i, l := range c.lits {
		for _, p := range l.literals {
			literal(p, true, patLiteral, uint16(i))
		}
	}
	if c.jwt != none {
		for _, p := range jwtPrefixes {
			literal(p, false, patJWT, 0)
		}
	}
	if c.assign != none || c.password != none {
		for _, k := range assignKeywords {
			literal(k, true, patAssign, 0)
		}
	}
	for i := range own {
		if own[i].Pattern != "" {
			add(own[i].Pattern, 0, pattern{kind: patCustom, refs: []uint16{uint16(i)}})
		}
		for _, w := range own[i].Words {
			literal(strings.TrimSpace(w), true, patCustom, uint16(i))
		}
	}
	if len(c.pats) == 0 {
		// A database needs a pattern, if only one that nothing matches.
		add(`\x00\xff\x00\xfe\x00\xfd\x00\xfc`, 0, pattern{kind: patNone})
	}
}

// asciiUpper gives s with its ASCII letters in upper case.
func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 0x20
		}
		return r
	}, s)
}
