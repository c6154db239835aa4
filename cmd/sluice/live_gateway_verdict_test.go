package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// ownPage expects the router's own page to be there for the client, or not to be.
func (r *rig) ownPage(when string, want bool) {
	r.Helper()
	if p := r.curl("-m", "3", "http://"+lanAddr+":8080/"); (p.Code == 200) != want {
		r.Errorf("%s: the router's own page: %v", when, p)
	}
}

// liveGatewayQuarantine has an upload put its sender in quarantine on a host that
// routes: it reaches neither what is beyond the host nor the host itself, but what
// is allowed, over the daemon's death and restart, until it is let go.
func liveGatewayQuarantine(r *rig) {
	r.route()
	before := r.gatewayPicture()
	r.startGateway(r.quarantineFlags("")...)
	r.free("at first")
	r.ownPage("at first", true)
	mark, cards := r.soc.Mark(), stage.Cards(8, 24)
	if p := r.curl("-m", "5", "--data-binary", "@"+r.write("cards.csv", stage.CardList(cards)), origin+"/cards"); p.Code != 403 {
		r.Errorf("the client saw %v", p)
	}
	if seen := stage.Settled(r.ctx, r.origin, "/cards"); stage.Arrived(seen, cards) > 0 {
		r.Errorf("cards arrived: %+v", seen)
	}
	e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
	if e.DLP.Rule != "isolate-cards" || e.DLP.Action != "quarantine" || !e.DLP.Enforced || e.Src != netlab.Client4 {
		r.Errorf("%s", e.Raw)
	}
	r.held("after the upload")
	r.ownPage("after the upload", false)
	r.await(mark, "an event of drops", func(e *stage.Event) bool {
		return e.Drop != nil && e.Src == netlab.Client4 && strings.HasPrefix(e.Drop.Reason, "quarantine") && e.Drop.Source == "xdp"
	})
	if err := r.daemon.Kill(); err != nil {
		r.Fatal(err)
	}
	r.held("without a daemon")
	r.ownPage("without a daemon", false)
	r.run()
	r.held("after a restart")
	if q := r.quarantined(); len(q) != 1 || q[0].Host.String() != netlab.Client4 || q[0].By != "policy: isolate-cards" {
		r.Errorf("after a restart: %+v", q)
	}
	r.cmd(0, "", "quarantine", "del", netlab.Client4)
	r.free("let go")
	r.ownPage("let go", true)
	r.cmd(0, "", "quarantine", "add", netlab.Client4, "--reason", "ticket 2")
	// What the policy's rule allows its hosts is not for those held by hand.
	if tcp, udp, managed := r.reach(); tcp || udp || managed {
		r.Errorf("by hand: the host reaches TCP %v, UDP %v, management %v", tcp, udp, managed)
	}
	r.cmd(0, "", "quarantine", "del", netlab.Client4)
	r.routed("in the end")
	if err := r.daemon.Stop(); err != nil {
		r.Error(err)
	}
	if d := netlab.Diff(before, r.gatewayPicture()); d != "" {
		r.Errorf("left on the host:\n%s", d)
	}
}

// liveGatewayDocuments has documents held for their verdict on their way through
// a host that routes and masquerades.
func liveGatewayDocuments(r *rig) {
	r.route()
	// On a busy machine the host would else go on by itself for moments.
	r.startGateway("--fail", "closed")
	r.documents(origin, r.origin, 16, "put")
	r.heldSomething()
	r.routed("after the documents")
}

// heldSomething expects that frames were withheld while a document was read.
func (r *rig) heldSomething() {
	r.Helper()
	st, err := r.daemon.Status(r.ctx)
	if err != nil || st.Counters["ips.held_frames"] == 0 || st.Counters["ips.held_overflow"] != 0 {
		r.Errorf("%d frames were withheld, %d found no room; %v", st.Counters["ips.held_frames"], st.Counters["ips.held_overflow"], err)
	}
}

