package worker_test

import (
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/classifiers/document"
	"sluice/dataplane/worker"
)

// TestInvalidSegments: inline, a segment that is not part of its connection is
// withheld unless the configuration lets it pass; other bytes than were inspected
// are withheld all the same.
func TestInvalidSegments(t *testing.T) {
	f := func(pass bool) {
		t.Helper()
		r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) { c.PassInvalid = pass })
		r.open()
		seq := r.seq[0]
		if !r.data(0, "GET / HTTP/1.1\r\n") {
			t.Error("the request is withheld")
		}
		far := r.frame(0, seq+1<<30, []byte("far outside of the window"), &layers.TCP{ACK: true})
		if got := r.send(far); got != pass {
			t.Errorf("pass %v: the segment outside of the window passes %v", pass, got)
		}
		other := r.frame(0, seq, []byte("PUT / HTTP/1.1\r\n"), &layers.TCP{ACK: true})
		if r.send(other) {
			t.Errorf("pass %v: other bytes than before pass", pass)
		}
	}
	f(false)
	f(true)
}
