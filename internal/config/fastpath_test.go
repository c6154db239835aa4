package config

import (
	"strings"
	"testing"
)

func TestFastPathErrors(t *testing.T) {
	for text, want := range map[string]string{
		"fast-path: {max-prefixes: 0}":                                                                      "t.yaml:1:27: fast-path.max-prefixes: 0 is too small",
		"fast-path: {samples: 100000}":                                                                      "too large",
		"fast-path: {malformed: {land: perhaps}}":                                                           "fast-path.malformed.land",
		"fast-path: {rate-limits: {tcp: {per-second: 1}}}":                                                  "unknown key",
		"fast-path: {allow-lists: [{name: a}]}":                                                             "needs name and file",
		"fast-path: {allow-lists: [{name: a, file: b}, {name: a, file: c}]}":                                "appears twice",
		"segmentation: {zones: {any: [10.0.0.0/8]}}":                                                        "meaning of its own",
		"segmentation: {zones: {a: [10.0.0.0/8], b: [10.0.0.0/8]}}":                                         "10.0.0.0/8 is in a and in b",
		"segmentation: {zones: {a: [10.0.0.0/33]}}":                                                         "t.yaml:1:28: segmentation.zones.a.0",
		"segmentation: {rules: [{name: r, from: a, to: any, action: drop}]}":                                `there is no zone "a"`,
		"segmentation: {rules: [{from: any, to: any, action: drop}]}":                                       "needs a name",
		"segmentation: {rules: [{name: r, from: any, to: any}]}":                                            "has no action",
		"segmentation: {rules: [{name: r, from: any, to: any, action: reject}]}":                            "action",
		"segmentation: {rules: [{name: r, from: any, to: any, ports: [1], action: drop}]}":                  "without a protocol",
		"segmentation: {rules: [{name: r, from: any, to: any, protocol: icmp, ports: [1], action: drop}]}":  "without a protocol",
		"segmentation: {rules: [{name: r, from: any, to: any, protocol: tcp, ports: [9-8], action: drop}]}": `"9-8" is no port`,
		"segmentation: {rules: [{name: r, from: any, to: any, protocol: tcp, ports: [0], action: drop}]}":   `"0" is no port`,
		`quarantine: {allow: ["10.0.0.1 icmp/5"]}`:                                                          "icmp has no ports",
		`quarantine: {allow: ["10.0.0.1 tcp 5"]}`:                                                           "no destination",
		"quarantine: {ttl: soon}":                                                                           "quarantine.ttl",
	} {
		if _, err := Parse("t.yaml", []byte(text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzReachable(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "10.0.0.0/8 tcp", "fd00::/8 udp/53", "10.0.0.1 sctp/1-65535", "::ffff:1.2.3.4/96 icmp", "a b c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var r Reachable
		if r.UnmarshalText([]byte(s)) == nil && (!r.Prefix.IsValid() || r.Ports.Last < r.Ports.First || r.Ports.First != 0 && r.Protocol == "") {
			t.Errorf("%q gives %+v", s, r)
		}
	})
}