// liveGatewayRefuseUDP has the sender of a refused datagram be told, and the flow
// end, before the host routes it.
func liveGatewayRefuseUDP(r *rig) {
	r.route()
	r.startGateway("--rules", r.write("own.rules", rejectUDP))
	arrived, seen := r.refusedUDP()
	if !errors.Is(seen, syscall.EHOSTUNREACH) {
		r.Errorf("the client saw %v", seen)
	}
	if strings.Join(arrived, " ") != "first" {
		r.Errorf("%q arrived", arrived)
	}
	r.routed("after the refusal")
}

// liveGatewayGap has what the host routes, or drops, while there is no daemon
// told by the next one.
func liveGatewayGap(r *rig) {
	r.route()
	before := r.gatewayPicture()
	for _, fail := range []string{"open", "closed"} {
		r.startGateway("--fail", fail)
		r.page("to begin with")
		if err := r.daemon.Kill(); err != nil {
			r.Fatal(err)
		}
		from := time.Now()
		result, n := "forwarded", 4<<20
		if fail == "open" {
			if got, same, err := r.transfer(netlab.Server4+":0", n); err != nil || got != n || !same {
				r.Errorf("without a daemon: %d bytes of %d, the same: %v, %v", got, n, same, err)
			}
		} else {
			result, n = "dropped", 1
			if p := r.curl("-m", "2", origin+"/closed"); p.Code != 0 || len(r.origin.Requests("/closed")) > 0 {
				r.Errorf("failing closed, the client got %v", p)
			}
		}
		to := time.Now()
		mark := r.soc.Mark()
		r.run()
		e := r.await(mark, "an event of the gap", func(e *stage.Event) bool { return e.Type == "gap" })
		r.wasAway(e, result, uint64(n), 1, from, to)
		r.page("with the next one")
		if err := r.daemon.Stop(); err != nil {
			r.Error(err)
		}
		if d := netlab.Diff(before, r.gatewayPicture()); d != "" {
			r.Errorf("fail %s: left on the host:\n%s", fail, d)
		}
	}
}

// liveGatewayHung has what the host routes while the daemon is stopped told, with
// its bytes.
func liveGatewayHung(r *rig) {
	r.route()
	r.startGateway()
	r.page("to begin with")
	mark := r.soc.Mark()
	if err := syscall.Kill(r.daemon.PID(), syscall.SIGSTOP); err != nil {
		r.Fatal(err)
	}
	const n = 2 << 20
	got, same, err := r.transfer(netlab.Server4+":0", n)
	if err := syscall.Kill(r.daemon.PID(), syscall.SIGCONT); err != nil {
		r.Fatal(err)
	}
	if err != nil || got != n || !same {
		r.Errorf("while it hung: %d bytes of %d, the same: %v, %v", got, n, same, err)
	}
	e := r.await(mark, "an event of the gap", func(e *stage.Event) bool { return e.Type == "gap" })
	var total uint64
	for _, part := range []string{`"reason":"hung"`, `"result":"forwarded"`} {
		if !strings.Contains(string(e.Raw), part) {
			r.Errorf("%s", e.Raw)
		}
	}
	r.eventually("the bytes be told", func() bool { total = r.gapBytes(mark); return total >= n })
	// On a busy machine the host may go on for a while yet.
	r.eventually("the workers be back", func() bool {
		mark := r.soc.Mark()
		r.page("after the hang")
		ctx, cancel := context.WithTimeout(r.ctx, 2*time.Second)
		defer cancel()
		_, err := r.soc.Await(ctx, mark, func(e *stage.Event) bool { return e.HTTP != nil })
		return err == nil
	})
	r.refusedCards("/hung", 54)
}

// gapBytes sums what events of gaps told since mark.
func (r *rig) gapBytes(mark int) (n uint64) {
	r.Helper()
	for _, e := range r.soc.Since(mark) {
		var rec struct{ Gap struct{ Bytes uint64 } }
		if e.Type != "gap" {
			continue
		}
		if err := json.Unmarshal(e.Raw, &rec); err != nil {
			r.Fatal(err)
		}
		n += rec.Gap.Bytes
	}
	return n
}
