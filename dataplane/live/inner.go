package live

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/vishvananda/netlink"
)

// innerAlias marks the inner devices, by which those of a crashed daemon are
// found; the port's name follows.
const innerAlias = "sluice gateway "

// innerMTU is more than any frame that a port gives.
const innerMTU = 65535

// innerName names the inner device of a port; its other end has a p behind.
func innerName(ifindex int) string { return fmt.Sprintf("sluice%d", ifindex) }

// makeInner makes the device in which a gateway's workers meet the host: a veth
// pair whose other end nobody uses, without addresses and silent. One that a
// crashed daemon left is made anew.
func makeInner(lan netlink.Link, log *slog.Logger) (name string, err error) {
	name = innerName(lan.Attrs().Index)
	if err := removeInner(name, log); err != nil {
		return "", err
	}
	a := netlink.NewLinkAttrs()
	a.Name, a.MTU = name, innerMTU
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: a, PeerName: name + "p", PeerMTU: innerMTU}); err != nil {
		return "", fmt.Errorf("make the inner device %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make the inner device %s: %w", name, err), removeInner(name, log))
		}
	}()
	l, err := netlink.LinkByName(name)
	if err != nil {
		return "", err
	}
	if err := netlink.LinkSetAlias(l, innerAlias+lan.Attrs().Name); err != nil {
		return "", err
	}
	for _, end := range []string{name, name + "p"} {
		l, err := netlink.LinkByName(end)
		if err != nil {
			return "", err
		}
		if readIPv6(end) {
			if err := writeIPv6(end, false); err != nil {
				return "", fmt.Errorf("silence IPv6: %w", err)
			}
		}
		if err := netlink.LinkSetARPOff(l); err != nil {
			return "", err
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return "", err
		}
	}
	return name, nil
}

// removeInner removes an inner device; one that is not there is no error, one
// of another owner is.
func removeInner(name string, log *slog.Logger) error {
	l, err := netlink.LinkByName(name)
	var none netlink.LinkNotFoundError
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the inner device %s: %w", name, err)
	}
	// One that lost its maker before it had its alias is recognised by its other end.
	if alias := l.Attrs().Alias; !strings.HasPrefix(alias, innerAlias) {
		if p, err := netlink.LinkByName(name + "p"); alias != "" || err != nil || p.Type() != "veth" {
			return fmt.Errorf("an interface %s is there that is not Sluice's: rename it", name)
		}
	}
	log.Debug("removing the inner device", "device", name)
	if err := netlink.LinkDel(l); err != nil {
		return fmt.Errorf("remove the inner device %s: %w", name, err)
	}
	return nil
}
