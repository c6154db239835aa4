package scan

import (
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

// readDocument scans what a document or archive says, rather than its bytes. ok is
// false where the file is neither: it is then scanned as it is.
func readDocument(ctx context.Context, s *classifiers.Scanner, pool *extract.Pool, f *os.File, meta classifiers.ObjectMeta) (res classifiers.Result, ok bool, err error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return res, false, nil
	}
	head := make([]byte, headLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return res, false, nil
	}
	if extract.Cheap(extract.TypeOf(head[:n], meta.Name)) {
		return res, false, nil
	}
	doc, err := document.Read(ctx, s, pool, f, info.Size(), meta, extract.Limits{})
	if err != nil {
		return res, true, err
	}
	if doc.Unread != "" && doc.Unread != filepath.Base(meta.Name) {
		doc.Unscannable += " (" + doc.Unread + ")"
	}
	return doc.Result, true, nil
}
