package app

import (
	"fmt"
	"path/filepath"
	"testing"

	"sluice/dataplane/protocol"
)

// TestParserGaps: a parser that gives up over missing bytes is counted as that, and
// answered like one that gives up over what it was given.
func TestParserGaps(t *testing.T) {
	file := shared(t, "data/suricata-verify/tests/mqtt-events-unintroduced/input.pcap")
	evs, sum := replayEvents(t, file, "outputs.eve-log.types.flow.exception-policy=true", "app-layer.error-policy=ignore")
	if e, g := sum.Counters.AppErrors[protocol.MQTT][0], sum.Counters.AppGaps[protocol.MQTT][0]; e != 0 || g != 1 {
		t.Errorf("%d errors, %d gaps", e, g)
	}
	for _, e := range evs {
		if p, ok := e["flow"].(map[string]any); ok && e["event_type"] == "flow" && fmt.Sprint(p["exception_policy"]) != "[map[policy:ignore target:app_layer_error]]" {
			t.Errorf("the flow tells of %v", p["exception_policy"])
		}
	}
}

// TestParsersReadOn: no parser gives up on traffic that real programs made: inline, the
// flow would be ended unless app-layer.error-policy says otherwise.
func TestParsersReadOn(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "data/pcaps"), "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	flows := uint64(0)
	for _, f := range files {
		_, sum := replayEvents(t, f)
		for id := range protocol.NumIDs {
			c := &sum.Counters
			flows += c.AppFlows[id][0] + c.AppFlows[id][1]
			if n := c.AppErrors[id][0] + c.AppErrors[id][1] + c.AppGaps[id][0] + c.AppGaps[id][1]; n > 0 {
				t.Errorf("%s: the parser of %s gave up on %d flows", filepath.Base(f), id, n)
			}
		}
	}
	if flows < 50 {
		t.Errorf("only %d flows", flows)
	}
}
