package config

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "# nothing\n", "stream:\n", "---\n", "%YAML 1.1\n---\nworkers: 2\n"} {
		c := parse(t, text)
		c.Workers = 0
		if d := cmp.Diff(Default(), c); d != "" {
			t.Errorf("%q changes defaults:\n%s", text, d)
		}
	}
}

const good = `%YAML 1.1
---
sensor: {name: gw-1}
workers: 2
ports:
  bridges: ["lan0,wan0"]
  fail: closed
  monitor: yes
vars:
  address-groups:
    HOME_NET: "[10.0.0.0/8]"
    EXTERNAL_NET: "!$HOME_NET"
  port-groups:
    HTTP_PORTS: [80, 8080]
  MY_HOSTS: "[192.0.2.1, $HOME_NET]"
rules:
  paths: [/etc/sluice/rules/*.rules]
  disable: [2000001, 2000002]
stream:
  midstream: true
  inline: no
  reassembly:
    depth: 2mb
    urgent.policy: oob
`

func TestFile(t *testing.T) {
	_, err := Parse("t.yaml", []byte(good))
	if err == nil || !strings.Contains(err.Error(), "t.yaml:24:5: stream.reassembly.urgent.policy") {
		t.Fatalf("a dotted key in a file: %v", err)
	}
	c := parse(t, strings.Replace(good, "    urgent.policy: oob", "    urgent: {policy: drop}", 1)+`
flow-timeouts:
  tcp: {new: 90, established: 10m}
mpm-algo: hs
app-layer:
  protocols:
    http:
      enabled: yes
      libhtp:
        default-config:
          response-body-limit: 200kb
          response-body-decompress-layer-limit: 3
    dns:
      udp: {detection-ports: {dp: "53"}}
    tls: {enabled: detection-only, ja4-fingerprints: yes}
host-os-policy:
  windows: [0.0.0.0/0]
block-lists:
  - name: feed
    file: /etc/sluice/feed.txt
    direction: both
    ttl: 7d
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      community-id: true
      types:
        - alert: {payload: yes, metadata: no}
        - http: {extended: yes}
        - dns
        - files: {force-hash: [sha256]}
        - anomaly: {enabled: yes, types: {decode: no, stream: yes}}
        - flow:
`)
	want := Default()
	want.Sensor.Name, want.Workers = "gw-1", 2
	want.Ports.Bridges, want.Ports.Fail, want.Ports.Monitor = []Bridge{{"lan0", "wan0"}}, "closed", true
	want.Vars["HOME_NET"], want.Vars["HTTP_PORTS"], want.Vars["MY_HOSTS"] = "[10.0.0.0/8]", "[80,8080]", "[192.0.2.1, $HOME_NET]"
	want.Rules = Rules{Paths: []string{"/etc/sluice/rules/*.rules"}, Disable: []uint32{2000001, 2000002}}
	want.Stream.Midstream, want.Stream.Inline, want.Stream.Reassembly.Depth = "yes", "no", 2*mib
	want.Stream.Reassembly.Urgent.Policy = "drop"
	want.FlowTimeouts.TCP.New, want.FlowTimeouts.TCP.Established = Duration(90*time.Second), Duration(10*time.Minute)
	limit, layers, yes, no := Size(200*kib), 3, true, false
	want.AppLayer.Protocols = map[string]Protocol{
		"http": {Enabled: "yes", LibHTP: LibHTP{HTTPConfig{ResponseBodyLimit: &limit, ResponseBodyDecompressLayerLimit: &layers}}},
		"dns":  {UDP: &Transport{DetectionPorts: PortPair{DP: "53"}}},
		"tls":  {Enabled: "detection-only", JA4: "yes"},
	}
	want.HostOSPolicy = map[string][]string{"windows": {"0.0.0.0/0"}}
	want.BlockLists = []BlockList{{Name: "feed", File: "/etc/sluice/feed.txt", Direction: "both", TTL: Duration(7 * 24 * time.Hour)}}
	want.Outputs.EVE.Enabled, want.Outputs.EVE.CommunityID = true, &yes
	want.Outputs.EVE.Types = EVETypes{Options: map[string]EVEType{
		"alert": {Payload: &yes, Metadata: &AlertMetadata{Enabled: &no}}, "http": {Extended: &yes}, "dns": {},
		"files": {ForceHash: []string{"sha256"}}, "anomaly": {Enabled: &yes, Types: TypeChoice{"decode": false, "stream": true}}, "flow": {}}}
	want.Ignored = []string{"mpm-algo"}
	if d := cmp.Diff(want, c); d != "" {
		t.Fatalf("-want +got\n%s", d)
	}
	for typ, on := range map[string]bool{"alert": true, "packet": true, "fileinfo": true, "tls": false, "flow": true, "dlp": false} {
		if c.Outputs.EVE.Types.Enabled(typ) != on {
			t.Errorf("%s: %v", typ, !on)
		}
	}
}

