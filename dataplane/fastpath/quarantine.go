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
}

// Quarantined is a host whose packets go nowhere but to allowances.
type Quarantined struct {
	Host   netip.Addr
	Reason string
	// Expires is when the quarantine ends; never when zero.
	Expires time.Time
}

// quarantine is the quarantined hosts: few, so that all are looked at for expiry.
type quarantine struct {
	m     *ebpf.Map
	hosts map[netip.Addr]claim
}

func (q *quarantine) init(m *ebpf.Map) { q.m, q.hosts = m, map[netip.Addr]claim{} }

func (q *quarantine) active() uint32 {
	if len(q.hosts) > 0 {
		return activeQuarantine
	}
	return 0
}

func (q *quarantine) remove(host netip.Addr) (bool, error) {
	if _, ok := q.hosts[host]; !ok {
		return false, nil
	}
	if err := q.m.Delete(host.As16()); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, fmt.Errorf("release %s: %w", host, err)
	}
	delete(q.hosts, host)
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
	c := claim{expires: monotonicAt(q.Expires), list: f.names.list(QuarantineList), reason: f.names.reason(q.Reason)}
	if err := f.held.m.Put(host.As16(), c.value()); err != nil {
		if isFull(err) {
			err = ErrFull
		}
		return fmt.Errorf("quarantine %s: %w", host, err)
	}
	f.held.hosts[host] = c
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
		out = append(out, Quarantined{Host: host, Reason: textOf(f.names.reasons, c.reason), Expires: wallAt(c.expires)})
	}
	return out
}

// MaxAllowances is how many allowances there may be.
const MaxAllowances = maxAllowances

// SetAllowances replaces what quarantined hosts still reach.
func (f *FastPath) SetAllowances(all []Allowance) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	if len(all) > maxAllowances {
		return fmt.Errorf("set what quarantined hosts reach: %d destinations, the most is %d", len(all), maxAllowances)
	}
	for i := range uint32(maxAllowances) {
		var v allowance
		if int(i) < len(all) {
			a := &all[i]
			p, err := canonical(a.Prefix)
			if err != nil {
				return fmt.Errorf("set what quarantined hosts reach: %w", err)
			}
			bits := p.Bits()
			if p.Addr().Is4() {
				bits += 96
			}
			v = allowance{Addr: p.Addr().As16(), Proto: a.Proto, Used: 1, First: a.First, Last: a.Last}
			for b := range bits {
				v.Mask[b/8] |= 0x80 >> (b % 8)
			}
			if a.First != 0 || a.Last != 0 {
				v.Ports = 1
			}
		}
		if err := f.xdp.Allowances.Put(i, v); err != nil {
			return fmt.Errorf("set what quarantined hosts reach: %w", err)
		}
	}
	return nil
}
