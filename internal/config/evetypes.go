package config

import (
	"maps"
	"slices"
	"strings"
)

// EVETypes says which events are written. A list in the file writes the listed
// ones alone, as in Suricata; settings by name (types.alert.payload) change one
// type and leave the choice as it is.
type EVETypes struct {
	// All writes every type that Options does not switch off.
	All bool
	// Options holds settings by type, and is the list where All is false.
	Options map[string]EVEType
}

// eveTypes are the names that may stand in the list: Suricata's and our own.
var eveTypes = strings.Fields("alert drop anomaly http http2 dns mdns llmnr tls smtp ftp ftp_data ssh smb dcerpc imap pop3 nfs tftp sip sdp rdp rfb mqtt krb5 " +
	"snmp dhcp ntp ike ikev2 ldap quic websocket doh2 pgsql modbus dnp3 enip bittorrent-dht telnet arp files fileinfo flow netflow stats metadata frame stream " +
	"packet engine dlp gap overload block")

// eventTypes gives the event_type values that a list entry of another name means.
var eventTypes = map[string][]string{
	"files": {"fileinfo"}, "alert": {"alert", "packet"}, "ftp": {"ftp", "ftp_data"}, "bittorrent-dht": {"bittorrent_dht"},
	"http2": {"http2", "http"}, "doh2": {"doh2", "dns", "http"}, "stream": {"stream_tcp"}, "ikev2": {"ike", "ikev2"},
}

// Enabled reports whether events of an event_type are written.
func (t *EVETypes) Enabled(eventType string) bool {
	found, on := false, t.All
	for name, o := range t.Options {
		means := eventTypes[name]
		if means == nil {
			means = []string{name}
		}
		if !slices.Contains(means, eventType) {
			continue
		}
		off := o.Enabled != nil && !*o.Enabled
		if name == eventType || !found {
			on = !off
		}
		found = true
	}
	return on
}

// Option gives the settings of a type, by the name that the list has for it.
func (t *EVETypes) Option(name string) EVEType { return t.Options[name] }

func (t *EVETypes) assign(a *assigner, n *node, path string) {
	switch n.kind {
	case null:
		return
	case sequence:
		t.All, t.Options = false, nil
		for _, item := range n.items {
			t.item(a, item, path)
		}
	case scalar:
		t.All, t.Options = false, nil
		for name := range strings.SplitSeq(strings.Trim(n.text, "[]"), ",") {
			t.item(a, &node{kind: scalar, text: strings.TrimSpace(name), pos: n.pos}, path)
		}
	case mapping:
		t.item(a, n, path)
	}
}

// item takes one entry of the list: a name, or a name with options.
func (t *EVETypes) item(a *assigner, n *node, path string) {
	switch n.kind {
	case scalar:
		if t.check(a, n.text, path, n.pos) {
			t.put(n.text, t.Options[n.text])
		}
	case mapping:
		for _, e := range n.keys {
			if isIndex(e.key) {
				t.item(a, e.val, path) // types.0.alert from the command line
				continue
			}
			if !t.check(a, e.key, path, e.pos) {
				continue
			}
			o := []EVEType{t.Options[e.key]} // addressable
			a.value(reflectElem(o), e.val, join(path, e.key), "")
			t.put(e.key, o[0])
		}
	default:
		a.fail(n.pos, path, "write names, or a name with its options below it", "expected a type of event, found %s", kindNames[n.kind])
	}
}

func (t *EVETypes) put(name string, o EVEType) {
	t.Options = maps.Clone(t.Options)
	if t.Options == nil {
		t.Options = map[string]EVEType{}
	}
	t.Options[name] = o
}

func (t *EVETypes) check(a *assigner, name, path string, p pos) bool {
	if slices.Contains(eveTypes, name) {
		return true
	}
	a.fail(p, join(path, name), suggest(name, path, eveTypes), "unknown type of event")
	return false
}

// TypeChoice chooses kinds: "types: [a, aaaa]" or "types: {decode: yes}".
type TypeChoice map[string]bool

func (c *TypeChoice) assign(a *assigner, n *node, path string) {
	set := func(name, val string, p pos) {
		b, err := parseBool(val)
		if err != nil {
			a.fail(p, join(path, name), "", "%v", err)
			return
		}
		if *c == nil {
			*c = TypeChoice{}
		}
		(*c)[name] = b
	}
	switch n.kind {
	case scalar:
		for name := range strings.SplitSeq(strings.Trim(n.text, "[]"), ",") {
			set(strings.TrimSpace(name), "yes", n.pos)
		}
	case sequence:
		for _, item := range n.items {
			if item.kind != scalar {
				a.fail(item.pos, path, "", "expected a name, found %s", kindNames[item.kind])
				continue
			}
			set(item.text, "yes", item.pos)
		}
	case mapping:
		for _, e := range n.keys {
			switch {
			case e.val.kind != scalar:
				a.fail(e.pos, join(path, e.key), "", "expected yes or no, found %s", kindNames[e.val.kind])
			case isIndex(e.key):
				set(e.val.text, "yes", e.pos)
			default:
				set(e.key, e.val.text, e.pos)
			}
		}
	}
}

// AlertMetadata says what alerts carry besides the match.
type AlertMetadata struct {
	Enabled  *bool             `yaml:"enabled"`
	AppLayer *bool             `yaml:"app-layer"`
	Flow     *bool             `yaml:"flow"`
	Rule     AlertRuleMetadata `yaml:"rule"`
}

// AlertRuleMetadata says what of the rule is written.
type AlertRuleMetadata struct {
	Metadata  *bool `yaml:"metadata"`
	Raw       bool  `yaml:"raw"`
	Reference bool  `yaml:"reference"`
}
