package nfs

// The operations of version 4 (RFC 7530 §16, RFC 8881 §18).
const (
	op4Access         = 3
	op4Close          = 4
	op4Commit         = 5
	op4Create         = 6
	op4DelegReturn    = 8
	op4GetAttr        = 9
	op4GetHandle      = 10
	op4Link           = 11
	op4Lock           = 12
	op4LockTest       = 13
	op4Unlock         = 14
	op4Lookup         = 15
	op4LookupParent   = 16
	op4NVerify        = 17
	op4Open           = 18
	op4OpenAttr       = 19
	op4OpenConfirm    = 20
	op4OpenDowngrade  = 21
	op4PutHandle      = 22
	op4PutPublic      = 23
	op4PutRoot        = 24
	op4Read           = 25
	op4ReadDir        = 26
	op4ReadLink       = 27
	op4Remove         = 28
	op4Rename         = 29
	op4Renew          = 30
	op4RestoreHandle  = 31
	op4SaveHandle     = 32
	op4SecInfo        = 33
	op4SetAttr        = 34
	op4Verify         = 37
	op4Write          = 38
	op4DestroySession = 44
	op4FreeState      = 45
	op4SecInfoNoName  = 52
	op4Sequence       = 53
	op4DestroyClient  = 57
	op4ReclaimDone    = 58
)

// The lengths of what operations have beside names.
const (
	stateID  = 16
	changed  = 20 // how a directory has changed
	openFile = 4 + 4 + 4 + 8
)

// compound reads the operations of a call. One that is not known hides those behind
// it: they are given as what they are, bytes.
func (m *message) compound(x *xdr) {
	x.opaque(1024)
	x.u32()
	n := x.u32()
	if n > maxOps {
		x.bad = true
		return
	}
	var handle, saved, name []byte
	for range n {
		at := x.at
		o := op{code: x.u32()}
		if x.short {
			return
		}
		switch o.code {
		case op4PutHandle:
			handle = x.opaque(128)
		case op4PutRoot, op4PutPublic, op4LookupParent, op4OpenAttr:
			handle = nil
			if o.code == op4OpenAttr {
				x.u32()
			}
		case op4SaveHandle:
			saved = handle
		case op4RestoreHandle:
			handle = saved
		default:
			if !m.operation(x, &o) {
				m.at, m.odd = at, true
				return
			}
		}
		o.handle = handle
		switch o.kind {
		case kLookup, kOpen, kCreate:
			handle, name = nil, o.name // it is another file's from here on
		case kRead, kWrite:
			if len(handle) == 0 {
				o.handle, o.name = name, name // the name stands for a handle that is not told
			}
		}
		if x.bad {
			x.at = at
			return
		}
		m.ops = append(m.ops, o)
		if o.more {
			return
		}
	}
}

// operation reads the arguments of an operation; it reports whether it is known.
func (m *message) operation(x *xdr, o *op) bool {
	switch o.code {
	case op4Access, op4SecInfoNoName, op4ReclaimDone:
		x.u32()
	case op4Close:
		o.kind = kClose
		x.skip(4 + stateID)
	case op4Commit:
		o.kind = kCommit
		x.u64()
		o.whole = x.u32() == 0
	case op4Create:
		o.kind = kCreate
		switch x.u32() {
		case 5:
			x.opaque(maxName)
		case 3, 4:
			x.skip(8)
		}
		o.name = x.opaque(maxName)
		x.attributes()
	case op4DelegReturn, op4DestroySession, op4FreeState:
		x.skip(stateID)
	case op4GetAttr:
		o.kind = kGetAttr
		x.words(64)
	case op4GetHandle:
		o.kind = kGetHandle
	case op4ReadLink:
	case op4Link, op4SecInfo:
		o.name = x.opaque(maxName)
	case op4Lock:
		x.skip(4 + 4 + 8 + 8)
		if x.u32() == 0 {
			x.skip(stateID + 4)
			break
		}
		x.skip(4 + stateID + 4 + 8)
		x.opaque(1024)
	case op4LockTest:
		x.skip(4 + 8 + 8 + 8)
		x.opaque(1024)
	case op4Unlock:
		x.skip(4 + 4 + stateID + 8 + 8)
	case op4Lookup:
		o.kind, o.name = kLookup, x.opaque(maxName)
	case op4Verify, op4NVerify:
		x.attributes()
	case op4Open:
		o.kind = kOpen
		return openArguments(x, o)
	case op4OpenConfirm:
		x.skip(stateID + 4)
	case op4OpenDowngrade:
		x.skip(stateID + 12)
	case op4Read:
		o.kind = kRead
		x.skip(stateID)
		o.offset, o.count = x.u64(), uint64(x.u32())
	case op4ReadDir:
		x.skip(8 + 8 + 4 + 4)
		x.words(64)
	case op4Remove:
		o.kind, o.name = kRemove, x.opaque(maxName)
	case op4Rename:
		o.kind, o.name = kRename, x.opaque(maxName)
		o.to = x.opaque(maxName)
	case op4Renew, op4DestroyClient:
		x.skip(8)
	case op4SetAttr:
		x.skip(stateID)
		x.attributes()
	case op4Write:
		o.kind = kWrite
		x.skip(stateID)
		o.offset = x.u64()
		x.u32()
		o.start, o.length, o.more = x.content()
		o.count = uint64(o.length)
	case op4Sequence:
		x.skip(stateID + 16)
	default:
		return false
	}
	return true
}

