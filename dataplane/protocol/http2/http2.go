// Package http2 reads HTTP/2 (RFC 9113, HPACK RFC 7541) as it passes by. It
// takes ordered bytes of both directions, gaps marked, and gives a transaction
// for each stream and for each frame that belongs to none, the sticky buffers of
// HTTP/1 and those of HTTP/2's own, bodies as objects after content decoding,
// and event records. It knows neither flows nor rules.
//
// Flow control and stream states are not enforced: an inspector cannot know what
// an end tolerates, so whatever data comes is given on. Where header compression
// state was lost (a capture that begins late, a gap), unknown table entries stand
// in as placeholders, and decoding goes on.
package http2

import (
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/http1"
)

// Progress of a transaction, in each direction: that much is complete. The
// values are http1's, because both protocols fill the same buffers.
const (
	ProgressStarted  = http1.ProgressStarted
	ProgressLine     = http1.ProgressLine
	ProgressHeaders  = http1.ProgressHeaders
	ProgressBody     = http1.ProgressBody
	ProgressTrailer  = http1.ProgressTrailer
	ProgressComplete = http1.ProgressComplete
)

// Slots of the buffers that HTTP/1 does not have.
const (
	slotHeaderName uint8 = iota
	slotHeader
)

// Definition describes HTTP/2 to the registry.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.HTTP2, slot), Name: name, Dirs: protocol.DirsBoth, Progress: ProgressHeaders, Multi: true}
	}
	return &protocol.Definition{
		Events:   eventNames,
		ID:       protocol.HTTP2,
		TCP:      true,
		Ports:    []uint16{50051},
		Probe:    Probe,
		New:      func(*protocol.Env) protocol.Parser { return newParser() },
		Frames:   frames[:],
		Buffers:  []protocol.BufferSpec{spec(slotHeaderName, "http2.header_name"), spec(slotHeader, "http2.header")},
		Complete: [2]uint8{ProgressComplete, ProgressComplete},
		States: [2][]string{
			{"request_started", "request_line", "request_headers", "request_body", "request_trailer", "request_complete"},
			{"response_started", "response_line", "response_headers", "response_body", "response_trailer", "response_complete"},
		},
	}
}

// DoH2 describes DNS over HTTP/2 (RFC 8484): flows of HTTP/2 that carry it go by
// this name once that shows. HTTP/2's parser reads them.
func DoH2() *protocol.Definition {
	d := Definition()
	return &protocol.Definition{ID: protocol.DoH2, Events: eventNames, Complete: d.Complete, States: d.States}
}

// Also lists the buffers of HTTP/1 that Parser.Buffer gives for transactions of
// HTTP/2 too, and those bodies that reach the ObjectSink as KindBody objects.
func Also() []protocol.BufferSpec {
	var list []protocol.BufferSpec
	for _, b := range http1.Definition().Buffers {
		if b.Body || http1Slots[b.ID.Slot()] != wantNothing {
			list = append(list, b)
		}
	}
	return list
}
