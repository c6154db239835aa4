package app

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// TestClaims follows the flows of all shared captures, and holds that no protocol takes
// another's: whose servers have usual ports is found on those alone, but for captures
// that are known to have it elsewhere.
func TestClaims(t *testing.T) {
	r, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := map[string]bool{
		"bittorrent-dht 30000 bittorrent-dht/input.pcap": true, "bittorrent-dht 50000 bittorrent-dht/input.pcap": true,
		"ldap 3268 pcaps/zeek__simpleauth.pcap":        true, // the global catalogue
		"snmp 53 dns-udp-junkrequest-first/input.pcap": true, // a scanner's message
	}
	flows, found := 0, map[protocol.ID]int{}
	follow := func(path string, d protocoltest.Dialogue) {
		env := protocoltest.NewEnv(d, &protocoltest.Sink{})
		var s protocol.Session
		defer s.Release()
		seen := map[protocol.ID]bool{}
		for _, c := range d.Chunks {
			switch {
			case c.End:
				s.End(r, env, c.Dir)
			case c.Gap > 0:
				s.Gap(r, env, c.Dir, c.Gap)
			case d.UDP:
				s.Datagram(r, env, c.Dir, c.Data)
			default:
				s.Data(r, env, c.Dir, c.Data)
			}
			s.DropReplaced()
			seen[s.ParserProto()] = true
		}
		flows++
		for id := range seen {
			switch id {
			case protocol.SIP, protocol.RFB, protocol.BitTorrentDHT, protocol.DHCP, protocol.IKE, protocol.RDP, protocol.Modbus, protocol.DNP3, protocol.ENIP,
				protocol.NFS, protocol.LDAP, protocol.SNMP, protocol.KRB5, protocol.PGSQL:
			default:
				continue
			}
			found[id]++
			ports := r.Definition(id).Ports
			name := fmt.Sprintf("%s %d %s/%s", id, d.DstPort, filepath.Base(filepath.Dir(path)), filepath.Base(path))
			if !slices.Contains(ports, d.DstPort) && !slices.Contains(ports, d.SrcPort) && !elsewhere[name] {
				t.Errorf("%s is taken for it", name)
			}
		}
	}
	err = filepath.WalkDir(protocoltest.Shared(t), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(filepath.Base(path), ".pcap") {
			return err
		}
		if i, err := e.Info(); err != nil || i.Size() > 8<<20 {
			return err
		}
		for _, d := range protocoltest.DialoguesOrNone(path) {
			follow(path, d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d flows: %v", flows, found); flows < 1000 || found[protocol.SIP] == 0 || found[protocol.RDP] == 0 {
		t.Errorf("%d flows: %v", flows, found)
	}
}
