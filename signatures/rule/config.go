package rule

import (
	"slices"
	"strings"
)

// Quiet is what a rule that matches keeps from being logged (the keyword config):
// records of transactions and flows. Alerts, findings, drops, files and anomalies
// are told of all the same.
type Quiet uint8

// What is kept from being logged.
const (
	// QuietTx is the record of the transaction that matched.
	QuietTx Quiet = 1 << iota
	// QuietTxs are the records of all the flow's transactions that are not logged
	// yet.
	QuietTxs
	// QuietFlow is the record of the flow.
	QuietFlow
)

const configUsage = "write config:logging disable, type tx, scope tx; (or type tx, scope flow, or type flow, scope flow), or config:tracking disable, type flow, scope packet;"

// config parses `logging disable, type tx|flow, scope tx|flow` and `tracking
// disable, type flow, scope packet`.
func (c *context) config(_, val string) error {
	parts := fieldsOf(val)
	if len(parts) != 3 {
		return faultf("has %d parts; %s", len(parts), configUsage)
	}
	word := func(part, name string) (string, error) {
		f := strings.Fields(part)
		if len(f) != 2 || f[0] != name {
			return "", faultf("%q is not %s and its value; %s", clip(part), name, configUsage)
		}
		return f[1], nil
	}
	of := strings.Fields(parts[0])
	if len(of) != 2 || of[1] != "disable" || of[0] != "logging" && of[0] != "tracking" {
		return faultf("%q cannot be configured by a rule; %s", clip(parts[0]), configUsage)
	}
	typ, err := word(parts[1], "type")
	if err != nil {
		return err
	}
	scope, err := word(parts[2], "scope")
	if err != nil {
		return err
	}
	if of[0] == "tracking" {
		if typ != "flow" || scope != "packet" {
			return faultf("tracking has the type flow and the scope packet; %s", configUsage)
		}
		c.r.Untracked, c.quietCol = true, c.col
		return nil
	}
	switch typ + " " + scope {
	case "tx tx":
		c.r.Quiet |= QuietTx
		c.quietCol = c.col
	case "tx flow":
		c.r.Quiet |= QuietTxs
	case "flow flow":
		c.r.Quiet |= QuietFlow
	case "flow tx":
		return faultf("a flow's record belongs to no transaction: write type flow, scope flow, or type tx, scope tx")
	default:
		return faultf("unknown type %q or scope %q; %s", clip(typ), clip(scope), configUsage)
	}
	return nil
}

// finishConfig has a rule that is to keep a transaction quiet look at
// transactions: a packet or the stream does not tell which one is meant.
func (c *context) finishConfig() error {
	r := c.r
	if r.Untracked || r.Proto.PreFlow {
		return c.finishTracking()
	}
	if r.Quiet&QuietTx == 0 || len(r.Fields) > 0 || len(r.AppEvents) > 0 || len(r.Files) > 0 || r.Proto.Hook != "" ||
		slices.ContainsFunc(r.Lists, func(l List) bool { return l.Name != "" && l.Local == NotLocal }) {
		return nil
	}
	return &fault{col: c.quietCol, keyword: "config", msg: "scope tx needs a test of the transaction (a buffer such as http.host, or app-layer-event); for all transactions of a flow, write scope flow"}
}

// finishTracking holds rules that keep packets out of flows to what is known of a
// packet by itself.
func (c *context) finishTracking() error {
	r := c.r
	if !r.Untracked {
		c.lack("hook pre_flow")
		return nil
	}
	at := func(msg string) error { return &fault{col: c.quietCol, keyword: "config", msg: msg} }
	switch {
	case !r.Proto.PreFlow:
		return at("tracking is decided before a flow is looked up: write " + r.Proto.Name + ":pre_flow as the protocol")
	case r.Action != Config:
		return at("tracking needs the action config: nothing is told of")
	case r.Quiet != 0 || r.Bypass || r.Replaces || r.Filestore != nil || r.StoreCerts || len(r.Tags) > 0:
		return at("tracking cannot be combined with other effects of a match")
	case len(r.Lists) > 0 || len(r.Fields) > 0 || len(r.AppEvents) > 0 || len(r.Files) > 0 || len(r.Bits) > 0 || len(r.FlowInts) > 0 ||
		r.Flow.Set || r.Transactional || r.Threshold != nil || r.DetectionFilter != nil:
		return at("before a flow is looked up a rule can test addresses, ports and header fields only")
	}
	for i := range r.Tests {
		switch r.Tests[i].Kind {
		case TestStreamSize, TestFlowAge, TestFlowPkts, TestFlowBytes, TestAppProto, TestAppEvent, TestStreamEvent:
			return at("before a flow is looked up nothing of it can be tested")
		}
	}
	return nil
}
