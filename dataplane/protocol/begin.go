package protocol

// Upgrade is what the request that led from HTTP to another protocol has told: a
// hint to the other one's parser.
type Upgrade struct {
	// Host is the server's name in lower case, without a port; Path is the path
	// asked for. Either may be empty.
	Host, Path string
}

// Named is implemented by parsers that know a server's name from the protocol
// before theirs.
type Named interface {
	// Domain gives the name, empty where it is not known.
	Domain() string
}

// Hinter is implemented by parsers of flows that another flow, or the protocol that
// the flow spoke before, has announced.
type Hinter interface {
	// Hint takes what the announcing parser left for this one. It is
	// called before any byte.
	Hint(hint any)
}

// Begin makes a protocol the flow's before its first byte, because another
// flow has announced it, and gives its parser the hint. It reports false, and
// does nothing, where bytes were seen already or there is no such parser.
func (s *Session) Begin(r *Registry, env *Env, id ID, hint any) bool {
	def := r.Definition(id)
	if def == nil || def.New == nil || s.agreed != Unknown || s.parser != nil || s.first != 0 {
		return false
	}
	s.agreed, s.speaks, s.parser = id, id, def.New(env)
	for d := range s.state {
		s.state[d] |= decided
		s.found[d] = id
	}
	if h, ok := s.parser.(Hinter); ok {
		h.Hint(hint)
	}
	return true
}
