package worker_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"

	"sluice/classifiers/document"
	"sluice/dataplane/capture"
	"sluice/dataplane/worker"
)

// upload sends a document up to the frame that completes it, which must stay.
func (r *rig) upload(doc string) [3]string {
	r.Helper()
	p := put(doc)
	if !r.data(0, p[0]) || !r.data(0, p[1]) {
		r.Fatal("the beginning of the document was withheld")
	}
	r.sent(0)
	r.sent(1)
	if r.data(0, p[2]) {
		r.Fatal("the end of the document went on before its verdict")
	}
	return p
}

func TestCleanDocumentGoesOn(t *testing.T) {
	r := newRig(t, "", working(), nil)
	r.open()
	p := r.upload(docx(t, "nothing of interest"))
	// It comes again meanwhile, whole and in part.
	at := r.seq[0]
	for _, n := range []int{0, 40} {
		if r.send(r.frame(0, at-uint32(len(p[2]))+uint32(n), []byte(p[2][n:]), &layers.TCP{ACK: true, PSH: true})) {
			t.Error("what is withheld went on when it came again")
		}
	}
	// Acknowledgements and the other direction pass; the next request waits.
	if !r.send(r.frame(0, at, nil, &layers.TCP{ACK: true})) || !r.data(1, "HTTP/1.1 100 Continue\r\n\r\n") {
		t.Error("an acknowledgement or the other direction was withheld")
	}
	next := "GET /next HTTP/1.1\r\nHost: files.example.test\r\n\r\n"
	if r.data(0, next) {
		t.Error("the next request overtook the document")
	}
	if got := r.joined(1); got != "" {
		t.Errorf("%q left", got)
	}
	var got []string
	r.wait("the document", func() bool { got = append(got, r.sent(1)...); return len(got) >= 2 })
	if want := []string{p[2], next}; !slices.Equal(got, want) {
		t.Errorf("what left is %q, not %q", got, want)
	}
	c := r.w.Counters()
	if c.Documents != 1 || c.HeldFrames != 1 || c.HeldAbsorbed != 2 || c.HeldReleased != 2 || c.BlockedFlows != 0 || c.DroppedFrames != 0 {
		t.Errorf("%+v", c)
	}
	if len(r.dlp()) != 0 {
		t.Errorf("%+v", r.dlp())
	}
	if !r.data(0, next) || r.joined(1) != next {
		t.Error("the connection does not go on")
	}
}

func TestCardsInDocument(t *testing.T) {
	r := newRig(t, "", working(), nil)
	r.open()
	doc := docx(t, cards)
	p := r.upload(doc)
	first := r.seq[0] - uint32(len(p[2]))
	r.wait("the verdict", func() bool { return len(r.dlp()) > 0 })
	if got := r.joined(0); !strings.HasPrefix(got, "HTTP/1.1 403") || !strings.HasSuffix(got, " FIN") {
		t.Errorf("the client got %q", got)
	}
	if got := r.sent(1); len(got) != 1 || got[0] != "RST "+itoa(first) {
		t.Errorf("the server got %q, not a reset at %d", got, first)
	}
	d := r.dlp()[0]
	if d.PolicyRule != "block-cards" || d.Action != "block" || !d.Enforced || d.Object.Size != uint64(len(doc)) || d.BytesReleased != uint64(len(doc)-len(p[2])) || d.Object.SHA256 != "" && len(d.Object.SHA256) != 64 {
		t.Errorf("%+v", d)
	}
	// What comes again is not let through, and the client is told so.
	if r.send(r.frame(0, first, []byte(p[2]), &layers.TCP{ACK: true, PSH: true})) {
		t.Error("the end of the document went on after the verdict")
	}
	if c := r.w.Counters(); c.BlockedFlows != 1 || c.Blocked < 1 || c.Findings != 1 {
		t.Errorf("%+v", c)
	}
	drops := 0
	for _, e := range r.events {
		if e.Drop != nil && e.Drop.Reason == "policy" {
			drops++
		}
	}
	if drops != 1 {
		t.Errorf("%d drop events", drops)
	}
}

func itoa(n uint32) string {
	var b [10]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}

