package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
)

// RefusedError tells why an interface is not taken without force.
type RefusedError struct {
	Interface string
	Why       string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s %s: taking it would cut the host off (force takes it nevertheless)", e.Interface, e.Why)
}

// portState is what a port was like before, as far as it was changed. Its JSON
// form survives a crash.
type portState struct {
	Name    string `json:"name"`
	Ifindex int    `json:"ifindex"`
	WasDown bool   `json:"was_down,omitempty"`
	// GRO, LRO and RXVLAN are set where the offload was changed, to its former state.
	GRO    *bool `json:"gro,omitempty"`
	LRO    *bool `json:"lro,omitempty"`
	RXVLAN *bool `json:"rxvlan,omitempty"`
	// GROMax and GROIPv4Max are set where the largest aggregate was cut down,
	// to its former size.
	GROMax     int `json:"gro_max,omitempty"`
	GROIPv4Max int `json:"gro_ipv4_max,omitempty"`
	// IPv6 tells that the port's IPv6 was on.
	IPv6 bool `json:"ipv6,omitempty"`
}

// ports is the set of interfaces that were prepared, with the way back.
type ports struct {
	ns     *fastpath.Namespace
	log    *slog.Logger
	file   string // journal; none when empty
	states []*portState
}

// openPorts undoes what an earlier process left in the journal, and prepares nothing yet.
func openPorts(journal string, log *slog.Logger) (*ports, error) {
	ns, err := fastpath.CurrentNamespace()
	if err != nil {
		return nil, err
	}
	p := &ports{ns: ns, log: log, file: journal}
	if journal == "" {
		return p, nil
	}
	raw, err := os.ReadFile(journal)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("read the journal of port settings: %w", err)
	}
	if err := json.Unmarshal(raw, &p.states); err != nil {
		log.Warn("the journal of port settings is damaged and ignored", "file", journal, "error", err)
		p.states = nil
		return p, nil
	}
	log.Info("restoring port settings that a daemon left changed", "file", journal, "ports", len(p.states))
	for _, st := range p.states {
		if !st.WasDown { // the other port's lost link may have taken it down
			if l, err := netlink.LinkByName(st.Name); err == nil && l.Attrs().Index == st.Ifindex {
				_ = netlink.LinkSetUp(l)
			}
		}
	}
	if err := p.restore(); err != nil {
		log.Warn("some port settings could not be restored", "error", err)
	}
	return p, nil
}

// save writes the journal, so that a crash leaves a way back.
func (p *ports) save() error {
	if p.file == "" {
		return nil
	}
	raw, err := json.MarshalIndent(p.states, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.file), 0o755); err != nil {
		return fmt.Errorf("write the journal of port settings: %w", err)
	}
	tmp := p.file + ".new"
	if err := os.WriteFile(tmp, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the journal of port settings: %w", err)
	}
	if err := os.Rename(tmp, p.file); err != nil {
		return fmt.Errorf("write the journal of port settings: %w", err)
	}
	return nil
}

// take prepares an interface: up, aggregates on, tags left in place for XDP,
// and silent (no IPv6 of the port's own) unless the host goes on using it.
func (p *ports) take(name string, silent bool) (netlink.Link, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find interface %s: %w", name, err)
	}
	st := &portState{Name: name, Ifindex: l.Attrs().Index, WasDown: l.Attrs().Flags&net.FlagUp == 0}
	off, err := openOffloads(name)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", name, err)
	}
	defer off.close()
	st.GRO = off.differs(offloadGRO, true)
	st.LRO = off.differs(offloadLRO, false)
	st.RXVLAN = off.differs(offloadRXVLAN, false)
	st.IPv6 = silent && readIPv6(name)
	if a := l.Attrs(); a.GROMaxSize > maxAggregate {
		st.GROMax = int(a.GROMaxSize)
	}
	if a := l.Attrs(); a.GROIPv4MaxSize > maxAggregate {
		st.GROIPv4Max = int(a.GROIPv4MaxSize)
	}
	p.states = append(p.states, st)
	if err := p.save(); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		was  *bool
		what offload
		on   bool
		loss string
	}{
		{st.GRO, offloadGRO, true, "every segment is handled singly"},
		{st.LRO, offloadLRO, false, "large receive offload may alter frames that are forwarded"},
		{st.RXVLAN, offloadRXVLAN, false, "XDP cannot see VLAN tags on this port"},
	} {
		if s.was == nil {
			continue
		}
		if err := off.set(s.what, s.on); err != nil {
			p.log.Info("the card's offload stays as it is: "+s.loss, "port", name, "offload", s.what.String(), "error", err)
		}
	}
	if err := st.aggregates(l, maxAggregate, maxAggregate); err != nil {
		return nil, fmt.Errorf("limit the aggregates of %s: %w", name, err)
	}
	if st.IPv6 {
		if err := writeIPv6(name, false); err != nil {
			return nil, fmt.Errorf("silence IPv6 on %s: %w", name, err)
		}
	}
	if st.WasDown {
		if err := netlink.LinkSetUp(l); err != nil {
			return nil, fmt.Errorf("set %s up: %w", name, err)
		}
	}
	return netlink.LinkByIndex(st.Ifindex)
}

