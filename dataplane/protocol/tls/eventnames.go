package tls

// eventNames are the anomalies that the parser of TLS adds to transactions.
var eventNames = []string{
	faultAlgorithm, faultDate, faultDER, faultExtensions, faultLength, faultSerial, faultVersion, faultName,
	"handshake_invalid_length", "heartbeat_message", "invalid_certificate", "invalid_handshake_message",
	"invalid_heartbeat_message", "invalid_record_length", "invalid_record_type", "invalid_record_version", "invalid_sni_length",
	"invalid_sni_type", "invalid_ssl_record", "invalid_sslv2_header", "multiple_sni_extensions", "overflow_heartbeat_message",
}
