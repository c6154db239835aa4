package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
	"sluice/dataplane/live"
)

func (d *doctor) ports() {
	p := d.cfg.Ports
	if len(p.Taps)+len(p.Bridges)+len(p.Gateways) == 0 {
		d.say("ports", LevelNote, "no port is configured", "sluice doctor --config FILE, or name ports with --tap, --bridge and --gateway")
		return
	}
	for _, name := range p.Taps {
		d.port(name, roleTap)
	}
	for _, name := range p.Gateways {
		d.port(name, roleGateway)
	}
	if len(p.Gateways) > 0 {
		for _, k := range []struct{ family, path, knob string }{
			{"IPv4", "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward"},
			{"IPv6", "/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"},
		} {
			if readLine(k.path) == "0" {
				level := LevelWarning
				if k.family == "IPv6" {
					level = LevelNote // many networks have none
				}
				d.say("routing", level, "this host does not route "+k.family+": a gateway has only its own traffic to inspect", "sysctl -w "+k.knob+"=1")
			}
		}
	}
	for _, b := range p.Bridges {
		in, out := d.port(b.Inside, roleBridge), d.port(b.Outside, roleBridge)
		if in != nil && out != nil && in.Attrs().MTU != out.Attrs().MTU {
			d.say("mtu", LevelFailure, fmt.Sprintf("%s has %d, %s has %d: `sluice run` refuses the pair", b.Inside, in.Attrs().MTU, b.Outside, out.Attrs().MTU),
				fmt.Sprintf("ip link set %s mtu %d", b.Outside, in.Attrs().MTU))
		}
	}
	d.pinning()
	d.backlog()
}

// role is what a port is for.
type role int

const (
	roleTap role = iota
	roleBridge
	roleGateway
)

func (d *doctor) port(name string, as role) netlink.Link {
	link, err := netlink.LinkByName(name)
	if err != nil {
		d.say("port "+name, LevelFailure, "there is no such interface", "ip link")
		return nil
	}
	a := link.Attrs()
	if a.Flags&net.FlagUp == 0 {
		d.say("port "+name, LevelNote, "down: the daemon takes it up", "")
	} else if a.OperState == netlink.OperDown || a.OperState == netlink.OperLowerLayerDown {
		d.say("port "+name, LevelWarning, "no link", "check the cable or the peer")
	}
	driver := "virtual"
	if l, err := os.Readlink(filepath.Join("/sys/class/net", name, "device/driver")); err == nil {
		driver = filepath.Base(l)
	} else if link.Type() != "" {
		driver = link.Type()
	}
	facts, err := live.Facts(name)
	if err != nil {
		d.say("port "+name, LevelWarning, "its settings cannot be read: "+err.Error(), "")
	}
	d.say("port "+name, LevelOK, fmt.Sprintf("driver %s, mtu %d, %d receive queues", driver, a.MTU, facts.Queues), "")
	d.xdp(link, driver)
	d.offloads(name, &facts)
	d.aggregates(link, as)
	d.queues(name, &facts)
	if as == roleTap {
		return link
	}
	if as == roleBridge {
		if addrs, err := netlink.AddrList(link, netlink.FAMILY_V4); err == nil && len(addrs) > 0 {
			d.say("port "+name, LevelFailure, "has the address "+addrs[0].IPNet.String()+", which would not be reachable while the port is inline: `sluice run` refuses it", "ip addr flush dev "+name+", or --force")
		}
	}
	if routes, err := netlink.RouteList(link, netlink.FAMILY_ALL); err == nil {
		for _, r := range routes {
			if r.Dst == nil || r.Dst.IP.IsUnspecified() {
				d.say("port "+name, LevelFailure, "carries the host's default route: `sluice run` refuses it", "use another port, or --force with --confirm 60s")
				break
			}
		}
	}
	if a.MasterIndex != 0 {
		d.say("port "+name, LevelFailure, "belongs to a bridge or bond of the kernel: `sluice run` refuses it", "ip link set "+name+" nomaster")
	}
	return link
}

