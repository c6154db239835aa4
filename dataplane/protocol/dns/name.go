package dns

// Bounds of names. RFC 1035 §2.3.4 allows 255 octets; what is longer is kept
// up to maxName, since tunnels and fuzzers send it.
const (
	maxName   = 1025
	maxLabels = 255
	maxJumps  = 255
	// maxArena bounds the decompressed names of one message, which pointers
	// could otherwise multiply.
	maxArena = 128 << 10
)

// faults are what can be wrong with a message, as a set.
type faults uint16

const (
	faultMalformed faults = 1 << iota
	faultNotRequest
	faultNotResponse
	faultZFlag
	faultOpcode
	faultNameTooLong
	faultLoop
	faultLabels
	faultAuthorities
	faultAdditionals
	faultFlooded
)

var faultNames = [...]string{"malformed_data", "not_request", "not_response", "z_flag_set", "invalid_opcode",
	"name_too_long", "infinite_loop", "too_many_labels", "invalid_authorities", "invalid_additionals", "flooded"}

// span is a run of bytes of the arena or of the message.
type span struct{ off, len uint32 }

// name reads the possibly compressed name at off (RFC 1035 §4.1.4), appends it
// to the arena with dots between labels, and gives the offset after it. ok is
// false when the message ends within the name or a label is of an unknown kind.
func (m *Message) name(off int) (s span, next int, ok bool) {
	s.off = uint32(len(m.arena))
	next = -1
	labels, jumps := 0, 0
	data := m.raw
	for {
		if off >= len(data) {
			return s, 0, false
		}
		c := int(data[off])
		switch {
		case c == 0:
			if next < 0 {
				next = off + 1
			}
			s.len = uint32(len(m.arena)) - s.off
			return s, next, true
		case c < 0x40:
			if off+1+c > len(data) {
				return s, 0, false
			}
			if labels++; labels > maxLabels {
				m.faults |= faultLabels
				if next < 0 {
					// No honest name comes here, but the records after it count.
					next = skipName(data, off)
				}
				s.len = uint32(len(m.arena)) - s.off
				return s, next, next > 0
			}
			if n := len(m.arena) - int(s.off); n+c+1 > maxName || len(m.arena)+c+1 > maxArena {
				m.faults |= faultNameTooLong
				if next < 0 {
					next = skipName(data, off)
				}
				s.len = uint32(n)
				return s, next, next > 0
			}
			if labels > 1 {
				m.arena = append(m.arena, '.')
			}
			m.arena = append(m.arena, data[off+1:off+1+c]...)
			off += 1 + c
		case c >= 0xc0:
			if off+1 >= len(data) {
				return s, 0, false
			}
			if next < 0 {
				next = off + 2
			}
			if jumps++; jumps > maxJumps {
				m.faults |= faultLoop
				s.len = uint32(len(m.arena)) - s.off
				return s, next, true
			}
			off = (c&0x3f)<<8 | int(data[off+1])
		default:
			return s, 0, false
		}
	}
}

// skipName gives the offset after the name at off, or 0 when there is none.
func skipName(data []byte, off int) int {
	for off < len(data) {
		c := int(data[off])
		switch {
		case c == 0:
			return off + 1
		case c < 0x40:
			off += 1 + c
		case c >= 0xc0 && off+2 <= len(data):
			return off + 2
		default:
			return 0
		}
	}
	return 0
}

// printable gives a name or text as EVE shows it: as it is when it is valid
// UTF-8 without control characters, else with \xNN for each other byte.
func printable(b []byte) string {
	clean := true
	for _, c := range b {
		if c < 0x20 || c >= 0x7f || c == '\\' {
			clean = false
			break
		}
	}
	if clean {
		return string(b)
	}
	const hex = "0123456789abcdef"
	out := make([]byte, 0, len(b)+16)
	for _, c := range b {
		switch {
		case c == '\\':
			out = append(out, '\\', '\\')
		case c < 0x20 || c >= 0x7f:
			out = append(out, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
