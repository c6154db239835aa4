package rule

import (
	"strings"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// noEvent says that an event does not exist here, and which one may be meant.
func noEvent(name string) error {
	var names []string
	for i := range decode.Event(1 << 12) {
		if n := i.String(); !strings.HasPrefix(n, "event-") {
			names = append(names, n, "stream."+n)
		}
	}
	if hint := didYouMean(name, names); hint != "" {
		return faultf("unknown event %q%s", clip(name), hint)
	}
	return unevaluated("event " + clip(name))
}

// protocolNames are those that app-layer-protocol and the like may name.
func protocolNames() []string {
	names := []string{"http", "unknown", "failed"}
	for i := protocol.HTTP1; i < protocol.NumIDs; i++ {
		names = append(names, i.String())
	}
	return names
}
