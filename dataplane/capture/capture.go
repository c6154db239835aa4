// Package capture takes frames from a ring, a socket or a capture file and
// gives them to a worker in batches. Frames are borrowed: their bytes belong to
// the source and stay valid only to the next ReadBatch. It knows nothing of
// what the bytes mean.
package capture

// LinkType is a LINKTYPE_ value of the tcpdump.org registry, as pcap and
// pcapng files carry it.
type LinkType uint16

// The link types that decoding knows.
const (
	LinkNull           LinkType = 0
	LinkEthernet       LinkType = 1
	LinkPPP            LinkType = 9
	LinkPPPHDLC        LinkType = 50
	LinkRawBSD         LinkType = 12
	LinkRaw            LinkType = 101
	LinkCHDLC          LinkType = 104
	LinkIEEE80211      LinkType = 105
	LinkLoop           LinkType = 108
	LinkSLL            LinkType = 113
	LinkIEEE80211Radio LinkType = 127
	LinkIPv4           LinkType = 228
	LinkIPv6           LinkType = 229
	LinkSLL2           LinkType = 276
)

// Frame is one frame as captured. The zero value is empty.
type Frame struct {
	// Data is the frame from its link-layer header on, as captured; borrowed
	// from the source until its next ReadBatch. A VLAN tag that the kernel
	// stripped is in VLANTCI, not in Data.
	Data []byte
	// WireLen is the frame's length on the wire; more than len(Data) when the
	// capture cut it.
	WireLen uint32
	// Time is the capture time in nanoseconds since the Unix epoch.
	Time int64
	// Num counts frames of the whole run from 1 (EVE's pcap_cnt).
	Num uint64
	// Link says how Data begins.
	Link LinkType
	// Port is the index of the port that received the frame; 0 in replay.
	Port uint8
	// HasVNet tells that VNet holds a virtio_net_hdr for this frame.
	HasVNet bool
	// HasVLAN tells that the kernel stripped a tag: VLANTCI and VLANTPID hold it.
	HasVLAN  bool
	VLANTCI  uint16
	VLANTPID uint16
	// VNet is the virtio_net_hdr (10 bytes, little endian): checksum and
	// segmentation still owed by whoever sends the frame on.
	VNet [10]byte
	// Slot is the source's own note of where the frame lives.
	Slot uint32
}

// GSOSize gives the segment size of an aggregated frame (GRO, TSO), or 0 where
// the frame is as it was on the wire.
func (f *Frame) GSOSize() uint16 {
	if !f.HasVNet || f.VNet[1] == 0 {
		return 0
	}
	return uint16(f.VNet[4]) | uint16(f.VNet[5])<<8
}

// ChecksumOwed reports whether the sender left the transport checksum
// unfinished (VIRTIO_NET_HDR_F_NEEDS_CSUM) or the receiver already verified it
// (VIRTIO_NET_HDR_F_DATA_VALID): either way it cannot be checked from the bytes.
func (f *Frame) ChecksumOwed() bool { return f.HasVNet && f.VNet[0]&3 != 0 }

// Batch is a reusable list of frames.
type Batch struct {
	Frames []Frame
}

// Source gives frames. A Source belongs to one goroutine.
type Source interface {
	// ReadBatch replaces b.Frames with the next frames, waiting for at least
	// one but no longer than the source's own time-out: an empty batch and a nil
	// error mean that time passed without traffic. io.EOF tells the end of a
	// file; b may then still hold frames. Any other error is final.
	ReadBatch(b *Batch) error
	// Close gives back what the source holds. Borrowed frames become invalid.
	Close() error
}
