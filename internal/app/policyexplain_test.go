package app

import (
	"testing"

	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
)

// TestChannels holds that policies can name the protocols' channels.
func TestChannels(t *testing.T) {
	for id := protocol.Failed + 1; id < protocol.NumIDs; id++ {
		if id == protocol.HTTP1 || id == protocol.HTTP2 {
			continue // by direction
		}
		if !policy.KnownChannel(id.String()) {
			t.Errorf("%s is no channel", id)
		}
	}
}
