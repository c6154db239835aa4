package worker

import (
	"sluice/classifiers/document"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/events"
)

// FileStore keeps files that rules ask for (the keyword filestore), beside the
// workers. Its methods may be called by any worker, and none waits for a disk
// unless the traffic can wait, as a capture file's can.
type FileStore interface {
	// Begin gives the number of a new file.
	Begin() uint32
	// Write takes the next bytes of a file, which stay the caller's; false where
	// there is no room: then the file is lost and its number of no more use.
	Write(id uint32, data []byte) bool
	// End tells that a file is whole. record, where there is one, is kept beside it.
	End(id uint32, at int64, record []byte)
	// Discard forgets a file.
	Discard(id uint32)
}

// Files says what is stored of files, and how.
type Files struct {
	// Store takes them; nil stores none.
	Store FileStore
	// All stores every file, whether or not a rule asks for it.
	All bool
	// Record writes the event beside the file.
	Record bool
	// MaxSize bounds what is stored of a file; 0 is no bound.
	MaxSize uint64
	// Pending lends the memory for files about which no rule has decided yet,
	// PendingSize bounds what is kept of one.
	Pending     *document.Memory
	PendingSize int64
}

// storing is a file that is stored, or may yet be.
type storing struct {
	// spool holds what came before a rule decided.
	spool *document.Spool
	// id is its number in the store, 0 before a rule decided; size what was given.
	id   uint32
	size uint64
	// lost: there was no room. cut: what follows is not stored, since bytes are
	// missing or the bound is reached.
	lost, cut bool
}

// openStoring begins to keep a file where a rule may ask for it.
func (w *Worker) openStoring(o *protocol.Object) {
	c := &w.cfg.Files
	if c.Store == nil || o.Container {
		return
	}
	rules := w.in.Set().Rules
	if !w.stores(o) && (rules == nil || !rules.StoresFiles()) {
		return
	}
	if w.storing == nil {
		w.storing = map[*protocol.Object]*storing{}
	}
	w.storing[o] = &storing{}
	if w.stores(o) {
		w.raiseDepth(w.f)
	}
}

// stores reports whether a file is to be stored, as far as is known.
func (w *Worker) stores(o *protocol.Object) bool {
	return w.cfg.Files.All || o.Store || o.Tx != nil && o.Tx.Store[o.Dir] || w.f != nil && w.f.Store[o.Dir]
}

// raiseDepth has the connection of a file followed as far as files are stored.
func (w *Worker) raiseDepth(f *flow.Flow) {
	if f != nil && f.TCP != nil {
		f.TCP.Stores()
	}
}

// store takes the next bytes of an object, after the rules saw them.
func (w *Worker) store(o *protocol.Object, data []byte) {
	if len(w.storing) == 0 {
		return
	}
	s := w.storing[o]
	if s == nil || s.lost || s.cut {
		return
	}
	if limit := w.cfg.Files.MaxSize; limit > 0 && s.size+uint64(len(data)) > limit {
		data = data[:limit-s.size]
		s.cut = true
		w.counters.FilesCut++
	}
	s.size += uint64(len(data))
	if s.id == 0 && !w.stores(o) {
		if s.spool == nil {
			s.spool = w.cfg.Files.Pending.NewSpool(w.cfg.Files.PendingSize)
		}
		if s.spool.Write(data) != "" {
			// Decided later, it would lack this: it is not stored at all.
			s.spool.Free()
			s.lost = true
		}
		return
	}
	if w.decideStoring(s) && len(data) > 0 && !w.cfg.Files.Store.Write(s.id, data) {
		s.lost = true
		w.counters.FilesLost++
	}
}

// decideStoring begins the file in the store, with what was kept of it, and
// reports whether it goes on.
func (w *Worker) decideStoring(s *storing) bool {
	if s.id != 0 || s.lost {
		return !s.lost
	}
	c := &w.cfg.Files
	w.raiseDepth(w.f)
	s.id = c.Store.Begin()
	if s.spool == nil {
		return true
	}
	if w.piece == nil {
		w.piece = make([]byte, 32<<10)
	}
	for at := int64(0); at < s.spool.Size() && !s.lost; {
		n, _ := s.spool.ReadAt(w.piece, at)
		at += int64(n)
		if !c.Store.Write(s.id, w.piece[:n]) {
			s.lost = true
			w.counters.FilesLost++
		}
	}
	s.spool.Free()
	return !s.lost
}

// gapStoring ends what is stored of a file before the bytes that are missing.
func (w *Worker) gapStoring(o *protocol.Object) {
	if s := w.storing[o]; s != nil && !s.cut {
		s.cut = true
		w.counters.FilesCut++
	}
}

// closeStoring ends the storing of a file whose inspection is over. It gives the
// number under which the file is to be ended, 0 where it is not stored.
func (w *Worker) closeStoring(o *protocol.Object) uint32 {
	if len(w.storing) == 0 {
		return 0
	}
	s := w.storing[o]
	if s == nil {
		return 0
	}
	delete(w.storing, o)
	defer s.spool.Free()
	if !w.stores(o) || s.size == 0 {
		return 0
	}
	if s.lost && s.id == 0 {
		w.counters.FilesLost++ // too large to wait for its rule
	}
	if !w.decideStoring(s) {
		return 0
	}
	return s.id
}

// endStoring ends a file in the store, with its event beside it where that is
// asked for.
func (w *Worker) endStoring(id uint32, e *events.Event) {
	if id == 0 {
		return
	}
	w.counters.FilesStored++
	var record []byte
	if w.cfg.Files.Record && e != nil {
		record = events.AppendEVE(nil, e)
	}
	w.cfg.Files.Store.End(id, w.now, record)
}
