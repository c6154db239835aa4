package worker

import (
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
	"sluice/events"
)

// ShedClass is a kind of flow that may go past a worker that cannot keep up.
type ShedClass uint8

// The classes, those of least risk first.
const (
	// ShedEncrypted are connections whose bytes cannot be read anyhow.
	ShedEncrypted ShedClass = iota
	// ShedDownload are flows whose bytes come from outside by far the most.
	ShedDownload
	// ShedUpload are all others, unless they carry text.
	ShedUpload
	numShedClasses = iota
)

// ShedClasses are their names in settings, events and counters.
var ShedClasses = [numShedClasses]string{"encrypted", "download", "upload"}

// Overload says which flows go past a worker that cannot keep up, and when.
type Overload struct {
	// Order lists the classes that may go; a later one goes when the earlier
	// were not enough.
	Order []ShedClass
	// Past is how many bytes of a flow the worker must have seen.
	Past uint64
	// High is how full a receive buffer must be for flows to go, from 0 to 1; Low
	// how empty for Calm nanoseconds before the overload is over.
	High, Low float64
	Calm      int64
	// MaxFlows bounds the flows that are past at a time.
	MaxFlows int
}

const (
	// shedAtOnce bounds the flows that go between two looks at the buffers, so
	// that no more go than are needed.
	shedAtOnce = 8
	// shedStep is how long a class must have failed to help before the next one
	// goes, in nanoseconds.
	shedStep = 200e6
	// downloadShare is how many times more bytes of a download must come from
	// outside than leave.
	downloadShare = 8
)

// overload is the state of a worker that may shed flows.
type overload struct {
	Overload
	active bool
	// classes is how many of Order may go, since when the last of them may.
	classes int
	since   int64
	// begin is when the overload began, calm since when the buffers are empty.
	begin, calm int64
	fill        float64
	// lost are frames lost in all, before those before the overload.
	lost, before uint64
	// budget is how many more flows may go before the next look, flows how many
	// are past, shed how many went in this overload.
	budget, flows int
	shed          uint64
}

// overloadPart is the overload object of an event.
type overloadPart struct {
	// State is begin, shed (a flow goes past) or end.
	State string   `json:"state"`
	Ports []string `json:"ports,omitempty"`
	// Fill is how full the fullest receive buffer was, in percent; Lost how many
	// frames were lost since the overload began.
	Fill float64 `json:"fill_percent"`
	Lost uint64  `json:"frames_lost"`
	// Class is why the flow was taken to be of low risk, By who forwards it.
	Class string `json:"class,omitempty"`
	By    string `json:"by,omitempty"`
	// Flows and Seconds tell of the whole overload at its end.
	Flows   *uint64  `json:"flows,omitempty"`
	Seconds *float64 `json:"seconds,omitempty"`
}

// SetOverload has flows of low risk go past the worker when it cannot keep up.
// Call it before the first Process.
func (w *Worker) SetOverload(o Overload) {
	if len(o.Order) > 0 && o.MaxFlows > 0 {
		w.overload = &overload{Overload: o}
	}
}

// Pressure tells the worker how full its receive buffers are, from 0 to 1, and
// how many frames were lost there so far, at time now in nanoseconds.
func (w *Worker) Pressure(now int64, fill float64, lost uint64) {
	o := w.overload
	if o == nil {
		return
	}
	pressed := fill >= o.High || lost > o.lost
	news := lost - min(o.lost, lost)
	o.fill, o.lost, o.budget = fill, lost, 0
	if !o.active {
		if !pressed {
			return
		}
		o.active, o.classes, o.since, o.begin, o.calm, o.shed, o.before = true, 1, now, now, 0, 0, lost-news
		w.counters.Overloads++
		w.tellOverload(now, overloadPart{State: "begin"})
	}
	if pressed {
		o.calm, o.budget = 0, min(shedAtOnce, o.MaxFlows-o.flows)
		if now-o.since >= shedStep && o.classes < len(o.Order) {
			o.classes, o.since = o.classes+1, now
		}
		return
	}
	switch {
	case fill > o.Low:
		o.calm = 0
	case o.calm == 0:
		o.calm = now
	case now-o.calm >= o.Calm:
		o.active = false
		seconds := time.Duration(now - o.begin).Seconds()
		w.tellOverload(now, overloadPart{State: "end", Flows: &o.shed, Seconds: &seconds})
	}
}

