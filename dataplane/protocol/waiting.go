package protocol

// Waiting holds the transactions of a flow that wait for an answer, by what the
// answer tells of them. A message costs the same however many wait. The zero
// value is ready.
type Waiting[K comparable] struct {
	byKey map[K]*Tx
	// queue has them in order of age, with those that were taken since.
	queue []waitEntry[K]
	head  int
}

type waitEntry[K comparable] struct {
	key K
	tx  *Tx
}

// Len counts the transactions that wait.
func (w *Waiting[K]) Len() int { return len(w.byKey) }

// Add lets a transaction wait. It gives the one that waited for the same answer
// before, which waits no longer, or nil.
func (w *Waiting[K]) Add(key K, tx *Tx) (before *Tx) {
	if w.byKey == nil {
		w.byKey = make(map[K]*Tx)
	}
	before = w.byKey[key]
	w.byKey[key] = tx
	if len(w.queue) > 64 && len(w.queue) > 4*len(w.byKey) {
		w.compact()
	}
	w.queue = append(w.queue, waitEntry[K]{key, tx})
	return before
}

// compact leaves out of the queue what was taken.
func (w *Waiting[K]) compact() {
	keep := w.queue[:0]
	for _, e := range w.queue[w.head:] {
		if w.byKey[e.key] == e.tx {
			keep = append(keep, e)
		}
	}
	clear(w.queue[len(keep):])
	w.queue, w.head = keep, 0
}

// Take gives the transaction that an answer belongs to, which waits no longer;
// nil where there is none.
func (w *Waiting[K]) Take(key K) *Tx {
	tx := w.byKey[key]
	delete(w.byKey, key)
	if len(w.byKey) == 0 {
		clear(w.queue)
		w.queue, w.head = w.queue[:0], 0
	}
	return tx
}

// Oldest gives the transaction that waits longest, which waits no longer; nil
// where there is none.
func (w *Waiting[K]) Oldest() *Tx {
	for w.head < len(w.queue) {
		e := w.queue[w.head]
		w.queue[w.head] = waitEntry[K]{}
		w.head++
		if w.byKey[e.key] == e.tx {
			return w.Take(e.key)
		}
	}
	return nil
}