// TestErrors holds the text of errors: place, key, what is wrong, what to do.
func TestErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := Parse("t.yaml", []byte(text))
		if err == nil {
			t.Errorf("%q: no error, want %s", text, want)
			return
		}
		if err.Error() != want {
			t.Errorf("%q:\n got %s\nwant %s", text, err, want)
		}
	}
	f("stream:\n  midsteam: yes\n", "t.yaml:2:3: stream.midsteam: unknown key; did you mean stream.midstream?")
	f("midstream: yes\n", "t.yaml:1:1: midstream: unknown key; did you mean stream.midstream?")
	f("depth: 1mb\n", "t.yaml:1:1: depth: unknown key; did you mean stream.reassembly.depth?")
	f("stream:\n  bypass: maybe\n", `t.yaml:2:11: stream.bypass: "maybe" is neither yes nor no`)
	f("workers: many\n", `t.yaml:1:10: workers: "many" is no whole number`)
	f("workers: 1000\n", "t.yaml:1:10: workers: 1000 is too large; the most is 256")
	f("stream:\n  memcap: 12 furlongs\n", `t.yaml:2:11: stream.memcap: "12 furlongs" is no size; write a number of bytes or one with kb, mb or gb`)
	f("defrag: {timeout: -3}\n", `t.yaml:1:19: defrag.timeout: "-3" is no time span; write seconds or a number with ms, s, m, h or d`)
	f("ports: {fail: opened}\n", `t.yaml:1:15: ports.fail: "opened" is not one of open, closed; did you mean "open"?`)
	f("exception-policy: drop-flows\n", `t.yaml:1:19: exception-policy: "drop-flows" is not one of auto, ignore, bypass, pass-packet, pass-flow, drop-packet, drop-flow, reject, rejectboth; did you mean "drop-flow"?`)
	f("ports: {bridges: [lan0]}\n", `t.yaml:1:19: ports.bridges.0: "lan0" is no pair of ports; write INSIDE,OUTSIDE`)
	f("stream: fast\n", `t.yaml:1:9: stream: expected a section, found "fast"; write its settings below it, indented`)
	f("workers: [1]\n", "t.yaml:1:10: workers: expected a value, found a list")
	f("workers:\n", "t.yaml:1:10: workers: has no value; remove the key to keep its default")
	f("vars:\n  EXTERNAL_NET: !$HOME_NET\n", `t.yaml:2:17: a YAML tag where a value was expected; put values that begin with ! in quotes: "!$HOME_NET"`)
	f("a: &x 1\nb: *x\n", "t.yaml:1:4: anchors and aliases are not used here; write the value out; values that begin with * or & need quotes")
	f("workers: 1\nworkers: 2\n", `t.yaml:2:1: mapping key "workers" already defined at [1:1]; check indentation and quotes around here`)
	f("a: [1\n", "t.yaml:1:4: sequence end token ']' not found; check indentation and quotes around here")
	f("af-packet:\n  - interface: eth0\n", "t.yaml:1:1: af-packet: known in Suricata, not used here; name ports under ports.taps, ports.bridges or ports.gateways")
	f("app-layer: {protocols: {htp: {}}}\n", "t.yaml:1:25: app-layer.protocols.htp: unknown key; did you mean app-layer.protocols.http or app-layer.protocols.ftp or app-layer.protocols.ntp?")
	f("app-layer: {protocols: {dns: {libhtp: {}}}}\n", "t.yaml:1:31: app-layer.protocols.dns.libhtp: does not apply to dns; it is a setting of http")
	f("outputs: {eve-log: {types: [alrt]}}\n", "t.yaml:1:29: outputs.eve-log.types.alrt: unknown type of event; did you mean outputs.eve-log.types.alert?")
	f("vars: {HOME-NET: any}\n", `t.yaml:1:8: vars.HOME-NET: "HOME-NET" is no name of a group; use letters, digits and underscores`)
	f("vars: {A: $HOME_NTE}\n", "t.yaml:1:8: vars.A: refers to $HOME_NTE, which is not defined; did you mean $HOME_NET?")
	f("vars: {A: $B, B: $A}\n", "t.yaml:1:15: vars.B: refers to $A, which leads back to it")
	f("vars: {A: '[1'}\n", "t.yaml:1:8: vars.A: brackets do not match; [1")
	f("ports: {taps: [eth0], gateways: [eth0]}\n", "t.yaml:1:23: ports.gateways: eth0 is named under ports.taps already; give each port one role")
	f("outputs: {metrics: {listen: 0.0.0.0:9469}}\n", `t.yaml:1:21: outputs.metrics.listen: "0.0.0.0:9469" is no loopback address with a port; write 127.0.0.1:PORT; put a proxy with authentication before it for others`)
	f("outputs: {nats: {url: 'nats://u:p@h:1'}}\n", "t.yaml:1:18: outputs.nats.url: holds a password, which lists of processes would show; use outputs.nats.user and password-file")
	f("ports: {capture: {buffer: 64kb}}\n", "t.yaml:1:19: ports.capture.buffer: 65536 bytes; from 2mb to 1gb are possible")
	f("ports: {capture: {cpus: [2, 3, 2]}}\n", "t.yaml:1:19: ports.capture.cpus: names processor 2 twice")
	f("ports: {capture: {busy-poll: 1s}}\n", "t.yaml:1:19: ports.capture.busy-poll: 1s is too long; up to 20ms are possible; 50us to 200us are usual")
	f("overload: {low: 60}\n", "t.yaml:1:12: overload.low: is 60, and overload.high 50; it must be below overload.high")
	f("overload: {order: [downloads]}\n", `t.yaml:1:20: overload.order.0: "downloads" is not one of encrypted, download, upload; did you mean "download"?`)
	f("flow: {memcap: 1kb}\n", "t.yaml:1:8: flow.memcap: 1024 bytes are too few; a few megabytes are the least that works")
	f("rules: {disable: [1], enable: [1]}\n", "t.yaml:1:23: rules.enable: sid 1 is in rules.disable too; take it out of one of them")
	f("x: 1\ny: 2\n", "t.yaml:1:1: x: unknown key; see docs/configuration.md\nt.yaml:2:1: y: unknown key; see docs/configuration.md")
}

