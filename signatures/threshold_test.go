package signatures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/internal/hs"
)

// thresholdRig makes a rig of rules under a threshold.config; st may be nil.
func thresholdRig(t *testing.T, rules, lines string, st *State) *rig {
	t.Helper()
	dir := t.TempDir()
	rulesFile, conf := filepath.Join(dir, "t.rules"), filepath.Join(dir, "threshold.config")
	if err := os.WriteFile(rulesFile, []byte(rules+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte("# comment\n"+lines+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rs, rep := Load([]string{rulesFile}, Config{Thresholds: conf, State: st})
	for _, e := range rep.Errors {
		t.Fatal(e.Error())
	}
	e, err := rs.Compile()
	if err != nil {
		t.Fatal(err)
	}
	sc, err := hs.NewScanner(e.Databases()...)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, e: e, sc: sc, m: e.NewMatcher(sc), now: 1e18}
}

// answers sends a datagram of a flow the way it is told, > or <, and spells what its one
// rule does: - nothing, a an alert, d a drop, D a drop without alert, r a reject, p a pass.
func (r *rig) answers(f *flow.Flow, way byte) string {
	src, dst, sp, dp, dir := inside, outside, uint16(1), uint16(2), protocol.ToServer
	if way == '<' {
		src, dst, sp, dp, dir = outside, inside, 2, 1, protocol.ToClient
	}
	r.m.Packet(r.packet(decode.ProtoUDP, src, dst, sp, dp, []byte("hello")), f, dir)
	got := "-"
	for _, x := range r.m.Matches() {
		switch {
		case x.Rule.Action == Drop && x.Silent:
			got = "D"
		case x.Silent:
			got = "-"
		default:
			got = x.Rule.Action.String()[:1]
		}
	}
	r.take()
	return got
}

func TestThresholdFile(t *testing.T) {
	// In way, a digit lets so many times ten seconds pass.
	f := func(lines, way, want string) {
		t.Helper()
		r := thresholdRig(t, `alert udp any any -> any any (content:"hello"; sid:1;)`, strings.ReplaceAll(lines, ";", "\n"), nil)
		got, fl := "", r.flow(decode.ProtoUDP, 1, 2)
		for _, c := range []byte(way) {
			if c >= '0' && c <= '9' {
				r.now += int64(c-'0') * 10e9
				continue
			}
			got += r.answers(fl, c)
		}
		if got != want {
			t.Errorf("%s: %s gave %s, want %s", lines, way, got, want)
		}
	}
	f("suppress gen_id 1, sig_id 1", ">", "-")
	f("suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.0/8", "><", "-a")
	f("suppress gen_id 1, sig_id 1, track by_dst, ip 10.0.0.0/8", "><", "a-")
	f("suppress gen_id 0, sig_id 0, track by_either, ip [1.2.3.4,$EXTERNAL_NET]", ">", "-")
	f("suppress gen_id 1, sig_id 2", ">", "a")
	f("threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 60", ">>>", "a--")
	f("threshold gen_id 1, sig_id 1, type threshold, track by_flow, count 2, seconds 60", ">>>>", "-a-a")

	rate := func(track, action string) string {
		return "rate_filter gen_id 1, sig_id 1, track " + track + ", count 2, seconds 60, new_action " + action + ", timeout 100"
	}
	f(rate("by_rule", "drop"), ">>>>", "aadd")
	f(rate("by_rule", "drop"), "><>", "aad")
	f(rate("by_src", "drop"), "><>", "aaa")
	f(rate("by_src", "drop"), "><>>", "aaad")
	f(rate("by_dst", "drop"), "<<<>", "aada")
	f(rate("by_both", "drop"), "><>", "aad")
	f(rate("by_rule", "reject"), ">>>", "aar")
	f(rate("by_rule", "pass"), ">>>", "aap")
	f(rate("by_rule", "alert"), ">>>", "aaa")
	// The time is over before the third; the timeout is over after ten.
	f(rate("by_rule", "drop"), ">>6>>>", "aaaad")
	f(rate("by_rule", "drop"), ">>>9>", "aadd")
	f(rate("by_rule", "drop"), ">>>91>>>", "aadaad")
	f("rate_filter gen_id 1, sig_id 2, track by_rule, count 1, seconds 60, new_action drop, timeout 9", ">>>", "aaa")
	f("rate_filter gen_id 0, sig_id 0, track by_rule, count 1, seconds 60, new_action drop, timeout 9", ">>>", "add")
	// The line of one rule wins over that of all.
	f(rate("by_rule", "reject")+";rate_filter gen_id 0, sig_id 0, track by_rule, count 1, seconds 60, new_action drop, timeout 9", ">>>", "aar")
	// A threshold keeps the alert back, never the new action.
	f(rate("by_rule", "drop")+";threshold gen_id 1, sig_id 1, type limit, track by_rule, count 1, seconds 60", ">>>>", "a-DD")
	// What is suppressed does not count.
	f(rate("by_rule", "drop")+";suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.0/8", ">>><<<", "---aad")
}

// A flow's rate filter ends with the flow, and a packet without one is not counted.
func TestRateFilterByFlow(t *testing.T) {
	r := thresholdRig(t, `alert udp any any -> any any (content:"hello"; sid:1;)`,
		"rate_filter gen_id 1, sig_id 1, track by_flow, count 1, seconds 60, new_action drop, timeout 100", nil)
	send := func(want Action, loose bool) {
		t.Helper()
		f := r.flow(decode.ProtoUDP, 1, 2)
		if loose {
			f = nil
		}
		for i := range 3 {
			r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1, 2, []byte("hello")), f, protocol.ToServer)
			ms := r.m.Matches()
			if len(ms) != 1 || i > 0 && ms[0].Rule.Action != want || i == 0 && ms[0].Rule.Action != Alert {
				t.Errorf("packet %d: %+v, want %s", i+1, ms, want)
			}
			r.take()
		}
	}
	send(Drop, false)
	send(Drop, false)
	send(Alert, true)
}

