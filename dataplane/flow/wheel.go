package flow

// The timing wheel: flows are hung into the slot of the tick at which they would
// time out if nothing came. A packet does not move its flow; when the slot comes
// up, a flow that was active meanwhile is hung in again. So a packet costs
// nothing here and a flow is looked at about once per timeout.

const (
	// tickBits make a tick 2^28 ns, about a quarter of a second.
	tickBits   = 28
	wheelSlots = 1 << 13
	wheelMask  = wheelSlots - 1
	// expireWork bounds the flows that one call of Expire looks at.
	expireWork = 512
)

type wheel struct {
	slots []uint32
	// now is the last tick that was worked off; started tells that it holds.
	now     int64
	started bool
}

func (w *wheel) init() { w.slots = make([]uint32, wheelSlots) }

func tickOf(t int64) int64 { return t >> tickBits }

// enter hangs f into the wheel and at the end of its state's list.
func (t *Table) enter(f *Flow, now int64) {
	if !t.wheel.started {
		t.wheel.started, t.wheel.now = true, tickOf(now)-1
	}
	t.hang(f)
	l := &t.ages[f.State&3]
	e := &f.table
	e.since, e.agePrev, e.ageNext = now, l.tail, 0
	if l.tail != 0 {
		t.at(l.tail).table.ageNext = e.self
	} else {
		l.head = e.self
	}
	l.tail = e.self
	t.Counters.ByState[f.State&3]++
}

// leave takes f out of the wheel and of its state's list.
func (t *Table) leave(f *Flow) {
	t.unhang(f)
	t.unlist(f)
	t.Counters.ByState[f.State&3]--
}

func (t *Table) unlist(f *Flow) {
	l, e := &t.ages[f.State&3], &f.table
	if e.agePrev != 0 {
		t.at(e.agePrev).table.ageNext = e.ageNext
	} else {
		l.head = e.ageNext
	}
	if e.ageNext != 0 {
		t.at(e.ageNext).table.agePrev = e.agePrev
	} else {
		l.tail = e.agePrev
	}
}

// hang puts f into the slot after its deadline. What lies too far ahead, or
// behind, is looked at earlier, or next.
func (t *Table) hang(f *Flow) {
	w, e := &t.wheel, &f.table
	due := tickOf(f.Last+t.timeout(f)) + 1
	e.due = min(max(due, w.now+1), w.now+wheelSlots-1)
	head := &w.slots[e.due&wheelMask]
	e.wheelPrev, e.wheelNext = 0, *head
	if *head != 0 {
		t.at(*head).table.wheelPrev = e.self
	}
	*head = e.self
}

func (t *Table) unhang(f *Flow) {
	e := &f.table
	if e.wheelPrev != 0 {
		t.at(e.wheelPrev).table.wheelNext = e.wheelNext
	} else {
		t.wheel.slots[e.due&wheelMask] = e.wheelNext
	}
	if e.wheelNext != 0 {
		t.at(e.wheelNext).table.wheelPrev = e.wheelPrev
	}
}

// Expire ends the flows that have timed out by packet time now, giving each to
// fn, which must not call the Table and must not keep the flow. A call looks at
// a bounded number of flows and reports whether it came up to now; call it again
// where it did not. Calling it with every batch is cheap.
func (t *Table) Expire(now int64, fn func(*Flow, Reason)) bool {
	w := &t.wheel
	if !w.started {
		return true
	}
	if t.hurry.on {
		t.relieve(now, fn)
	}
	target := tickOf(now)
	if leap := target - w.now; leap > wheelSlots {
		// Each slot needs one look only. Whole turns are passed over, so that
		// the slots keep their order.
		w.now += (leap/wheelSlots - 1) * wheelSlots
	}
	for work := expireWork; w.now < target; {
		head := &w.slots[(w.now+1)&wheelMask]
		for *head != 0 {
			if work == 0 {
				return false
			}
			work--
			f := t.at(*head)
			if now-f.Last >= t.timeout(f) {
				_, i := t.find(&f.Key, f.table.hash)
				t.remove(f, i, Timeout, fn)
				continue
			}
			// It was active: look again at its new deadline, which lies after
			// the tick in work.
			t.unhang(f)
			w.now++
			t.hang(f)
			w.now--
		}
		w.now++
	}
	return true
}

// secondChances bounds the search for an idle flow among established ones.
const secondChances = 16

// evict makes room by ending one flow: the longest in the weakest state that has
// any. A flow that was active since it was last looked at is spared a few times.
func (t *Table) evict() {
	t.enterEmergency()
	for _, s := range weakest {
		l := &t.ages[s]
		if l.head == 0 {
			continue
		}
		f := t.at(l.head)
		spare := 0
		if s == StateEstablished || s == StateBypassed {
			spare = secondChances
		}
		for ; spare > 0 && f.Last > f.table.since && l.head != l.tail; spare-- {
			t.requeue(f, f.Last)
			f = t.at(l.head)
		}
		_, i := t.find(&f.Key, f.table.hash)
		t.drop(f, i, Forced)
		return
	}
}
