package decode

import "encoding/binary"

// DefragConfig bounds the reassembly of IP fragments. Times are packet times.
// The zero value is the default.
type DefragConfig struct {
	// Timeout in nanoseconds is how long the fragments of a datagram are kept
	// after the first; 0 means 60 s, as Suricata's defrag.timeout.
	Timeout int64
	// MemCap bounds the bytes of all buffers; 0 means 32 MiB. When it is
	// reached, the oldest datagrams go.
	MemCap int
	// MaxDatagrams bounds the datagrams in work; 0 means 65535.
	MaxDatagrams int
	// MaxFragments bounds the fragments of a datagram; 0 means 1024. A datagram
	// with more is discarded.
	MaxFragments int
	// MaxHeld bounds the fragments of all datagrams in work; 0 means 65535. When
	// it is reached, the oldest datagrams go.
	MaxHeld int
	// Policy decides who wins where fragments overlap; the default is
	// PolicyBSD. PolicyFor, when set, decides by destination and has the last word.
	Policy    OverlapPolicy
	PolicyFor func(dst Addr) OverlapPolicy
	// KeepIPv6Overlaps reassembles overlapping IPv6 fragments by the policy, as
	// for IPv4. By default such a datagram is discarded with all that comes
	// of it, as RFC 5722 demands of every receiver; exact repetitions are no
	// overlap to a receiver and do no harm.
	KeepIPv6Overlaps bool
	// Off leaves fragments as they are.
	Off bool
}

const (
	// headRoom precedes the payload in a datagram's buffer: link and IP headers
	// are put before it when it is complete.
	headRoom = 512
	// maxLink is the longest link header that is put there.
	maxLink     = 128
	maxDatagram = 65535
	minBuffer   = 2048
	bufferSizes = 6
)

// bufferSize gives the payload bytes of a buffer of class c: 2 KiB … 64 KiB.
func bufferSize(c uint8) int { return minBuffer << c }

// datagramKey is what fragments of one datagram share. Protocol is 0 for IPv6,
// whose fragments are told apart by addresses and identification alone.
type datagramKey struct {
	src, dst Addr
	id       uint32
	tunnel   uint32
	vlan     [MaxVLAN]uint16
	proto    uint8
	version  uint8
}

// datagram is one in work. Datagrams live in a slab and are linked by age.
type datagram struct {
	key    datagramKey
	buf    []byte
	class  uint8
	policy OverlapPolicy
	// discarded: overlapping or too many fragments; kept to swallow the rest.
	discarded bool
	hasFirst  bool
	frags     int
	// have counts the bytes present; total is -1 until the last fragment came.
	have, total int
	// head is the length of the first fragment's headers, stored right before
	// the payload; link of them are the link header's.
	head, link int
	pieces     []piece
	begun      int64
	prev, succ int32
}

// lending is a buffer that a reassembled packet uses to the next Decode.
type lending struct {
	buf   []byte
	class uint8
}

// defragger holds the fragments of a worker.
type defragger struct {
	cfg   DefragConfig
	index map[datagramKey]int32
	slab  []datagram
	free  []int32
	pool  [bufferSizes][][]byte
	lent  []lending
	// mem counts all buffers, those in the pool too; held the fragments of the
	// datagrams in work.
	mem, held      int
	oldest, newest int32
}

func (s *defragger) init(cfg DefragConfig) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 60e9
	}
	if cfg.MemCap <= 0 {
		cfg.MemCap = 32 << 20
	}
	if cfg.MaxDatagrams <= 0 {
		cfg.MaxDatagrams = 65535
	}
	if cfg.MaxFragments <= 0 {
		cfg.MaxFragments = 1024
	}
	if cfg.MaxHeld <= 0 {
		cfg.MaxHeld = 65535
	}
	s.cfg = cfg
	s.index = make(map[datagramKey]int32)
	s.oldest, s.newest = -1, -1
}

// takeBack ends the lending of buffers to reassembled packets.
func (s *defragger) takeBack() {
	for i, l := range s.lent {
		s.pool[l.class] = append(s.pool[l.class], l.buf)
		s.lent[i] = lending{}
	}
	s.lent = s.lent[:0]
}

