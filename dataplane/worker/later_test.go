package worker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/classifiers/document"
	"sluice/dataplane/capture"
	"sluice/dataplane/worker"
	"sluice/events"
)

// TestReadLater replays a connection with documents and texts twice: waiting for
// each document, and going on where the policy could do nothing with the flow.
func TestReadLater(t *testing.T) {
	const telling = `name: t
rules:
  - name: trial
    when: {direction: egress, detectors: [pay.card]}
    action: block
    shadow: true
  - name: cards
    when: {direction: egress, detectors: [pay.card]}
    action: alert
`
	const blocking = `name: t
rules:
  - name: cards
    when: {direction: egress, detectors: [pay.card]}
    action: block
`
	replay := func(t *testing.T, pol string, later bool) (out []string, early int) {
		r := newRig(t, pol, working(), func(c *worker.Config, _ *document.Config) { c.Live, c.Ifaces = false, nil })
		var frames []capture.Frame
		add := func(from int, payload string, l *layers.TCP) {
			f := r.frame(from, r.seq[from], []byte(payload), l)
			f.Time = int64(r.num) * 1e6
			f.Port = 0
			frames = append(frames, f)
			r.seq[from] += uint32(len(payload))
			if l.SYN {
				r.seq[from]++
			}
		}
		add(0, "", &layers.TCP{SYN: true})
		add(1, "", &layers.TCP{SYN: true, ACK: true})
		for i := range 6 {
			body := docx(t, cards)
			if i%3 == 1 {
				body = docx(t, "nothing of note")
			} else if i%3 == 2 {
				body = strings.Repeat("An ordinary line.\n", 40) + cards + "\n"
			}
			for _, piece := range put(body) {
				add(0, piece, &layers.TCP{ACK: true})
			}
			add(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &layers.TCP{ACK: true})
		}
		add(0, "", &layers.TCP{ACK: true, FIN: true})
		add(1, "", &layers.TCP{ACK: true, FIN: true})
		if later {
			r.w.ReadLater()
		}
		note := func(evs []*events.Event) {
			for _, e := range evs {
				b := fmt.Sprintf("%s of %d", e.Type, e.PcapCnt)
				if d := e.DLP; d != nil {
					b = fmt.Sprintf("%s: %s %s %d of %s, %d released, shadow %v, enforced %v", b, d.Action, d.PolicyRule, d.Findings[0].Count, d.Object.Type, d.BytesReleased, d.Shadow, d.Enforced)
				}
				out = append(out, b)
			}
		}
		var waiting []worker.Output
		for i := range frames {
			frames[i].Data = bytes.Clone(frames[i].Data)
			r.w.Process(&capture.Batch{Frames: frames[i : i+1]}, []bool{false})
			o := r.w.Output()
			clear(frames[i].Data)
			waiting = append(waiting, o)
		}
		for i := range waiting {
			evs, ok := r.w.Finish(&waiting[i], false)
			if !ok {
				early++
				if evs, ok = r.w.Finish(&waiting[i], true); !ok {
					t.Fatal("a batch is not finished after waiting for it")
				}
			}
			note(evs)
		}
		r.w.Flush()
		note(r.w.Events())
		return out, early
	}
	f := func(name, pol string, dlp int, goesOn bool) {
		t.Run(name, func(t *testing.T) {
			want, n := replay(t, pol, false)
			if n != 0 {
				t.Errorf("%d batches wait for documents though nobody said so", n)
			}
			got, n := replay(t, pol, true)
			if n > 0 != goesOn {
				t.Errorf("%d batches waited for documents", n)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("events when going on:\n%q\nwhen waiting:\n%q", got, want)
			}
			told := 0
			for _, s := range got {
				if strings.HasPrefix(s, "dlp") {
					told++
				}
			}
			if told != dlp {
				t.Errorf("%d dlp events, want %d: %q", told, dlp, got)
			}
		})
	}
	f("nothing is withheld", telling, 8, true)
	f("blocked", blocking, 1, false)
}
