package main

import (
	"bytes"
	"fmt"
	"strings"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
	"sluice/internal/netlab/vlan"
)

// Addresses of tagged networks.
const (
	taggedClient = "10.78.0.1"
	taggedLAN    = "10.78.0.254"
	taggedWAN    = "198.51.100.254"
	taggedServer = "198.51.100.10"
	taggedOrigin = "http://" + taggedServer
	taggedVLAN   = 100
	taggedBeyond = 200
)

// tag makes a VLAN device on a port, with an address.
func (r *rig) tag(ns *netlab.Namespace, port, name string, id uint16, cidr string) {
	r.Helper()
	var mac string
	out, err := ns.Run(r.ctx, "ip", "-o", "link", "show", "dev", port)
	if err == nil {
		_, rest, _ := strings.Cut(out, "link/ether ")
		mac, _, _ = strings.Cut(rest, " ")
		err = ns.IP("link add "+name+" address "+mac+" type veth peer name "+name+"p", "link set "+name+"p up", "link set "+name+" up", "addr add "+cidr+" dev "+name)
	}
	if err != nil {
		r.Fatal(err)
	}
	if err := ns.Do(func() error {
		d, err := vlan.Join(port, name+"p", id)
		if err == nil {
			r.Cleanup(func() { _ = d.Close() })
		}
		return err
	}); err != nil {
		r.Fatal(err)
	}
}

// verdictsInVLAN has uploads in a VLAN judged as others are: the refusals reach the
// client with the tag, and what was withheld goes on with it.
func (r *rig) verdictsInVLAN() {
	r.Helper()
	o := netlab.Serve(r.listen(taggedServer + ":80"))
	r.Cleanup(func() { o.Close() })
	if p := r.curl(taggedOrigin + "/page"); p.Code != 200 {
		r.Fatalf("in the VLAN: %v", p)
	}
	mark, cards := r.soc.Mark(), stage.Cards(8, 93)
	p := r.curl("-H", "Content-Type: text/csv", "--data-binary", "@"+r.write("cards.csv", stage.CardList(cards)), taggedOrigin+"/cards")
	if p.Code != 403 {
		r.Errorf("the client saw %v", p)
	}
	if seen := stage.Settled(r.ctx, o, "/cards"); stage.Arrived(seen, cards) > 0 || len(seen) > 0 && seen[0].Complete {
		r.Errorf("cards arrived: %+v", seen)
	}
	e := r.awaitBlock(mark, "block-cards", "http-request")
	if e.Src != taggedClient || e.Dst != taggedServer || !bytes.Contains(e.Raw, fmt.Appendf(nil, `"vlan":[%d]`, taggedVLAN)) {
		r.Errorf("%s", e.Raw)
	}
	r.documents(taggedOrigin, o, 17, "put")
	r.heldSomething()
	if p := r.curl(taggedOrigin + "/after"); p.Code != 200 {
		r.Errorf("in the VLAN, after the documents: %v", p)
	}
	r.page("without a tag")
}

// liveTagged has a VLAN go through a bridge.
func liveTagged(r *rig) {
	r.tag(r.lab.Client, netlab.ClientIf, "v1", taggedVLAN, taggedClient+"/24")
	r.tag(r.lab.Server, netlab.ServerIf, "v1", taggedVLAN, taggedServer+"/24")
	for _, err := range []error{
		r.lab.Client.IP("route add 198.51.100.0/24 dev v1"),
		r.lab.Server.IP("route add 10.78.0.0/24 dev v1"),
	} {
		if err != nil {
			r.Fatal(err)
		}
	}
	// On a busy machine the wire would else take over for moments.
	r.start("--fail", "closed")
	r.verdictsInVLAN()
}

// liveGatewayTagged has a host route from a VLAN of its inspected port to another
// one beyond.
func liveGatewayTagged(r *rig) {
	r.route()
	r.tag(r.lab.Client, netlab.ClientIf, "v1", taggedVLAN, taggedClient+"/24")
	r.tag(r.lab.Gateway, netlab.InsideIf, "v1", taggedVLAN, taggedLAN+"/24")
	r.tag(r.lab.Gateway, netlab.OutsideIf, "v2", taggedBeyond, taggedWAN+"/24")
	r.tag(r.lab.Server, netlab.ServerIf, "v2", taggedBeyond, taggedServer+"/24")
	for _, err := range []error{
		r.lab.Client.IP("route add 198.51.100.0/24 via " + taggedLAN),
		r.lab.Server.IP("route add 10.78.0.0/24 via " + taggedWAN),
	} {
		if err != nil {
			r.Fatal(err)
		}
	}
	r.startGateway()
	r.verdictsInVLAN()
}
