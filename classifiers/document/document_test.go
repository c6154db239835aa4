package document

import (
	"bytes"
	"io"
	"testing"

	"pgregory.net/rapid"

	"sluice/classifiers"
	"sluice/classifiers/extract"
)

// TestSpool holds that what was written in pieces reads as it was, whatever the
// pieces, and that all memory comes back.
func TestSpool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMemory(1 << 20)
		s := m.NewSpool(300 << 10)
		var want []byte
		for range rapid.IntRange(0, 20).Draw(t, "pieces") {
			piece := bytes.Repeat([]byte{byte(len(want)), byte(len(want) >> 8), 7}, rapid.IntRange(0, 9000).Draw(t, "length"))
			reason := s.Write(piece)
			if fits := len(want)+len(piece) <= 300<<10; fits != (reason == "") || !fits && reason != TooLarge {
				t.Fatalf("%d bytes more: %q", len(piece), reason)
			}
			if reason == "" {
				want = append(want, piece...)
			}
		}
		got, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
		if err != nil || !bytes.Equal(got, want) || s.Size() != int64(len(want)) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
		}
		if off := rapid.IntRange(0, len(want)).Draw(t, "offset"); off < len(want) {
			var one [1]byte
			if n, err := s.ReadAt(one[:], int64(off)); n != 1 || err != nil || one[0] != want[off] {
				t.Fatalf("byte %d: %d %v", off, n, err)
			}
		}
		if used := m.Used(); used < int64(len(want)) || used > int64(len(want))+chunkLen {
			t.Fatalf("%d bytes take %d", len(want), used)
		}
		s.Free()
		s.Free()
		if m.Used() != 0 {
			t.Fatalf("%d bytes stay", m.Used())
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory(3 * chunkLen)
	a, b := m.NewSpool(1<<20), m.NewSpool(1<<20)
	piece := make([]byte, chunkLen)
	for i, s := range []*Spool{a, a, b, b} {
		want := ""
		if i == 3 {
			want = Overload
		}
		if got := s.Write(piece); got != want {
			t.Errorf("chunk %d: %q", i, got)
		}
	}
	if m.Reserve(1) {
		t.Error("a frame found room")
	}
	a.Free()
	if !m.Reserve(chunkLen) || m.Peak() != 3*chunkLen {
		t.Errorf("peak %d", m.Peak())
	}
}

func TestWith(t *testing.T) {
	count := func(d string, n uint32, c classifiers.Confidence) classifiers.Count {
		return classifiers.Count{Detector: d, Total: [3]uint32{n, n, n}, Unique: [3]uint32{n, n, n}, Confidence: c}
	}
	doc := Result{Result: classifiers.Result{Counts: []classifiers.Count{count("b", 3, classifiers.High)}}}
	out := doc.With(classifiers.Result{Counts: []classifiers.Count{count("a", 1, classifiers.Low), count("b", 5, classifiers.Medium)}})
	if len(out.Counts) != 2 || out.Counts[0].Detector != "a" || out.Counts[1].Unique[1] != 5 || out.Counts[1].Confidence != classifiers.High {
		t.Errorf("%+v", out.Counts)
	}
	if doc.Counts[0].Unique[1] != 3 {
		t.Error("the document's own counts changed")
	}
}

func TestWorst(t *testing.T) {
	if worst(nil) != nil {
		t.Error("something is wrong with nothing")
	}
	u := worst([]extract.Unscannable{{Path: "a", Reason: extract.Damaged}, {Path: "b", Reason: "new"}, {Path: "c", Reason: extract.Encrypted}, {Path: "d", Reason: extract.Encrypted}})
	if u == nil || u.Path != "c" {
		t.Errorf("%+v", u)
	}
}

// TestAlternatingTexts has the pieces of two texts come in turns: each is
// scanned in one.
func TestAlternatingTexts(t *testing.T) {
	g := gatherer{m: merger{seen: map[uniqueKey]struct{}{}}}
	var texts []string
	g.judge = func(p extract.Part, text []byte) { texts = append(texts, p.Path+":"+string(text)) }
	for _, p := range []extract.Part{
		{Path: "a", Seq: 1, More: true, Text: []byte("4539 5787 ")}, {Path: "b", Seq: 2, More: true, Text: []byte("x")},
		{Path: "c", Seq: 3, Text: []byte("whole")}, {Path: "a", Seq: 1, Text: []byte("6362 1486")}, {Path: "b", Seq: 2, More: true, Text: []byte("y")},
	} {
		if err := g.part(p); err != nil {
			t.Fatal(err)
		}
	}
	g.flush()
	if len(texts) != 3 || texts[0] != "c:whole" || texts[1] != "a:4539 5787 6362 1486" || texts[2] != "b:xy" {
		t.Errorf("%q", texts)
	}
}
