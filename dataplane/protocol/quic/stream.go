package quic

// stream puts the pieces of a handshake into order (RFC 9000 §19.6). Clients
// send them out of order on purpose.
type stream struct {
	b      []byte
	ranges []span // disjoint, in order
}

type span struct{ from, to int }

// put takes a piece. What lies beyond the longest hello, or makes more holes
// than a hello has pieces, is left out.
func (s *stream) put(off uint64, data []byte) {
	if len(data) == 0 || off >= maxHello || uint64(len(data)) > maxHello-off {
		return
	}
	from, to := int(off), int(off)+len(data)
	if to > len(s.b) {
		s.b = append(s.b, make([]byte, to-len(s.b))...)
	}
	copy(s.b[from:], data)
	i := 0
	for i < len(s.ranges) && s.ranges[i].to < from {
		i++
	}
	j := i
	for j < len(s.ranges) && s.ranges[j].from <= to {
		from, to = min(from, s.ranges[j].from), max(to, s.ranges[j].to)
		j++
	}
	if i == j && len(s.ranges) >= maxRanges {
		return
	}
	s.ranges = append(s.ranges[:i], append([]span{{from, to}}, s.ranges[j:]...)...)
}

// ready gives the bytes from the beginning up to the first hole.
func (s *stream) ready() []byte {
	if len(s.ranges) == 0 || s.ranges[0].from > 0 {
		return nil
	}
	return s.b[:s.ranges[0].to]
}