// TestOutOfOrder has the segment that fills the hole withheld.
func TestOutOfOrder(t *testing.T) {
	for name, text := range map[string]string{"clean": "nothing", "cards": cards} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "", working(), nil)
			r.open()
			p := put(docx(t, text))
			r.data(0, p[0])
			middle := r.frame(0, r.seq[0], []byte(p[1]), &layers.TCP{ACK: true, PSH: true})
			r.seq[0] += uint32(len(p[1]))
			if !r.data(0, p[2]) {
				t.Error("a segment out of order was withheld")
			}
			r.sent(1)
			if r.send(middle) {
				t.Error("the segment that completes the document went on")
			}
			r.wait("the verdict", func() bool { return len(r.out[1]) > 0 })
			got := r.sent(1)
			if name == "clean" && !slices.Equal(got, []string{p[1]}) || name == "cards" && (len(got) != 1 || !strings.HasPrefix(got[0], "RST ")) {
				t.Errorf("%q", got)
			}
		})
	}
}

const timely = `name: t
rules:
  - name: late
    when: {direction: egress, unscannable: [timeout, overload]}
    action: block
  - name: cards
    when: {direction: egress, detectors: [pay.card]}
    action: block
`

// TestLateVerdict has a document that nobody reads in time, under a policy that
// minds, one that does not, and the exception policies.
func TestLateVerdict(t *testing.T) {
	f := func(name, pol string, x worker.Exception, want func(r *rig, p [3]string)) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pol, hung(), func(c *worker.Config, _ *document.Config) {
				c.HeldTime, c.Exceptions.Document = 60*time.Millisecond, x
			})
			r.open()
			begin := time.Now()
			p := r.upload(docx(t, "nothing"))
			want(r, p)
			if d := time.Since(begin); d < 50*time.Millisecond || d > 2*time.Second {
				t.Errorf("it took %v", d)
			}
			if n := r.w.Counters().DocumentsTimeout; n != 1 {
				t.Errorf("%d timeouts", n)
			}
		})
	}
	f("policy", timely, worker.Ignore, func(r *rig, _ [3]string) {
		r.wait("the verdict", func() bool { return len(r.dlp()) == 1 })
		if d := r.dlp()[0]; d.PolicyRule != "late" || d.Reason != "unscannable: timeout" || !d.Enforced {
			r.Errorf("%+v", d)
		}
		if got := r.sent(1); len(got) != 1 || !strings.HasPrefix(got[0], "RST ") {
			r.Errorf("%q", got)
		}
	})
	f("ignore", "", worker.Ignore, func(r *rig, p [3]string) {
		r.wait("the document", func() bool { return len(r.out[1]) > 0 })
		if got := r.joined(1); got != p[2] {
			r.Errorf("%q", got)
		}
	})
	f("drop-flow", "", worker.DropFlow, func(r *rig, p [3]string) {
		r.wait("the verdict", func() bool { return r.w.Counters().BlockedFlows == 1 })
		if got := append(r.sent(0), r.sent(1)...); len(got) != 0 {
			r.Errorf("%q", got)
		}
		if r.send(r.frame(0, r.seq[0]-uint32(len(p[2])), []byte(p[2]), &layers.TCP{ACK: true})) {
			r.Error("the document went on")
		}
	})
	f("reject", "", worker.Reject, func(r *rig, _ [3]string) {
		r.wait("the verdict", func() bool { return r.w.Counters().BlockedFlows == 1 })
		if a, b := r.sent(0), r.sent(1); len(a) != 1 || len(b) != 1 || !strings.HasPrefix(a[0]+b[0], "RST ") {
			r.Errorf("%q %q", a, b)
		}
	})
}

