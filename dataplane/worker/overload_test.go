package worker

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
)

// pressed is a worker of a bridge with hosts that send datagrams through it.
type pressed struct {
	*testing.T
	w   *Worker
	now int64
}

func newPressed(t *testing.T, o Overload) *pressed {
	t.Helper()
	set, err := inspect.NewSet(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := protocol.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(Config{Set: set, Registry: reg, Inline: true, Live: true, Ifaces: []string{"in0", "out0"}})
	if err != nil {
		t.Fatal(err)
	}
	w.SetOverload(o)
	return &pressed{t, w, 1e18}
}

// send carries a datagram between an inside host's port and a server, from port
// 0 (the inside) or 1, through the worker.
func (p *pressed) send(host uint16, from uint8, payload []byte) {
	p.Helper()
	b := make([]byte, 42, 42+len(payload))
	b[12], b[13] = 8, 0
	ip := b[14:34]
	copy(ip, []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17})
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	ends := [2][4]byte{{10, 0, 0, 1}, {192, 0, 2, 1}}
	ports := [2]uint16{host, 9999}
	copy(ip[12:], ends[from][:])
	copy(ip[16:], ends[1-from][:])
	binary.BigEndian.PutUint16(ip[10:], decode.ChecksumIPv4(ip))
	binary.BigEndian.PutUint16(b[34:], ports[from])
	binary.BigEndian.PutUint16(b[36:], ports[1-from])
	binary.BigEndian.PutUint16(b[38:], uint16(8+len(payload)))
	b = append(b, payload...)
	p.now += 1e6
	f := capture.Frame{Data: b, WireLen: uint32(len(b)), Time: p.now, Port: from, Link: capture.LinkEthernet}
	forward := []bool{false}
	p.w.Process(&capture.Batch{Frames: []capture.Frame{f}}, forward)
	if !forward[0] {
		p.Fatal("a datagram was withheld")
	}
}

func (p *pressed) press(fill float64, lost uint64) {
	p.now += 20e6
	p.w.Pressure(p.now, fill, lost)
}

// told gives the overload events since the last call.
func (p *pressed) told() (out []string) {
	for _, e := range p.w.Events() {
		if part, ok := e.Extra["overload"].(overloadPart); ok {
			out = append(out, part.State+part.Class)
			if (part.State == "shed") != (e.FlowID != 0) || len(part.Ports) != 2 {
				p.Errorf("%+v of flow %d", part, e.FlowID)
			}
		}
	}
	return out
}

var (
	noise = func() []byte {
		b := make([]byte, 1400)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
		return b
	}()
	prose = []byte("The quarterly report of the firm, in plain words and many lines, which is to be read before it leaves the house.\n")
)

