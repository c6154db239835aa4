package scan

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/classifiers"
	"sluice/classifiers/extract"
)

// TestPagesAreScannedAsTheyStand holds that findings in pages and in XML have their
// places in the file, and that only documents within them are for the reader.
func TestPagesAreScannedAsTheyStand(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, value, path, typ string }{
		"page.html": {"<!DOCTYPE html><html><body><p>payment card 4111<b>1111</b>11111111 expires</p></body></html>", "4111<b>1111</b>11111111", "markup", "text/html"},
		"page.htm":  {"<html><body><a href='?card=4111111111111111'>there</a></body></html>", "4111111111111111", "", "text/html"},
		"data.xml":  {"<?xml version='1.0'?><cards><card>4111111111111111</card></cards>", "4111111111111111", "", "application/xml"},
		"image.svg": {"<svg xmlns='http://www.w3.org/2000/svg'><text>card 4111111111111111</text></svg>", "4111111111111111", "", "image/svg+xml"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		pool := &extract.Pool{Path: filepath.Join(dir, "none")} // would fail
		res, err := ScanPaths(context.Background(), []string{file}, Options{Workers: 1, Documents: pool, MinConfidence: classifiers.Medium})
		if err != nil || len(res) != 1 || res[0].Err != nil {
			t.Fatalf("%s: %v %+v", name, err, res)
		}
		r := &res[0].Result
		at := strings.Index(c.text, c.value)
		if len(r.Findings) != 1 || int(r.Findings[0].Start) != at || int(r.Findings[0].End) != at+len(c.value) || r.Findings[0].Path != c.path || r.Type != c.typ {
			t.Errorf("%s: want one finding at %d in a %s, got %+v", name, at, c.typ, r)
		}
	}
	long := strings.Repeat("x", 64<<10)
	for text, want := range map[string]bool{
		"": false, "data:image/png;base64,x": false, "<a href='data:application/zip;base64,UEs'>": true,
		long + string(dataURL): true, long[5:] + string(dataURL): true, long[:len(long)-5] + string(dataURL) + long: true, long + long: false,
	} {
		if got, err := holdsDocument(bytes.NewReader([]byte(text))); got != want || err != nil {
			t.Errorf("document in %d bytes: %v, %v", len(text), got, err)
		}
	}
}
