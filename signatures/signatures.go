// Package signatures is the rule engine's face to the program: it loads rule
// files, tells what is wrong with them, compiles what is sound and gives
// matchers. It takes paths and a configuration and gives matches; it knows
// packets, flows and transactions, and neither policy nor enforcement.
//
// Protocol packages stay unknown to it: buffers come through the Registry, and
// numbers of protocols (dns.opcode) through Config.Fields, both filled in by
// whoever wires the program together.
package signatures

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/signatures/engine"
	"sluice/signatures/rule"
	"sluice/signatures/rules"
)

// The types that callers meet, under one roof.
type (
	// Engine is a compiled rule set, immutable and shared by workers.
	Engine = engine.Engine
	// Matcher is one worker's side of an Engine.
	Matcher = engine.Matcher
	// Match is a rule that holds.
	Match = engine.Match
	// Kind says what a rule matched on.
	Kind = engine.Kind
	// Rewrite is what a rule puts in place of a packet's bytes.
	Rewrite = engine.Rewrite
	// Context is what a dataset knows of a value.
	Context = engine.Context
	// Window is what is at hand of a stream or an object.
	Window = engine.Window
	// FramePiece is what is at hand of a frame, FrameState what rules keep of one
	// that comes in pieces, FrameMatch the frame of a match.
	FramePiece = engine.FramePiece
	FrameState = engine.FrameState
	FrameMatch = engine.FrameMatch
	// State is what rules keep across flows, workers and reloads.
	State = engine.State
	// SharedGroup names a streaming database shared with the classifiers.
	SharedGroup = engine.SharedGroup
	// FieldFunc gives a number that a protocol keeps in a transaction.
	FieldFunc = engine.FieldFunc
	// Geo tells where addresses are registered.
	Geo = engine.Geo
	// FileFacts is what an object's sink may offer about its content.
	FileFacts = engine.FileFacts
	// Rule is a parsed rule.
	Rule = rule.Rule
	// RuleError tells what is wrong with a rule and where.
	RuleError = rule.Error
	// Action is what a rule asks for, ActionOrder which of them come first.
	Action      = rule.Action
	ActionOrder = rule.ActionOrder
	// SetBounds bound datasets.
	SetBounds = engine.SetBounds
	// RuleStat is what a rule cost on one Matcher.
	RuleStat = engine.RuleStat
	// Trace follows one rule; Attempt is one try of it, made of Conditions that
	// have a Result each; Outcome says what became of it.
	Trace     = engine.Trace
	Attempt   = engine.Attempt
	Condition = engine.Condition
	Result    = engine.Result
	Outcome   = engine.Outcome
)

// The shared groups, kinds, results and actions.
const (
	GroupObject = engine.GroupObject
	GroupStream = engine.GroupStream

	KindPacket = engine.KindPacket
	KindStream = engine.KindStream
	KindFrame  = engine.KindFrame
	KindTx     = engine.KindTx
	KindObject = engine.KindObject

	Held    = engine.Held
	Failed  = engine.Failed
	Skipped = engine.Skipped

	Pass       = rule.Pass
	Drop       = rule.Drop
	Reject     = rule.Reject
	RejectSrc  = rule.RejectSrc
	RejectDst  = rule.RejectDst
	RejectBoth = rule.RejectBoth
	Alert      = rule.Alert
)

// NewState gives an empty State.
func NewState() *State { return engine.NewState() }

