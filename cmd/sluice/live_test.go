package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/livetest"
	"sluice/internal/netlab"
)

// TestLive runs the built program between a client and a server in network
// namespaces. Each subtest has a network and a daemon of its own; all share the
// program and the cache of compiled databases.
func TestLive(t *testing.T) {
	if os.Geteuid() != 0 {
		livetest.Lacks(t, "network namespaces need root")
	}
	if testing.Short() {
		t.Skip("builds the program and starts it many times")
	}
	shared := t.TempDir()
	program := filepath.Join(shared, "sluice")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name string
		test func(*rig)
	}{
		{"carries", liveCarries},
		{"page", livePage},
		{"cards", liveCards},
		{"marked file", liveMarked},
		{"alert", liveAlert},
		{"drop rule", liveDropRule},
		{"replace", liveReplace},
		{"block list", liveBlockList},
		{"mail", liveMail},
		{"files", liveFiles},
		{"telemetry", liveTelemetry},
		{"database", liveDatabase},
		{"directory", liveDirectory},
		{"agent", liveAgent},
		{"phone", livePhone},
		{"chat", liveChat},
		{"lease", liveLease},
		{"tickets", liveTickets},
		{"tls and dns", liveNames},
		{"monitor", liveMonitor},
		{"reload", liveReload},
		{"remote", liveRemote},
		{"killed", liveKilled},
		{"stopped", liveStopped},
		{"unplugged", liveUnplugged},
		{"second daemon", liveSecond},
		{"block by hand", liveBlock},
		{"block by file", liveBlockFile},
		{"quarantine", liveQuarantine},
		{"quarantine by workers", liveQuarantineWorkers},
		{"quarantine beside the wire", liveQuarantineTap},
		{"segmentation", liveSegmentation},
		{"top", liveTop},
		{"datagrams refused", liveRefuseUDP},
		{"datagrams refused beside the wire", liveRefuseUDPTap},
		{"confirm", liveConfirm},
		{"tap", liveTap},
		{"bypass", liveBypass},
		{"gap", liveGap},
		{"past the verdict", livePast},
		{"gateway past the verdict", liveGatewayPast},
		{"tap past the verdict", liveTapPast},
		{"flood", liveFlood},
		{"pairs", livePairs},
		{"refuses", liveRefuses},
		{"capture options", liveCapture},
		{"bypass rule", liveBypassRule},
		{"doctor", liveDoctor},
		{"handover", liveHandover},
		{"gateway handover", liveGatewayHandover},
		{"killed under load", liveKilledUnderLoad},
		{"hung", liveHung},
		{"hung in talk", liveHungTalk},
		{"overload", liveOverload},
		{"coverage", liveCoverage},
		{"drop counts", liveDropCounts},
		{"gateway", liveGateway},
		{"gateway killed", liveGatewayKilled},
		{"gateway replace", liveGatewayReplace},
		{"documents", liveDocuments},
		{"document mail", liveDocumentMail},
		{"document ftp", liveDocumentFTP},
		{"document delay", liveDocumentDelay},
		{"document rush", liveDocumentRush},
		{"gateway quarantine", liveGatewayQuarantine},
		{"gateway documents", liveGatewayDocuments},
		{"gateway datagrams refused", liveGatewayRefuseUDP},
		{"gateway gap", liveGatewayGap},
		{"gateway hung", liveGatewayHung},
		{"tagged", liveTagged},
		{"gateway tagged", liveGatewayTagged},
		{"dead flow", liveDead},
		{"gateway dead flow", liveGatewayDead},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			c.test(newRig(t, program, filepath.Join(shared, "cache")))
		})
	}
}

// rig is a network with what the tests need around the daemon.
type rig struct {
	*testing.T
	ctx    context.Context
	lab    *netlab.Lab
	dir    string
	cfg    stage.Config
	daemon *stage.Daemon
	soc    *stage.SOC
	origin *netlab.Origin
}

// liveTimeout bounds one live test.
const liveTimeout = 2 * time.Minute