// xdp tells in which mode XDP would run, as the driver announces it.
func (d *doctor) xdp(link netlink.Link, driver string) {
	name, check := link.Attrs().Name, "xdp "+link.Attrs().Name
	if d.cfg.Ports.XDP == "off" {
		d.say(check, LevelNote, "switched off: block lists, rate limits and the fail-open wire are not there", "ports.xdp: auto")
		return
	}
	features, err := xdpFeatures(link.Attrs().Index)
	switch {
	case d.cfg.Ports.XDP == "generic":
		d.say(check, LevelNote, "generic, as configured", "")
	case link.Type() == "veth":
		d.say(check, LevelNote, "generic: a native program on a veth ends segmentation offload at its other end", "")
	case err != nil:
		d.say(check, LevelNote, "the kernel does not tell whether "+driver+" runs XDP natively; `sluice status` does once it runs", "")
	case features&xdpBasic == 0:
		d.say(check, LevelNote, "generic: "+driver+" has no native XDP; drops cost several times as much", "a card with native XDP, where floods are to be expected")
	case link.Attrs().MTU > xdpPage && features&xdpFrags == 0:
		d.say(check, LevelWarning, fmt.Sprintf("generic: %s runs XDP natively only up to an MTU of about %d", driver, xdpPage), fmt.Sprintf("ip link set %s mtu 1500, where jumbo frames are not needed", name))
	default:
		d.say(check, LevelOK, "native", "")
	}
}

// offloads tells of what the daemon changes while it runs, and of what it cannot.
func (d *doctor) offloads(name string, f *live.PortFacts) {
	check := "offloads " + name
	if !f.GRO {
		d.say(check, LevelNote, "GRO is off: the daemon switches it on, since single segments are handled at half the speed", "ethtool -K "+name+" gro on")
	}
	switch {
	case f.FixedLRO:
		d.say(check, LevelWarning, "LRO is on and the driver cannot take it off: frames may be altered on their way", "use another card, or set the driver's own parameter")
	case f.LRO:
		d.say(check, LevelNote, "LRO is on: the daemon takes it off, since it may alter frames that are forwarded", "ethtool -K "+name+" lro off")
	}
	switch {
	case f.FixedRXVLAN:
		d.say(check, LevelNote, "the card strips VLAN tags and cannot leave them: XDP sees tagged frames untagged; workers see the tags", "")
	case f.RXVLAN:
		d.say(check, LevelNote, "the card strips VLAN tags: the daemon switches that off, so that XDP sees them", "ethtool -K "+name+" rxvlan off")
	}
	if f.RXRing > 0 && f.RXRing < f.RXRingMax && f.RXRing < 4096 {
		d.say("rings "+name, LevelWarning, fmt.Sprintf("%d descriptors a receive ring of %d possible: bursts are lost in the card", f.RXRing, f.RXRingMax),
			fmt.Sprintf("ethtool -G %s rx %d", name, min(f.RXRingMax, 4096)))
	}
	if f.TXRing > 0 && f.TXRing < f.TXRingMax && f.TXRing < 1024 {
		d.say("rings "+name, LevelNote, fmt.Sprintf("%d descriptors a sending ring of %d possible", f.TXRing, f.TXRingMax), fmt.Sprintf("ethtool -G %s tx %d", name, min(f.TXRingMax, 1024)))
	}
}

// largestAggregate is the most that a packet socket carries as one.
const largestAggregate = 65536

