package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestHandshakeStates asks for the steps of handshakes in shared captures.
func TestHandshakeStates(t *testing.T) {
	dir := shared(t, "data/pcaps")
	rules := filepath.Join(t.TempDir(), "states.rules")
	var text string
	for i, o := range []string{
		"ssl_state:client_hello", "flow:to_client; ssl_state:server_hello", "ssl_state:client_keyx", "ssl_state:server_keyx",
		"ssl_state:!client_hello", "ssl_state:unknown", "ssl_state:client_keyx|server_keyx", "flow:to_server; ssl_state:server_hello",
	} {
		text += fmt.Sprintf("alert tls any any -> any any (%s; sid:%d;)\n", o, i+1)
	}
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(file string, want ...int) {
		t.Helper()
		evs, _ := replayEvents(t, filepath.Join(dir, file), "rules.paths=["+rules+"]")
		var got []int
		for _, e := range evs {
			if a, ok := e["alert"].(map[string]any); ok {
				got = append(got, int(a["signature_id"].(float64)))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
	// Of TLS 1.3 the hellos alone are in the clear.
	f("arkime__tls13.pcap", 1, 2, 5)
	// The capture ends before the client's key.
	f("zeek__tls-fragmented-handshake.pcap.gz", 1, 2, 4, 5, 7)
}
