package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// lanAddr and wanAddr are the gateway's own addresses where it routes.
const (
	lanAddr = "10.77.0.254"
	wanAddr = "203.0.113.254"
)

// route makes the lab's gateway a router that hides the inside by nftables, and
// has it serve on its LAN address.
func (r *rig) route() {
	r.Helper()
	for _, err := range []error{
		r.lab.Gateway.IP("addr add "+lanAddr+"/24 dev "+netlab.InsideIf, "addr add "+wanAddr+"/24 dev "+netlab.OutsideIf),
		r.lab.Client.IP("route del 203.0.113.0/24 dev "+netlab.ClientIf, "route add default via "+lanAddr),
		r.lab.Server.IP("route del 10.77.0.0/24 dev " + netlab.ServerIf),
		r.lab.Gateway.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) }),
	} {
		if err != nil {
			r.Fatal(err)
		}
	}
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader("table ip nat {\nchain post { type nat hook postrouting priority 100; oifname " + netlab.OutsideIf + " masquerade; }\n}\n")
	var out bytes.Buffer
	nft.Stderr = &out
	p, err := r.lab.Gateway.Start(nft)
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		r.Fatalf("nft: %v: %s", err, out.String())
	}
	l, err := r.lab.Gateway.Listen(lanAddr + ":8080")
	if err != nil {
		r.Fatal(err)
	}
	own := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "the router's own page")
	})}
	go func() { _ = own.Serve(l) }()
	r.Cleanup(func() { own.Close() })
}

// routed expects traffic through the gateway and to the gateway.
func (r *rig) routed(when string) {
	r.Helper()
	r.page(when)
	if p := r.curl("http://" + lanAddr + ":8080/"); p.Code != 200 || p.Body != "the router's own page" {
		r.Errorf("%s: the router's own page: %v", when, p)
	}
	const n = 8 << 20
	if got, same, err := r.transfer(netlab.Server4+":0", n); err != nil || got != n || !same {
		r.Errorf("%s: TCP: %d bytes of %d, the same: %v, %v", when, got, n, same, err)
	}
	r.echo(netlab.Server4 + ":0")
}

// gatewayPicture describes what a gateway may leave on the host.
func (r *rig) gatewayPicture() string {
	r.Helper()
	b := r.picture()
	for _, args := range [][]string{{"-o", "link"}, {"-o", "addr"}, {"route"}} {
		out, err := r.lab.Gateway.Run(r.ctx, "ip", args...)
		if err != nil {
			r.Fatal(err)
		}
		b += strings.ReplaceAll(out, " tentative", "")
	}
	return b
}

func (r *rig) startGateway(args ...string) {
	r.Helper()
	r.cfg.Args = append([]string{"--gateway", netlab.InsideIf}, args...)
	r.run()
}

// liveGateway runs on a host that routes and masquerades.
func liveGateway(r *rig) {
	r.route()
	r.routed("before")
	before := r.gatewayPicture()
	r.startGateway()
	r.routed("inspected")
	r.refusedCards("/cards", 31)
	mark := r.soc.Mark()
	if p := r.curl("-A", "sqlmap/1.8", origin+"/items"); p.Code != 200 {
		r.Errorf("an alert must not stop the request: %v", p)
	}
	if e := r.await(mark, "an alert", func(e *stage.Event) bool { return e.Alert != nil }); e.Src != netlab.Client4 || e.Dst != netlab.Server4 {
		r.Errorf("the addresses before translation are wanted: %s", e.Raw)
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	if len(st.Ports) != 1 || st.Ports[0].Name != netlab.InsideIf || st.Ports[0].Mode != "gateway" || st.Ports[0].SendLost+st.Ports[0].Dropped > 0 || st.Fail != "open" {
		r.Errorf("%+v", st)
	}
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if d := netlab.Diff(before, r.gatewayPicture()); d != "" {
		r.Errorf("left on the host:\n%s", d)
	}
	r.routed("after")
}

// liveGatewayKilled kills the daemon: failing open, the host routes on.
func liveGatewayKilled(r *rig) {
	r.route()
	before := r.gatewayPicture()
	r.startGateway()
	r.page("before the kill")
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	r.routed("killed")
	r.startGateway()
	r.routed("started again")
	r.refusedCards("/again", 32)
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if d := netlab.Diff(before, r.gatewayPicture()); d != "" {
		r.Errorf("left on the host:\n%s", d)
	}
}
