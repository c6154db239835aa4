package fastpath

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// Count is packets and bytes (of whole frames).
type Count struct {
	Packets, Bytes uint64
}

// Counters tells what became of every frame since Open, by reason, exactly.
type Counters [NumReasons]Count

// Of gives one reason's count.
func (c *Counters) Of(r Reason) Count { return c[r] }

// Dropped gives the sum over all reasons to drop.
func (c *Counters) Dropped() (n Count) {
	for r := ReasonBlockSource; r < NumReasons; r++ {
		n.Packets += c[r].Packets
		n.Bytes += c[r].Bytes
	}
	return n
}

// Counters reads the counters of all CPUs.
func (f *FastPath) Counters() (Counters, error) {
	var out Counters
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return out, ErrClosed
	}
	var perCPU []counter
	for r := range out {
		if err := f.xdp.Counters.Lookup(uint32(r), &perCPU); err != nil {
			return out, fmt.Errorf("read counters: %w", err)
		}
		for _, c := range perCPU {
			out[r].Packets += c.Packets
			out[r].Bytes += c.Bytes
		}
	}
	return out, nil
}

// ListCounters tells what each block list has dropped, by its name. Lists
// beyond the 255th share one count under the last one's name.
func (f *FastPath) ListCounters() (map[string]Count, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	out := map[string]Count{}
	var perCPU []listCounter
	for i, name := range f.names.lists[:min(len(f.names.lists), maxLists)] {
		if err := f.xdp.Lists.Lookup(uint32(i), &perCPU); err != nil {
			return nil, fmt.Errorf("read the lists' counters: %w", err)
		}
		var n Count
		for _, c := range perCPU {
			n.Packets += c.Packets
			n.Bytes += c.Bytes
		}
		if n.Packets > 0 {
			out[name] = n
		}
	}
	return out, nil
}

// Sample is one dropped packet.
type Sample struct {
	Time     time.Time
	Src, Dst netip.AddrPort
	VLAN     [2]uint16
	Ifindex  int
	// Length is the frame's, in bytes.
	Length int
	Reason Reason
	Proto  uint8
	// TCPFlags of a TCP packet.
	TCPFlags uint8
	// List and Why are of the list entry that matched, if one did.
	List, Why string
}

// Samples calls fn with samples of dropped packets until ctx ends. Only one
// call may run at a time.
func (f *FastPath) Samples(ctx context.Context, fn func(*Sample)) error {
	r, err := ringbuf.NewReader(f.xdp.Samples)
	if err != nil {
		return fmt.Errorf("open the sample ring: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	defer r.Close()
	var rec ringbuf.Record
	var s Sample
	for {
		if err := r.ReadInto(&rec); err != nil {
			if errors.Is(err, ringbuf.ErrClosed) || errors.Is(err, os.ErrClosed) {
				return nil
			}
			return fmt.Errorf("read the sample ring: %w", err)
		}
		if f.sample(&s, rec.RawSample) {
			fn(&s)
		}
	}
}

func (f *FastPath) sample(s *Sample, raw []byte) bool {
	var d dropRecord
	if len(raw) < int(unsafe.Sizeof(d)) {
		return false
	}
	if _, err := binary.Decode(raw, binary.NativeEndian, &d); err != nil {
		return false
	}
	f.mu.Lock()
	list, why := textOf(f.names.lists, d.List), textOf(f.names.reasons, d.Entry)
	if Reason(d.Reason) == ReasonACL {
		list, why = "", f.acl.name(d.Entry)
	}
	f.mu.Unlock()
	*s = Sample{
		Time:     wallAt(d.Time),
		Src:      netip.AddrPortFrom(netip.AddrFrom16(d.Src).Unmap(), d.Sport),
		Dst:      netip.AddrPortFrom(netip.AddrFrom16(d.Dst).Unmap(), d.Dport),
		VLAN:     d.Vlan,
		Ifindex:  int(d.Ifindex),
		Length:   int(d.Length),
		Reason:   Reason(d.Reason),
		Proto:    d.Proto,
		TCPFlags: d.Flags,
		List:     list,
		Why:      why,
	}
	return true
}

// Memory is what the kernel says the tables of blocks and flows take, in bytes.
// It under-reports tries.
func (f *FastPath) Memory() (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, ErrClosed
	}
	var sum uint64
	for _, m := range []*ebpf.Map{f.xdp.Block4, f.xdp.Block6, f.xdp.Allow4, f.xdp.Allow6, f.xdp.Dir4, f.xdp.Filter6, f.xdp.Flows, f.xdp.FlowFilter, f.xdp.Fragments, f.xdp.Buckets,
		f.xdp.Targets, f.xdp.Quarantine, f.xdp.Zone4, f.xdp.Zone6, f.xdp.Acl, f.xdp.AclFlows} {
		info, err := m.Info()
		if err != nil {
			return 0, fmt.Errorf("ask for a table's memory: %w", err)
		}
		n, _ := info.Memlock()
		sum += n
	}
	return sum, nil
}
