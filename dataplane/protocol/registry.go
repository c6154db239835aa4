package protocol

import (
	"fmt"
	"sort"
)

// Registry is the immutable set of protocols of a program. It is safe for
// concurrent use.
type Registry struct {
	defs     [NumIDs]*Definition
	tcp, udp []*Definition
	// tcpMask and udpMask have a bit for each protocol's ID.
	tcpMask, udpMask uint64
	ports            map[uint16]uint64
	buffers          map[string]BufferSpec
	names            map[BufferID]string
	list             []BufferSpec
}

// anyBuffers are the buffers that the worker fills for every protocol.
var anyBuffers = []BufferSpec{
	{ID: BufPayload, Name: "payload", Dirs: DirsBoth, Body: true},
	{ID: BufFileData, Name: "file.data", Dirs: DirsBoth, Multi: true, Body: true},
	{ID: BufFileName, Name: "file.name", Dirs: DirsBoth, Multi: true, Body: true},
	{ID: BufFileMagic, Name: "file.magic", Dirs: DirsBoth, Multi: true, Body: true},
}

// nameAliases are further spellings of protocols in rule headers.
var nameAliases = map[string]ID{
	"http1": HTTP1, "ssl": TLS, "ftpdata": FTPData, "ikev2": IKE, "doh": DoH2, "postgresql": PGSQL,
}

// NewRegistry checks the definitions and makes the set. A protocol defined
// twice, a buffer name used twice, a buffer of another protocol's number range
// and a definition without probe are errors. Two specs of one buffer id that
// differ in nothing but the name are aliases; the first is the name shown.
func NewRegistry(defs ...*Definition) (*Registry, error) {
	r := &Registry{ports: map[uint16]uint64{}, buffers: map[string]BufferSpec{}, names: map[BufferID]string{}}
	for _, b := range anyBuffers {
		if err := r.addBuffer(Any, b); err != nil {
			return nil, err
		}
	}
	for _, d := range defs {
		switch {
		case d == nil || d.ID <= Failed || d.ID >= NumIDs:
			return nil, fmt.Errorf("register protocol: no valid id")
		case r.defs[d.ID] != nil:
			return nil, fmt.Errorf("register protocol %s: defined twice", d.ID)
		case d.Probe == nil && (d.TCP || d.UDP && d.ProbeDatagram == nil):
			return nil, fmt.Errorf("register protocol %s: no probe", d.ID)
		case len(d.Frames) > MaxFrameTypes:
			return nil, fmt.Errorf("register protocol %s: more than %d kinds of frames", d.ID, MaxFrameTypes)
		}
		r.defs[d.ID] = d
		bit := uint64(1) << d.ID
		if d.TCP {
			r.tcp, r.tcpMask = append(r.tcp, d), r.tcpMask|bit
		}
		if d.UDP {
			r.udp, r.udpMask = append(r.udp, d), r.udpMask|bit
		}
		for _, p := range d.Ports {
			r.ports[p] |= bit
		}
		for _, b := range d.Buffers {
			if err := r.addBuffer(d.ID, b); err != nil {
				return nil, err
			}
		}
	}
	sort.SliceStable(r.list, func(i, j int) bool { return r.list[i].ID < r.list[j].ID })
	return r, nil
}

func (r *Registry) addBuffer(p ID, b BufferSpec) error {
	if _, frame := b.ID.Frame(); b.Name == "" || b.ID.Protocol() != p || frame {
		return fmt.Errorf("register protocol %s: buffer %q has id %#x", p, b.Name, uint16(b.ID))
	}
	if _, ok := r.buffers[b.Name]; ok {
		return fmt.Errorf("register protocol %s: buffer %q defined twice", p, b.Name)
	}
	if first, ok := r.names[b.ID]; ok {
		alias := r.buffers[first]
		alias.Name = b.Name
		if alias != b {
			return fmt.Errorf("register protocol %s: buffers %q and %q share id %#x", p, first, b.Name, uint16(b.ID))
		}
	} else {
		r.names[b.ID] = b.Name
	}
	r.buffers[b.Name] = b
	r.list = append(r.list, b)
	return nil
}

// Definition gives a protocol's definition, nil for one without a parser or a
// probe in this program.
func (r *Registry) Definition(id ID) *Definition {
	if id >= NumIDs {
		return nil
	}
	return r.defs[id]
}

// ByName gives the protocol that a rule header names, aliases included. It
// knows all names of this package; Definition tells whether there is a parser.
func (r *Registry) ByName(name string) (ID, bool) {
	if id, ok := nameAliases[name]; ok {
		return id, true
	}
	for id := Failed; id < NumIDs; id++ {
		if idNames[id] == name {
			return id, true
		}
	}
	return Unknown, false
}

// Buffer gives the buffer with a sticky buffer's keyword.
func (r *Registry) Buffer(name string) (BufferSpec, bool) {
	b, ok := r.buffers[name]
	return b, ok
}

// BufferName gives a buffer's keyword, empty for an unknown id.
func (r *Registry) BufferName(id BufferID) string { return r.names[id] }

// Buffers lists all buffers by id, aliases included. The slice is the
// registry's own and must not be changed.
func (r *Registry) Buffers() []BufferSpec { return r.list }

// portMask gives the protocols whose servers usually listen on either port.
func (r *Registry) portMask(env *Env) uint64 {
	if m := r.ports[env.DstPort]; m != 0 {
		return m
	}
	return r.ports[env.SrcPort]
}

// ReversedStream reports whether the first bytes seen of a TCP connection that
// began unseen are a server's, so that its ends are to be swapped: a protocol's own
// bytes say so, or they fit a server alone, or they fit one whose usual port their
// sender has and their receiver has not.
func (r *Registry) ReversedStream(data []byte, src, dst uint16) bool {
	view := data[:min(len(data), ProbeDepth)]
	usual := r.ports[src] &^ r.ports[dst]
	answer, asked := false, false
	for _, d := range r.tcp {
		if d.Probe(ToClient, view) == Certain {
			if d.ReversedStream != nil && d.ReversedStream(view) || usual>>d.ID&1 == 1 {
				return true
			}
			answer = true
		}
		asked = asked || d.Probe(ToServer, view) != NotForUs
	}
	return answer && !asked
}

// Reversed reports whether the first datagram of a flow shows that its sender
// is the server, so that the flow's ends are to be swapped before anything
// else sees it.
func (r *Registry) Reversed(data []byte) bool {
	for _, d := range r.udp {
		if d.Reversed != nil && d.Reversed(data) {
			return true
		}
	}
	return false
}
