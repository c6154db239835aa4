package bittorrent

// eventNames are the anomalies that the parser adds to transactions.
var eventNames = []string{"malformed_packet"}
