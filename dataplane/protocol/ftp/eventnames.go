package ftp

// eventNames are the anomalies that the parser of FTP adds to transactions.
var eventNames = []string{
	"file_before_port", "request_command_too_long", "response_command_too_long", "too_many_transactions",
}
