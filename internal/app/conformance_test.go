package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"sluice/internal/config"
)

// The floors are what has been reached, in cases passed of a tier of the
// suricata-verify collection's half that is at hand. Four cases of tier b replay
// captures that are cut in the middle of a record, which is an error here.
var conformanceFloors = map[string]int{"a": 60, "b": 96, "c": 491}

// conformanceBudget bounds the whole run.
const conformanceBudget = time.Minute

// stockVars and stockTypes are what Suricata's own configuration gives to cases
// that bring none.
var stockVars = map[string]string{
	"HOME_NET": "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", "EXTERNAL_NET": "!$HOME_NET", "HTTP_SERVERS": "$HOME_NET", "SMTP_SERVERS": "$HOME_NET",
	"SQL_SERVERS": "$HOME_NET", "DNS_SERVERS": "$HOME_NET", "TELNET_SERVERS": "$HOME_NET", "AIM_SERVERS": "$EXTERNAL_NET", "DC_SERVERS": "$HOME_NET",
	"DNP3_SERVER": "$HOME_NET", "DNP3_CLIENT": "$HOME_NET", "MODBUS_CLIENT": "$HOME_NET", "MODBUS_SERVER": "$HOME_NET", "ENIP_CLIENT": "$HOME_NET",
	"ENIP_SERVER": "$HOME_NET", "HTTP_PORTS": "80", "SHELLCODE_PORTS": "!80", "ORACLE_PORTS": "1521", "SSH_PORTS": "22", "DNP3_PORTS": "20000",
	"MODBUS_PORTS": "502", "FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]", "FTP_PORTS": "21", "GENEVE_PORTS": "6081", "VXLAN_PORTS": "4789",
	"TEREDO_PORTS": "3544", "SIP_PORTS": "[5060, 5061]",
}

var stockTypes = strings.Fields(`alert anomaly http dns mdns llmnr tls fileinfo smtp websocket ftp ftp_data rdp nfs smb tftp ike dcerpc krb5 bittorrent_dht
	snmp rfb sip sdp quic ldap pop3 dhcp ssh mqtt http2 doh2 stats flow packet`)

// typeAliases gives the event types that an entry of eve-log's types means.
var typeAliases = map[string][]string{"files": {"fileinfo"}, "ftp": {"ftp", "ftp_data"}, "bittorrent-dht": {"bittorrent_dht"},
	"alert": {"alert", "packet"}, "ikev2": {"ike", "ikev2"}, "ike": {"ike", "ikev2"}, "http2": {"http2", "http"}, "doh2": {"doh2", "dns", "http"},
	"stream": {"stream_tcp"}, "tagged-packets": {"packet"}}

// svCase is one case of the collection.
type svCase struct {
	name, dir string
	test      map[string]any
	suri      map[string]any
	sets      []string
	flags     []string
}

