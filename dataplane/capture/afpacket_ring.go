package capture

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// blockSize bounds the largest frame of a TPACKET_V3 ring.
const blockSize = 1 << 20

// ring3 is a TPACKET_V3 ring: blocks that the kernel fills with frames and
// hands over one by one.
type ring3 struct {
	mem    []byte
	blocks int
	// next is the block to read; inBlock tells that frames of it are out.
	next    int
	inBlock bool
	left    uint32 // frames of the block not yet given out
	at      uint32 // offset of the next one in the block
}

// blockDesc is struct tpacket_block_desc with its version 1 header.
type blockDesc struct {
	version, privOffset uint32
	status              uint32
	packets             uint32
	first               uint32
	length              uint32
}

func newRing3(fd, bytes int, retire time.Duration) (*ring3, error) {
	req := unix.TpacketReq3{
		Block_size:     blockSize,
		Block_nr:       uint32(bytes / blockSize),
		Frame_size:     2048, // a granule, no limit
		Retire_blk_tov: uint32(retire.Milliseconds()),
	}
	req.Frame_nr = req.Block_size / req.Frame_size * req.Block_nr
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return nil, os.NewSyscallError("make the ring", err)
	}
	size := int(req.Block_nr) * blockSize
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("map the ring", err)
	}
	return &ring3{mem: mem, blocks: int(req.Block_nr)}, nil
}

func (r *ring3) close() error { return os.NewSyscallError("munmap", unix.Munmap(r.mem)) }

func (r *ring3) desc(i int) *blockDesc {
	return (*blockDesc)(unsafe.Pointer(&r.mem[i*blockSize]))
}

// read appends up to limit frames of the current block to b. A block whose
// frames were all given out goes back to the kernel first.
func (r *ring3) read(b *Batch, limit int) {
	d := r.desc(r.next)
	if r.inBlock && r.left == 0 {
		atomic.StoreUint32(&d.status, unix.TP_STATUS_KERNEL)
		r.inBlock = false
		r.next = (r.next + 1) % r.blocks
		d = r.desc(r.next)
	}
	if !r.inBlock {
		if atomic.LoadUint32(&d.status)&unix.TP_STATUS_USER == 0 {
			return
		}
		r.inBlock, r.left, r.at = true, d.packets, d.first
	}
	block := r.mem[r.next*blockSize : (r.next+1)*blockSize]
	for ; r.left > 0 && len(b.Frames) < limit; r.left-- {
		if int(r.at)+int(unsafe.Sizeof(unix.Tpacket3Hdr{})) > len(block) {
			r.left = 0 // the kernel never does this; better deaf than out of bounds
			return
		}
		h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&block[r.at]))
		start := int(r.at) + int(h.Mac)
		end := start + int(h.Snaplen)
		if start < vnetLen || end > len(block) {
			r.left = 0
			return
		}
		b.Frames = append(b.Frames, Frame{
			Data:    block[start:end:end],
			WireLen: h.Len,
			Time:    int64(h.Sec)*1e9 + int64(h.Nsec),
			HasVNet: true,
			VNet:    [10]byte(block[start-vnetLen:]),
		})
		b.Frames[len(b.Frames)-1].vlan(h.Status, uint16(h.Hv1.Vlan_tci), h.Hv1.Vlan_tpid)
		r.at += h.Next_offset
	}
}
