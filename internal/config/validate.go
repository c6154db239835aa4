package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Validate checks what concerns more than one setting. It is pure: it opens and
// asks nothing. Its errors are Error values, joined where there are several.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, hint, format string, args ...any) {
		errs = append(errs, &Error{Key: key, Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
	errs = append(errs, c.Vars.check()...)
	c.checkPorts(bad)
	c.checkLive(bad)
	c.checkOutputs(bad)
	c.checkFastPath(bad)
	for _, p := range []struct {
		key  string
		text string
	}{{"decoder.teredo.ports", c.Decoder.Teredo.Ports}, {"decoder.vxlan.ports", c.Decoder.VXLAN.Ports}, {"decoder.geneve.ports", c.Decoder.Geneve.Ports}, {"decoder.gtp.ports", c.Decoder.GTP.Ports}} {
		for _, r := range refs(p.text) {
			if c.Vars[r] == "" {
				bad(p.key, "define it under vars", "refers to $%s, which is not defined", r)
			}
		}
	}
	for _, m := range []struct {
		key string
		v   Size
	}{{"stream.memcap", c.Stream.Memcap}, {"stream.reassembly.memcap", c.Stream.Reassembly.Memcap}, {"defrag.memcap", c.Defrag.Memcap},
		{"flow.memcap", c.Flow.Memcap}} {
		if m.v < 64*kib {
			bad(m.key, "a few megabytes are the least that works", "%d bytes are too few", m.v)
		}
	}
	seen := map[string]bool{}
	for i, b := range c.BlockLists {
		key := fmt.Sprintf("block-lists.%d", i)
		if b.Name == "" || b.File == "" {
			bad(key, "", "needs name and file")
		}
		if seen[b.Name] {
			bad(key, "", "the name %q appears twice", b.Name)
		}
		seen[b.Name] = true
	}
	for os, nets := range c.HostOSPolicy {
		for _, n := range nets {
			if _, err := parsePrefix(n); err != nil {
				bad("host-os-policy."+os, "write addresses or prefixes", "%q is neither", n)
			}
		}
	}
	for _, id := range c.Rules.Disable {
		if slices.Contains(c.Rules.Enable, id) {
			bad("rules.enable", "take it out of one of them", "sid %d is in rules.disable too", id)
		}
	}
	return errors.Join(errs...)
}

func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func (c *Config) checkPorts(bad func(key, hint, format string, args ...any)) {
	role := map[string]string{}
	use := func(name, as string) {
		switch {
		case name == "" || len(name) > 15 || strings.ContainsAny(name, "/ \t\n"):
			bad("ports."+as, "see ip link", "%q is no name of a port", name)
		case role[name] != "":
			bad("ports."+as, "give each port one role", "%s is named under ports.%s already", name, role[name])
		default:
			role[name] = as
		}
	}
	for _, t := range c.Ports.Taps {
		use(t, "taps")
	}
	for _, b := range c.Ports.Bridges {
		use(b.Inside, "bridges")
		use(b.Outside, "bridges")
	}
	for _, g := range c.Ports.Gateways {
		use(g, "gateways")
	}
	if c.Ports.Inject != "" && len(c.Ports.Taps) == 0 {
		bad("ports.inject", "remove it or name a tap", "is for taps, and there are none")
	}
}

func (c *Config) checkOutputs(bad func(key, hint, format string, args ...any)) {
	o := &c.Outputs
	if o.EVE.Enabled && o.EVE.Filename == "" {
		bad("outputs.eve-log.filename", `write a path, or "-" for standard output`, "is empty")
	}
	if u := o.NATS.URL; u != "" && u != "off" && u != "embedded" {
		for s := range strings.SplitSeq(u, ",") {
			p, err := url.Parse(strings.TrimSpace(s))
			if err != nil || p.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, p.Scheme) {
				bad("outputs.nats.url", `write nats://HOST:PORT, tls://HOST:PORT, "embedded" or "off"`, "%q cannot be read", strings.TrimSpace(s))
			} else if _, has := p.User.Password(); has {
				bad("outputs.nats.url", "use outputs.nats.user and password-file", "holds a password, which lists of processes would show")
			}
		}
	}
	if strings.ContainsAny(o.NATS.Stream, ". *>/\\") || o.NATS.Stream == "" {
		bad("outputs.nats.stream", "use letters, digits, - and _", "%q is no name of a stream", o.NATS.Stream)
	}
	if o.NATS.Control && o.NATS.ControlKeyFile == "" {
		bad("outputs.nats.control", "name a file with a secret of 32 characters or more under outputs.nats.control-key-file", "requests are answered only where they are signed")
	}
	if (o.NATS.CertFile == "") != (o.NATS.KeyFile == "") {
		bad("outputs.nats.cert-file", "", "cert-file and key-file go together")
	}
	if o.Metrics.Enabled {
		ap, err := netip.ParseAddrPort(o.Metrics.Listen)
		if err != nil || !ap.Addr().IsLoopback() {
			bad("outputs.metrics.listen", "write 127.0.0.1:PORT; put a proxy with authentication before it for others", "%q is no loopback address with a port", o.Metrics.Listen)
		}
	}
	if s := &o.FileStore; s.Enabled && (s.Dir == "" || s.MaxSize == 0) {
		bad("outputs.file-store", "set dir and max-size", "has no folder or no room")
	}
	if o.Evidence.Dir != "" && len(o.Evidence.Recipients) == 0 {
		bad("outputs.evidence.recipients", "name at least one age public key", "evidence is only kept encrypted")
	}
}
