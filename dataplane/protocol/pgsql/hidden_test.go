package pgsql

import (
	"math/rand"
	"strings"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestNothingHides holds that whatever a message carries is looked through, whatever
// its type says that it is for.
func TestNothingHides(t *testing.T) {
	secret := strings.Repeat("the plan, page by page ", 50)
	f := func(name string, turns ...string) {
		t.Helper()
		d := protocoltest.TCP(5432, turns...)
		rnd := rand.New(rand.NewSource(1))
		for _, d := range []protocoltest.Dialogue{d, d.Cut(rnd), d.Cut(rnd)} {
			if r := protocoltest.Run(Definition(), d); !r.Sink.Contains(secret) || r.Sink.Check() != nil {
				t.Errorf("%s: out of sight (%v)", name, r.Sink.Check())
			}
		}
	}
	client := func(sent string) []string { return []string{"> " + startup, "< " + welcome, "> " + sent} }
	server := func(sent string) []string { return []string{"> " + startup, "< " + welcome + sent} }
	for _, typ := range "DECHScfpX" {
		f("a client's "+string(typ), client(msg(byte(typ), secret))...)
	}
	for _, typ := range "RSKZC123nstIGHWcvAENT" {
		f("a server's "+string(typ), server(msg(byte(typ), secret))...)
		f("a long one of a server's "+string(typ), server(msg(byte(typ), strings.Repeat("x", 70000)+secret))...)
	}
	for _, typ := range "AENT" {
		f("the beginning of a server's "+string(typ), server(msg(byte(typ), secret+strings.Repeat("x", 9))[:5+len(secret)])...)
	}
	f("a setting of a client", "> "+open(3<<16, "user\x00bob\x00application_name\x00"+secret+"\x00\x00"))
	f("a key to cancel with", "> "+open(codeCancel, word(1)+secret))
	f("names before values", client(msg('B', secret+"\x00\x00"+half(0)+half(0)+half(0)))...)
	f("no end of names", client(msg('B', secret))...)
	f("formats of values", client(msg('B', "\x00\x00"+half(uint16(len(secret)/2))+secret+half(0)+half(0)))...)
	f("formats of results", client(msg('B', "\x00\x00"+half(0)+half(0)+half(1)+"\x00\x00"+secret))...)
	f("in place of formats", client(msg('B', "\x00\x00"+half(0)+half(0)+half(1)+secret))...)
	f("what is said to be encrypted", "> "+open(codeGSS, ""), "< G", "> "+secret)
}

// TestLongNames holds that names which are none are not kept.
func TestLongNames(t *testing.T) {
	var x prefix
	n := 0
	for ok := true; ok; n++ {
		_, ok = x.next('B', []byte(strings.Repeat("x", n+1)))
	}
	if n > maxSmall+1 {
		t.Errorf("%d bytes of a name are kept", n)
	}
}

// TestManyValues holds that values are read behind as many formats as there can be.
func TestManyValues(t *testing.T) {
	const n = 3000
	sent := msg('B', "\x00\x00"+half(n)+strings.Repeat("\x00\x01", n)+half(n)+strings.Repeat(word(4)+"4111", n)+half(2)+"\x00\x00\x00\x01")
	r := protocoltest.Run(Definition(), protocoltest.TCP(5432, "> "+startup, "< "+welcome, "> "+sent))
	if got, want := string(r.Objects[0].Data), strings.Repeat("4111\t", n-1)+"4111\n"; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

// TestSettingsBounded holds that a server's settings without end are not kept.
func TestSettingsBounded(t *testing.T) {
	sent := strings.Repeat(msg('S', "a\x00"+strings.Repeat("x", 60<<10)+"\x00"), 50)
	r := protocoltest.Run(Definition(), protocoltest.TCP(5432, "> "+startup, "< "+sent))
	kept := 0
	for _, tx := range r.Parser.Txs().Live {
		for _, s := range tx.State.(*Transaction).Reply.Status {
			kept += len(s.value)
		}
	}
	if kept > maxStatus*maxWords {
		t.Errorf("%d bytes are kept", kept)
	}
}

// TestProofsBounded holds that what a client proves itself with counts while it waits.
func TestProofsBounded(t *testing.T) {
	turns := []string{"> " + startup, "< " + msg('R', word(11)+"r=1")}
	for range 150 {
		turns = append(turns, "> "+msg('p', strings.Repeat("x", 60<<10)))
	}
	p := protocoltest.Run(Definition(), protocoltest.TCP(5432, turns...)).Parser.(*Parser)
	kept := 0
	for _, tx := range p.queue {
		kept += len(tx.State.(*Transaction).SASL)
	}
	if kept > maxKept+64<<10 || kept < maxKept/2 || p.kept < kept {
		t.Errorf("%d bytes are kept, %d counted", kept, p.kept)
	}
}
