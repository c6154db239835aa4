package fastpath

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/gaissmai/bart"
	"golang.org/x/sys/unix"
)

// claim is one list's wish for a prefix. Several lists may name the same one;
// the kernel holds the claim that lasts longest.
type claim struct {
	expires uint64 // monotonic ns, 0 never
	list    uint32
	reason  uint32
	flags   uint32
	set     uint8
}

func (c claim) outlasts(o claim) bool {
	return o.expires != 0 && (c.expires == 0 || c.expires > o.expires)
}

func strongest(cs []claim) claim {
	best := cs[0]
	for _, c := range cs[1:] {
		if c.outlasts(best) {
			best = c
		}
	}
	return best
}

func (c claim) value() blockValue {
	return blockValue{Expires: c.expires, List: c.list, Reason: c.reason, Flags: c.flags, Set: uint32(c.set)}
}

// due is an entry of the heap of expiries. It may be stale: the claim tells.
type due struct {
	at     uint64
	prefix netip.Prefix
	list   uint32
}

type dueHeap []due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}

// prefixes is one list of both families (block or allow): the truth in user
// space, its mirror in two maps of the kernel, and what stands in front of
// them. The FastPath's lock guards it.
type prefixes struct {
	table  bart.Table[[]claim]
	dues   dueHeap
	v4, v6 *ebpf.Map
	// max4 bounds the IPv4 prefixes, for whose map has more room than that; 0
	// leaves it to the map.
	max4 int

	dir4    *dir4
	filter6 *filter
	// fault lets a test have a batch fail; nil has none.
	fault func(what string) error
	// bits6 counts the prefixes behind each bit of filter6; short6 those too
	// short for it.
	bits6  map[uint32]uint32
	short6 int
}

func newPrefixes(v4, v6, dir4, filter6 *ebpf.Map) (*prefixes, error) {
	p := &prefixes{v4: v4, v6: v6, bits6: map[uint32]uint32{}}
	if dir4 == nil {
		return p, nil
	}
	var err error
	if p.dir4, err = newDir4(dir4); err != nil {
		return nil, err
	}
	p.filter6, err = newFilter(filter6, filter6Words)
	return p, err
}

// active gives the settings bits for tables that hold something.
func (p *prefixes) active(v4, v6, v6All uint32) (bits uint32) {
	if p.table.Size4() > 0 {
		bits |= v4
	}
	if p.table.Size6() > 0 {
		bits |= v6
	}
	if p.short6 > 0 {
		bits |= v6All
	}
	return bits
}

// put records a claim in user space and gives the prefix's value for the
// kernel; changed is false where the kernel has it already.
func (p *prefixes) put(prefix netip.Prefix, c claim) (value blockValue, isNew, changed bool) {
	var before claim
	p.table.Modify(prefix, func(cs []claim, ok bool) ([]claim, bool) {
		isNew = !ok
		if ok {
			before = strongest(cs)
		}
		for i := range cs {
			if cs[i].list == c.list {
				cs[i] = c
				value = strongest(cs).value()
				return cs, false
			}
		}
		cs = append(cs, c)
		value = strongest(cs).value()
		return cs, false
	})
	if c.expires != 0 {
		heap.Push(&p.dues, due{c.expires, prefix, c.list})
	}
	return value, isNew, isNew || value != before.value()
}

// insert adds or replaces list's claim on prefix.
func (p *prefixes) insert(prefix netip.Prefix, c claim) error {
	value, isNew, changed := p.put(prefix, c)
	if !changed {
		return nil
	}
	if isNew && p.isFull4(prefix) {
		p.table.Delete(prefix)
		return full(unix.E2BIG, prefix)
	}
	if err := p.writeOne(prefix, value); err != nil {
		if isNew {
			p.table.Delete(prefix)
		}
		return err
	}
	if isNew {
		return errors.Join(p.filterAdd(prefix), p.flush())
	}
	return nil
}

// isFull4 reports whether a prefix that was just recorded is one too many.
func (p *prefixes) isFull4(prefix netip.Prefix) bool {
	return p.max4 > 0 && prefix.Addr().Is4() && p.table.Size4() > p.max4
}

func (p *prefixes) writeOne(prefix netip.Prefix, value blockValue) error {
	var err error
	if prefix.Addr().Is4() {
		err = p.v4.Put(lpm4{uint32(prefix.Bits()), prefix.Addr().As4()}, value)
	} else {
		err = p.v6.Put(lpm6{uint32(prefix.Bits()), prefix.Addr().As16()}, value)
	}
	return full(err, prefix)
}

// full turns the kernel's word for a full trie into ErrFull.
func full(err error, prefix netip.Prefix) error {
	if err == nil {
		return nil
	}
	if isFull(err) {
		return fmt.Errorf("add %s: %w", prefix, ErrFull)
	}
	return fmt.Errorf("add %s: %w", prefix, err)
}

// remove takes list's claim on prefix away, or every claim where list is
// anyList. It reports whether there was one.
func (p *prefixes) remove(prefix netip.Prefix, list uint32) (bool, error) {
	cs, ok := p.table.Get(prefix)
	if !ok {
		return false, nil
	}
	before := strongest(cs).value()
	kept := make([]claim, 0, len(cs))
	for _, c := range cs {
		if c.list != list && list != anyList {
			kept = append(kept, c)
		}
	}
	if len(kept) == len(cs) {
		return false, nil
	}
	if len(kept) > 0 {
		p.table.Insert(prefix, kept)
		if now := strongest(kept).value(); now != before {
			return true, p.writeOne(prefix, now)
		}
		return true, nil
	}
	if err := p.deleteOne(prefix); err != nil {
		return false, err
	}
	p.table.Delete(prefix)
	return true, errors.Join(p.filterRemove(prefix), p.flush())
}

