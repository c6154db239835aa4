package protocol

import "slices"

// Leftover gives the bytes of a flow to the classifiers as they stand, one object a
// direction, for parsers whose protocol has no content of its own: nobody shall
// hide a thing behind the first bytes of another protocol. The zero value is ready.
// Its objects belong to transactions that nobody else sees.
type Leftover struct{ obj [2]*Object }

// Data takes bytes of a direction, borrowed for the call.
func (l *Leftover) Data(env *Env, dir Dir, b []byte) {
	if len(b) == 0 {
		return
	}
	if l.obj[dir] == nil {
		l.obj[dir] = &Object{Kind: KindField, Dir: dir, Tx: &Tx{Only: DirsToServer << dir, Created: env.Now}, UntilEnd: true}
		env.Objects.OpenObject(l.obj[dir])
	}
	env.Objects.ObjectData(l.obj[dir], b)
}

// Gap tells of n bytes that are missing in a direction.
func (l *Leftover) Gap(env *Env, dir Dir, n uint64) {
	if o := l.obj[dir]; o != nil {
		env.Objects.ObjectGap(o, n)
	}
}

// End ends a direction. It is idempotent.
func (l *Leftover) End(env *Env, dir Dir) {
	if o := l.obj[dir]; o != nil {
		l.obj[dir] = nil
		env.Objects.CloseObject(o, ObjectClosed)
	}
}

// Foreign answers a datagram that is not of the parser's protocol: both directions end
// and it is recognised anew, since one message of a scanner must not hide what other
// protocols send in the same flow. On a port of the protocol itself, with ok false, it
// stays with the parser: junk must not end the reading of what is meant for it.
func (l *Leftover) Foreign(env *Env, data []byte, ports ...uint16) (st Status, ok bool) {
	if slices.Contains(ports, env.DstPort) {
		return Continue, false
	}
	l.End(env, ToServer)
	l.End(env, ToClient)
	env.SwitchTo, env.Rest = Unknown, data
	return Switch, true
}
