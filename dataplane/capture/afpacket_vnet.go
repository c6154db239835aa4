package capture

import (
	"encoding/binary"
	"hash/crc32"
)

// Fields of struct virtio_net_hdr (linux/virtio_net.h), little endian here:
// flags, gso_type, hdr_len, gso_size, csum_start, csum_offset.
const (
	vnetFlags      = 0
	vnetGSOType    = 1
	vnetHdrLen     = 2
	vnetCsumStart  = 6
	vnetCsumOffset = 8

	vnetNeedsCsum = 1
)

// shiftVNet moves the header's offsets by n bytes that were put in before the
// network header.
func shiftVNet(h *[vnetLen]byte, n uint16) {
	if h[vnetFlags]&vnetNeedsCsum != 0 {
		le16Add(h[vnetCsumStart:], n)
	}
	if h[vnetGSOType] != 0 {
		le16Add(h[vnetHdrLen:], n)
	}
}

func le16Add(b []byte, n uint16) {
	binary.LittleEndian.PutUint16(b, binary.LittleEndian.Uint16(b)+n)
}

// sctpCsumOffset is where SCTP's checksum lies in its header; no other
// protocol has its own there, which is how the owed CRC is recognised.
const sctpCsumOffset = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// finishSCTP computes the CRC-32C that an SCTP packet owes (RFC 9260 §6.8).
// The header cannot say that it is not an Internet checksum, so whoever sends
// the frame on would put a wrong one there.
func finishSCTP(frame []byte, h *[vnetLen]byte) {
	if h[vnetFlags]&vnetNeedsCsum == 0 || h[vnetGSOType] != 0 ||
		binary.LittleEndian.Uint16(h[vnetCsumOffset:]) != sctpCsumOffset {
		return
	}
	start := int(binary.LittleEndian.Uint16(h[vnetCsumStart:]))
	if start+12 > len(frame) {
		return
	}
	sctp := frame[start:]
	clear(sctp[8:12])
	binary.LittleEndian.PutUint32(sctp[8:], crc32.Checksum(sctp, castagnoli))
	*h = [vnetLen]byte{}
}
