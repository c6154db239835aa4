package ftp

import (
	"errors"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/decompress"
	"sluice/dataplane/protocol/expect"
	"sluice/events"
)

// DataDefinition describes FTP's data connections. They cannot be recognised
// by their bytes: a flow is one when a control connection has announced it.
func DataDefinition() *protocol.Definition {
	return &protocol.Definition{
		ID:       protocol.FTPData,
		New:      func(*protocol.Env) protocol.Parser { return &DataParser{} },
		Complete: [2]uint8{1, 1},
		States:   [2][]string{{"request_started", "request_complete"}, {"response_started", "response_complete"}},
	}
}

// Data is the State of a data connection's transaction.
type Data struct {
	transfer *expect.Transfer
	parent   uint64
}

// The values of ftpdata_command.
const (
	DataRetr = 1
	DataStor = 2
)

// Field gives the number for the keyword ftpdata_command: DataRetr towards the
// client, DataStor towards the server, as seen from the control connection and
// whoever opened this one.
func (d *Data) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if name != "ftpdata_command" || i != 0 || d.transfer == nil {
		return 0, false
	}
	switch d.transfer.Command {
	case "RETR":
		return DataRetr, dir == protocol.ToClient
	case "STOR", "STOU", "APPE":
		return DataStor, dir == protocol.ToServer
	}
	return 0, false
}

// DataParser is one data connection: all that is sent in a direction is one
// object.
type DataParser struct {
	txs  protocol.TxList
	tx   *protocol.Tx
	hint *expect.Hint
	side [2]side
	// env is the current call's, for the decoder's output.
	env *protocol.Env
}

// side is a direction's content.
type side struct {
	obj  *protocol.Object
	dec  *decompress.Decoder
	deaf bool
}

// Hint takes what announced the connection, an *expect.Hint, before any byte.
func (p *DataParser) Hint(hint any) {
	if h, ok := hint.(*expect.Hint); ok {
		p.hint = h
	}
}

// User implements protocol.Login: who has logged in at the control connection.
func (p *DataParser) User(tx *protocol.Tx) string {
	if d, ok := tx.State.(*Data); ok && d.transfer != nil {
		return d.transfer.User
	}
	return ""
}

// Txs implements protocol.Parser.
func (p *DataParser) Txs() *protocol.TxList { return &p.txs }

// learn gives the transaction in progress, with what is known of it by now.
func (p *DataParser) learn(env *protocol.Env) (*protocol.Tx, *expect.Transfer) {
	if p.tx == nil {
		d := &Data{}
		if p.hint != nil {
			d.parent = p.hint.Parent()
		}
		p.tx = p.txs.Add(d, env.Now)
	}
	d := p.tx.State.(*Data)
	if d.transfer == nil && p.hint != nil {
		d.transfer = p.hint.Transfer()
	}
	return p.tx, d.transfer
}

// open begins a direction's object. Data may come before the command that asks
// for it has been seen: then it is a file whose name is not known yet.
func (p *DataParser) open(env *protocol.Env, dir protocol.Dir) *side {
	s := &p.side[dir]
	if s.obj != nil {
		return s
	}
	tx, t := p.learn(env)
	s.obj = &protocol.Object{Kind: protocol.KindFile, Dir: dir, Tx: tx, File: true, UntilEnd: true}
	if t != nil {
		s.obj.Name, s.obj.File, s.obj.Start = t.Name, t.File, t.Start
		if t.Deflated {
			s.dec = decompress.New([]decompress.Encoding{decompress.Deflate}, env.Limits, func(b []byte) {
				if len(b) > 0 {
					p.env.Objects.ObjectData(s.obj, b)
				}
			})
		}
	}
	env.Objects.OpenObject(s.obj)
	return s
}

// Parse implements protocol.Parser.
func (p *DataParser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	if len(data) == 0 {
		return protocol.Continue
	}
	s := p.open(env, dir)
	switch {
	case s.deaf:
	case s.dec != nil:
		p.env = env
		if err := s.dec.Write(data); err != nil {
			s.deaf = true
			s.unscannable(err)
		}
		p.env = nil
	default:
		env.Objects.ObjectData(s.obj, data)
	}
	return protocol.Continue
}

// Gap implements protocol.Parser.
func (p *DataParser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	s := p.open(env, dir)
	env.Objects.ObjectGap(s.obj, n)
	s.obj.Gaps = true
	if s.dec != nil && !s.deaf {
		// What is deflated cannot be read on after a hole.
		s.deaf = true
		s.obj.Unscannable = "encoding"
	}
	return protocol.Continue
}

// End implements protocol.Parser.
func (p *DataParser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if s.obj != nil {
		tx := s.obj.Tx
		p.close(env, s)
		tx.Progress = [2]uint8{1, 1}
		if tx == p.tx && p.side[dir.Other()].obj == nil {
			p.tx = nil
		}
		return
	}
	if other := &p.side[dir.Other()]; other.obj == nil && p.txs.Next == 0 && dir == protocol.ToClient {
		// Nothing was sent: an empty file or listing is a transfer as well.
		p.learn(env)
		p.tx.Progress = [2]uint8{1, 1}
		p.tx = nil
	}
}

func (p *DataParser) close(env *protocol.Env, s *side) {
	state := protocol.ObjectClosed
	if s.dec != nil {
		p.env = env
		err := s.dec.Close()
		p.env, s.dec = nil, nil
		if !s.deaf {
			s.unscannable(err)
		}
		if s.deaf || errors.Is(err, decompress.ErrTruncated) {
			state = protocol.ObjectTruncated
		}
	}
	if s.obj.Gaps {
		state = protocol.ObjectTruncated
	}
	p.name(s.obj)
	env.Objects.CloseObject(s.obj, state)
	s.obj, s.deaf = nil, false
}

// name completes what was not known when the object was opened: the command, or
// the name that the server chose. A listing is not reported as a file after all.
func (p *DataParser) name(o *protocol.Object) {
	d := o.Tx.State.(*Data)
	if p.hint == nil || o.Name != "" {
		return
	}
	if t := p.hint.Transfer(); t != nil && (d.transfer == nil || d.transfer.Command == t.Command) {
		d.transfer, o.Name, o.File = t, t.Name, t.File
	}
}

func (s *side) unscannable(err error) {
	switch {
	case errors.Is(err, decompress.ErrRatio):
		s.obj.Unscannable = "ratio"
	case errors.Is(err, decompress.ErrTooLarge):
		s.obj.Unscannable = "too-large"
	case errors.Is(err, decompress.ErrBroken), errors.Is(err, decompress.ErrTrailing):
		s.obj.Unscannable = "encoding"
	}
}

// Buffer implements protocol.Parser; the content is the object's.
func (p *DataParser) Buffer(*protocol.Tx, protocol.BufferID, protocol.Dir, int) ([]byte, bool) {
	return nil, false
}

// eveData is EVE's ftp_data object.
type eveData struct {
	Filename string `json:"filename,omitempty"`
	Command  string `json:"command,omitempty"`
}

// Record implements protocol.Parser. The control connection's flow is the
// event's parent.
func (p *DataParser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	d, ok := tx.State.(*Data)
	if !ok {
		return
	}
	ev.ParentID = d.parent
	r := eveData{}
	if t := d.transfer; t != nil {
		r.Filename, r.Command = t.Name, t.Command
	}
	ev.SetExtra("ftp_data", r)
}

var logData = []string{"ftp_data"}

// Log implements protocol.Parser.
func (p *DataParser) Log(*protocol.Tx) []string { return logData }
