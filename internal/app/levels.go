package app

// levels are the statistics that tell how things are rather than how often
// something happened: no counters to Prometheus.
var levels = map[string]bool{
	"flow.active": true, "flow.peak": true, "defrag.memuse": true,
	"decoder.avg_pkt_size": true, "decoder.max_pkt_size": true,
}
