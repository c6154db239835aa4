package http2

// eventNames are the anomalies that the parser of HTTP/2 adds to transactions.
var eventNames = []string{
	"authority_host_mismatch", "compression_bomb", "data_exceeds_length", "data_stream_zero",
	"dns_request_too_long", "dns_response_too_long", "failed_decompression",
	"header_integer_overflow", "header_list_too_long", "invalid_frame_data", "invalid_frame_header", "invalid_frame_length",
	"invalid_header", "invalid_range", "long_frame_data", "multipart_generic_error", "multipart_invalid_header",
	"multipart_no_filedata", "stream_id_reuse", "too_many_encoding_layers", "too_many_frames", "too_many_streams",
	"userinfo_in_uri",
}
