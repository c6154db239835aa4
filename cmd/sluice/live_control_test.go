package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/app"
	"sluice/internal/netlab"
)

// liveMonitor checks that everything is told and nothing is kept back.
func liveMonitor(r *rig) {
	r.start(append(r.blockList(), "--monitor")...)
	mark, cards := r.soc.Mark(), stage.Cards(8, 3)
	p := r.curl("--data-binary", "@"+r.write("cards.csv", stage.CardList(cards)), origin+"/cards")
	if p.Code != 200 || p.Err != nil {
		r.Errorf("the client saw %v", p)
	}
	if seen := stage.Settled(r.ctx, r.origin, "/cards"); stage.Arrived(seen, cards) != len(cards) {
		r.Errorf("%d of %d cards arrived", stage.Arrived(seen, cards), len(cards))
	}
	e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
	if e.DLP.Rule != "block-cards" || e.DLP.Action != "block" || e.DLP.Enforced || e.DLP.Released == 0 {
		r.Errorf("%s", e.Raw)
	}
	if listed, others := r.datagrams(3); listed != 3 || others != 1 {
		r.Errorf("%d of 3 listed datagrams arrived, %d others", listed, others)
	}
	if out, code, err := r.daemon.Command("block", "add", netlab.Hostile4); code != 1 || err != nil {
		r.Errorf("block add: exit %d, %v: %s", code, err, out)
	}
	if st, err := r.daemon.Status(r.ctx); err != nil || !st.Monitor {
		r.Errorf("%+v, %v", st, err)
	}
}

// cmd runs a command against the daemon and expects an exit code and a text.
func (r *rig) cmd(code int, text string, args ...string) string {
	r.Helper()
	out, got, err := r.daemon.Command(args...)
	if err != nil || got != code || !strings.Contains(out, text) {
		r.Errorf("sluice %s: exit %d (not %d), %v: %s", strings.Join(args, " "), got, code, err, out)
	}
	return out
}

const policyTemplate = `name: own
rules:
  - name: %s
    when: {direction: egress, detectors: [pay.card], unique: 5}
    action: block
`

// liveReload reloads with errors and without while a connection is open.
func liveReload(r *rig) {
	const rule = `alert http any any -> any any (msg:"%s"; http.uri; content:"%s"; sid:%d;)` + "\n"
	rules := r.write("own.rules", fmt.Sprintf(rule, "first", "/first", 1))
	policy := r.write("policy.yaml", fmt.Sprintf(policyTemplate, "first-policy"))
	r.start("--rules", rules, "--policy", policy)
	conn, err := r.lab.Client.DialContext(r.ctx, "", "tcp", netlab.Server4+":80")
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	get := func(path string) {
		r.Helper()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, netlab.Server4)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil || resp.StatusCode != 200 {
			r.Fatalf("%s on the open connection: %v, %v", path, resp, err)
		}
		var body [4096]byte
		_, _ = resp.Body.Read(body[:])
		resp.Body.Close()
	}
	refused := func(seed uint64, rule string) {
		r.Helper()
		mark := r.soc.Mark()
		if p := r.curl("--data-binary", "@"+r.write("cards.csv", stage.CardList(stage.Cards(8, seed))), origin+"/cards"); p.Code != 403 {
			r.Errorf("the client saw %v", p)
		}
		r.awaitBlock(mark, rule, "http-request")
	}
	alerted := func(path string, sid int) {
		r.Helper()
		mark := r.soc.Mark()
		if p := r.curl(origin + path); p.Code != 200 {
			r.Errorf("%s: %v", path, p)
		}
		r.await(mark, "an alert of rule "+fmt.Sprint(sid), func(e *stage.Event) bool { return e.Alert != nil && e.Alert.ID == sid })
	}
	get("/before")
	refused(4, "first-policy")
	alerted("/first", 1)

	r.write("policy.yaml", "name: own\nrules: [{name: x, when: {detectors: [no.such.detector]}, action: blok}]\n")
	r.cmd(1, "policy.yaml", "reload")
	get("/with-a-broken-policy")
	refused(5, "first-policy")

	r.write("policy.yaml", fmt.Sprintf(policyTemplate, "second-policy"))
	r.write("own.rules", "alert http any any -> any any (msg:\"broken\"; no.such.keyword; sid:7;)\n")
	r.cmd(1, "", "reload")
	get("/with-a-broken-rule")
	alerted("/first", 1)
	refused(6, "first-policy")

	r.write("own.rules", fmt.Sprintf(rule, "first", "/first", 1)+fmt.Sprintf(rule, "second", "/second", 2))
	r.cmd(0, "2 rules loaded", "reload")
	get("/after")
	alerted("/second", 2)
	alerted("/first", 1)
	refused(7, "second-policy")
	mark := r.soc.Mark()
	get("/second")
	r.await(mark, "an alert on the connection that was open", func(e *stage.Event) bool { return e.Alert != nil && e.Alert.ID == 2 })
	if st, err := r.daemon.Status(r.ctx); err != nil || st.Rules != 2 || st.Rejected != 0 {
		r.Errorf("%+v, %v", st, err)
	}
}

