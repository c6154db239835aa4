package engine

import (
	"bytes"
	"fmt"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// magicGroup are the fast patterns in descriptions of files, with what is done to
// these first.
type magicGroup struct {
	transforms []rule.Transform
	g          *group
}

// magicBuilder collects the patterns of a magicGroup.
type magicBuilder struct {
	key        string
	transforms []rule.Transform
	b          groupBuilder
}

// magicGroup gives the builder for a list on a description.
func (b *builder) magicGroup(l *clist) *magicBuilder {
	var k strings.Builder
	for _, t := range l.transforms {
		fmt.Fprintf(&k, "|%s %q", t.Name, t.Arg)
	}
	for i := range b.magic {
		if b.magic[i].key == k.String() {
			return &b.magic[i]
		}
	}
	b.magic = append(b.magic, magicBuilder{key: k.String(), transforms: l.transforms})
	return &b.magic[len(b.magic)-1]
}

// DescribesFiles reports whether any rule looks at what files are by their content,
// so that objects' sinks must be FileFacts.
func (e *Engine) DescribesFiles() bool { return e.describes }

// magicOf gives an object's description; known is false while there is none yet.
func magicOf(o *protocol.Object) (text string, known bool) {
	if o.Magic != "" {
		return o.Magic, true
	}
	facts, ok := o.Sink.(FileFacts)
	if !ok || !facts.MagicReady() {
		return "", false
	}
	return facts.Magic(), true
}

// tellMagic reports, once an object, that its description can be had now.
func (m *Matcher) tellMagic(o *protocol.Object, app protocol.ID) bool {
	if o.Described || !feeds(protocol.BufFileMagic, o, app) {
		return false
	}
	facts, ok := o.Sink.(FileFacts)
	o.Described = ok && facts.MagicReady()
	return o.Described
}

// nominateMagic collects what an object's description nominates. It has the object
// described only where a rule can be of its protocol and direction.
func (m *Matcher) nominateMagic(o *protocol.Object, app protocol.ID) {
	for i := range m.e.magic {
		mg := &m.e.magic[i]
		if !m.magicConcerns(mg.g, o, app) {
			continue
		}
		text, _ := magicOf(o)
		if text == "" {
			return
		}
		b := m.inBuffer(text)
		if len(mg.transforms) > 0 {
			b = m.transform(mg.transforms, b)
		}
		hits, err := m.sc.Scan(mg.g.db, b)
		if err != nil {
			m.Counters.ScanFailures++
		}
		for _, h := range hits {
			for _, c := range mg.g.nominated(h.ID) {
				if c.fits(h.To, len(b)) {
					m.nominateCand(o, app, c)
				}
			}
		}
	}
}

// magicConcerns reports whether a rule of a group can be of an object of a flow with
// the addresses and ports at hand. Describing a file costs more than many headers.
func (m *Matcher) magicConcerns(g *group, o *protocol.Object, app protocol.ID) bool {
	for _, c := range g.cands {
		if m.e.concerns(c, app, o.Dir) && m.admits(&m.e.rules[c.rule], app) && m.header(&m.e.rules[c.rule]) {
			return true
		}
	}
	return false
}

// inBuffer copies a text into scratch space, for tests and transformations.
func (m *Matcher) inBuffer(s string) []byte {
	m.xturn ^= 1
	m.xbuf[m.xturn] = append(m.xbuf[m.xturn][:0], s...)
	return m.xbuf[m.xturn]
}

// magicHas tests filemagic: letters are folded, and a zero byte ends the
// description, so that a pattern can be tied to its end.
func magicHas(text string, pattern []byte) bool {
	if p, ok := bytes.CutSuffix(pattern, []byte{0}); ok {
		return len(text) >= len(p) && containsFold(text[len(text)-len(p):], p)
	}
	return containsFold(text, pattern)
}
