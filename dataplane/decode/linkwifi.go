package decode

import "encoding/binary"

// Frames of wireless networks as monitoring stations capture them: IEEE 802.11, on
// its own or behind the radiotap header that drivers put in front.

// The parts of 802.11's frame control field (IEEE 802.11-2020 §9.2.4.1), whose two
// bytes are read in little-endian order.
const (
	wifiTypeMask  = 0x000c
	wifiTypeData  = 0x0008
	wifiNoData    = 0x0040 // the subtype's bit for frames without a body
	wifiQoS       = 0x0080
	wifiToDS      = 0x0100
	wifiFromDS    = 0x0200
	wifiMoreFrags = 0x0400
	wifiProtected = 0x4000
	wifiOrder     = 0x8000
)

// radiotap passes over a radiotap header: version, pad, and its length in
// little-endian order.
func (d *Decoder) radiotap(p *Packet) {
	if len(p.Data) < 8 || p.Data[0] != 0 {
		d.Counters.UnknownLink++
		return
	}
	n := int(binary.LittleEndian.Uint16(p.Data[2:]))
	if n < 8 || n > len(p.Data) {
		d.Counters.UnknownLink++
		return
	}
	d.wifi(p, n)
}

// wifi takes an 802.11 frame. Only data in the clear has something to say: frames
// of management and control, encrypted ones, pieces of frames and aggregates end
// here.
func (d *Decoder) wifi(p *Packet, off int) {
	d.Counters.IEEE80211++
	p.at(off)
	b := p.Data[off:]
	if len(b) < 24 {
		return
	}
	fc := binary.LittleEndian.Uint16(b)
	if fc&wifiTypeMask != wifiTypeData || fc&(wifiNoData|wifiProtected|wifiMoreFrags) != 0 || binary.LittleEndian.Uint16(b[22:])&0xf != 0 {
		return
	}
	n := 24
	if fc&(wifiToDS|wifiFromDS) == wifiToDS|wifiFromDS {
		n += 6 // the fourth address, of frames between access points
	}
	if fc&wifiQoS != 0 {
		if len(b) < n+2 || b[n]&0x80 != 0 {
			return // an aggregate of several frames
		}
		n += 2
		if fc&wifiOrder != 0 {
			n += 4 // HT control
		}
	}
	// The LLC and SNAP headers of RFC 1042.
	if len(b) < n+8 || be32(b[n:]) != 0xaaaa0300 || b[n+4] != 0 {
		return
	}
	d.etherType(p, be16(b[n+6:]), off+n+8, EvEthernetUnknownEthertype)
}
