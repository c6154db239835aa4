package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/app"
	"sluice/internal/netlab"
)

// management is an address of the server's that hosts in quarantine still reach.
const management = netlab.Hostile4

const quarantinePolicy = `name: own
rules:
  - name: isolate-cards
    when: {direction: egress, detectors: [pay.card], unique: 5}
    action: quarantine
    quarantine: {ttl: 30m, allow: ["` + management + ` tcp/80"]}
`

// quarantineFlags has a policy that puts in quarantine, with a destination that
// stays for its hosts alone.
func (r *rig) quarantineFlags(more string) []string {
	l := r.listen(management + ":80")
	o := netlab.Serve(l)
	r.Cleanup(func() { o.Close() })
	return []string{"--policy", r.write("policy.yaml", quarantinePolicy),
		"--config", r.write("quarantine.yaml", "quarantine:\n  allow: [192.0.2.99]\n  ttl: 1h\n"+more)}
}

// reach tells what the client reaches: the server by TCP and by UDP, and the
// management's address.
func (r *rig) reach() (tcp, udp, managed bool) {
	r.Helper()
	tcp = r.curl("-m", "1", origin+"/reach").Code == 200
	managed = r.curl("-m", "3", "http://"+management+"/reach").Code == 200
	s, err := r.lab.Server.ListenPacket(netlab.Server4 + ":0")
	if err != nil {
		r.Fatal(err)
	}
	defer s.Close()
	c, err := r.lab.Client.DialContext(r.ctx, "", "udp", s.LocalAddr().String())
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("away")); err != nil {
		r.Fatal(err)
	}
	_ = s.SetReadDeadline(time.Now().Add(time.Second))
	_, _, err = s.ReadFrom(make([]byte, 16))
	return tcp, err == nil, managed
}

// six tells whether the client's other address reaches the server.
func (r *rig) six(when string, want bool) {
	r.Helper()
	if p := r.curl("-m", "1", "http://["+netlab.Server6+"]/six"); (p.Code == 200) != want {
		r.Errorf("%s: over IPv6 %v", when, p)
	}
}

func (r *rig) held(when string) {
	r.Helper()
	if tcp, udp, managed := r.reach(); tcp || udp || !managed {
		r.Errorf("%s: the host reaches TCP %v, UDP %v, management %v", when, tcp, udp, managed)
	}
}

func (r *rig) free(when string) {
	r.Helper()
	if tcp, udp, managed := r.reach(); !tcp || !udp || !managed {
		r.Errorf("%s: the host reaches TCP %v, UDP %v, management %v", when, tcp, udp, managed)
	}
}

func (r *rig) quarantined() (out []app.QuarantineEntry) {
	r.Helper()
	if err := json.Unmarshal([]byte(r.cmd(0, "", "quarantine", "list", "--json")), &out); err != nil {
		r.Error(err)
	}
	return out
}