// openArguments reads how a file is opened (RFC 8881 §18.16).
func openArguments(x *xdr, o *op) bool {
	x.skip(openFile)
	x.opaque(1024)
	if x.u32() == 1 {
		switch x.u32() {
		case 0, 1:
			x.attributes()
		case 2:
			x.skip(8)
		case 3:
			x.skip(8)
			x.attributes()
		default:
			return x.short
		}
	}
	switch x.u32() {
	case 0, 3:
		o.name = x.opaque(maxName)
	case 1:
		x.u32()
	case 2:
		x.skip(stateID)
		o.name = x.opaque(maxName)
	case 5:
		x.skip(stateID)
	case 4, 6:
	default:
		return x.short
	}
	return true
}

// answers reads the results of a call's operations, up to the last that matters.
func (m *message) answers(x *xdr) {
	m.status = x.u32()
	x.opaque(1024)
	n := x.u32()
	if n > maxOps {
		x.bad = true
		return
	}
	for range n {
		o := op{code: x.u32(), status: x.u32()}
		if x.short {
			return
		}
		if o.status == 0 && !m.answered(x, &o) || x.bad {
			x.bad = false
			return // what follows of a server's answer names nothing and holds no file
		}
		m.ops = append(m.ops, o)
		if o.status != 0 || o.more {
			return
		}
	}
}

// answered reads the result of an operation; it reports whether it is known.
func (m *message) answered(x *xdr, o *op) bool {
	switch o.code {
	case op4PutHandle, op4PutRoot, op4PutPublic, op4LookupParent, op4OpenAttr, op4SaveHandle, op4RestoreHandle, op4Lookup,
		op4Verify, op4NVerify, op4DelegReturn, op4Renew, op4DestroySession, op4DestroyClient, op4ReclaimDone, op4FreeState:
	case op4Sequence:
		x.skip(stateID + 20)
	case op4Access:
		x.skip(8)
	case op4GetAttr:
		x.attributes()
	case op4SetAttr:
		x.words(64)
	case op4GetHandle:
		o.kind = kGetHandle
		o.target = x.opaque(128)
	case op4Open:
		x.skip(stateID + changed + 4)
		x.words(64)
		return delegation(x)
	case op4Create:
		x.skip(changed)
		x.words(64)
	case op4Remove, op4Link:
		x.skip(changed)
	case op4Rename:
		x.skip(2 * changed)
	case op4Read:
		o.kind = kRead
		o.eof = x.u32() != 0
		o.start, o.length, o.more = x.content()
	case op4Write:
		x.skip(16)
	case op4Commit:
		x.skip(8)
	case op4Close, op4Lock, op4Unlock, op4OpenConfirm, op4OpenDowngrade:
		x.skip(stateID)
	case op4ReadLink:
		x.opaque(maxName)
	default:
		return false
	}
	return true
}

// delegation reads what a server leaves to the client of an open file.
func delegation(x *xdr) bool {
	switch x.u32() {
	case 0:
	case 1:
		x.skip(stateID + 4 + 12)
		x.opaque(1024)
	case 2:
		x.skip(stateID + 4 + 12 + 12)
		x.opaque(1024)
	case 3:
		if why := x.u32(); why == 1 || why == 2 {
			x.u32()
		}
	default:
		return x.short
	}
	return true
}
