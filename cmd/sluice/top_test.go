package main

import (
	"net/netip"
	"strings"
	"testing"

	"sluice/internal/app"
)

func testStatus() *app.Status {
	three := 3
	return &app.Status{Version: "v1", PID: 7, Sensor: "gw", Uptime: 65, Ready: true, Fail: "open", Rules: 3, Policy: "default", Blocked: 2, Quarantined: 1,
		Counters: map[string]uint64{"flow.active": 12}, Rates: app.Rates{Seconds: 1, Frames: 1234, Bits: 5.5e9, Flows: 2.5, Alerts: 1, Dropped: 900},
		Ports: []app.PortStatus{{Name: "eth1", Mode: "bridge", XDP: "generic", XDPReason: "the driver refuses", Rings: []app.RingStatus{{Worker: 0, Frames: 99}, {Worker: 1, CPU: &three, Frames: 7, Dropped: 2, Fill: 50, Sent: 6, SendLost: 1}}, Frames: 10, Bytes: 2048, FrameRate: 1234, BitRate: 5.5e9},
			{Name: "eth2", Mode: "bridge", Rings: []app.RingStatus{{Worker: 1, Frames: 8}}, XDP: "generic", XDPReason: "the driver refuses", XDPIdle: true}, {Name: "eth3", Mode: "tap"}},
		Loads:    []app.WorkerStatus{{Mode: "bridge", Ports: "eth1,eth2", Index: 1, Load: 0.42, Dropped: 5}},
		XDP:      map[string]uint64{"pass": 500, "block-source": 9, "acl": 90},
		XDPRates: map[string]float64{"acl": 900},
		Sources:  []app.DropSource{{Src: netip.MustParseAddr("192.0.2.1"), Reason: "acl", Count: 4}},
		Talkers: &app.Talkers{Seconds: 1, Sampled: true,
			Sources:  []app.TalkSource{{Host: netip.MustParseAddr("10.0.0.9"), TalkRates: app.TalkRates{Total: app.Rate{Bytes: 3072, Packets: 30}, Inspected: app.Rate{Bytes: 2048, Packets: 20}, Dropped: app.Rate{Bytes: 1024, Packets: 10}}}, {Host: netip.MustParseAddr("10.0.0.10")}},
			Services: []app.TalkService{{Proto: "TCP", Port: 25}},
			Flows:    []app.TalkFlow{{Proto: "TCP", AppProto: "smtp", Client: netip.MustParseAddrPort("10.0.0.9:4000"), Server: netip.MustParseAddrPort("[2001:db8::1]:25")}}},
		Segments: []app.SegmentStatus{{Rule: "no-web", Packets: 3, Bytes: 300}},
	}
}

func TestTop(t *testing.T) {
	var b strings.Builder
	printTop(&b, testStatus(), 1)
	text := b.String()
	for _, want := range []string{"1.2k frames, 5.5Gbit, 2.5 new flows (12 now), 1 alerts", "900 dropped by XDP", "eth2  bridge  generic, idle", "eth3  tap     off",
		"bridge 1  3    42 %  0         0          0         0         eth1  7       2     50 %  6     1", "drop  acl           90      900", "192.0.2.1       acl", "1 hosts in quarantine", "2.0 KiB",
		"10.0.0.9                               3.0 KiB  30         2.0 KiB, 20  -           1.0 KiB, 10", "TCP 25  ", "10.0.0.9:4000 > [2001:db8::1]:25 smtp", "a part of them was counted"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "10.0.0.10") {
		t.Errorf("more talkers than asked for:\n%s", text)
	}
	if strings.Count(text, "XDP is generic: the driver refuses") != 1 {
		t.Errorf("the reason is not told once:\n%s", text)
	}
	if drop, pass := strings.Index(text, "drop  acl"), strings.Index(text, "pass  pass"); drop < 0 || drop > pass {
		t.Errorf("what is dropped does not come first:\n%s", text)
	}
	b.Reset()
	printStatus(&b, *testStatus())
	if !strings.Contains(b.String(), "no-web  3        300 B") {
		t.Errorf("%s", b.String())
	}
}

func TestFit(t *testing.T) {
	if got, want := fit("abcdef\ng\x1b[2Jh\ni\nj\n", 4, 3), goHome+"abcd"+clearLine+"\r\ng?[2"+clearLine+"\r\ni"+clearLine+clearBelow; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.2", 7: "7", 99: "99", 999.4: "999", 999.6: "1.0k", 1234: "1.2k", 12345: "12k", 5.5e9: "5.5G", 2e15: "2000T"} {
		if got := number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
