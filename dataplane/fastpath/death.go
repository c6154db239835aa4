package fastpath

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// death tells a guard that a worker's thread ends, as soon as the kernel begins
// with it, and that the daemon is to be killed, as soon as that is asked for.
// Without it the guard learns of the end from its link's own, which comes once
// the process has given its memory back. A nil *death does nothing.
type death struct {
	bpf   deathObjects
	links []link.Link
}

// openDeath attaches the programs that watch over workers to the guard whose
// objects these are. What a kernel lacks for it costs milliseconds when the
// daemon is killed, and nothing else: nil then.
func (f *FastPath) openDeath(guard *ebpf.Collection) *death {
	d, err := newDeath(guard.Maps[".bss"])
	if err != nil {
		f.cfg.Log.Info("a killed daemon is noticed some milliseconds late", "error", err)
		return nil
	}
	return d
}

func newDeath(state *ebpf.Map) (_ *death, err error) {
	d := &death{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("watch over the workers' threads: %w", hint(err)), d.close())
		}
	}()
	spec, err := loadDeath()
	if err != nil {
		return nil, err
	}
	// The kernel's own number of a device, which stat spells otherwise.
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &ns); err != nil {
		return nil, os.NewSyscallError("find the PID namespace", err)
	}
	dev := uint64(unix.Major(ns.Dev))<<20 | uint64(unix.Minor(ns.Dev))
	for name, v := range map[string]any{"daemon_pid": uint32(os.Getpid()), "pidns_dev": dev, "pidns_ino": ns.Ino} {
		if err := spec.Variables[name].Set(v); err != nil {
			return nil, fmt.Errorf("set the programs' %s: %w", name, err)
		}
	}
	// The state is the guard's: both objects have it as the only variable of its section.
	options := &ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{".bss": state}}
	if err := spec.LoadAndAssign(&d.bpf, options); err != nil {
		return nil, err
	}
	for _, at := range []struct {
		tracepoint string
		prog       *ebpf.Program
	}{{"sched_process_exit", d.bpf.SluiceDeath}, {"signal_generate", d.bpf.SluiceKill}} {
		l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: at.tracepoint, Program: at.prog})
		if err != nil {
			return nil, fmt.Errorf("attach to %s: %w", at.tracepoint, err)
		}
		d.links = append(d.links, l)
	}
	// A signal that Go's runtime makes nothing of tells the program which process
	// this is.
	if err := unix.Kill(os.Getpid(), unix.SIGURG); err != nil {
		return nil, os.NewSyscallError("kill", err)
	}
	return d, nil
}

// watch names a worker's thread.
func (d *death) watch(tid int) error {
	if d == nil {
		return nil
	}
	if err := d.bpf.Threads.Put(uint32(tid), uint32(1)); err != nil {
		return fmt.Errorf("watch over a worker's thread: %w", err)
	}
	return nil
}

func (d *death) close() error {
	if d == nil {
		return nil
	}
	var errs []error
	for _, l := range d.links {
		errs = append(errs, l.Close())
	}
	d.links = nil
	if d.bpf.SluiceDeath != nil {
		errs = append(errs, d.bpf.Close())
	}
	return errors.Join(errs...)
}
