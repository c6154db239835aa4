package decode

import (
	"encoding/binary"

	"sluice/dataplane/capture"
)

// maxPackets bounds the packets of one frame; MaxLayers is reached first.
const maxPackets = 24

// defaultMaxLayers is how many headers of a frame are followed.
const defaultMaxLayers = 16

// Config tells a Decoder how to work. The zero value is the default.
type Config struct {
	// NoChecksum accepts every checksum unseen (Suricata's -k none).
	NoChecksum bool
	// MaxLayers bounds the link, network and tunnel headers followed in a frame;
	// 0 means 16, at most 20 (Suricata's decoder.max-layers).
	MaxLayers int
	// VXLANPorts, GenevePorts and TeredoPorts are the UDP ports whose payload is
	// taken for a tunnel; nil means 4789, 6081 and 3544, an empty list none.
	VXLANPorts  []uint16
	GenevePorts []uint16
	TeredoPorts []uint16
	// GTPPorts are the UDP ports of GTP-U; nil means none (2152 is IANA's).
	GTPPorts []uint16
	// IgnoreTunnels leaves Packet.TunnelID at 0, so that the same conversation
	// inside and outside of a tunnel is one flow.
	IgnoreTunnels bool
	// Defrag configures the reassembly of fragments.
	Defrag DefragConfig
}

// Decoder turns frames into packets. It belongs to one goroutine. It allocates
// nothing for a frame without fragments.
type Decoder struct {
	// Counters counts what was decoded; read it between calls of Decode.
	Counters Counters

	frame  *capture.Frame
	n      int
	layers int
	// verify: transport checksums of this frame can be checked. aggregate: its
	// length fields may not hold its length.
	verify, aggregate bool
	// routed is the packet whose destination is not its last (IPv6 routing).
	routed *Packet
	// limits is how often defragmentation had reached a limit before this frame.
	limits uint64
	cfg    Config
	defrag defragger
	pkts   []Packet
}

// New gives a Decoder.
func New(cfg Config) *Decoder {
	if cfg.MaxLayers <= 0 {
		cfg.MaxLayers = defaultMaxLayers
	}
	// Every packet takes at least one layer, a reassembled one too.
	cfg.MaxLayers = min(cfg.MaxLayers, maxPackets-4)
	if cfg.VXLANPorts == nil {
		cfg.VXLANPorts = []uint16{4789}
	}
	if cfg.GenevePorts == nil {
		cfg.GenevePorts = []uint16{6081}
	}
	if cfg.TeredoPorts == nil {
		cfg.TeredoPorts = []uint16{3544}
	}
	d := &Decoder{cfg: cfg, pkts: make([]Packet, maxPackets)}
	d.defrag.init(cfg.Defrag)
	return d
}

// SetNoChecksum changes Config.NoChecksum for the frames that follow.
func (d *Decoder) SetNoChecksum(off bool) { d.cfg.NoChecksum = off }

// Decode gives the packets of f, outermost first; a reassembled datagram comes
// right behind the fragment that completed it. There is always at least one. The
// slice, the packets and the bytes of reassembled ones are valid to the next
// Decode, and the rest as long as f.Data is.
func (d *Decoder) Decode(f *capture.Frame) []Packet {
	d.frame, d.n, d.layers, d.routed = f, 0, 0, nil
	d.verify = !d.cfg.NoChecksum && !f.ChecksumOwed()
	d.aggregate = f.GSOSize() != 0
	d.limits = d.Counters.defragLimits()
	if len(d.defrag.lent) != 0 {
		d.defrag.takeBack()
	}
	d.Counters.frame(f.WireLen)

	p := d.add(f.Data)
	if f.HasVLAN {
		d.pushVLAN(p, f.VLANTCI)
	}
	switch f.Link {
	case capture.LinkEthernet:
		d.ethernet(p, 0)
	default:
		d.otherLink(p, f.Link)
	}
	for i := range d.pkts[:d.n] {
		q := &d.pkts[i]
		if q.Flags&FlagInvalid != 0 {
			d.Counters.Invalid++
			// A header behind the end that an outer length gave.
			q.PayloadEnd = max(q.PayloadEnd, q.Payload)
		}
	}
	return d.pkts[:d.n]
}

// DefragLimited tells whether the last Decode reached a limit of
// defragmentation (memory, datagrams, fragments of one), so that bytes of some
// datagram go uninspected: the caller's exception policy applies.
func (d *Decoder) DefragLimited() bool { return d.Counters.defragLimits() != d.limits }

// add begins a packet over data; nil when the frame has too many.
func (d *Decoder) add(data []byte) *Packet {
	if d.n == len(d.pkts) {
		return nil
	}
	p := &d.pkts[d.n]
	d.n++
	// Zeroed first and then filled: a literal would be built aside and copied.
	*p = Packet{}
	p.Frame, p.Data, p.PayloadEnd, p.Time = d.frame, data, uint32(len(data)), d.frame.Time
	return p
}

// tunnelKind keeps tunnels of different kinds with equal keys apart.
type tunnelKind uint32

const (
	tunIPIP tunnelKind = iota + 1
	tunGRE
	tunPPTP
	tunERSPAN
	tunVXLAN
	tunGeneve
	tunTeredo
	tunGTP
)

// tunnel begins the packet that outer carries at off up to end; nil when there
// are too many (outer then has the event).
func (d *Decoder) tunnel(outer *Packet, kind tunnelKind, key uint32, off, end int) *Packet {
	p := d.add(outer.Data[:end:end])
	if p == nil {
		outer.event(d, EvTooManyLayers)
		return nil
	}
	p.L2, p.L3, p.L4, p.Payload = uint32(off), uint32(off), uint32(off), uint32(off)
	p.TunnelDepth = outer.TunnelDepth + 1
	p.Flags = FlagTunnel
	if !d.cfg.IgnoreTunnels {
		p.TunnelID = mixTunnel(outer.TunnelID, kind, key)
	}
	d.Counters.Tunnels++
	return p
}

// mixTunnel folds one level into the identity of those around it. The result
// is never 0 and depends on nothing but its arguments.
func mixTunnel(id uint32, kind tunnelKind, key uint32) uint32 {
	h := (uint64(id)<<32 | uint64(key)) ^ uint64(kind)*0x9e3779b97f4a7c15
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return uint32(h^h>>32) | 1
}

// layer counts a header and tells whether it may still be followed.
func (d *Decoder) layer(p *Packet) bool {
	d.layers++
	if d.layers <= d.cfg.MaxLayers {
		return true
	}
	d.Counters.TooManyLayers++
	d.invalid(p, EvTooManyLayers)
	return false
}

// event notes e on the packet.
func (p *Packet) event(d *Decoder, e Event) {
	d.Counters.Events[e]++
	if p.NEvents < MaxEvents {
		p.EventList[p.NEvents] = e
		p.NEvents++
	}
}

// invalid notes e and takes the packet out of every flow.
func (d *Decoder) invalid(p *Packet, e Event) {
	p.event(d, e)
	p.Flags |= FlagInvalid
}

// at sets where the packet's next header begins; a decoder that goes no further
// leaves the rest as payload.
func (p *Packet) at(off int) {
	p.L3, p.L4, p.Payload = uint32(off), uint32(off), uint32(off)
}

func (d *Decoder) pushVLAN(p *Packet, tci uint16) {
	if p.NVLAN < MaxVLAN {
		p.VLAN[p.NVLAN] = tci & 0xfff
		p.NVLAN++
	}
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
