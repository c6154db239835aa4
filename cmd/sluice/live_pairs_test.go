package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// livePairs has one daemon stand between two pairs of hosts.
func livePairs(r *rig) {
	const second = "198.51.100.10"
	link := func(name, peer string, other *netlab.Namespace) string {
		return fmt.Sprintf("link add %s type veth peer name %s netns %s", name, peer, other.Path())
	}
	for _, err := range []error{
		r.lab.Gateway.IP(link("in1", "c1", r.lab.Client), link("out1", "s1", r.lab.Server), "link set in1 up", "link set out1 up"),
		r.lab.Client.IP("link set c1 up", "addr add 10.78.0.1/24 dev c1", "route add 198.51.100.0/24 dev c1 src 10.78.0.1"),
		r.lab.Server.IP("link set s1 up", "addr add "+second+"/24 dev s1", "route add 10.78.0.0/24 dev s1 src "+second),
	} {
		if err != nil {
			r.Fatal(err)
		}
	}
	o := netlab.Serve(r.listen(second + ":80"))
	defer o.Close()
	before := r.picture()
	r.start("--bridge", "in1,out1", "--set", "workers=1")
	for _, to := range []string{netlab.Server4, second} {
		if p := r.curl("http://" + to + "/page"); p.Code != 200 {
			r.Errorf("%s: %v", to, p)
		}
	}
	mark, cards := r.soc.Mark(), stage.Cards(8, 91)
	if p := r.curl("--data-binary", "@"+r.write("cards.csv", stage.CardList(cards)), "http://"+second+"/cards"); p.Code != 403 {
		r.Errorf("the client saw %v", p)
	}
	if e := r.awaitBlock(mark, "block-cards", "http-request"); e.Dst != second {
		r.Errorf("%s", e.Raw)
	}
	if n := stage.Arrived(o.Requests("/cards"), cards); n > 0 {
		r.Errorf("%d card numbers arrived", n)
	}
	r.refusedCards("/first", 92)
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range st.Ports {
		names[p.Name] = p.Frames > 0 && p.Sent > 0
	}
	if len(names) != 4 || !names["in0"] || !names["out0"] || !names["in1"] || !names["out1"] {
		r.Errorf("%v", names)
	}
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if d := netlab.Diff(before, r.picture()); d != "" {
		r.Errorf("left on the ports:\n%s", d)
	}
}

// liveRefuses does not take ports that carry the host's own traffic, and leaves
// them as they are.
func liveRefuses(r *rig) {
	gives := func(want string, args ...string) {
		r.Helper()
		r.cfg.Args = args
		d, err := stage.Launch(r.lab, r.cfg)
		if err != nil {
			r.Fatal(err)
		}
		<-d.Done()
		if err := d.Stop(); err == nil || !strings.Contains(d.Log(), want) {
			r.Errorf("%v: %v, it said:\n%s", args, err, d.Log())
		}
	}
	pair := netlab.InsideIf + "," + netlab.OutsideIf
	if err := r.lab.Gateway.IP("addr add 192.0.2.5/24 dev "+netlab.OutsideIf, "route add default via 192.0.2.1 dev "+netlab.OutsideIf); err != nil {
		r.Fatal(err)
	}
	before := r.picture()
	gives("carries the default route", "--bridge", pair)
	gives("carries the default route", "--gateway", netlab.OutsideIf)
	if err := r.lab.Gateway.IP("route del default"); err != nil {
		r.Fatal(err)
	}
	gives("has the address 192.0.2.5", "--bridge", pair)
	// The operator's own session, as sshd tells of it.
	r.Setenv("SSH_CONNECTION", "192.0.2.77 50000 192.0.2.5 22")
	gives("carries this SSH session", "--gateway", netlab.OutsideIf)
	if d := netlab.Diff(before, r.picture()); d != "" {
		r.Errorf("changed all the same:\n%s", d)
	}
	r.start("--force")
	r.page("by force")
}

// liveBypassRule has flows that a rule bypasses go past the workers in the
// kernel, where flows may go past at all.
func liveBypassRule(r *rig) {
	r.start("--rules", r.write("own.rules", "alert tcp any any -> any 9000 (msg:\"past\"; noalert; bypass; sid:1;)\n"))
	l := r.listen(netlab.Server4 + ":9000")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go take(c)
		}
	}()
	const flows, n = 3, 8 << 20
	for range flows {
		c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", l.Addr().String())
		if err != nil {
			r.Fatal(err)
		}
		if _, err := c.Write(make([]byte, n)); err != nil {
			r.Fatal(err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			r.Error(err)
		}
		c.Close()
	}
	r.eventually("flows in the kernel", func() bool {
		st, err := r.daemon.Status(r.ctx)
		return err == nil && st.Counters["flow_bypassed.capture_flows"] == flows && st.Counters["flow_bypassed.bytes"] > flows*n*9/10
	})
}

// take reads a connection to its end and answers with a byte.
func take(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 1<<20)
	for {
		if _, err := c.Read(buf); err != nil {
			_, _ = c.Write([]byte("!"))
			return
		}
	}
}

// eventually waits for a condition.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("%s: not in time", what)
		}
	}
}

// liveCapture pins workers to processors and has them poll busily.
func liveCapture(r *rig) {
	last := runtime.NumCPU() - 1
	r.start("--set", "workers=1", "--set", fmt.Sprintf("ports.capture.cpus=[%d]", last), "--set", "ports.capture.busy-poll=100us", "--set", "ports.capture.buffer=2mb")
	r.page("pinned")
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	for _, p := range st.Ports {
		if len(p.Rings) != 1 || p.Rings[0].CPU == nil || *p.Rings[0].CPU != last || p.Rings[0].Frames == 0 || p.Rings[0].Frames != p.Frames {
			r.Errorf("%+v", p)
		}
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", r.daemon.PID()))
	if err != nil {
		r.Fatal(err)
	}
	pinned := 0
	for _, t := range tasks {
		if b, err := os.ReadFile(t); err == nil && strings.Contains(string(b), fmt.Sprintf("Cpus_allowed_list:\t%d\n", last)) {
			pinned++
		}
	}
	if pinned != 1 && runtime.NumCPU() > 1 {
		r.Errorf("%d threads of %d are pinned", pinned, len(tasks))
	}
	// Too few processors are named: nobody is pinned, and that is said.
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	r.start("--set", "workers=2", "--set", "ports.capture.cpus=[0]")
	r.page("not pinned")
	if st, err := r.daemon.Status(r.ctx); err != nil || st.Ports[0].Rings[0].CPU != nil || !strings.Contains(r.daemon.Log(), "names too few processors") {
		r.Errorf("%+v, %v", st.Ports, err)
	}
}
