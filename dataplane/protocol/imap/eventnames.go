package imap

import "sluice/dataplane/protocol/mime"

// eventNames are the anomalies that the parser of IMAP adds to transactions.
var eventNames = mime.Events
