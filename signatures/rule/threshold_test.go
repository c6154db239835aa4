package rule

import (
	"strings"
	"testing"
)

func TestThresholdFileErrors(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		a, errs := NewParser(testEnv()).ThresholdFile("threshold.config", "\n"+line+"\n")
		if want == "" {
			if len(errs) != 0 || len(a.list) != 1 {
				t.Errorf("%s: %d adjustments, %v", line, len(a.list), errs)
			}
			return
		}
		if len(errs) != 1 || len(a.list) != 0 {
			t.Fatalf("%s: %d adjustments, %v", line, len(a.list), errs)
		}
		if got := errs[0].Error(); !strings.HasPrefix(got, "threshold.config:2: ") || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	const head = "rate_filter gen_id 1, sig_id 7, track by_src, "
	f(head+"count 3, seconds 60, new_action drop, timeout 10", "")
	f(head+"count 3, \\\n  seconds 60, new_action reject, timeout 0", "")
	f("rate_filter gen_id 0, sig_id 0, track by_flow, count 3, seconds 60, new_action pass, timeout 10", "")
	f(head+"count 3, seconds 60, new_action drop", "sid 7: rate_filter: lacks timeout: write rate_filter gen_id G")
	f(head+"seconds 60, new_action drop, timeout 10", "lacks count")
	f(head+"count 0, seconds 60, new_action drop, timeout 10", "count: 0 would change")
	f(head+"count 3, seconds 0, new_action drop, timeout 10", "seconds: 0 would change")
	f(head+"count 3, seconds -1, new_action drop, timeout 10", "seconds: ")
	f(head+"count 3, seconds 60, new_action drop, timeout 4294967296", "timeout: ")
	f(head+"count 3, seconds 60, new_action config, timeout 10", `unknown action "config": use drop, alert, pass or reject`)
	f(head+"count 3, seconds 60, new_action deny, timeout 10", `unknown action "deny"`)
	f(head+"count 3, seconds 60, new_action drop, timeout 10, tracks by_dst", `has no part "tracks"; did you mean "track"?`)
	f("rate_filter gen_id 1, sig_id 7, track by_port, count 3, seconds 60, new_action drop, timeout 10", `unknown track "by_port"`)
	f("rate_filter gen_id 1, track by_src, count 3, seconds 60, new_action drop, timeout 10", "sig_id: ")
	f("suppress gen_id 1, sig_id 7, track by_src, ip 1.2.3.400", "suppress: ")
	f("ratefilter gen_id 1, sig_id 7, track by_src", "no line begins like this")
}

// A rule that has the line as an option is told where it belongs.
func TestRateFilterIsNoOption(t *testing.T) {
	_, err := NewParser(testEnv()).Parse("t.rules", 3, `alert udp any any -> any any (rate_filter:count 1; sid:1;)`)
	if err == nil || err.Unevaluated || !strings.Contains(err.Error(), "rate_filter: is a line of threshold.config") {
		t.Errorf("%v", err)
	}
}

func FuzzThresholdFile(f *testing.F) {
	for _, s := range []string{
		"rate_filter gen_id 1, sig_id 7, track by_src, count 3, seconds 60, \\\n new_action drop, timeout 10\n",
		"threshold gen_id 1, sig_id 0, type backoff, track by_both, count 1, multiplier 10\r\n# comment",
		"event_filter gen_id 1, sig_id 2, type both, track by_rule, count 1, seconds 0x10",
		"suppress gen_id 0, sig_id 0, track by_either, ip [1.2.3.4,!$HOME_NET,::1/64]", "\\", "suppress [", "rate_filter ],",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		a, errs := NewParser(testEnv()).ThresholdFile("t", data)
		if lines := strings.Count(data, "\n") + 1; len(a.list)+len(errs) > lines {
			t.Fatalf("%d adjustments and %d errors of %d lines", len(a.list), len(errs), lines)
		}
		r := &Rule{GID: 1, SID: 7}
		a.Apply(r)
		if r.Rate != nil && (r.Rate.Count == 0 || r.Rate.Seconds == 0 || r.Rate.NewAction >= Config) {
			t.Fatalf("%+v", r.Rate)
		}
	})
}
