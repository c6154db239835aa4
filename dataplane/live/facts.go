package live

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// PortFacts is how an interface is set up, as far as it matters to frames that
// are taken from it. What its driver does not tell is zero.
type PortFacts struct {
	// GRO, LRO and RXVLAN are offloads that are on.
	GRO, LRO, RXVLAN bool
	// FixedLRO and FixedRXVLAN are on, and the driver cannot take them off.
	FixedLRO, FixedRXVLAN bool
	// RXRing and RXRingMax are descriptors of each receive ring, now and at most;
	// TXRing and TXRingMax of sending.
	RXRing, RXRingMax, TXRing, TXRingMax int
	// Queues is the number of receive queues, QueuesMax what the card has.
	Queues, QueuesMax int
	// NUMANode is where the card sits, -1 for nowhere in particular; LocalCPUs
	// are the processors there.
	NUMANode  int
	LocalCPUs []int
	// IRQCPUs are the processors that the card's interrupts go to.
	IRQCPUs []int
	// SoftSteering tells that the kernel spreads frames of a queue by itself (RPS).
	SoftSteering bool
}

// Commands of linux/ethtool.h.
const (
	ethtoolGRingParam = 0x10
	ethtoolGChannels  = 0x3c
	ethtoolGFeatures  = 0x3a
)

// sysNet is where the kernel tells of interfaces.
const sysNet = "/sys/class/net"

// Facts reads how an interface of the calling thread's network namespace is set
// up; it changes nothing.
func Facts(name string) (PortFacts, error) {
	f := PortFacts{NUMANode: -1}
	off, err := openOffloads(name)
	if err != nil {
		return f, err
	}
	defer off.close()
	on := func(what offload) bool { v, err := off.get(what); return err == nil && v }
	f.GRO, f.LRO, f.RXVLAN = on(offloadGRO), on(offloadLRO), on(offloadRXVLAN)
	if fixed, ok := off.fixed(); ok {
		f.FixedLRO, f.FixedRXVLAN = f.LRO && fixed>>featureLRO&1 == 1, f.RXVLAN && fixed>>featureRXVLAN&1 == 1
	}
	// struct ethtool_ringparam: command, four maxima, four settings.
	ring := [9]uint32{ethtoolGRingParam}
	if off.ask(unsafe.Pointer(&ring)) == nil {
		f.RXRingMax, f.TXRingMax, f.RXRing, f.TXRing = int(ring[1]), int(ring[4]), int(ring[5]), int(ring[8])
	}
	// struct ethtool_channels: command, maxima and settings of rx, tx, other, combined.
	channels := [9]uint32{ethtoolGChannels}
	if off.ask(unsafe.Pointer(&channels)) == nil {
		f.QueuesMax, f.Queues = int(channels[1]+channels[4]), int(channels[5]+channels[8])
	}
	queues, _ := filepath.Glob(filepath.Join(sysNet, name, "queues/rx-*"))
	f.Queues = max(f.Queues, len(queues))
	for _, q := range queues {
		if mask := readText(filepath.Join(q, "rps_cpus")); strings.Trim(mask, "0,") != "" {
			f.SoftSteering = true
		}
	}
	if n, err := strconv.Atoi(readText(filepath.Join(sysNet, name, "device/numa_node"))); err == nil {
		f.NUMANode = n
	}
	f.LocalCPUs = cpuList(readText(filepath.Join(sysNet, name, "device/local_cpulist")))
	irqs, _ := filepath.Glob(filepath.Join(sysNet, name, "device/msi_irqs/*"))
	for _, irq := range irqs {
		dir := filepath.Join("/proc/irq", filepath.Base(irq))
		list := readText(filepath.Join(dir, "effective_affinity_list"))
		if list == "" {
			list = readText(filepath.Join(dir, "smp_affinity_list"))
		}
		f.IRQCPUs = append(f.IRQCPUs, cpuList(list)...)
	}
	slices.Sort(f.IRQCPUs)
	f.IRQCPUs = slices.Compact(f.IRQCPUs)
	return f, nil
}

// InnerOf gives the port of a gateway that an interface is the inner device of,
// its own or one that a crashed daemon left.
func InnerOf(l netlink.Link) (port string, ok bool) {
	return strings.CutPrefix(l.Attrs().Alias, innerAlias)
}

func readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// maxCPU bounds what cpuList believes.
const maxCPU = 4096

// cpuList reads the kernel's way of writing sets of processors: 0-3,8.
func cpuList(text string) (cpus []int) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(first)
		b := a
		if err == nil && ranged {
			b, err = strconv.Atoi(last)
		}
		if err != nil || a < 0 || b < a || b >= maxCPU {
			continue
		}
		for c := a; c <= b; c++ {
			cpus = append(cpus, c)
		}
	}
	return cpus
}

// Features in the order of linux/netdev_features.h, which GFEATURES' words follow.
const (
	featureRXVLAN = 8
	featureLRO    = 15
)

// fixed gives the features of the first word that cannot be changed.
func (o *offloads) fixed() (mask uint32, ok bool) {
	// struct ethtool_gfeatures: command, size, then available, requested, active
	// and never changed for each word.
	v := [2 + 4*2]uint32{ethtoolGFeatures, 2}
	if o.ask(unsafe.Pointer(&v)) != nil || v[1] < 1 {
		return 0, false
	}
	return ^v[2], true
}

// ask makes a call of ethtool with a structure of its own.
func (o *offloads) ask(data unsafe.Pointer) error {
	req := ifreqData{data: data}
	copy(req.name[:], o.name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(o.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return errno
	}
	return nil
}