// fragment is one fragment on its way into its datagram.
type fragment struct {
	start, end int
	last       bool
	data       []byte
}

// fragment4 takes an IPv4 fragment whose header of hl bytes is at off.
func (d *Decoder) fragment4(p *Packet, off, hl, total int) {
	d.Counters.Fragments4++
	p.Flags |= FlagFragment
	at, end := off+hl, off+total
	p.L4, p.Payload, p.PayloadEnd = uint32(at), uint32(at), uint32(end)
	d.fragmentPorts(p, at, end)
	// What the destination would not take may not shape what we see.
	if d.defrag.cfg.Off || p.Flags&(FlagTruncated|FlagBadIPChecksum|FlagInvalid) != 0 {
		return
	}
	f := fragment{start: int(p.FragOffset), last: !p.MoreFragments}
	n := total - hl
	if !f.last {
		n &^= 7 // receivers cut the rest off
	}
	f.end = f.start + n
	f.data = p.Data[at : at+n]
	if n == 0 {
		p.event(d, EvIPv4FragIgnored)
		return
	}
	if hl+f.end > maxDatagram {
		d.invalid(p, EvIPv4FragPktTooLarge)
		return
	}
	k := p.datagramKey(p.Proto)
	i := d.addFragment(p, k, f, EvIPv4FragOverlap, EvIPv4FragIgnored, true)
	if i < 0 {
		return
	}
	g := &d.defrag.slab[i]
	if f.start == 0 && !g.hasFirst {
		g.keepHeaders(p.Data, int(p.L2), off, at)
	}
	if !g.complete() {
		return
	}
	h := g.ipHeader()
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+g.total))
	binary.BigEndian.PutUint16(h[6:], 0)
	binary.BigEndian.PutUint16(h[10:], 0)
	binary.BigEndian.PutUint16(h[10:], ChecksumIPv4(h))
	d.Counters.Reassembled4++
	d.emit(p, i)
}

// reassemble6 takes an IPv6 fragment: the IPv6 header is at off, the fragment
// header at at, its number written at nhAt.
func (d *Decoder) reassemble6(p *Packet, off, nhAt, at, end int) {
	d.Counters.Fragments6++
	p.Flags |= FlagFragment
	next := p.Data[at]
	body := at + 8
	p.L4, p.Payload, p.Proto = uint32(body), uint32(body), next
	d.fragmentPorts(p, body, end)
	if d.defrag.cfg.Off || p.Flags&(FlagTruncated|FlagInvalid) != 0 {
		return
	}
	n := end - body
	f := fragment{start: int(p.FragOffset), last: !p.MoreFragments}
	if !f.last && n%8 != 0 {
		d.invalid(p, EvIPv6FragInvalidLength)
		return
	}
	f.end = f.start + n
	f.data = p.Data[body:end]
	if n == 0 {
		p.event(d, EvIPv6FragIgnored)
		return
	}
	if f.end > maxDatagram {
		d.invalid(p, EvIPv6FragPktTooLarge)
		return
	}
	i := d.addFragment(p, p.datagramKey(0), f, EvIPv6FragOverlap, EvIPv6FragIgnored, d.defrag.cfg.KeepIPv6Overlaps)
	if i < 0 {
		return
	}
	g := &d.defrag.slab[i]
	if f.start == 0 && !g.hasFirst {
		g.keepHeaders(p.Data, int(p.L2), off, at)
		if g.hasFirst {
			// Whatever announced the fragment header announces its successor.
			g.ipHeader()[nhAt-off] = next
		}
	}
	if !g.complete() {
		return
	}
	h := g.ipHeader()
	if len(h)-ipv6HdrLen+g.total > maxDatagram {
		d.invalid(p, EvIPv6FragPktTooLarge)
		d.defrag.remove(i)
		return
	}
	binary.BigEndian.PutUint16(h[4:], uint16(len(h)-ipv6HdrLen+g.total))
	d.Counters.Reassembled6++
	d.emit(p, i)
}

