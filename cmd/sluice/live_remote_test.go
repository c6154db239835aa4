package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sluice/events/sink/natsserver"
	"sluice/internal/app"
	"sluice/internal/netlab"
)

// liveRemote asks a daemon over its NATS server: whoever has the key puts a host in
// quarantine and lets it go, whoever has another is not answered.
func liveRemote(r *rig) {
	key := r.write("control.key", strings.Repeat("0123456789abcdef", 4))
	other := r.write("other.key", strings.Repeat("fedcba9876543210", 4))
	for _, f := range []string{key, other} {
		if err := os.Chmod(f, 0o600); err != nil {
			r.Fatal(err)
		}
	}
	r.start("--set", "outputs.nats.control=yes", "--set", "outputs.nats.control-key-file="+key)
	at, err := natsserver.LoadState(filepath.Join(r.daemon.StateDir(), "nats", "nats.json"))
	if err != nil {
		r.Fatal(err)
	}
	password := r.write("nats.password", at.Password)
	ask := func(code int, text, key string, args ...string) string {
		r.Helper()
		out, err := r.lab.Gateway.Run(r.ctx, r.cfg.Binary, append([]string{"remote", "--nats", at.URL, "--user", at.User, "--password-file", password, "--sensor", "demo", "--key-file", key, "--wait", "1s"}, args...)...)
		got := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			got = exit.ExitCode()
		} else if err != nil {
			r.Fatal(err)
		}
		if err != nil {
			out += err.Error() // which holds what was written to standard error
		}
		if got != code || !strings.Contains(out, text) {
			r.Errorf("sluice remote %v: exit %d (not %d): %s", args, got, code, out)
		}
		return out
	}
	var st app.Status
	if err := json.Unmarshal([]byte(ask(0, "", key, "status")), &st); err != nil || !st.Ready {
		r.Errorf("%+v, %v", st, err)
	}
	ask(0, "", key, "quarantine", `{"host":"`+netlab.Client4+`","reason":"by the SOC"}`)
	ask(0, netlab.Client4, key, "quarantined")
	if q := r.quarantined(); len(q) != 1 || q[0].Reason != "by the SOC" {
		r.Errorf("%+v", q)
	}
	ask(2, "no answer: the key is another", other, "release", `{"host":"`+netlab.Client4+`"}`)
	if q := r.quarantined(); len(q) != 1 {
		r.Error("released without the key")
	}
	ask(0, "", key, "release", `{"host":"`+netlab.Client4+`"}`)
	ask(1, "is not in quarantine", key, "release", `{"host":"`+netlab.Client4+`"}`)
	ask(1, "no such request", key, "handover")
	r.page("let go")
}
