package live

import (
	"context"
	"net"
	"time"

	"github.com/vishvananda/netlink"
)

// linkInterval is how soon a lost link is noticed.
const linkInterval = 100 * time.Millisecond

// watchLinks takes a port down while the other one has lost its link, so that
// the neighbours see what a cable between them would show, and up again after.
func (b *Bridge) watchLinks(ctx context.Context) {
	down := -1 // the port that is down for the other's sake
	defer func() {
		if down >= 0 {
			b.setLink(down, true)
		}
	}()
	tick := time.NewTicker(linkInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch {
		case down >= 0:
			if b.hasLink(1 - down) {
				b.cfg.Log.Info("link is back", "port", b.links[1-down].Attrs().Name)
				b.setLink(down, true)
				down = -1
			}
		case !b.hasLink(Inside):
			down = Outside
		case !b.hasLink(Outside):
			down = Inside
		default:
			continue
		}
		if down >= 0 && b.isUp(down) {
			b.cfg.Log.Warn("link lost: taking the other port down too",
				"port", b.links[1-down].Attrs().Name, "other", b.links[down].Attrs().Name)
			b.setLink(down, false)
		}
	}
}

func (b *Bridge) flags(port int) (f net.Flags) {
	_ = b.ports.ns.Do(func() error {
		l, err := netlink.LinkByIndex(b.links[port].Attrs().Index)
		if err == nil {
			f = l.Attrs().Flags
		}
		return err
	})
	return f
}

func (b *Bridge) isUp(port int) bool    { return b.flags(port)&net.FlagUp != 0 }
func (b *Bridge) hasLink(port int) bool { return b.flags(port)&net.FlagRunning != 0 }

func (b *Bridge) setLink(port int, up bool) {
	err := b.ports.ns.Do(func() error {
		if up {
			return netlink.LinkSetUp(b.links[port])
		}
		return netlink.LinkSetDown(b.links[port])
	})
	if err != nil {
		b.cfg.Log.Warn("propagate the link's state", "port", b.links[port].Attrs().Name, "error", err)
	}
}
