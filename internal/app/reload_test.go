package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/config"
	"sluice/signatures"
)

// TestReload changes the configuration under a daemon without ports.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const one = `alert http any any -> any any (msg:"one"; http.uri; content:"/one"; sid:1;)` + "\n"
	first, second := write("first.rules", one), write("second.rules", one+strings.Replace(one, "sid:1", "sid:2", 1))
	file := write("sluice.yaml", "rules: {paths: ["+first+"]}\npolicy: {file: none}\n")
	reread := func() (*config.Config, error) {
		cfg, err := config.Load(file)
		if err == nil {
			cfg.CacheDir, cfg.Ports.Monitor = "", true
		}
		return cfg, err
	}
	cfg, err := reread()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	d := &Daemon{cfg: cfg, reread: reread, log: slog.New(slog.NewTextHandler(&log, nil)), state: signatures.NewState()}
	if d.parts, err = load(cfg, d.log, d.state); err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, p := range append(d.retired, d.parts) {
			p.Close()
		}
	}()
	for _, c := range []struct {
		name, file, text string
		loaded           int
		// err and log are what is told; an empty err is none.
		err, log string
	}{
		{"other paths", "sluice.yaml", "rules: {paths: [" + second + "]}\npolicy: {file: none}\n", 2, "", "msg=reloaded rules=2"},
		{"a rule with an error", "second.rules", one + strings.NewReplacer("http.uri", "http.urj", "sid:1", "sid:2").Replace(one), 2, "second.rules:2:", "reload refused"},
		{"none", "second.rules", one, 1, "", "rules=1"},
		{"an unknown key", "sluice.yaml", "rulez: 1\n", 1, "sluice.yaml:1:1: rulez: unknown key", "reload refused"},
		{"what takes a restart", "sluice.yaml", "rules: {paths: [" + second + "]}\npolicy: {file: none}\nsensor: {name: other}\nworkers: 3\n", 1, "", `keys="sensor, workers"`},
	} {
		write(c.file, c.text)
		log.Reset()
		_, err := d.Reload()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := log.String(); !strings.Contains(got, c.log) {
			t.Errorf("%s: the log says %q", c.name, got)
		}
		if n := d.parts.Report.Loaded; n != c.loaded {
			t.Errorf("%s: %d rules are loaded", c.name, n)
		}
	}
}

func TestWorse(t *testing.T) {
	var before, next signatures.Report
	for i := range 9 {
		next.Errors = append(next.Errors, signatures.RuleError{File: "x.rules", Line: i + 1, Message: "is wrong"})
	}
	before.Errors, before.Rejected, next.Rejected = next.Errors[:2], 2, 9
	if err := worse(&before, &next); err != nil {
		t.Error(err)
	}
	err := worse(&next, &before)
	if err == nil || errors.Unwrap(err) != nil {
		t.Fatal(err)
	}
	if got := err.Error(); !strings.Contains(got, "7 more") || strings.Contains(got, "x.rules:2") || !strings.Contains(got, "x.rules:3") || !strings.Contains(got, "and 2 more") {
		t.Error(got)
	}
}
