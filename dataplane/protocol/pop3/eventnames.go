package pop3

import "sluice/dataplane/protocol/mime"

// eventNames are the anomalies that the parser of POP3, beside those of MIME adds to transactions.
var eventNames = append([]string{
	"too_many_transactions",
}, mime.Events...)
