package rfb

// eventNames are the anomalies that the parser of RFB adds to transactions.
var eventNames = []string{"malformed_message", "unimplemented_security_type", "unknown_security_result", "confused_state"}
