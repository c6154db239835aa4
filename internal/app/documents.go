package app

import (
	"runtime"

	"sluice/classifiers/document"
	"sluice/classifiers/extract"
	"sluice/dataplane/worker"
	"sluice/internal/config"
)

// Extractor is the argument with which the own executable becomes a child that
// reads documents (extract.ChildMain). The program sets it before anything else;
// while it is empty, objects are scanned as they are.
var Extractor string

// liveNice is how much the children of a daemon stand back behind its workers.
const liveNice = 5

// openDocuments starts what reads documents for all workers; nil where the
// program cannot be its own child. nice is extract.Pool's.
func openDocuments(cfg *config.Config, workers, nice int) *document.Reader {
	if Extractor == "" {
		return nil
	}
	l := cfg.Limits
	most := int64(min(l.MaxDocument, l.MaxObject))
	n := l.DocumentReaders
	if n == 0 {
		n = max(2, runtime.NumCPU(), workers)
	}
	// A child gives up before the flow's time is over, so that what it has read by
	// then counts.
	return document.New(document.Config{
		Pool:    &extract.Pool{Size: n, Args: []string{Extractor}, Object: most, Nice: nice},
		Workers: n, Queue: l.DocumentQueue, Memory: int64(l.DocumentMemcap), MaxObject: most,
		Limits: extract.Limits{MaxDepth: l.MaxDepth, MaxEntries: l.MaxEntries, MaxTime: l.HeldTime.D() * 4 / 5, MaxBytes: 2 * int64(l.MaxDecompressed)},
	})
}

// documentException gives what becomes of a document that is not read in time.
// A single frame can neither pass nor be dropped for it: the rest has left.
func documentException(x worker.Exception) worker.Exception {
	switch x {
	case worker.DropPacket:
		return worker.DropFlow
	case worker.PassPacket:
		return worker.Ignore
	}
	return x
}