// liveKilled kills the daemon: traffic and block lists go on, and the next
// daemon takes over and cleans up.
func liveKilled(r *rig) {
	before := r.picture()
	r.start(r.blockList()...)
	r.page("to begin with")
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	r.page("without a daemon")
	if got, same, err := r.transfer(netlab.Server4+":0", 4<<20); err != nil || !same {
		r.Errorf("%d bytes, the same: %v, %v", got, same, err)
	}
	if listed, others := r.datagrams(3); listed != 0 || others != 1 {
		r.Errorf("without a daemon: %d listed datagrams arrived, %d others", listed, others)
	}
	r.run()
	if listed, others := r.datagrams(3); listed != 0 || others != 1 {
		r.Errorf("after a restart: %d listed datagrams arrived, %d others", listed, others)
	}
	r.page("after a restart")
	r.refusedCards("/cards", 8)
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if after := r.picture(); after != before {
		r.Errorf("the ports are not as before:\n%s", netlab.Diff(before, after))
	}
}

// liveStopped ends the daemon by SIGTERM while a connection is open.
func liveStopped(r *rig) {
	before := r.picture()
	r.start(r.blockList()...)
	during := r.picture()
	if during == before || !strings.Contains(during, "xdp") || strings.Contains(during, "\n0 packet sockets") {
		r.Errorf("while running:\n%s", during)
	}
	c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", netlab.Server4+":80")
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	r.refusedCards("/cards", 9)
	begin := time.Now()
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	r.Logf("stopped after %v", time.Since(begin).Round(time.Millisecond))
	if after := r.picture(); after != before {
		r.Errorf("the ports are not as before:\n%s", netlab.Diff(before, after))
	}
	left, _ := filepath.Glob(filepath.Join(r.daemon.StateDir(), "ports-*"))
	if _, err := os.Stat(r.daemon.Socket()); !os.IsNotExist(err) || len(left) > 0 {
		r.Errorf("left behind: %v, socket %v", left, err)
	}
	r.cmd(2, "no sluice daemon answers", "status")
	// The ports are free: the next daemon starts as the first did.
	r.run()
	r.page("after a restart")
}

// liveSecond starts a second daemon on the same socket and ports: it refuses,
// and the first one does not notice.
func liveSecond(r *rig) {
	r.start(r.blockList()...)
	second, err := stage.Launch(r.lab, r.cfg)
	if err != nil {
		r.Fatal(err)
	}
	select {
	case <-second.Done():
	case <-time.After(20 * time.Second):
		r.Fatal("the second daemon runs")
	}
	if !strings.Contains(second.Log(), "another daemon answers there") {
		r.Errorf("it said:\n%s", second.Log())
	}
	if err := second.Stop(); err == nil {
		r.Error("it ended with exit code 0")
	}
	r.page("with the first daemon")
	if listed, others := r.datagrams(2); listed != 0 || others != 1 {
		r.Errorf("%d listed datagrams arrived, %d others", listed, others)
	}
	r.refusedCards("/cards", 10)
}

