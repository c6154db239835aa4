package http1

// eventNames are the anomalies that the parser of HTTP/1 adds to transactions.
var eventNames = []string{
	"100_continue_already_seen", "abnormal_ce_header", "compression_bomb", "dns_request_too_long", "dns_response_too_long",
	"double_encoded_uri",
	"duplicate_content_length_field_in_request", "duplicate_content_length_field_in_response", "gzip_decompression_failed",
	"host_header_ambiguous", "invalid_content_length_field_in_request", "invalid_content_length_field_in_response",
	"invalid_request_chunk_len", "invalid_request_field_folding", "invalid_response_chunk_len",
	"invalid_response_field_folding", "invalid_transfer_encoding_value_in_request",
	"invalid_transfer_encoding_value_in_response", "method_delim_non_compliant", "missing_host_header",
	"multipart_generic_error", "multipart_invalid_header", "multipart_no_filedata", "range_invalid",
	"request_auth_unrecognized", "request_chunk_extension", "request_field_missing_colon", "request_field_too_long",
	"request_header_host_invalid", "request_header_invalid", "request_header_repetition", "request_line_incomplete",
	"request_line_invalid", "request_line_leading_whitespace", "request_line_missing_protocol",
	"request_server_port_tcp_port_mismatch", "request_too_many_headers", "request_uri_host_invalid",
	"response_abnormal_transfer_encoding", "response_chunk_extension", "response_chunked_old_proto",
	"response_field_missing_colon", "response_field_too_long", "response_header_invalid", "response_header_repetition",
	"response_invalid_protocol", "response_invalid_status", "response_multipart_byteranges", "response_too_many_headers",
	"too_many_encoding_layers", "unable_to_match_response_to_request", "uri_delim_non_compliant",
}
