package flow

// Bypassed tells what the kernel did with a flow that goes past the workers. The
// counts are of the frames from the key's lower end and from its higher one.
type Bypassed struct {
	Packets, Bytes [2]uint64
	// Last is the monotonic time of its last frame in nanoseconds; 0 where there
	// was none.
	Last int64
	// Ended tells that the connection is about to end or to begin anew: its
	// frames go to the workers again.
	Ended bool
}
