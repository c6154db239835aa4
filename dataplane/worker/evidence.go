package worker

// Evidence is an object that a policy wants kept.
type Evidence struct {
	// Time is the decision's, in nanoseconds since the epoch; FlowID and TxID name
	// the transaction.
	Time         int64
	FlowID, TxID uint64
	Name, Type   string
	SHA256       string
	// Truncated tells that Data is not the whole object.
	Truncated bool
	Data      []byte
}