// maxAggregate is the largest aggregate that can be captured and sent on: BIG
// TCP's are beyond what the virtio header and a packet socket carry.
const maxAggregate = 65536

// aggregates sets the sizes of received aggregates, where they were or are to be changed.
func (st *portState) aggregates(l netlink.Link, v6, v4 int) error {
	var errs []error
	if st.GROMax != 0 {
		errs = append(errs, netlink.LinkSetGROMaxSize(l, v6))
	}
	if st.GROIPv4Max != 0 {
		errs = append(errs, netlink.LinkSetGROIPv4MaxSize(l, v4))
	}
	return errors.Join(errs...)
}

// restore gives every port back as it was found, last one first. An interface
// that has gone needs nothing.
func (p *ports) restore() error {
	err := p.ns.Do(func() error {
		var errs []error
		for i := len(p.states) - 1; i >= 0; i-- {
			errs = append(errs, p.states[i].restore())
		}
		return errors.Join(errs...)
	})
	p.states = nil
	if p.file != "" {
		if rm := os.Remove(p.file); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}
	return err
}

func (st *portState) restore() error {
	l, err := netlink.LinkByName(st.Name)
	if err != nil || l.Attrs().Index != st.Ifindex {
		return nil
	}
	var errs []error
	if off, err := openOffloads(st.Name); err == nil {
		for _, s := range []struct {
			was  *bool
			what offload
		}{{st.GRO, offloadGRO}, {st.LRO, offloadLRO}, {st.RXVLAN, offloadRXVLAN}} {
			if s.was != nil {
				errs = append(errs, off.set(s.what, *s.was))
			}
		}
		off.close()
	}
	errs = append(errs, st.aggregates(l, st.GROMax, st.GROIPv4Max))
	if st.IPv6 {
		errs = append(errs, writeIPv6(st.Name, true))
	}
	if st.WasDown {
		errs = append(errs, netlink.LinkSetDown(l))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("restore %s: %w", st.Name, err)
	}
	return nil
}

func (p *ports) close() error { return errors.Join(p.restore(), p.ns.Close()) }

func ipv6Knob(name string) string {
	return filepath.Join("/proc/sys/net/ipv6/conf", name, "disable_ipv6")
}

// readIPv6 reports whether the port speaks IPv6 itself. A kernel without IPv6 does not.
func readIPv6(name string) bool {
	raw, err := os.ReadFile(ipv6Knob(name))
	return err == nil && strings.TrimSpace(string(raw)) == "0"
}

func writeIPv6(name string, on bool) error {
	v := "1"
	if on {
		v = "0"
	}
	return os.WriteFile(ipv6Knob(name), []byte(v), 0o644)
}

// refuse gives a RefusedError where taking the interface inline would cut the
// operator or the host off.
func refuse(name string) error {
	l, err := refuseVital(name)
	if err != nil {
		return err
	}
	addrs, err := addresses(l)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if a.Scope == unix.RT_SCOPE_UNIVERSE {
			return &RefusedError{name, "has the address " + a.IP.String()}
		}
	}
	return nil
}

// refuseVital is refuse for a port that keeps its addresses: only what reaches
// beyond its own network, or carries the operator's session, is refused.
func refuseVital(name string) (netlink.Link, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find interface %s: %w", name, err)
	}
	if l.Attrs().Flags&net.FlagLoopback != 0 {
		return nil, &RefusedError{name, "is the loopback interface"}
	}
	if m := l.Attrs().MasterIndex; m != 0 {
		return nil, &RefusedError{name, fmt.Sprintf("belongs to another interface (index %d)", m)}
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := netlink.RouteList(l, family)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return nil, fmt.Errorf("list the routes of %s: %w", name, err)
		}
		for _, r := range routes {
			if r.Dst == nil || isDefault(r.Dst) {
				return nil, &RefusedError{name, "carries the default route"}
			}
		}
	}
	addrs, err := addresses(l)
	if err != nil {
		return nil, err
	}
	session := sessionAddr(os.Getenv("SSH_CONNECTION"))
	for _, a := range addrs {
		if session != nil && a.IP.Equal(session) {
			return nil, &RefusedError{name, "carries this SSH session (" + a.IP.String() + ")"}
		}
	}
	return l, nil
}

func addresses(l netlink.Link) ([]netlink.Addr, error) {
	addrs, err := netlink.AddrList(l, unix.AF_UNSPEC)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list the addresses of %s: %w", l.Attrs().Name, err)
	}
	return addrs, nil
}

func isDefault(n *net.IPNet) bool {
	ones, _ := n.Mask.Size()
	return ones == 0
}

// sessionAddr takes the host's own address from sshd's SSH_CONNECTION.
func sessionAddr(env string) net.IP {
	if f := strings.Fields(env); len(f) == 4 {
		return net.ParseIP(f[2])
	}
	return nil
}
