package rule

import (
	"slices"
	"strings"

	"sluice/dataplane/protocol"
)

// suricataEvents are the anomalies that Suricata 8 names for protocols that have a
// parser here. A rule that asks for one that the parser does not raise is refused as
// not evaluated yet; any other name is an error of the rule.
var suricataEvents = map[protocol.ID]string{
	protocol.HTTP1: `unknown_error gzip_decompression_failed request_field_missing_colon response_field_missing_colon invalid_request_chunk_len
		invalid_response_chunk_len invalid_transfer_encoding_value_in_request invalid_transfer_encoding_value_in_response
		invalid_content_length_field_in_request invalid_content_length_field_in_response duplicate_content_length_field_in_request
		duplicate_content_length_field_in_response 100_continue_already_seen unable_to_match_response_to_request invalid_server_port_in_request
		invalid_authority_port request_header_invalid response_header_invalid missing_host_header host_header_ambiguous invalid_request_field_folding
		invalid_response_field_folding request_field_too_long response_field_too_long multipart_generic_error multipart_no_filedata
		multipart_invalid_header request_server_port_tcp_port_mismatch request_uri_host_invalid request_header_host_invalid uri_delim_non_compliant
		method_delim_non_compliant request_line_leading_whitespace too_many_encoding_layers abnormal_ce_header request_auth_unrecognized
		request_header_repetition response_header_repetition response_multipart_byteranges response_abnormal_transfer_encoding
		response_chunked_old_proto response_invalid_protocol response_invalid_status request_line_incomplete double_encoded_uri request_line_invalid
		request_body_unexpected lzma_memlimit_reached compression_bomb too_many_warnings range_invalid file_name_too_long failed_protocol_change
		request_chunk_extension response_chunk_extension request_line_missing_protocol request_too_many_headers response_too_many_headers`,
	protocol.HTTP2: `invalid_frame_header invalid_client_magic invalid_frame_data invalid_header invalid_frame_length extra_header_data long_frame_data
		stream_id_reuse invalid_http1_settings failed_decompression invalid_range header_integer_overflow too_many_streams authority_host_mismatch
		userinfo_in_uri reassembly_limit_reached dns_request_too_long dns_response_too_long data_stream_zero too_many_frames`,
	protocol.DNS: `malformed_data not_request not_response z_flag_set invalid_opcode name_too_long infinite_loop too_many_labels invalid_additionals
		invalid_authorities`,
	protocol.TLS: `invalid_sslv2_header invalid_tls_header invalid_record_version invalid_record_type invalid_record_length invalid_handshake_message
		handshake_invalid_length invalid_certificate certificate_invalid_length certificate_invalid_version certificate_invalid_serial
		certificate_invalid_algorithmidentifier certificate_invalid_x509name certificate_invalid_date certificate_invalid_extensions
		certificate_invalid_der certificate_invalid_subject certificate_invalid_issuer certificate_invalid_validity certificate_invalid_string
		certificate_missing_element certificate_unknown_element error_message_encountered invalid_ssl_record heartbeat_message
		invalid_heartbeat_message overflow_heartbeat_message dataleak_heartbeat_mismatch multiple_sni_extensions invalid_sni_type invalid_sni_length
		too_many_records_in_packet invalid_alert_message`,
	protocol.SMTP: `invalid_reply unable_to_match_reply_with_request max_command_line_len_exceeded max_reply_line_len_exceeded
		invalid_pipelined_sequence bdat_chunk_len_exceeded no_server_welcome_message tls_rejected data_command_rejected mime_parse_failed
		mime_malformed_msg mime_invalid_base64 mime_invalid_qp mime_long_line mime_long_enc_line mime_long_header_name mime_long_header_value
		mime_long_boundary mime_long_filename duplicate_fields unparsable_content truncated_line`,
	protocol.SSH: `invalid_banner long_banner invalid_record long_kex_record`,
	protocol.FTP: `request_command_too_long response_command_too_long too_many_transactions`,
	protocol.SMB: `internal_error malformed_data record_overflow malformed_ntlmssp_request negotiate_malformed_dialects file_overlap
		request_to_client response_to_server negotiate_max_read_size_too_large negotiate_max_write_size_too_large read_request_too_large
		read_response_too_large read_queue_size_exceeded read_queue_cnt_exceeded write_request_too_large write_queue_size_exceeded
		write_queue_cnt_exceeded unusual_ntlmssp_order too_many_transactions`,
	protocol.POP3: `too_many_transactions request_too_long incorrect_argument_count unknown_command response_too_long`,
	protocol.IMAP: `too_many_transactions invalid_data request_not_found too_many_headers`,
	protocol.MQTT: `missing_connect missing_publish missing_subscribe missing_unsubscribe double_connect unintroduced_message invalid_qos_level
		missing_msg_id unassigned_msg_type too_many_transactions malformed_traffic`,
	protocol.SIP:           `incomplete_data invalid_data`,
	protocol.RFB:           `malformed_message unimplemented_security_type unknown_security_result confused_state`,
	protocol.BitTorrentDHT: `malformed_packet`,
	protocol.QUIC:          `failed_decrypt error_on_data error_on_hello crypto_frag_too_long`,
	protocol.WebSocket:     `skip_end_of_payload reassembly_limit_reached`,
	protocol.DHCP:          `malformed_options truncated_options`,
	protocol.IKE: `malformed_data no_encryption weak_crypto_enc weak_crypto_prf weak_crypto_dh weak_crypto_auth weak_crypto_nodh weak_crypto_noauth
		invalid_proposal unknown_proposal payload_extra_data multiple_server_proposal`,
	protocol.PGSQL: `too_many_transactions malformed_request malformed_response invalid_length too_many_responses`,
	protocol.NFS:   `malformed_data too_many_transactions`,
	protocol.Modbus: `invalid_protocol_id unsolicited_response invalid_length invalid_unit_identifier invalid_function_code invalid_value
		invalid_exception_code value_mismatch flooded`,
	protocol.DNP3: `flooded len_too_small bad_link_crc bad_transport_crc unknown_object too_many_points too_many_objects too_long_reassembly`,
	protocol.ENIP: `too_many_transactions invalid_pdu`,
	protocol.KRB5: `malformed_data weak_encryption`,
	protocol.LDAP: `too_many_transactions invalid_data request_not_found incomplete_data`,
	protocol.SNMP: `malformed_data unknown_security_model version_mismatch`,
}

