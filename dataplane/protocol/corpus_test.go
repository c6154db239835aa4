package protocol_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestCorpus follows every flow of the shared captures, and checks the
// protocols that are found on the flows whose ports tell what they should be.
func TestCorpus(t *testing.T) {
	r := registry(t)
	var files []string
	for _, dir := range []string{protocoltest.Shared(t, "pcaps"), protocoltest.Shared(t, "suricata-verify")} {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && strings.Contains(filepath.Base(path), ".pcap") {
				if info, err := e.Info(); err == nil && info.Size() < 4<<20 {
					files = append(files, path)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	type tally struct{ flows, found int }
	want := map[uint16]protocol.ID{25: protocol.SMTP, 53: protocol.DNS, 443: protocol.TLS}
	tallies := map[protocol.ID]*tally{protocol.SMTP: {}, protocol.DNS: {}, protocol.TLS: {}}
	odd := map[string]int{}
	for _, file := range files {
		for _, d := range protocoltest.DialoguesOrNone(file) {
			if len(d.Chunks) < 2 {
				continue
			}
			got := follow(t, r, d)
			if id, ok := want[d.DstPort]; ok && (id != protocol.TLS || !d.UDP) {
				tallies[id].flows++
				if got.Proto == id || got.Original == id {
					tallies[id].found++
				}
			} else if got.Proto > protocol.Failed && d.DstPort != 53 && d.SrcPort != 53 {
				odd[got.Proto.String()+" "+filepath.Base(filepath.Dir(file))]++
			}
		}
	}
	for id, n := range tallies {
		t.Logf("%s: %d of %d flows", id, n.found, n.flows)
		if n.found*100 < n.flows*80 {
			t.Errorf("%s: only %d of %d flows on its port are recognised", id, n.found, n.flows)
		}
	}
	for k, n := range odd {
		t.Logf("on another port: %s %d", k, n)
	}
}
