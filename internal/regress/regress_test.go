package regress

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
)

const event = `{"event_type":"alert","pcap_cnt":4,"src_ip":"10.1.1.2","alert":{"signature_id":7,"signature":"x","metadata":{"tag":["a","b"]}},
	"http":{"url":"/admin/login","status":200},"flow":{"alerted":true},"dns":{"answers":[{"rdata":"1.2.3.4"},{"rdata":"x"}]}}`

func decode(t *testing.T, s string) (e map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestHolds(t *testing.T) {
	e := decode(t, event)
	f := func(line string, want bool) {
		t.Helper()
		doc, err := parseYAML([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		got, err := passes(doc, e)
		if err != nil && !errors.Is(err, errNoText) {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
	f("event_type: alert", true)
	f("event_type: http", false)
	f("alert.signature_id: 7", true)
	f(`alert.signature_id: "7"`, false)
	f("flow.alerted: yes", true)
	f("flow.alerted: true", true)
	f("flow.alerted: no", false)
	f("dns.answers[1].rdata: x", true)
	f("dns.answers[2].rdata: x", false)
	f("dns.answers.__len: 2", true)
	f("http.url.__len: 12", true)
	f("http.url.__find: login", true)
	f("http.url.__contains: logout", false)
	f("http.url.__startswith: /admin", true)
	f("http.url.__endswith: /admin", false)
	f("http.status.__gt: 199", true)
	f("http.status.__lte: 199", false)
	f("http.status.__find: 2", false) // a number is no text
	f("alert.metadata.tag.__contains: b", true)
	f("alert.metadata.tag: [a, b]", true)
	f("alert.metadata.tag: [b, a]", false)
	f("has-key: http.url", true)
	f("has-key: [http.url, http.port]", false)
	f("not-has-key: http.port", true)
}

func TestChecks(t *testing.T) {
	evs := []map[string]any{decode(t, `{"event_type":"flow"}`), decode(t, event), decode(t, event), decode(t, `{"event_type":"stats","stats":{"decoder":{"pkts":5}}}`)}
	f := func(text, want string) {
		t.Helper()
		doc, err := parseYAML([]byte("checks:\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		c := &Case{}
		if c.checks, err = parseChecks(doc["checks"]); err != nil {
			if got := err.Error(); got != want {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
			return
		}
		fails, err := c.Check(evs)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, x := range fails {
			out = append(out, strings.TrimSuffix(x.Error()+" | "+x.Detail, " | "))
		}
		if got := strings.Join(out, "\n"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	f(`- filter: {count: 2, match: {event_type: alert}}`, "")
	f(`- filter: {count: 2, match: {event_type: alert}, requires: {lt-version: 7}}`, "")
	f(`- filter: {count: 9, match: {event_type: alert}, requires: {lt-version: 7}}`, "")
	f(`- filter: {min: 1, match: {event_type: alert}}`, "")
	f(`- filter: {max: 1, match: {event_type: alert}}`, `check 1: 2 events match, 1 at most wanted: {"event_type":"alert"} | the last of them: event 3 of 4, event_type alert, pcap_cnt 4, src_ip 10.1.1.2, alert.signature_id 7, alert.signature x`)
	f(`- filter: {count: 1, match: {event_type: alert, http.status: 404}}`,
		"check 1: 0 events match, 1 wanted: {\"event_type\":\"alert\",\"http.status\":404} | nearest: event 2 of 4, event_type alert, pcap_cnt 4, src_ip 10.1.1.2, alert.signature_id 7, alert.signature x\n  - http.status: 404\n  + http.status: 200")
	f(`- stats: {decoder.pkts: 5}`, "")
	f(`- stats: {decoder.pkts.__gt: 5}`, "check 1: stats decoder.pkts is 5, 5 wanted")
	f(`- shell: {args: x}`, `check 1: "shell" is not evaluated here: use filter or stats`)
	f(`- filter: {match: {event_type: alert}}`, "check 1: filter needs a count, or min and max")
	f(`- filter: {count: 1}`, "check 1: filter has no match")
	f(`- filter: {count: 1, matches: 3, match: {a: b}}`, `check 1: unknown key "matches"`)
	f(`- filter: {count: 1, match: {a.__fnd: b}}`, `check 1: a.__fnd: unknown operator`)
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const checks = "\nchecks: [{filter: {count: 0, match: {event_type: alert}}}]\n"
	write("a/test.yaml", "args: [--simulate-ips, '--set stream.inline=yes', -k none]\nset: [limits.max-tx=3]"+checks)
	write("a/x.pcap", "")
	write("a/suricata.yaml", "vars: {address-groups: {HOME_NET: [10.0.0.0/8, '!10.1.0.0/16']}}\noutputs: [{eve-log: {types: [alert, {http: {enabled: no}}, files]}}]\npacket-alert-max: 3\nstream: {midstream: true}\nnothing-here: 4")
	write("a/b/test.yaml", "include: ../common.yaml"+checks)
	write("a/b/in.pcapng", "")
	write("a/b/policy.yaml", "")
	write("a/common.yaml", "mode: ids\nrules: [r.rules]")
	dirs, err := Find(dir)
	if err != nil || len(dirs) != 2 {
		t.Fatalf("%v %v", dirs, err)
	}
	c, err := Load(filepath.Join(dir, "a"), "a", false)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Inline || !c.NoChecksum || c.OwnRules || strings.Join(c.Sets, " ") != "stream.inline=yes limits.max-tx=3" || c.variables()["HOME_NET"] != "[10.0.0.0/8,!10.1.0.0/16]" {
		t.Errorf("%+v", c)
	}
	cfg := config.Default()
	if err := c.Apply(cfg); err != nil || cfg.PacketAlertMax != 3 || cfg.Stream.Midstream != "yes" || cfg.Stream.Inline != "yes" {
		t.Errorf("applied: %v, %d alerts, midstream %q, inline %v", err, cfg.PacketAlertMax, cfg.Stream.Midstream, cfg.Stream.Inline)
	}
	if got := c.Written([]map[string]any{{"event_type": "alert"}, {"event_type": "http"}, {"event_type": "fileinfo"}}); len(got) != 2 {
		t.Errorf("written: %v", got)
	}
	if _, err := Load(filepath.Join(dir, "a/b"), "b", false); err == nil || err.Error() != "rules r.rules: there is no such file" {
		t.Errorf("a missing rule file: %v", err)
	}
	write("a/b/r.rules", "")
	if c, err = Load(filepath.Join(dir, "a/b"), "b", false); err != nil {
		t.Fatal(err)
	}
	if c.Inline || !c.OwnRules || len(c.Rules) != 1 || !strings.HasSuffix(c.Policy, "/a/b/policy.yaml") || !strings.HasSuffix(c.Pcaps[0], "in.pcapng") {
		t.Errorf("%+v", c)
	}
	if _, err := Find(t.TempDir()); err == nil {
		t.Error("a folder without cases is none")
	}
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	res := []Result{{Name: "a", Elapsed: time.Second}, {Name: "b", Failures: []Failure{{1, "x < y\x00", "d"}}}, {Name: "c", Err: errors.New("no\xff")}, {Name: "d", Skipped: "later"}}
	if err := WriteJUnit(&b, "s", 2*time.Second, res); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Suites []junitSuite `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	s := got.Suites[0]
	if s.Tests != 4 || s.Failures != 1 || s.Errors != 1 || s.Skipped != 1 || len(s.Cases) != 4 || s.Cases[1].Failure == nil || s.Cases[2].Error == nil || s.Cases[3].Skipped == nil || s.Cases[0].Time != "1.000" {
		t.Errorf("%s", b.String())
	}
}

// FuzzCase: whatever test.yaml holds, it is a case or an error, and evaluating
// its checks ends.
func FuzzCase(f *testing.F) {
	f.Add([]byte("checks:\n- filter: {count: 1, match: {event_type: alert, a[0].b.__find: x}}\n"), []byte(event))
	f.Add([]byte("args: [--set x=y]\nchecks: [{stats: {a.__gt: 1}}, {filter: {min: 1, match: {has-key: [a]}}}]"), []byte(`{"event_type":"stats","stats":{"a":2}}`))
	f.Add([]byte("include: test.yaml\npcap: [a]\nskip: true"), []byte(`{}`))
	f.Fuzz(func(t *testing.T, text, ev []byte) {
		dir := t.TempDir()
		if os.WriteFile(filepath.Join(dir, FileName), text, 0o600) != nil || os.WriteFile(filepath.Join(dir, "x.pcap"), nil, 0o600) != nil {
			t.Skip()
		}
		c, err := Load(dir, "x", false)
		if err != nil {
			return
		}
		var e map[string]any
		if json.Unmarshal(ev, &e) != nil {
			return
		}
		c.Check([]map[string]any{e})
	})
}
