package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/config"
)

// TestWatchingChangesNothing replays captures with rules, plain, profiled and
// with each rule that matched explained: what matches is the same.
func TestWatchingChangesNothing(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "w.rules")
	if err := os.WriteFile(rules, []byte(`
alert tcp any any -> any any (msg:"stream"; content:"HTTP/1."; content:"|0d 0a|"; distance:0; sid:1;)
alert http any any -> any any (msg:"uri"; http.uri; content:"/"; content:!"zzz"; sid:2;)
alert http any any -> any any (msg:"body"; file.data; content:"<"; pcre:"/<[a-z]+/i"; sid:3;)
alert ip any any -> any any (msg:"first"; sid:4;)
alert dns any any -> any any (msg:"name"; dns.query; content:"."; isdataat:2,relative; sid:5;)
alert tls any any -> any any (msg:"hello"; tls.sni; bsize:>3; sid:6;)
alert tcp any any -> any any (msg:"bits"; flags:S; flowbits:set,syn; noalert; sid:7;)
alert tcp any any -> any any (msg:"bits set"; flags:SA; flowbits:isset,syn; sid:8;)
alert smtp any any -> any any (msg:"helo"; smtp.helo; content:"e"; byte_test:1,>,32,0,relative; sid:9;)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(shared(t, "data/pcaps"), "*"))
	if len(files) == 0 {
		t.Fatal("no captures")
	}
	cfg := config.Default()
	cfg.CacheDir, cfg.Policy.File, cfg.Outputs.NATS.URL, cfg.Rules.Paths = t.TempDir(), PolicyNone, NATSOff, []string{rules}
	cfg.Outputs.EVE.Enabled, cfg.Outputs.EVE.Filename = true, filepath.Join(t.TempDir(), "eve.json")
	cfg.PacketAlertMax = 100
	log, o := slog.New(slog.DiscardHandler), ReplayOptions{Files: files, Workers: 1, Inline: true}
	// A damaged capture among them is no failure of this test.
	sum, _ := Replay(context.Background(), cfg, o, log)
	if sum.Alerts == 0 {
		t.Fatal("nothing alerts")
	}
	prof, _ := ProfileRules(context.Background(), cfg, "sid", o, log)
	if prof.Alerts != sum.Alerts {
		t.Errorf("profiled: %d alerts, %d otherwise", prof.Alerts, sum.Alerts)
	}
	if prof.Candidates < prof.Confirms || prof.Confirms < prof.Matches || prof.Scan <= 0 || len(prof.Databases) == 0 {
		t.Errorf("profile does not add up: %+v", prof)
	}
	for _, r := range prof.Rules {
		tr, _ := Explain(context.Background(), cfg, r.GID, r.SID, 5, o, log)
		held := 0
		for out, n := range tr.Outcomes {
			if out.Holds() {
				held += n
			}
		}
		if uint64(held) != r.Matches || uint64(tr.Tries) != r.Candidates {
			t.Errorf("sid %d explained: %d tries, %d matches; profiled: %d and %d", r.SID, tr.Tries, held, r.Candidates, r.Matches)
		}
		if n := tr.Nearest(); len(n) > 5 || len(n) == 0 || r.Matches > 0 && !n[0].Outcome.Holds() {
			t.Errorf("sid %d: the first of %d attempts is not a match", r.SID, len(n))
		}
	}
}

// TestHelloBesideEncryptedRecord: a TLS server's hello that comes in one piece
// with the first encrypted record is judged.
func TestHelloBesideEncryptedRecord(t *testing.T) {
	file := shared(t, "data/suricata-verify/tests/bug-8336-01-default-track-only/input.pcap")
	rules := filepath.Join(t.TempDir(), "t.rules")
	if err := os.WriteFile(rules, []byte(`
alert tls any any -> any any (flow:to_client; ja3s.hash; content:"907bf3ecef1c987c889946b737b43de8"; sid:1;)
alert tcp any any -> any any (flow:to_client; content:"|16 03 03|"; startswith; content:"|02 00 00|"; distance:2; within:3; sid:2;)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, inline := range []bool{true, false} {
		cfg := config.Default()
		cfg.CacheDir, cfg.Policy.File, cfg.Outputs.NATS.URL, cfg.Rules.Paths = "", PolicyNone, NATSOff, []string{rules}
		for sid := range uint32(2) {
			tr, err := Explain(context.Background(), cfg, 1, sid+1, 1, ReplayOptions{Files: []string{file}, Workers: 1, Inline: inline, NoChecksum: true}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if n := tr.Nearest(); len(n) == 0 || !n[0].Outcome.Holds() {
				t.Errorf("inline %v, sid %d: %+v", inline, sid+1, n)
			}
		}
	}
}