func newRig(t *testing.T, program, cache string) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), liveTimeout)
	t.Cleanup(cancel)
	r := &rig{T: t, ctx: ctx, dir: t.TempDir(), soc: stage.NewSOC()}
	r.cfg = stage.Config{Binary: program, Cache: cache, Dir: r.dir}
	var err error
	if r.lab, err = netlab.New(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.soc.Close()
		if t.Failed() && r.daemon != nil {
			t.Logf("the daemon's log:\n%s", r.daemon.Log())
		}
		if err := r.lab.Close(); err != nil {
			t.Error(err)
		}
	})
	var listeners []net.Listener
	for _, addr := range []string{netlab.Server4 + ":80", "[" + netlab.Server6 + "]:80"} {
		listeners = append(listeners, r.listen(addr))
	}
	r.origin = netlab.Serve(listeners...)
	t.Cleanup(func() { r.origin.Close() })
	return r
}

func (r *rig) listen(addr string) net.Listener {
	r.Helper()
	l, err := r.lab.Server.Listen(addr)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { l.Close() })
	return l
}

// start runs the daemon as a bridge; args come after --bridge.
func (r *rig) start(args ...string) {
	r.Helper()
	r.cfg.Args = append([]string{"--bridge", netlab.InsideIf + "," + netlab.OutsideIf}, args...)
	r.run()
}

// run runs the daemon with r.cfg and connects the SOC to it.
func (r *rig) run() {
	r.Helper()
	var err error
	if r.daemon, err = stage.Start(r.ctx, r.lab, r.cfg); err != nil {
		r.Fatal(err)
	}
	if err := r.soc.Connect(r.ctx, r.daemon); err != nil {
		r.Fatal(err)
	}
}

// write makes a file in the test's folder.
func (r *rig) write(name, text string) string {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return path
}

func (r *rig) curl(args ...string) stage.Reply { return stage.Curl(r.ctx, r.lab.Client, args...) }

// await gives an event after mark that reaches the SOC within half a minute.
func (r *rig) await(mark int, what string, ok func(*stage.Event) bool) stage.Event {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 30*time.Second)
	defer cancel()
	e, err := r.soc.Await(ctx, mark, ok)
	if err != nil {
		var seen []string
		for _, e := range r.soc.Since(mark) {
			seen = append(seen, string(e.Raw))
		}
		r.Fatalf("%s: %v; there were:\n%s", what, err, strings.Join(seen, "\n"))
	}
	return e
}

// awaitBlock gives the dlp event of an enforced block by a policy rule.
func (r *rig) awaitBlock(mark int, rule, channel string) stage.Event {
	r.Helper()
	// A login in the clear is told beforehand.
	e := r.await(mark, "an event of lost data", func(e *stage.Event) bool {
		return e.DLP != nil && (len(e.DLP.Findings) == 0 || e.DLP.Findings[0].Detector != "cred.ftp-pass")
	})
	if d := e.DLP; d.Rule != rule || d.Action != "block" || !d.Enforced || d.Direction != "egress" || d.Channel != channel ||
		e.Subject != "sluice.events."+stage.Sensor+".dlp" {
		r.Errorf("%s: %s", e.Subject, e.Raw)
	}
	return e
}

// picture describes the gateway's ports.
func (r *rig) picture() string {
	r.Helper()
	p, err := r.lab.Ports()
	if err != nil {
		r.Fatal(err)
	}
	return p
}

const origin = "http://" + netlab.Server4

// page expects an ordinary page to go through.
func (r *rig) page(when string) {
	r.Helper()
	if p := r.curl(origin + "/page"); p.Code != 200 || p.Err != nil {
		r.Errorf("%s: %v", when, p)
	}
}

// refusedCards uploads cards and expects that not one arrives.
func (r *rig) refusedCards(path string, seed uint64) stage.Event {
	r.Helper()
	mark, cards := r.soc.Mark(), stage.Cards(8, seed)
	p := r.curl("-H", "Content-Type: text/csv", "--data-binary", "@"+r.write("cards.csv", stage.CardList(cards)), origin+path)
	if p.Code != 403 {
		r.Errorf("the client saw %v", p)
	}
	seen := stage.Settled(r.ctx, r.origin, path)
	if n := stage.Arrived(seen, cards); n > 0 || len(seen) > 0 && seen[0].Complete {
		r.Errorf("%d card numbers arrived: %+v", n, seen)
	}
	e := r.awaitBlock(mark, "block-cards", "http-request")
	for _, c := range cards {
		if bytes.Contains(e.Raw, []byte(c)) {
			r.Errorf("the event holds a whole card number: %s", e.Raw)
		}
	}
	return e
}

