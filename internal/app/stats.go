package app

import (
	"strings"

	"sluice/internal/config"
)

// The beginnings of the names of counters of single kinds of anomalies.
const (
	decoderEvents = "decoder.event."
	streamEvents  = "stream."
)

// statsName gives the name that a counter has in stats events, empty for one
// that is left out of them. Status and metrics have all counters.
func statsName(cfg config.Stats, name string) string {
	switch rest, decoder := strings.CutPrefix(name, decoderEvents); {
	case decoder && !cfg.DecoderEvents, strings.HasPrefix(name, streamEvents) && !cfg.StreamEvents:
		return ""
	case decoder:
		return strings.TrimSuffix(cfg.DecoderEventsPrefix, ".") + "." + rest
	}
	return name
}
