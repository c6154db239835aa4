// Package app turns a configuration into running parts: it loads rules,
// policies and classifiers, builds workers and sinks, and runs a replay or the
// daemon with them. It takes a config.Config and knows all rooms; no room knows
// it.
package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/bittorrent"
	"sluice/dataplane/protocol/dcerpc"
	"sluice/dataplane/protocol/dhcp"
	"sluice/dataplane/protocol/dnp3"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/enip"
	"sluice/dataplane/protocol/expect"
	"sluice/dataplane/protocol/ftp"
	"sluice/dataplane/protocol/http1"
	"sluice/dataplane/protocol/http2"
	"sluice/dataplane/protocol/ike"
	"sluice/dataplane/protocol/imap"
	"sluice/dataplane/protocol/krb5"
	"sluice/dataplane/protocol/ldap"
	"sluice/dataplane/protocol/modbus"
	"sluice/dataplane/protocol/mqtt"
	"sluice/dataplane/protocol/nfs"
	"sluice/dataplane/protocol/pgsql"
	"sluice/dataplane/protocol/pop3"
	"sluice/dataplane/protocol/quic"
	"sluice/dataplane/protocol/rdp"
	"sluice/dataplane/protocol/rfb"
	"sluice/dataplane/protocol/sip"
	"sluice/dataplane/protocol/smb"
	"sluice/dataplane/protocol/smtp"
	"sluice/dataplane/protocol/snmp"
	"sluice/dataplane/protocol/ssh"
	"sluice/dataplane/protocol/tftp"
	"sluice/dataplane/protocol/tls"
	"sluice/dataplane/protocol/websocket"
	"sluice/dataplane/worker"
	"sluice/internal/config"
	"sluice/signatures"
)

// Parts is what all workers share, made from a configuration.
type Parts struct {
	Config   *config.Config
	Registry *protocol.Registry
	Limits   *protocol.Limits
	// Rules is nil where none loaded; Report tells of all.
	Rules  *signatures.Engine
	Report *signatures.Report
	// Catalog and Policy are nil with classification off.
	Catalog *classifiers.Catalog
	Policy  *policy.Policy
	Set     *inspect.Set
	// Expect is shared by all workers and kept over reloads.
	Expect *expect.Table
	// Elapsed is the time that loading took.
	Elapsed time.Duration
	// state is what rules keep; live tells that it is kept beyond the run.
	state *signatures.State
	live  bool
}

// Registry gives the protocols of the program.
func Registry() (*protocol.Registry, error) { return protocol.NewRegistry(definitions()...) }

func definitions() []*protocol.Definition {
	return []*protocol.Definition{http1.Definition(), http2.Definition(), tls.Definition(), smtp.Definition(), dns.Definition(), dns.MDNS(), dns.LLMNR(),
		ftp.Definition(), ftp.DataDefinition(), ssh.Definition(), pop3.Definition(), imap.Definition(),
		smb.Definition(), dcerpc.Definition(), tftp.Definition(), mqtt.Definition(), quic.Definition(),
		websocket.Definition(), http2.DoH2(), dhcp.Definition(), ike.Definition(), rdp.Definition(),
		sip.Definition(), rfb.Definition(), bittorrent.Definition(), pgsql.Definition(), nfs.Definition(),
		modbus.Definition(), dnp3.Definition(), enip.Definition(), krb5.Definition(), ldap.Definition(), snmp.Definition()}
}

// PolicyNone as a policy file switches classification off.
const PolicyNone = "none"

// Load loads rules, policy and classifiers. Rules with errors are left out and
// told in Report; a bad policy or an unreadable rule file is an error.
func Load(cfg *config.Config, log *slog.Logger) (*Parts, error) {
	return load(cfg, log, nil)
}

