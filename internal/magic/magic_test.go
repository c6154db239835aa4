package magic

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(tb testing.TB) *Database {
	tb.Helper()
	db, err := Open("")
	if err != nil {
		tb.Fatalf("%v; %s", err, Remedy)
	}
	return db
}

func reader(tb testing.TB, db *Database) *Reader {
	tb.Helper()
	r, err := db.NewReader()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Close)
	return r
}

// zipped makes an archive of empty files.
func zipped(names ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range names {
		if f, err := w.Create(n); err == nil {
			_, _ = f.Write([]byte("<x/>"))
		}
	}
	_ = w.Close()
	return b.Bytes()
}

// program makes the headers of a Windows program.
func program(subsystem, machine uint16) []byte {
	b := make([]byte, 0x200)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], 0x80)
	copy(b[0x80:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[0x84:], machine)
	binary.LittleEndian.PutUint16(b[0x86:], 1)
	binary.LittleEndian.PutUint16(b[0x94:], 0xe0)
	binary.LittleEndian.PutUint16(b[0x96:], 0x102)
	binary.LittleEndian.PutUint16(b[0x98:], 0x10b)
	binary.LittleEndian.PutUint16(b[0x98+68:], subsystem)
	return b
}

// samples are files by what their descriptions begin with. The words are those of
// the libraries from 5.39 on.
func samples(tb testing.TB) map[string][]byte {
	tb.Helper()
	var gz, tarred bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write([]byte("text"))
	_ = w.Close()
	tw := tar.NewWriter(&tarred)
	_ = tw.WriteHeader(&tar.Header{Name: "a", Mode: 0o600, Size: 1})
	_, _ = tw.Write([]byte("x"))
	_ = tw.Close()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	elf := make([]byte, 2*Depth)
	f, err := os.Open(self)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Read(elf); err != nil {
		tb.Fatal(err)
	}
	return map[string][]byte{
		"PDF document, version 1.4":             []byte("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n"),
		"PNG image data, 16 x 9, 8-bit":         []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x10\x00\x00\x00\x09\x08\x06\x00\x00\x00\x00\x00\x00\x00"),
		"GIF image data, version 89a, 2 x 3":    []byte("GIF89a\x02\x00\x03\x00\x00\x00\x00;"),
		"Zip archive data":                      zipped("a.txt", "b.txt"),
		"Microsoft Word 2007+":                  zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml", "word/styles.xml"),
		"gzip compressed data":                  gz.Bytes(),
		"POSIX tar archive":                     tarred.Bytes(),
		"PE32 executable (GUI) Intel 80386":     program(2, 0x14c),
		"PE32 executable (console) Intel 80386": program(3, 0x14c),
		"ELF 64-bit LSB":                        elf,
		"Composite Document File V2 Document":   append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 1016)...),
		"HTML document, ASCII text":             []byte("<!DOCTYPE html>\n<html><head><title>t</title></head></html>\n"),
		"ASCII text":                            []byte("a plain line\nand another\n"),
		"data":                                  []byte("\x01\x02\x83\x94\xa5\xb6\xc7\xd8 \xe9\xfa\x0b"),
		"JSON":                                  []byte(`{"a": [1, 2, {"b": null}]}`),
	}
}

func TestDescribe(t *testing.T) {
	r := reader(t, open(t))
	for want, data := range samples(t) {
		got, err := r.Describe(data)
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%q, %v: not %q", got, err, want)
		}
		// No more than Depth bytes matter.
		if again, _ := r.Describe(append(data[:len(data):len(data)], make([]byte, Depth)...)[:max(len(data), Depth)]); len(data) >= Depth && string(again) != string(got) {
			t.Errorf("%q for a longer file, not %q", again, got)
		}
	}
}

