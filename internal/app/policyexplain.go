package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/classifiers"
	"sluice/classifiers/extract"
	"sluice/classifiers/scan"
	"sluice/dataplane/capture"
	"sluice/dataplane/policy"
	"sluice/dataplane/worker"
	"sluice/internal/config"
)

// ExplainOptions say what `sluice policy explain` looks at.
type ExplainOptions struct {
	// Paths are files, folders and captures; captures are told by content.
	Paths []string
	// Pretend is what files are thought to be sent by. Captures need none.
	Pretend policy.Input
	// Pretended tells that Pretend was asked for, which captures contradict.
	Pretended bool
	// MinConfidence leaves out findings of files below it.
	MinConfidence classifiers.Confidence
	// ChildArgs start this program as a reader of documents.
	ChildArgs []string
}

// Explained is how the policy came to what it did about one object.
type Explained struct {
	Path     string            `json:"path"`
	Object   ExplainedObject   `json:"object"`
	Context  ExplainedContext  `json:"context"`
	Decision ExplainedDecision `json:"decision"`
	Rules    []policy.Step     `json:"rules"`
	// Error is why a file could not be read.
	Error string `json:"error,omitempty"`
}

// ExplainedObject is what was judged.
type ExplainedObject struct {
	Name        string             `json:"name,omitempty"`
	Type        string             `json:"type,omitempty"`
	Size        uint64             `json:"size"`
	Complete    bool               `json:"complete"`
	Released    uint64             `json:"released,omitempty"`
	Gaps        bool               `json:"gaps,omitempty"`
	Unscannable string             `json:"unscannable,omitempty"`
	Findings    []ExplainedFinding `json:"findings"`
}

// ExplainedFinding sums a detector's findings. Count and Unique are of medium
// confidence and more, as most rules count.
type ExplainedFinding struct {
	Detector   string                 `json:"detector"`
	Level      classifiers.Level      `json:"level"`
	Confidence classifiers.Confidence `json:"confidence"`
	Count      uint32                 `json:"count"`
	Unique     uint32                 `json:"unique"`
	Masked     []string               `json:"masked,omitempty"`
}

// ExplainedContext is who sends it to whom.
type ExplainedContext struct {
	Direction   string   `json:"direction"`
	Channel     string   `json:"channel"`
	Source      string   `json:"source,omitempty"`
	Destination string   `json:"destination,omitempty"`
	Port        uint16   `json:"port,omitempty"`
	Domain      string   `json:"domain,omitempty"`
	Sender      string   `json:"sender,omitempty"`
	Recipients  []string `json:"recipients,omitempty"`
	User        string   `json:"user,omitempty"`
	Time        string   `json:"time"`
	FlowID      uint64   `json:"flow_id,omitempty"`
	Packet      uint64   `json:"packet,omitempty"`
}

// ExplainedDecision is what came of it.
type ExplainedDecision struct {
	Action       string            `json:"action"`
	Rule         string            `json:"rule,omitempty"`
	Level        classifiers.Level `json:"level"`
	Reason       string            `json:"reason,omitempty"`
	Exception    bool              `json:"exception,omitempty"`
	Owner        string            `json:"owner,omitempty"`
	KeepEvidence bool              `json:"keep_evidence,omitempty"`
}

// ErrPretended is given when a capture is to be explained by what files would
// be sent by.
var ErrPretended = errors.New("a capture has its own channel, direction, source, destination and time: --channel and the like are for files")

// ExplainPolicy gives emit every object of the paths with the policy's decision
// and how each rule stood. A path that cannot be read does not keep the others
// from being explained; the error is given at the end.
func ExplainPolicy(ctx context.Context, cfg *config.Config, o ExplainOptions, log *slog.Logger, emit func(*Explained) error) error {
	p, err := LoadPolicy(cfg)
	if err != nil {
		return err
	}
	if p == nil {
		return errors.New("there is no policy to explain: classification is off")
	}
	var files, captures []string
	for _, path := range o.Paths {
		if isCapture(path) {
			captures = append(captures, path)
		} else {
			files = append(files, path)
		}
	}
	if len(captures) > 0 && o.Pretended {
		return fmt.Errorf("%s: %w", captures[0], ErrPretended)
	}
	if len(files) > 0 {
		err = explainFiles(ctx, cfg, p, o, files, emit)
	}
	if len(captures) > 0 && ctx.Err() == nil {
		err = errors.Join(err, explainCaptures(ctx, cfg, p, captures, log, emit))
	}
	return err
}

// isCapture tells captures by content. A damaged one is a capture too.
func isCapture(path string) bool {
	if path == "-" {
		return false
	}
	f, err := capture.OpenFile(path)
	if err == nil {
		f.Close()
		return true
	}
	var fe *capture.FormatError
	return errors.As(err, &fe) && fe.Offset > 0
}

// ErrUnreadable is given when a file could not be read; its own error was told
// with it.
var ErrUnreadable = errors.New("not all paths could be read")

