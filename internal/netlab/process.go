package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a program that runs in a Namespace. Its methods are safe for
// concurrent use.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// How long a program may take to end before it is killed.
const (
	graceTerm = 5 * time.Second
	graceKill = 2 * time.Second
)

// Start starts a program in the namespace. It is ended by Close of the Lab, and
// by the death of this process.
func (n *Namespace) Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own: Ctrl-C reaches this process, which ends its children in order.
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("start %s: the namespace is closed", cmd.Path)
	}
	started := make(chan error, 1)
	n.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	n.running[p] = struct{}{}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
		n.mu.Lock()
		delete(n.running, p)
		n.mu.Unlock()
	}()
	return p, nil
}

// PID is the program's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal; a program that has ended gets none.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the program's end and gives what exec.Cmd.Wait gives.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Stop asks the program to end and waits for it; one that does not listen is
// killed, and that is an error.
func (p *Process) Stop() error {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(graceTerm):
	}
	_ = p.Signal(syscall.SIGKILL)
	select {
	case <-p.done:
		return fmt.Errorf("%s did not end within %v and was killed", p.cmd.Path, graceTerm)
	case <-time.After(graceKill):
		return fmt.Errorf("%s cannot be killed", p.cmd.Path)
	}
}

// close ends the programs and gives the namespace up.
func (n *Namespace) close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	left := make([]*Process, 0, len(n.running))
	for p := range n.running {
		left = append(left, p)
	}
	n.mu.Unlock()
	for _, p := range left {
		_ = p.Signal(syscall.SIGTERM)
	}
	for _, p := range left {
		_ = p.Stop() // its exit code concerns nobody any more
	}
	close(n.starts)
	return n.remove()
}

// remove takes back what newNamespace made.
func (n *Namespace) remove() error {
	var errs []error
	if n.handle.IsOpen() {
		errs = append(errs, n.handle.Close())
	}
	if n.name != "" {
		if out, err := exec.Command("ip", "netns", "del", n.name).CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("ip netns del %s: %w: %s", n.name, err, strings.TrimSpace(string(out))))
		}
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}
