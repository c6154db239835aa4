package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/livetest"
	"sluice/internal/netlab"
)

// need looks for programs of a package.
func (r *rig) need(pkg string, programs ...string) {
	r.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			livetest.Lacks(r, "%s is not installed (apt-get install %s)", program, pkg)
		}
	}
}

// serve starts a program that serves until the test ends, and gives what it writes.
func (r *rig) serve(from *netlab.Namespace, name string, args ...string) (said func() string) {
	r.Helper()
	f, err := os.CreateTemp(r.dir, filepath.Base(name)+"-*.out")
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, f, f
	if _, err := from.Start(cmd); err != nil {
		r.Fatal(err)
	}
	return func() string {
		b, _ := os.ReadFile(f.Name())
		return string(b)
	}
}

// until tries something again and again, which a server does not do at once.
func (r *rig) until(what string, try func() (string, bool)) {
	r.Helper()
	for {
		out, ok := try()
		if ok {
			return
		}
		select {
		case <-r.ctx.Done():
			r.Fatalf("%s: it never comes to it\n%s", what, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// toldConfig writes every kind of event, and of alerts all that they can hold.
const toldConfig = `outputs:
  - eve-log:
      enabled: yes
      filename: told.json
      types:
        - alert: {payload: yes, payload-printable: yes, packet: yes}
        - anomaly
        - dlp
        - drop
        - flow
        - http
        - krb5
        - ldap
        - sip
        - snmp
        - websocket: {payload: yes, payload-printable: yes}
`

// toldRules have each packet with content told of.
const toldRules = `alert tcp any any -> any any (msg:"bytes of a stream"; dsize:>0; sid:1;)
alert udp any any -> any any (msg:"a datagram"; dsize:>0; sid:2;)
`

// startTold starts the daemon so that its events hold as much as they ever do, for
// nowhere to look through.
func (r *rig) startTold(args ...string) {
	r.Helper()
	r.start(append([]string{"--config", r.write("told.yaml", toldConfig), "--rules", r.write("told.rules", toldRules)}, args...)...)
}

// nowhere ends a daemon of startTold and expects none of the values in its events, in
// the file and as the SOC has them, and in its log, and that there were packets in which
// they could have been.
func (r *rig) nowhere(values ...string) {
	r.Helper()
	if err := r.daemon.Stop(); err != nil {
		r.Errorf("stop: %v", err)
	}
	told, err := os.ReadFile(filepath.Join(r.dir, "told.json"))
	if err != nil {
		r.Fatal(err)
	}
	var all strings.Builder
	all.WriteString(r.daemon.Log())
	packets := 0
	lines := strings.Split(strings.TrimSpace(string(told)), "\n")
	for _, e := range r.soc.Since(0) {
		lines = append(lines, string(e.Raw))
	}
	for _, line := range lines {
		all.WriteString(line)
		var e struct {
			Payload []byte `json:"payload"`
			Packet  []byte `json:"packet"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			r.Errorf("%v: %s", err, line)
		}
		if len(e.Payload) > 0 && len(e.Packet) > 0 {
			packets++
		}
		all.Write(e.Payload)
		all.Write(e.Packet)
	}
	if packets == 0 {
		r.Errorf("no event has a packet:\n%s", told)
	}
	text := all.String()
	for _, v := range values {
		for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v))} {
			if at := strings.Index(text, form); at >= 0 {
				r.Errorf("%q is told in\n%q", v, text[max(0, at-600):min(len(text), at+200)])
			}
		}
	}
}

// awaitPart waits for an event that has a part of its own under a name, and gives the
// part.
func awaitPart[T any](r *rig, mark int, name, what string, ok func(*T) bool) T {
	r.Helper()
	var part T
	r.await(mark, what, func(e *stage.Event) bool {
		var parts map[string]json.RawMessage
		if json.Unmarshal(e.Raw, &parts) != nil || parts[name] == nil {
			return false
		}
		part = *new(T)
		return json.Unmarshal(parts[name], &part) == nil && ok(&part)
	})
	return part
}

// awaitClearLogin waits for word of a password in the clear.
func (r *rig) awaitClearLogin(mark int, channel string) {
	r.Helper()
	r.await(mark, "an event of a password in the clear", func(e *stage.Event) bool {
		return e.DLP != nil && e.DLP.Channel == channel && len(e.DLP.Findings) == 1 && e.DLP.Findings[0].Detector == "cred.ftp-pass"
	})
}