func TestOverload(t *testing.T) {
	p := newPressed(t, Overload{Order: []ShedClass{ShedEncrypted, ShedDownload, ShedUpload}, Past: 10_000, High: 0.5, Low: 0.1, Calm: 100e6, MaxFlows: 3})
	is := func(what string, want ...string) {
		t.Helper()
		got := p.told()
		if len(got) != len(want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
	}
	download := func(host uint16, n int) {
		p.send(host, 0, []byte("get"))
		for range n {
			p.send(host, 1, noise)
		}
	}
	upload := func(host uint16, payload []byte) {
		p.send(host, 1, []byte("ready"))
		for range 10_000/len(payload) + 2 {
			p.send(host, 0, payload)
		}
	}
	// Without pressure nothing goes.
	download(1, 20)
	p.press(0.49, 0)
	download(1, 20)
	is("no pressure")
	// The first class alone may go at first, and there is no such flow.
	p.press(0.5, 0)
	download(1, 1)
	is("pressure", "begin")
	for range 11 { // 220 ms
		p.press(0.6, 0)
	}
	download(1, 1)
	download(2, 3) // too short a flow
	upload(3, noise)
	is("the second class", "sheddownload")
	for range 11 {
		p.press(0.6, 0)
	}
	upload(3, prose[:100]) // the flow carries text now
	upload(4, prose)
	upload(3, noise)
	is("the third class", "shedupload")
	// Between high and low nothing goes, and the overload is not over.
	p.press(0.3, 0)
	download(5, 20)
	is("less pressure")
	// A loss is pressure whatever the fill.
	p.press(0, 1)
	download(5, 1)
	download(6, 20) // the fourth: there is room for three
	is("a loss", "sheddownload")
	for range 4 {
		p.press(0.05, 1)
	}
	is("not calm for long enough")
	for range 3 {
		p.press(0.05, 1)
	}
	is("calm", "end")
	// A bypassed flow goes on and is counted as such.
	c := p.w.Counters()
	download(1, 3)
	upload(3, noise)
	d := p.w.Counters()
	if d.BypassedPackets-c.BypassedPackets < 10 || d.EgressBypassed-c.EgressBypassed < 5*1400 || d.EgressInspected != c.EgressInspected {
		t.Errorf("%d bypassed packets, %d bytes out, %d inspected", d.BypassedPackets-c.BypassedPackets, d.EgressBypassed-c.EgressBypassed, d.EgressInspected-c.EgressInspected)
	}
	if d.Shed != [numShedClasses]uint64{ShedDownload: 2, ShedUpload: 1} || d.Overloads != 1 {
		t.Errorf("%v flows in %d overloads", d.Shed, d.Overloads)
	}
	// Flows that end make room again.
	p.w.Flush()
	if p.w.overload.flows != 0 {
		t.Errorf("%d flows are past still", p.w.overload.flows)
	}
}

// TestOverloadSpares has flows with a finding or an alert stay, whatever the
// pressure.
func TestOverloadSpares(t *testing.T) {
	p := newPressed(t, Overload{Order: []ShedClass{ShedDownload, ShedUpload}, Past: 1000, High: 0.5, Low: 0.1, Calm: 1e9, MaxFlows: 10})
	for host := uint16(1); host <= 3; host++ {
		p.send(host, 0, noise)
		p.send(host, 1, noise)
	}
	p.w.flows.Walk(func(f *flow.Flow) bool {
		switch f.ClientPort {
		case 1:
			p.w.ensure(f).coverage.found = true
		case 2:
			f.Alerted = true
		}
		return true
	})
	for range 15 {
		p.press(1, 0)
	}
	for host := uint16(1); host <= 3; host++ {
		p.send(host, 0, noise)
	}
	if c := p.w.Counters(); c.Shed[ShedUpload] != 1 || c.Shed[ShedDownload] != 0 {
		t.Errorf("shed %v", c.Shed)
	}
}

// TestCoverage settles the bytes of objects by whether they could be read.
func TestCoverage(t *testing.T) {
	p := newPressed(t, Overload{})
	p.send(1, 0, noise)
	p.send(1, 1, noise) // inwards
	if c := p.w.Counters(); c.EgressInspected != uint64(len(noise)) || c.EgressBypassed+c.EgressEncrypted+c.EgressUnscannable != 0 {
		t.Errorf("%d inspected, %d bypassed", c.EgressInspected, c.EgressBypassed)
	}
	p.w.flows.Walk(func(f *flow.Flow) bool {
		p.w.ensure(f).coverage.pending = 100
		p.w.covered(f, egressUnscannable)
		p.w.covered(f, egressInspected) // nothing is left
		return true
	})
	if c := p.w.Counters(); c.EgressUnscannable != 100 || c.EgressInspected != uint64(len(noise)) {
		t.Errorf("%d unscannable, %d inspected", c.EgressUnscannable, c.EgressInspected)
	}
	var names int
	c := p.w.Counters()
	c.Each(func(name string, _ uint64) {
		switch name {
		case "coverage.egress_bytes.inspected", "coverage.egress_bytes.unscannable", "overload.times", "overload.shed_flows.download":
			names++
		}
	})
	if names != 4 {
		t.Errorf("%d of 4 counters have their names", names)
	}
}

func TestIsText(t *testing.T) {
	for name, tt := range map[string]struct {
		b    []byte
		want bool
	}{
		"prose": {prose, true}, "noise": {noise, false}, "few bytes": {noise[:20], true},
		"UTF-8": {[]byte("Der Bericht über die Geschäfte des größten Kunden wäre für die Öffentlichkeit nicht geeignet. ÄÖÜ"), true},
		"UTF-16": {func() (b []byte) {
			for _, c := range prose {
				b = append(b, c, 0)
			}
			return b
		}(), true},
	} {
		if isText(tt.b) != tt.want {
			t.Errorf("%s: %v", name, !tt.want)
		}
	}
}