// liveCarries has TCP, UDP, ARP and neighbour discovery pass unharmed with the
// offloads as they are.
func liveCarries(r *rig) {
	if out, err := r.lab.Client.Run(r.ctx, "ethtool", "-k", netlab.ClientIf); err != nil ||
		!strings.Contains(out, "tcp-segmentation-offload: on") || !strings.Contains(out, "tx-checksumming: on") {
		r.Errorf("the client's offloads are not the default ones: %v\n%s", err, out)
	}
	r.start()
	for _, addr := range []string{netlab.Server4 + ":0", "[" + netlab.Server6 + "]:0"} {
		const n = 24 << 20
		got, same, err := r.transfer(addr, n)
		if err != nil || got != n || !same {
			r.Errorf("TCP to %s: %d bytes of %d, the same: %v, %v", addr, got, n, same, err)
		}
		r.echo(addr)
	}
	out, err := r.lab.Client.Run(r.ctx, "ip", "neigh", "show", "dev", netlab.ClientIf)
	if err != nil || !strings.Contains(out, netlab.Server4+" lladdr") || !strings.Contains(out, netlab.Server6+" lladdr") {
		r.Errorf("neighbours: %q, %v", out, err)
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	for _, p := range st.Ports {
		if p.SendLost != 0 || p.Dropped != 0 || p.Frames == 0 || p.XDP == "" {
			r.Errorf("%+v", p)
		}
	}
	if len(st.Ports) != 2 || st.Counters["capture.dropped_frames"] != 0 {
		r.Errorf("%+v", st)
	}
}

// transfer sends n random bytes by TCP and gives what arrived.
func (r *rig) transfer(addr string, n int) (got int, same bool, err error) {
	l := r.listen(addr)
	type result struct {
		n   int64
		sum []byte
	}
	done := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- result{}
			return
		}
		defer c.Close()
		h := sha256.New()
		k, _ := io.Copy(h, c)
		done <- result{k, h.Sum(nil)}
	}()
	c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", l.Addr().String())
	if err != nil {
		return 0, false, err
	}
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(data)
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	_, err = c.Write(data)
	c.Close()
	if err != nil {
		return 0, false, err
	}
	res := <-done
	sum := sha256.Sum256(data)
	return int(res.n), bytes.Equal(res.sum, sum[:]), nil
}

// echo has datagrams of many sizes come back, fragmented ones too.
func (r *rig) echo(addr string) {
	r.Helper()
	s, err := r.lab.Server.ListenPacket(addr)
	if err != nil {
		r.Fatal(err)
	}
	defer s.Close()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := s.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = s.WriteTo(buf[:n], from)
		}
	}()
	c, err := r.lab.Client.DialContext(r.ctx, "", "udp", s.LocalAddr().String())
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	out, in := make([]byte, 1<<16), make([]byte, 1<<16)
	for i := range out {
		out[i] = byte(i * 31 >> 2)
	}
	for _, n := range []int{1, 512, 1472, 1473, 9000, 60000} {
		if _, err := c.Write(out[:n]); err != nil {
			r.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if k, err := c.Read(in); err != nil || !bytes.Equal(in[:k], out[:n]) {
			r.Errorf("UDP to %s: of %d bytes %d came back, %v", addr, n, k, err)
		}
	}
}

func livePage(r *rig) {
	r.start()
	for _, url := range []string{origin + "/page4", "http://[" + netlab.Server6 + "]/page6"} {
		mark, path := r.soc.Mark(), url[strings.LastIndexByte(url, '/'):]
		if p := r.curl(url); p.Code != 200 || p.Err != nil || !strings.Contains(p.Body, path) {
			r.Errorf("%s: %v", url, p)
		}
		e := r.await(mark, "a record of the request", func(e *stage.Event) bool { return e.HTTP != nil && e.HTTP.URL == path })
		if e.HTTP.Status != 200 || e.HTTP.Method != "GET" || e.AppProto != "http" {
			r.Errorf("%s", e.Raw)
		}
	}
}

