package worker

import (
	"encoding/hex"

	"sluice/dataplane/policy"
)

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

// keepEvidence hands what was kept of an object over where the decision asks for
// it, and notes its name for the event.
func (w *Worker) keepEvidence(flowID uint64, txID uint64, in *policy.Input, facts *objectFacts, dec *policy.Decision) {
	if !dec.KeepEvidence || w.cfg.Evidence == nil || facts.spool == nil || facts.spool.Size() == 0 {
		return
	}
	data := make([]byte, facts.spool.Size())
	n, _ := facts.spool.ReadAt(data, 0)
	e := Evidence{Time: w.now, FlowID: flowID, TxID: txID, Name: in.Name, Type: in.Type, Truncated: facts.part || !facts.final, Data: data[:n]}
	if facts.sum != nil && !e.Truncated {
		e.SHA256 = hex.EncodeToString(facts.sum)
	}
	facts.evidence = w.cfg.Evidence(e)
}
