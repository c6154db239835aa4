package worker

import (
	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/verdict"
)

// refuse tells both ends of a flow that it is over: by the protocol's own
// refusal where its state allows one, by resets otherwise, by an ICMP
// unreachable for UDP. Silent drops tell nobody.
func (w *Worker) refuse(f *flow.Flow) {
	if !w.cfg.Live || w.p.Frame == nil || f.Verdict.Action < verdict.Reject {
		return
	}
	p, fromClient := w.p, w.dir == protocol.ToServer
	switch p.Proto {
	case decode.ProtoUDP:
		if frame, err := w.crafter.Unreachable(p); err == nil {
			w.inject(p.Frame.Port, frame)
		}
	case decode.ProtoTCP:
		client, server := w.sides(f, p)
		ends := w.tcpEnds(f, p, fromClient)
		var refusal []byte
		if f.Verdict.Action >= verdict.Block && w.cfg.Inline {
			if r, ok := f.App.Parser().(protocol.Refuser); ok {
				refusal, _ = r.Refusal()
			}
		}
		if refusal != nil {
			frames, reset, err := w.crafter.Refuse(w.frames[:0], p, fromClient, ends, refusal)
			w.frames = frames
			if err == nil {
				for _, fr := range frames {
					w.inject(client, fr)
				}
				w.inject(server, reset)
				f.Enforce = enforce.NewRefusal(w.now, ends, len(refusal))
				return
			}
		}
		toClient, toServer, err := w.crafter.Resets(p, fromClient, ends)
		if err != nil {
			w.counters.RefusalErrors++
			return
		}
		w.inject(client, toClient)
		w.inject(server, toServer)
		f.Enforce = enforce.NewTombstone(w.now)
	}
}

// cut ends a connection that is only listened to, by resets. Nothing else can be
// done beside the wire: a silent drop cannot, and datagrams go on regardless, so
// that they stay under inspection.
func (w *Worker) cut(f *flow.Flow, v verdict.Verdict) {
	if !w.cuts(f, v.Action) || f.Verdict.Action.EndsFlow() {
		return
	}
	w.counters.BlockedFlows++
	w.takeBack(f)
	f.Verdict = f.Verdict.Max(v)
	w.keepBack(f)
	w.refuse(f)
	f.Enforce = &cutFlow{last: w.now}
	w.spend(f)
}

// cutFlow is what is kept of a connection that was cut: a bound on answers.
type cutFlow struct {
	second  int64
	answers int
	// last is when the latest answer was given.
	last int64
}

// cutAnswers is how many acknowledgements of a cut connection are answered in a
// second.
const cutAnswers = 256

// cutSilence is how long a cut connection has had no answer when its data gets
// one, in nanoseconds: less than the kernels' shortest retransmission time.
const cutSilence = 100e6

// cutAgain answers a packet of a connection that was cut. The first resets come
// too late where data was under way: their numbers are old by then. A bare
// acknowledgement tells what either end awaits next, and the last one is right.
// Data that comes once there are none is sent again, by an end that no reset has
// reached, and kept from the other one.
func (w *Worker) cutAgain(c *cutFlow, p *decode.Packet, fromClient bool) {
	if p.Proto != decode.ProtoTCP || p.TCPFlags&(decode.TCPAck|decode.TCPRst|decode.TCPSyn) != decode.TCPAck {
		return
	}
	if d := w.now - c.last; p.Payload != p.PayloadEnd && d >= 0 && d < cutSilence {
		return
	}
	if second := w.now / 1e9; second != c.second {
		c.second, c.answers = second, 0
	}
	if c.answers++; c.answers > cutAnswers {
		return
	}
	c.last = w.now
	ends := enforce.TCPEnds{ClientNext: p.Ack, ClientSent: p.Ack, ServerNext: p.Seq, ServerSent: p.Seq}
	if fromClient {
		ends = enforce.TCPEnds{ClientNext: p.Seq, ClientSent: p.Seq, ServerNext: p.Ack, ServerSent: p.Ack}
	}
	toClient, toServer, err := w.crafter.Resets(p, fromClient, ends)
	if err != nil {
		w.counters.RefusalErrors++
		return
	}
	w.inject(p.Frame.Port, toClient)
	w.inject(p.Frame.Port, toServer)
}

// cuts reports whether a verdict on a flow that is only listened to resets it.
func (w *Worker) cuts(f *flow.Flow, a verdict.Action) bool {
	return w.cfg.Live && !w.cfg.Inline && !w.cfg.Monitor && f != nil && f.TCP != nil && a >= verdict.Reject
}

// sides gives the ports behind which a flow's client and server are.
func (w *Worker) sides(f *flow.Flow, p *decode.Packet) (client, server uint8) {
	port := p.Frame.Port
	if !w.cfg.Inline || len(w.cfg.Ifaces) < 2 {
		return port, port
	}
	other := port ^ 1
	if w.dir == protocol.ToServer {
		return port, other
	}
	return other, port
}

// tcpEnds gives the numbers that resets need. Inline, the packet in work is
// withheld: its receiver still waits for its first byte. Beside the wire it has
// arrived.
func (w *Worker) tcpEnds(f *flow.Flow, p *decode.Packet, fromClient bool) enforce.TCPEnds {
	c, s := f.TCP.NextSeq(protocol.ToServer), f.TCP.NextSeq(protocol.ToClient)
	n := enforce.TCPEnds{ClientNext: c, ClientSent: c, ServerNext: s, ServerSent: s}
	if st := w.state(f); st != nil && st.hold[w.dir] != nil && len(st.hold[w.dir].frames) > 0 {
		p = &st.hold[w.dir].packet // what is withheld already comes first
	}
	if !w.cfg.Inline || p.Payload == p.PayloadEnd {
		return n
	}
	if fromClient {
		n.ClientNext = p.Seq
	} else {
		n.ServerNext = p.Seq
	}
	return n
}

func (w *Worker) inject(port uint8, frame []byte) {
	if frame == nil {
		return
	}
	w.counters.Injected++
	w.injections = append(w.injections, enforce.Injection{Port: port, Frame: frame})
}

// ended handles a packet of a flow that was already blocked: it is withheld,
// and answered so that the ends let go.
func (w *Worker) ended(p *decode.Packet, f *flow.Flow, dir protocol.Dir) bool {
	opens := p.Proto == decode.ProtoTCP && p.TCPFlags&(decode.TCPSyn|decode.TCPAck|decode.TCPRst) == decode.TCPSyn && dir == protocol.ToServer
	if c, isCut := f.Enforce.(*cutFlow); isCut && !opens {
		if p.Frame != nil {
			w.cutAgain(c, p, dir == protocol.ToServer)
		}
		return true
	}
	if !opens {
		if w.cfg.Live && p.Frame != nil {
			w.answer(p, f, dir)
		}
		return false
	}
	// A new connection on the same ports is judged anew.
	w.f, w.dir = w.flows.Renew(f, p)
	w.begin(w.f)
	return w.judgePacket(p, w.f, w.dir)
}