// liveCards uploads cards in several ways; none may leave.
func liveCards(r *rig) {
	r.start()
	r.refusedCards("/cards", 1)
	// A large file has the cards behind a megabyte of harmless text, so that it is on its way when it is cut.
	cards := stage.Cards(50, 2)
	large := r.write("large.csv", strings.Repeat("An ordinary line of a quarterly report.\n", 30000)+stage.CardList(cards))
	list := r.write("list.csv", stage.CardList(cards))
	for _, c := range []struct {
		path string
		args []string
	}{
		{"/large", []string{"-H", "Expect:", "--data-binary", "@" + large, origin}},
		{"/chunked", []string{"-H", "Transfer-Encoding: chunked", "--data-binary", "@" + list, origin}},
		{"/six", []string{"--data-binary", "@" + list, "http://[" + netlab.Server6 + "]"}},
		{"/put", []string{"-T", list, origin}},
		{"/form", []string{"-F", "a=b", "-F", "file=@" + list, origin}},
		{"/json", []string{"--json", fmt.Sprintf(`{"cards": ["%s"]}`, strings.Join(cards, `", "`)), origin}},
	} {
		mark := r.soc.Mark()
		c.args[len(c.args)-1] += c.path
		p := r.curl(c.args...)
		seen := stage.Settled(r.ctx, r.origin, c.path)
		// Fewer than five are no list, and may be in the last packets before the one that makes it five.
		if n := stage.Arrived(seen, cards); n >= 5 || len(seen) > 0 && seen[0].Complete {
			r.Errorf("%s: %d card numbers arrived", c.path, n)
		}
		if p.Code != 403 && p.Err == nil {
			r.Errorf("%s: the client saw %v", c.path, p)
		}
		r.awaitBlock(mark, "block-cards", "http-request")
	}
	r.page("after the blocks")
}

func liveMarked(r *rig) {
	r.start()
	file := r.write("plan.txt", "CONFIDENTIAL\n\nWe take over Example Corp. in March.\n")
	mark := r.soc.Mark()
	if p := r.curl("-F", "note=hello", "-F", "file=@"+file, origin+"/share"); p.Code != 403 {
		r.Errorf("the client saw %v", p)
	}
	if seen := stage.Settled(r.ctx, r.origin, "/share"); stage.Arrived(seen, []string{"Example Corp"}) > 0 || len(seen) > 0 && seen[0].Complete {
		r.Errorf("the file arrived: %+v", seen)
	}
	if e := r.awaitBlock(mark, "block-marked", "http-request"); e.DLP.Object.Name != "plan.txt" || e.DLP.Level != "confidential" {
		r.Errorf("%s", e.Raw)
	}
	// The same text inwards is nobody's loss.
	if p := r.curl("-F", "file=@"+r.write("public.txt", "Our opening hours.\n"), origin+"/public"); p.Code != 200 {
		r.Errorf("a harmless file: %v", p)
	}
}

func liveAlert(r *rig) {
	r.start()
	mark := r.soc.Mark()
	if p := r.curl("-A", "sqlmap/1.8", origin+"/items"); p.Code != 200 {
		r.Errorf("an alert must not stop the request: %v", p)
	}
	e := r.await(mark, "an alert", func(e *stage.Event) bool { return e.Alert != nil })
	if e.Alert.ID != 9000002 || e.Alert.Action != "allowed" || e.Src != netlab.Client4 || e.Dst != netlab.Server4 || e.AppProto != "http" {
		r.Errorf("%s", e.Raw)
	}
}

// liveDropRule has rules of the operator's own refuse requests.
func liveDropRule(r *rig) {
	r.start("--rules", r.write("own.rules", `drop http any any -> any any (msg:"drop"; http.uri; content:"/dropped"; sid:1;)
reject http any any -> any any (msg:"reject"; http.uri; content:"/rejected"; sid:2;)
`))
	for sid, c := range map[int]struct{ path, more string }{1: {"/dropped", "1"}, 2: {"/rejected", "8"}} {
		mark := r.soc.Mark()
		p := r.curl("-m", c.more, origin+c.path)
		if p.Code != 0 || p.Err == nil {
			r.Errorf("%s: %v", c.path, p)
		}
		if reset := strings.Contains(fmt.Sprint(p.Err), "reset"); reset != (sid == 2) {
			r.Errorf("%s ended with %v", c.path, p.Err)
		}
		if seen := r.origin.Requests(c.path); len(seen) > 0 {
			r.Errorf("%s arrived", c.path)
		}
		if e := r.await(mark, "an alert", func(e *stage.Event) bool { return e.Alert != nil && e.Alert.ID == sid }); e.Alert.Action != "blocked" {
			r.Errorf("%s", e.Raw)
		}
	}
	r.page("after the drops")
}

