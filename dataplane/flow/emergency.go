package flow

// While the table is full it is in emergency: flows are held to the shorter
// timeouts of Config.Emergency, so that whoever floods it with new ones ends idle
// flows before live ones have to go, until Config.EmergencyRecovery percent of it
// is free.

// emergencyWork bounds the flows that one call of Expire looks at for it.
const emergencyWork = 128

// weakest are the states in the order in which their flows make room.
var weakest = [...]State{StateClosed, StateNew, StateBypassed, StateEstablished}

// enterEmergency notes that the table is full.
func (t *Table) enterEmergency() {
	if t.hurry.on || t.cfg.EmergencyRecovery <= 0 {
		return
	}
	t.hurry.on = true
	t.Counters.EmergencyEntered++
}

// hurry is the state of emergency.
type hurry struct {
	on   bool
	sets [4]Timeouts
	// shortest is by State the shortest timeout of any protocol: until then
	// nothing has to be looked at.
	shortest [4]int64
}

// init takes the timeouts of emergency; a set without any is the usual one.
func (h *hurry) init(emergency, usual [4]Timeouts) {
	for i, set := range emergency {
		if set == (Timeouts{}) {
			set = usual[i]
		}
		h.sets[i] = set
		for s := StateNew; s <= StateBypassed; s++ {
			if d := int64(set.of(s)); i == 0 || d < h.shortest[s&3] {
				h.shortest[s&3] = d
			}
		}
	}
}

// recovered reports whether enough of the table is free.
func (t *Table) recovered() bool {
	return (t.max-t.Len())*100 >= t.cfg.EmergencyRecovery*t.max
}

// relieve ends flows that have been idle for longer than is allowed now. Lists
// are in the order in which flows were last looked at.
func (t *Table) relieve(now int64, fn func(*Flow, Reason)) {
	work := emergencyWork
	for _, s := range weakest {
		l := &t.ages[s]
		for l.head != 0 && work > 0 {
			if t.recovered() {
				t.hurry.on = false
				t.Counters.EmergencyOver++
				return
			}
			f := t.at(l.head)
			if now-f.table.since < t.hurry.shortest[s] {
				break
			}
			work--
			if now-f.Last >= int64(t.hurry.sets[t.timeouts[f.Proto]].of(f.State)) {
				_, i := t.find(&f.Key, f.table.hash)
				t.Counters.EmergencyTimedOut++
				t.remove(f, i, Timeout, fn)
				continue
			}
			t.requeue(f, now)
		}
	}
}

// requeue moves f to the end of its state's list, as looked at when since says.
func (t *Table) requeue(f *Flow, since int64) {
	t.unlist(f)
	l, e := &t.ages[f.State&3], &f.table
	e.since, e.agePrev, e.ageNext = since, l.tail, 0
	if l.tail != 0 {
		t.at(l.tail).table.ageNext = e.self
	} else {
		l.head = e.self
	}
	l.tail = e.self
}