// fragmentPorts takes the ports of a first fragment.
func (d *Decoder) fragmentPorts(p *Packet, at, end int) {
	if p.FragOffset != 0 || end-at < 4 {
		return
	}
	switch p.Proto {
	case ProtoTCP, ProtoUDP, ProtoSCTP:
		p.SrcPort, p.DstPort = be16(p.Data[at:]), be16(p.Data[at+2:])
		p.Flags |= FlagHasPorts
	}
}

func (p *Packet) datagramKey(proto uint8) datagramKey {
	return datagramKey{src: p.Src, dst: p.Dst, id: p.IPID, tunnel: p.TunnelID, vlan: p.VLAN, proto: proto, version: p.IPVersion}
}

// addFragment puts f into its datagram and gives the datagram's place in the
// slab, or -1 where the fragment was not taken. With resolve, overlaps are
// settled by the policy; without, they discard the datagram.
func (d *Decoder) addFragment(p *Packet, k datagramKey, f fragment, overlap, ignored Event, resolve bool) int32 {
	s := &d.defrag
	s.expire(d, p.Time)
	i, ok := s.index[k]
	if !ok {
		i = s.begin(d, k, p)
	}
	g := &s.slab[i]
	if g.discarded {
		p.Flags |= FlagInvalid
		d.Counters.DefragDiscarded++
		return -1
	}
	if !s.room(d, i) {
		d.Counters.DefragLimit++
		d.invalid(p, ignored)
		s.discard(g)
		return -1
	}
	s.held++
	if g.frags++; g.frags > s.cfg.MaxFragments {
		d.Counters.DefragLimit++
		d.invalid(p, ignored)
		s.discard(g)
		return -1
	}
	if !s.grow(d, i, f.end) {
		d.Counters.DefragEvicted++
		d.invalid(p, ignored)
		s.remove(i)
		return -1
	}
	kind := g.classify(f)
	if kind != overlapNone {
		d.Counters.DefragOverlap++
		p.event(d, overlap)
		if !resolve {
			if kind == overlapRepeat {
				return i
			}
			p.Flags |= FlagInvalid
			s.discard(g)
			return -1
		}
	}
	g.insert(f)
	if f.last && g.total < 0 {
		g.total = f.end
	}
	return i
}

// keepHeaders stores the headers of the first fragment: the link header where it
// is short enough, then the IP header up to at.
func (g *datagram) keepHeaders(data []byte, l2, off, at int) {
	if off-l2 > maxLink || at-l2 > headRoom {
		l2 = off
	}
	if at-l2 > headRoom {
		// More extension headers than any sender puts there: without them the
		// datagram cannot be rebuilt, and it times out.
		return
	}
	g.hasFirst = true
	g.link, g.head = off-l2, at-l2
	copy(g.buf[headRoom-g.head:], data[l2:at])
}

// ipHeader gives the stored IP header.
func (g *datagram) ipHeader() []byte { return g.buf[headRoom-g.head+g.link : headRoom] }

// complete tells whether headers and all bytes are there.
func (g *datagram) complete() bool {
	if g.total < 0 || !g.hasFirst || g.have < g.total {
		return false
	}
	have := 0
	for _, q := range g.pieces {
		if int(q.start) >= g.total {
			break
		}
		have += min(int(q.end), g.total) - int(q.start)
	}
	return have == g.total
}

// emit adds the packet that datagram i makes and decodes it. The datagram is
// given up, its buffer lent to the packet.
func (d *Decoder) emit(p *Packet, i int32) {
	s := &d.defrag
	g := &s.slab[i]
	from := headRoom - g.head
	data := g.buf[from : headRoom+g.total : headRoom+g.total]
	link := g.link
	s.lent = append(s.lent, lending{g.buf, g.class})
	g.buf = nil
	s.remove(i)

	q := d.add(data)
	if q == nil {
		p.event(d, EvTooManyLayers)
		return
	}
	q.Flags = FlagReassembled | p.Flags&FlagTunnel
	q.EtherType = p.EtherType
	q.VLAN, q.NVLAN = p.VLAN, p.NVLAN
	q.TunnelDepth, q.TunnelID = p.TunnelDepth, p.TunnelID
	if p.IPVersion == 4 {
		d.ipv4(q, link)
	} else {
		d.ipv6(q, link)
	}
}
