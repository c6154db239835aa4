package document

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/classifiers"
	"sluice/classifiers/extract"
	"sluice/internal/hs"
)

// Config sets a Reader up. Zero fields take their defaults.
type Config struct {
	// Pool reads documents. It belongs to the Reader, which closes it.
	Pool *extract.Pool
	// Workers is how many documents are read at once; 2. The pool must have as
	// many children.
	Workers int
	// Queue is how many documents may wait; 256.
	Queue int
	// Memory bounds what is kept of all objects, in bytes; 256 MiB.
	Memory int64
	// MaxObject bounds the bytes that are kept of one; 32 MiB.
	MaxObject int64
	// Limits bound what is unpacked.
	Limits extract.Limits
}

// Stats counts what a Reader did.
type Stats struct {
	// Read were read, Refused met a full queue, Failed found no child.
	Read, Refused, Failed uint64
	// Waiting are in the queue or being read. Memory is what objects take now,
	// Peak the most they ever took.
	Waiting, Memory, Peak int64
}

// Reader reads documents beside the workers. It is safe for concurrent use.
type Reader struct {
	Memory *Memory

	cfg    Config
	queue  chan *Job
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// mu lets Close wait for those who are about to queue something.
	mu     sync.RWMutex
	closed bool

	read, refused, failed atomic.Uint64
	waiting               atomic.Int64
}

// Job is one document to be read. The fields but the results are set by who
// submits it and not changed until it is done.
type Job struct {
	// Object is read and left as it is.
	Object *Spool
	Meta   classifiers.ObjectMeta
	// Catalog classifies the text. It must live until the job is done.
	Catalog *classifiers.Catalog
	// Deadline ends the reading; zero for none but the Limits'.
	Deadline time.Time
	// Done is called once the result is there, on a goroutine of the Reader.
	Done func(*Job)
	// Owner is the submitter's own note.
	Owner any

	Result Result
}

// New starts a Reader. Children start when they are first needed.
func New(cfg Config) *Reader {
	if cfg.Workers <= 0 {
		cfg.Workers = 2
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 256
	}
	if cfg.Memory <= 0 {
		cfg.Memory = 256 << 20
	}
	if cfg.MaxObject <= 0 {
		cfg.MaxObject = 32 << 20
	}
	r := &Reader{Memory: NewMemory(cfg.Memory), cfg: cfg, queue: make(chan *Job, cfg.Queue)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for range cfg.Workers {
		r.wg.Go(r.work)
	}
	return r
}

// NewSpool makes a spool for one object.
func (r *Reader) NewSpool() *Spool { return r.Memory.NewSpool(r.cfg.MaxObject) }

// Submit queues a job and reports whether there was room. It does not wait.
func (r *Reader) Submit(j *Job) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return false
	}
	r.waiting.Add(1)
	select {
	case r.queue <- j:
		return true
	default:
		r.waiting.Add(-1)
		r.refused.Add(1)
		return false
	}
}

// Do reads a document and waits for the result, however long the queue is. The
// job's Done is not used.
func (r *Reader) Do(j *Job) {
	done := make(chan struct{})
	j.Done = func(*Job) { close(done) }
	r.mu.RLock()
	if r.closed {
		r.mu.RUnlock()
		j.Result = unread(j, Overload)
		return
	}
	r.waiting.Add(1)
	r.queue <- j
	r.mu.RUnlock()
	<-done
}

// Stats gives the counts so far.
func (r *Reader) Stats() Stats {
	return Stats{Read: r.read.Load(), Refused: r.refused.Load(), Failed: r.failed.Load(), Waiting: r.waiting.Load(), Memory: r.Memory.Used(), Peak: r.Memory.Peak()}
}

// Close ends the reading: what is being read or waits is done with the reason
// "overload", and nothing more is taken.
func (r *Reader) Close() error {
	r.cancel()
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	r.wg.Wait()
	return r.cfg.Pool.Close()
}

// work is one goroutine: it reads one document after the other with a scanner
// of its own.
func (r *Reader) work() {
	var s judge
	defer s.close()
	for j := range r.queue {
		r.one(&s, j)
		r.waiting.Add(-1)
		j.Done(j)
	}
}

// judge is a goroutine's scanner and the catalogue it is for: a reload brings
// another one.
type judge struct {
	catalog *classifiers.Catalog
	sc      *hs.Scanner
	s       *classifiers.Scanner
}

func (g *judge) use(c *classifiers.Catalog) error {
	if g.catalog == c {
		return nil
	}
	g.close()
	sc, err := hs.NewScanner()
	if err != nil {
		return err
	}
	s, err := c.NewScanner(sc)
	if err != nil {
		sc.Close()
		return err
	}
	g.catalog, g.sc, g.s = c, sc, s
	return nil
}

func (g *judge) close() {
	if g.sc != nil {
		g.sc.Close()
	}
	*g = judge{}
}

func (r *Reader) one(s *judge, j *Job) {
	ctx := r.ctx
	if !j.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, j.Deadline)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		j.Result = unread(j, reasonOf(r.ctx))
		return
	}
	if err := s.use(j.Catalog); err != nil {
		r.failed.Add(1)
		j.Result = unread(j, string(extract.Crashed))
		return
	}
	res, err := Read(ctx, s.s, r.cfg.Pool, j.Object, j.Object.Size(), j.Meta, r.cfg.Limits)
	switch {
	case err == nil:
		r.read.Add(1)
		j.Result = res
	case ctx.Err() != nil:
		j.Result = unread(j, reasonOf(r.ctx))
	default:
		r.failed.Add(1)
		j.Result = unread(j, string(extract.Crashed))
	}
}

// reasonOf tells a Reader that ends from a job that is late.
func reasonOf(reader context.Context) string {
	if reader.Err() != nil {
		return Overload
	}
	return Timeout
}

// unread is the result of a document that was not read for a reason.
func unread(j *Job, reason string) Result {
	var r Result
	r.Type, r.Size, r.Unscannable = extract.TypeOf(j.Object.Head(), j.Meta.Name), uint64(j.Object.Size()), reason
	return r
}
