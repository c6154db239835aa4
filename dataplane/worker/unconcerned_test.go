package worker_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/classifiers/document"
	"sluice/dataplane/capture"
	"sluice/dataplane/policy"
	"sluice/dataplane/worker"
)

// inwards is about what comes in alone.
const inwards = `name: t
rules:
  - name: comes-in
    when: {direction: ingress, detectors: [pay.card]}
    action: alert
`

// TestUnconcerned holds that what no rule could be about is not classified, is
// counted as such where it leaves, and that nothing a rule is about is missed.
func TestUnconcerned(t *testing.T) {
	upload := fmt.Sprintf("PUT /a.txt HTTP/1.1\r\nHost: files.example.test\r\nContent-Length: %d\r\n\r\n%s", len(cards), cards)
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(cards), cards)
	f := func(name, pol string, asked bool, out, in int, concerned bool) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			found := [2]int{}
			r := newRig(t, pol, working(), func(c *worker.Config, _ *document.Config) {
				if asked {
					c.Judged = func(j worker.Judged) { found[j.Input.Direction] += len(j.Input.Counts) }
				}
			})
			r.open()
			r.data(0, upload)
			blocked := pol == ""
			if !blocked {
				r.data(1, answer)
			}
			r.w.Flush()
			r.take()
			got := [2]int{}
			for _, d := range r.dlp() {
				switch d.Direction {
				case "egress":
					got[policy.Egress]++
				case "ingress":
					got[policy.Ingress]++
				}
			}
			if got != [2]int{out, in} {
				t.Errorf("%d events of what left, %d of what came", got[0], got[1])
			}
			if asked && (found[policy.Egress] == 0 || found[policy.Ingress] == 0) {
				t.Errorf("who asks why is told of %v detectors", found)
			}
			c := r.w.Counters()
			if concerned != (c.EgressUnconcerned == 0) || !blocked && c.EgressUnconcerned+c.EgressInspected != uint64(len(upload)) {
				t.Errorf("%d bytes are unconcerned, %d inspected", c.EgressUnconcerned, c.EgressInspected)
			}
		})
	}
	f("outwards", "", false, 1, 0, true)
	f("inwards", inwards, false, 0, 1, false)
	f("asked why", inwards, true, 0, 1, true)
	f("any way", "name: t\nrules:\n  - name: any\n    when: {detectors: [pay.card], channel: http-response}\n    action: alert\n", false, 0, 1, false)
	f("shadow", inwards+"  - name: tried\n    when: {direction: egress, detectors: [pay.iban]}\n    action: alert\n    shadow: true\n", false, 0, 1, true)
	f("exception", inwards+"exceptions:\n  - name: bureau\n    owner: hr@example.com\n    expires: 2099-12-31\n    reason: payroll\n    when: {direction: egress, detectors: [pay.card]}\n", false, 1, 1, true)
}

// TestUnconcernedUntilReload classifies a stream of no known protocol from the
// reload on whose policy cares.
func TestUnconcernedUntilReload(t *testing.T) {
	r := newRig(t, inwards, working(), nil)
	r.port = 7777
	r.open()
	line := cards + "\n" + string(make([]byte, 2000))
	r.data(0, "\x01\x02 raw "+line)
	r.data(1, "\x01\x02 ok")
	r.data(0, line)
	if n := len(r.dlp()); n != 0 {
		t.Fatalf("%d events of what no rule is about", n)
	}
	set, err := parts()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.w.Swap(set, policy.Default()); err != nil {
		t.Fatal(err)
	}
	r.data(0, line)
	if l := r.dlp(); len(l) != 1 || l[0].PolicyRule != "block-cards" || l[0].Channel != "raw-tcp" {
		t.Errorf("%+v", l)
	}
}

// TestUnconcernedDatagrams counts datagrams of no known protocol as what they are.
func TestUnconcernedDatagrams(t *testing.T) {
	f := func(pol string, concerned bool) {
		t.Helper()
		r := newRig(t, pol, working(), nil)
		payload := "\x01\x02 raw " + cards
		for n := range uint16(3) {
			udp := &layers.UDP{SrcPort: 40000, DstPort: 7777}
			ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, 2}, DstIP: net.IP{203, 0, 113, 10}, Id: n}
			_ = udp.SetNetworkLayerForChecksum(ip)
			buf := gopacket.NewSerializeBuffer()
			if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
				&layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}, ip, udp, gopacket.Payload(payload)); err != nil {
				t.Fatal(err)
			}
			r.num++
			r.send(capture.Frame{Data: buf.Bytes(), WireLen: uint32(len(buf.Bytes())), Link: capture.LinkEthernet, Num: r.num, Time: time.Now().UnixNano()})
		}
		r.w.Flush()
		r.take()
		c := r.w.Counters()
		if got := c.EgressUnconcerned; concerned != (got == 0) || concerned != (len(r.dlp()) > 0) {
			t.Errorf("%d of %d bytes are unconcerned, %d events", got, 3*len(payload), len(r.dlp()))
		}
		if !concerned && c.EgressUnconcerned+c.EgressInspected != uint64(3*len(payload)) {
			t.Errorf("%d bytes are unconcerned, %d inspected, of %d", c.EgressUnconcerned, c.EgressInspected, 3*len(payload))
		}
	}
	f(inwards, false)
	f("", true)
}
