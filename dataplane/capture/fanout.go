package capture

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Flags of PACKET_FANOUT that x/sys does not name (linux/if_packet.h).
const (
	fanoutEBPF           = 7
	fanoutUniqueID       = 0x2000
	fanoutIgnoreOutgoing = 0x4000
)

// FanoutGroup spreads one port's frames over sockets by a program that gives a
// number for each frame. The sockets of each port need a group of their own,
// opened in the same order on both ports of a pair, so that a worker gets both
// directions of its flows. Opening sockets is for one goroutine at a time.
type FanoutGroup struct {
	program int
	id      int
	members int
}

// NewFanoutGroup makes a group around a socket filter program's file
// descriptor; the first socket that opens creates it in the kernel.
func NewFanoutGroup(program int) *FanoutGroup { return &FanoutGroup{program: program} }

// join adds a bound socket.
func (g *FanoutGroup) join(fd int, outgoing bool) error {
	// A group ignores its members' own wish to ignore outgoing frames: without
	// the group's flag each frame sent would come back in.
	flags := fanoutEBPF
	if !outgoing {
		flags |= fanoutIgnoreOutgoing
	}
	if g.members == 0 {
		flags |= fanoutUniqueID
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, flags<<16); err != nil {
			return os.NewSyscallError("create a fan-out group", err)
		}
		v, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
		if err != nil {
			return os.NewSyscallError("read the fan-out group's id", err)
		}
		g.id = v & 0xffff
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, g.program); err != nil {
			return os.NewSyscallError("set the fan-out program", err)
		}
	} else if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, g.id|flags<<16); err != nil {
		return fmt.Errorf("join fan-out group %d: %w", g.id, err)
	}
	g.members++
	return nil
}