func TestErrorHasPlace(t *testing.T) {
	_, err := Parse("t.yaml", []byte("stream:\n  midsteam: yes\n"))
	var e *Error
	if !errors.As(err, &e) || e.Line() != 2 || e.Column() != 3 || e.Key != "stream.midsteam" {
		t.Fatalf("got %#v", e)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("missing file: %v", err)
	}
}

func TestSet(t *testing.T) {
	f := func(setting string, get func(*Config) any, want any) {
		t.Helper()
		c := Default()
		if err := c.Set(setting); err != nil {
			t.Errorf("%s: %v", setting, err)
			return
		}
		if got := get(c); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", setting, got, want)
		}
	}
	f("vars.HOME_NET=[10.0.0.0/8]", func(c *Config) any { return c.Vars["HOME_NET"] }, "[10.0.0.0/8]")
	f("vars.EXTERNAL_NET=!$HOME_NET", func(c *Config) any { return c.Vars["EXTERNAL_NET"] }, "!$HOME_NET")
	f("vars.address-groups.X=any", func(c *Config) any { return c.Vars["X"] }, "any")
	f("vars.port-groups.P=[80, 81]", func(c *Config) any { return c.Vars["P"] }, "[80, 81]")
	f("stream.midstream=true", func(c *Config) any { return c.Stream.Midstream }, "yes")
	f("stream.inline=true", func(c *Config) any { return c.Stream.Inline }, "yes")
	f("stream.depth=8kb", func(c *Config) any { return c.Stream.Reassembly.Depth }, Size(8192))
	f("stream.reassembly.depth = 0", func(c *Config) any { return c.Stream.Reassembly.Depth }, Size(0))
	f("exception-policy=ignore", func(c *Config) any { return c.ExceptionPolicy }, Ignore)
	f("app-layer.protocols.http2.enabled=true", func(c *Config) any { return c.AppLayer.Protocols["http2"].Enabled }, "yes")
	f("app-layer.protocols.ftp.max-tx=1", func(c *Config) any { return c.AppLayer.Protocols["ftp"].MaxTx }, 1)
	f("app-layer.protocols.http.libhtp.default-config.response-body-decompress-layer-limit=3",
		func(c *Config) any {
			return *c.AppLayer.Protocols["http"].LibHTP.DefaultConfig.ResponseBodyDecompressLayerLimit
		}, 3)
	f("flow-timeouts.tcp.new=60", func(c *Config) any { return c.FlowTimeouts.TCP.New.D() }, time.Minute)
	f("reputation-files.0=/a", func(c *Config) any { return c.ReputationFiles }, []string{"/a"})
	f("rules.disable=[1, 2]", func(c *Config) any { return c.Rules.Disable }, []uint32{1, 2})
	f("rules.disable=1,2", func(c *Config) any { return c.Rules.Disable }, []uint32{1, 2})
	f("ports.bridges=lan0,wan0", func(c *Config) any { return c.Ports.Bridges }, []Bridge{{"lan0", "wan0"}})
	f("ports.taps=", func(c *Config) any { return len(c.Ports.Taps) }, 0)
	f("outputs.0.eve-log.enabled=yes", func(c *Config) any { return c.Outputs.EVE.Enabled }, true)
	f("outputs.eve-log.types.alert.payload=yes", func(c *Config) any {
		return []bool{*c.Outputs.EVE.Types.Options["alert"].Payload, c.Outputs.EVE.Types.Enabled("http"), c.Outputs.EVE.Types.Enabled("alert")}
	}, []bool{true, true, true})
	f("outputs.0.eve-log.types.0.alert.packet=true", func(c *Config) any { return *c.Outputs.EVE.Types.Option("alert").Packet }, true)
	f("outputs.eve-log.types.http.enabled=no", func(c *Config) any { return c.Outputs.EVE.Types.Enabled("http") }, false)
	f("outputs.eve-log.types=[alert, dlp]", func(c *Config) any {
		return []bool{c.Outputs.EVE.Types.Enabled("dlp"), c.Outputs.EVE.Types.Enabled("http")}
	}, []bool{true, false})
	f("mpm-algo=ac", func(c *Config) any { return c.Ignored }, []string{"mpm-algo"})
	f("defrag.hash-size=8", func(c *Config) any { return c.Ignored }, []string{"defrag.hash-size"})
	f("logging.default-log-level=info", func(c *Config) any { return c.Log.Level }, "info")

	g := func(setting, want string) {
		t.Helper()
		err := Default().Set(setting)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", setting, err, want)
		}
	}
	g("stream.midsteam=yes", "stream.midsteam: unknown key; did you mean stream.midstream?")
	g("stream.bypass=7", `stream.bypass: "7" is neither yes nor no`)
	g("stream.midstream", "stream.midstream: is no setting; write --set KEY=VALUE")
	g("=x", "=x: is no setting; write --set KEY=VALUE")
	g("multi-detect.enabled=yes", "multi-detect.enabled: known in Suricata, not used here; run one sensor a tenant")
	g("reputation-files.3=/a", "reputation-files: no element 3; the list has 0 elements")
	g("workers=", `workers: "" is no whole number`)
}