// load is Load with the rules' state of before, so that a reload keeps
// thresholds and bits.
func load(cfg *config.Config, log *slog.Logger, state *signatures.State) (*Parts, error) {
	begin := time.Now()
	p := &Parts{Config: cfg}
	var err error
	if p.Registry, err = registry(cfg); err != nil {
		return nil, err
	}
	if p.Limits, err = limits(cfg); err != nil {
		return nil, err
	}
	if state == nil {
		state = signatures.NewState()
		if cfg.StateDir != "" {
			state.SetDir(filepath.Join(cfg.StateDir, "datasets"))
		}
	}
	p.state = state
	var set *signatures.Ruleset
	if set, p.Report, err = loadRules(cfg, p.Registry, state); err != nil {
		return nil, err
	}
	if p.Report.Loaded > 0 {
		if p.Rules, err = set.Compile(); err != nil {
			return nil, fmt.Errorf("compile rules: %w", err)
		}
	}
	if p.Policy, err = LoadPolicy(cfg); err != nil {
		return nil, err
	}
	if p.Policy != nil {
		warnPolicy(p.Policy, log)
		if p.Catalog, err = classifiers.New(classifiers.Config{CacheDir: cacheDir(cfg, log), Custom: p.Policy.Custom()}); err != nil {
			return nil, fmt.Errorf("build detectors: %w", err)
		}
	}
	if p.Set, err = inspect.NewSet(p.Rules, p.Catalog, cacheDir(cfg, log)); err != nil {
		return nil, err
	}
	if err = p.describe(log); err != nil {
		return nil, err
	}
	p.Elapsed = time.Since(begin)
	return p, nil
}

// LoadRules parses the configured rules, or the bundled ones.
func LoadRules(cfg *config.Config, reg *protocol.Registry) (*signatures.Ruleset, *signatures.Report, error) {
	return loadRules(cfg, reg, nil)
}

func loadRules(cfg *config.Config, reg *protocol.Registry, state *signatures.State) (*signatures.Ruleset, *signatures.Report, error) {
	paths := rulePaths(cfg)
	for _, path := range paths {
		if strings.ContainsAny(path, "*?[") {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return nil, nil, fmt.Errorf("rules: %w", err)
		}
	}
	places, err := openPlaces(cfg)
	if err != nil {
		return nil, nil, err
	}
	var geo signatures.Geo
	if places != nil {
		geo = places
	}
	sel, order, err := selectRules(cfg)
	if err != nil {
		return nil, nil, err
	}
	if state == nil {
		state = signatures.NewState()
	}
	state.SetBounds(setBounds(cfg))
	set, rep := signatures.Load(paths, signatures.Config{Vars: cfg.Vars, Registry: reg, CacheDir: cacheDir(cfg, nil), State: state, Fields: fields(), Geo: geo,
		ReputationCategories: cfg.ReputationCategoriesFile, Reputations: reputations(cfg), Thresholds: cfg.ThresholdFile, Classification: cfg.ClassificationFile, References: cfg.ReferenceConfigFile, MaxAlerts: cfg.PacketAlertMax,
		PCREMatchLimit: uint32(cfg.PCRE.MatchLimit), PCREDepthLimit: uint32(cfg.PCRE.MatchLimitRecursion),
		Magic: magicFor(cfg), Select: sel, ActionOrder: order, MaxSteps: cfg.Detect.InspectionRecursionLimit})
	return set, rep, nil
}

// reputations gives the lists of addresses with their folder.
func reputations(cfg *config.Config) []string {
	var out []string
	for _, f := range cfg.ReputationFiles {
		if !filepath.IsAbs(f) && cfg.DefaultReputationPath != "" {
			f = filepath.Join(cfg.DefaultReputationPath, f)
		}
		out = append(out, f)
	}
	return out
}

// LoadPolicy loads the configured policy, or the bundled one; nil when
// classification is off.
func LoadPolicy(cfg *config.Config) (*policy.Policy, error) {
	var p *policy.Policy
	switch cfg.Policy.File {
	case PolicyNone:
		return nil, nil
	case "":
		p = policy.Default()
	default:
		var err error
		if p, err = policy.Load(cfg.Policy.File); err != nil {
			return nil, err
		}
	}
	if nets := homeNets(cfg.Vars); len(nets) > 0 {
		p = p.WithHome(nets)
	}
	if _, err := newTerms(cfg.Quarantine, p); err != nil {
		return nil, err
	}
	return placePolicy(cfg, p)
}

// cacheDir gives the folder for compiled databases, or none where it cannot be
// written: then each start compiles anew.
func cacheDir(cfg *config.Config, log *slog.Logger) string {
	dir := cfg.CacheDir
	if dir == "" {
		return ""
	}
	if err := os.MkdirAll(dir, 0o700); err == nil {
		if f, err := os.CreateTemp(dir, ".probe-*"); err == nil {
			f.Close()
			os.Remove(f.Name())
			return dir
		}
	}
	// Without privilege the user's own cache serves.
	if own, err := os.UserCacheDir(); err == nil {
		if d := own + "/sluice"; os.MkdirAll(d, 0o700) == nil {
			return d
		}
	}
	if log != nil {
		log.Info("compiled databases are not kept: the cache folder cannot be written", "cache-dir", dir)
	}
	return ""
}

