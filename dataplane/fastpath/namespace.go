package fastpath

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// Namespace remembers a network namespace, so that what was set up in it can
// be undone from any thread. The daemon itself never leaves its own.
type Namespace struct {
	handle netns.NsHandle
}

// CurrentNamespace gives the calling thread's network namespace.
func CurrentNamespace() (*Namespace, error) {
	h, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("open the network namespace: %w", err)
	}
	return &Namespace{handle: h}, nil
}

// Do runs fn in the namespace. Where the calling thread is elsewhere, fn runs
// on a thread of its own, which ends with it.
func (n *Namespace) Do(fn func() error) error {
	runtime.LockOSThread()
	here, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open the network namespace: %w", err)
	}
	same := here.Equal(n.handle)
	here.Close()
	if same {
		defer runtime.UnlockOSThread()
		return fn()
	}
	runtime.UnlockOSThread()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		if err := netns.Set(n.handle); err != nil {
			done <- fmt.Errorf("enter the network namespace: %w", err)
			return
		}
		done <- fn()
	}()
	return <-done
}

// Close gives the handle back.
func (n *Namespace) Close() error { return n.handle.Close() }
