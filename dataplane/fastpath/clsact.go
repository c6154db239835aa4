package fastpath

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addFilter hangs a program on clsact, where it stays when the process
// dies: no pin, hence no bpffs, is needed.
func addFilter(p *inlinePort, parent uint32, prog *ebpf.Program, name string, priority uint16) error {
	if err := netlink.QdiscAdd(clsact(p.ifindex)); err == nil {
		p.addedQdisc = true
	} else if !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add the clsact qdisc: %w", err)
	}
	return netlink.FilterReplace(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: p.ifindex,
			Parent:    parent,
			Handle:    1,
			Priority:  priority,
			Protocol:  unix.ETH_P_ALL,
		},
		Fd:           prog.FD(),
		Name:         name,
		DirectAction: true,
	})
}

func clsact(ifindex int) *netlink.GenericQdisc {
	return &netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: ifindex,
			Handle:    netlink.MakeHandle(0xffff, 0),
			Parent:    netlink.HANDLE_CLSACT,
		},
		QdiscType: "clsact",
	}
}

// clearWire removes the filters that a crashed daemon left on a port, or, where
// they are to be replaced, leaves that to their replacement. The qdisc they hang
// on was that daemon's too, if nothing else uses it.
func (f *FastPath) clearWire(p *inlinePort, replaced bool) error {
	ours, others, err := filters(p.ifindex)
	if err != nil || len(ours) == 0 {
		return err
	}
	f.cfg.Log.Info("taking over from a daemon that left its fail-to-wire program", "port", p.name)
	if replaced {
		// In place, so that it never lapses; noted, so that Close removes the qdisc.
		p.addedQdisc = !others
		return nil
	}
	return removeFilters(p.ifindex, !others)
}

// ownFilter tells whether a filter's name is one of ours.
func ownFilter(name string) bool {
	switch name {
	case wireName, guardName, gateInName, gateOutName, awayInName, awayOutName, closedName:
		return true
	}
	return false
}

// filters lists our programs on clsact, and tells whether there are others.
func filters(ifindex int) (ours []netlink.Filter, others bool, err error) {
	l, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return nil, false, err
	}
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		all, err := netlink.FilterList(l, parent)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return nil, false, fmt.Errorf("list the filters of %s: %w", l.Attrs().Name, err)
		}
		for _, flt := range all {
			if b, ok := flt.(*netlink.BpfFilter); ok && ownFilter(b.Name) {
				ours = append(ours, flt)
			} else {
				others = true
			}
		}
	}
	return ours, others, nil
}

func removeFilters(ifindex int, qdisc bool) error {
	ours, others, err := filters(ifindex)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil // an interface that has gone took them along
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, flt := range ours {
		if err := netlink.FilterDel(flt); err != nil {
			errs = append(errs, fmt.Errorf("remove filter: %w", err))
		}
	}
	if qdisc && !others {
		if err := netlink.QdiscDel(clsact(ifindex)); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("remove the clsact qdisc: %w", err))
		}
	}
	return errors.Join(errs...)
}