// liveQuarantine has an upload put its sender in quarantine, over the daemon's
// death and restart, until it is let go by hand.
func liveQuarantine(r *rig) {
	before := r.picture()
	r.start(r.quarantineFlags("  link-address: yes\n")...)
	r.free("at first")
	mark, cards := r.soc.Mark(), stage.Cards(8, 21)
	upload := func(path string) stage.Reply {
		return r.curl("-m", "2", "--data-binary", "@"+r.write("cards.csv", stage.CardList(cards)), origin+path)
	}
	if p := upload("/cards"); p.Code != 403 {
		r.Errorf("the client saw %v", p)
	}
	if seen := stage.Settled(r.ctx, r.origin, "/cards"); stage.Arrived(seen, cards) > 0 {
		r.Errorf("cards arrived: %+v", seen)
	}
	e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
	if e.DLP.Rule != "isolate-cards" || e.DLP.Action != "quarantine" || !e.DLP.Enforced {
		r.Errorf("%s", e.Raw)
	}
	r.held("after the upload")
	r.six("after the upload", false)
	r.await(mark, "an event of drops", func(e *stage.Event) bool {
		return e.Drop != nil && e.Src == netlab.Client4 && strings.HasPrefix(e.Drop.Reason, "quarantine") && e.Drop.Source == "xdp"
	})
	q := r.quarantined()
	if len(q) != 1 || q[0].Host.String() != netlab.Client4 || q[0].By != "policy: isolate-cards" || q[0].Expires == nil || time.Until(*q[0].Expires) > 30*time.Minute || q[0].Reaches() != management+" tcp/80" {
		r.Errorf("%+v", q)
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil || st.Quarantined != 1 || st.XDP["quarantine"] == 0 {
		r.Errorf("%+v, %v", st, err)
	}
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	r.held("without a daemon")
	r.run()
	r.held("after a restart")
	r.six("after a restart", false)
	if q := r.quarantined(); len(q) != 1 || q[0].By != "policy: isolate-cards" || q[0].Reaches() != management+" tcp/80" {
		r.Errorf("after a restart: %+v", q)
	}
	r.cmd(0, "", "quarantine", "del", netlab.Client4)
	r.free("let go")
	r.six("let go", true)
	r.cmd(1, "is not in quarantine", "quarantine", "del", netlab.Client4)
	r.cmd(2, "no host's address", "quarantine", "add", "10.0.0.0/8")

	r.cmd(0, "", "quarantine", "add", netlab.Client4, "--reason", "ticket 1", "--ttl", "3s")
	added := time.Now()
	if q := r.quarantined(); len(q) != 1 || q[0].By != "operator" || q[0].Reason != "ticket 1" || q[0].Reaches() != "192.0.2.99" {
		r.Errorf("%+v", q)
	}
	if tcp, _, managed := r.reach(); (tcp || managed) && time.Since(added) < 3*time.Second {
		r.Error("not held by hand")
	}
	time.Sleep(time.Until(added.Add(3200 * time.Millisecond)))
	r.free("when it has expired")
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if after := r.picture(); after != before {
		r.Errorf("the ports are not as before:\n%s", netlab.Diff(before, after))
	}
}

// liveQuarantineWorkers does without the kernel's programs.
func liveQuarantineWorkers(r *rig) {
	r.start(append(r.quarantineFlags("  link-address: yes\n"), "--set", "ports.xdp=off")...)
	r.free("at first")
	mark := r.soc.Mark()
	r.curl("-m", "2", "--data-binary", "@"+r.write("cards.csv", stage.CardList(stage.Cards(8, 22))), origin+"/cards")
	r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil && e.DLP.Action == "quarantine" && e.DLP.Enforced })
	r.held("after the upload")
	r.six("after the upload", false)
	r.await(mark, "an event of drops", func(e *stage.Event) bool { return e.Drop != nil && e.Drop.Reason == "quarantine" })
	r.cmd(0, "", "quarantine", "del", netlab.Client4)
	r.free("let go")
}

// liveQuarantineTap listens on a port that is in the path of a bridge of the
// kernel's own: XDP stops there what the tap itself could not.
func liveQuarantineTap(r *rig) {
	if err := r.lab.Gateway.IP("link add br0 type bridge", "link set br0 up",
		"link set "+netlab.InsideIf+" master br0", "link set "+netlab.OutsideIf+" master br0"); err != nil {
		r.Fatal(err)
	}
	r.cfg.Args = append([]string{"--tap", netlab.InsideIf, "--set", "ports.inject=br0"}, r.quarantineFlags("")...)
	r.run()
	r.free("at first")
	mark := r.soc.Mark()
	r.curl("-m", "3", "--data-binary", "@"+r.write("cards.csv", stage.CardList(stage.Cards(8, 23))), origin+"/cards")
	r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil && e.DLP.Action == "quarantine" })
	// The kernel learns of it a moment after the event, and the log after the kernel.
	r.eventually("somebody in the kernel's quarantine", func() bool { return strings.Contains(r.daemon.Log(), `msg="host in quarantine"`) })
	r.held("after the upload")
	r.cmd(0, "", "quarantine", "del", netlab.Client4)
	r.free("let go")
}

const segmentationConfig = `segmentation:
  zones:
    clients: [10.77.0.0/24]
    servers: [203.0.113.0/24]
  rules:
    - {name: %s, from: clients, to: servers, protocol: tcp, ports: [%s], action: drop}
    - {name: no-datagrams, from: clients, to: servers, protocol: udp, action: drop}
fast-path: {rate-limits: {new-flows: {per-second: 1000}}}
`