// A reload leaves what is in force in force.
func TestRateFilterOutlivesReload(t *testing.T) {
	st := NewState()
	load := func() *rig {
		return thresholdRig(t, `alert udp any any -> any any (content:"hello"; sid:1;)`,
			"rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 60, new_action drop, timeout 100", st)
	}
	r := load()
	fl := r.flow(decode.ProtoUDP, 1, 2)
	if got := r.answers(fl, '>') + r.answers(fl, '>'); got != "ad" {
		t.Fatalf("before the reload: %s", got)
	}
	if got := load().answers(fl, '>'); got != "d" {
		t.Errorf("after the reload: %s", got)
	}
}

// A detection_filter that does not hold yet is no match, so it is not counted.
func TestRateFilterAfterDetectionFilter(t *testing.T) {
	r := thresholdRig(t, `alert udp any any -> any any (content:"hello"; detection_filter:track by_src, count 2, seconds 60; sid:1;)`,
		"rate_filter gen_id 1, sig_id 1, track by_rule, count 1, seconds 60, new_action drop, timeout 100", nil)
	got, fl := "", r.flow(decode.ProtoUDP, 1, 2)
	for range 5 {
		got += r.answers(fl, '>')
	}
	if got != "--add" {
		t.Errorf("got %s", got)
	}
}

// The packets of a rule that drops are dropped though its alert is suppressed,
// and do not count against the rate.
func TestRateFilterOfSuppressed(t *testing.T) {
	r := thresholdRig(t, `drop udp any any -> any any (content:"hello"; sid:1;)`, "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.0/8\n"+
		"rate_filter gen_id 1, sig_id 1, track by_rule, count 2, seconds 60, new_action reject, timeout 100", nil)
	got, fl := "", r.flow(decode.ProtoUDP, 1, 2)
	for _, way := range []byte(">>><<<") {
		got += r.answers(fl, way)
	}
	if got != "DDDddr" {
		t.Errorf("got %s", got)
	}
}
