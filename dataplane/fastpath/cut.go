package fastpath

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"sluice/dataplane/flow"
)

// cutFor is how long what is left of a flow is kept back: longer than a
// connection whose ends never heard of its end goes on trying.
const cutFor = 10 * time.Minute

// Cuts keeps what is left of ended flows from passing the ports of a tap, where
// they are in the path of the traffic, whichever way it goes. The tap goes on to
// see what its ports receive. Its methods are safe for concurrent use, but not
// with Close.
type Cuts struct {
	bpf   cutObjects
	links []link.Link
}

// Cuts attaches to the ports what Cut needs. A kernel without tcx has nothing for
// it: nil then, as the log says.
func (f *FastPath) Cuts(ifaces []string) (_ *Cuts, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	c := &Cuts{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	spec, err := loadCut()
	if err != nil {
		return nil, fmt.Errorf("read the cutting programs: %w", err)
	}
	spec.Maps["cuts"].MaxEntries = uint32(f.cfg.MaxFlows)
	if f.cfg.IgnoreVLAN {
		if err := spec.Variables["ignores_vlan"].Set(uint32(1)); err != nil {
			return nil, fmt.Errorf("set the cutting programs up: %w", err)
		}
	}
	if err := spec.LoadAndAssign(&c.bpf, nil); err != nil {
		return nil, fmt.Errorf("load the cutting programs: %w", hint(err))
	}
	err = f.ns.Do(func() error {
		for _, name := range ifaces {
			if err := c.attach(name, f.cfg.noTCX); err != nil {
				return fmt.Errorf("attach the cutting programs to %s: %w", name, err)
			}
		}
		return nil
	})
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL) {
		f.cfg.Log.Info("no tcx in this kernel: what is under way when a tap cuts a flow still passes")
		return nil, c.Close()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// attach hangs the programs on one port, by links that die with the process.
func (c *Cuts) attach(name string, noTCX bool) error {
	if noTCX {
		return ebpf.ErrNotSupported
	}
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	for _, end := range []struct {
		prog *ebpf.Program
		at   ebpf.AttachType
	}{{c.bpf.SluiceCutIn, ebpf.AttachTCXIngress}, {c.bpf.SluiceCutOut, ebpf.AttachTCXEgress}} {
		l, err := attachTCX(&inlinePort{name: name, ifindex: ifi.Index}, end.prog, end.at)
		if err != nil {
			return err
		}
		c.links = append(c.links, l)
	}
	return nil
}

// Cut keeps the flow's data from passing, from the next frame on; a new TCP
// handshake on its ports ends that. It takes two system calls, so that a worker
// may wait for it. Flows in tunnels cannot be cut.
func (c *Cuts) Cut(key flow.Key) error {
	if key.Tunnel != 0 {
		return errors.New("cut flow: it is in a tunnel")
	}
	if err := c.bpf.Cuts.Put(key, cutValue{Expires: monotonic() + uint64(cutFor)}); err != nil {
		return fmt.Errorf("cut flow: %w", err)
	}
	if err := c.bpf.AnyCut.Set(uint32(1)); err != nil {
		return fmt.Errorf("cut flow: %w", err)
	}
	return nil
}

// Kept tells what of the flow was kept back since its Cut.
func (c *Cuts) Kept(key flow.Key) (Count, error) {
	var v cutValue
	if err := c.bpf.Cuts.Lookup(key, &v); err != nil {
		return Count{}, fmt.Errorf("look a cut flow up: %w", err)
	}
	return Count{Packets: v.Packets, Bytes: v.Bytes}, nil
}

// Close takes the programs off the ports. It is safe to call more than once.
func (c *Cuts) Close() error {
	var errs []error
	for _, l := range c.links {
		errs = append(errs, l.Close())
	}
	c.links = nil
	if c.bpf.SluiceCutIn != nil {
		errs = append(errs, c.bpf.Close())
		c.bpf = cutObjects{}
	}
	return errors.Join(errs...)
}
