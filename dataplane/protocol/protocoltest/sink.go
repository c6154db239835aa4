// Package protocoltest helps to test protocol parsers: a sink that records
// objects, dialogues that can be cut at random places and fed to a parser, and
// dialogues read from capture files. It is for tests only and may know any
// parser's seam, but no parser.
package protocoltest

import (
	"bytes"
	"fmt"

	"sluice/dataplane/protocol"
)

// Object is a recorded object.
type Object struct {
	Kind                                     protocol.ObjectKind
	Dir                                      protocol.Dir
	TxID                                     uint64
	Name, ContentType, Encoding, Unscannable string
	Start, Total, RuleLimit                  uint64
	File, Container, Gaps                    bool
	State                                    protocol.ObjectState
	Data                                     []byte
	// Missing counts bytes told by ObjectGap.
	Missing uint64
}

// Sink records objects in the order in which they were opened. It implements
// protocol.ObjectSink and notes breaches of its contract in Faults.
type Sink struct {
	Objects []*Object
	Faults  []string
	open    map[*protocol.Object]*Object
}

func (s *Sink) fault(format string, args ...any) {
	s.Faults = append(s.Faults, fmt.Sprintf(format, args...))
}

// OpenObject implements protocol.ObjectSink.
func (s *Sink) OpenObject(o *protocol.Object) {
	if s.open == nil {
		s.open = map[*protocol.Object]*Object{}
	}
	if s.open[o] != nil {
		s.fault("object %q opened twice", o.Name)
		return
	}
	if o.Tx == nil {
		s.fault("object %q has no transaction", o.Name)
	}
	r := &Object{}
	s.open[o] = r
	s.Objects = append(s.Objects, r)
}

// ObjectData implements protocol.ObjectSink.
func (s *Sink) ObjectData(o *protocol.Object, data []byte) {
	r := s.open[o]
	if r == nil {
		s.fault("data for object %q that is not open", o.Name)
		return
	}
	if len(data) == 0 {
		s.fault("empty data for object %q", o.Name)
	}
	if o.Size != uint64(len(r.Data)) {
		s.fault("object %q: size %d before, %d bytes given: the count is the sink's", o.Name, o.Size, len(r.Data))
	}
	r.Data = append(r.Data, data...)
	o.Size += uint64(len(data))
}

// ObjectGap implements protocol.ObjectSink.
func (s *Sink) ObjectGap(o *protocol.Object, n uint64) {
	if r := s.open[o]; r != nil {
		r.Missing += n
		o.Gaps = true
	} else {
		s.fault("gap in object %q that is not open", o.Name)
	}
}

// CloseObject implements protocol.ObjectSink.
func (s *Sink) CloseObject(o *protocol.Object, state protocol.ObjectState) {
	r := s.open[o]
	if r == nil {
		s.fault("object %q closed that is not open", o.Name)
		return
	}
	delete(s.open, o)
	data, missing := r.Data, r.Missing
	*r = Object{Kind: o.Kind, Dir: o.Dir, Name: o.Name, ContentType: o.ContentType, Encoding: o.Encoding,
		Unscannable: o.Unscannable, Start: o.Start, Total: o.Total, RuleLimit: o.RuleLimit, File: o.File, Container: o.Container,
		Gaps: o.Gaps, State: state, Data: data, Missing: missing}
	if o.Tx != nil {
		r.TxID = o.Tx.ID
	}
}

// Check gives an error when the contract was broken or an object is open.
func (s *Sink) Check() error {
	for o := range s.open {
		s.fault("object %q was left open", o.Name)
	}
	if len(s.Faults) > 0 {
		return fmt.Errorf("object sink: %q", s.Faults)
	}
	return nil
}

// Find gives the first object with a name, or nil.
func (s *Sink) Find(name string) *Object {
	for _, o := range s.Objects {
		if o.Name == name {
			return o
		}
	}
	return nil
}

// Contains reports whether some object that is no container holds text.
func (s *Sink) Contains(text string) bool {
	for _, o := range s.Objects {
		if !o.Container && bytes.Contains(o.Data, []byte(text)) {
			return true
		}
	}
	return false
}
