package worker_test

import (
	"strings"
	"testing"

	"sluice/classifiers/document"
	"sluice/dataplane/worker"
)

const keeping = `name: t
rules:
  - name: cards
    when: {direction: egress, detectors: [pay.card]}
    action: block
    keep_evidence: true
`

// TestEvidence has what a policy wants kept handed over whole, documents and
// texts alike, and named in the event.
func TestEvidence(t *testing.T) {
	f := func(name, doc string, max int64, cut int) {
		t.Run(name, func(t *testing.T) {
			var got []worker.Evidence
			r := newRig(t, keeping, working(), func(c *worker.Config, d *document.Config) {
				c.Evidence = func(e worker.Evidence) string { got = append(got, e); return "kept.age" }
				d.MaxObject = max
			})
			r.open()
			p := put(doc)
			for _, piece := range p {
				r.data(0, piece)
			}
			r.wait("the event", func() bool { return len(r.dlp()) == 1 })
			if len(got) != 1 || r.dlp()[0].Evidence != "kept.age" {
				t.Fatalf("%d kept, %+v", len(got), r.dlp()[0])
			}
			e := got[0]
			if want := doc[:cut]; string(e.Data) != want || e.Name != "/plan.docx" || e.FlowID == 0 || e.Time == 0 || e.Truncated != (cut < len(doc)) {
				t.Errorf("%d bytes of %d, %q, truncated: %v", len(e.Data), len(doc), e.Name, e.Truncated)
			}
		})
	}
	doc := docx(t, cards)
	f("document", doc, 1<<20, len(doc))
	text := strings.Repeat("An ordinary line.\n", 100) + cards + "\n"
	f("text", text, 1<<20, len(text))
	// Only what fits is kept; the verdict does not depend on it.
	whole := strings.Repeat("x y z\n", 50) + text
	p := put(whole)
	f("too large a text", whole, 1100, len(whole)-len(p[2]))
}

// TestNoEvidence has a policy that keeps nothing.
func TestNoEvidence(t *testing.T) {
	r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) {
		c.Evidence = func(worker.Evidence) string { t.Error("evidence"); return "" }
	})
	r.open()
	r.upload(docx(t, cards))
	r.wait("the event", func() bool { return len(r.dlp()) == 1 })
}
