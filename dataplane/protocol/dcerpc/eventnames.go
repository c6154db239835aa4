package dcerpc

// eventNames are the anomalies that the parser of DCE/RPC adds to transactions.
var eventNames = []string{
	"too_many_transactions",
}
