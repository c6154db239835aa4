package mime

// Events are the anomalies of mails that a Reader adds to its transaction.
var Events = []string{
	"mime_invalid_base64", "mime_invalid_qp", "mime_long_boundary", "mime_long_enc_line", "mime_long_header_name",
	"mime_long_header_value", "mime_long_line", "mime_malformed_msg", "mime_parse_failed",
}
