package http2

import "sluice/dataplane/protocol"

// Bounds of what is noted of one direction of a transaction.
const (
	maxTypes   = 16
	maxNumbers = 32
)

type settingValue struct {
	id    uint16
	value uint32
}

// facts are the numbers of a transaction's frames in one direction, each list
// without its repetitions beyond the bounds.
type facts struct {
	types      []uint8
	errors     []uint32
	priorities []uint8
	windows    []uint32
	updates    []uint64
	settings   []settingValue
}

func (f *facts) reset() {
	*f = facts{f.types[:0], f.errors[:0], f.priorities[:0], f.windows[:0], f.updates[:0], f.settings[:0]}
}

func note[T comparable](list []T, v T, limit int) []T {
	for _, x := range list {
		if x == v {
			return list
		}
	}
	if len(list) < limit {
		list = append(list, v)
	}
	return list
}

func (f *facts) frameType(t uint8)   { f.types = note(f.types, t, maxTypes) }
func (f *facts) errorCode(c uint32)  { f.errors = note(f.errors, c, maxNumbers) }
func (f *facts) priority(w uint8)    { f.priorities = note(f.priorities, w, maxNumbers) }
func (f *facts) window(n uint32)     { f.windows = note(f.windows, n, maxNumbers) }
func (f *facts) sizeUpdate(n uint64) { f.updates = note(f.updates, n, maxNumbers) }
func (f *facts) setting(id uint16, v uint32) {
	f.settings = note(f.settings, settingValue{id, v}, maxNumbers)
}

// Field gives instance i of a number that rules test, by keyword:
// http2.frametype, http2.errorcode, http2.priority (the weight as sent),
// http2.window, http2.size_update, and http2.settings as the setting's
// identifier in the upper 32 bits and its value in the lower. It returns false
// where there is none.
func (ex *exchange) Field(id string, dir protocol.Dir, i int) (uint64, bool) {
	f := &ex.facts[dir]
	switch id {
	case "http2.frametype":
		return at(f.types, i)
	case "http2.errorcode":
		return at(f.errors, i)
	case "http2.priority":
		return at(f.priorities, i)
	case "http2.window":
		return at(f.windows, i)
	case "http2.size_update":
		return at(f.updates, i)
	case "http2.settings":
		if i >= 0 && i < len(f.settings) {
			s := f.settings[i]
			return uint64(s.id)<<32 | uint64(s.value), true
		}
	}
	return 0, false
}

func at[T uint8 | uint32 | uint64](list []T, i int) (uint64, bool) {
	if i < 0 || i >= len(list) {
		return 0, false
	}
	return uint64(list[i]), true
}

// errorNames are the error codes of RFC 9113 §7 by number.
var errorNames = [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}

// settingNames are the settings of RFC 9113 §6.5.2 by identifier.
var settingNames = [...]string{1: "SETTINGS_HEADER_TABLE_SIZE", 2: "SETTINGS_ENABLE_PUSH", 3: "SETTINGS_MAX_CONCURRENT_STREAMS",
	4: "SETTINGS_INITIAL_WINDOW_SIZE", 5: "SETTINGS_MAX_FRAME_SIZE", 6: "SETTINGS_MAX_HEADER_LIST_SIZE"}
