package live

// idler says how long a worker that has no frames looks for more before it
// sleeps. To be woken costs a frame tens of microseconds, more on a virtual
// machine whose processor stopped meanwhile; to look costs the processor's time.
// So a worker looks only while frames come soon after it ran out of them, as
// they do where two hosts take turns, and not at all when they come seldom. The
// kernel's cpuidle governor "haltpoll" weighs the same way.
type idler struct {
	// most bounds the look, in nanoseconds; 0 sleeps at once.
	most int64
	// look is how long the next one is, since when there are no frames.
	look, since int64
}

// frames tells that there were some at the monotonic time now.
func (i *idler) frames(now int64) {
	if i.since == 0 {
		return
	}
	switch gap := now - i.since; {
	case gap <= i.most:
		i.look = i.most
	case i.look > i.most/8:
		i.look /= 2
	default:
		i.look = 0
	}
	i.since = 0
}

// again reports whether a worker without frames at the monotonic time now looks
// once more, or sleeps.
func (i *idler) again(now int64) bool {
	if i.since == 0 {
		i.since = now
	}
	return now-i.since < i.look
}
