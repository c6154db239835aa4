package expect

import "testing"

func BenchmarkLookup(b *testing.B) {
	f := func(name string, n int, port uint16) {
		b.Run(name, func(b *testing.B) {
			t := NewTable(Options{})
			for i := range n {
				t.Announce(Control{Client: client, Server: server, Scope: uint64(i)}, Announcement{Passive: true, Port: 5000, Hint: new(Hint)}, 0)
			}
			b.ReportAllocs()
			for b.Loop() {
				t.Lookup(0, false, client, server, 40000, port, 0)
			}
		})
	}
	f("empty", 0, 5000)
	f("missed", 1000, 443)
	f("found", 1000, 5000)
}
