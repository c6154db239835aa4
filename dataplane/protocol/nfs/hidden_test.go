package nfs

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestNothingHides holds that whatever a message carries is looked through, however
// little its form has to do with a file.
func TestNothingHides(t *testing.T) {
	secret := strings.Repeat("the plan ", 300) + "4111"
	stateid := strings.Repeat("s", 16)
	getRoot := str("") + w(1, 1) + w(op4PutRoot)
	f := func(name string, turns ...string) {
		t.Helper()
		d := protocoltest.TCP(2049, turns...)
		rnd := rand.New(rand.NewSource(1))
		for _, d := range []protocoltest.Dialogue{d, d.Cut(rnd), d.Cut(rnd)} {
			if r := protocoltest.Run(Definition(), d); !r.Sink.Contains(secret) || r.Sink.Check() != nil {
				t.Errorf("%s: out of sight (%v)", name, r.Sink.Check())
			}
		}
	}
	f("a call of nothing", c(callOf(1, 3, 0, secret)))
	f("behind what a call asks for", c(callOf(1, 3, 1, str(fileH)+secret)))
	f("behind content", c(callOf(1, 3, 7, str(fileH)+long(0)+w(4, 0)+str("data")+secret)))
	f("behind long content", c(callOf(1, 3, 7, str(fileH)+long(0)+w(8<<10, 0)+str(strings.Repeat("x", 8<<10))+secret)))
	f("a second write of a compound", c(callOf(1, 4, 1, str("")+w(1, 3)+w(op4PutHandle)+str(fileH)+
		w(op4Write)+stateid+long(0)+w(0)+str(strings.Repeat("x", 8<<10))+w(op4Write)+stateid+long(9)+w(0)+str(secret))))
	f("a call by the server", s(callOf(1, 3, 7, str(fileH)+long(0)+w(uint32(len(secret)), 0)+str(secret))))
	f("an answer by the client", append(read3(1, 0, "x", 0)[:1], c(reply(1, w(0, 0)+w(uint32(len(secret)), 1)+str(secret))))...)
	f("an answer to no call", s(reply(1, secret)))
	f("in an answer that has no content", c(callOf(1, 3, 1, str(fileH))), s(reply(1, w(0)+secret)))
	f("a denied call", c(callOf(1, 3, 1, str(fileH))), s(w(1, typeReply, 1)+secret))
	f("an answer with a read that was not asked for", c(callOf(1, 4, 1, getRoot)), s(reply(1, w(0)+str("")+w(2)+w(op4PutRoot, 0)+w(op4Read, 0, 1)+str(secret))))
	f("an answer with another operation", c(callOf(1, 4, 1, getRoot)), s(reply(1, w(0)+str("")+w(1)+w(op4Read, 0, 1)+str(secret))))
	f("a second answer behind the end", turns(read3(1, 0, "x", 1)[:1], read3(2, 0, "x", 1)[:1], read3(1, 0, "x", 1)[1:], read3(2, 0, secret, 1)[1:])...)
	f("a message that never ends", "> "+w(1<<31|60000)+callOf(1, 3, 3, str(dirH)+w(maxName))+secret)
}

// TestForeignDatagram holds that a call does not make what follows it NFS.
func TestForeignDatagram(t *testing.T) {
	const query = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	d := protocoltest.Dialogue{UDP: true, DstPort: 53, Chunks: []protocoltest.Chunk{{Data: []byte(callOf(1, 3, 3, str(dirH)+str("a")))}, {Data: []byte(query)}}}
	if r := protocoltest.Run(Definition(), d); r.Status != protocol.Switch || r.SwitchTo != protocol.Unknown || r.Rest != query {
		t.Errorf("%v to %v", r.Status, r.SwitchTo)
	}
}

// TestNamesBounded holds that long names of calls without an answer, and of files, do
// not pile up.
func TestNamesBounded(t *testing.T) {
	d := protocoltest.Dialogue{DstPort: 2049, Limits: protocol.DefaultLimits()}
	add := func(dir protocol.Dir, s string) {
		d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: dir, Data: []byte(mark(s, whole))})
	}
	name := strings.Repeat("n", maxName)
	for i := range uint32(1500) {
		add(protocol.ToServer, callOf(i, 3, 3, str(dirH)+str(name)))
	}
	for i := range uint32(1000) {
		add(protocol.ToServer, callOf(1<<16, 3, 3, str(dirH)+str(name)))
		add(protocol.ToClient, reply(1<<16, w(0)+str(fmt.Sprintf("%028d", i))+w(0, 0)))
	}
	p := protocoltest.Run(Definition(), d).Parser.(*Parser)
	asking, naming := 0, 0
	for _, c := range p.calls {
		asking += c.size
	}
	for _, f := range p.files {
		naming += f.size()
	}
	if asking != p.asking || naming != p.naming || asking > maxCalls || naming > maxNames || len(p.calls) < 100 || len(p.files) < 100 {
		t.Errorf("%d calls of %d bytes (%d counted), %d files of %d (%d counted)", len(p.calls), asking, p.asking, len(p.files), naming, p.naming)
	}
}

func TestMaskCaller(t *testing.T) {
	e := &eveRPC{Creds: &eveCredentials{Machine: "secret"}}
	if e.Mask(func([]byte) []byte { return []byte("+++") }); e.Creds.Machine != "+++" {
		t.Error("a caller's name is not masked")
	}
}
