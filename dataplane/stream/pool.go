package stream

// segment is a copy of a run of a direction's bytes. It lives in one list at a
// time and goes back to the engine's pool of its size.
type segment struct {
	seq uint32
	// oob marks a byte that is taken out of the stream (urgent data).
	oob bool
	// gap marks an urgent byte that is reported as a gap.
	gap   bool
	class uint8
	// gen numbers the arrival that these bytes came with, and [from, to) is the
	// run of that arrival they belong to, which overlap policies compare.
	gen      uint32
	from, to uint32
	// data is the part of buf that counts.
	data []byte
	buf  []byte
	next *segment
}

func (g *segment) end() uint32 { return g.seq + uint32(len(g.data)) }

// segList is a list of segments in order of sequence numbers, without
// overlaps. It is a window on a slice, so that taking from the front is free
// and finding a place is a binary search.
type segList struct {
	s     []*segment
	head  int
	bytes int
}

func (l *segList) len() int            { return len(l.s) - l.head }
func (l *segList) at(i int) *segment   { return l.s[l.head+i] }
func (l *segList) first() *segment     { return l.s[l.head] }
func (l *segList) last() *segment      { return l.s[len(l.s)-1] }
func (l *segList) pushBack(g *segment) { l.insert(l.len(), g) }

func (l *segList) popFront() *segment {
	g := l.s[l.head]
	l.s[l.head] = nil
	l.head++
	l.bytes -= len(g.data)
	if l.head == len(l.s) {
		l.s, l.head = l.s[:0], 0
	}
	return g
}

// insert puts g at place i.
func (l *segList) insert(i int, g *segment) {
	if len(l.s) == cap(l.s) && l.head > len(l.s)/2 {
		n := copy(l.s, l.s[l.head:])
		clear(l.s[n:])
		l.s, l.head = l.s[:n], 0
	}
	l.s = append(l.s, nil)
	copy(l.s[l.head+i+1:], l.s[l.head+i:])
	l.s[l.head+i] = g
	l.bytes += len(g.data)
}

// trimFront drops the first n bytes of the segment at place i.
func (l *segList) trimFront(i, n int) {
	g := l.at(i)
	g.seq += uint32(n)
	g.data = g.data[n:]
	l.bytes -= n
}

// trimBack keeps the first n bytes of the segment at place i.
func (l *segList) trimBack(i, n int) {
	g := l.at(i)
	l.bytes -= len(g.data) - n
	g.data = g.data[:n]
}

// find gives the place of the first segment that ends after seq.
func (l *segList) find(seq uint32) int {
	lo, hi := 0, l.len()
	if hi == 0 || diff(seq, l.last().end()) >= 0 {
		return hi // the usual case: behind everything
	}
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if diff(l.at(m).end(), seq) > 0 {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo
}

// queue is what a direction holds: bytes not yet given, and, inline, bytes
// given but not yet acknowledged.
type queue struct {
	held, kept segList
	next       *queue
}

// Buffer sizes. A segment takes the smallest that fits; longer data is split.
var classSize = [...]int{256, 2048, 16384, 65536}

// slabBytes is about what one growth of a pool allocates.
const slabBytes = 64 << 10

// pools hold what sessions give back. What is allocated stays: the memcap
// bounds it per class of size.
type pools struct {
	free     [len(classSize)]*segment
	queues   *queue
	shakes   *handshake
	inUse    int64
	reserved int64
}

// get gives a segment with room for up to n bytes, at most the largest class;
// nil when cap bytes would be exceeded.
func (p *pools) get(n int, memcap int64) *segment {
	c := 0
	for c < len(classSize)-1 && classSize[c] < n {
		c++
	}
	size := int64(classSize[c])
	if p.inUse+size > memcap {
		return nil
	}
	if p.free[c] == nil {
		p.grow(c)
	}
	g := p.free[c]
	p.free[c] = g.next
	p.inUse += size
	g.next = nil
	return g
}

func (p *pools) grow(c int) {
	size := classSize[c]
	n := max(1, slabBytes/size)
	buf := make([]byte, n*size)
	segs := make([]segment, n)
	p.reserved += int64(n * size)
	for i := range segs {
		g := &segs[i]
		g.class, g.buf = uint8(c), buf[i*size:(i+1)*size:(i+1)*size]
		g.next, p.free[c] = p.free[c], g
	}
}

func (p *pools) put(g *segment) {
	p.inUse -= int64(classSize[g.class])
	g.data, g.oob, g.gap = nil, false, false
	g.next, p.free[g.class] = p.free[g.class], g
}

func (p *pools) getQueue() *queue {
	q := p.queues
	if q == nil {
		return &queue{}
	}
	p.queues, q.next = q.next, nil
	return q
}

// putQueue takes an empty queue back. The slices stay with it, except for the
// long ones, which would pin memory after one bad connection.
func (p *pools) putQueue(q *queue) {
	for _, l := range []*segList{&q.held, &q.kept} {
		if cap(l.s) > 512 {
			l.s = nil
		}
		l.s, l.head, l.bytes = l.s[:0], 0, 0
	}
	q.next, p.queues = p.queues, q
}

func (p *pools) getShake() *handshake {
	h := p.shakes
	if h == nil {
		return &handshake{}
	}
	p.shakes = h.next
	*h = handshake{}
	return h
}

func (p *pools) putShake(h *handshake) { h.next, p.shakes = p.shakes, h }