func limits(cfg *config.Config) (*protocol.Limits, error) {
	l := cfg.Limits
	smb, err := smbLimits(cfg)
	out := &protocol.Limits{MaxTx: l.MaxTx, MaxHeader: int(l.MaxHeader), MaxDecompressed: int64(l.MaxDecompressed),
		MaxRatio: l.MaxRatio, MaxLayers: l.MaxLayers, MaxParts: l.MaxParts, SMB: smb}
	parserLimits(cfg, out)
	return out, err
}

// Mode is how traffic reaches the workers and what becomes of verdicts.
type Mode struct {
	// Inline judges data before it is forwarded.
	Inline bool
	// Live carries verdicts out; Monitor only reports them.
	Live, Monitor bool
	// NoChecksum accepts wrong checksums.
	NoChecksum bool
	// Ifaces names the ports; empty in replay.
	Ifaces []string
	// Workers share the memory limits.
	Workers int
	// Types says which event types are written.
	Types func(string) bool
	// Documents reads documents; nil scans their bytes.
	Documents *document.Reader
	// Evidence takes objects that the policy wants kept; nil keeps none.
	Evidence func(worker.Evidence) string
	// Files keeps files that rules ask for.
	Files worker.Files
}

// Worker gives the configuration of one worker.
func (p *Parts) Worker(m Mode) (worker.Config, error) {
	cfg := p.Config
	p.live = m.Live
	n := int64(max(m.Workers, 1))
	if p.Expect == nil {
		p.Expect = expect.NewTable(expect.Options{})
	}
	wc := worker.Config{Set: p.Set, Policy: p.Policy, Registry: p.Registry, Limits: p.Limits, Expect: p.Expect,
		Inline: m.Inline, Live: m.Live, Monitor: m.Monitor, Ifaces: m.Ifaces,
		Documents: m.Documents, Evidence: m.Evidence, Files: m.Files, HeldTime: cfg.Limits.HeldTime.D(), HeldBytes: int(cfg.Limits.HeldBytes),
		PassInvalid: !cfg.Stream.DropInvalid}
	switch cfg.Stream.Inline {
	case "yes":
		wc.Inline = true
	case "no":
		wc.Inline = false
	}
	d := &wc.Decode
	d.NoChecksum = m.NoChecksum || cfg.PcapFile.ChecksumChecks == "no" && len(m.Ifaces) == 0
	d.MaxLayers = cfg.Decoder.MaxLayers
	d.IgnoreTunnels = !cfg.Decoder.RecursionLevel.UseForTracking
	var err error
	for _, t := range []struct {
		cfg config.Tunnel
		to  *[]uint16
	}{{cfg.Decoder.VXLAN, &d.VXLANPorts}, {cfg.Decoder.Geneve, &d.GenevePorts}, {cfg.Decoder.Teredo, &d.TeredoPorts},
		{cfg.Decoder.GTP, &d.GTPPorts}} {
		*t.to = []uint16{}
		if t.cfg.Enabled {
			if *t.to, err = ports(cfg.Vars, t.cfg.Ports, 0); err != nil {
				return wc, err
			}
		}
	}
	d.Defrag = decode.DefragConfig{Timeout: int64(cfg.Defrag.Timeout), MemCap: int(int64(cfg.Defrag.Memcap) / n), MaxDatagrams: cfg.Defrag.Trackers, MaxHeld: max(cfg.Defrag.MaxFrags/int(n), 1)}
	wc.Flow = flow.Config{Memcap: max(int64(cfg.Flow.Memcap)/n, 1<<20), MaxFlows: cfg.Flow.MaxFlows / int(n), IgnoreVLAN: !cfg.VLAN.UseForTracking,
		Default: timeouts(cfg.FlowTimeouts.Default), TCP: timeouts(cfg.FlowTimeouts.TCP), UDP: timeouts(cfg.FlowTimeouts.UDP), ICMP: timeouts(cfg.FlowTimeouts.ICMP),
		EmergencyRecovery: cfg.Flow.EmergencyRecovery}
	for i, t := range []config.Timeouts{cfg.FlowTimeouts.Default, cfg.FlowTimeouts.TCP, cfg.FlowTimeouts.UDP, cfg.FlowTimeouts.ICMP} {
		wc.Flow.Emergency[i] = flow.Timeouts{New: t.EmergencyNew.D(), Established: t.EmergencyEstablished.D(), Closed: t.EmergencyClosed.D(), Bypassed: t.EmergencyBypassed.D()}
	}
	if wc.Stream, err = streamConfig(cfg, wc.Inline, !m.Live || !m.Inline, n); err != nil {
		return wc, err
	}
	// Resets must be in time: a tap that sends them cannot wait for the receiver's
	// acknowledgement.
	wc.Stream.OnArrival = m.Live && !wc.Inline && !m.Monitor && cfg.Stream.Inline == "auto"
	if m.NoChecksum {
		wc.Stream.ChecksumValidation = false
	}
	if d := cfg.Outputs.FileStore.StreamDepth; d != nil && m.Files.Store != nil {
		wc.Stream.RaisesDepth, wc.Stream.StoreDepth = true, uint64(*d)
	}
	wc.Exceptions = exceptions(cfg, wc.Inline)
	if cfg.Ports.Fail != "closed" && cfg.Stream.MidstreamPolicy == config.Auto && cfg.ExceptionPolicy == config.Auto {
		// Whoever chose to fail open does not want a start to end every connection
		// there is.
		wc.Exceptions.Midstream = worker.Ignore
	}
	wc.Stream.Midstream = cfg.Stream.Midstream == "yes" ||
		cfg.Stream.Midstream == "auto" && wc.Exceptions.Midstream == worker.Ignore && (m.Live || m.Inline)
	if m.Live && cfg.Ports.Fail != "closed" && cfg.Limits.DocumentPolicy == config.Auto && cfg.ExceptionPolicy == config.Auto {
		// Nor that a rush of documents ends what it cannot read.
		wc.Exceptions.Document = worker.Ignore
	}
	wc.Report = report(cfg, m)
	return wc, errors.Join(wc.Flow.Validate(), wc.Stream.Validate())
}

