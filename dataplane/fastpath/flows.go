package fastpath

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"sluice/dataplane/flow"
)

// flowDue is a dropped flow's expiry in the heap; stale where the table says
// otherwise.
type flowDue struct {
	at  uint64
	key flow.Key
}

type flowHeap []flowDue

func (h flowHeap) Len() int           { return len(h) }
func (h flowHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h flowHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *flowHeap) Push(x any)        { *h = append(*h, x.(flowDue)) }
func (h *flowHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}

// flowTable is the flows that XDP drops. The FastPath's lock guards it.
type flowTable struct {
	m     *ebpf.Map
	ends  map[flow.Key]uint64
	dues  flowHeap
	swept uint64
	// max bounds the flows, for whose map has more room than that.
	max int
	// filter stands in front of the map; bits counts the flows behind each of its bits.
	filter *filter
	bits   map[uint32]uint32
	ended  func(flow.Key, flow.Bypassed)
}

// flowBit is the twin of flow_filter_has in bpf/include/sluice_flows.h.
func flowBit(key *flow.Key) uint32 {
	sum := uint32(key.Port[0]) + uint32(key.Port[1])
	for end := range key.Addr {
		for i := 0; i < 16; i += 4 {
			sum += binary.NativeEndian.Uint32(key.Addr[end][i:])
		}
	}
	return (sum * filter6Multipler) >> flowFilterShift
}

// note counts a flow behind its bit; forget takes it away. The bit is set before
// the flow is in the map, and cleared when it is out.
func (t *flowTable) note(key *flow.Key) error {
	bit := flowBit(key)
	if t.bits[bit]++; t.bits[bit] > 1 {
		return nil
	}
	t.filter.set(bit, 1)
	t.filter.set(flowFilterAny, 1)
	return t.filter.flush()
}

func (t *flowTable) forget(key *flow.Key) error {
	bit := flowBit(key)
	if t.bits[bit]--; t.bits[bit] > 0 {
		return nil
	}
	delete(t.bits, bit)
	t.filter.clear(bit)
	if len(t.bits) == 0 {
		t.filter.clear(flowFilterAny)
	}
	return t.filter.flush()
}

func (t *flowTable) init(m, front *ebpf.Map, most int, ended func(flow.Key, flow.Bypassed)) (err error) {
	t.m, t.max, t.ended, t.ends, t.bits = m, most, ended, map[flow.Key]uint64{}, map[uint32]uint32{}
	t.filter, err = newFilter(front, flowFilterWords+1)
	return err
}

func (t *flowTable) active() uint32 {
	if len(t.ends) > 0 {
		return activeFlows
	}
	return 0
}

func (t *flowTable) add(key flow.Key, expires uint64) error {
	value := flowDrop{Expires: expires, Flags: flowUntilSYN}
	_, known := t.ends[key]
	if known {
		var old flowDrop
		if t.m.Lookup(key, &old) == nil {
			if old.Expires > monotonic() {
				// Renewed: what it has counted so far goes on.
				value.Packets, value.Bytes = old.Packets, old.Bytes
			} else {
				t.tell(key, &old)
			}
		}
	} else if len(t.ends) >= t.max {
		return fmt.Errorf("drop flow: %w", ErrFull)
	} else if err := t.note(&key); err != nil {
		return errors.Join(fmt.Errorf("drop flow: %w", err), t.forget(&key))
	}
	if err := t.m.Put(key, value); err != nil {
		if !known {
			_ = t.forget(&key) // one bit too many costs a look at the map
		}
		if isFull(err) {
			err = ErrFull
		}
		return fmt.Errorf("drop flow: %w", err)
	}
	t.ends[key] = expires
	heap.Push(&t.dues, flowDue{expires, key})
	return nil
}

func (t *flowTable) remove(key flow.Key) bool {
	if _, ok := t.ends[key]; !ok {
		return false
	}
	delete(t.ends, key)
	var last flowDrop
	err := t.m.LookupAndDelete(key, &last)
	_ = t.forget(&key) // one bit too many costs a look at the map
	if errors.Is(err, ebpf.ErrKeyNotExist) || err == nil {
		t.tell(key, &last)
	}
	return true
}

// tell reports a flow's last counts.
func (t *flowTable) tell(key flow.Key, last *flowDrop) {
	if t.ended != nil {
		t.ended(key, last.counts(true))
	}
}

func (v *flowDrop) counts(ended bool) flow.Bypassed {
	return flow.Bypassed{Packets: v.Packets, Bytes: v.Bytes, Ended: ended}
}

func (t *flowTable) expire(now uint64) (n int) {
	if len(t.ends) > 0 && now-t.swept > uint64(sweepFlows) {
		t.swept = now
		n = t.sweep(now)
	}
	for len(t.dues) > 0 && t.dues[0].at <= now {
		d := heap.Pop(&t.dues).(flowDue)
		if end, ok := t.ends[d.key]; ok && end <= now {
			t.remove(d.key)
			n++
		}
	}
	return n
}

const (
	// flowLinger is FLOW_LINGER_NS of sluice_const.h: how long a flow stays
	// dropped after its FIN or RST.
	flowLinger = 10 * time.Second
	// sweepFlows is how often flows are looked for that ended before their time.
	sweepFlows = 5 * time.Second
)

// sweep takes out the flows that the program ended: by a new handshake, or some
// time after a FIN or RST.
func (t *flowTable) sweep(now uint64) int {
	var gone []flow.Key
	var key flow.Key
	var v flowDrop
	for it := t.m.Iterate(); it.Next(&key, &v); {
		if v.Expires <= now {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		t.remove(key)
	}
	return len(gone)
}

// DropFlow drops both directions of a flow in XDP, and at a gate what the host
// says in it, for ttl. A new TCP handshake on the same ports ends it sooner, for
// that is another connection; after a FIN or RST it lasts a while yet. Where a
// network card strips VLAN tags before XDP, the key of a tagged flow does not
// match: dataplane/live switches that offload off.
func (f *FastPath) DropFlow(key flow.Key, ttl time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	wasActive := f.flows.active()
	if err := f.flows.add(key, monotonic()+uint64(max(ttl, 1))); err != nil {
		return err
	}
	if wasActive != 0 {
		return nil
	}
	return f.apply()
}

// Dropped reads what was dropped of a flow; ok is false where it is not in the
// table. Ended tells that its packets pass again: by a new handshake, or because
// its time is over. It never waits, so that workers may ask; it is not valid
// after Close.
func (f *FastPath) Dropped(key flow.Key) (n flow.Bypassed, ok bool) {
	var v flowDrop
	if f.xdp.Flows.Lookup(key, &v) != nil {
		return n, false
	}
	return v.counts(v.Expires <= monotonic()), true
}

// UndropFlow lets a flow pass again. It reports whether it was dropped.
func (f *FastPath) UndropFlow(key flow.Key) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false, ErrClosed
	}
	ok := f.flows.remove(key)
	return ok, f.apply()
}

// DroppedFlows tells how many flows XDP drops at present.
func (f *FastPath) DroppedFlows() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.flows.ends)
}
