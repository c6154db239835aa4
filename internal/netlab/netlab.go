// Package netlab makes small networks for live tests and for the demonstration:
// client – gateway – server, each in a network namespace of its own, joined by
// veth pairs, with programs and sockets inside of them. It takes a name and
// gives a Lab that is always removed again; it knows nothing of Sluice. It
// needs root and the ip command.
package netlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// Interfaces of a Lab. Inside and Outside are the gateway's, which holds no
// address: it is a bump in the wire.
const (
	ClientIf  = "c0"
	InsideIf  = "in0"
	OutsideIf = "out0"
	ServerIf  = "s0"
)

// Addresses of a Lab. Client and server find each other on the link, although
// one is private and the other of a documentation range (RFC 5737, RFC 3849),
// so that traffic from client to server leaves an organisation.
const (
	Client4  = "10.77.0.1"
	Client6  = "fd77::1"
	Server4  = "203.0.113.10"
	Server6  = "2001:db8::10"
	Hostile4 = "203.0.113.66" // a second address of the server
)

// ErrNotRoot is given to who may not make namespaces.
var ErrNotRoot = errors.New("network namespaces need root: run it as root or with sudo")

// Lab is the three namespaces. Its methods are safe for concurrent use.
type Lab struct {
	Client, Gateway, Server *Namespace
}

// New makes a Lab. With a name the namespaces are called NAME-PID-client and so
// on, for `ip netns exec`, and those of dead processes with the same name are
// removed; without one they have no name, and end with the process however it
// ends.
func New(name string) (_ *Lab, err error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	l := &Lab{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if name != "" {
		if err := sweep(name); err != nil {
			return nil, err
		}
		name = fmt.Sprintf("%s-%d", name, os.Getpid())
	}
	for _, n := range []struct {
		ns   **Namespace
		role string
	}{{&l.Client, "client"}, {&l.Gateway, "gateway"}, {&l.Server, "server"}} {
		full := ""
		if name != "" {
			full = name + "-" + n.role
		}
		if *n.ns, err = newNamespace(full); err != nil {
			return nil, fmt.Errorf("make the %s's network namespace: %w", n.role, err)
		}
	}
	return l, l.wire()
}

// wire lays the links and sets addresses and routes.
func (l *Lab) wire() error {
	if err := l.Gateway.IP(
		link(InsideIf, ClientIf, l.Client), link(OutsideIf, ServerIf, l.Server),
		"link set lo up", "link set "+InsideIf+" up", "link set "+OutsideIf+" up"); err != nil {
		return err
	}
	if err := l.Client.IP("link set lo up", "link set "+ClientIf+" up",
		"addr add "+Client4+"/24 dev "+ClientIf, "addr add "+Client6+"/64 dev "+ClientIf+" nodad",
		"route add 203.0.113.0/24 dev "+ClientIf, "route add 2001:db8::/64 dev "+ClientIf); err != nil {
		return err
	}
	return l.Server.IP("link set lo up", "link set "+ServerIf+" up",
		"addr add "+Server4+"/24 dev "+ServerIf, "addr add "+Hostile4+"/24 dev "+ServerIf,
		"addr add "+Server6+"/64 dev "+ServerIf+" nodad",
		"route add 10.77.0.0/24 dev "+ServerIf, "route add fd77::/64 dev "+ServerIf)
}

// link is the ip command that joins the namespace it runs in to another one.
func link(name, peer string, other *Namespace) string {
	return fmt.Sprintf("link add %s type veth peer name %s netns %s", name, peer, other.Path())
}

// Close ends the programs inside and removes the namespaces, with all links in
// them. It may be called more than once.
func (l *Lab) Close() error {
	var errs []error
	for _, n := range []*Namespace{l.Client, l.Server, l.Gateway} {
		if n != nil {
			errs = append(errs, n.close())
		}
	}
	return errors.Join(errs...)
}

// IP runs commands of ip in the namespace, in one batch.
func (n *Namespace) IP(commands ...string) error {
	_, err := n.output(exec.Command("ip", "-batch", "-"), strings.Join(commands, "\n")+"\n")
	return err
}

// Run runs a program in the namespace to its end, or to ctx's, and gives its
// standard output; the error holds what it wrote to standard error.
func (n *Namespace) Run(ctx context.Context, name string, args ...string) (string, error) {
	return n.output(exec.CommandContext(ctx, name, args...), "")
}

func (n *Namespace) output(cmd *exec.Cmd, stdin string) (string, error) {
	var out, errout bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errout
	p, err := n.Start(cmd)
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(errout.String()))
	}
	return out.String(), nil
}

// NumPacketSockets counts the AF_PACKET sockets in the namespace.
func (n *Namespace) NumPacketSockets() (int, error) {
	var count int
	err := n.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/packet")
		count = max(bytes.Count(b, []byte("\n"))-1, 0) // less the heading
		return err
	})
	return count, err
}

// Ports describes what a daemon may leave on the gateway's ports: state,
// offloads, XDP programs, queueing disciplines with their filters, and packet
// sockets. Two pictures of the same state are equal.
func (l *Lab) Ports() (string, error) {
	var b strings.Builder
	for _, name := range []string{InsideIf, OutsideIf} {
		for _, cmd := range [][]string{
			{"ip", "-o", "-d", "link", "show", "dev", name},
			{"tc", "qdisc", "show", "dev", name},
			{"tc", "filter", "show", "dev", name, "ingress"},
			{"sysctl", "-n", "net.ipv6.conf." + name + ".disable_ipv6"},
			{"ethtool", "-k", name},
		} {
			out, err := l.Gateway.Run(context.Background(), cmd[0], cmd[1:]...)
			if err != nil && cmd[1] != "filter" { // without a qdisc there is nothing to list
				return "", err
			}
			// The state of a bridge port has timers in it.
			out, _, _ = strings.Cut(out, "bridge_slave ")
			for line := range strings.Lines(out) {
				if !strings.Contains(line, "[fixed]") {
					fmt.Fprintf(&b, "%s: %s\n", name, strings.TrimSpace(line))
				}
			}
		}
	}
	n, err := l.Gateway.NumPacketSockets()
	fmt.Fprintf(&b, "%d packet sockets\n", n)
	return b.String(), err
}

// Diff gives the lines that only one of two pictures has.
func Diff(before, after string) string {
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	var b strings.Builder
	for _, side := range []struct {
		sign     string
		own, not []string
	}{{"- ", was, is}, {"+ ", is, was}} {
		for _, l := range side.own {
			if !slices.Contains(side.not, l) {
				b.WriteString(side.sign + l + "\n")
			}
		}
	}
	return b.String()
}

// within runs fn on a thread in a namespace; the thread ends with it.
func within(enter func() error, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread must not be used again
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("panic: %v", r)
			}
		}()
		if err := enter(); err != nil {
			done <- err
			return
		}
		done <- fn()
	}()
	return <-done
}
