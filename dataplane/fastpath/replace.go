package fastpath

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
)

// Tables is all that a configuration has the programs decide by. What is no part
// of it stays: dropped flows, hosts in quarantine, and lists that it does not name.
type Tables struct {
	Segmentation Segmentation
	// Malformed and MalformedBeside are as in Config.
	Malformed, MalformedBeside Malformed
	Limits                     Limits
	// Samples is as in Config.
	Samples int
	// Allowances are what quarantined hosts still reach.
	Allowances []Allowance
	// Allowed and Blocked are whole lists; one without blocks ends.
	Allowed, Blocked []List
}

// List is the whole content of a list. The List of each entry is ignored.
type List struct {
	Name   string
	Blocks []Block
}

// contents is a List in the tables' own terms.
type contents struct {
	name  string
	id    uint32
	items []item
}

// Replace puts tables in force in place of those before, all of them or, with an
// error, none: everything is checked and put into the tables' own terms first,
// and what was written when the kernel refuses a write is taken back. The
// traffic never meets a list in part: what is on both versions stays blocked
// throughout, and segmentation and limits change in one step. An error of taking
// back is part of the error.
func (f *FastPath) Replace(t *Tables) (err error) {
	acl, err := t.Segmentation.compile()
	if err != nil {
		return fmt.Errorf("segmentation: %w", err)
	}
	reach, err := compileAllowances(t.Allowances)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	allowed, err := f.contents(t.Allowed, true)
	if err != nil {
		return err
	}
	blocked, err := f.contents(t.Blocked, false)
	if err != nil {
		return err
	}

	makeRoom(f.block, blocked)

	set, cfg, was := f.set, f.cfg, f.acl
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		f.set, f.cfg, f.acl = set, cfg, was
		for _, fn := range slices.Backward(undo) {
			err = errors.Join(err, fn())
		}
		err = errors.Join(err, f.apply())
	}()
	// First what is allowed: a list must not take that away for a moment.
	for _, part := range []struct {
		table *prefixes
		lists []contents
		kind  string
	}{{f.allow, allowed, "allow"}, {f.block, blocked, "block"}} {
		for _, l := range part.lists {
			back, err := part.table.replace(l.id, l.items)
			undo = append(undo, back)
			if err != nil {
				return fmt.Errorf("%s list %s: %w", part.kind, l.name, err)
			}
		}
	}
	before := f.reach
	undo = append(undo, func() error { return f.writeAllowances(before) })
	if err := f.writeAllowances(reach); err != nil {
		return err
	}
	next, back, done, err := f.prepareSegmentation(acl, len(t.Segmentation.Rules) > 0)
	undo = append(undo, back)
	if err != nil {
		return err
	}
	f.acl = next
	f.cfg.Malformed, f.cfg.MalformedBeside = t.Malformed, t.MalformedBeside
	f.set.Malformed = uint32(t.Malformed | t.MalformedBeside)
	f.set.Rate = t.Limits.rates()
	f.set.Samples = uint32(samplesOf(t.Samples))
	if err := f.fault("settings"); err != nil {
		return err
	}
	if err := f.apply(); err != nil {
		return err
	}
	if err := done(); err != nil {
		// All is in force; a zone's prefix that nobody asks for takes a little room.
		f.cfg.Log.Warn("prefixes of former zones are left in the kernel", "error", err)
	}
	return nil
}

// fault lets a test have a write fail.
func (f *FastPath) fault(what string) error {
	if f.cfg.fault == nil {
		return nil
	}
	return f.cfg.fault(what)
}

// contents gives lists in the tables' own terms.
func (f *FastPath) contents(lists []List, allow bool) ([]contents, error) {
	out := make([]contents, 0, len(lists))
	for _, l := range lists {
		c := contents{name: l.Name, id: f.names.list(l.Name), items: make([]item, 0, len(l.Blocks))}
		for _, b := range l.Blocks {
			b.Entry.List = l.Name
			it, err := f.item(b.Prefix, b.Entry)
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", l.Name, err)
			}
			if allow {
				it.claim.flags = 0
			}
			c.items = append(c.items, it)
		}
		out = append(out, c)
	}
	return out, nil
}

