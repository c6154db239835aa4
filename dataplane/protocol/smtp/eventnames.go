package smtp

import "sluice/dataplane/protocol/mime"

// eventNames are the anomalies that the parser of SMTP, beside those of MIME adds to transactions.
var eventNames = append([]string{
	"bdat_chunk_len_exceeded", "data_command_rejected", "duplicate_fields", "invalid_pipelined_sequence", "invalid_reply",
	"max_command_line_len_exceeded", "max_reply_line_len_exceeded", "no_server_welcome_message", "tls_rejected",
	"unable_to_match_reply_with_request",
}, mime.Events...)
