package main

import (
	"path/filepath"
	"strings"

	"sluice/internal/netlab"
)

// liveLease has a real client of DHCP find a real server across the bridge, which
// forwards what is sent to all as well.
func liveLease(r *rig) {
	r.need("udhcpd", "udhcpd")
	r.need("udhcpc", "udhcpc")
	conf := r.write("udhcpd.conf", strings.Join([]string{"start 10.77.0.50", "end 10.77.0.50", "interface " + netlab.ServerIf,
		"lease_file " + r.write("leases", ""), "pidfile " + filepath.Join(r.dir, "udhcpd.pid"),
		"option subnet 255.255.255.0", "option router 10.77.0.254", "option dns 203.0.113.53", "option lease 600"}, "\n")+"\n")
	r.start()
	mark := r.soc.Mark()
	// The server asks first whether anybody has the address, and need not wait long here.
	said := r.serve(r.lab.Server, "udhcpd", "-f", "-a", "10", conf)
	// Nothing is done with the lease: the client's address stays.
	out, err := r.lab.Client.Run(r.ctx, "udhcpc", "-i", netlab.ClientIf, "-f", "-n", "-q", "-s", "/bin/true", "-x", "hostname:cell7", "-t", "20", "-T", "1")
	if err != nil {
		r.Fatalf("udhcpc: %v\n%s\n%s", err, out, said())
	}
	type record struct {
		Type     string `json:"type"`
		Kind     string `json:"dhcp_type"`
		Assigned string `json:"assigned_ip"`
		Host     string `json:"hostname"`
		Lease    int    `json:"lease_time"`
		Routers  []string
		DNS      []string `json:"dns_servers"`
	}
	for _, kind := range []string{"discover", "request"} {
		awaitPart(r, mark, "dhcp", kind, func(d *record) bool { return d.Type == "request" && d.Kind == kind && d.Host == "cell7" })
	}
	for _, kind := range []string{"offer", "ack"} {
		awaitPart(r, mark, "dhcp", kind, func(d *record) bool {
			return d.Type == "reply" && d.Kind == kind && d.Assigned == "10.77.0.50" && d.Lease == 600 &&
				strings.Join(d.Routers, " ") == "10.77.0.254" && strings.Join(d.DNS, " ") == "203.0.113.53"
		})
	}
}
