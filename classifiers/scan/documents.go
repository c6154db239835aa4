package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/classifiers/extract"
)

// headLen is how much of a file tells whether it is a document.
const headLen = 16 << 10

// dataURL begins a document within a page (RFC 2397).
var dataURL = []byte("data:application/")

// holdsDocument reports whether a page has a document within, which only the reader of
// documents can open.
func holdsDocument(r io.Reader) (bool, error) {
	buf := make([]byte, 64<<10)
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		b := buf[:kept+n]
		switch {
		case bytes.Contains(b, dataURL):
			return true, nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return false, nil
		case err != nil:
			return false, err
		}
		kept = copy(buf, b[len(b)-len(dataURL):])
	}
}

// readDocument scans what a document or archive says, rather than its bytes. ok is
// false where the file is neither: it is then scanned as it is, and res has no more than
// its type, where that is known.
func readDocument(ctx context.Context, s *classifiers.Scanner, pool *extract.Pool, f *os.File, meta classifiers.ObjectMeta) (res classifiers.Result, ok bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return res, false, nil
	}
	if !info.Mode().IsRegular() {
		res, err = readStream(ctx, s, pool, f, meta)
		return res, true, err
	}
	head := make([]byte, headLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return res, false, nil
	}
	switch typ := extract.TypeOf(head[:n], meta.Name); {
	case extract.Cheap(typ):
		return res, false, nil
	case extract.Markup(typ):
		if within, err := holdsDocument(io.NewSectionReader(f, 0, info.Size())); err != nil || !within {
			res.Type = typ
			return res, false, nil // an error shows again when the file is scanned
		}
	}
	res, err = readWhole(ctx, s, pool, f, info.Size(), meta)
	return res, true, err
}

// readWhole has an object read as a document.
func readWhole(ctx context.Context, s *classifiers.Scanner, pool *extract.Pool, r io.ReaderAt, size int64, meta classifiers.ObjectMeta) (classifiers.Result, error) {
	doc, err := document.Read(ctx, s, pool, r, size, meta, extract.Limits{})
	if err != nil {
		return classifiers.Result{}, err
	}
	if doc.Unread != "" && doc.Unread != filepath.Base(meta.Name) {
		doc.Unscannable += " (" + doc.Unread + ")"
	}
	return doc.Result, nil
}

// maxStream bounds a document that comes as a stream: it is kept in memory, since
// its end may be needed to read its beginning.
const maxStream = 64 << 20

// readStream classifies what comes from a pipe: text as it comes, in constant
// memory, documents and archives as a whole.
func readStream(ctx context.Context, s *classifiers.Scanner, pool *extract.Pool, r io.Reader, meta classifiers.ObjectMeta) (classifiers.Result, error) {
	if pool == nil {
		return s.ScanReader(r, meta)
	}
	head := make([]byte, headLen)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return classifiers.Result{Unscannable: "read-error"}, err
	}
	r = io.MultiReader(bytes.NewReader(head[:n]), r)
	if extract.Cheap(extract.TypeOf(head[:n], meta.Name)) {
		return s.ScanReader(r, meta)
	}
	b, err := io.ReadAll(io.LimitReader(r, maxStream+1))
	if err != nil {
		return classifiers.Result{Unscannable: "read-error"}, err
	}
	if len(b) <= maxStream {
		return readWhole(ctx, s, pool, bytes.NewReader(b), int64(len(b)), meta)
	}
	res, err := s.ScanReader(io.MultiReader(bytes.NewReader(b), r), meta)
	if res.Unscannable == "" {
		res.Unscannable = string(extract.TooLarge)
	}
	return res, err
}
