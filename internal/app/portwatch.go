package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"sluice/events"
)

// portsEvery is how often the ports are looked at.
const portsEvery = time.Second

// errPortsAnew ends a daemon that could not inspect a port which is there again:
// whoever supervises it starts it anew.
var errPortsAnew = errors.New("the port was removed and made anew: it takes another start to inspect it")

// portWatch tells when a port goes away, by an unplugged adapter or a machine
// that was shut down, and when what is under its name is no longer what was
// opened: sockets and programs are gone with the old one.
type portWatch struct {
	d *Daemon
	// index are the interfaces' numbers at the start, anew the names that others
	// have by now, uneven the bridges whose ports have different MTUs.
	index        map[string]int
	anew, uneven map[string]bool
	// find gives an interface's number and MTU; 0 where there is none.
	find func(name string) (index, mtu int)
}

// findPort looks an interface up in the namespace of the program.
func findPort(name string) (index, mtu int) {
	l, err := netlink.LinkByName(name)
	switch {
	case err == nil:
		return l.Attrs().Index, l.Attrs().MTU
	case errors.As(err, &netlink.LinkNotFoundError{}):
		return 0, 0
	}
	return -1, 0 // not known
}

func newPortWatch(d *Daemon) *portWatch {
	w := &portWatch{d: d, index: map[string]int{}, anew: map[string]bool{}, uneven: map[string]bool{}, find: findPort}
	for _, g := range d.groups {
		for _, name := range g.ifaces[:g.ports] {
			if i, _ := w.find(name); i > 0 {
				w.index[name] = i
			}
		}
	}
	return w
}

// run looks at the ports until ctx ends; give ends the daemon.
func (w *portWatch) run(ctx context.Context, give func(error)) {
	tick := time.NewTicker(portsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := w.look(now); err != nil {
				give(err)
				return
			}
		}
	}
}

// look tells what has changed since the last call. It gives an error once a port
// is there again and none that is whole would suffer from a new start.
func (w *portWatch) look(now time.Time) error {
	var anew []string
	for name, was := range w.index {
		i, _ := w.find(name)
		if i == was || i < 0 {
			continue
		}
		if w.d.setGone(name) {
			w.tell(now, "port is gone: what goes by there is not inspected", name)
		}
		if i > 0 && !w.anew[name] {
			anew = append(anew, name)
		}
	}
	if len(anew) > 0 && w.alone() {
		return fmt.Errorf("%s: %w", anew[0], errPortsAnew)
	}
	for _, name := range anew {
		w.anew[name] = true
		w.tell(now, "port was made anew: restart sluice to inspect it", name)
	}
	for _, b := range w.d.cfg.Ports.Bridges {
		w.even(now, b.Inside, b.Outside)
	}
	return nil
}

// alone reports whether no pair and no gateway is whole. Taps do not count: a new
// start costs them a second's look.
func (w *portWatch) alone() bool {
	for _, g := range w.d.groups {
		if g.mode == "tap" {
			continue
		}
		whole := true
		for _, name := range g.ifaces[:g.ports] {
			whole = whole && !w.d.isGone(name)
		}
		if whole {
			return false
		}
	}
	return true
}

// even tells of a bridge whose ports' MTUs have come to differ.
func (w *portWatch) even(now time.Time, inside, outside string) {
	i, in := w.find(inside)
	o, out := w.find(outside)
	if i <= 0 || o <= 0 {
		return
	}
	pair := inside + "," + outside
	if in == out {
		delete(w.uneven, pair)
		return
	}
	if !w.uneven[pair] {
		w.uneven[pair] = true
		w.tell(now, fmt.Sprintf("the MTUs differ (%d and %d): larger frames are lost (ip link set %s mtu %d)", in, out, outside, in), inside, outside)
	}
}

func (w *portWatch) tell(now time.Time, what string, ports ...string) {
	w.d.log.Error(what, "ports", strings.Join(ports, ","))
	w.d.out.Publish(0, []*events.Event{{Time: now.UnixNano(), Type: "engine", Extra: map[string]any{
		"log_level": "Error", "engine": map[string]any{"message": what, "ports": ports}}}})
}

// setGone notes that a port is gone, and reports whether that is new.
func (d *Daemon) setGone(name string) bool {
	_, known := d.gone.LoadOrStore(name, true)
	return !known
}

func (d *Daemon) isGone(name string) bool {
	_, gone := d.gone.Load(name)
	return gone
}