// makeRoom has lists that end go first where there may be no room for what comes
// in their place.
func makeRoom(p *prefixes, lists []contents) {
	n := p.table.Size()
	for _, l := range lists {
		n += len(l.items)
	}
	if n <= min(p.most(4), p.most(6)) {
		return
	}
	slices.SortStableFunc(lists, func(a, b contents) int { return min(len(a.items), 1) - min(len(b.items), 1) })
}

// most gives how many prefixes of an IP version there is room for.
func (p *prefixes) most(version int) int {
	switch {
	case version == 6:
		return int(p.v6.MaxEntries())
	case p.max4 > 0:
		return p.max4
	}
	return int(p.v4.MaxEntries())
}

// change is what was claimed of a prefix before a replacement; nothing where it
// was in no list.
type change struct {
	prefix netip.Prefix
	before []claim
}

// replace makes items the whole content of a list. back undoes it, and what was
// done of it when there is an error; it is never nil.
func (p *prefixes) replace(id uint32, items []item) (back func() error, err error) {
	// keep holds the prefixes that stay or come, and whether they are among changes:
	// a list is mostly what it was before.
	keep := make(map[netip.Prefix]bool, len(items))
	var changes []change
	var gone []netip.Prefix
	// What there is, what the new ones add, and what goes for good, of IPv4 and IPv6.
	var more, less [2]int
	family := func(prefix netip.Prefix) int {
		if prefix.Addr().Is4() {
			return 0
		}
		return 1
	}
	for _, it := range items {
		noted, again := keep[it.prefix]
		if noted {
			continue
		}
		cs, ok := p.table.Get(it.prefix)
		if !ok && !again {
			more[family(it.prefix)]++
		}
		changed := !slices.Contains(cs, it.claim)
		if keep[it.prefix] = changed; changed {
			changes = append(changes, change{it.prefix, slices.Clone(cs)})
		}
	}
	for prefix, cs := range p.table.All() {
		if _, ok := keep[prefix]; ok || !slices.ContainsFunc(cs, func(c claim) bool { return c.list == id }) {
			continue
		}
		gone = append(gone, prefix)
		changes = append(changes, change{prefix, slices.Clone(cs)})
		if len(cs) == 1 {
			less[family(prefix)]++
		}
	}
	back = func() error { return nil }
	size, most := [2]int{p.table.Size4(), p.table.Size6()}, [2]int{p.most(4), p.most(6)}
	tight := false
	for i := range size {
		if n := size[i] + more[i] - less[i]; n > most[i] {
			return back, fmt.Errorf("%d prefixes, the most is %d: %w", n, most[i], ErrFull)
		}
		tight = tight || size[i]+more[i] > most[i]
	}
	back = func() error {
		var errs []error
		for _, c := range slices.Backward(changes) {
			errs = append(errs, p.restore(c))
		}
		return errors.Join(append(errs, p.flush())...)
	}
	remove := func() error {
		for _, prefix := range gone {
			if _, err := p.remove(prefix, id); err != nil {
				return err
			}
		}
		return nil
	}
	// First in with the new: nothing on both versions is ever let through, even if
	// they have it in other prefixes. Where there is no room for that, the old ones
	// go first.
	if tight {
		if err := remove(); err != nil {
			return back, err
		}
		return back, p.load(items)
	}
	if err := p.load(items); err != nil {
		return back, err
	}
	return back, remove()
}

// restore gives a prefix its former claims, in user space and in the kernel.
func (p *prefixes) restore(c change) error {
	_, there := p.table.Get(c.prefix)
	if len(c.before) == 0 {
		err := p.deleteOne(c.prefix)
		if there {
			p.table.Delete(c.prefix)
			err = errors.Join(err, p.filterRemove(c.prefix))
		}
		return err
	}
	p.table.Insert(c.prefix, c.before)
	err := p.writeOne(c.prefix, strongest(c.before).value())
	if !there {
		err = errors.Join(err, p.filterAdd(c.prefix))
	}
	return err
}

// deleteOne has the kernel forget a prefix, which it need not have.
func (p *prefixes) deleteOne(prefix netip.Prefix) error {
	if p.fault != nil {
		if err := p.fault("remove"); err != nil {
			return err
		}
	}
	var err error
	if prefix.Addr().Is4() {
		err = p.v4.Delete(lpm4{uint32(prefix.Bits()), prefix.Addr().As4()})
	} else {
		err = p.v6.Delete(lpm6{uint32(prefix.Bits()), prefix.Addr().As16()})
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove %s: %w", prefix, err)
	}
	return nil
}
