package decode

import (
	"fmt"
	"strings"
)

// Event is an anomaly that decoding, defragmentation or stream tracking saw.
// Its name is Suricata's (decode-event and stream-event keywords, EVE anomaly).
type Event uint16

// StreamEvents is the first value of the range that stream tracking names
// through RegisterEvents; the decoder's own events are below.
const StreamEvents Event = 512

// maxEvent bounds the name table: values are small by design.
const maxEvent = 1024

var (
	eventName   [maxEvent]string
	eventByName = map[string]Event{}
)

// RegisterEvents names the events base, base+1, … and reports true, so that it
// can be called from a package-level variable. It panics on a value or a name
// that is taken: that is a mistake in the program. It is not safe for
// concurrent use; call it during initialisation only.
func RegisterEvents(base Event, names []string) bool {
	for i, n := range names {
		e := int(base) + i
		if e >= maxEvent || n == "" || eventName[e] != "" {
			panic(fmt.Sprintf("decode: event %d (%q) cannot be registered", e, n))
		}
		if _, taken := eventByName[n]; taken {
			panic(fmt.Sprintf("decode: event name %q is registered twice", n))
		}
		eventName[e] = n
		eventByName[n] = Event(e)
	}
	return true
}

// String gives the event's name as rules write it ("ipv4.pkt_too_small"), or
// "event-N" where it has none. EVE's anomaly.event puts "decoder." before the
// name of a decoder event.
func (e Event) String() string {
	if int(e) < maxEvent && eventName[e] != "" {
		return eventName[e]
	}
	return fmt.Sprintf("event-%d", uint16(e))
}

// EventByName gives the event that a rule's decode-event or stream-event names.
// A leading "decoder." is accepted, and the two names that early rule sets used
// for fragments. Only events that can really occur have a name, so that a rule
// on any other is refused, not silently dead.
func EventByName(name string) (Event, bool) {
	name = strings.TrimPrefix(name, "decoder.")
	if new, ok := oldEventNames[name]; ok {
		name = new
	}
	e, ok := eventByName[name]
	return e, ok
}

var oldEventNames = map[string]string{
	"ipv4.frag.too_large": "ipv4.frag_pkt_too_large",
	"ipv4.frag.overlap":   "ipv4.frag_overlap",
	"ipv6.frag.too_large": "ipv6.frag_pkt_too_large",
	"ipv6.frag.overlap":   "ipv6.frag_overlap",
}