// appEvent parses the anomaly of a protocol's transactions, or of the recognition
// of protocols, that the rule asks for.
func (c *context) appEvent(_, val string) error {
	proto, event, has := strings.Cut(val, ".")
	if !has {
		var names []string
		for i := range uint8(8) {
			n := protocol.SessionEvents(1 << i).Names()
			if len(n) == 1 && strings.EqualFold(n[0], val) {
				return c.test(Test{Kind: TestAppEvent, Option: i})
			}
			names = append(names, n...)
		}
		return faultf("unknown event %q%s; an event of a protocol is written PROTOCOL.EVENT", clip(val), didYouMean(strings.ToLower(val), names))
	}
	if i := strings.IndexByte(event, ','); i >= 0 {
		return unevaluated("options of app-layer-event")
	}
	proto = strings.ToLower(strings.TrimSpace(proto))
	var id protocol.ID
	ok := false
	if c.env.Proto != nil {
		id, ok = c.env.Proto(proto)
	}
	if !ok {
		if hint := didYouMean(proto, protocolNames()); hint != "" {
			return faultf("unknown protocol %q%s", clip(proto), hint)
		}
		return unevaluated("events of " + clip(proto))
	}
	if !c.parsed([]protocol.ID{id}) {
		return unevaluated("events of " + clip(proto))
	}
	event = strings.ToLower(strings.TrimSpace(event))
	if event == "" {
		return faultf("names no event")
	}
	raised := c.env.Definition(id).Events
	if !slices.Contains(raised, event) {
		known := strings.Fields(suricataEvents[id])
		if slices.Contains(known, event) {
			return unevaluated("event " + proto + "." + event)
		}
		return faultf("%s has no event %q%s", proto, clip(event), didYouMean(event, slices.Concat(raised, known)))
	}
	c.needApps = append(c.needApps, id)
	c.r.AppEvents = append(c.r.AppEvents, AppEvent{Proto: id, Name: event})
	return nil
}
