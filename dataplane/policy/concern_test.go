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
`), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := func(d Direction, channel, domain string, some, keeps bool) {
		t.Helper()
		in := Input{Direction: d, Channel: channel, Domain: domain, Src: netip.MustParseAddr("10.1.1.1"), Dst: netip.MustParseAddr("192.0.2.1")}
		if a, b := p.Concerns(&in); a != some || b != keeps {
			t.Errorf("%v %s %q: %v %v", d, channel, domain, a, b)
		}
		if n := testing.AllocsPerRun(10, func() { p.Concerns(&in) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
	f(Egress, "smtp", "", true, true)
	f(Egress, "http-request", "", false, false)
	f(Ingress, "smtp", "", false, false) // an exception allows; that is nothing to do
	f(Egress, "ftp-data", "", true, false)
	f(Egress, "ftp-data", "a.example.net", true, false)
	f(Egress, "ftp-data", "example.org", false, false)
	f(InternalOnly, "smtp", "", true, false)
}