func prefix(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a prefix", text)
	}
	return p.Masked(), nil
}

// maxRefs bounds how far a group's references are followed.
const maxRefs = 16

// ports gives the single ports of a port group; ranges are for rules only.
func ports(vars config.Vars, text string, depth int) ([]uint16, error) {
	if depth > maxRefs {
		return nil, fmt.Errorf("port group %q refers to itself", text)
	}
	var out []uint16
	for _, part := range strings.FieldsFunc(strings.Trim(strings.TrimSpace(text), "[]"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if name, ok := strings.CutPrefix(part, "$"); ok {
			more, err := ports(vars, vars[name], depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		}
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no port; tunnel ports are single ports", part)
		}
		out = append(out, uint16(n))
	}
	return out, nil
}

// homeNets gives the prefixes of HOME_NET where it is a plain list; a group with
// negations or "any" gives none, and the policy goes by private addresses.
func homeNets(vars config.Vars) []netip.Prefix {
	var out []netip.Prefix
	var walk func(text string, depth int) bool
	walk = func(text string, depth int) bool {
		if depth > maxRefs || strings.Contains(text, "!") || strings.TrimSpace(text) == "any" {
			return false
		}
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("[], ", r) }) {
			if name, ok := strings.CutPrefix(part, "$"); ok {
				if !walk(vars[name], depth+1) {
					return false
				}
				continue
			}
			pf, err := prefix(part)
			if err != nil {
				return false
			}
			out = append(out, pf)
		}
		return true
	}
	if !walk(vars["HOME_NET"], 0) {
		return nil
	}
	return out
}

// Close frees what the parts hold outside of Go's heap, and keeps the datasets
// whose rules ask for it; a replay leaves them as they were. All workers must
// have been closed.
func (p *Parts) Close() {
	if p.live && p.state != nil {
		if err := p.state.SaveSets(); err != nil {
			slog.Warn("datasets were not saved", "err", err)
		}
	}
	if p.Set != nil {
		p.Set.Close()
	}
}

// CacheDir gives the folder for compiled databases, or none where it cannot be
// written.
func CacheDir(cfg *config.Config) string { return cacheDir(cfg, nil) }
