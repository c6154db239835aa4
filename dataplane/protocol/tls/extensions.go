package tls

// extensionNames are the names of extensions (IANA TLS ExtensionType Values).
var extensionNames = map[uint16]string{
	0: "server_name", 1: "max_fragment_length", 3: "trusted_ca_keys", 4: "truncated_hmac", 5: "status_request", 10: "supported_groups",
	11: "ec_point_formats", 13: "signature_algorithms", 14: "use_srtp", 15: "heartbeat", 16: "alpn", 17: "status_request_v2",
	18: "signed_certificate_timestamp", 19: "client_certificate_type", 20: "server_certificate_type", 21: "padding", 22: "encrypt_then_mac",
	23: "extended_master_secret", 24: "token_binding", 27: "compress_certificate", 28: "record_size_limit", 34: "delegated_credentials",
	35: "session_ticket", 41: "pre_shared_key", 42: "early_data", 43: "supported_versions", 44: "cookie", 45: "psk_key_exchange_modes",
	47: "certificate_authorities", 48: "oid_filters", 49: "post_handshake_auth", 50: "signature_algorithms_cert", 51: "key_share",
	57: "quic_transport_parameters", 17513: "application_settings", 65037: "encrypted_client_hello", 65281: "renegotiation_info",
	0xffa5: "quic_transport_parameters_draft",
}

// ExtensionName gives an extension's name, empty for one that has none.
func ExtensionName(kind uint16) string { return extensionNames[kind] }