// expire removes the claims that ended before now.
func (p *prefixes) expire(now uint64) (int, error) {
	n := 0
	var errs []error
	for len(p.dues) > 0 && p.dues[0].at <= now {
		d := heap.Pop(&p.dues).(due)
		cs, ok := p.table.Get(d.prefix)
		if !ok {
			continue
		}
		for _, c := range cs {
			if c.list != d.list || c.expires == 0 || c.expires > now {
				continue
			}
			if ok, err := p.remove(d.prefix, d.list); err != nil {
				errs = append(errs, err)
			} else if ok {
				n++
			}
			break
		}
	}
	return n, errors.Join(errs...)
}

// batchSize is how many entries go to the kernel in one call.
const batchSize = 4096

// load inserts many claims at once.
func (p *prefixes) load(items []item) error {
	var (
		k4 = make([]lpm4, 0, batchSize)
		k6 = make([]lpm6, 0, batchSize)
		v4 = make([]blockValue, 0, batchSize)
		v6 = make([]blockValue, 0, batchSize)
	)
	write := func(last bool) error {
		if p.fault != nil && (last && len(k4)+len(k6) > 0 || len(k4) == batchSize || len(k6) == batchSize) {
			if err := p.fault("prefixes"); err != nil {
				return err
			}
		}
		if len(k4) == batchSize || last && len(k4) > 0 {
			if _, err := p.v4.BatchUpdate(k4, v4, nil); err != nil {
				return err
			}
			k4, v4 = k4[:0], v4[:0]
		}
		if len(k6) == batchSize || last && len(k6) > 0 {
			if _, err := p.v6.BatchUpdate(k6, v6, nil); err != nil {
				return err
			}
			k6, v6 = k6[:0], v6[:0]
		}
		return nil
	}
	failed := func(at netip.Prefix, err error) error {
		// What user space has must be what the kernel has.
		return errors.Join(full(err, at), p.resync(), p.flush())
	}
	for _, it := range items {
		value, isNew, changed := p.put(it.prefix, it.claim)
		if !changed {
			continue
		}
		if isNew && p.isFull4(it.prefix) {
			p.table.Delete(it.prefix)
			if err := write(true); err != nil {
				return failed(it.prefix, err)
			}
			return errors.Join(full(unix.E2BIG, it.prefix), p.flush())
		}
		if isNew {
			if err := p.filterAdd(it.prefix); err != nil {
				return failed(it.prefix, err)
			}
		}
		if it.prefix.Addr().Is4() {
			k4 = append(k4, lpm4{uint32(it.prefix.Bits()), it.prefix.Addr().As4()})
			v4 = append(v4, value)
		} else {
			k6 = append(k6, lpm6{uint32(it.prefix.Bits()), it.prefix.Addr().As16()})
			v6 = append(v6, value)
		}
		if err := write(false); err != nil {
			return failed(it.prefix, err)
		}
	}
	if err := write(true); err != nil {
		return failed(items[len(items)-1].prefix, err)
	}
	return p.flush()
}

// resync drops from user space what the kernel did not take.
func (p *prefixes) resync() error {
	var gone []netip.Prefix
	for prefix := range p.table.All() {
		var err error
		var v blockValue
		if prefix.Addr().Is4() {
			err = p.v4.Lookup(lpm4{uint32(prefix.Bits()), prefix.Addr().As4()}, &v)
		} else {
			err = p.v6.Lookup(lpm6{uint32(prefix.Bits()), prefix.Addr().As16()}, &v)
		}
		// A trie answers with the longest match; another entry's value is as good as none.
		cs, _ := p.table.Get(prefix)
		if err != nil || v != strongest(cs).value() {
			gone = append(gone, prefix)
		}
	}
	var errs []error
	for _, prefix := range gone {
		p.table.Delete(prefix)
		errs = append(errs, p.filterRemove(prefix))
	}
	return errors.Join(errs...)
}

func (p *prefixes) filterAdd(prefix netip.Prefix) error {
	if p.dir4 == nil {
		return nil
	}
	if prefix.Addr().Is4() {
		return p.dir4.add(prefix)
	}
	if prefix.Bits() < 32 {
		p.short6++
		return nil
	}
	bit := bit6(prefix.Addr())
	if p.bits6[bit]++; p.bits6[bit] == 1 {
		p.filter6.set(bit, 1)
	}
	return nil
}

// filterRemove forgets what no remaining prefix needs. The prefix is already out
// of the table.
func (p *prefixes) filterRemove(prefix netip.Prefix) error {
	if p.dir4 == nil {
		return nil
	}
	if prefix.Addr().Is4() {
		return p.removeDir4(prefix)
	}
	if prefix.Bits() < 32 {
		p.short6--
		return nil
	}
	bit := bit6(prefix.Addr())
	if p.bits6[bit]--; p.bits6[bit] == 0 {
		delete(p.bits6, bit)
		p.filter6.clear(bit)
	}
	return nil
}

func (p *prefixes) flush() error {
	if p.filter6 == nil {
		return nil
	}
	return p.filter6.flush()
}

// range24 gives the /24s that a prefix covers or lies in.
func range24(prefix netip.Prefix) (first, n uint32) {
	a := prefix.Addr().As4()
	first = binary.BigEndian.Uint32(a[:]) >> 8
	if prefix.Bits() >= 24 {
		return first, 1
	}
	return first, 1 << (24 - prefix.Bits())
}

// bit6 is the twin of filter6_has in bpf/include/sluice_handle.h.
func bit6(a netip.Addr) uint32 {
	b := a.As16()
	return (binary.BigEndian.Uint32(b[:4]) * filter6Multipler) >> filter6Shift
}
