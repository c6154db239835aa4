package enip

import (
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestNothingHides holds that what a message carries beside what it is for is looked
// through.
func TestNothingHides(t *testing.T) {
	const secret = "the plan is in here, page by page"
	f := func(name, sent string) {
		t.Helper()
		if r := protocoltest.CheckCuts(t, Definition(), protocoltest.TCP(44818, sent)); !r.Sink.Contains(secret) {
			t.Errorf("%s: out of sight", name)
		}
	}
	f("behind a registration", "> "+message(cmdRegisterSession, 0, 1, "\x01\x00\x00\x00"+secret))
	f("a service's name", "< "+message(cmdListServices, 0, 1, "\x01\x00"+item(itemServices, "\x01\x00\x20\x01"+secret+strings.Repeat("x", 30))))
	f("behind an identity", "< "+message(cmdListIdentity, 0, 1, "\x01\x00"+item(itemIdentity, identityItem[4:]+secret)))
	f("behind items", "> "+message(cmdSendRRData, 0, 1, "\x00\x00\x00\x00\x00\x00\x02\x00"+item(0, "")+item(itemUnconnected, request(0x0e, 1, 1, 7, ""))+secret))
	f("in a status", "< "+unconnected(1, "\x8e\x00\x01\x11"+secret+"."))
	f("between messages", "> "+unconnected(1, "\x0a\x02\x20\x02\x24\x01\x01\x00"+le16(4+len(secret))+secret+request(0x10, 4, 3, 3, "x")))
	f("behind a message that is sent on", "> "+unconnected(1, "\x52\x02\x20\x06\x24\x01\x05\x0a\x06\x00\x07\x02\x20\x8e\x24\x01"+secret))
}

// TestPartsBounded holds that few bytes do not make many numbers for rules.
func TestPartsBounded(t *testing.T) {
	path := "\x01\x20" + strings.Repeat("\x20\x04", 32)
	list := "\x03\x02\x20\x02\x24\x01" + le16(256) + strings.Repeat("ab", 256)
	for _, part := range []string{path, list} {
		m := &Message{Command: cmdSendRRData}
		m.parse([]byte("\x00\x00\x00\x00\x00\x00\x01\x00" + item(itemUnconnected, "\x0a\x02\x20\x02\x24\x01"+several(slices.Repeat([]string{part}, 100)...))))
		for _, name := range []string{"enip.cip_class", "enip.cip_attribute", "cip_service"} {
			n := 0
			for ok := true; ok; n++ {
				_, ok = m.cipField(name, n)
			}
			if n > maxParts+maxServices {
				t.Errorf("%s: %d", name, n)
			}
		}
	}
}

// TestKeptBounded holds that long requests without an answer do not pile up, and that
// what waits is counted right.
func TestKeptBounded(t *testing.T) {
	var turns []string
	for i := range byte(200) {
		turns = append(turns, "> "+unconnected(i, request(0x10, 1, 1, i, strings.Repeat("x", 60000))))
	}
	turns = append(turns, turns[199], "< "+unconnected(198, response(0x10, 0, "")))
	p := protocoltest.Run(Definition(), protocoltest.TCP(44818, turns...)).Parser.(*Parser)
	kept := 0
	for old := p.wait.Oldest(); old != nil; old = p.wait.Oldest() {
		kept += old.State.(*Transaction).size
	}
	if kept != p.kept || kept > maxKept || kept < maxKept/2 {
		t.Errorf("%d bytes wait, %d are counted", kept, p.kept)
	}
}

// TestForeignDatagram holds that a message does not make what follows it EtherNet/IP.
func TestForeignDatagram(t *testing.T) {
	const query = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	d := protocoltest.Dialogue{UDP: true, DstPort: 53, Chunks: []protocoltest.Chunk{{Data: []byte(message(cmdListIdentity, 0, 1, ""))}, {Data: []byte(query)}}}
	if r := protocoltest.Run(Definition(), d); r.Status != protocol.Switch || r.SwitchTo != protocol.Unknown || r.Rest != query {
		t.Errorf("%v to %v", r.Status, r.SwitchTo)
	}
}
