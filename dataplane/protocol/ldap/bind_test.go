package ldap

import (
	"strings"
	"testing"

	"sluice/dataplane/protocol"
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

// TestKeptBounded holds that what long messages have beside names and values counts
// as well.
func TestKeptBounded(t *testing.T) {
	long := el(0xa0, el(0x30, str("1.2.3"), str(strings.Repeat("x", 50000))))
	env := protocoltest.NewEnv(protocoltest.TCP(389), &protocoltest.Sink{})
	p := Definition().New(env).(*Parser)
	for i := range 100 {
		p.Parse(env, protocol.ToServer, []byte(msg(i, el(0x4a, "cn=a"), long)))
	}
	if p.wait.size > maxKept+60000 || p.wait.open < 20 || p.wait.open > 90 {
		t.Errorf("%d wait, %d bytes", p.wait.open, p.wait.size)
	}
}
