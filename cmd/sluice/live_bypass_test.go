package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/app"
	"sluice/internal/netlab"
)

// liveBypass has encrypted connections go past the workers once they are
// encrypted, where that is configured; their record counts every byte.
func liveBypass(r *rig) {
	eve := filepath.Join(r.dir, "eve.json")
	r.start("--eve", eve, "--set", "app-layer.protocols.tls.encryption-handling=bypass")
	l, err := stage.ListenTLS(r.listen(netlab.Server4 + ":443"))
	if err != nil {
		r.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	raw, err := r.lab.Client.DialContext(r.ctx, "", "tcp", netlab.Server4+":443")
	if err != nil {
		r.Fatal(err)
	}
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: stage.TLSName})
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	talk := func(n int) {
		r.Helper()
		go func() { _, _ = c.Write(make([]byte, n)) }()
		if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
			r.Fatal(err)
		}
	}
	talk(1000)
	talk(1000)
	frames := func() uint64 {
		st, err := r.daemon.Status(r.ctx)
		if err != nil {
			r.Fatal(err)
		}
		return st.Counters["capture.frames"]
	}
	// The counters follow the workers, and those what was sent.
	settled := func() (n uint64) {
		r.Helper()
		r.eventually("counters at rest", func() bool {
			last := n
			n = frames()
			if n == last {
				return true
			}
			time.Sleep(200 * time.Millisecond)
			return false
		})
		return n
	}
	before := settled()
	const n = 8 << 20
	talk(n)
	if more := settled() - before; more > 20 {
		r.Errorf("%d frames of a bypassed connection reached the workers", more)
	}
	sent := n + r.talkers(talk)
	c.Close()
	if err := r.daemon.Stop(); err != nil { // which ends all flows
		r.Error(err)
	}
	events, err := os.ReadFile(eve)
	if err != nil {
		r.Fatal(err)
	}
	var line string
	for l := range strings.Lines(string(events)) {
		if strings.Contains(l, `"event_type":"flow"`) && strings.Contains(l, `"dest_port":443`) {
			line = l
		}
	}
	var rec struct {
		Flow struct {
			ToServer uint64 `json:"bytes_toserver"`
			ToClient uint64 `json:"bytes_toclient"`
			State    string `json:"state"`
			Bypass   string `json:"bypass"`
		} `json:"flow"`
	}
	if err := json.Unmarshal([]byte(line), &rec); err != nil {
		r.Fatal(err)
	}
	if f := rec.Flow; f.ToServer < sent || f.ToClient < sent || f.ToServer > sent*5/4 || f.State != "bypassed" || f.Bypass != "capture" {
		r.Errorf("%s", line)
	}
}

// talkers looks at who sends most while a bypassed connection does, and tells how
// much that sent each way.
func (r *rig) talkers(talk func(n int)) (sent uint64) {
	r.Helper()
	done, stopped := make(chan struct{}), make(chan uint64, 1)
	go func() {
		n := uint64(0)
		defer func() { stopped <- n }()
		for {
			select {
			case <-done:
				return
			default:
				talk(100_000)
				n += 100_000
				time.Sleep(10 * time.Millisecond)
			}
		}
	}()
	defer func() { close(done); sent = <-stopped }()
	var st app.Status
	for range 20 { // the kernel's counts are taken over once a second
		st = app.Status{}
		if err := json.Unmarshal([]byte(r.cmd(0, "", "top", "--json")), &st); err != nil {
			r.Fatal(err)
		}
		if t := st.Talkers; t != nil && len(t.Flows) > 0 && len(t.Sources) > 1 && t.Flows[0].Bypassed.Bytes > 50_000 {
			if f := &t.Flows[0]; f.AppProto != "tls" || f.Server.String() != netlab.Server4+":443" || t.Services[0].Port != 443 || t.Sources[0].Bypassed.Packets == 0 {
				r.Errorf("%+v", t)
			}
			if text := r.cmd(0, "", "top", "--once"); !strings.Contains(text, " > "+netlab.Server4+":443 tls") {
				r.Errorf("top shows no flow:\n%s", text)
			}
			return 0 // what was sent is told once it has ended
		}
		time.Sleep(300 * time.Millisecond)
	}
	r.Errorf("no talkers: %+v", st.Talkers)
	return 0
}