// TestSuiteSettings: every setting that the published test cases make is one
// that we have, or one that has no effect on results.
func TestSuiteSettings(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "data", "suricata-verify", "tests")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the shared test cases are not beside this repository")
	}
	re := regexp.MustCompile(`--set[ =]"?'?([A-Za-z0-9_.-]+=[^\s"']*)`)
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "test.yaml" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		for sc := bufio.NewScanner(f); sc.Scan(); {
			for _, m := range re.FindAllStringSubmatch(sc.Text(), -1) {
				n++
				c := Default()
				if err := c.Set(m[1]); err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(filepath.Dir(path)), m[1], err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 100 {
		t.Fatalf("found %d settings only", n)
	}
}

func TestTablesAreSorted(t *testing.T) {
	for _, k := range Keys() {
		if _, ok := lookupPrefix(notUsed, k); ok {
			t.Errorf("%s is a setting and listed as not used", k)
		}
		if _, ok := lookupPrefix(harmless, k); ok {
			t.Errorf("%s is a setting and listed as without effect", k)
		}
	}
}

func TestSizeText(t *testing.T) {
	for _, text := range []string{"0", "1", "8kb", "3mb", "2gb", "1023"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, _ := s.MarshalText(); string(b) != text {
			t.Errorf("%s came back as %s", text, b)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("vars: {A: $B, B: $A}")
	f.Add("outputs:\n  - eve-log: {types: [alert: {payload: yes}]}\n")
	f.Add("reputation-files: {0: a}\napp-layer: {protocols: {0: {}}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := Parse("f", []byte(text)); err == nil && c.Validate() != nil {
			t.Fatal("Parse gave an invalid configuration")
		}
	})
}

func FuzzSet(f *testing.F) {
	for _, s := range []string{"stream.midstream=yes", "vars.A=[1]", "outputs.0.eve-log.types.0.alert.payload=1", "rules.disable=[1,2", "block-lists.0.name=x", "a.0.b=[[[["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := Default()
		_ = c.Set(s)
		_ = c.Validate()
	})
}
