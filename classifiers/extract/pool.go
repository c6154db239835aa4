package extract

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// answer runs one job in the child.
func answer(w *bufio.Writer, job jobHead, data []byte) error {
	res, err := Bytes(context.Background(), data, job.Name, job.Limits, func(p Part) error {
		text := p.Text
		more := p.More
		for {
			piece := p
			if len(text) > 1<<20 {
				cut := 1 << 20
				for cut > 0 && text[cut]&0xc0 == 0x80 {
					cut--
				}
				piece.Text, piece.More = text[:cut], true
			} else {
				piece.Text, piece.More = text, more
			}
			if err := writeFrame(w, framePart, partHead(&piece), piece.Text); err != nil {
				return err
			}
			if text = text[len(piece.Text):]; len(text) == 0 {
				return nil
			}
		}
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(res)
	if err != nil {
		return err
	}
	if err := writeFrame(w, frameResult, b); err != nil {
		return err
	}
	return w.Flush()
}

// Pool runs extraction in sandboxed children. The zero value starts the own
// executable with the argument __extract, which must call ChildMain. Children
// start when they are first needed, are used again for later objects, and are
// killed when they take too long or break the protocol: a crash of a child is
// an Unscannable, never one of the caller. Safe for concurrent use; fields must
// not change after the first call.
type Pool struct {
	Path   string   // executable; the own one when empty
	Args   []string // its arguments; __extract when empty
	Env    []string // its whole environment, beside what keeps the runtime small
	Size   int      // children at most; callers wait for a free one; 2
	Reuse  int      // objects a child reads before it is replaced; 200
	Object int64    // bytes of an object that are taken at most; 256 MiB
	// Nice is how much the children stand back behind others for processor time
	// (0 to 19), so that a rush of documents does not slow the traffic.
	Nice int
	// UID and GID run the children as another user when both are set and the
	// caller may change users.
	UID, GID uint32

	once   sync.Once
	slots  chan struct{}
	mu     sync.Mutex
	idle   []*child
	closed bool
	counts PoolStats
}

// PoolStats counts what became of a pool's children.
type PoolStats struct {
	Started, Crashed, TimedOut, Jobs uint64
}

// ErrClosed is what a closed pool answers.
var ErrClosed = errors.New("extract: pool is closed")

func (p *Pool) provision() {
	p.once.Do(func() {
		if p.Size <= 0 {
			p.Size = 2
		}
		if p.Reuse <= 0 {
			p.Reuse = 200
		}
		if p.Object <= 0 {
			p.Object = 256 << 20
		}
		p.slots = make(chan struct{}, p.Size)
	})
}

// Stats gives the counters so far.
func (p *Pool) Stats() PoolStats {
	return PoolStats{atomic.LoadUint64(&p.counts.Started), atomic.LoadUint64(&p.counts.Crashed),
		atomic.LoadUint64(&p.counts.TimedOut), atomic.LoadUint64(&p.counts.Jobs)}
}

// Extract is the function Extract, run in a child. It waits for a free child
// as long as ctx allows. An error means that no child could be started or that
// fn or ctx ended it; all else is in the Result.
func (p *Pool) Extract(ctx context.Context, r io.ReaderAt, size int64, name string, limits Limits, fn func(Part) error) (Result, error) {
	p.provision()
	limits = limits.WithDefaults()
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	atomic.AddUint64(&p.counts.Jobs, 1)
	if size > p.Object {
		return Result{Type: Type(r, min(size, 1<<20), name), Objects: 1, Unscannable: []Unscannable{{cleanName(name), TooLarge}}}, nil
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	defer func() { <-p.slots }()
	c, err := p.take()
	for again := true; ; again = false {
		if err != nil {
			return Result{}, err
		}
		given := false
		res, ended, good := c.run(ctx, r, size, name, limits, func(part Part) error { given = true; return fn(part) })
		if good {
			p.give(c)
			return res, ended
		}
		c.kill()
		crashed := false
		for _, u := range res.Unscannable {
			switch u.Reason {
			case Crashed:
				crashed = true
				atomic.AddUint64(&p.counts.Crashed, 1)
			case Timeout:
				atomic.AddUint64(&p.counts.TimedOut, 1)
			}
		}
		if !again || !crashed || given || ctx.Err() != nil {
			return res, ended
		}
		// It may have died of what came before, or for want of memory: what an object
		// does to a child it does to another one too.
		c, err = p.fresh()
	}
}

// Close ends the idle children; those at work end with their job.
func (p *Pool) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.kill()
	}
	return nil
}

func (p *Pool) take() (*child, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	return p.fresh()
}

// fresh gives a child that has read nothing yet.
func (p *Pool) fresh() (*child, error) {
	atomic.AddUint64(&p.counts.Started, 1)
	return p.start()
}

func (p *Pool) give(c *child) {
	c.jobs++
	p.mu.Lock()
	keep := !p.closed && c.jobs < p.Reuse
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.kill()
	}
}

