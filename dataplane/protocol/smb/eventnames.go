package smb

// eventNames are the anomalies that the parser of SMB adds to transactions.
var eventNames = []string{
	"file_overlap", "malformed_data", "malformed_ntlmssp_request", "negotiate_malformed_dialects", "read_request_too_large",
	"too_many_open_files", "too_many_pipes", "too_many_transactions", "write_request_too_large",
}
