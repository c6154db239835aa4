package ssh

// eventNames are the anomalies that the parser of SSH adds to transactions.
var eventNames = []string{
	"invalid_banner", "invalid_record", "long_banner", "long_kex_record",
}
