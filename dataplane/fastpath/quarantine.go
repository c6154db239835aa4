package fastpath

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
)

// QuarantineList is the list that quarantined hosts are counted under.
const QuarantineList = "quarantine"

// Allowance is a destination that quarantined hosts still reach.
type Allowance struct {
	Prefix netip.Prefix
	// Proto is an IP protocol number; 0 allows all.
	Proto uint8
	// First and Last bound the port of either end; both 0 allow all. Only TCP, UDP
	// and SCTP have ports.
	First, Last uint16
	// Set is which hosts it is for: those with the same.
	Set uint8
}

// Quarantined is a host whose packets go nowhere but to allowances.
type Quarantined struct {
	Host   netip.Addr
	Reason string
	// Link is the host's link-layer address, by which its other addresses are held
	// too; zero where it is not known, or is a router's.
	Link [6]byte
	// Set chooses the allowances that are the host's: those with the same.
	Set uint8
	// Expires is when the quarantine ends; never when zero.
	Expires time.Time
}

// quarantine is the quarantined hosts: few, so that all are looked at for expiry.
type quarantine struct {
	m, links *ebpf.Map
	hosts    map[netip.Addr]held
}

// held is a host in quarantine.
type held struct {
	claim
	link [6]byte
}

func (q *quarantine) init(m, links *ebpf.Map) {
	q.m, q.links, q.hosts = m, links, map[netip.Addr]held{}
}

func (q *quarantine) active() (bits uint32) {
	for _, h := range q.hosts {
		bits |= activeQuarantine
		if h.link != [6]byte{} {
			return bits | activeQuarantineLink
		}
	}
	return bits
}

// linkKey is a link-layer address as the program looks it up.
func linkKey(link [6]byte) (key [8]byte) {
	copy(key[:], link[:])
	return key
}

// unlink has the kernel forget a link-layer address, or hold it for another host
// that has it.
func (q *quarantine) unlink(link [6]byte) error {
	if link == [6]byte{} {
		return nil
	}
	for _, h := range q.hosts {
		if h.link == link {
			return q.links.Put(linkKey(link), h.value())
		}
	}
	if err := q.links.Delete(linkKey(link)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	return nil
}

func (q *quarantine) remove(host netip.Addr) (bool, error) {
	h, ok := q.hosts[host]
	if !ok {
		return false, nil
	}
	if err := q.m.Delete(host.As16()); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, fmt.Errorf("release %s: %w", host, err)
	}
	delete(q.hosts, host)
	if err := q.unlink(h.link); err != nil {
		return true, fmt.Errorf("release %s: %w", host, err)
	}
	return true, nil
}

func (q *quarantine) expire(now uint64) (n int) {
	for host, c := range q.hosts {
		if c.expires == 0 || c.expires > now {
			continue
		}
		if ok, _ := q.remove(host); ok {
			n++
		}
	}
	return n
}

// ErrAllowed tells that a host is on the allow list, which exempts it from every
// drop.
var ErrAllowed = errors.New("on the allow list")

// Quarantine drops what a host sends, except to the allowances, whatever port
// it comes in by. Anew it replaces reason and expiry. ErrAllowed and ErrFull tell
// why it cannot.
func (f *FastPath) Quarantine(q Quarantined) error {
	host := q.Host.Unmap()
	if !host.IsValid() || host.Zone() != "" || host.IsUnspecified() || host.IsMulticast() {
		return fmt.Errorf("quarantine: %q is no host's address", q.Host)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	if _, ok := f.allow.table.Lookup(host); ok {
		return fmt.Errorf("quarantine %s: %w", host, ErrAllowed)
	}
	if q.Link[0]&1 != 0 {
		return fmt.Errorf("quarantine %s: the link-layer address is of many", host)
	}
	c := claim{expires: monotonicAt(q.Expires), list: f.names.list(QuarantineList), reason: f.names.reason(q.Reason), set: q.Set}
	if err := f.held.m.Put(host.As16(), c.value()); err != nil {
		if isFull(err) {
			err = ErrFull
		}
		return fmt.Errorf("quarantine %s: %w", host, err)
	}
	before := f.held.hosts[host]
	f.held.hosts[host] = held{c, q.Link}
	if q.Link != [6]byte{} {
		if err := f.held.links.Put(linkKey(q.Link), c.value()); err != nil {
			return errors.Join(fmt.Errorf("quarantine %s by its link-layer address: %w", host, err), f.apply())
		}
	}
	if before.link != q.Link {
		if err := f.held.unlink(before.link); err != nil {
			return errors.Join(fmt.Errorf("quarantine %s: %w", host, err), f.apply())
		}
	}
	return f.apply()
}

// Release ends a host's quarantine, at once. It reports whether there was one.
func (f *FastPath) Release(host netip.Addr) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false, ErrClosed
	}
	ok, err := f.held.remove(host.Unmap())
	return ok, errors.Join(err, f.apply())
}

// Quarantined gives the hosts in quarantine, in no order.
func (f *FastPath) Quarantined() []Quarantined {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Quarantined
	for host, c := range f.held.hosts {
		out = append(out, Quarantined{Host: host, Link: c.link, Set: c.set, Reason: textOf(f.names.reasons, c.reason), Expires: wallAt(c.expires)})
	}
	return out
}

// MaxAllowances is how many allowances there may be.
const MaxAllowances = maxAllowances

// compileAllowances gives allowances in the kernel's terms.
func compileAllowances(all []Allowance) (out [maxAllowances]allowance, err error) {
	if len(all) > maxAllowances {
		return out, fmt.Errorf("set what quarantined hosts reach: %d destinations, the most is %d", len(all), maxAllowances)
	}
	for i := range all {
		a := &all[i]
		p, err := canonical(a.Prefix)
		if err != nil {
			return out, fmt.Errorf("set what quarantined hosts reach: %w", err)
		}
		bits := p.Bits()
		if p.Addr().Is4() {
			bits += 96
		}
		v := allowance{Addr: p.Addr().As16(), Proto: a.Proto, Used: 1, First: a.First, Last: a.Last, Set: a.Set}
		for b := range bits {
			v.Mask[b/8] |= 0x80 >> (b % 8)
		}
		if a.First != 0 || a.Last != 0 {
			v.Ports = 1
		}
		out[i] = v
	}
	return out, nil
}

// writeAllowances puts allowances in force. The caller holds mu.
func (f *FastPath) writeAllowances(all [maxAllowances]allowance) error {
	for i := range all {
		err := f.fault("allowances")
		if err == nil {
			err = f.xdp.Allowances.Put(uint32(i), all[i])
		}
		if err != nil {
			return fmt.Errorf("set what quarantined hosts reach: %w", err)
		}
		f.reach[i] = all[i]
	}
	return nil
}
