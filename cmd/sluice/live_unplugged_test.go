package main

import (
	"bytes"
	"strings"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// liveUnplugged removes a port while the daemon runs, and makes another of its
// name: the daemon tells, ends, so that whoever supervises it starts it anew, and
// leaves nothing on the port that stayed.
func liveUnplugged(r *rig) {
	before := r.outside()
	r.start("--fail", "open")
	mark := r.soc.Mark()
	if err := r.lab.Gateway.IP("link del " + netlab.InsideIf); err != nil {
		r.Fatal(err)
	}
	r.await(mark, "an event of the port that is gone", func(e *stage.Event) bool {
		return e.Type == "engine" && bytes.Contains(e.Raw, []byte(`"port is gone`)) && bytes.Contains(e.Raw, []byte(netlab.InsideIf))
	})
	r.cmd(0, netlab.InsideIf+" is gone", "status")
	if err := r.lab.Gateway.IP("link add " + netlab.InsideIf + " type veth peer name spare0"); err != nil {
		r.Fatal(err)
	}
	select {
	case <-r.daemon.Done():
	case <-r.ctx.Done():
		r.Fatal("the daemon goes on without its port")
	}
	if log := r.daemon.Log(); !strings.Contains(log, "was removed and made anew") || strings.Contains(log, "Link not found") {
		r.Errorf("the daemon ends with:\n%s", log)
	}
	if after := r.outside(); after != before {
		r.Errorf("the port that stayed is not as it was:\n%s\nbut:\n%s", before, after)
	}
}

// outside describes what hangs on the gateway's outside port.
func (r *rig) outside() string {
	r.Helper()
	var out string
	for _, args := range [][]string{{"tc", "qdisc", "show", "dev", netlab.OutsideIf}, {"ethtool", "-k", netlab.OutsideIf}} {
		s, err := r.lab.Gateway.Run(r.ctx, args[0], args[1:]...)
		if err != nil {
			r.Fatal(err)
		}
		out += s
	}
	return out
}