// child is one process and its pipes.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	raw  io.Closer
	errs *tail
	jobs int
	buf  []byte
	once sync.Once
}

// tail keeps the end of what a child says before it dies.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 4096 {
		t.b = t.b[len(t.b)-4096:]
	}
	return len(p), nil
}

func (p *Pool) start() (*child, error) {
	path := p.Path
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find own executable: %w", err)
		}
	}
	args := p.Args
	if len(args) == 0 {
		args = []string{"__extract"}
	}
	cmd := exec.Command(path, args...)
	// Few threads and no traceback: it is small, and it dies quietly.
	cmd.Env = append([]string{"GOMAXPROCS=2", "GOTRACEBACK=single", "LC_ALL=C"}, p.Env...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p.UID != 0 && p.GID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: p.UID, Gid: p.GID}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start extractor: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start extractor: %w", err)
	}
	c := &child{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 64<<10), raw: out, errs: &tail{}}
	cmd.Stderr = c.errs
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start extractor: %w", err)
	}
	if p.Nice > 0 {
		standBack(cmd.Process.Pid, p.Nice)
	}
	timer := time.AfterFunc(10*time.Second, c.kill)
	typ, b, err := readFrame(c.out, nil)
	timer.Stop()
	if err != nil || typ != frameReady || len(b) > 0 {
		c.kill()
		c.errs.mu.Lock()
		defer c.errs.mu.Unlock()
		return nil, fmt.Errorf("start extractor: not ready: %w %s %s", err, b, bytes.TrimSpace(c.errs.b))
	}
	return c, nil
}

// standBack lowers the priority of a process that leads a session: of all its
// threads, and of its session where the kernel weighs sessions against each other
// (sched(7), autogroup). It is best effort.
func standBack(pid, nice int) {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, pid, nice)
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", pid), []byte(strconv.Itoa(nice)), 0)
}

// kill ends the process for good and collects it.
func (c *child) kill() {
	c.once.Do(func() {
		_ = c.cmd.Process.Kill()
		_ = c.in.Close()
		go func() { _ = c.cmd.Wait() }()
	})
}

// run gives one job to the child. good is false when the child cannot be used
// again.
func (c *child) run(ctx context.Context, r io.ReaderAt, size int64, name string, limits Limits, fn func(Part) error) (res Result, err error, good bool) {
	path := cleanName(name)
	if path == "" {
		path = "object"
	}
	fail := func(why Reason) (Result, error, bool) {
		res.Unscannable = append(res.Unscannable, Unscannable{path, why})
		return res, nil, false
	}
	// The child keeps the time itself; it is killed when it does not. The
	// clock stands still while the callback works.
	var late atomic.Bool
	grace := limits.MaxTime + limits.MaxTime/4 + 500*time.Millisecond
	timer := time.AfterFunc(grace, func() { late.Store(true); c.kill() })
	defer timer.Stop()
	stop := context.AfterFunc(ctx, c.kill)
	defer stop()

	sent := make(chan error, 1)
	go func() { sent <- c.send(r, size, name, limits) }()
	defer func() {
		if !good {
			c.kill()
		}
		<-sent
	}()
	var text int64
	for {
		typ, b, err := readFrame(c.out, c.buf)
		if err != nil {
			switch {
			case ctx.Err() != nil:
				return res, ctx.Err(), false
			case late.Load():
				return fail(Timeout)
			}
			return fail(Crashed)
		}
		c.buf = b[:0]
		switch typ {
		case framePart:
			part, err := parsePart(b)
			if err != nil {
				return fail(Crashed)
			}
			if text += int64(len(part.Text)); text > limits.MaxText {
				return fail(TooLarge)
			}
			if !timer.Stop() {
				return fail(Timeout)
			}
			err = fn(part)
			timer.Reset(grace)
			if err != nil {
				res.Stopped = errors.Is(err, ErrStop)
				res.Text = text
				if res.Stopped {
					err = nil
				}
				return res, err, false
			}
		case frameResult:
			if err := json.Unmarshal(b, &res); err != nil || len(res.Unscannable) > maxUnscannable {
				res = Result{}
				return fail(Crashed)
			}
			return res, nil, true
		default:
			return fail(Crashed)
		}
	}
}

// send writes the job and the object's bytes.
func (c *child) send(r io.ReaderAt, size int64, name string, limits Limits) error {
	head, err := json.Marshal(jobHead{name, size, limits})
	if err != nil {
		return err
	}
	if err := writeFrame(c.in, frameJob, head); err != nil {
		return err
	}
	buf := make([]byte, min(size, dataPiece))
	for at := int64(0); at < size; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if n > 0 {
			if err := writeFrame(c.in, frameData, buf[:n]); err != nil {
				return err
			}
			at += int64(n)
		}
		if err != nil && n == 0 {
			break // shorter than declared: the child sees what there is
		}
	}
	return writeFrame(c.in, frameEnd)
}
