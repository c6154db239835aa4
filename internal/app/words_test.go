package app

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// TestWords asks shared captures by keywords of single protocols: each loads, and
// matches what it means alone.
func TestWords(t *testing.T) {
	dir := shared(t, "data")
	f := func(file, proto string, rules []string, want ...int) {
		t.Helper()
		var text string
		for i, o := range rules {
			text += fmt.Sprintf("alert %s any any -> any any (%s; sid:%d;)\n", proto, o, i+1)
		}
		path := filepath.Join(t.TempDir(), "words.rules")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		evs, sum := replayEvents(t, filepath.Join(dir, file), "rules.paths=["+path+"]")
		if n := sum.RulesLoaded; n != len(rules) {
			t.Errorf("%s: %d of %d rules loaded", file, n, len(rules))
		}
		var got []int
		for _, e := range evs {
			if a, ok := e["alert"].(map[string]any); ok {
				got = append(got, int(a["signature_id"].(float64)))
			}
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
	// The certificate ended in May 2018.
	f("suricata-verify/tests/tls/tls-store-02/tls-client-auth.pcap", "tls", []string{
		"tls_cert_expired", "tls_cert_valid", "tls_cert_notafter:>2018-05-14T20:55:27", "tls_cert_notafter:<2018-05-14T20:55:26"}, 2, 3)
	f("suricata-verify/tests/bug-3616-smtp/input.pcap", "smtp", []string{
		`email.body_md5; content:"ed00c81b85fa455d60e19f1230977134"; bsize:32`, `email.body_md5; content:"ed00c81b85fa455d60e19f1230977135"`,
		`email.subject; content:"SMTP"; email.body_md5; content:"ed00c8"; startswith`}, 1, 3)
	f("pcaps/arkime__http2-nghttp2.pcap", "http2", []string{
		"http2.settings:SETTINGS_MAX_CONCURRENT_STREAMS=100", "http2.settings:SETTINGS_MAX_CONCURRENT_STREAMS>100", "http2.settings:SETTINGS_INITIAL_WINDOW_SIZE>60000"}, 1, 3)
}

// TestMDNSWords asks an announcement and a query of multicast DNS by the names in
// them, which the keywords of DNS do not see.
func TestMDNSWords(t *testing.T) {
	dir := t.TempDir()
	file, rules := filepath.Join(dir, "mdns.pcap"), filepath.Join(dir, "mdns.rules")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := pcapgo.NewWriter(out)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	ptr := func(name, of string) layers.DNSResourceRecord {
		return layers.DNSResourceRecord{Name: []byte(name), Type: layers.DNSTypePTR, Class: layers.DNSClassIN, TTL: 120, PTR: []byte(of)}
	}
	for i, m := range []*layers.DNS{
		{Questions: []layers.DNSQuestion{{Name: []byte("_asked._tcp.local"), Type: layers.DNSTypePTR, Class: layers.DNSClassIN}},
			Authorities: []layers.DNSResourceRecord{ptr("_authority._tcp.local", "a.local")}},
		{QR: true, AA: true, Answers: []layers.DNSResourceRecord{ptr("_answer._tcp.local", "b.local")},
			Additionals: []layers.DNSResourceRecord{ptr("_additional._tcp.local", "c.local")}},
	} {
		ip := &layers.IPv4{Version: 4, TTL: 255, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, byte(i + 1)}, DstIP: net.IP{224, 0, 0, 251}}
		udp := &layers.UDP{SrcPort: 5353, DstPort: 5353}
		buf := gopacket.NewSerializeBuffer()
		err := errors.Join(udp.SetNetworkLayerForChecksum(ip), gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			&layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{1, 0, 0x5e, 0, 0, 0xfb}, EthernetType: layers.EthernetTypeIPv4}, ip, udp, m))
		if err == nil {
			err = w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1700000000+int64(i), 0), CaptureLength: len(buf.Bytes()), Length: len(buf.Bytes())}, buf.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text := ""
	for i, o := range []string{"mdns.queries.rrname; content:\"_asked.\"", "mdns.authorities.rrname; content:\"_authority.\"", "mdns.answers.rrname; content:\"_answer.\"",
		"mdns.additionals.rrname; content:\"_additional.\"", "mdns.response.rrname; content:\"_answer.\"", "mdns.response.rrname; content:\"_asked.\"", "mdns.answers.rrname; content:\"_asked.\""} {
		text += fmt.Sprintf("alert mdns any any -> any any (%s; sid:%d;)\n", o, i+1)
	}
	text += "alert dns any any -> any any (dns.queries.rrname; content:\"_asked.\"; sid:10;)\n"
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	evs, sum := replayEvents(t, file, "rules.paths=["+rules+"]")
	var got []int
	for _, e := range evs {
		if a, ok := e["alert"].(map[string]any); ok {
			got = append(got, int(a["signature_id"].(float64)))
		}
	}
	slices.Sort(got)
	if want := []int{1, 2, 3, 4, 5}; !slices.Equal(got, want) || sum.RulesLoaded != 8 {
		t.Errorf("%v of %d rules, want %v of 8", got, sum.RulesLoaded, want)
	}
}

// TestStoreCertificates: a rule with tls.store has the certificates of the handshake
// kept, the server's and the client's, and no others are.
func TestStoreCertificates(t *testing.T) {
	file := shared(t, "data/suricata-verify/tests/tls/tls-store-02/tls-client-auth.pcap")
	f := func(rule string, want int) {
		t.Helper()
		dir := t.TempDir()
		rules, store := filepath.Join(dir, "store.rules"), filepath.Join(dir, "store")
		if err := os.WriteFile(rules, []byte(rule+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		replayEvents(t, file, "rules.paths=["+rules+"]", "outputs.file-store.enabled=true", "outputs.file-store.dir="+store, "outputs.file-store.write-fileinfo=true")
		var certs int
		var records string
		err := filepath.WalkDir(store, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if strings.HasSuffix(path, ".json") {
				records += string(b)
				return err
			}
			for {
				var block *pem.Block
				if block, b = pem.Decode(b); block == nil {
					return err
				}
				certs++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if certs != want || want > 0 != strings.Contains(records, `"sni":"localhost"`) {
			t.Errorf("%s: %d certificates, want %d; beside them %s", rule, certs, want, records)
		}
	}
	f(`alert tls any any -> any any (tls.sni; content:"localhost"; tls.store; sid:1;)`, 3)
	f(`alert tls any any -> any any (tls_cert_valid; tls.store; sid:1;)`, 3)
	f(`alert tls any any -> any any (tlsstore; sid:1;)`, 3)
	f(`alert tls any any -> any any (tls_cert_expired; tls.store; sid:1;)`, 0)
	f(`alert tls any any -> any any (tls_cert_valid; sid:1;)`, 0)
}