// Config is what rules are loaded with. The zero value works: then HOME_NET is
// the private ranges, and rules that need a protocol's parser are refused.
type Config struct {
	// Vars are address and port groups without the dollar sign. Those missing
	// here have the defaults of DefaultVars unless OnlyVars is set.
	Vars     map[string]string
	OnlyVars bool
	// Registry resolves protocols and buffers.
	Registry *protocol.Registry
	// CacheDir keeps compiled databases; empty for none.
	CacheDir string
	// Classification and References are classification.config and
	// reference.config; empty to take those beside the rules, if any, on top
	// of the built-in ones.
	Classification, References string
	// Thresholds is a threshold.config; empty for none.
	Thresholds string
	// ReputationCategories and Reputations are the files of the iprep keyword;
	// empty for none.
	ReputationCategories string
	Reputations          []string
	// Geo answers the geoip keyword; nil without a database.
	Geo Geo
	// State carries bits and thresholds over reloads; nil for a new one.
	State *State
	// Fields are the numbers of protocols by keyword.
	Fields map[string]FieldFunc
	// Magic reports why files cannot be described by their content, nil where they
	// can: objects' sinks implement FileFacts then. It is asked when a rule needs it.
	Magic func() error
	// Select switches rules on and off by id; nil leaves them as their files say.
	Select *Selection
	// ActionOrder is the order in which rules of different actions are
	// evaluated; the zero value is pass, drop, reject, alert.
	ActionOrder ActionOrder
	// MaxSteps bounds the tests made to confirm one rule on one buffer; 0 means
	// engine.MaxSteps.
	MaxSteps int
	// MaxAlerts bounds the alerts of a packet; 0 means 15.
	MaxAlerts int
	// PCREMatchLimit and PCREDepthLimit bound backtracking; 0 for the defaults.
	PCREMatchLimit, PCREDepthLimit uint32
	// Workers bounds the parallel build; 0 means the number of CPUs.
	Workers int
}

// Report tells what loading found.
type Report struct {
	Files    int         `json:"files"`
	Total    int         `json:"total"`
	Loaded   int         `json:"loaded"`
	Rejected int         `json:"rejected"`
	Disabled int         `json:"disabled"`
	Errors   []RuleError `json:"-"`
	// Warnings are about lists of ids that name no rule.
	Warnings []RuleError `json:"-"`
	// Skipped counts rules that `requires` keeps off this program; they are in
	// Disabled.
	Skipped int `json:"-"`
}

// Ruleset is what Load gives: sound rules, not compiled yet.
type Ruleset struct {
	// Rules are the ones that load, enabled or not, in the order of the files.
	Rules []*Rule
	// Classes are the classtypes that are known.
	Classes map[string]rule.Class
	cfg     Config
	rep     *engine.Reputation
	// bad are lines of the files beside the rules that were not understood.
	bad []RuleError
}

// maxFile bounds a rule file.
const maxFile = 256 << 20

