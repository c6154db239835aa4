package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/internal/config"
)

func settings(t *testing.T, sets ...string) *config.Config {
	t.Helper()
	cfg := config.Default()
	for _, s := range sets {
		if err := cfg.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

// TestConfiguredProtocols: what is switched off is not there, and what has no
// parser has no buffers, so that rules on them are refused.
func TestConfiguredProtocols(t *testing.T) {
	const p = "app-layer.protocols."
	reg := func(sets ...string) *protocol.Registry {
		t.Helper()
		r, err := registry(settings(t, sets...))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	f := func(id protocol.ID, buffer string, there, parser, filled bool, sets ...string) {
		t.Helper()
		r := reg(sets...)
		d := r.Definition(id)
		_, ok := r.Buffer(buffer)
		if (d != nil) != there || (d != nil && d.New != nil) != parser || ok != filled {
			t.Errorf("%v: %v there %v, parser %v, %s %v", sets, id, d != nil, d != nil && d.New != nil, buffer, ok)
		}
	}
	f(protocol.SSH, "ssh.proto", true, true, true)
	f(protocol.SSH, "ssh.proto", true, true, true, p+"ssh.enabled=yes")
	f(protocol.SSH, "ssh.proto", false, false, false, p+"ssh.enabled=no")
	f(protocol.SSH, "ssh.proto", true, false, false, p+"ssh.enabled=detection-only")
	f(protocol.SSH, "ssh.hassh", true, true, false, p+"ssh.hassh=no")
	f(protocol.SSH, "ssh.proto", true, true, true, p+"ssh.hassh=no")
	f(protocol.TLS, "ja4.hash", true, true, false, p+"tls.ja4-fingerprints=no")
	f(protocol.TLS, "ja3.hash", true, true, true, p+"tls.ja4-fingerprints=no")
	f(protocol.TLS, "ja3s.hash", true, true, false, p+"tls.ja3-fingerprints=no")
	f(protocol.DNS, "dns.query", false, false, false, p+"dns.tcp.enabled=no", p+"dns.udp.enabled=no")
	f(protocol.DNS, "dns.query", true, false, false, p+"dns.tcp.enabled=detection-only", p+"dns.udp.enabled=detection-only")
	if d := reg(p + "dns.udp.enabled=no").Definition(protocol.DNS); d.UDP || !d.TCP {
		t.Errorf("dns over udp %v, tcp %v", d.UDP, d.TCP)
	}
	if d := reg(p+"dns.udp.detection-ports.dp=[53, 5353:5355]", p+"dns.tcp.detection-ports.dp=$HTTP_PORTS", "vars.HTTP_PORTS=[80,8000-8001]").Definition(protocol.DNS); len(d.Ports) != 7 {
		t.Errorf("ports %v", d.Ports)
	}
	for _, sets := range [][]string{{p + "dns.tcp.enabled=detection-only"}, {p + "tls.detection-ports.dp=!443"}, {p + "tls.detection-ports.dp=$NONE"},
		{p + "tls.detection-ports.dp=1:65535"}, {p + "tls.detection-ports.dp=9:8"}, {p + "tls.detection-ports.dp=$A", "vars.A=$A"}} {
		if _, err := registry(settings(t, sets...)); err == nil || !strings.HasPrefix(err.Error(), p) {
			t.Errorf("%v: %v", sets, err)
		}
	}
}

// TestParserLimits: each setting reaches the limit that it is about.
func TestParserLimits(t *testing.T) {
	const p, h = "app-layer.protocols.", "app-layer.protocols.http.libhtp.default-config."
	f := func(holds func(l *protocol.Limits) bool, sets ...string) {
		t.Helper()
		none, err := limits(config.Default())
		if err != nil {
			t.Fatal(err)
		}
		l, err := limits(settings(t, sets...))
		if err != nil || !holds(l) || holds(none) {
			t.Errorf("%v: %+v, %v", sets, l, err)
		}
	}
	f(func(l *protocol.Limits) bool { return l.HTTP.Rules == [2]uint64{1024, 204800} }, h+"request-body-limit=1kb", h+"response-body-limit=200kb")
	f(func(l *protocol.Limits) bool { return l.HTTP.ResponseLayers == 2 }, h+"response-body-decompress-layer-limit=2")
	f(func(l *protocol.Limits) bool { return l.HTTP.DecodePathTwice }, h+"double-decode-path=yes")
	f(func(l *protocol.Limits) bool { return l.HTTP.DecodeQueryTwice }, h+"double-decode-query=yes")
	f(func(l *protocol.Limits) bool { return l.RatioFree == 1<<20 }, h+"compression-bomb-limit=1mb")
	f(func(l *protocol.Limits) bool { return l.Tx(protocol.HTTP1) == 7 }, h+"max-tx=7", p+"http.max-tx=8")
	f(func(l *protocol.Limits) bool { return l.Tx(protocol.HTTP1) == 8 && l.Tx(protocol.DNS) == 512 }, p+"http.max-tx=8")
	f(func(l *protocol.Limits) bool {
		return l.HTTP2 == protocol.HTTP2Limits{MaxStreams: 4, MaxTable: 8192, MaxBlock: 2048}
	}, p+"http2.max-streams=4", p+"http2.max-table-size=8kb", p+"http2.max-reassembly-size=2kb")
	f(func(l *protocol.Limits) bool { return l.NoJA3 && l.NoJA4 && l.NoHASSH }, p+"tls.ja3-fingerprints=no", p+"tls.ja4-fingerprints=no", p+"ssh.hassh=no")
	f(func(l *protocol.Limits) bool { return l.Mail.NoURLs }, p+"smtp.mime.extract-urls=no")
	f(func(l *protocol.Limits) bool { return slices.Equal(l.Mail.Schemes, []string{"http", "ftp"}) }, p+"smtp.mime.extract-urls-schemes=[HTTP,ftp]")
	f(func(l *protocol.Limits) bool { return l.Mail.BareURLs }, p+"smtp.mime.log-url-scheme=no")
	f(func(l *protocol.Limits) bool { return l.Mail.Rules == 100 }, p+"smtp.inspected-tracker.content-limit=100")

	if depths(config.Default()) != nil {
		t.Error("depths without any setting")
	}
	d := depths(settings(t, "stream.reassembly.depth=1mb", p+"ssh.stream-depth=0", p+"tls.stream-depth=2kb"))
	if d == nil || d[protocol.Unknown] != 0 || d[protocol.Failed] != 1<<20 || d[protocol.SSH] != 0 || d[protocol.TLS] != 2048 || d[protocol.DNS] != 1<<20 {
		t.Errorf("depths %v", d)
	}
	if d = depths(settings(t, "stream.reassembly.depth=1mb", p+"tls.stream-depth=2mb")); d[protocol.Unknown] != 2<<20 || d[protocol.Failed] != 1<<20 {
		t.Errorf("depths %v", d)
	}
}

// TestRulePaths: relative paths lie below default-rule-path.
func TestRulePaths(t *testing.T) {
	dir := t.TempDir()
	abs := filepath.Join(dir, "abs.rules")
	if err := os.WriteFile(abs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := settings(t, "default-rule-path=/etc/rules", "rule-files=[a.rules,"+abs+"]")
	if got := rulePaths(cfg); !slices.Equal(got, []string{"/etc/rules/a.rules", abs}) {
		t.Errorf("%v", got)
	}
}
