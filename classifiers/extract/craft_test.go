package extract

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
)

// The fixtures are crafted here; nothing is read from files.

type entry struct{ name, data string }

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for _, e := range entries {
		f, err := w.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func deflated(s string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return out.String()
}

// pdfOf builds a document of the given objects, numbered from 1; the first is
// the catalog.
func pdfOf(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	fmt.Fprintf(&b, "trailer\n<</Root 1 0 R /Size %d>>\n%%%%EOF\n", len(objects)+1)
	return b.Bytes()
}

func pdfStreamOf(dict, data string) string {
	return fmt.Sprintf("<<%s /Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

// cfbOf builds a compound file of streams, each in sectors of its own.
func cfbOf(streams ...entry) []byte {
	le := binary.LittleEndian
	var data []byte
	var fat []uint32
	add := func(b []byte) uint32 {
		start := uint32(len(fat))
		for n := 0; n == 0 || n < len(b); n += 512 {
			sector := make([]byte, 512)
			copy(sector, b[min(n, len(b)):])
			data = append(data, sector...)
			fat = append(fat, uint32(len(fat)+1))
		}
		fat[len(fat)-1] = cfbEnd
		return start
	}
	dir := make([]byte, 0, 512)
	put := func(name string, kind byte, start uint32, size int, left, right, child uint32) {
		e := make([]byte, 128)
		n := 0
		for _, r := range name {
			le.PutUint16(e[n:], uint16(r))
			n += 2
		}
		le.PutUint16(e[64:], uint16(n+2))
		e[66] = kind
		le.PutUint32(e[68:], left)
		le.PutUint32(e[72:], right)
		le.PutUint32(e[76:], child)
		le.PutUint32(e[116:], start)
		le.PutUint32(e[120:], uint32(size))
		dir = append(dir, e...)
	}
	put("Root Entry", 5, cfbEnd, 0, cfbFree, cfbFree, 1)
	for i, s := range streams {
		b := []byte(s.data)
		if len(b) < 4096 {
			b = append(b, make([]byte, 4096-len(b))...)
		}
		right := uint32(i + 2)
		if i == len(streams)-1 {
			right = cfbFree
		}
		put(s.name, 2, add(b), len(b), cfbFree, right, cfbFree)
	}
	dirStart := add(dir)
	fatStart := uint32(len(fat))
	fat = append(fat, 0xfffffffd)
	for len(fat)%128 != 0 {
		fat = append(fat, cfbFree)
	}
	fatSector := make([]byte, 0, 512)
	for _, v := range fat[:128] {
		fatSector = le.AppendUint32(fatSector, v)
	}
	data = append(data, fatSector...)
	h := make([]byte, 512)
	copy(h, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	le.PutUint16(h[26:], 3)
	le.PutUint16(h[28:], 0xfffe)
	le.PutUint16(h[30:], 9)
	le.PutUint16(h[32:], 6)
	le.PutUint32(h[44:], 1)
	le.PutUint32(h[48:], dirStart)
	le.PutUint32(h[56:], 4096)
	le.PutUint32(h[60:], cfbEnd)
	le.PutUint32(h[68:], cfbEnd)
	for i := range 109 {
		le.PutUint32(h[76+4*i:], cfbFree)
	}
	le.PutUint32(h[76:], fatStart)
	return append(h, data...)
}

// got is what an extraction gave, by kind.
type got struct {
	kinds map[Kind]string
	paths string
	res   Result
}

func (g got) reasons() string {
	var s []string
	for _, u := range g.res.Unscannable {
		s = append(s, string(u.Reason))
	}
	return strings.Join(s, ",")
}

func read(t testing.TB, b []byte, name string, l Limits) got {
	t.Helper()
	g := got{kinds: map[Kind]string{}}
	var err error
	g.res, err = Bytes(context.Background(), b, name, l, func(p Part) error {
		g.kinds[p.Kind] += string(p.Text)
		g.paths += p.Path + "\n"
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g
}
