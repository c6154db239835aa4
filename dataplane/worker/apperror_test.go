package worker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/classifiers/document"
	"sluice/dataplane/worker"
)

// TestParserErrors: what is done of a flow whose parser gives up is what the policy
// for errors of parsers says, of the segment that shows it and of all that follow.
func TestParserErrors(t *testing.T) {
	f := func(p worker.Exception, how string, faulty, later bool, resets int, verdict string) {
		t.Helper()
		name := how + " " + verdict
		r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) {
			c.Exceptions.AppError = p
			switch how {
			case "monitor":
				c.Monitor = true
			case "ids":
				c.Inline, c.Stream.Inline = false, false
			}
		})
		r.port = 22
		r.open()
		for _, s := range []struct {
			from int
			text string
			pass bool
		}{
			{0, "SSH-2.0-client\r\n", true}, {1, "SSH-2.0-server\r\n", true},
			{0, "this is no packet of SSH", faulty}, {1, "nor is this", later}, {0, "and so on", later},
		} {
			if got := r.data(s.from, s.text); got != s.pass {
				t.Errorf("%s: %q passes: %v", name, s.text, got)
			}
		}
		n := 0
		for port := range 2 {
			for _, s := range r.sent(port) {
				if strings.HasPrefix(s, "RST") {
					n++
				}
			}
		}
		if min(n, 1) != resets {
			t.Errorf("%s: %d resets", name, n)
		}
		r.w.Flush()
		r.take()
		told := false
		for _, e := range r.events {
			if e.Type == "flow" && len(e.Flow.ExceptionPolicy) == 1 {
				told = e.Flow.ExceptionPolicy[0]["target"] == "app_layer_error" && e.Flow.ExceptionPolicy[0]["policy"] == verdict
			}
		}
		if !told {
			t.Errorf("%s: the flow's record does not tell of the policy", name)
		}
		var names []string
		c := r.w.Counters()
		c.Each(func(name string, v uint64) {
			if v > 0 && (strings.HasPrefix(name, "exception_policy.app_layer.error.") || name == "app_layer.error.ssh.parser" || name == "ips.drop_reason.applayer_error") {
				names = append(names, name)
			}
		})
		want := []string{"exception_policy.app_layer.error." + verdict, "app_layer.error.ssh.parser"}
		if !faulty {
			want = slices.Insert(want, 0, "ips.drop_reason.applayer_error")
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: counters %q, want %q", name, names, want)
		}
	}
	f(worker.Ignore, "inline", true, true, 0, "ignore")
	f(worker.PassPacket, "inline", true, true, 0, "pass_packet")
	f(worker.PassFlow, "inline", true, true, 0, "pass_flow")
	f(worker.Bypass, "inline", true, true, 0, "bypass")
	f(worker.DropPacket, "inline", false, true, 0, "drop_packet")
	f(worker.DropFlow, "inline", false, false, 0, "drop_flow")
	f(worker.Reject, "inline", false, false, 1, "reject")
	f(worker.RejectBoth, "inline", false, false, 1, "reject_both")
	f(worker.DropFlow, "monitor", true, true, 0, "drop_flow")
	f(worker.DropFlow, "ids", true, true, 0, "drop_flow")
}

// TestParserErrorsAfterGap: a parser that cannot read on because the worker itself
// missed parts of the connection ends nothing.
func TestParserErrorsAfterGap(t *testing.T) {
	r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) { c.Exceptions.AppError = worker.DropFlow })
	r.port = 22
	r.open()
	r.data(0, "SSH-2.0-client\r\n")
	r.w.Missed(time.Now().UnixNano())
	for _, s := range []string{"this is no packet of SSH", "and so on"} {
		if !r.data(0, s) {
			t.Errorf("%q is withheld", s)
		}
	}
	if c := r.w.Counters(); c.Rejected+c.Blocked > 0 {
		t.Errorf("%d packets are counted as blocked", c.Rejected+c.Blocked)
	}
}
