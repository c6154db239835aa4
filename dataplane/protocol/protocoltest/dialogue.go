package protocoltest

import (
	"cmp"
	"math/rand"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// Chunk is a run of bytes of one direction, a gap, or a direction's end.
type Chunk struct {
	Dir  protocol.Dir
	Data []byte
	Gap  uint64
	End  bool
}

// Dialogue is what the two ends of a flow send, in order of arrival.
type Dialogue struct {
	Chunks []Chunk
	// UDP tells that every chunk is a datagram, which cutting leaves whole.
	UDP              bool
	SrcPort, DstPort uint16
	// Limits bound the parser; nil means the defaults.
	Limits *protocol.Limits
}

// TCP makes a dialogue of client ("> ") and server ("< ") turns: each text is
// preceded by one of those marks.
func TCP(dstPort uint16, turns ...string) Dialogue {
	d := Dialogue{SrcPort: 40000, DstPort: dstPort}
	for _, t := range turns {
		c := Chunk{Data: []byte(t[2:])}
		if t[0] == '<' {
			c.Dir = protocol.ToClient
		}
		d.Chunks = append(d.Chunks, c)
	}
	return d
}

// Cut gives the same bytes cut at random places: the chunks keep their order,
// and neighbours of one direction may be joined.
func (d Dialogue) Cut(r *rand.Rand) Dialogue {
	if d.UDP {
		return d
	}
	out := d
	out.Chunks = nil
	bound := 1 + r.Intn(40)
	if r.Intn(3) == 0 {
		bound = 1
	}
	for i := 0; i < len(d.Chunks); i++ {
		c := d.Chunks[i]
		if len(c.Data) == 0 {
			out.Chunks = append(out.Chunks, c)
			continue
		}
		data := append([]byte(nil), c.Data...)
		for i+1 < len(d.Chunks) && d.Chunks[i+1].Dir == c.Dir && len(d.Chunks[i+1].Data) > 0 && r.Intn(2) == 0 {
			i++
			data = append(data, d.Chunks[i].Data...)
		}
		for len(data) > 0 {
			n := min(1+r.Intn(bound), len(data))
			out.Chunks = append(out.Chunks, Chunk{Dir: c.Dir, Data: data[:n:n]})
			data = data[n:]
		}
	}
	return out
}

// Tx is what a test sees of a transaction.
type Tx struct {
	ID       uint64
	Progress [2]uint8
	Events   []string
	Log      []string
	// Buffers holds every instance by keyword and direction ("to_server dns.query").
	Buffers map[string][]string
	Event   events.Event
}

// Result is what a parser made of a dialogue.
type Result struct {
	Txs     []Tx
	Objects []*Object
	// Skipped tells the directions that the parser wanted no more of.
	Skipped [2]bool
	Status  protocol.Status
	// SwitchTo and Rest are set when Status is Switch.
	SwitchTo protocol.ID
	Rest     string
	// Flow is Record's answer without a transaction.
	Flow events.Event
	// Frames are those announced, with the bytes that they have of the dialogue.
	Frames []string
	Parser protocol.Parser `json:"-"`
	Sink   *Sink
}

// NewEnv makes an environment for a dialogue.
func NewEnv(d Dialogue, sink *Sink) *protocol.Env {
	return &protocol.Env{Objects: sink, Limits: cmp.Or(d.Limits, protocol.DefaultLimits()), Now: 1, SrcPort: d.SrcPort, DstPort: d.DstPort, Datagram: d.UDP}
}

// Run feeds a new parser of def with the dialogue, ends both directions and
// collects what it found. It stops at Error and Switch. Every chunk is handed
// over in memory that is overwritten afterwards, so that borrowed bytes show.
func Run(def *protocol.Definition, d Dialogue) *Result {
	sink := &Sink{}
	env := NewEnv(d, sink)
	frames := newFrames(def, env, d)
	p := def.New(env)
	r := &Result{Parser: p, Sink: sink}
feed:
	for _, c := range d.Chunks {
		if r.Skipped[c.Dir] && !c.End {
			continue
		}
		st := protocol.Continue
		frames.place(c)
		switch {
		case c.End:
			p.End(env, c.Dir)
		case c.Gap > 0:
			st = p.Gap(env, c.Dir, c.Gap)
		default:
			buf := append([]byte(nil), c.Data...)
			st = p.Parse(env, c.Dir, buf)
			if st == protocol.Switch {
				r.Rest = string(env.Rest)
			}
			for i := range buf {
				buf[i] = 0xdb
			}
		}
		switch st {
		case protocol.Skip:
			r.Skipped[c.Dir] = true
		case protocol.Error, protocol.Switch:
			r.Status, r.SwitchTo = st, env.SwitchTo
			break feed
		}
	}
	for dir := protocol.ToServer; dir <= protocol.ToClient; dir++ {
		frames.place(Chunk{Dir: dir})
		p.End(env, dir)
	}
	r.Frames = frames.resolve()
	r.Objects = sink.Objects
	r.Txs = Collect(def, p)
	p.Record(nil, &r.Flow)
	return r
}

// Collect gives what tests compare of a parser's live transactions.
func Collect(def *protocol.Definition, p protocol.Parser) []Tx {
	var txs []Tx
	for _, tx := range p.Txs().Live {
		t := Tx{ID: tx.ID, Progress: tx.Progress, Events: tx.Events, Log: p.Log(tx), Buffers: map[string][]string{}}
		for _, b := range def.Buffers {
			if b.Body {
				continue
			}
			for _, dir := range []protocol.Dir{protocol.ToServer, protocol.ToClient} {
				for i := 0; ; i++ {
					v, ok := p.Buffer(tx, b.ID, dir, i)
					if !ok {
						break
					}
					key := dir.String() + " " + b.Name
					t.Buffers[key] = append(t.Buffers[key], string(v))
					if !b.Multi || i > 1<<16 {
						break
					}
				}
			}
		}
		p.Record(tx, &t.Event)
		txs = append(txs, t)
	}
	return txs
}