func explainFiles(ctx context.Context, cfg *config.Config, p *policy.Policy, o ExplainOptions, paths []string, emit func(*Explained) error) error {
	cat, err := classifiers.New(classifiers.Config{CacheDir: CacheDir(cfg), Custom: p.Custom()})
	if err != nil {
		return err
	}
	defer cat.Close()
	pool := &extract.Pool{Size: runtime.NumCPU(), Args: o.ChildArgs}
	defer pool.Close()
	results, err := scan.ScanPaths(ctx, paths, scan.Options{Catalog: cat, MinConfidence: o.MinConfidence, Documents: pool})
	if err != nil {
		return err
	}
	var failed error
	for i := range results {
		r := &results[i]
		in := o.Pretend
		in.Name, in.Type, in.Size, in.Counts, in.Unscannable, in.Final = r.Path, r.Result.Type, r.Result.Size, r.Result.Counts, r.Reason(), true
		dec, steps := p.Explain(in)
		e := explained(r.Path, in, dec, steps)
		if r.Err != nil {
			e.Error, failed = r.Err.Error(), ErrUnreadable
		}
		if err := emit(e); err != nil {
			return err
		}
	}
	return failed
}

func explainCaptures(ctx context.Context, cfg *config.Config, p *policy.Policy, paths []string, log *slog.Logger, emit func(*Explained) error) error {
	quiet := *cfg
	quiet.Outputs.EVE.Enabled, quiet.Outputs.NATS.URL = false, NATSOff
	m, err := newMasker(cfg)
	if err != nil {
		return err
	}
	defer m.close()
	var stopped error
	var path string
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err = Replay(ctx, &quiet, ReplayOptions{Files: paths, Workers: 1, Inline: true, Begin: func(f string) { path = f },
		Judged: func(j worker.Judged) {
			if stopped != nil {
				return
			}
			_, steps := p.Explain(j.Input)
			e := explained(path, j.Input, j.Decision, steps)
			e.Object.Name, e.Context.Domain, e.Context.Sender = m.text(e.Object.Name), m.text(e.Context.Domain), m.text(e.Context.Sender)
			for i := range e.Context.Recipients {
				e.Context.Recipients[i] = m.text(e.Context.Recipients[i])
			}
			e.Context.FlowID, e.Context.Packet = j.FlowID, j.Packet
			e.Context.Source = netip.AddrPortFrom(j.Input.Src, j.Input.SrcPort).String()
			if stopped = emit(e); stopped != nil {
				cancel()
			}
		}}, log)
	if stopped != nil {
		return stopped
	}
	return err
}

func explained(path string, in policy.Input, d policy.Decision, steps []policy.Step) *Explained {
	e := &Explained{Path: path, Rules: steps,
		Object: ExplainedObject{Name: in.Name, Type: in.Type, Size: in.Size, Complete: in.Final, Released: in.Released, Gaps: in.Gaps, Unscannable: in.Unscannable,
			Findings: []ExplainedFinding{}},
		Context: ExplainedContext{Direction: in.Direction.String(), Channel: in.Channel, Port: in.DstPort, Domain: in.Domain, Sender: in.Sender,
			Recipients: slices.Clone(in.Recipients), User: in.User, Time: time.Unix(0, in.Time).UTC().Format(time.RFC3339Nano)},
		Decision: ExplainedDecision{Action: policy.ActionName(d.Action), Rule: d.Rule, Level: d.Level, Reason: d.Reason, Exception: d.Exception, Owner: d.Owner, KeepEvidence: d.KeepEvidence},
	}
	if in.Src.IsValid() {
		e.Context.Source = in.Src.String()
	}
	if in.Dst.IsValid() {
		e.Context.Destination = in.Dst.String()
	}
	for i := range in.Counts {
		c := &in.Counts[i]
		at := min(c.Confidence, classifiers.Medium)
		e.Object.Findings = append(e.Object.Findings, ExplainedFinding{Detector: c.Detector, Level: c.Level, Confidence: c.Confidence, Count: c.Total[at], Unique: c.Unique[at], Masked: slices.Clone(c.Masked)})
	}
	return e
}

// Pretend sets what a file is thought to be sent by from flags; empty ones stand
// for an upload to somewhere outside, now.
func Pretend(p *policy.Policy, channel, direction, source, destination, user, when string, port uint16, now time.Time) (in policy.Input, err error) {
	in = policy.Input{Channel: "http-request", Direction: policy.Egress, DstPort: port, User: user, Time: now.UnixNano()}
	if channel != "" {
		if in.Channel = channel; !policy.KnownChannel(channel) {
			return in, fmt.Errorf("--channel: no channel is named %q (such as http-request, smtp, ftp-data, smb, tls)", channel)
		}
	}
	if source != "" {
		switch a, err := netip.ParseAddr(source); {
		case err == nil:
			in.Src = a
		case strings.Contains(source, "@"):
			in.Sender = source
		default:
			return in, fmt.Errorf("--source %s: give an address or a mail address", strconv.Quote(source))
		}
	}
	if destination != "" {
		switch a, err := netip.ParseAddr(destination); {
		case err == nil:
			in.Dst = a
		case strings.Contains(destination, "@"):
			in.Recipients = strings.Split(destination, ",")
		default:
			in.Domain = destination
		}
	}
	switch {
	case direction != "":
		if in.Direction, err = policy.ParseDirection(direction); err != nil {
			return in, fmt.Errorf("--direction: %w", err)
		}
	case in.Src.IsValid() && in.Dst.IsValid():
		in.Direction = p.Direction(in.Src, in.Dst)
	}
	if when != "" {
		t, err := time.Parse(time.RFC3339, when)
		if err != nil {
			return in, fmt.Errorf("--time %q: write it as 2026-11-23T22:30:00Z", when)
		}
		in.Time = t.UnixNano()
	}
	return in, nil
}
