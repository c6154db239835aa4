package dns

import (
	"encoding/base64"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// asking asks for a name's address; answering is the answer to it.
func asking(name string) []byte {
	b := []byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00")
	for _, l := range strings.Split(name, ".") {
		b = append(append(b, byte(len(l))), l...)
	}
	return append(b, 0, 0, 1, 0, 1)
}

func answering(name string) []byte {
	b := asking(name)
	b[2], b[7] = 0x81, 1
	return append(b, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01"...)
}

// TestOverHTTP holds which heads carry DNS, and what of it is told.
func TestOverHTTP(t *testing.T) {
	uri := func(q []byte) []byte { return []byte("/dns-query?x=1&dns=" + base64.RawURLEncoding.EncodeToString(q)) }
	f := func(name string, h Head, body []byte, want string) {
		t.Helper()
		tx := &protocol.Tx{}
		var o *OverHTTP
		o = o.Head(tx, protocol.ToServer, h)
		if o.Wants(protocol.ToServer) {
			o.Body(protocol.ToServer, body[:len(body)/2])
			o.Body(protocol.ToServer, body[len(body)/2:])
			o.End(tx, protocol.ToServer, true)
		}
		b, ok := o.Buffer(protocol.Buffer(protocol.DNS, slotQuery), protocol.ToServer, 0)
		if string(b) != want || ok != (want != "") || tx.Carried.Has(protocol.ToServer) != (want != "") {
			t.Errorf("%s: %q %v, carried %b", name, b, ok, tx.Carried)
		}
	}
	f("a body", Head{ContentType: []byte("Application/DNS-Message; x=y")}, asking("a.example"), "a.example")
	f("a query", Head{URI: uri(asking("b.example"))}, nil, "b.example")
	f("padded", Head{URI: append(uri(asking("bb.example")), "=="...)}, nil, "bb.example")
	f("a query to another path", Head{URI: []byte("/r?dns=" + base64.RawURLEncoding.EncodeToString(asking("c.example"))), Accept: []byte("application/dns-message")}, nil, "c.example")
	f("another path, and nothing accepted", Head{URI: []byte("/r?dns=" + base64.RawURLEncoding.EncodeToString(asking("c.example")))}, nil, "")
	f("another type", Head{ContentType: []byte("application/dns-json")}, asking("d.example"), "")
	f("no message", Head{URI: []byte("/dns-query?dns=aGVsbG8")}, nil, "")
	f("no base64", Head{URI: []byte("/dns-query?dns=!!")}, nil, "")
}

// TestOverHTTPRecord holds that the answer is told of, and before it the question;
// and that a body that is too long is none.
func TestOverHTTPRecord(t *testing.T) {
	tx := &protocol.Tx{ID: 4}
	var o *OverHTTP
	if o.Known() || o.Record(tx, &events.Event{}) {
		t.Error("nothing is told of")
	}
	for dir, b := range [2][]byte{asking("a.example"), answering("a.example")} {
		dir := protocol.Dir(dir)
		o = o.Head(tx, dir, Head{ContentType: mediaType})
		o.Body(dir, b)
		o.End(tx, dir, true)
		var ev events.Event
		if !o.Record(tx, &ev) || ev.DNS.Type != [2]string{"request", "response"}[dir] || ev.DNS.Queries[0].RRName != "a.example" || *ev.DNS.TxID != 4 {
			t.Errorf("%s: %+v", dir, ev.DNS)
		}
	}
	if tx.Carries != protocol.DNS || tx.Carried != protocol.DirsBoth || len(tx.Events) > 0 {
		t.Errorf("%+v", tx)
	}
	long := &protocol.Tx{}
	o = (*OverHTTP)(nil).Head(long, protocol.ToClient, Head{ContentType: mediaType})
	var fits []bool
	for range 18 {
		fits = append(fits, o.Body(protocol.ToClient, make([]byte, 4096)))
	}
	o.End(long, protocol.ToClient, true)
	if o.Known() || !fits[14] || fits[15] || !fits[16] {
		t.Errorf("too long: %v", fits)
	}
	cut := &protocol.Tx{}
	o = (*OverHTTP)(nil).Head(cut, protocol.ToServer, Head{ContentType: mediaType})
	o.Body(protocol.ToServer, asking("a.example"))
	o.End(cut, protocol.ToServer, false)
	if o.Known() {
		t.Error("a message with a hole is told of")
	}
}

// TestOrdinaryHeads holds that looking for DNS costs other requests no memory.
func TestOrdinaryHeads(t *testing.T) {
	tx := &protocol.Tx{}
	h := Head{ContentType: []byte("application/x-www-form-urlencoded; charset=utf-8"), URI: []byte("/search?q=dns&lang=en"), Accept: []byte("text/html, */*")}
	if n := testing.AllocsPerRun(100, func() {
		if (*OverHTTP)(nil).Head(tx, protocol.ToServer, h) != nil {
			t.Fatal("an ordinary request carries DNS")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzOverHTTP(f *testing.F) {
	f.Add([]byte("/dns-query?dns="+base64.RawURLEncoding.EncodeToString(asking("a.example"))), asking("b.example"), answering("b.example"))
	f.Fuzz(func(t *testing.T, uri, a, b []byte) {
		tx := &protocol.Tx{}
		var o *OverHTTP
		o = o.Head(tx, protocol.ToServer, Head{URI: uri})
		o = o.Head(tx, protocol.ToServer, Head{ContentType: mediaType})
		o = o.Head(tx, protocol.ToClient, Head{ContentType: mediaType})
		for dir, body := range [2][]byte{a, b} {
			o.Body(protocol.Dir(dir), body)
			o.End(tx, protocol.Dir(dir), true)
			for slot := range uint8(slotResponseName + 1) {
				for i := range 3 {
					o.Buffer(protocol.Buffer(protocol.DNS, slot), protocol.Dir(dir), i)
				}
			}
		}
		o.Record(tx, &events.Event{})
	})
}
