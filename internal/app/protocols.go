package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/internal/config"
)

// registry gives the protocols that the configuration leaves enabled.
func registry(cfg *config.Config) (*protocol.Registry, error) {
	var defs []*protocol.Definition
	for _, d := range definitions() {
		c, ok := cfg.AppLayer.Protocols[d.ID.String()]
		if !ok {
			defs = append(defs, d)
			continue
		}
		own, err := configured(cfg, d, c)
		if err != nil {
			return nil, fmt.Errorf("app-layer.protocols.%s.%w", d.ID, err)
		}
		if own != nil {
			defs = append(defs, own)
		}
	}
	return protocol.NewRegistry(defs...)
}

// The words of app-layer.protocols.*.enabled beside yes.
const (
	no            = "no"
	detectionOnly = "detection-only"
)

// configured gives a protocol's definition as configured, nil where it is
// switched off. An error begins with the key below the protocol's section.
func configured(cfg *config.Config, d *protocol.Definition, c config.Protocol) (*protocol.Definition, error) {
	own := *d
	over := map[string]string{"tcp": c.Enabled, "udp": c.Enabled}
	var groups []string
	add := func(p config.PortPair) { groups = append(groups, p.DP, p.SP) }
	add(c.DetectionPorts)
	for name, t := range map[string]*config.Transport{"tcp": c.TCP, "udp": c.UDP} {
		if t == nil {
			continue
		}
		add(t.DetectionPorts)
		if t.Enabled != "" {
			over[name] = t.Enabled
		}
	}
	own.TCP, own.UDP = d.TCP && over["tcp"] != no, d.UDP && over["udp"] != no
	if (d.TCP || d.UDP) && !own.TCP && !own.UDP || c.Enabled == no {
		return nil, nil
	}
	tcp, udp := own.TCP && over["tcp"] == detectionOnly, own.UDP && over["udp"] == detectionOnly
	switch {
	case tcp && own.UDP && !udp, udp && own.TCP && !tcp:
		return nil, fmt.Errorf("tcp.enabled: detection-only holds for both transports or none")
	case tcp || udp || c.Enabled == detectionOnly:
		// Without a parser nothing fills the buffers: rules on them are refused.
		own.New, own.Buffers, own.States = nil, nil, [2][]string{}
	}
	var listen []uint16
	set := false
	for _, g := range groups {
		if g == "" {
			continue
		}
		set = true
		p, err := portList(cfg.Vars, g, 0)
		if err != nil {
			return nil, fmt.Errorf("detection-ports: %w", err)
		}
		listen = append(listen, p...)
	}
	if set {
		own.Ports = listen
	}
	own.Buffers = fingerprints(own.Buffers, c)
	return &own, nil
}

// fingerprints leaves out the buffers of fingerprints that are switched off, so
// that rules on them are refused rather than never matched.
func fingerprints(in []protocol.BufferSpec, c config.Protocol) []protocol.BufferSpec {
	var off []string
	if c.JA3 == no {
		off = append(off, "ja3.", "ja3s.")
	}
	if c.JA4 == no {
		off = append(off, "ja4.")
	}
	if c.Hassh == no {
		off = append(off, "ssh.hassh")
	}
	if off == nil {
		return in
	}
	var out []protocol.BufferSpec
next:
	for _, b := range in {
		for _, prefix := range off {
			if strings.HasPrefix(b.Name, prefix) {
				continue next
			}
		}
		out = append(out, b)
	}
	return out
}

// maxListen bounds the ports of a list: they say where servers listen.
const maxListen = 4096

// portList gives the ports of a group of single ports and ranges.
func portList(vars config.Vars, text string, depth int) ([]uint16, error) {
	if depth > maxRefs {
		return nil, fmt.Errorf("port group %q refers to itself", text)
	}
	var out []uint16
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("[], \t", r) }) {
		if name, ok := strings.CutPrefix(part, "$"); ok {
			if vars[name] == "" {
				return nil, fmt.Errorf("refers to $%s, which is not defined", name)
			}
			more, err := portList(vars, vars[name], depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		}
		first, last, isRange := strings.Cut(strings.Replace(part, "-", ":", 1), ":")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil || from > to {
			return nil, fmt.Errorf("%q is neither a port nor a range of ports", part)
		}
		if int(to-from)+len(out) >= maxListen {
			return nil, fmt.Errorf("%q has more than %d ports", text, maxListen)
		}
		for p := from; p <= to; p++ {
			out = append(out, uint16(p))
		}
	}
	return out, nil
}