// TestOverload has more documents than can wait.
func TestOverload(t *testing.T) {
	r := newRig(t, timely, hung(), func(c *worker.Config, d *document.Config) {
		c.HeldTime = 300 * time.Millisecond
		d.Queue, d.Workers = 1, 1
	})
	refused := 0
	for i := range 4 {
		r.port = uint16(80 + i)
		r.open()
		p := put(docx(t, "nothing"))
		for _, piece := range p {
			if i < 1 || piece != p[2] {
				r.data(0, piece)
				continue
			}
			if r.data(0, piece) {
				t.Error("an end went on")
			}
		}
		time.Sleep(20 * time.Millisecond) // the first is taken out of the queue
	}
	for _, d := range r.dlp() {
		if d.Reason == "unscannable: overload" && d.PolicyRule == "late" && d.Enforced {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d of four documents were refused for want of room, not two", refused)
	}
	r.wait("the other verdicts", func() bool { return len(r.dlp()) == 4 })
}

// TestTooLarge has a document beyond the limit, and one that no memory is left
// for.
func TestTooLarge(t *testing.T) {
	f := func(name string, change func(*document.Config), want string) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "name: t\nrules:\n  - name: any\n    when: {direction: egress, unscannable: [any]}\n    action: block\n", working(),
				func(_ *worker.Config, d *document.Config) { change(d) })
			r.open()
			p := put(docx(t, "nothing"))
			r.data(0, p[0])
			r.data(0, p[1])
			if r.data(0, p[2]) {
				t.Error("the end went on")
			}
			if l := r.dlp(); len(l) != 1 || l[0].Reason != "unscannable: "+want || !l[0].Enforced {
				t.Errorf("%+v", l)
			}
		})
	}
	f("document", func(d *document.Config) { d.MaxObject = 500 }, "too-large")
	f("memory", func(d *document.Config) { d.Memory = 1000 }, "overload")
}

// TestHole has a document of which a piece went another way: it cannot be read,
// and its bytes are judged as ever.
func TestHole(t *testing.T) {
	r := newRig(t, "name: t\nrules:\n  - name: holes\n    when: {direction: egress, unscannable: [gap]}\n    action: block\n", working(), nil)
	r.open()
	p := put(docx(t, "nothing"))
	r.data(0, p[0])
	r.seq[0] += uint32(len(p[1]))
	r.send(r.frame(1, r.seq[1], nil, &layers.TCP{ACK: true})) // the server has it
	if r.data(0, p[2]) {
		t.Error("the end went on")
	}
	if l := r.dlp(); len(l) != 1 || l[0].Reason != "unscannable: gap" || !l[0].Enforced {
		t.Errorf("%+v", l)
	}
	if c := r.w.Counters(); c.DocumentsGap != 1 || c.Documents != 0 {
		t.Errorf("%+v", c)
	}
}

// TestFileUntilEnd has files that end with their connections: the newest frame
// stays until the next one comes, and the last until the verdict.
func TestFileUntilEnd(t *testing.T) {
	pieces := func(doc string) []string { return []string{doc[:300], doc[300:500], doc[500:]} }
	for name, text := range map[string]string{"clean": "nothing", "cards": cards} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "", working(), nil)
			r.port = 7777
			r.open()
			doc := "PK\x03\x04" + docx(t, text)[4:]
			// Recognition takes its time: 4 KiB tell that no protocol claims it.
			doc = pad(t, doc, text)
			p := append([]string{doc[:5000]}, pieces(doc[5000:])...)
			var got []string
			r.sent(1)
			for i, piece := range p {
				if r.data(0, piece) {
					t.Errorf("piece %d went on at once", i)
				}
				got = append(got, r.sent(1)...)
				if len(got) != i {
					t.Errorf("behind piece %d, %d frames have left", i, len(got))
				}
			}
			fin := r.frame(0, r.seq[0], nil, &layers.TCP{ACK: true, FIN: true})
			first := r.seq[0] - uint32(len(p[3]))
			if r.send(fin) {
				t.Error("the FIN went on")
			}
			if n := len(r.out[1]); n != 0 {
				t.Errorf("with the FIN, %d frames left", n)
			}
			if name == "clean" {
				r.wait("the end", func() bool { got = append(got, r.sent(1)...); return len(got) == 5 })
				if want := append(p, " FIN"); !slices.Equal(got, want) {
					t.Errorf("%q", got)
				}
				return
			}
			r.wait("the verdict", func() bool { return len(r.dlp()) == 1 })
			if got := r.sent(1); len(got) != 1 || got[0] != "RST "+itoa(first) {
				t.Errorf("the server got %q, not a reset at %d", got, first)
			}
			if d := r.dlp()[0]; d.BytesReleased != uint64(len(doc)-len(p[3])) || !d.Enforced || d.Channel != "raw-tcp" {
				t.Errorf("%+v", d)
			}
		})
	}
}