// aggregates tells of BIG TCP, whose aggregates cannot be captured whole.
func (d *doctor) aggregates(link netlink.Link, as role) {
	a := link.Attrs()
	check := "big tcp " + a.Name
	if gro := max(a.GROMaxSize, a.GROIPv4MaxSize); gro > largestAggregate {
		d.say(check, LevelNote, fmt.Sprintf("received aggregates may have %d bytes (BIG TCP): the daemon limits them to %d while it runs", gro, largestAggregate),
			fmt.Sprintf("ip link set %s gro_max_size %d", a.Name, largestAggregate)) // IPv4's follows
	}
	if gso := max(a.GSOMaxSize, a.GSOIPv4MaxSize); as == roleGateway && gso > largestAggregate {
		d.say(check, LevelWarning, fmt.Sprintf("this host sends aggregates of up to %d bytes here (BIG TCP), which cannot be inspected whole: such transfers stall", gso),
			fmt.Sprintf("ip link set %s gso_max_size %d", a.Name, largestAggregate))
	}
	if as == roleBridge && link.Type() == "veth" {
		d.say(check, LevelNote, fmt.Sprintf("the other end of a veth decides how large its aggregates are: where a VM or container has BIG TCP on, limit it there to %d", largestAggregate), "ip link set IF gso_max_size 65536, at the other end")
	}
}

// queues compares how interrupts and queues lie with the processors and workers.
func (d *doctor) queues(name string, f *live.PortFacts) {
	check, cpus := "queues "+name, runtime.NumCPU()
	if f.QueuesMax > f.Queues && f.Queues < cpus {
		n := min(f.QueuesMax, cpus)
		d.say(check, LevelWarning, fmt.Sprintf("%d receive queues of %d possible: one processor may be the bottleneck", f.Queues, f.QueuesMax), fmt.Sprintf("ethtool -L %s combined %d", name, n))
	}
	if len(f.IRQCPUs) == 1 && f.Queues > 1 {
		d.say(check, LevelWarning, fmt.Sprintf("all interrupts go to processor %d", f.IRQCPUs[0]), "apt-get install irqbalance, or: echo CPU > /proc/irq/N/smp_affinity_list for each of "+filepath.Join("/sys/class/net", name, "device/msi_irqs"))
	}
	if f.Queues == 1 && len(f.IRQCPUs) > 0 && cpus > 1 && !f.SoftSteering {
		d.say(check, LevelNote, "one receive queue: a single processor takes all frames from the card", fmt.Sprintf("echo %x > /sys/class/net/%s/queues/rx-0/rps_cpus", uint64(1)<<min(cpus, 63)-1, name))
	}
	pinned := d.cfg.Ports.Capture.CPUs
	for _, cpu := range pinned {
		if slices.Contains(f.IRQCPUs, cpu) && cpus > len(pinned) {
			d.say(check, LevelWarning, fmt.Sprintf("processor %d serves both this port's interrupts and a worker", cpu), "choose others under ports.capture.cpus, or move the interrupts")
			break
		}
	}
	if f.NUMANode < 0 || len(f.LocalCPUs) == 0 {
		return
	}
	far := slices.ContainsFunc(pinned, func(cpu int) bool { return !slices.Contains(f.LocalCPUs, cpu) })
	switch local := ranges(f.LocalCPUs); {
	case far:
		d.say("numa "+name, LevelWarning, fmt.Sprintf("sits at node %d, and ports.capture.cpus names processors of another", f.NUMANode), "ports.capture.cpus: of "+local)
	case len(pinned) == 0 && len(f.LocalCPUs) < cpus:
		d.say("numa "+name, LevelNote, fmt.Sprintf("sits at node %d of several; workers run anywhere", f.NUMANode), "ports.capture.cpus: of "+local)
	}
}

