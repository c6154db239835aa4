package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"

	"sluice/internal/app"
	"sluice/internal/netlab"
)

// doctor runs `sluice doctor` in the gateway's namespace.
func (r *rig) doctor(args ...string) []app.Finding {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, liveTimeout)
	defer cancel()
	args = append([]string{"doctor", "--json", "--socket", filepath.Join(r.dir, "control.sock"), "--set", "state-dir=" + filepath.Join(r.dir, "state"),
		"--set", "cache-dir=" + r.cfg.Cache, "--set", "default-log-dir=" + r.dir}, args...)
	out, err := r.lab.Gateway.Run(ctx, r.cfg.Binary, args...)
	var found []app.Finding
	if e := json.Unmarshal([]byte(out), &found); e != nil {
		r.Fatalf("%v, %v: %s", err, e, out)
	}
	failed := false
	for _, f := range found {
		failed = failed || f.Level == app.LevelFailure
		if f.Level == app.LevelFailure && f.Mend == "" {
			r.Errorf("no remedy: %+v", f)
		}
	}
	if failed != (err != nil) {
		r.Errorf("a failure: %v, and the exit: %v", failed, err)
	}
	return found
}

// finds expects a finding at a level with texts in its detail and its remedy.
func (r *rig) finds(found []app.Finding, check, level, detail, mend string) {
	r.Helper()
	for _, f := range found {
		if f.Check == check && f.Level == level && strings.Contains(f.Detail, detail) && strings.Contains(f.Mend, mend) {
			return
		}
	}
	var all []string
	for _, f := range found {
		all = append(all, f.Check+" "+f.Level+": "+f.Detail+" -> "+f.Mend)
	}
	r.Errorf("no %s of %s (%s -> %s) in:\n%s", level, check, detail, mend, strings.Join(all, "\n"))
}

// liveDoctor sets things wrong and has each named with its remedy, and nothing
// of it once it is mended.
func liveDoctor(r *rig) {
	wrong := [][]string{
		{"ip", "link", "set", netlab.OutsideIf, "mtu", "9000"},
		{"ip", "link", "set", netlab.InsideIf, "gro_max_size", "200000", "gso_max_size", "200000"},
		{"ip", "addr", "add", "192.0.2.9/24", "dev", netlab.InsideIf},
		{"ip", "link", "add", "br9", "type", "bridge"},
		{"ip", "link", "set", netlab.OutsideIf, "master", "br9"},
		{"ethtool", "-K", netlab.InsideIf, "gro", "off"},
		{"sysctl", "-qw", "net.ipv4.ip_forward=0"},
	}
	for _, c := range wrong {
		if _, err := r.lab.Gateway.Run(r.ctx, c[0], c[1:]...); err != nil {
			r.Fatal(err)
		}
	}
	pair := netlab.InsideIf + "," + netlab.OutsideIf
	found := r.doctor("--bridge", pair, "--set", "ports.capture.cpus=[900]")
	r.finds(found, "mtu", app.LevelFailure, "has 1500, out0 has 9000", "ip link set out0 mtu 1500")
	r.finds(found, "port in0", app.LevelFailure, "192.0.2.9/24", "ip addr flush dev in0")
	r.finds(found, "port out0", app.LevelFailure, "belongs to a bridge", "ip link set out0 nomaster")
	r.finds(found, "big tcp in0", app.LevelNote, "200000 bytes (BIG TCP)", "gro_max_size 65536")
	r.finds(found, "offloads in0", app.LevelNote, "GRO is off", "ethtool -K in0 gro on")
	r.finds(found, "offloads in0", app.LevelNote, "strips VLAN tags", "ethtool -K in0 rxvlan off")
	r.finds(found, "xdp in0", app.LevelNote, "generic: a native program on a veth", "")
	r.finds(found, "cpus", app.LevelFailure, "processor 900", "name some of")
	r.finds(found, "daemon", app.LevelNote, "not running", "")
	r.finds(found, "privileges", app.LevelOK, "", "")
	found = r.doctor("--gateway", netlab.InsideIf, "--bridge", "nosuch0,out0")
	r.finds(found, "routing", app.LevelWarning, "does not route IPv4", "sysctl -w net.ipv4.ip_forward=1")
	r.finds(found, "big tcp in0", app.LevelWarning, "sends aggregates of up to 200000 bytes", "gso_max_size 65536")
	r.finds(found, "port nosuch0", app.LevelFailure, "no such interface", "ip link")
	// Its own remedies work.
	for _, c := range [][]string{
		{"ip", "link", "set", "out0", "mtu", "1500"}, {"ip", "addr", "flush", "dev", "in0"}, {"ip", "link", "set", "out0", "nomaster"},
		{"ip", "link", "set", "in0", "gro_max_size", "65536"}, {"ethtool", "-K", "in0", "gro", "on"},
		{"ethtool", "-K", "in0", "rxvlan", "off"},
	} {
		if _, err := r.lab.Gateway.Run(r.ctx, c[0], c[1:]...); err != nil {
			r.Fatal(err)
		}
	}
	for _, f := range r.doctor("--bridge", pair) {
		if f.Level == app.LevelFailure || f.Check == "mtu" || f.Check == "offloads in0" || f.Check == "big tcp in0" && strings.Contains(f.Detail, "daemon limits") {
			r.Errorf("mended, and still: %+v", f)
		}
	}
	// What a crashed daemon leaves, as bridge and as gateway.
	r.start(r.blockList()...)
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	found = r.doctor("--bridge", pair)
	r.finds(found, "leftover in0", app.LevelWarning, "an XDP program", "ip link set in0 xdp off")
	r.finds(found, "leftover in0", app.LevelWarning, "the wire program", "tc qdisc del dev in0 clsact")
	r.finds(found, "leftovers", app.LevelWarning, "not given back", "next `sluice run`")
	r.run()
	found = r.doctor("--bridge", pair)
	r.finds(found, "daemon", app.LevelOK, "running", "")
	for _, f := range found {
		if strings.HasPrefix(f.Check, "leftover") {
			r.Errorf("of a running daemon: %+v", f)
		}
	}
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	r.route()
	r.startGateway()
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	inner := ""
	for _, f := range r.doctor("--gateway", netlab.InsideIf) {
		if strings.Contains(f.Detail, "inner device") {
			inner = f.Mend[strings.LastIndex(f.Mend, "ip link del "):]
		}
	}
	if inner == "" {
		r.Fatal("the inner device of a dead gateway is not told of")
	}
	args := strings.Fields(inner)
	if _, err := r.lab.Gateway.Run(r.ctx, args[0], args[1:]...); err != nil {
		r.Error(err)
	}
}
