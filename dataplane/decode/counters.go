package decode

// Counters counts what a Decoder saw. It is written by the decoder alone;
// another goroutine may copy it only at a moment when the worker stands still.
type Counters struct {
	Packets, Bytes, MaxSize uint64
	Invalid                 uint64

	Ethernet, ARP, UnknownEtherType           uint64
	VLAN, VLANQinQ, VLANQinQinQ, PBB          uint64
	VNTag, ETag, MPLS, PPP, PPPoE, NSH        uint64
	SLL, SLL2, Raw, Null, CHDLC, UnknownLink  uint64
	IPv4, IPv6, IPv4InIPv4, IPv6InIPv4        uint64
	IPv4InIPv6, IPv6InIPv6                    uint64
	TCP, UDP, SCTP, ICMPv4, ICMPv6, IGMP      uint64
	GRE, ERSPAN, ESP, VXLAN, Geneve, Teredo   uint64
	GTP, IEEE80211, Tunnels, TooManyLayers    uint64
	BadIPChecksum, BadL4Checksum              uint64
	Fragments4, Fragments6                    uint64
	Reassembled4, Reassembled6                uint64
	DefragTimeout, DefragEvicted, DefragLimit uint64
	DefragOverlap, DefragDiscarded, DefragMem uint64
	DefragTrackers                            uint64

	// Events counts by decoder event, those beyond MaxEvents of a packet too.
	Events [StreamEvents]uint64
}

func (c *Counters) frame(wire uint32) {
	c.Packets++
	c.Bytes += uint64(wire)
	if uint64(wire) > c.MaxSize {
		c.MaxSize = uint64(wire)
	}
}

func (c *Counters) defragLimits() uint64 { return c.DefragEvicted + c.DefragLimit }

// Each calls fn with each counter under the name that Suricata's stats event
// gives it, without the leading "stats."; events come as "decoder.event.NAME"
// and only where they occurred. Gauges: defrag.memuse, defrag.trackers.
func (c *Counters) Each(fn func(name string, v uint64)) {
	fn("decoder.pkts", c.Packets)
	fn("decoder.bytes", c.Bytes)
	fn("decoder.invalid", c.Invalid)
	fn("decoder.ipv4", c.IPv4)
	fn("decoder.ipv6", c.IPv6)
	fn("decoder.ethernet", c.Ethernet)
	fn("decoder.arp", c.ARP)
	fn("decoder.unknown_ethertype", c.UnknownEtherType)
	fn("decoder.chdlc", c.CHDLC)
	fn("decoder.raw", c.Raw)
	fn("decoder.null", c.Null)
	fn("decoder.sll", c.SLL)
	fn("decoder.sll2", c.SLL2)
	fn("decoder.tcp", c.TCP)
	fn("decoder.udp", c.UDP)
	fn("decoder.sctp", c.SCTP)
	fn("decoder.esp", c.ESP)
	fn("decoder.icmpv4", c.ICMPv4)
	fn("decoder.icmpv6", c.ICMPv6)
	fn("decoder.igmp", c.IGMP)
	fn("decoder.ppp", c.PPP)
	fn("decoder.pppoe", c.PPPoE)
	fn("decoder.geneve", c.Geneve)
	fn("decoder.gre", c.GRE)
	fn("decoder.vlan", c.VLAN)
	fn("decoder.vlan_qinq", c.VLANQinQ)
	fn("decoder.vlan_qinqinq", c.VLANQinQinQ)
	fn("decoder.vxlan", c.VXLAN)
	fn("decoder.vntag", c.VNTag)
	fn("decoder.etag", c.ETag)
	fn("decoder.ieee8021ah", c.PBB)
	fn("decoder.teredo", c.Teredo)
	fn("decoder.ipv4_in_ipv4", c.IPv4InIPv4)
	fn("decoder.ipv6_in_ipv4", c.IPv6InIPv4)
	fn("decoder.ipv4_in_ipv6", c.IPv4InIPv6)
	fn("decoder.ipv6_in_ipv6", c.IPv6InIPv6)
	fn("decoder.mpls", c.MPLS)
	fn("decoder.gtp", c.GTP)
	fn("decoder.erspan", c.ERSPAN)
	fn("decoder.ieee80211", c.IEEE80211)
	fn("decoder.nsh", c.NSH)
	fn("decoder.unknown_link", c.UnknownLink)
	fn("decoder.tunnels", c.Tunnels)
	fn("decoder.too_many_layers", c.TooManyLayers)
	fn("decoder.bad_ip_checksum", c.BadIPChecksum)
	fn("decoder.bad_l4_checksum", c.BadL4Checksum)
	var avg uint64
	if c.Packets != 0 {
		avg = c.Bytes / c.Packets
	}
	fn("decoder.avg_pkt_size", avg)
	fn("decoder.max_pkt_size", c.MaxSize)
	fn("defrag.ipv4.fragments", c.Fragments4)
	fn("defrag.ipv4.reassembled", c.Reassembled4)
	fn("defrag.ipv6.fragments", c.Fragments6)
	fn("defrag.ipv6.reassembled", c.Reassembled6)
	fn("defrag.timeouts", c.DefragTimeout)
	fn("defrag.evicted", c.DefragEvicted)
	fn("defrag.max_frag_hits", c.DefragLimit)
	fn("defrag.overlaps", c.DefragOverlap)
	fn("defrag.discarded", c.DefragDiscarded)
	fn("defrag.memuse", c.DefragMem)
	fn("defrag.trackers", c.DefragTrackers)
	for e, v := range c.Events {
		if v != 0 {
			fn("decoder.event."+Event(e).String(), v)
		}
	}
}