// TestConformance replays the cases of the suricata-verify collection in this
// process and compares events and counters with what each case expects.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("the conformance cases take half a minute")
	}
	base := shared(t, "data/suricata-verify")
	tiers := readColumns(t, filepath.Join(base, "tiers.tsv"))
	var names []string
	for _, c := range readColumns(t, filepath.Join(base, "tests.txt")) {
		names = append(names, c[0])
	}
	tierOf := map[string]string{}
	for _, c := range tiers {
		if len(c) > 1 {
			tierOf[c[0]] = c[1]
		}
	}
	// Datasets and hashes are named relative to the rules; nothing depends on
	// the working directory, so that cases run side by side.
	begin := time.Now()
	jobs := make(chan string)
	var mu sync.Mutex
	passed, run := map[string]int{}, map[string]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for name := range jobs {
				err := runCase(t, filepath.Join(base, "tests", name), name)
				mu.Lock()
				run[tierOf[name]]++
				if err == nil {
					passed[tierOf[name]]++
				} else if testing.Verbose() {
					t.Logf("%s: %v", name, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, n := range names {
		jobs <- n
	}
	close(jobs)
	wg.Wait()
	for tier, floor := range conformanceFloors {
		t.Logf("tier %s: %d of %d", tier, passed[tier], run[tier])
		if passed[tier] < floor {
			t.Errorf("tier %s: %d of %d cases pass, %d did before", tier, passed[tier], run[tier], floor)
		}
	}
	if d := time.Since(begin); d > conformanceBudget {
		t.Errorf("the run took %v, more than %v", d.Round(time.Second), conformanceBudget)
	}
}

func readColumns(t *testing.T, path string) (out [][]string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && line[0] != '#' {
			out = append(out, strings.Split(line, "\t"))
		}
	}
	return out
}

func readYAML(path string, depth int) map[string]any {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var doc map[string]any
	if yaml.UnmarshalWithOptions(data, &doc, yaml.AllowDuplicateMapKey()) != nil || depth > 4 {
		return doc
	}
	merged := map[string]any{}
	switch inc := doc["include"].(type) {
	case string:
		merge(merged, readYAML(filepath.Join(filepath.Dir(path), inc), depth+1))
	case []any:
		for _, n := range inc {
			merge(merged, readYAML(filepath.Join(filepath.Dir(path), fmt.Sprint(n)), depth+1))
		}
	}
	merge(merged, doc)
	return merged
}

func merge(into, from map[string]any) {
	for k, v := range from {
		a, ok := into[k].(map[string]any)
		b, both := v.(map[string]any)
		if ok && both {
			merge(a, b)
			continue
		}
		into[k] = v
	}
}

// runCase runs a case and gives what is wrong with it.
func runCase(t *testing.T, dir, name string) error {
	c := &svCase{name: name, dir: dir, test: readYAML(filepath.Join(dir, "test.yaml"), 0), suri: readYAML(filepath.Join(dir, "suricata.yaml"), 0)}
	if c.test == nil {
		return fmt.Errorf("no test.yaml")
	}
	c.arguments()
	cfg := config.Default()
	cfg.CacheDir, cfg.Policy.File, cfg.Outputs.NATS.URL = "", PolicyNone, NATSOff
	eve := filepath.Join(t.TempDir(), strings.ReplaceAll(name, "/", "_")+".json")
	cfg.Outputs.EVE.Enabled, cfg.Outputs.EVE.Filename = true, eve
	sets := c.sets
	for k, v := range c.variables() {
		sets = append(sets, "vars."+k+"="+v)
	}
	for _, s := range sets {
		if err := cfg.Set(s); err != nil {
			return err
		}
	}
	if rules := c.rules(); rules != "" {
		cfg.Rules.Paths = []string{rules}
	} else if _, own := c.test["rules"]; !own {
		cfg.Rules.Paths = nil
	}
	if env, ok := c.test["env"].(map[string]any); ok {
		if v, ok := env[dnsVersionEnv]; ok {
			if err := cfg.Set(fmt.Sprintf("outputs.eve-log.types.dns.version=%v", v)); err != nil {
				return err
			}
		}
	}
	pcap := c.pcap()
	if pcap == "" {
		return fmt.Errorf("no capture")
	}
	ips := strings.Contains(filepath.Base(name), "ips")
	noChecksum := false
	for _, f := range c.flags {
		ips = ips || f == "--simulate-ips"
		noChecksum = noChecksum || f == "-k none"
	}
	if _, err := Replay(context.Background(), cfg, ReplayOptions{Files: []string{pcap}, Workers: 1, Inline: ips, NoChecksum: noChecksum},
		slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	evs, err := readEVE(eve)
	if err != nil {
		return err
	}
	if types := c.types(); types != nil {
		kept := evs[:0]
		for _, e := range evs {
			if typ, _ := e["event_type"].(string); typ == "" || types[typ] {
				kept = append(kept, e)
			}
		}
		evs = kept
	}
	return c.check(evs)
}

func readEVE(path string) (out []map[string]any, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		var e map[string]any
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%w: %s", err, sc.Text())
		}
		out = append(out, e)
	}
	return out, sc.Err()
}

// arguments splits the case's options for Suricata.
func (c *svCase) arguments() {
	var words []string
	list, _ := c.test["args"].([]any)
	for _, a := range list {
		words = append(words, strings.Fields(fmt.Sprint(a))...)
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "--set" && i+1 < len(words):
			i++
			c.sets = append(c.sets, words[i])
		case strings.HasPrefix(w, "--set="):
			c.sets = append(c.sets, w[6:])
		case w == "-k" && i+1 < len(words):
			i++
			c.flags = append(c.flags, "-k "+words[i])
		default:
			c.flags = append(c.flags, w)
		}
	}
	r := strings.NewReplacer("${TEST_DIR}", c.dir, "$TEST_DIR", c.dir)
	keep := c.sets[:0]
	for _, s := range c.sets {
		if s = r.Replace(strings.Trim(s, `"'`)); !strings.HasPrefix(s, "vars.") {
			keep = append(keep, s)
		}
	}
	c.sets = keep
}

