package main

import (
	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
	"sluice/internal/app"
)

// stage is a part of the pipeline from its beginning.
type stage struct {
	name string
	run  func(pcap string) error
}

var stages = []stage{
	{"read the file", func(pcap string) error { return frames(pcap, func(*capture.Frame) {}) }},
	{"decode", func(pcap string) error {
		d := decode.New(decode.Config{})
		return frames(pcap, func(f *capture.Frame) { d.Decode(f) })
	}},
	{"decode, flow", func(pcap string) error {
		d, t := decode.New(decode.Config{}), flow.NewTable(flow.Config{})
		return frames(pcap, func(f *capture.Frame) {
			for i, pkts := 0, d.Decode(f); i < len(pkts); i++ {
				t.Get(&pkts[i])
			}
		})
	}},
	{"decode, flow, stream, protocol", parse},
}

// parser gives the bytes of streams to their protocols, whose objects nobody
// looks at.
type parser struct {
	reg *protocol.Registry
	env protocol.Env
	f   *flow.Flow
}

func (p *parser) StreamData(dir protocol.Dir, _ uint64, data []byte) {
	p.f.App.Data(p.reg, &p.env, dir, data)
	if p.f.App.Skipped(dir) {
		p.f.TCP.SkipDir(dir)
	}
	p.prune()
}

func (p *parser) StreamGap(dir protocol.Dir, _, n uint64) { p.f.App.Gap(p.reg, &p.env, dir, n) }

func (p *parser) StreamEnd(dir protocol.Dir) {
	p.f.App.End(p.reg, &p.env, dir)
	p.prune()
}

func (p *parser) prune() {
	if q := p.f.App.Parser(); q != nil {
		def := p.reg.Definition(p.f.App.ParserProto())
		q.Txs().Prune(func(tx *protocol.Tx) bool {
			return tx.Progress[0] >= def.Complete[0] && tx.Progress[1] >= def.Complete[1]
		})
	}
}

func (p *parser) OpenObject(*protocol.Object)                        {}
func (p *parser) ObjectData(*protocol.Object, []byte)                {}
func (p *parser) ObjectGap(*protocol.Object, uint64)                 {}
func (p *parser) CloseObject(*protocol.Object, protocol.ObjectState) {}

func parse(pcap string) error {
	reg, err := app.Registry()
	if err != nil {
		return err
	}
	p := &parser{reg: reg}
	p.env = protocol.Env{Objects: p, Limits: protocol.DefaultLimits(), Inline: true}
	cfg := stream.DefaultConfig()
	cfg.Inline = true
	d, tcp := decode.New(decode.Config{}), stream.NewEngine(cfg)
	end := func(f *flow.Flow, _ flow.Reason) {
		p.f = f
		if f.TCP != nil {
			tcp.Close(f.TCP, p)
		}
		f.App.Release()
	}
	t := flow.NewTable(flow.Config{Evict: end})
	err = frames(pcap, func(fr *capture.Frame) {
		p.env.Now = fr.Time
		for i, pkts := 0, d.Decode(fr); i < len(pkts); i++ {
			pkt := &pkts[i]
			f, dir, _ := t.Get(pkt)
			if f == nil {
				continue
			}
			p.f = f
			p.env.SrcPort, p.env.DstPort = f.ClientPort, f.ServerPort
			switch pkt.Proto {
			case decode.ProtoTCP:
				tcp.Segment(f.TCP, pkt, dir, p)
				t.Update(f)
			case decode.ProtoUDP:
				if b := pkt.PayloadBytes(); len(b) > 0 {
					f.App.Datagram(reg, &p.env, dir, b)
					p.prune()
				}
			}
		}
	})
	t.Flush(end)
	return err
}
