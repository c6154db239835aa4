package sip

import "sluice/dataplane/protocol/mime"

// eventNames are the anomalies that the parser of SIP, beside those of MIME, adds to transactions.
var eventNames = append([]string{"incomplete_data", "invalid_data"}, mime.Events...)
