package app

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"sluice/dataplane/decode"
)

func testQuarantine(t *testing.T, dir string, most int) *quarantine {
	t.Helper()
	q := newQuarantine(nil, most, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err := q.open(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.close() })
	return q
}

func heldBy(q *quarantine, host string) bool {
	return q.set.Holds(&decode.Packet{IPVersion: 4, Proto: 6, Time: time.Now().UnixNano(),
		Src: decode.AddrFrom(netip.MustParseAddr(host)), Dst: decode.AddrFrom(netip.MustParseAddr("192.0.2.1"))})
}

func TestQuarantineKeeps(t *testing.T) {
	dir := t.TempDir()
	q := testQuarantine(t, dir, 3)
	q.terms.base.ttl = time.Hour
	a, b, c, d := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.4")
	q.isolate(a, [6]byte{2}, "cards")
	if !heldBy(q, "10.0.0.1") {
		t.Error("the workers do not hold at once")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { q.run(ctx); close(done) }()
	short, never := 20*time.Millisecond, time.Duration(0)
	if err := q.add(b, "02:00:00:00:00:09", "by hand", &never); err != nil {
		t.Fatal(err)
	}
	if err := q.add(c, "", "", &short); err != nil {
		t.Fatal(err)
	}
	if err := q.add(d, "", "", nil); err == nil {
		t.Error("took more than there is room for")
	}
	q.isolate(d, [6]byte{2}, "cards")
	if heldBy(q, "10.0.0.4") {
		t.Error("took more than there is room for by policy")
	}
	// A host that is held already keeps its end.
	end := q.list()[0].end()
	q.isolate(a, [6]byte{2}, "cards")
	if got := q.list()[0]; got.end() != end || time.Until(end) < 59*time.Minute || got.By != "policy: cards" {
		t.Errorf("%+v", got)
	}
	if e := q.list()[1]; e.Expires != nil || e.By != byOperator || e.Reason != "by hand" {
		t.Errorf("%+v", e)
	}
	time.Sleep(30 * time.Millisecond)
	if heldBy(q, "10.0.0.3") {
		t.Error("held for longer than its time")
	}
	cancel()
	<-done
	if err := q.close(); err != nil {
		t.Fatal(err)
	}

	// The next process takes up what is left.
	q = testQuarantine(t, dir, 3)
	if l := q.list(); len(l) != 2 || l[0].Link != "" || l[1].link() != [6]byte{2, 5: 9} || l[0].Host != a || l[1].Host != b || !heldBy(q, "10.0.0.1") || !heldBy(q, "10.0.0.2") || heldBy(q, "10.0.0.3") {
		t.Errorf("after a restart: %+v", q.list())
	}
	if ok, err := q.del(a); !ok || err != nil || heldBy(q, "10.0.0.1") {
		t.Errorf("let go: %v, %v", ok, err)
	}
	if ok, err := q.del(a); ok || err != nil {
		t.Errorf("let go again: %v, %v", ok, err)
	}
	q.close()
	q = testQuarantine(t, dir, 3)
	if l := q.list(); len(l) != 1 || l[0].Host != b {
		t.Errorf("after another restart: %+v", l)
	}
	q.expire(time.Now().Add(100 * time.Hour))
	if len(q.list()) != 1 {
		t.Error("what has no end expired")
	}
}

func TestParseHost(t *testing.T) {
	for text, want := range map[string]string{"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "fd00::1": "fd00::1",
		"10.0.0.0/8": "", "": "", "0.0.0.0": "", "ff02::1": "", "fe80::1%eth0": "", "host": ""} {
		a, err := ParseHost(text)
		if (err == nil) != (want != "") || err == nil && a.String() != want {
			t.Errorf("%q: %v, %v", text, a, err)
		}
	}
}
