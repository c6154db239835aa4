package signatures

import (
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

func TestConfigRules(t *testing.T) {
	f := func(rule, uri string, tx, txs, flow bool, want ...uint32) {
		t.Helper()
		r := newRig(t, rule+"\n"+`alert http any any -> any any (http.uri; content:"quiet"; sid:9;)`+"\n")
		fl := r.flow(decode.ProtoTCP, 40000, 80)
		p := r.speak(fl, 'H')
		one := r.tx(p, "http.uri="+uri)
		r.progress(fl, one, protocol.ToServer, atDone)
		other := r.tx(p, "http.uri=/other")
		r.progress(fl, other, protocol.ToServer, atDone)
		if one.Quiet != tx || other.Quiet || fl.QuietTxs != txs || fl.Quiet != flow {
			t.Errorf("%s on %s: transactions %v and %v, all %v, flow %v", rule, uri, one.Quiet, other.Quiet, fl.QuietTxs, fl.Quiet)
		}
		r.want(want...)
	}
	const head = ` http any any -> any any (http.uri; content:"quiet"; config:logging disable, type `
	f("config"+head+"tx, scope tx; sid:1;)", "/quiet", true, false, false, 9)
	f("config"+head+"tx, scope tx; sid:1;)", "/loud", false, false, false)
	f("config"+head+"tx, scope flow; sid:1;)", "/quiet", false, true, false, 9)
	f("config"+head+"flow, scope flow; sid:1;)", "/quiet", false, false, true, 9)
	f("config"+head+"flow, scope flow; sid:1;)", "/loud", false, false, false)
	// Any rule may have the keyword; what keeps its alert back keeps nothing else.
	f("alert"+head+"tx, scope tx; sid:1;)", "/quiet", true, false, false, 1, 9)
	f("alert"+head+"tx, scope tx; noalert; sid:1;)", "/quiet", true, false, false, 9)
	f("alert"+head+"tx, scope tx; threshold:type threshold, track by_src, count 9, seconds 60; sid:1;)", "/quiet", true, false, false, 9)
	// The keyword alert has a rule of the action config told of as well.
	f("config"+head+"tx, scope tx; alert; sid:1;)", "/quiet", true, false, false, 1, 9)
}