// pad gives a document of the same text that is longer than what recognition
// looks at.
func pad(t *testing.T, _, text string) string {
	var b strings.Builder
	for i := range 4000 {
		b.WriteByte("abcdefghijklmnopqrstuvwxyz "[(i*i*7+i*13+i>>3)%27])
		b.WriteByte(byte('a' + (i*31+i>>2)%26))
	}
	doc := docx(t, text+" "+b.String())
	for len(doc) < 7000 {
		b.WriteString(b.String()[:1000])
		b.WriteString(itoa(uint32(b.Len() * 2654435761 % 1000003)))
		for i := range 3000 {
			b.WriteByte(byte('a' + (b.Len()*2654435761>>7+i*i)%26))
		}
		doc = docx(t, text+" "+b.String())
	}
	return doc
}

// TestFormBoundary has a document in a form end with a frame: it stays until
// the boundary comes, and then until the verdict.
func TestFormBoundary(t *testing.T) {
	for name, text := range map[string]string{"clean": "nothing", "cards": cards} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "", working(), nil)
			r.open()
			doc := pad(t, "", text)
			const begin, end = "--sep\r\nContent-Disposition: form-data; name=\"f\"; filename=\"plan.docx\"\r\n\r\n", "\r\n--sep--\r\n"
			if !r.data(0, "POST /up HTTP/1.1\r\nHost: files.example.test\r\nContent-Type: multipart/form-data; boundary=sep\r\nContent-Length: "+
				itoa(uint32(len(begin)+len(doc)+len(end)))+"\r\n\r\n"+begin) {
				t.Error("the head was withheld")
			}
			// In the middle of its data a sender sets no PSH.
			f := r.frame(0, r.seq[0], []byte(doc[:3000]), &layers.TCP{ACK: true})
			r.seq[0] += 3000
			if !r.send(f) {
				t.Error("the middle was withheld")
			}
			first := r.seq[0]
			r.sent(1)
			if r.data(0, doc[3000:]) || r.data(0, end) || len(r.out[1]) > 0 {
				t.Error("the end went on")
			}
			if name == "clean" {
				var got []string
				r.wait("the end", func() bool { got = append(got, r.sent(1)...); return len(got) == 2 })
				if !slices.Equal(got, []string{doc[3000:], end}) {
					t.Errorf("%q", got)
				}
				return
			}
			r.wait("the verdict", func() bool { return len(r.dlp()) == 1 })
			if got := r.sent(1); len(got) != 1 || got[0] != "RST "+itoa(first) {
				t.Errorf("the server got %q, not a reset at %d", got, first)
			}
			// The parser keeps back what may be the beginning of a boundary, so what is
			// said to have left is right within its length.
			if d := r.dlp()[0]; d.BytesReleased > 3000 || d.BytesReleased < 2900 || !d.Enforced || d.Object.Name != "plan.docx" {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestPause has a sender that waits in the middle of a file: its newest frame is
// not kept for long.
func TestPause(t *testing.T) {
	r := newRig(t, "", working(), nil)
	r.port = 7777
	r.open()
	doc := pad(t, "", "nothing")
	r.sent(1)
	begin := time.Now()
	if r.data(0, doc[:5500]) || !r.w.Urgent() {
		t.Error("the newest frame went on at once")
	}
	r.wait("the frame", func() bool { return len(r.out[1]) == 1 })
	if d := time.Since(begin); d < 9*time.Millisecond {
		t.Errorf("it left after %v", d)
	}
	if got := r.joined(1); got != doc[:5500] || r.w.Urgent() {
		t.Errorf("%q", got)
	}
}

// TestSameBatch has frames of one batch leave in order when those before them
// were withheld.
func TestSameBatch(t *testing.T) {
	r := newRig(t, "", working(), func(_ *worker.Config, d *document.Config) { d.MaxObject = 6000 })
	r.port = 7777
	r.open()
	doc := pad(t, "", "nothing")
	r.sent(1)
	r.data(0, doc[:5000])
	var b capture.Batch
	want := []string{doc[:5000]}
	for i := range 4 { // the third makes it too large: from then on nothing is withheld
		piece := doc[5000+400*i : 5400+400*i]
		want = append(want, piece)
		f := r.frame(0, r.seq[0], []byte(piece), &layers.TCP{ACK: true, PSH: true})
		f.Data = bytes.Clone(f.Data)
		r.seq[0] += 400
		b.Frames = append(b.Frames, f)
	}
	forward := make([]bool, 4)
	r.w.Process(&b, forward)
	for i, ok := range forward {
		if ok {
			r.out[1] = append(r.out[1], b.Frames[i].Data)
		}
	}
	r.take()
	if got := r.sent(1); !slices.Equal(got, want) {
		t.Errorf("%q, forwarded at once: %v", got, forward)
	}
}

// TestEndWithDocuments has the worker end, its policy replaced and the flow
// reset while documents are being read: nothing is lost or left.
func TestEndWithDocuments(t *testing.T) {
	t.Run("flush", func(t *testing.T) {
		r := newRig(t, "", working(), nil)
		r.open()
		r.upload(docx(t, cards))
		r.w.Flush()
		r.take()
		if l := r.dlp(); len(l) != 1 || l[0].PolicyRule != "block-cards" || l[0].Enforced {
			t.Errorf("%+v", l)
		}
	})
	t.Run("flush of a hung one", func(t *testing.T) {
		r := newRig(t, timely, hung(), func(c *worker.Config, _ *document.Config) { c.HeldTime = 50 * time.Millisecond })
		r.open()
		r.upload(docx(t, cards))
		r.w.Flush()
		r.take()
		if l := r.dlp(); len(l) != 1 || l[0].PolicyRule != "late" {
			t.Errorf("%+v", l)
		}
	})
	t.Run("swap", func(t *testing.T) {
		r := newRig(t, "", working(), nil)
		r.open()
		r.upload(docx(t, cards))
		set, _ := parts()
		if err := r.w.Swap(set, nil); err != nil {
			t.Fatal(err)
		}
		r.wait("the verdict by the policy of then", func() bool { return len(r.dlp()) == 1 })
		if !r.dlp()[0].Enforced || r.w.Retiring() {
			t.Errorf("%+v", r.dlp()[0])
		}
	})
	t.Run("reset", func(t *testing.T) {
		r := newRig(t, "", working(), nil)
		r.open()
		r.upload(docx(t, cards))
		if !r.send(r.frame(0, r.seq[0], nil, &layers.TCP{RST: true, ACK: true})) {
			t.Error("the reset was withheld")
		}
		r.sent(1)
		r.wait("the event", func() bool { return len(r.dlp()) == 1 })
		for _, s := range r.sent(1) {
			if !strings.HasPrefix(s, "RST ") {
				t.Errorf("%q left after the reset", s)
			}
		}
	})
	t.Run("tap", func(t *testing.T) {
		// Beside the wire nothing is withheld; both ends are told when it is known.
		r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) {
			c.Inline, c.Stream.Inline, c.Ifaces = false, false, []string{"tap0"}
		})
		r.tap = true
		r.open()
		for _, piece := range put(docx(t, cards)) {
			r.data(0, piece)
			r.send(r.frame(1, r.seq[1], nil, &layers.TCP{ACK: true}))
		}
		r.out = [2][][]byte{}
		r.wait("the event", func() bool { return len(r.dlp()) == 1 })
		got := r.sent(0)
		slices.Sort(got)
		want := []string{"RST " + itoa(r.seq[0]), "RST " + itoa(r.seq[1])}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
		if d := r.dlp()[0]; d.BytesReleased != d.Object.Size {
			t.Errorf("%+v", d)
		}
	})
	t.Run("monitor", func(t *testing.T) {
		r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) { c.Monitor = true })
		r.open()
		for _, piece := range put(docx(t, cards)) {
			if !r.data(0, piece) {
				t.Error("a piece was withheld")
			}
		}
		r.wait("the event", func() bool { return len(r.dlp()) == 1 })
		if d := r.dlp()[0]; d.Enforced || d.BytesReleased != d.Object.Size {
			t.Errorf("%+v", d)
		}
	})
}
