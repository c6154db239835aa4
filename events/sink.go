package events

import "context"

// Record is one rendered event on its way to the sinks.
type Record struct {
	// Type is EVE's event_type.
	Type string
	// ID tells the record apart from all others, for de-duplication by sinks
	// that deliver at least once.
	ID string
	// JSON is the EVE object without a newline. It is borrowed: valid until
	// Write returns.
	JSON []byte
	// Event is what JSON was made of; not to be changed. It may be kept.
	Event *Event
}

// Sink takes rendered records: a file, a broker, a metric. The publisher calls
// it from one goroutine.
type Sink interface {
	// Name tells the sink apart in logs and counters.
	Name() string
	// Write takes a batch in order. It returns once it needs the records no
	// longer. An error is counted and logged; the batch is not offered again, so
	// a sink that can be unreachable keeps its own spool.
	Write(ctx context.Context, records []Record) error
	// Close delivers what the sink still holds, as far as ctx allows, and gives
	// back its resources.
	Close(ctx context.Context) error
}
