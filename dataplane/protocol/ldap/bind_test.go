package ldap

import (
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestBehindPassword holds that all of a bind but its password is looked through.
func TestBehindPassword(t *testing.T) {
	const plan = "the plan is in here"
	for name, sent := range map[string]string{
		"in the name":      msg(1, el(0x60, num(3), str(plan), el(0x80, "geheim"))),
		"behind it":        msg(1, el(0x60, num(3), str("cn=a"), el(0x80, "geheim"), str(plan))),
		"a control":        msg(1, el(0x60, num(3), str("cn=a"), el(0x80, "geheim")), el(0xa0, el(0x30, str("1.2.3"), str(plan)))),
		"a control's name": msg(1, el(0x60, num(3), str("cn=a"), el(0x80, "geheim")), el(0xa0, el(0x30, str(plan)))),
	} {
		r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(389, c(sent)))
		if !r.Sink.Contains(plan) || r.Sink.Contains("geheim") {
			t.Errorf("%s: %+v", name, r.Objects)
		}
	}
}
