package app

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/dataplane/worker"
	"sluice/internal/topk"
)

// Rate is how much went by in a second.
type Rate struct {
	Bytes   float64 `json:"bytes"`
	Packets float64 `json:"packets"`
}

func (r *Rate) add(o Rate) {
	r.Bytes += o.Bytes
	r.Packets += o.Packets
}

// TalkRates are what somebody sent in a second, and what became of it.
type TalkRates struct {
	Total     Rate `json:"total"`
	Inspected Rate `json:"inspected"`
	Bypassed  Rate `json:"bypassed"`
	Dropped   Rate `json:"dropped"`
}

func (r *TalkRates) add(o TalkRates) {
	r.Total.add(o.Total)
	r.Inspected.add(o.Inspected)
	r.Bypassed.add(o.Bypassed)
	r.Dropped.add(o.Dropped)
}

// TalkSource is a host that sends.
type TalkSource struct {
	Host netip.Addr `json:"host"`
	TalkRates
}

// TalkService is a port that flows go to.
type TalkService struct {
	Proto string `json:"proto"`
	Port  uint16 `json:"port"`
	TalkRates
}

// TalkFlow is a flow, with what both of its ends send.
type TalkFlow struct {
	Proto    string         `json:"proto"`
	AppProto string         `json:"app_proto,omitempty"`
	Client   netip.AddrPort `json:"client"`
	Server   netip.AddrPort `json:"server"`
	VLAN     []uint16       `json:"vlan,omitempty"`
	TalkRates
}

// Talkers are who sent most in the last second, most first, as far as the workers
// saw it: what XDP drops they do not see.
type Talkers struct {
	Seconds float64 `json:"over_seconds"`
	// Sampled tells that there were too many packets to count each.
	Sampled  bool          `json:"sampled,omitempty"`
	Sources  []TalkSource  `json:"sources"`
	Services []TalkService `json:"services"`
	Flows    []TalkFlow    `json:"flows"`
}

const (
	// maxTalkers is how many of a kind are told, talkersOf how many of each worker
	// are looked at for them.
	maxTalkers = 20
	talkersOf  = 256
	// watchTime is for how long the workers count after somebody looked.
	watchTime = 10 * time.Second
)

// talkerWatch has the workers count their talkers while somebody looks.
type talkerWatch struct {
	mu     sync.Mutex
	on     bool
	until  time.Time
	latest *Talkers
	spare  []*worker.Talkers
}

// look gives the talkers of the last second, nil where there are none yet, and
// has the workers count for some time more.
func (t *talkerWatch) look(workers []*processor, now time.Time) *Talkers {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = now.Add(watchTime)
	if !t.on {
		t.on = true
		t.turn(workers)
	}
	return t.latest
}

// collect takes what the workers have counted. Call it about once a second.
func (t *talkerWatch) collect(workers []*processor, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on {
		return
	}
	if now.After(t.until) {
		for _, p := range workers {
			p.w.Watch(nil)
		}
		t.on, t.latest, t.spare = false, nil, nil
		return
	}
	got := t.turn(workers)
	if len(got) == 0 {
		return
	}
	t.latest = sumTalkers(got)
	for _, g := range got {
		g.Reset()
	}
	t.spare = append(t.spare, got...)
}

// turn gives each worker an empty count and takes the full one.
func (t *talkerWatch) turn(workers []*processor) (got []*worker.Talkers) {
	for _, p := range workers {
		var empty *worker.Talkers
		if n := len(t.spare); n > 0 {
			empty, t.spare = t.spare[n-1], t.spare[:n-1]
		} else {
			empty = worker.NewTalkers()
		}
		if full := p.w.Watch(empty); full != nil {
			got = append(got, full)
		}
	}
	return got
}

// sumTalkers adds up what several workers counted.
func sumTalkers(all []*worker.Talkers) *Talkers {
	sources, services, flows := map[decode.Addr]*TalkSource{}, map[worker.TalkerService]*TalkService{}, map[worker.TalkerFlow]*TalkFlow{}
	out := &Talkers{}
	for _, t := range all {
		seconds := time.Duration(t.End - t.Begin).Seconds()
		if seconds <= 0 {
			continue
		}
		out.Seconds, out.Sampled = max(out.Seconds, seconds), out.Sampled || t.Sampled
		addTop(sources, t.Sources, func(k decode.Addr, n *worker.TalkerCount) TalkSource {
			return TalkSource{k.Netip(), talkRates(n, seconds)}
		})
		addTop(services, t.Services, func(k worker.TalkerService, n *worker.TalkerCount) TalkService {
			return TalkService{worker.ProtoName(k.Proto), k.Port, talkRates(n, seconds)}
		})
		addTop(flows, t.Flows, func(k worker.TalkerFlow, n *worker.FlowCount) TalkFlow {
			return talkFlow(k, n, seconds)
		})
	}
	out.Sources, out.Services, out.Flows = heaviest(sources), heaviest(services), heaviest(flows)
	return out
}

// talker is a pointer to one kind of talker.
type talker[T any] interface {
	*T
	rates() *TalkRates
}

func (r *TalkRates) rates() *TalkRates { return r }

func addTop[K comparable, C, T any, P talker[T]](sum map[K]P, s *topk.Sketch[K, C], make func(K, *C) T) {
	for _, e := range s.Top(talkersOf) {
		one := make(e.Key, &e.Count)
		if p := sum[e.Key]; p != nil {
			p.rates().add(*P(&one).rates())
			continue
		}
		sum[e.Key] = &one
	}
}

// heaviest gives the first by bytes.
func heaviest[K comparable, T any, P talker[T]](sum map[K]P) []T {
	out := make([]T, 0, len(sum))
	for _, p := range sum {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b T) int {
		x, y := P(&a).rates().Total, P(&b).rates().Total
		return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(y.Packets, x.Packets))
	})
	return out[:min(len(out), maxTalkers)]
}

func talkRates(n *worker.TalkerCount, seconds float64) (r TalkRates) {
	of := func(f worker.Fate) Rate { return Rate{float64(n.Bytes[f]) / seconds, float64(n.Packets[f]) / seconds} }
	r.Inspected, r.Bypassed, r.Dropped = of(worker.FateInspected), of(worker.FateBypassed), of(worker.FateDropped)
	r.Total.add(r.Inspected)
	r.Total.add(r.Bypassed)
	r.Total.add(r.Dropped)
	return r
}

func talkFlow(k worker.TalkerFlow, n *worker.FlowCount, seconds float64) TalkFlow {
	f := TalkFlow{Proto: worker.ProtoName(k.Proto), Client: netip.AddrPortFrom(k.Client.Netip(), k.ClientPort),
		Server: netip.AddrPortFrom(k.Server.Netip(), k.ServerPort), TalkRates: talkRates(&n.TalkerCount, seconds)}
	switch k.Proto {
	case decode.ProtoTCP, decode.ProtoUDP, decode.ProtoSCTP:
	default: // type and code of ICMP
		f.Client, f.Server = netip.AddrPortFrom(f.Client.Addr(), 0), netip.AddrPortFrom(f.Server.Addr(), 0)
	}
	if n.App != protocol.Unknown && n.App != protocol.Failed {
		f.AppProto = n.App.String()
	}
	for _, v := range k.VLAN {
		if v != 0 {
			f.VLAN = append(f.VLAN, v)
		}
	}
	return f
}

// workers gives all workers.
func (d *Daemon) workers() []*processor {
	var out []*processor
	for _, g := range d.groups {
		out = append(out, g.procs...)
	}
	return out
}
