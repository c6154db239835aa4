package classifiers

import "testing"

// TestEngineering holds that a type that is a finding by itself is one, whatever
// the object has been read as.
func TestEngineering(t *testing.T) {
	s := newScanner(t)
	for mime, e := range engineeringTypes {
		r := s.Engineering(mime, Low)
		if len(r.Counts) != 1 || r.Counts[0].Detector != e.id || r.Counts[0].Confidence != e.conf {
			t.Errorf("%s: %+v", mime, r.Counts)
		}
		if e.conf < High && len(s.Engineering(mime, High).Counts) > 0 {
			t.Errorf("%s is found beyond its confidence", mime)
		}
	}
	if r := s.Engineering("text/plain", Low); len(r.Counts) > 0 {
		t.Errorf("plain text: %+v", r.Counts)
	}
}