// tellOverload reports that an overload began or ended.
func (w *Worker) tellOverload(now int64, p overloadPart) {
	if !w.cfg.Report.wants("overload") {
		return
	}
	if p.Flows != nil {
		n := *p.Flows
		p.Flows = &n
	}
	w.now, w.seq = max(w.now, now), 0
	w.fillOverload(&p)
	w.emit(&events.Event{Time: now, Type: "overload", Extra: map[string]any{"overload": p}})
}

func (w *Worker) fillOverload(p *overloadPart) {
	p.Ports, p.Fill, p.Lost = w.cfg.Ifaces, float64(int(w.overload.fill*1000))/10, w.overload.lost-w.overload.before
}

// relieve lets the flow of the packet in work go past where it is of low risk.
func (w *Worker) relieve(p *decode.Packet, f *flow.Flow, dir protocol.Dir) {
	o := w.overload
	if f.State != flow.StateEstablished || w.held(f) || f.Alerted || f.Verdict.Action != verdict.None || f.Bytes[0]+f.Bytes[1] < o.Past ||
		(f.TCPFlags[0]|f.TCPFlags[1])&(decode.TCPFin|decode.TCPRst) != 0 {
		return
	}
	class, ok := w.risk(p, f, dir)
	if !ok {
		return
	}
	for _, c := range o.Order[:o.classes] {
		if c == class {
			o.budget--
			o.flows++
			o.shed++
			w.counters.Shed[class]++
			w.ensure(f).coverage.shed = true
			w.apply(f, verdict.Verdict{Action: verdict.Bypass, Cause: verdict.CauseException, Rule: "overload"})
			w.covered(f, egressInspected)
			if w.offload != nil {
				w.handOver(f)
			}
			w.tellShed(f, class)
			return
		}
	}
}

// risk gives a flow's class; none where it may not go at all.
func (w *Worker) risk(p *decode.Packet, f *flow.Flow, dir protocol.Dir) (ShedClass, bool) {
	if f.App.Skipped(protocol.ToServer) && f.App.Skipped(protocol.ToClient) && encrypted(f) {
		return ShedEncrypted, true
	}
	out := w.leaves(f, dir)
	c := &w.ensure(f).coverage
	if c.found {
		return 0, false
	}
	if c.side > 1 {
		d := protocol.Dir(c.side - 2)
		if f.Bytes[d]*downloadShare <= f.Bytes[d.Other()] {
			return ShedDownload, true
		}
	}
	// The packet in work stands for what the flow carries.
	return ShedUpload, out && !isText(p.PayloadBytes())
}

// textSample is how much of a packet tells whether it is text.
const textSample = 512

// isText reports whether bytes look like text of any usual encoding; so few that
// nothing can be told count as text.
func isText(b []byte) bool {
	b = b[:min(len(b), textSample)]
	odd := 0
	for _, c := range b {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f || c >= 0xf8 || c == 0xc0 || c == 0xc1 {
			odd++
		}
	}
	// Of random bytes an eighth and more are odd; of UTF-16 every second is.
	return len(b) < 64 || odd*20 < len(b) || odd*5 > len(b)*2
}

// tellShed reports that a flow goes past.
func (w *Worker) tellShed(f *flow.Flow, class ShedClass) {
	if !w.cfg.Report.wants("overload") {
		return
	}
	e := w.event("overload", f, w.dir)
	e.Flow = flowPart(f)
	part := overloadPart{State: "shed", Class: ShedClasses[class], By: "worker"}
	if w.ensure(f).coverage.kernel {
		part.By = "kernel"
	}
	w.fillOverload(&part)
	e.Extra = map[string]any{"overload": part}
	w.emit(e)
}
