package expect

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

var (
	client = netip.MustParseAddr("10.0.0.1")
	server = netip.MustParseAddr("192.0.2.1")
	third  = netip.MustParseAddr("198.51.100.7")
	v6c    = netip.MustParseAddr("2001:db8::1")
	v6s    = netip.MustParseAddr("2001:db8::2")
)

const sec = int64(time.Second)

func TestLookup(t *testing.T) {
	f := func(name string, c Control, a Announcement, src, dst netip.Addr, sport, dport uint16, now int64, want bool) {
		t.Helper()
		tab := NewTable(Options{})
		a.Hint = new(Hint)
		tab.Announce(c, a, 100*sec)
		got := tab.Lookup(0, false, src, dst, sport, dport, now)
		if (got == a.Hint) != want || !want && got != nil {
			t.Errorf("%s: %v", name, got)
		}
		if want && got.Parent() != c.Flow {
			t.Errorf("%s: parent %d", name, got.Parent())
		}
	}
	c4, c6 := Control{Client: client, Server: server, Flow: 7}, Control{Client: v6c, Server: v6s, Flow: 9}
	passive, active := Announcement{Passive: true, Port: 5000}, Announcement{Port: 5000}
	f("passive", c4, passive, client, server, 1234, 5000, 101*sec, true)
	f("passive, answer first", c4, passive, server, client, 5000, 1234, 101*sec, true)
	f("passive, wrong way", c4, passive, server, client, 1234, 5000, 101*sec, false)
	f("passive, wrong port", c4, passive, client, server, 1234, 5001, 101*sec, false)
	f("passive, somebody else", c4, passive, third, server, 1234, 5000, 101*sec, false)
	f("active", c4, active, server, client, 20, 5000, 101*sec, true)
	f("active, wrong way", c4, active, client, server, 20, 5000, 101*sec, false)
	f("IPv6", c6, passive, v6c, v6s, 1234, 5000, 101*sec, true)
	f("too late", c4, passive, client, server, 1234, 5000, 300*sec, false)
	f("another capture", c4, passive, client, server, 1234, 5000, 1*sec, false)
	f("other scope", Control{Client: client, Server: server, Scope: 3}, passive, client, server, 1234, 5000, 101*sec, false)
	passive.Addr = third
	f("announced elsewhere", c4, passive, client, third, 1234, 5000, 101*sec, true)
	f("announced elsewhere, same server", c4, passive, client, server, 1234, 5000, 101*sec, true)
	f("elsewhere, somebody else", c4, passive, server, third, 1234, 5000, 101*sec, false)
	f("no port", c4, Announcement{Passive: true}, client, server, 1234, 0, 101*sec, false)
}

func TestLifetime(t *testing.T) {
	tab := NewTable(Options{Lifetime: 10 * time.Second})
	c := Control{Client: client, Server: server}
	h := new(Hint)
	look := func(now int64) bool { return tab.Lookup(0, false, client, server, 1, 5000, now) != nil }
	tab.Announce(c, Announcement{Passive: true, Port: 5000, Addr: third, Hint: h}, 0)
	if tab.Len() != 2 || !look(10*sec) {
		t.Fatalf("%d expected", tab.Len())
	}
	tab.Renew(h, 9*sec)
	if !look(19 * sec) {
		t.Error("renewed one expired")
	}
	newer := new(Hint)
	tab.Announce(c, Announcement{Passive: true, Port: 5000, Hint: newer}, 10*sec)
	tab.Withdraw(h) // its address is the newer one's by now
	if tab.Len() != 1 || tab.Lookup(0, false, client, server, 1, 5000, 10*sec) != newer {
		t.Error("a newer announcement was withdrawn")
	}
	if look(21*sec) || tab.Len() != 0 {
		t.Error("expired one is kept")
	}
}

func TestBound(t *testing.T) {
	tab := NewTable(Options{Max: 64})
	for i := range 10000 {
		tab.Announce(Control{Client: client, Server: server}, Announcement{Passive: true, Port: uint16(1024 + i), Hint: new(Hint)}, int64(i))
	}
	if tab.Len() > 64 || tab.Evicted() != uint64(10000-tab.Len()) {
		t.Errorf("%d expected, %d evicted", tab.Len(), tab.Evicted())
	}
	if tab.Lookup(0, false, client, server, 1, 11023, 10000) == nil {
		t.Error("the newest was evicted")
	}
	for i := range tab.shards {
		n := 0
		for e := tab.shards[i].oldest; e != nil; e = e.next {
			n++
		}
		if n != len(tab.shards[i].entries) {
			t.Errorf("shard %d: %d in the list, %d in the map", i, n, len(tab.shards[i].entries))
		}
	}
}

func TestConcurrent(t *testing.T) {
	tab := NewTable(Options{Max: 256})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 2000 {
				h, port := new(Hint), uint16(2000+(i+w)%300)
				tab.Announce(Control{Client: client, Server: server}, Announcement{Passive: i%2 == 0, Port: port, Hint: h}, int64(i))
				h.SetTransfer(&Transfer{Command: "RETR"})
				if x := tab.Lookup(0, false, client, server, 1, port, int64(i)); x != nil {
					x.Transfer()
				}
				tab.Renew(h, int64(i))
				if i%3 == 0 {
					tab.Withdraw(h)
				}
			}
		}()
	}
	wg.Wait()
	if tab.Len() < 0 || tab.Len() > 256 {
		t.Errorf("%d expected", tab.Len())
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	tab := NewTable(Options{})
	tab.Announce(Control{Client: client, Server: server}, Announcement{Passive: true, Port: 5000, Hint: new(Hint)}, 0)
	if n := testing.AllocsPerRun(100, func() { tab.Lookup(0, false, client, server, 1, 5001, 0) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTransports keeps datagrams and connections to one port apart.
func TestTransports(t *testing.T) {
	tab := NewTable(Options{})
	h := &Hint{}
	tab.Announce(Control{Client: client, Server: server}, Announcement{UDP: true, Port: 5000, Hint: h}, 0)
	if tab.Lookup(0, false, server, client, 3445, 5000, 1) != nil {
		t.Error("a connection was taken for expected datagrams")
	}
	if tab.Lookup(0, true, server, client, 3445, 5000, 1) != h {
		t.Error("expected datagrams were not found")
	}
}
