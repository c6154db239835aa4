package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/dataplane/replay"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/internal/config"
	"sluice/signatures"
)

// ReplayOptions are a replay's own settings beside the configuration.
type ReplayOptions struct {
	Files      []string
	Workers    int
	Inline     bool
	NoChecksum bool
	Progress   func(bytes uint64)
	// Begin, when set, is told of each file before it is read; Judged of each
	// question to the policy, which wants one worker.
	Begin  func(path string)
	Judged func(worker.Judged)
}

// ReplaySummary is what `sluice replay` prints, and its --json object.
type ReplaySummary struct {
	Packets      uint64  `json:"packets"`
	Bytes        uint64  `json:"bytes"`
	Flows        uint64  `json:"flows"`
	Alerts       uint64  `json:"alerts"`
	Findings     uint64  `json:"findings"`
	BlockedFlows uint64  `json:"blocked_flows"`
	Events       uint64  `json:"events"`
	Seconds      float64 `json:"seconds"`
	Mbps         float64 `json:"mbps"`
	LoadSeconds  float64 `json:"load_seconds"`

	RulesLoaded   int `json:"rules_loaded"`
	RulesRejected int `json:"rules_rejected"`

	Counters worker.Counters `json:"-"`
}

// Replay runs capture files through workers. The summary is valid even with an
// error about an unreadable file.
func Replay(ctx context.Context, cfg *config.Config, o ReplayOptions, log *slog.Logger) (sum ReplaySummary, err error) {
	parts, err := Load(cfg, log)
	if err != nil {
		return sum, err
	}
	defer parts.Close()
	out, err := OpenOutput(cfg, true, log)
	if err != nil {
		return sum, err
	}
	defer func() {
		c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = errors.Join(err, out.Close(c))
	}()
	sum.LoadSeconds = parts.Elapsed.Seconds()
	sum.RulesLoaded, sum.RulesRejected = parts.Report.Loaded, parts.Report.Rejected
	docs := openDocuments(cfg, o.Workers, 0)
	if docs != nil {
		defer docs.Close()
	}
	kept, err := openEvidence(cfg, true, log)
	if err != nil {
		return sum, err
	}
	defer func() {
		c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = errors.Join(err, kept.Close(c))
	}()
	mode := Mode{Inline: o.Inline, NoChecksum: o.NoChecksum, Workers: o.Workers, Types: wants(cfg), Documents: docs}
	kept.fill(&mode)
	wc, err := parts.Worker(mode)
	if err != nil {
		return sum, err
	}
	wc.Judged = o.Judged
	var last int64
	res, err := replay.Run(ctx, replay.Options{
		Files: o.Files, Workers: o.Workers, Progress: o.Progress, Begin: o.Begin,
		AutoChecksum: cfg.PcapFile.ChecksumChecks == "auto" && !o.NoChecksum,
		New:          func(int) (*worker.Worker, error) { return worker.New(wc) },
		Publish: func(evs []*events.Event) {
			if len(evs) > 0 {
				last = max(last, evs[len(evs)-1].Time)
			}
			out.Publish(0, evs)
		},
	})
	c := res.Counters
	err = errors.Join(err, unknownLinks(c.Decode.UnknownLink, c.Frames, log))
	if cfg.Stats.Enabled && wants(cfg)("stats") {
		out.Publish(0, []*events.Event{statsEvent(cfg.Stats, last, 0, c, parts.Report)})
	}
	sum.Packets, sum.Bytes, sum.Flows, sum.Alerts, sum.Findings = c.Frames, c.Bytes, c.Flows, c.Alerts, c.Findings
	sum.BlockedFlows, sum.Events, sum.Counters = c.BlockedFlows, c.Events, c
	sum.Seconds = res.Elapsed.Seconds()
	if sum.Seconds > 0 {
		sum.Mbps = float64(c.Bytes) * 8 / sum.Seconds / 1e6
	}
	return sum, err
}

// unknownLinks tells of frames that were not inspected since their link type is
// not known: an error where that were all.
func unknownLinks(unknown, frames uint64, log *slog.Logger) error {
	switch {
	case unknown == 0:
	case unknown == frames:
		return fmt.Errorf("none of %d frames was inspected: their link type is not supported", frames)
	default:
		log.Warn("frames of link types that are not supported were not inspected", "frames", unknown, "of", frames)
	}
	return nil
}

// wants tells which event types any sink takes.
func wants(cfg *config.Config) func(string) bool {
	eve, nats, ocsf := cfg.Outputs.EVE, cfg.Outputs.NATS, cfg.Outputs.OCSF.Enabled
	toNATS := nats.URL != "" && nats.URL != NATSOff
	return func(typ string) bool {
		if eve.Enabled && eve.Types.Enabled(typ) || ocsf && events.InOCSF(typ) {
			return true
		}
		if !toNATS {
			return false
		}
		if len(nats.Types) == 0 {
			return true
		}
		for _, t := range nats.Types {
			if t == typ {
				return true
			}
		}
		return false
	}
}

// statsEvent makes the stats record of counters summed over workers.
func statsEvent(cfg config.Stats, now, uptime int64, c worker.Counters, rules *signatures.Report) *events.Event {
	m := make(map[string]uint64)
	c.Each(func(name string, v uint64) {
		if name = statsName(cfg, name); name != "" {
			m[name] = v
		}
	})
	st := &events.Stats{Uptime: uptime, Counters: m}
	if rules != nil {
		st.Engines = []events.StatsEngine{{RulesLoaded: rules.Loaded, RulesFailed: rules.Rejected, RulesSkipped: rules.Skipped}}
	}
	return &events.Event{Time: now, Type: "stats", Stats: st}
}
