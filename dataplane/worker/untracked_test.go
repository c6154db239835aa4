package worker_test

import "testing"

// TestUntracked keeps packets of a port out of any flow, whichever way they go: rules
// see each by itself, and all go on.
func TestUntracked(t *testing.T) {
	const rules = `config tcp:pre_flow any any <> any 9999 (config:tracking disable, type flow, scope packet; sid:1;)
alert tcp any any -> any 9999 (content:"in one packet"; sid:2;)
alert tcp any any -> any 9999 (content:"over two packets"; sid:3;)
`
	r := withRules(t, rules, nil)
	r.open()
	r.data(0, "this is in one packet, and this over")
	r.data(0, " two packets")
	r.data(1, "answer")
	if c := r.w.Counters(); c.Untracked != 6 || c.Flows != 0 || c.Accepted != 6 || c.Alerts != 1 {
		t.Errorf("%d untracked, %d flows, %d accepted, %d alerts", c.Untracked, c.Flows, c.Accepted, c.Alerts)
	}
	for _, e := range r.events {
		if e.Alert != nil && (e.Alert.SignatureID != 2 || e.FlowID != 0) {
			t.Errorf("an alert of %d in flow %d", e.Alert.SignatureID, e.FlowID)
		}
	}
	// Another port is followed.
	r.port = 9998
	r.open()
	r.data(0, "words")
	if c := r.w.Counters(); c.Untracked != 6 || c.Flows != 1 {
		t.Errorf("%d untracked, %d flows", c.Untracked, c.Flows)
	}
}