// ranges writes sorted processors as the kernel does.
func ranges(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(cpus[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", cpus[i], cpus[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// pinning checks the processors that workers are to be pinned to.
func (d *doctor) pinning() {
	pinned := d.cfg.Ports.Capture.CPUs
	var allowed unix.CPUSet
	if len(pinned) == 0 || unix.SchedGetaffinity(0, &allowed) != nil {
		return
	}
	for _, cpu := range pinned {
		if !allowed.IsSet(cpu) {
			d.say("cpus", LevelFailure, fmt.Sprintf("ports.capture.cpus names processor %d, which is not there for this program", cpu), "name some of "+readLine("/sys/devices/system/cpu/online"))
			return
		}
	}
	if d.cfg.Workers > len(pinned) || d.cfg.Workers == 0 && len(pinned) < runtime.NumCPU() {
		d.say("cpus", LevelNote, fmt.Sprintf("%d processors are named for more workers: none is pinned", len(pinned)), fmt.Sprintf("workers: %d", len(pinned)))
	}
}

// backlog tells of frames that the kernel gave up before any program saw them.
func (d *doctor) backlog() {
	b, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		return
	}
	var dropped, squeezed uint64
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 2 {
			n, _ := strconv.ParseUint(f[1], 16, 64)
			dropped += n
			n, _ = strconv.ParseUint(f[2], 16, 64)
			squeezed += n
		}
	}
	if dropped > 0 {
		limit, _ := strconv.Atoi(readLine("/proc/sys/net/core/netdev_max_backlog"))
		d.say("backlog", LevelWarning, fmt.Sprintf("%d frames were lost since boot because a processor's queue of %d was full", dropped, limit), fmt.Sprintf("sysctl -w net.core.netdev_max_backlog=%d", max(10000, 2*limit)))
	}
	if squeezed > 1000 {
		d.say("backlog", LevelNote, fmt.Sprintf("the kernel broke off taking frames %d times since boot with more waiting", squeezed), "sysctl -w net.core.netdev_budget=600 net.core.netdev_budget_usecs=4000")
	}
}

// memory checks the limit on locked memory, and that the buffers fit.
func (d *doctor) memory() {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim) == nil && lim.Cur < 512<<20 {
		d.say("locked memory", LevelNote, fmt.Sprintf("at most %d KiB: the daemon lifts that where it may; kernels before 5.11 count BPF maps against it", lim.Cur>>10), "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit")
	} else {
		d.say("locked memory", LevelOK, "enough for the maps of the fast path", "")
	}
	p, workers := d.cfg.Ports, d.cfg.Workers
	if workers == 0 {
		workers = runtime.NumCPU()
	}
	need := uint64(p.Capture.Buffer) * uint64(workers) * uint64(2*len(p.Bridges)+2*len(p.Gateways)+len(p.Taps))
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil && need > info.Totalram*uint64(info.Unit)/4 {
		d.say("memory", LevelWarning, fmt.Sprintf("receive buffers may take %d MiB, more than a quarter of what there is", need>>20), "lower ports.capture.buffer or workers")
	}
}

func readLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// leftovers looks for what a crashed daemon left on any interface.
func (d *doctor) leftovers() {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		d.say("leftovers", LevelWarning, "cannot list interfaces: "+err.Error(), "")
		return
	}
	running := d.running()
	for _, l := range links {
		name := l.Attrs().Name
		if port, ok := live.InnerOf(l); ok && !running {
			d.say("leftover "+name, LevelWarning, "the inner device of a gateway on "+port+" whose daemon is gone", "the next `sluice run` makes it anew; to remove it: ip link del "+name)
		}
		if x := l.Attrs().Xdp; x != nil && x.Attached {
			owner := fastpath.ProgramName(x.ProgId)
			switch {
			case fastpath.OwnName(owner) && !running:
				d.say("leftover "+name, LevelWarning, "an XDP program of a daemon that is gone: its block lists are still in force", "the next `sluice run` takes it over; to remove it: ip link set "+name+" xdp off")
			case !fastpath.OwnName(owner):
				d.say("xdp "+name, LevelNote, "is used by another program ("+owner+")", "")
			}
		}
		if filters, err := netlink.FilterList(l, netlink.HANDLE_MIN_INGRESS); err == nil && !running {
			for _, f := range filters {
				if b, ok := f.(*netlink.BpfFilter); ok && strings.HasPrefix(b.Name, "sluice") {
					d.say("leftover "+name, LevelWarning, "the wire program of a daemon that is gone forwards or drops this port's frames", "the next `sluice run` takes it over; to remove it: tc qdisc del dev "+name+" clsact")
				}
			}
		}
	}
	if journals, _ := filepath.Glob(filepath.Join(d.cfg.StateDir, "ports-*.json")); len(journals) > 0 && !running {
		d.say("leftovers", LevelWarning, "ports were not given back by an earlier run: "+strings.Join(journals, ", "), "the next `sluice run` on the same ports undoes it")
	}
}