// hostile are bytes that are made to cost much or to lead a reader astray.
func hostile() map[string][]byte {
	far := program(2, 0x14c)
	binary.LittleEndian.PutUint32(far[0x3c:], 0xfffffff0)
	elf := make([]byte, 64)
	copy(elf, "\x7fELF\x02\x01\x01")
	for i := 16; i < len(elf); i++ {
		elf[i] = 0xff
	}
	cdf := append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), bytes.Repeat([]byte{0xff}, 4000)...)
	return map[string][]byte{
		"nested arrays":   bytes.Repeat([]byte("["), Depth),
		"nested objects":  bytes.Repeat([]byte(`{"a":`), Depth/5),
		"far header":      far,
		"endless ELF":     elf,
		"compound of FFs": cdf,
		"zeros":           make([]byte, Depth),
		"one long line":   bytes.Repeat([]byte("a"), Depth),
		"many lines":      bytes.Repeat([]byte("\n"), Depth),
		"backtracking":    bytes.Repeat([]byte("begin 644 aaaa aaaa aaaa"), Depth/24),
		"mail-like":       bytes.Repeat([]byte("From: a\nReceived: b\n"), Depth/20),
		"escapes":         bytes.Repeat([]byte("\x1b[31m\x00"), Depth/6),
		"nested BER":      bytes.Repeat([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, Depth/6),
		"commas":          bytes.Repeat([]byte("a,b,\"c\"\n"), Depth/8),
		"one byte":        {0x80},
		"none":            nil,
	}
}

func TestHostile(t *testing.T) {
	r := reader(t, open(t))
	for name, data := range hostile() {
		begin := time.Now()
		got, err := r.Describe(data)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if err != nil && !errors.Is(err, ErrDescribe) {
			t.Errorf("%s: %v", name, err)
		}
		sound(t, got)
	}
	// It still works.
	if got, err := r.Describe([]byte("%PDF-1.7\n")); err != nil || string(got) != "PDF document, version 1.7" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

// sound checks what holds of every description: it is short and can be printed.
func sound(t *testing.T, text []byte) {
	t.Helper()
	if len(text) > MaxText {
		t.Errorf("%d bytes of description", len(text))
	}
	for _, c := range text {
		if c < 0x20 || c == 0x7f {
			t.Errorf("%q cannot be printed", text)
			break
		}
	}
}

func TestOpenErrors(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.mgc")
	if err := os.WriteFile(bad, []byte("\x1c\x04\x1e\xf1 no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, filepath.Join(t.TempDir(), "missing.mgc")} {
		if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), "open magic database "+path+": ") {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	// The failures have left nothing behind.
	reader(t, open(t))
}

// TestSideBySide has several readers of one database work at the same time: they
// say what one alone says.
func TestSideBySide(t *testing.T) {
	db := open(t)
	want := map[string]string{}
	one := reader(t, db)
	all := samples(t)
	for name, data := range hostile() {
		all[name] = data
	}
	for name, data := range all {
		got, _ := one.Describe(data)
		want[name] = string(got)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r, err := db.NewReader()
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for range 10 {
				for name, data := range all {
					if got, _ := r.Describe(data); string(got) != want[name] {
						t.Errorf("%s: %q, alone %q", name, got, want[name])
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestDescribeDoesNotAllocate(t *testing.T) {
	r, data := reader(t, open(t)), []byte("%PDF-1.7\n")
	if n := testing.AllocsPerRun(10, func() { _, _ = r.Describe(data) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDescribe(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	for _, data := range hostile() {
		f.Add(data)
	}
	r := reader(f, open(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := r.Describe(data)
		first := string(got)
		sound(t, got)
		again, err2 := r.Describe(data[:min(len(data), Depth)])
		if first != string(again) || (err == nil) != (err2 == nil) {
			t.Errorf("%q, %v at first, then %q, %v", first, err, again, err2)
		}
	})
}

func BenchmarkDescribe(b *testing.B) {
	r := reader(b, open(b))
	for name, data := range samples(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = r.Describe(data)
			}
		})
	}
}