// parserLimits puts what is configured of single parsers into their limits.
func parserLimits(cfg *config.Config, l *protocol.Limits) {
	of := func(id protocol.ID) config.Protocol { return cfg.AppLayer.Protocols[id.String()] }
	for id := range protocol.NumIDs {
		l.TxOf[id] = of(id).MaxTx
	}
	http := of(protocol.HTTP1).LibHTP.DefaultConfig
	if http.MaxTx > 0 {
		l.TxOf[protocol.HTTP1] = http.MaxTx
	}
	for dir, size := range map[protocol.Dir]*config.Size{protocol.ToServer: http.RequestBodyLimit, protocol.ToClient: http.ResponseBodyLimit} {
		if size != nil {
			l.HTTP.Rules[dir] = uint64(max(*size, 0))
		}
	}
	if n := http.ResponseBodyDecompressLayerLimit; n != nil {
		l.HTTP.ResponseLayers = *n
	}
	l.HTTP.DecodePathTwice, l.HTTP.DecodeQueryTwice = http.DoubleDecodePath, http.DoubleDecodeQuery
	l.RatioFree = int64(http.CompressionBombLimit)

	h2 := of(protocol.HTTP2)
	l.HTTP2 = protocol.HTTP2Limits{MaxStreams: h2.MaxStreams, MaxTable: int(min(h2.MaxTableSize, 1<<30)), MaxBlock: int(min(h2.MaxReassemblySize, 1<<30))}
	mqtt := cfg.Outputs.EVE.Types.Option("mqtt")
	l.MQTT = protocol.MQTTLimits{MaxMessage: int(of(protocol.MQTT).MaxMsgLength), Logged: int(mqtt.StringLogLimit),
		Passwords: cfg.Policy.File == PolicyNone && (mqtt.Passwords == nil || *mqtt.Passwords)}
	secrets := cfg.Outputs.EVE.Types.Option("pgsql").Passwords
	l.PGSQL.Passwords = cfg.Policy.File == PolicyNone && secrets != nil && *secrets

	miscLimits(cfg, l)

	l.DNP3 = protocol.DNP3Limits{MaxObjects: of(protocol.DNP3).MaxObjects, MaxPoints: of(protocol.DNP3).MaxPoints}

	l.ShowSecrets = cfg.Policy.File == PolicyNone

	smtp := of(protocol.SMTP)
	m := smtp.MIME
	l.Mail = protocol.MailLimits{NoURLs: m.ExtractURLs != nil && !*m.ExtractURLs, BareURLs: m.LogURLScheme != nil && !*m.LogURLScheme, Rules: uint64(max(smtp.InspectedTracker.ContentLimit, 0))}
	for _, s := range m.ExtractURLsSchemes {
		l.Mail.Schemes = append(l.Mail.Schemes, strings.ToLower(s))
	}

	digests := cfg.Outputs.EVE.Types.Option("smtp").MD5
	l.SubjectMD5 = slices.Contains(digests, "subject")
	l.BodyMD5 = m.BodyMD5 == "yes" || m.BodyMD5 != "no" && slices.Contains(digests, "body")

	l.NoJA3, l.NoJA4, l.NoHASSH = of(protocol.TLS).JA3 == no, of(protocol.TLS).JA4 == no, of(protocol.SSH).Hassh == no
}

// depths gives the reassembly depths by protocol, nil where none has its own.
// While the protocol is not known the greatest of them holds: what is cut off
// before that cannot be looked at later.
func depths(cfg *config.Config) *[protocol.NumIDs]uint64 {
	var out [protocol.NumIDs]uint64
	any := false
	for id := range protocol.NumIDs {
		out[id] = uint64(cfg.Stream.Reassembly.Depth)
		if d := cfg.AppLayer.Protocols[id.String()].StreamDepth; d != nil {
			out[id], any = uint64(max(*d, 0)), true
		}
	}
	if !any {
		return nil
	}
	for _, d := range out {
		if first := &out[protocol.Unknown]; d == 0 || *first == 0 {
			*first = 0
		} else {
			*first = max(*first, d)
		}
	}
	return &out
}