// liveBlock blocks addresses by hand.
func liveBlock(r *rig) {
	r.start()
	list := func() (out []app.BlockEntry) {
		r.Helper()
		if err := json.Unmarshal([]byte(r.cmd(0, "", "block", "list", "--json")), &out); err != nil {
			r.Error(err)
		}
		return out
	}
	passes := func(when string, want int) {
		r.Helper()
		if listed, others := r.datagrams(2); listed != want || others != 1 {
			r.Errorf("%s: %d of 2 datagrams arrived, %d others", when, listed, others)
		}
	}
	passes("at first", 2)
	if l := list(); len(l) != 0 {
		r.Errorf("%+v", l)
	}
	r.cmd(0, "", "block", "add", netlab.Hostile4, "--reason", "by hand")
	if l := list(); len(l) != 1 || l[0].Prefix != netlab.Hostile4+"/32" || l[0].Reason != "by hand" || l[0].Expires != nil {
		r.Errorf("%+v", l)
	}
	passes("blocked", 0)
	r.cmd(0, "", "block", "del", netlab.Hostile4)
	passes("unblocked", 2)
	r.cmd(1, "not on the operator's block list", "block", "del", netlab.Hostile4)
	r.cmd(2, "neither an address nor a prefix", "block", "add", "203.0.113.256")

	r.cmd(0, "", "block", "add", "203.0.113.64/30", "--ttl", "1500ms")
	added := time.Now()
	if l := list(); len(l) != 1 || l[0].Expires == nil {
		r.Errorf("%+v", l)
	}
	passes("blocked for a while", 0)
	time.Sleep(time.Until(added.Add(1700 * time.Millisecond)))
	passes("after that", 2)
	for deadline := time.Now().Add(3 * time.Second); len(list()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("an expired entry is still listed: %+v", list())
		}
	}
	r.cmd(0, "EXPIRES", "block", "list")
}

// liveConfirm starts with --confirm, without and with the confirmation.
func liveConfirm(r *rig) {
	before := r.picture()
	r.start("--confirm", "1s")
	r.page("while unconfirmed")
	select {
	case <-r.daemon.Done():
	case <-time.After(10 * time.Second):
		r.Fatal("the daemon goes on unconfirmed")
	}
	if !strings.Contains(r.daemon.Log(), "not confirmed in time") {
		r.Errorf("it said:\n%s", r.daemon.Log())
	}
	if err := r.daemon.Stop(); err == nil {
		r.Error("it ended with exit code 0")
	}
	if after := r.picture(); after != before {
		r.Errorf("the ports are not as before:\n%s", netlab.Diff(before, after))
	}
	r.start("--confirm", "1500ms")
	r.cmd(0, "", "confirm")
	select {
	case <-r.daemon.Done():
		r.Errorf("a confirmed daemon ended:\n%s", r.daemon.Log())
	case <-time.After(2 * time.Second):
	}
	r.page("when confirmed")
}

// liveTap listens on a port of a bridge of the kernel's own, and ends an upload
// by resets.
func liveTap(r *rig) {
	if err := r.lab.Gateway.IP("link add br0 type bridge", "link set br0 up",
		"link set "+netlab.InsideIf+" master br0", "link set "+netlab.OutsideIf+" master br0"); err != nil {
		r.Fatal(err)
	}
	before := r.picture()
	// The bridge itself carries the resets to either side.
	r.cfg.Args = []string{"--tap", netlab.InsideIf, "--set", "ports.inject=br0"}
	r.run()
	mark := r.soc.Mark()
	r.page("beside the wire")
	r.await(mark, "a record of the request", func(e *stage.Event) bool { return e.HTTP != nil && e.HTTP.URL == "/page" })

	cards := stage.Cards(8, 11)
	upload := r.write("upload.csv", stage.CardList(cards)+strings.Repeat("An ordinary line of a quarterly report.\n", 100000))
	mark = r.soc.Mark()
	begin := time.Now()
	p := r.curl("-H", "Expect:", "--limit-rate", "1M", "--data-binary", "@"+upload, origin+"/upload")
	if p.Code != 0 || p.Err == nil || !strings.Contains(p.Err.Error(), "reset") {
		r.Errorf("the client saw %v", p)
	}
	r.Logf("the upload of 4 MB at 1 MB/s ended after %v", time.Since(begin).Round(time.Millisecond))
	seen := stage.Settled(r.ctx, r.origin, "/upload")
	if len(seen) != 1 || seen[0].Complete || len(seen[0].Body) > 3<<20 {
		for _, s := range seen {
			r.Errorf("the server received %d bytes, complete: %v", len(s.Body), s.Complete)
		}
		r.Errorf("%d requests reached the server", len(seen))
	}
	e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
	if e.DLP.Rule != "block-cards" || e.DLP.Action != "block" || !e.DLP.Enforced || e.DLP.Released == 0 {
		r.Errorf("%s", e.Raw)
	}
	r.page("after the reset")
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if after := r.picture(); after != before {
		r.Errorf("the ports are not as before:\n%s", netlab.Diff(before, after))
	}
}
