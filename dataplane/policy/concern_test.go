package policy

import (
	"net/netip"
	"testing"
)

func TestConcerns(t *testing.T) {
	p, err := Parse([]byte(`name: t
zones:
  inside: [10.0.0.0/8]
exceptions:
  - name: bureau
    owner: hr@example.com
    expires: 2099-12-31
    reason: payroll
    when: {direction: ingress}
rules:
  - name: kept
    when: {direction: egress, channel: smtp, detectors: [pay.card]}
    action: block
    keep_evidence: true
  - name: named
    when: {direction: egress, channel: ftp-data, destination: ["*.example.net"]}
    action: alert
  - name: old
    when: {direction: internal}
    action: alert
    shadow: true
  - name: tiers
    when: {direction: external, channel: smtp, detectors: [pay.card]}
    tiers: [{unique: 1, action: alert}, {unique: 10, action: block}]
  - name: shadowed
    when: {direction: internal}
    action: block
    shadow: true
`), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := func(d Direction, channel, domain string, want Concern) {
		t.Helper()
		in := Input{Direction: d, Channel: channel, Domain: domain, Src: netip.MustParseAddr("10.1.1.1"), Dst: netip.MustParseAddr("192.0.2.1")}
		if c := p.Concerns(&in); c != want {
			t.Errorf("%v %s %q: %+v", d, channel, domain, c)
		}
		if n := testing.AllocsPerRun(10, func() { p.Concerns(&in) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
	some, none := Concern{Some: true}, Concern{}
	f(Egress, "smtp", "", Concern{Some: true, Keeps: true, Withholds: true})
	f(Egress, "http-request", "", none)
	f(Ingress, "smtp", "", Concern{Excuses: true}) // nothing to do, but to tell
	f(Egress, "ftp-data", "", some)
	f(Egress, "ftp-data", "a.example.net", some)
	f(Egress, "ftp-data", "example.org", none)
	f(InternalOnly, "smtp", "", some)
	f(External, "smtp", "", Concern{Some: true, Withholds: true})
	f(External, "ftp-data", "", none)
	if none.Wants() || !some.Wants() || !(Concern{Excuses: true}).Wants() {
		t.Error("what is found makes a difference where a rule or an exception could match, only there")
	}
}
