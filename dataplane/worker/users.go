package worker

import (
	"sluice/dataplane/flow"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
)

// login tells the policy who has logged in, where the protocol has logins.
func (w *Worker) login(f *flow.Flow, tx *protocol.Tx, in *policy.Input) {
	if l, ok := f.App.Parser().(protocol.Login); ok && tx != nil {
		in.User = l.User(tx)
	}
}
