package worker

import (
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
)

// discard is the worker as the parser of a flow sees it that a verdict has
// ended: what is still open gives back its memory and is told to nobody.
type discard Worker

var _ protocol.ObjectSink = (*discard)(nil)

// OpenObject implements protocol.ObjectSink.
func (s *discard) OpenObject(o *protocol.Object) {
	if o.Tx != nil {
		o.Tx.OpenObjects++
	}
}

// ObjectData implements protocol.ObjectSink.
func (s *discard) ObjectData(o *protocol.Object, data []byte) { o.Size += uint64(len(data)) }

// ObjectGap implements protocol.ObjectSink.
func (s *discard) ObjectGap(o *protocol.Object, _ uint64) { o.Gaps = true }

// CloseObject implements protocol.ObjectSink.
func (s *discard) CloseObject(o *protocol.Object, state protocol.ObjectState) {
	o.State = state
	if o.Tx != nil {
		o.Tx.OpenObjects--
	}
	(*Worker)(s).closeSums(o)
	(*Worker)(s).endStoring((*Worker)(s).closeStoring(o), nil)
	if ob, ok := o.Sink.(*inspect.Object); ok {
		o.Sink = nil
		spool, _ := (*Worker)(s).takeSpool(ob)
		spool.Free()
		ob.Abandon()
	}
}
