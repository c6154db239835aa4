package nfs

// kind is what an operation is for, whatever version it is of.
type kind uint8

const (
	kOther kind = iota
	kGetAttr
	kLookup
	kAccess
	kRead
	kWrite
	kCommit
	kClose
	kCreate
	kMkdir
	kRemove
	kRename
	kOpen
	kGetHandle
)

// op is an operation of a call, or its result. Slices are borrowed.
type op struct {
	kind kind
	// code is the operation's number in its version.
	code   uint32
	status uint32
	// handle is the file's, as far as it is told: target is one that an answer gives.
	handle, target []byte
	name, to       []byte
	offset, count  uint64
	// start and length are where content is; more tells that it goes on beyond what
	// was read.
	start  int
	length uint32
	more   bool
	eof    bool
	whole  bool // a commit of all of a file
}

// maxOps bounds the operations of a call of version 4.
const maxOps = 64

// arguments reads what a call asks for.
func (m *message) arguments(x *xdr) result {
	if m.version == 4 {
		if m.procedure == 1 {
			m.compound(x)
		}
		return m.settled(x)
	}
	o := op{code: m.procedure}
	if m.version == 2 {
		m.arguments2(x, &o)
	} else {
		m.arguments3(x, &o)
	}
	m.ops = append(m.ops, o)
	return m.settled(x)
}

// handleOf gives a file's handle: of a fixed length before version 3.
func (m *message) handleOf(x *xdr) []byte {
	if m.version == 2 {
		return x.next(32)
	}
	return x.opaque(128)
}

// arguments3 reads those of version 3 (RFC 1813 §3.3).
func (m *message) arguments3(x *xdr, o *op) {
	if m.procedure == 0 {
		return
	}
	o.handle = m.handleOf(x)
	switch m.procedure {
	case 1:
		o.kind = kGetAttr
	case 3:
		o.kind, o.name = kLookup, x.opaque(maxName)
	case 4:
		o.kind = kAccess
	case 6:
		o.kind = kRead
		o.offset, o.count = x.u64(), uint64(x.u32())
	case 7:
		o.kind = kWrite
		o.offset = x.u64()
		o.count = uint64(x.u32())
		x.u32()
		o.start, o.length, o.more = x.content()
	case 8:
		o.kind, o.name = kCreate, x.opaque(maxName)
	case 9:
		o.kind, o.name = kMkdir, x.opaque(maxName)
	case 12, 13:
		o.kind, o.name = kRemove, x.opaque(maxName)
	case 14:
		o.kind, o.name = kRename, x.opaque(maxName)
		m.handleOf(x)
		o.to = x.opaque(maxName)
	case 21:
		o.kind = kCommit
		x.u64()
		o.whole = x.u32() == 0
	}
}

// arguments2 reads those of version 2 (RFC 1094 §2.2).
func (m *message) arguments2(x *xdr, o *op) {
	if m.procedure == 0 || m.procedure == 3 || m.procedure == 7 {
		return
	}
	o.handle = m.handleOf(x)
	switch m.procedure {
	case 1:
		o.kind = kGetAttr
	case 4:
		o.kind, o.name = kLookup, x.opaque(maxName)
	case 6:
		o.kind = kRead
		o.offset, o.count = uint64(x.u32()), uint64(x.u32())
		x.u32()
	case 8:
		o.kind = kWrite
		x.u32()
		o.offset = uint64(x.u32())
		x.u32()
		o.start, o.length, o.more = x.content()
		o.count = uint64(o.length)
	case 9:
		o.kind, o.name = kCreate, x.opaque(maxName)
	case 14:
		o.kind, o.name = kMkdir, x.opaque(maxName)
	case 10, 15:
		o.kind, o.name = kRemove, x.opaque(maxName)
	case 11:
		o.kind, o.name = kRename, x.opaque(maxName)
		m.handleOf(x)
		o.to = x.opaque(maxName)
	}
}

// results reads what answers a call.
func (m *message) results(x *xdr) result {
	m.status = 0
	if m.version == 4 {
		if m.procedure == 1 {
			m.answers(x)
		}
		return m.settled(x)
	}
	if m.procedure == 0 || len(m.call.ops) == 0 {
		return readDone
	}
	m.status = x.u32()
	o := op{kind: m.call.ops[0].kind, status: m.status}
	if m.status == 0 {
		m.result23(x, &o)
	}
	m.ops = append(m.ops, o)
	return m.settled(x)
}

// result23 reads the result of a call of version 2 or 3.
func (m *message) result23(x *xdr, o *op) {
	switch o.kind {
	case kLookup:
		o.target = m.handleOf(x)
	case kCreate:
		if m.version == 2 || x.u32() != 0 {
			o.target = m.handleOf(x)
		}
	case kRead:
		if m.version == 2 {
			x.skip(20)
			size := uint64(x.u32())
			x.skip(68 - 24)
			o.start, o.length, o.more = x.content()
			o.eof = m.call.ops[0].offset+uint64(o.length) >= size
			return
		}
		if x.u32() != 0 {
			x.skip(84)
		}
		x.u32()
		o.eof = x.u32() != 0
		o.start, o.length, o.more = x.content()
	}
}