// liveSegmentation keeps zones apart, as a reload says and not while that is
// wrong.
func liveSegmentation(r *rig) {
	r.start("--config", r.write("zones.yaml", fmt.Sprintf(segmentationConfig, "no-web", "80-81")))
	mark := r.soc.Mark()
	if tcp, udp, _ := r.reach(); tcp || udp {
		r.Errorf("TCP %v and UDP %v arrive", tcp, udp)
	}
	e := r.await(mark, "an event of drops", func(e *stage.Event) bool { return e.Drop != nil && e.Proto == "TCP" })
	if e.Drop.Reason != "acl: no-web" || e.Drop.Source != "xdp" || e.Src != netlab.Client4 {
		r.Errorf("%s", e.Raw)
	}
	// Answers to who may begin need no rule.
	if listed, others := r.datagrams(2); listed != 2 || others != 1 {
		r.Errorf("%d datagrams of 2 arrived the other way, %d others", listed, others)
	}
	if p := r.curl("http://[" + netlab.Server6 + "]/page"); p.Code != 200 {
		r.Errorf("IPv6 is in no zone: %v", p)
	}
	r.write("zones.yaml", "segmentation: {rules: [{name: x, from: nowhere, to: any, action: drop}]}\n")
	r.cmd(1, `there is no zone "nowhere"`, "reload")
	if tcp, _, _ := r.reach(); tcp {
		r.Error("a reload that was refused let TCP through")
	}
	r.write("zones.yaml", fmt.Sprintf(segmentationConfig, "no-telnet", "23"))
	r.cmd(0, "", "reload")
	if tcp, udp, _ := r.reach(); !tcp || udp {
		r.Errorf("after a reload: TCP %v and UDP %v arrive", tcp, udp)
	}
}

// liveBlockFile blocks and unblocks by files, and keeps that over a restart.
func liveBlockFile(r *rig) {
	r.start()
	passes := func(when string, want int) {
		r.Helper()
		if listed, others := r.datagrams(2); listed != want || others != 1 {
			r.Errorf("%s: %d of 2 datagrams arrived, %d others", when, listed, others)
		}
	}
	bad := r.write("bad.txt", "192.0.2.1\n"+netlab.Hostile4+"\nnonsense here\n")
	r.cmd(1, bad+`:3: "nonsense" is not an address`, "block", "add", "--file", bad)
	passes("after a bad file", 2)
	good := r.write("good.txt", "# ours\n198.51.100.0/24 a whole network\n"+netlab.Hostile4+" ; known for it\n")
	r.cmd(0, "2 of 2 entries", "block", "add", "--file", good, "--as", "dst", "--reason", "by file")
	passes("blocked as a destination", 2)
	r.cmd(0, "2 of 2 entries", "block", "add", "--file", good, "--as", "src", "--ttl", "1h")
	passes("blocked as a source", 0)
	r.cmd(0, "operator  src", "block", "list", "--list", "operator")
	r.cmd(2, "none of src, dst and both", "block", "add", netlab.Hostile4, "--as", "source")
	r.cmd(2, "not both", "block", "add", netlab.Hostile4, "--file", good)
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	passes("without a daemon", 0)
	r.run()
	passes("after a restart", 0)
	var list []app.BlockEntry
	if err := json.Unmarshal([]byte(r.cmd(0, "", "block", "list", "--json")), &list); err != nil || len(list) != 2 ||
		list[0].Prefix != "198.51.100.0/24" || list[0].Reason != "a whole network" || list[0].As != "src" || list[0].Expires == nil {
		r.Errorf("%+v, %v", list, err)
	}
	r.cmd(0, "2 of 2 entries", "block", "del", "--file", good)
	passes("unblocked", 2)
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	// A list of the configuration that cannot be read says where.
	r.cfg.Args = append(r.cfg.Args, "--config", r.write("lists.yaml", "block-lists: [{name: bad, file: "+bad+"}]\n"))
	d, err := stage.Launch(r.lab, r.cfg)
	if err != nil {
		r.Fatal(err)
	}
	select {
	case <-d.Done():
	case <-time.After(20 * time.Second):
		r.Fatal("a daemon runs with a bad list")
	}
	if !strings.Contains(d.Log(), bad+":3:") {
		r.Errorf("it said:\n%s", d.Log())
	}
	_ = d.Stop()
	if _, err := os.Stat(r.daemon.Socket()); !os.IsNotExist(err) {
		r.Error("its socket is left")
	}
}

