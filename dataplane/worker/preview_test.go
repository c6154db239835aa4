package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
)

// filler is text that follows or precedes a list, more than a judge looks ahead.
var filler = strings.Repeat("nothing to see in here, go on reading. ", 200)

// TestSecretWithoutSequel has secrets in the newest frame of a connection whose
// bytes no protocol claims: it stays here, although what is found is decided
// upon with the bytes that follow in view.
func TestSecretWithoutSequel(t *testing.T) {
	list := cards + " end\n"
	for name, before := range map[string]string{"small": "", "large": filler} {
		for _, end := range []string{"silence", "fin", "more"} {
			t.Run(name+" "+end, func(t *testing.T) {
				r := newRig(t, "", working(), nil)
				r.port = 7777
				r.open()
				r.sent(1)
				if before != "" && !r.data(0, before) {
					t.Fatal("clean bytes were withheld")
				}
				first := r.seq[0]
				if !r.data(0, list[:20]) {
					t.Fatal("a heading was withheld")
				}
				cut := r.seq[0]
				if r.data(0, list[20:]) {
					t.Fatal("the list went on")
				}
				// It comes again, as TCP's probe for a lost tail would have it.
				if again := r.frame(0, cut, []byte(list[20:]), &layers.TCP{ACK: true, PSH: true}); r.send(again) {
					t.Error("what is withheld went on when it came again")
				}
				switch end {
				case "fin":
					if r.send(r.frame(0, r.seq[0], nil, &layers.TCP{ACK: true, FIN: true})) {
						t.Error("the FIN went on")
					}
				case "more":
					if r.data(0, filler) {
						t.Error("what follows went on")
					}
				}
				r.wait("the verdict", func() bool { return len(r.dlp()) == 1 })
				d := r.dlp()[0]
				if want := uint64(len(before) + 20); d.PolicyRule != "block-cards" || !d.Enforced || d.BytesReleased != want || d.Channel != "raw-tcp" {
					t.Errorf("%+v, not %d bytes released", d, want)
				}
				got := r.joined(1)
				if want := before + list[:20] + "RST " + itoa(cut); got != want {
					t.Errorf("the server got %q after %d", got[max(0, len(got)-60):], first)
				}
				r.wait("the end of the hold", func() bool { return !r.w.Urgent() })
				if got := r.sent(1); len(got) != 0 {
					t.Errorf("later the server got %q", got)
				}
			})
		}
	}
}

// TestDeclaredEndThatDoesNotCome has a form that promises more than it sends.
func TestDeclaredEndThatDoesNotCome(t *testing.T) {
	r := newRig(t, "", working(), nil)
	r.open()
	r.data(0, "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n")
	r.sent(1)
	if r.data(0, cards+" end\n") {
		t.Error("the list went on")
	}
	r.wait("the verdict", func() bool { return len(r.dlp()) == 1 })
	if got := r.joined(0); !strings.HasPrefix(got, "HTTP/1.1 403") {
		t.Errorf("the client got %q", got)
	}
	if got := r.joined(1); !strings.HasPrefix(got, "RST ") {
		t.Errorf("the server got %q", got)
	}
	if d := r.dlp()[0]; d.BytesReleased != 0 || d.Channel != "http-request" {
		t.Errorf("%+v", d)
	}
}

// TestGuessedWrong has a frame withheld for what turns out to be nothing: it goes
// on in order, nothing is told, and the time it waited is bounded.
func TestGuessedWrong(t *testing.T) {
	for _, end := range []string{"silence", "more"} {
		t.Run(end, func(t *testing.T) {
			r := newRig(t, onlyLast, working(), nil)
			r.port = 7777
			r.open()
			r.sent(1)
			text := filler + "account 4539578763621486"
			if r.data(0, text) {
				t.Fatal("what would be a card if it ended here went on")
			}
			begin := time.Now()
			switch end {
			case "silence":
				r.wait("the frame", func() bool { return len(r.out[1]) > 0 })
				if d := time.Since(begin); d > 5*time.Second {
					t.Errorf("it waited %v", d)
				}
			case "more":
				if r.data(0, "7777777777 is no card. "+filler) {
					t.Error("what follows overtakes what is withheld")
				}
			}
			got := r.joined(1)
			if !strings.HasPrefix(got, text) {
				t.Errorf("%d bytes went on", len(got))
			}
			if len(r.dlp()) != 0 {
				t.Errorf("%+v", r.dlp()[0])
			}
			if c := r.w.Counters(); c.HeldFrames != 1 || c.HeldReleased < 1 || c.BlockedFlows != 0 || c.DroppedFrames != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// onlyLast blocks one card.
const onlyLast = `
rules:
  - name: cards
    when: {direction: egress, detectors: [pay.card]}
    action: block
`

// TestClockSetBack sets the clock back while a frame waits: it waits no longer
// for that, and neither do flows.
func TestClockSetBack(t *testing.T) {
	r := newRig(t, "", working(), nil)
	r.port = 7777
	r.open()
	if r.data(0, cards+" end\n") {
		t.Fatal("the list went on")
	}
	const back = -int64(time.Hour)
	r.w.Step(back)
	now := time.Now().UnixNano() + back
	if r.w.Tick(now); len(r.w.Events()) != 0 {
		t.Error("it was settled at once")
	}
	r.w.Tick(now + int64(time.Second))
	if r.take(); len(r.dlp()) != 1 {
		t.Errorf("%d events of lost data a second later", len(r.dlp()))
	}
	for i := range int64(4000) {
		r.w.Tick(now + i*int64(time.Second))
	}
	if n := r.w.Counters().Flow.Active; n != 0 {
		t.Errorf("%d flows are left an hour later", n)
	}
}