// Load reads rules from files, folders (all *.rules below) and globs; without
// any path the bundled ones. It gives what is sound and, in the Report, what is
// not; a path that cannot be read is an error of its own there. Rules that are
// commented out are checked too.
func Load(paths []string, cfg Config) (*Ruleset, *Report) {
	if cfg.State == nil {
		cfg.State = NewState()
	}
	rep := &Report{}
	rs := &Ruleset{cfg: cfg}
	type source struct{ name, data string }
	var srcs []source
	fail := func(path, format string, args ...any) {
		rep.Errors = append(rep.Errors, RuleError{File: path, Message: fmt.Sprintf(format, args...)})
	}
	var dirs []string
	if len(paths) == 0 {
		for _, f := range rules.Files() {
			srcs = append(srcs, source{f.Name, f.Data})
		}
	}
	for _, p := range paths {
		files, err := expand(p)
		if err != nil {
			fail(p, "%v", err)
			continue
		}
		for _, f := range files {
			st, err := os.Stat(f)
			if err == nil && st.Size() > maxFile {
				err = fmt.Errorf("larger than %d bytes", maxFile)
			}
			var data []byte
			if err == nil {
				data, err = os.ReadFile(f)
			}
			if err != nil {
				fail(f, "read rules: %v", err)
				continue
			}
			srcs = append(srcs, source{f, string(data)})
			if d := filepath.Dir(f); !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	rep.Files = len(srcs)
	if cfg.ReputationCategories != "" {
		var err error
		if rs.rep, err = engine.LoadReputation(cfg.ReputationCategories, cfg.Reputations); err != nil {
			fail(cfg.ReputationCategories, "%v", err)
		}
	}
	env := rs.env(dirs, fail)
	rs.Classes = env.Classes
	rep.Errors = append(rep.Errors, rs.bad...)
	p := rule.NewParser(env)
	var adjust *rule.Adjustments
	if cfg.Thresholds != "" {
		data, err := os.ReadFile(cfg.Thresholds)
		if err != nil {
			fail(cfg.Thresholds, "read thresholds: %v", err)
		}
		var errs []RuleError
		adjust, errs = p.ThresholdFile(cfg.Thresholds, string(data))
		rep.Errors = append(rep.Errors, errs...)
	}
	// The newest revision of a sid wins; the same one twice is an error.
	seen := map[RuleID]int{}
	known := cfg.Select.known()
	for _, s := range srcs {
		for _, l := range rule.Lines(s.data) {
			rep.Total++
			r, e := p.Parse(s.name, l.Number, l.Text)
			if e != nil && cfg.Select.disables(e.SID) {
				// A rule that is not wanted needs no mending.
				rep.Disabled++
				if known != nil {
					cfg.Select.note(known, e.SID)
				}
				continue
			}
			enabled := l.Enabled
			if e == nil {
				k := RuleID{r.GID, r.SID}
				enabled = cfg.Select.enabled(k, l.Enabled)
				if known != nil {
					known[k] = true
				}
				r.Enabled = enabled
				adjust.Apply(r)
				if enabled || !l.Enabled {
					// What is switched off loads no datasets.
					if err := engine.Check(r, cfg.State); err != nil {
						e = asError(r, err)
					}
				}
			} else if known != nil {
				cfg.Select.note(known, e.SID)
			}
			if e == nil && enabled && r.Skipped == "" {
				k := RuleID{r.GID, r.SID}
				if i, dup := seen[k]; dup {
					old := rs.Rules[i]
					if r.Rev <= old.Rev {
						e = &RuleError{File: s.name, Line: l.Number, Column: r.ColumnOf("sid"), SID: r.SID, Keyword: "sid",
							Message: fmt.Sprintf("is taken by %s:%d (rev %d)", old.File, old.Line, old.Rev), Remedy: "give it a sid of its own, or a higher rev to replace the other"}
					} else {
						rep.Errors = append(rep.Errors, RuleError{File: old.File, Line: old.Line, Column: old.ColumnOf("sid"), SID: old.SID, Keyword: "sid", Remedy: "remove the older revision",
							Message: fmt.Sprintf("is replaced by %s:%d (rev %d)", s.name, l.Number, r.Rev)})
						rep.Rejected++
						rep.Loaded--
						rs.Rules[i] = r
						rep.Loaded++
						continue
					}
				} else {
					seen[k] = len(rs.Rules)
				}
			}
			switch {
			case e != nil:
				rep.Rejected++
				rep.Errors = append(rep.Errors, *e)
				continue
			case r.Skipped != "":
				rep.Disabled++
				rep.Skipped++
			case enabled:
				rep.Loaded++
			default:
				rep.Disabled++
			}
			rs.Rules = append(rs.Rules, r)
		}
	}
	rep.Warnings = cfg.Select.unknown(known)
	return rs, rep
}

func asError(r *Rule, err error) *RuleError {
	e := &RuleError{File: r.File, Line: r.Line, SID: r.SID, Message: err.Error()}
	var se *engine.SetError
	if errors.As(err, &se) {
		e.Keyword, e.Message, e.Column = se.Keyword, se.Err.Error(), r.ColumnOf(se.Keyword)
	}
	return e
}

// expand gives the rule files that a path means.
func expand(p string) ([]string, error) {
	st, err := os.Stat(p)
	if err == nil && !st.IsDir() {
		return []string{p}, nil
	}
	if err != nil {
		files, gerr := filepath.Glob(p)
		if gerr != nil || len(files) == 0 {
			return nil, fmt.Errorf("no rules there: %w", err)
		}
		sort.Strings(files)
		var out []string
		for _, f := range files {
			if st, err := os.Stat(f); err == nil && st.IsDir() {
				sub, err := expand(f)
				if err != nil {
					return nil, err
				}
				out = append(out, sub...)
				continue
			}
			out = append(out, f)
		}
		return out, nil
	}
	var out []string
	err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".rules") {
			out = append(out, path)
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = errors.New("no *.rules below this folder")
	}
	return out, err
}

// DefaultVars gives the groups that rules of the field expect.
func DefaultVars() map[string]string {
	return map[string]string{
		"HOME_NET": "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", "EXTERNAL_NET": "!$HOME_NET",
		"HTTP_SERVERS": "$HOME_NET", "SMTP_SERVERS": "$HOME_NET", "SQL_SERVERS": "$HOME_NET", "DNS_SERVERS": "$HOME_NET",
		"TELNET_SERVERS": "$HOME_NET", "AIM_SERVERS": "$EXTERNAL_NET", "DC_SERVERS": "$HOME_NET", "DNP3_SERVER": "$HOME_NET",
		"DNP3_CLIENT": "$HOME_NET", "MODBUS_CLIENT": "$HOME_NET", "MODBUS_SERVER": "$HOME_NET", "ENIP_CLIENT": "$HOME_NET", "ENIP_SERVER": "$HOME_NET",
		"HTTP_PORTS": "80", "SHELLCODE_PORTS": "!80", "ORACLE_PORTS": "1521", "SSH_PORTS": "22", "DNP3_PORTS": "20000", "MODBUS_PORTS": "502",
		"FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]", "FTP_PORTS": "21", "GENEVE_PORTS": "6081", "VXLAN_PORTS": "4789", "TEREDO_PORTS": "3544", "SIP_PORTS": "[5060, 5061]",
	}
}

// env wires the parser to the configuration.
func (rs *Ruleset) env(dirs []string, fail func(path, format string, args ...any)) rule.Env {
	cfg := &rs.cfg
	env := rule.Env{Vars: map[string]string{}, Event: decode.EventByName, Magic: cfg.Magic,
		Classes: map[string]rule.Class{}, References: map[string]string{}}
	if !cfg.OnlyVars {
		env.Vars = DefaultVars()
	}
	for k, v := range cfg.Vars {
		env.Vars[strings.TrimPrefix(k, "$")] = v
	}
	if cfg.Registry != nil {
		env.Buffer, env.Definition, env.Proto = cfg.Registry.Buffer, cfg.Registry.Definition, cfg.Registry.ByName
	}
	env.Category = rs.rep.Category
	env.Countries = rs.cfg.Geo != nil
	env.Field = func(k string) bool { return cfg.Fields[k] != nil }
	classes, refs := rules.Classification, rules.References
	parseClasses("", classes, env.Classes)
	parseReferences("", refs, env.References)
	read := func(explicit, name string, take func(file, data string) []RuleError) {
		files := []string{explicit}
		if explicit == "" {
			files = files[:0]
			for _, d := range dirs {
				files = append(files, filepath.Join(d, name))
			}
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err == nil {
				rs.bad = append(rs.bad, take(f, string(data))...)
			} else if explicit != "" {
				fail(f, "read %s: %v", name, err)
			}
		}
	}
	read(cfg.Classification, "classification.config", func(f, s string) []RuleError { return parseClasses(f, s, env.Classes) })
	read(cfg.References, "reference.config", func(f, s string) []RuleError { return parseReferences(f, s, env.References) })
	return env
}

// Compile makes an Engine of the rules that are enabled. It may take seconds
// when the cache is cold.
func (rs *Ruleset) Compile() (*Engine, error) {
	return engine.Compile(rs.Rules, engine.Options{Registry: rs.cfg.Registry, CacheDir: rs.cfg.CacheDir, State: rs.cfg.State, Fields: rs.cfg.Fields, Reputation: rs.rep, Geo: rs.cfg.Geo,
		PCREMatchLimit: rs.cfg.PCREMatchLimit, PCREDepthLimit: rs.cfg.PCREDepthLimit, MaxAlerts: rs.cfg.MaxAlerts, Workers: rs.cfg.Workers,
		ActionOrder: rs.cfg.ActionOrder, MaxSteps: rs.cfg.MaxSteps})
}

// State gives the state that the rules keep, for the next Load.
func (rs *Ruleset) State() *State { return rs.cfg.State }
