package app

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/config"
)

// TestDirectoryRules replays captures of LDAP, Kerberos and SNMP, and counts what
// rules on their parts find, with Kerberos' answers as tshark shows them.
func TestDirectoryRules(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "d.rules")
	if err := os.WriteFile(rules, []byte(`
alert ldap any any -> any any (ldap.responses.operation:search_result_done,1; sid:1;)
alert ldap any any -> any any (ldap.responses.operation:search_result_entry,all; sid:2;)
alert ldap any any -> any any (ldap.responses.operation:search_result_done,-1; sid:3;)
alert ldap any any -> any any (ldap.responses.count:2; sid:4;)
alert ldap any any -> any any (ldap.responses.count:0; sid:5;)
alert ldap any any -> any any (ldap.responses.result_code:success,all; sid:6;)
alert ldap any any -> any any (ldap.request.operation:modify_request; ldap.request.dn; content:"uid=jdoe"; sid:7;)
alert ldap any any -> any any (ldap.request.attributes; content:"cn=Jonathan Doe"; sid:8;)
alert ldap any any -> any any (ldap.responses.dn; content:"dc=example"; startswith; sid:9;)
alert krb5 any any -> any any (krb5.ticket_encryption:weak; sid:10;)
alert krb5 any any -> any any (krb5.ticket_encryption:!weak; sid:11;)
alert krb5 any any -> any any (krb5_err_code:25; sid:12;)
alert krb5 any any -> any any (krb5.cname; content:"robin"; sid:13;)
alert krb5 any any -> any any (krb5_sname; content:"http"; startswith; endswith; sid:14;)
alert snmp any any -> any any (snmp.version:2; snmp.pdu_type:2; sid:15;)
alert snmp any any -> any any (snmp.community; content:"cti"; sid:16;)
alert ldap any any -> any any (app-layer-event:ldap.request_not_found; sid:17;)
alert krb5 any any -> any any (app-layer-event:krb5.weak_encryption; sid:18;)
alert snmp any any -> any any (app-layer-event:snmp.malformed_data; sid:19;)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	base := shared(t, "data/suricata-verify/tests")
	var files []string
	for _, name := range []string{"ldap-search/ldap.pcap", "ldap-modify/ldap.pcap", "ldap-abandon/ldap.pcap", "ldap-udp/cldap.pcap", "krb5-krb5_msg_type/input.pcap",
		"snmp-v2c-get/SNMPv2c_get_requests.pcap"} {
		files = append(files, filepath.Join(base, name))
	}
	eve := filepath.Join(t.TempDir(), "eve.json")
	cfg := config.Default()
	cfg.CacheDir, cfg.Policy.File, cfg.Outputs.NATS.URL, cfg.Rules.Paths = "", PolicyNone, NATSOff, []string{rules}
	cfg.Outputs.EVE.Enabled, cfg.Outputs.EVE.Filename = true, eve
	if _, err := Replay(context.Background(), cfg, ReplayOptions{Files: files, Workers: 1, NoChecksum: true}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(eve)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, records := map[int]int{}, map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e struct {
			Type  string `json:"event_type"`
			Alert struct {
				SID int `json:"signature_id"`
			} `json:"alert"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == "alert" {
			got[e.Alert.SID]++
		} else {
			records[e.Type]++
		}
	}
	if diff := cmp.Diff(map[int]int{1: 2, 3: 2, 4: 2, 5: 1, 6: 3, 7: 1, 8: 1, 9: 1, 10: 1, 11: 3, 12: 1, 13: 6, 14: 2, 15: 4, 16: 8}, got); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]int{"ldap": 4, "krb5": 10, "snmp": 8} {
		if records[name] != want {
			t.Errorf("%d records of %s, want %d", records[name], name, want)
		}
	}
}