func (c *svCase) rules() string {
	if r, ok := c.test["rules"]; ok {
		if r == nil || r == "" {
			return ""
		}
		return filepath.Join(c.dir, fmt.Sprint(r))
	}
	found, _ := filepath.Glob(filepath.Join(c.dir, "*.rules"))
	sort.Strings(found)
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

func (c *svCase) pcap() string {
	if p, ok := c.test["pcap"]; ok && p != nil && p != "" {
		return filepath.Join(c.dir, fmt.Sprint(p))
	}
	for _, ext := range []string{"*.pcap", "*.pcapng"} {
		if found, _ := filepath.Glob(filepath.Join(c.dir, ext)); len(found) == 1 {
			return found[0]
		}
	}
	return ""
}

func (c *svCase) variables() map[string]string {
	if c.suri == nil {
		return stockVars
	}
	out := map[string]string{}
	vars, _ := c.suri["vars"].(map[string]any)
	for _, group := range []string{"address-groups", "port-groups"} {
		m, _ := vars[group].(map[string]any)
		for k, v := range m {
			if list, ok := v.([]any); ok {
				parts := make([]string, len(list))
				for i, x := range list {
					parts[i] = fmt.Sprint(x)
				}
				v = "[" + strings.Join(parts, ",") + "]"
			}
			out[k] = fmt.Sprint(v)
		}
	}
	return out
}

// types gives the event types that the case's configuration writes; nil for all.
func (c *svCase) types() map[string]bool {
	out := map[string]bool{}
	if c.suri == nil {
		for _, t := range stockTypes {
			out[t] = true
		}
		return out
	}
	off := func(m map[string]any) bool {
		v, ok := m["enabled"]
		s := strings.ToLower(fmt.Sprint(v))
		return ok && (s == "no" || s == "false")
	}
	outputs, ok := c.suri["outputs"].([]any)
	if !ok {
		return nil
	}
	seen := false
	for _, o := range outputs {
		m, _ := o.(map[string]any)
		e, ok := m["eve-log"].(map[string]any)
		if !ok || off(e) {
			continue
		}
		if f, ok := e["filename"]; ok && filepath.Base(fmt.Sprint(f)) != "eve.json" {
			continue
		}
		types, ok := e["types"].([]any)
		if !ok {
			return nil
		}
		seen = true
		put := func(name string) {
			if as := typeAliases[name]; as != nil {
				for _, a := range as {
					out[a] = true
				}
				return
			}
			out[name] = true
		}
		for _, x := range types {
			opts, ok := x.(map[string]any)
			if !ok {
				put(fmt.Sprint(x))
				continue
			}
			for name, v := range opts {
				if m, ok := v.(map[string]any); ok && off(m) {
					continue
				}
				put(name)
			}
		}
	}
	if !seen {
		return nil
	}
	return out
}

// suricata is the version of Suricata's whose behaviour the cases are held to.
var suricata = [3]int{8, 0, 7}

func before(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

var versionRE = regexp.MustCompile(`(\d+)(?:\.(\d+))?(?:\.(\d+))?`)

func parseVersion(v any) (out [3]int, parts int) {
	m := versionRE.FindStringSubmatch(fmt.Sprint(v))
	for i := 1; i < len(m); i++ {
		if m[i] != "" {
			out[i-1], _ = strconv.Atoi(m[i])
			parts = i
		}
	}
	return out, parts
}

// applies reports whether a check is for the version at hand.
func applies(requires any) bool {
	m, _ := requires.(map[string]any)
	for k, v := range m {
		want, parts := parseVersion(v)
		switch k {
		case "min-version":
			if before(suricata, want) {
				return false
			}
		case "lt-version":
			if !before(suricata, want) {
				return false
			}
		case "gt-version":
			if !before(want, suricata) {
				return false
			}
		case "version":
			for i := range parts {
				if suricata[i] != want[i] {
					return false
				}
			}
		case "features":
			list, _ := v.([]any)
			for _, f := range list {
				if f != "HAVE_JA3" && f != "HAVE_JA4" {
					return false
				}
			}
		}
	}
	return true
}

func (c *svCase) check(evs []map[string]any) error {
	checks, _ := c.test["checks"].([]any)
	for i, x := range checks {
		m, _ := x.(map[string]any)
		for kind, v := range m {
			body, _ := v.(map[string]any)
			if !applies(body["requires"]) {
				continue
			}
			switch kind {
			case "filter":
				match, _ := body["match"].(map[string]any)
				got := 0
				for _, e := range evs {
					if ok, err := matches(match, e); err != nil {
						return fmt.Errorf("check %d: %w", i+1, err)
					} else if ok {
						got++
					}
				}
				if want, _ := number(body["count"]); float64(got) != want {
					return fmt.Errorf("check %d: %d events match, %v wanted: %v", i+1, got, want, match)
				}
			case "stats":
				var last map[string]any
				for _, e := range evs {
					if e["event_type"] == "stats" {
						last, _ = e["stats"].(map[string]any)
					}
				}
				for k, want := range body {
					if k == "requires" {
						continue
					}
					if ok, err := holds(k, want, last); err != nil || !ok {
						return fmt.Errorf("check %d: stats %s is not %v", i+1, k, want)
					}
				}
			}
		}
	}
	return nil
}

func matches(match, e map[string]any) (bool, error) {
	for _, k := range sortedNames(match) {
		if ok, err := holds(k, match[k], e); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// sortedNames puts the type first, since what a line means may hang on it.
func sortedNames(m map[string]any) []string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := strings.Contains(names[i], ".__"), strings.Contains(names[j], ".__")
		if a != b {
			return b
		}
		return names[i] < names[j]
	})
	return names
}

// holds evaluates one line of a filter on an event.
func holds(key string, want any, e map[string]any) (bool, error) {
	if key == "has-key" || key == "not-has-key" {
		list, ok := want.([]any)
		if !ok {
			list = []any{want}
		}
		for _, p := range list {
			if (lookup(fmt.Sprint(p), e) != nil) != (key == "has-key") {
				return false, nil
			}
		}
		return true, nil
	}
	path, op := key, ""
	if i := strings.LastIndex(key, ".__"); i >= 0 {
		path, op = key[:i], key[i+3:]
	}
	got := lookup(path, e)
	switch op {
	case "":
		return equal(got, want), nil
	case "len":
		n := -1
		switch v := got.(type) {
		case string:
			n = len([]rune(v))
		case []any:
			n = len(v)
		case map[string]any:
			n = len(v)
		}
		return equal(float64(n), want), nil
	case "gt", "gte", "lt", "lte":
		a, aok := number(got)
		b, bok := number(want)
		if !aok || !bok {
			return false, nil
		}
		return op == "gt" && a > b || op == "gte" && a >= b || op == "lt" && a < b || op == "lte" && a <= b, nil
	}
	text, isText := got.(string)
	if list, ok := got.([]any); ok && op == "contains" {
		for _, x := range list {
			if equal(x, want) {
				return true, nil
			}
		}
		return false, nil
	}
	if !isText {
		return false, fmt.Errorf("%s: no text there", key)
	}
	w := fmt.Sprint(want)
	switch op {
	case "find", "contains":
		return strings.Contains(text, w), nil
	case "startswith":
		return strings.HasPrefix(text, w), nil
	case "endswith":
		return strings.HasSuffix(text, w), nil
	}
	return false, fmt.Errorf("%s: unknown operator", key)
}

var indexed = regexp.MustCompile(`^(.*)\[(\d+)\]$`)

func lookup(path string, v any) any {
	for part := range strings.SplitSeq(path, ".") {
		name, index := part, -1
		if m := indexed.FindStringSubmatch(part); m != nil {
			name = m[1]
			index, _ = strconv.Atoi(m[2])
		}
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[name]
		if index >= 0 {
			list, ok := v.([]any)
			if !ok || index >= len(list) {
				return nil
			}
			v = list[index]
		}
	}
	return v
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// equal compares by value and type; "yes" and "no" are truths, as in YAML 1.1.
func equal(got, want any) bool {
	if a, ok := number(got); ok {
		b, ok := number(want)
		return ok && a == b
	}
	if b, ok := got.(bool); ok {
		switch w := want.(type) {
		case bool:
			return b == w
		case string:
			w = strings.ToLower(w)
			return b && (w == "yes" || w == "on") || !b && (w == "no" || w == "off")
		}
		return false
	}
	if list, ok := got.([]any); ok {
		w, ok := want.([]any)
		if !ok || len(w) != len(list) {
			return false
		}
		for i := range w {
			if !equal(list[i], w[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}
