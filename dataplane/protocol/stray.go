package protocol

// Stray takes the bytes of a direction that a parser cannot place: what stands
// between messages, or follows a hole. They are looked through as one object,
// since whoever wants to get something out past a parser puts it there. The zero
// value is ready.
type Stray struct{ obj *Object }

// Add takes more bytes. The first ones make a transaction of their own, whose
// State is nil, with the progress of a complete one.
func (s *Stray) Add(env *Env, txs *TxList, dir Dir, complete [2]uint8, b []byte) {
	if len(b) == 0 {
		return
	}
	if s.obj == nil {
		tx := txs.Add(nil, env.Now)
		tx.Only, tx.Progress = DirsToServer<<dir, complete
		s.obj = &Object{Kind: KindBody, Dir: dir, Tx: tx, UntilEnd: true}
		env.Objects.OpenObject(s.obj)
	}
	env.Objects.ObjectData(s.obj, b)
}

// Open reports whether there were any bytes.
func (s *Stray) Open() bool { return s.obj != nil }

// Gap tells of missing bytes.
func (s *Stray) Gap(env *Env, n uint64) {
	if s.obj != nil {
		s.obj.Gaps = true
		env.Objects.ObjectGap(s.obj, n)
	}
}

// End ends the object, if there is one.
func (s *Stray) End(env *Env) {
	if s.obj != nil {
		env.Objects.CloseObject(s.obj, ObjectClosed)
		s.obj = nil
	}
}
