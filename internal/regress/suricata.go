package regress

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// What is read here is of cases for Suricata: its options, its configuration,
// and the versions that a check is for.

// arguments reads the case's options for Suricata: --set, -k none and
// --simulate-ips have a meaning here.
func (c *Case) arguments() {
	var words []string
	list, _ := c.test["args"].([]any)
	for _, a := range list {
		words = append(words, strings.Fields(fmt.Sprint(a))...)
	}
	var sets []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "--set" && i+1 < len(words):
			i++
			sets = append(sets, words[i])
		case strings.HasPrefix(w, "--set="):
			sets = append(sets, w[6:])
		case w == "-k" && i+1 < len(words):
			i++
			c.NoChecksum = c.NoChecksum || words[i] == "none"
		case w == "--simulate-ips":
			c.Inline = true
		}
	}
	r := strings.NewReplacer("${TEST_DIR}", c.Dir, "$TEST_DIR", c.Dir)
	for _, s := range sets {
		if s = r.Replace(strings.Trim(s, `"'`)); !strings.HasPrefix(s, "vars.") {
			c.Sets = append(c.Sets, s)
		}
	}
}

// variables gives the groups of the case's suricata.yaml.
func (c *Case) variables() map[string]string {
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

// notSettings are the parts of suricata.yaml that are read elsewhere, or that say
// where Suricata finds and leaves things.
var notSettings = map[string]bool{"vars": true, "outputs": true, "logging": true, "include": true, "rule-files": true, "default-rule-path": true,
	"default-log-dir": true, "plugins": true, "unix-command": true, "datasets": true, "stats": true}

// flatten gives the scalars of a configuration by their dotted keys.
func flatten(prefix string, m map[string]any, fn func(key, value string)) {
	for k, v := range m {
		if prefix == "" && notSettings[k] {
			continue
		}
		switch v := v.(type) {
		case map[string]any:
			flatten(prefix+k+".", v, fn)
		case nil, []any:
		default:
			fn(prefix+k, fmt.Sprint(v))
		}
	}
}

// stockTypes are what Suricata's own configuration writes for cases that bring
// none.
var stockTypes = strings.Fields(`alert anomaly http dns mdns llmnr tls fileinfo smtp websocket ftp ftp_data rdp nfs smb tftp ike dcerpc krb5 bittorrent_dht
	snmp rfb sip sdp quic ldap pop3 dhcp ssh mqtt http2 doh2 stats flow packet`)

// typeAliases gives the event types that an entry of eve-log's types means.
var typeAliases = map[string][]string{"files": {"fileinfo"}, "ftp": {"ftp", "ftp_data"}, "bittorrent-dht": {"bittorrent_dht"},
	"alert": {"alert", "packet"}, "ikev2": {"ike", "ikev2"}, "ike": {"ike", "ikev2"}, "http2": {"http2", "http"}, "doh2": {"doh2", "dns", "http"},
	"stream": {"stream_tcp"}, "tagged-packets": {"packet"}}

// Written drops the events of types that the case's suricata.yaml does not
// write.
func (c *Case) Written(evs []map[string]any) []map[string]any {
	types := c.types()
	if types == nil {
		return evs
	}
	kept := evs[:0]
	for _, e := range evs {
		if typ, _ := e["event_type"].(string); typ == "" || types[typ] {
			kept = append(kept, e)
		}
	}
	return kept
}

// types gives the event types that the case's configuration writes; nil for all.
func (c *Case) types() map[string]bool {
	out := map[string]bool{}
	if c.suri == nil {
		if !c.stock {
			return nil
		}
		for _, t := range stockTypes {
			out[t] = true
		}
		return out
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

func off(m map[string]any) bool {
	v, ok := m["enabled"]
	s := strings.ToLower(fmt.Sprint(v))
	return ok && (s == "no" || s == "false")
}

// suricata is the version of Suricata's whose behaviour cases are held to.
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

// applies reports whether a case or a check is for the version at hand.
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
