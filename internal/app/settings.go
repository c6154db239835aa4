package app

import (
	"fmt"
	"os"
	"strconv"

	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
	"sluice/dataplane/worker"
	"sluice/internal/config"
)

// exceptions gives the policies of limits. A policy of its own wins over the one
// for all, and auto means to fail closed inline and to ignore beside the wire.
func exceptions(cfg *config.Config, inline bool) worker.Exceptions {
	of := func(p config.ExceptionPolicy) worker.Exception {
		if p == config.Auto || p == "" {
			p = cfg.ExceptionPolicy
		}
		switch p {
		case config.Ignore:
			return worker.Ignore
		case config.Bypass:
			return worker.Bypass
		case config.PassPacket:
			return worker.PassPacket
		case config.PassFlow:
			return worker.PassFlow
		case config.DropPacket:
			return worker.DropPacket
		case config.DropFlow:
			return worker.DropFlow
		case config.Reject:
			return worker.Reject
		case config.RejectBoth:
			return worker.RejectBoth
		}
		if inline {
			return worker.DropFlow
		}
		return worker.Ignore
	}
	packet := func(x worker.Exception) worker.Exception {
		// What has no flow can be answered by packet only.
		switch x {
		case worker.DropFlow:
			return worker.DropPacket
		case worker.PassFlow, worker.Bypass:
			return worker.PassPacket
		}
		return x
	}
	midstream := of(cfg.Stream.MidstreamPolicy)
	if cfg.Stream.Midstream == "yes" && midstream != worker.PassFlow && midstream != worker.Bypass {
		// Whoever wants such connections followed does not want them ended.
		midstream = worker.Ignore
	}
	appError := of(cfg.AppLayer.ErrorPolicy)
	if cfg.AppLayer.ErrorPolicy == config.Auto && cfg.ExceptionPolicy == config.Auto && cfg.Ports.Fail != "closed" {
		// What a parser cannot read is classified as it stands: a box that fails open
		// does not end connections over it.
		appError = worker.Ignore
	}
	return worker.Exceptions{FlowMemcap: packet(of(cfg.Flow.MemcapPolicy)), DefragMemcap: packet(of(cfg.Defrag.MemcapPolicy)),
		Midstream: midstream, StreamMemcap: of(cfg.Stream.MemcapPolicy), Reassembly: of(cfg.Stream.Reassembly.MemcapPolicy),
		AppError: appError, Document: documentException(of(cfg.Limits.DocumentPolicy))}
}

func timeouts(t config.Timeouts) flow.Timeouts {
	return flow.Timeouts{New: t.New.D(), Established: t.Established.D(), Closed: t.Closed.D(), Bypassed: t.Bypassed.D()}
}

func streamConfig(cfg *config.Config, inline, beside bool, n int64) (stream.Config, error) {
	s := cfg.Stream
	c := stream.DefaultConfig()
	c.Inline, c.ChecksumValidation = inline, s.ChecksumValidation
	c.AsyncOneside = s.AsyncOneside == "yes" || s.AsyncOneside == "auto" && beside
	c.Depth, c.Memcap = uint64(s.Reassembly.Depth), int64(s.Reassembly.Memcap)/n
	c.Depths = depths(cfg)
	c.MaxSynAckQueued = min(s.MaxSynackQueued, 5)
	var err error
	if c.Urgent, err = stream.ParseUrgent(s.Reassembly.Urgent.Policy); err != nil {
		return c, err
	}
	if c.UrgentLimit, err = stream.ParseUrgent(s.Reassembly.Urgent.OOBLimitPolicy); err != nil {
		return c, err
	}
	for name, list := range cfg.HostOSPolicy {
		pol, err := stream.ParsePolicy(name)
		if err != nil {
			return c, err
		}
		for _, text := range list {
			pf, err := prefix(text)
			if err != nil {
				return c, fmt.Errorf("host-os-policy.%s: %w", name, err)
			}
			c.HostOS = append(c.HostOS, stream.HostPolicy{Prefix: pf, Policy: pol})
		}
	}
	return c, nil
}

func report(cfg *config.Config, m Mode) worker.Report {
	r := worker.Report{Wants: m.Types}
	a := cfg.Outputs.EVE.Types.Option("alert")
	// A replay is for looking closely: alerts show their bytes unless told not to.
	r.Payload, r.PayloadPrintable, r.Packet = orReplay(a.Payload, m), orReplay(a.PayloadPrintable, m), orReplay(a.Packet, m)
	r.DNSVersion = dnsVersion(cfg)
	// Frames are many: they are reported only where they are asked for by name.
	if o, listed := cfg.Outputs.EVE.Types.Options["frame"]; listed {
		r.Frames = o.Enabled == nil || *o.Enabled
	}
	if a.Metadata != nil {
		r.References = a.Metadata.Rule.Reference
	}
	r.GuessTx = cfg.Detect.GuessApplayerTX
	xff := cfg.Outputs.EVE.XFF
	if a.XFF.Enabled != nil {
		xff = a.XFF
	}
	r.XFF = worker.XFF{Enabled: xff.Enabled == nil || *xff.Enabled, Overwrite: xff.Mode == "overwrite", Forward: xff.Deployment == "forward"}
	for _, list := range [][]string{cfg.Outputs.EVE.ForceHash, cfg.Outputs.EVE.Types.Option("files").ForceHash} {
		for _, name := range list {
			switch name {
			case "md5":
				r.Hashes |= 1 << protocol.MD5
			case "sha1":
				r.Hashes |= 1 << protocol.SHA1
			}
		}
	}
	if !m.Live {
		r.Hashes |= 1 << protocol.MD5
	}
	r.AllDrops = !m.Live
	if f := cfg.Outputs.EVE.Types.Option("drop").Flows; f != "" {
		r.AllDrops = f == "all"
	}
	_, r.ARP = cfg.Outputs.EVE.Types.Options["arp"]
	r.ARP = r.ARP || !m.Live
	r.Ethernet = orReplay(cfg.Outputs.EVE.Ethernet, m)
	r.PayloadLimit = int(a.PayloadBufferSize)
	// As in Suricata, anomalies of protocols are told unless the file says
	// otherwise, those of packets and segments, which are many, when it says so.
	r.AppAnomalies, r.DecodeAnomalies, r.StreamAnomalies = true, !m.Live, !m.Live
	for name, on := range cfg.Outputs.EVE.Types.Option("anomaly").Types {
		switch name {
		case "decode":
			r.DecodeAnomalies = on
		case "stream":
			r.StreamAnomalies = on
		case "applayer":
			r.AppAnomalies = on
		}
	}
	return r
}

// dnsVersionEnv overrides the version of dns events, as it does for Suricata.
const dnsVersionEnv = "SURICATA_EVE_DNS_VERSION"

func dnsVersion(cfg *config.Config) int {
	if v, err := strconv.Atoi(os.Getenv(dnsVersionEnv)); err == nil {
		return v
	}
	return cfg.Outputs.EVE.Types.Option("dns").Version
}

// orReplay gives an option that is on in replay unless it was set.
func orReplay(set *bool, m Mode) bool {
	if set == nil {
		return !m.Live
	}
	return *set
}
