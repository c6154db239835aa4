package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
)

// Namespace is a network namespace. Its methods are safe for concurrent use.
type Namespace struct {
	name   string
	handle netns.NsHandle
	// lock is held while the process lives, so that others can tell.
	lock *os.File
	// starts takes what must run on a thread that stays: a child whose parent's
	// thread ends gets the signal for its parent's death.
	starts chan func()

	mu      sync.Mutex
	closed  bool
	running map[*Process]struct{}
}

// netnsDir is where ip netns keeps names.
const netnsDir = "/run/netns"

func newNamespace(name string) (*Namespace, error) {
	n := &Namespace{name: name, handle: netns.None(), starts: make(chan func()), running: map[*Process]struct{}{}}
	made := make(chan error, 1)
	if name != "" {
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip netns add %s: %w: %s", name, err, strings.TrimSpace(string(out)))
		}
		if err := n.hold(); err != nil {
			return nil, errors.Join(err, n.remove())
		}
	}
	go func() {
		runtime.LockOSThread() // the thread stays in the namespace and ends with it
		var err error
		if name == "" {
			n.handle, err = netns.New()
		} else if n.handle, err = netns.GetFromName(name); err == nil {
			err = netns.Set(n.handle)
		}
		made <- err
		if err != nil {
			return
		}
		for fn := range n.starts {
			fn()
		}
	}()
	if err := <-made; err != nil {
		return nil, errors.Join(err, n.remove())
	}
	return n, nil
}

// hold marks the name as in use by a living process.
func (n *Namespace) hold() error {
	f, err := os.Open(filepath.Join(netnsDir, n.name))
	if err != nil {
		return err
	}
	n.lock = f
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// sweep removes namespaces that processes of the same name left when they were
// killed.
func sweep(name string) error {
	left, err := filepath.Glob(filepath.Join(netnsDir, name+"-[0-9]*-*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = exec.Command("ip", "netns", "del", filepath.Base(path)).Run() // gone already: as well
		}
		f.Close()
	}
	return nil
}

// Name is the namespace's name for ip netns; empty where it has none.
func (n *Namespace) Name() string { return n.name }

// Path names the namespace for other programs, as long as this one lives.
func (n *Namespace) Path() string {
	if n.name != "" {
		return filepath.Join(netnsDir, n.name)
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(n.handle))
}

// Do runs fn on a thread of its own in the namespace. Sockets that fn opens
// stay in the namespace wherever they are used; goroutines that it starts are
// not in it.
func (n *Namespace) Do(fn func() error) error {
	return within(func() error { return netns.Set(n.handle) }, fn)
}

// Listen opens a TCP listener in the namespace.
func (n *Namespace) Listen(addr string) (l net.Listener, err error) {
	err = n.Do(func() (err error) { l, err = net.Listen("tcp", addr); return err })
	return l, err
}

// ListenPacket opens a UDP socket in the namespace.
func (n *Namespace) ListenPacket(addr string) (c net.PacketConn, err error) {
	err = n.Do(func() (err error) { c, err = net.ListenPacket("udp", addr); return err })
	return c, err
}

// DialContext connects from the namespace with TCP, UDP or to a unix socket;
// from is a local IP address or empty.
func (n *Namespace) DialContext(ctx context.Context, from, network, addr string) (c net.Conn, err error) {
	d := net.Dialer{Timeout: 5 * time.Second, FallbackDelay: -1}
	if ip := net.ParseIP(from); ip != nil {
		if strings.HasPrefix(network, "udp") {
			d.LocalAddr = &net.UDPAddr{IP: ip}
		} else {
			d.LocalAddr = &net.TCPAddr{IP: ip}
		}
	}
	err = n.Do(func() (err error) { c, err = d.DialContext(ctx, network, addr); return err })
	return c, err
}

// Dial is DialContext without a context, for clients that take a dialer.
func (n *Namespace) Dial(network, addr string) (net.Conn, error) {
	return n.DialContext(context.Background(), "", network, addr)
}