func (r *rig) datagrams(n int) (listed, others int) {
	r.Helper()
	listed, others, err := stage.Datagrams(r.ctx, r.lab, n)
	if err != nil {
		r.Fatal(err)
	}
	return listed, others
}

// blockList is the flag that loads a list with the hostile address.
func (r *rig) blockList() []string {
	list := r.write("hostile.txt", netlab.Hostile4+"\n")
	return []string{"--config", r.write("lists.yaml", fmt.Sprintf("block-lists: [{name: hostile, file: %s, direction: src}]\n", list))}
}

func liveBlockList(r *rig) {
	r.start(r.blockList()...)
	const n = 7
	mark := r.soc.Mark()
	listed, others := r.datagrams(n)
	if listed != 0 || others != 1 {
		r.Errorf("%d listed datagrams arrived, %d others", listed, others)
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil || st.XDP["block-source"] != n {
		r.Errorf("XDP dropped %d, not %d; %v", st.XDP["block-source"], n, err)
	}
	e := r.await(mark, "an event of drops", func(e *stage.Event) bool { return e.Drop != nil && e.Src == netlab.Hostile4 })
	if e.Type != "drop" || e.Drop.List != "hostile" || e.Drop.Source != "xdp" || !strings.HasPrefix(e.Drop.Reason, "block-source") || e.Proto != "UDP" {
		r.Errorf("%s", e.Raw)
	}
}

func liveMail(r *rig) {
	server := stage.ServeMail(r.listen(netlab.Server4 + ":25"))
	r.start()
	key, err := stage.PrivateKey()
	if err != nil {
		r.Fatal(err)
	}
	send := func(subject, body, want string) {
		r.Helper()
		c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", netlab.Server4+":25")
		if err != nil {
			r.Fatal(err)
		}
		defer c.Close()
		if answer, err := stage.SendMail(c, subject, body); err != nil || !strings.HasPrefix(answer, want) {
			r.Errorf("%s: %q, %v", subject, answer, err)
		}
	}
	mark := r.soc.Mark()
	send("lunch", "At noon?", "250")
	send("the key", key, "55")
	if taken := server.Taken(); len(taken) != 1 || !strings.Contains(taken[0], "At noon?") {
		r.Errorf("the server took %q", taken)
	}
	r.awaitBlock(mark, "block-secret-keys", "smtp")
}

func liveNames(r *rig) {
	r.start()
	l, err := stage.ListenTLS(r.listen(netlab.Server4 + ":443"))
	if err != nil {
		r.Fatal(err)
	}
	o := netlab.Serve(l)
	defer o.Close()
	mark := r.soc.Mark()
	if p := r.curl("-k", "--resolve", stage.TLSName+":443:"+netlab.Server4, "https://"+stage.TLSName+"/private"); p.Code != 200 {
		r.Errorf("TLS: %v", p)
	}
	u, err := r.lab.Client.DialContext(r.ctx, "", "udp", netlab.Server4+":53")
	if err != nil {
		r.Fatal(err)
	}
	_, err = u.Write([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x05onion\x00\x00\x01\x00\x01"))
	if u.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		r.Fatal(err)
	}
	r.await(mark, "the server's name", func(e *stage.Event) bool { return e.TLS != nil && e.TLS.SNI == stage.TLSName })
	r.await(mark, "the query", func(e *stage.Event) bool {
		return e.DNS != nil && len(e.DNS.Queries) == 1 && e.DNS.Queries[0].Name == "example.onion"
	})
	r.await(mark, "an alert about the name", func(e *stage.Event) bool { return e.Alert != nil && e.Alert.ID == 9000501 })
}
