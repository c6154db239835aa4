package rule

import (
	"strings"
	"testing"
)

func TestConfigKeyword(t *testing.T) {
	f := func(header, options string, want Quiet, problem string) {
		t.Helper()
		r, err := NewParser(testEnv()).Parse("t.rules", 1, header+" any any -> any any ("+options+" sid:1;)")
		switch {
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("%s: %v, want %s", options, err, problem)
		case problem == "" && err != nil:
			t.Errorf("%s: %v", options, err)
		case problem == "" && r.Untracked != strings.Contains(options, "tracking"):
			t.Errorf("%s: untracked %v", options, r.Untracked)
		case problem == "" && (r.Quiet != want || r.Action != Config && r.Action != Alert):
			t.Errorf("%s: %d of action %s, want %d", options, r.Quiet, r.Action, want)
		}
	}
	const host = `http.host; content:"a"; `
	f("config http", host+`config:logging disable, type tx, scope tx;`, QuietTx, "")
	f("alert http", host+`config: logging  disable,type tx,scope  flow;`, QuietTxs, "")
	f("config tcp", `config:logging disable, type tx, scope flow; config:logging disable, type flow, scope flow;`, QuietTxs|QuietFlow, "")
	f("config http", `app-layer-event:http.x; config:logging disable, type tx, scope tx;`, QuietTx, "")
	f("config tcp", `content:"abcd";`, 0, "")

	f("config tcp", `content:"abcd"; config:logging disable, type tx, scope tx;`, 0, "t.rules:1:48: sid 1: config: scope tx needs a test of the transaction")
	f("config http", `config:logging disable, type tx, scope tx;`, 0, "scope tx needs a test of the transaction")
	f("config http", host+`config:logging disable, type flow, scope tx;`, 0, "a flow's record belongs to no transaction")
	f("config http", host+`config:logging enable, type tx, scope tx;`, 0, `"logging enable" cannot be configured`)
	f("config http", host+`config:logging disable, type tx;`, 0, "has 2 parts; write config:logging disable")
	f("config http", host+`config:logging disable, scope tx, type tx;`, 0, `"scope tx" is not type and its value`)
	f("config http", host+`config:logging disable, type packet, scope tx;`, 0, `unknown type "packet"`)
	f("config http", host+`config:logging disable, type, scope tx;`, 0, `"type" is not type`)

	const tracking = `config:tracking disable, type flow, scope packet;`
	f("config tcp:pre_flow", tracking, 0, "")
	f("config udp:pre_flow", `ttl:>9; `+tracking, 0, "")
	f("config tcp", tracking, 0, "t.rules:1:32: sid 1: config: tracking is decided before a flow is looked up: write tcp:pre_flow")
	f("config http", tracking, 0, "write http:pre_flow as the protocol")
	f("alert tcp:pre_flow", tracking, 0, "needs the action config")
	f("config tcp:pre_flow", `content:"abcd"; `+tracking, 0, "addresses, ports and header fields only")
	f("config tcp:pre_flow", `flow:established; `+tracking, 0, "addresses, ports and header fields only")
	f("config tcp:pre_flow", `flow.age:>9; `+tracking, 0, "nothing of it can be tested")
	f("config tcp:pre_flow", `bypass; `+tracking, 0, "other effects")
	f("config tcp:pre_flow", `config:tracking disable, type tx, scope packet;`, 0, "tracking has the type flow and the scope packet")
	f("drop tcp:pre_flow", `ttl:3;`, 0, "hook pre_flow: known, not evaluated yet")
	f("alert tcp:flow_start", `ttl:3;`, 0, "hook flow_start: known, not evaluated yet")
}