// liveTop looks at the rates while there is something to see.
func liveTop(r *rig) {
	r.start(r.blockList()...)
	r.page("to begin with")
	if listed, _ := r.datagrams(7); listed != 0 {
		r.Errorf("%d listed datagrams arrived", listed)
	}
	var s app.Status
	for deadline := time.Now().Add(5 * time.Second); ; {
		r.page("to see")
		if err := json.Unmarshal([]byte(r.cmd(0, "", "top", "--once", "--json")), &s); err != nil {
			r.Fatal(err)
		}
		if s.Rates.Frames > 0 && s.Rates.Bits > 0 && s.Rates.Flows > 0 {
			break
		}
		if time.Now().After(deadline) {
			r.Fatalf("no rates: %+v", s.Rates)
		}
	}
	if len(s.Loads) == 0 || s.Loads[0].Frames == 0 || s.Ports[0].XDP != "generic" || s.Ports[0].XDPReason == "" || s.Ports[0].XDPIdle || s.XDP["block-source"] != 7 {
		r.Errorf("%+v", s)
	}
	out := r.cmd(0, "drop  block-source  7", "top", "--once")
	if strings.Contains(out, "\x1b") {
		r.Errorf("a terminal's sequences in a pipe: %q", out)
	}
	r.cmd(0, "XDP is generic: a native program on a veth", "status")
	if loaded := func() bool {
		for range 20 {
			if err := json.Unmarshal([]byte(r.cmd(0, "", "status", "--json")), &s); err == nil && s.Loads[0].Load > 0 {
				return true
			}
			time.Sleep(200 * time.Millisecond)
		}
		return false
	}(); !loaded {
		r.Error("no worker has any load")
	}
}

const rejectUDP = `reject udp any any -> any any (msg:"reject"; content:"secret"; sid:1;)` + "\n"

// refusedUDP has a client send a datagram that a rule refuses, and tells what the
// client saw of it and whether what it sent afterwards arrived.
func (r *rig) refusedUDP() (arrived []string, seen error) {
	r.Helper()
	s, err := r.lab.Server.ListenPacket(netlab.Server4 + ":0")
	if err != nil {
		r.Fatal(err)
	}
	defer s.Close()
	c, err := r.lab.Client.DialContext(r.ctx, "", "udp", s.LocalAddr().String())
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	send := func(text string) {
		// An error of the datagram before is told here too.
		if _, err := c.Write([]byte(text)); err != nil {
			seen = err
			_, _ = c.Write([]byte(text))
		}
	}
	send("first")
	send("a secret")
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := c.Read(make([]byte, 10)); seen == nil {
		seen = err
	}
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		send("later")
	}
	buf := make([]byte, 100)
	for {
		_ = s.SetReadDeadline(time.Now().Add(time.Second))
		n, _, err := s.ReadFrom(buf)
		if err != nil {
			return arrived, seen
		}
		arrived = append(arrived, string(buf[:n]))
	}
}

// liveRefuseUDP has the sender of a refused datagram be told, and the flow end.
func liveRefuseUDP(r *rig) {
	r.start("--rules", r.write("own.rules", rejectUDP))
	arrived, seen := r.refusedUDP()
	if !errors.Is(seen, syscall.EHOSTUNREACH) {
		r.Errorf("the client saw %v", seen)
	}
	if strings.Join(arrived, " ") != "first" {
		r.Errorf("%q arrived", arrived)
	}
}

// liveRefuseUDPTap has the kernel end what a tap cannot, where the port is in the
// path: the datagram itself has arrived by then.
func liveRefuseUDPTap(r *rig) {
	if err := r.lab.Gateway.IP("link add br0 type bridge", "link set br0 up",
		"link set "+netlab.InsideIf+" master br0", "link set "+netlab.OutsideIf+" master br0"); err != nil {
		r.Fatal(err)
	}
	r.cfg.Args = []string{"--tap", netlab.InsideIf, "--set", "ports.inject=br0", "--rules", r.write("own.rules", rejectUDP)}
	r.run()
	arrived, seen := r.refusedUDP()
	if !errors.Is(seen, syscall.EHOSTUNREACH) {
		r.Errorf("the client saw %v", seen)
	}
	if len(arrived) < 2 || arrived[1] != "a secret" || len(arrived) > 3 {
		r.Errorf("%q arrived", arrived)
	}
	if st, err := r.daemon.Status(r.ctx); err != nil || st.XDP["flow"] == 0 {
		r.Errorf("XDP dropped nothing of it: %+v, %v", st.XDP, err)
	}
}
