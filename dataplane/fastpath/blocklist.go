package fastpath

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ErrFull tells that a table has no room; Config says how much it has.
var ErrFull = errors.New("table is full")

// Direction says which end of a packet an entry is compared with.
type Direction uint8

// The directions; a packet from or to a blocked address is dropped by default.
const (
	Either Direction = iota
	AsSource
	AsDestination
)

// Entry is what is known about a blocked or allowed prefix.
type Entry struct {
	// Reason and List are free text for events: why, and whose list.
	Reason, List string
	// Expires is when the entry ends; never when zero.
	Expires time.Time
	// Direction is which end of a packet has to match. Allow ignores it.
	Direction Direction
}

// Block is a prefix together with its entry.
type Block struct {
	Prefix netip.Prefix
	Entry  Entry
}

// item is a Block in the table's own terms.
type item struct {
	prefix netip.Prefix
	claim  claim
}

// anyList stands for all lists; it is never the number of one.
const anyList = ^uint32(0)

// names numbers the texts of entries, since the kernel keeps numbers.
type names struct {
	lists, reasons   []string
	listID, reasonID map[string]uint32
}

func (n *names) init() {
	n.lists, n.reasons = []string{""}, []string{""}
	n.listID, n.reasonID = map[string]uint32{"": 0}, map[string]uint32{"": 0}
}

func intern(s string, all *[]string, ids map[string]uint32) uint32 {
	id, ok := ids[s]
	if !ok {
		id = uint32(len(*all))
		*all = append(*all, s)
		ids[s] = id
	}
	return id
}

func (n *names) list(s string) uint32   { return intern(s, &n.lists, n.listID) }
func (n *names) reason(s string) uint32 { return intern(s, &n.reasons, n.reasonID) }

func textOf(all []string, id uint32) string {
	if int64(id) < int64(len(all)) {
		return all[id]
	}
	return ""
}

// canonical gives the form in which prefixes are kept: host bits zero,
// IPv4-mapped addresses as IPv4.
func canonical(p netip.Prefix) (netip.Prefix, error) {
	if !p.IsValid() || p.Addr().Zone() != "" {
		return p, fmt.Errorf("%q is not a prefix", p)
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%q mixes IPv4 and IPv6", p)
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func (f *FastPath) item(p netip.Prefix, e Entry) (item, error) {
	p, err := canonical(p)
	if err != nil {
		return item{}, err
	}
	return item{p, claim{
		expires: monotonicAt(e.Expires),
		list:    f.names.list(e.List),
		reason:  f.names.reason(e.Reason),
		flags:   uint32(e.Direction),
	}}, nil
}

// Block drops packets from and to prefix in XDP, from now to e.Expires. The
// same prefix from the same list replaces its entry. ErrFull tells that there
// is no room.
func (f *FastPath) Block(prefix netip.Prefix, e Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	it, err := f.item(prefix, e)
	if err != nil {
		return err
	}
	if err := f.block.insert(it.prefix, it.claim); err != nil {
		return err
	}
	return f.apply()
}

// BlockAll is Block for many prefixes at once: a million take seconds. On an
// error some are in force and some are not.
func (f *FastPath) BlockAll(blocks []Block) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	items := make([]item, 0, len(blocks))
	for _, b := range blocks {
		it, err := f.item(b.Prefix, b.Entry)
		if err != nil {
			return err
		}
		items = append(items, it)
	}
	return errors.Join(f.block.load(items), f.apply())
}

// Unblock takes list's entry for exactly this prefix away, or every list's
// where list is "*". It reports whether there was one.
func (f *FastPath) Unblock(prefix netip.Prefix, list string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false, ErrClosed
	}
	prefix, err := canonical(prefix)
	if err != nil {
		return false, err
	}
	id := anyList
	if list != "*" {
		var ok bool
		if id, ok = f.names.listID[list]; !ok {
			return false, nil
		}
	}
	ok, err := f.block.remove(prefix, id)
	return ok, errors.Join(err, f.apply())
}

// UnblockAll is Unblock for many prefixes at once. It gives those that were on
// the list, in the room of blocks.
func (f *FastPath) UnblockAll(blocks []Block, list string) ([]Block, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	gone := blocks[:0]
	id, ok := f.names.listID[list]
	if !ok {
		return gone, nil
	}
	var errs []error
	for _, b := range blocks {
		p, err := canonical(b.Prefix)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ok, err := f.block.remove(p, id)
		if err != nil {
			errs = append(errs, err)
		}
		if ok {
			gone = append(gone, b)
		}
	}
	return gone, errors.Join(append(errs, f.apply())...)
}

// List gives all block list entries, sorted by address.
func (f *FastPath) List() []Block { return f.entries("*") }

// ListOf gives one list's entries, sorted by address.
func (f *FastPath) ListOf(list string) []Block { return f.entries(list) }

// Sizes tells how many prefixes are blocked and allowed.
func (f *FastPath) Sizes() (blocked, allowed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, 0
	}
	return f.block.table.Size(), f.allow.table.Size()
}

func (f *FastPath) entries(list string) []Block {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	id, n := anyList, f.block.table.Size()
	if list != "*" {
		var ok bool
		if id, ok = f.names.listID[list]; !ok {
			return nil
		}
		n = 0
	}
	out := make([]Block, 0, n)
	for prefix, cs := range f.block.table.AllSorted() {
		for _, c := range cs {
			if id != anyList && c.list != id {
				continue
			}
			out = append(out, Block{prefix, Entry{
				Reason:    textOf(f.names.reasons, c.reason),
				List:      textOf(f.names.lists, c.list),
				Expires:   wallAt(c.expires),
				Direction: Direction(c.flags),
			}})
		}
	}
	return out
}

// isFull reports whether the kernel refused for want of room.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.E2BIG)
}
