package rule

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// testEnv is an environment in which all known buffers exist.
func testEnv() Env {
	prefix := map[string]protocol.ID{"http": protocol.HTTP1, "tls": protocol.TLS, "ja3": protocol.TLS, "ja3s": protocol.TLS, "ja4": protocol.TLS,
		"dns": protocol.DNS, "ssh": protocol.SSH, "smtp": protocol.SMTP, "email": protocol.SMTP, "ftp": protocol.FTP}
	toClient := map[string]bool{"http.stat_code": true, "http.stat_msg": true, "http.response_line": true, "http.response_body": true,
		"http.location": true, "http.server": true, "tls.certs": true, "tls.cert_subject": true, "tls.cert_issuer": true, "tls.cert_serial": true, "ja3s.hash": true}
	both := map[string]bool{"http.header": true, "http.header.raw": true, "http.cookie": true, "http.header_names": true, "http.protocol": true, "http.start": true,
		"http.content_type": true, "http.content_len": true, "http.connection": true, "ssh.proto": true, "ssh.software": true, "file.data": true, "file.name": true, "file.magic": true,
		"tls.cert_fingerprint": true, "tls.random": true}
	buffers := map[string]protocol.BufferSpec{}
	for i, n := range knownBuffers {
		p, _, _ := strings.Cut(n, ".")
		s := protocol.BufferSpec{Name: n, ID: protocol.Buffer(prefix[p], uint8(i)), Dirs: protocol.DirsToServer}
		switch {
		case toClient[n]:
			s.Dirs = protocol.DirsToClient
		case both[n]:
			s.Dirs = protocol.DirsBoth
		}
		s.Multi = n == "dns.query" || n == "tls.certs"
		if prefix[p] != 0 || p == "file" {
			buffers[n] = s
		}
	}
	byName := func(n string) (protocol.ID, bool) {
		if n == "http1" {
			return protocol.HTTP1, true
		}
		for id := protocol.HTTP1; id < protocol.NumIDs; id++ {
			if id.String() == n {
				return id, true
			}
		}
		return 0, false
	}
	def := &protocol.Definition{}
	return Env{
		Vars: map[string]string{"HOME_NET": "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", "EXTERNAL_NET": "!$HOME_NET", "HTTP_SERVERS": "$HOME_NET",
			"SMTP_SERVERS": "$HOME_NET", "SQL_SERVERS": "$HOME_NET", "DNS_SERVERS": "$HOME_NET", "TELNET_SERVERS": "$HOME_NET", "AIM_SERVERS": "$EXTERNAL_NET",
			"DC_SERVERS": "$HOME_NET", "HTTP_PORTS": "80", "SHELLCODE_PORTS": "!80", "ORACLE_PORTS": "1521", "SSH_PORTS": "22", "FTP_PORTS": "21", "FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]"},
		Buffer: func(n string) (protocol.BufferSpec, bool) { b, ok := buffers[n]; return b, ok },
		Proto:  byName,
		Definition: func(id protocol.ID) *protocol.Definition {
			switch id {
			case protocol.HTTP1, protocol.DNS, protocol.TLS, protocol.SSH, protocol.SMTP, protocol.FTP, protocol.FTPData, protocol.SMB:
				return def
			}
			return nil
		},
		Field:   func(string) bool { return true },
		Event:   func(string) (decode.Event, bool) { return 1, true },
		Classes: map[string]Class{"trojan-activity": {"A Network Trojan was detected", 1}},
	}
}

// shared finds the folder of test data beside the repository.
func shared(t testing.TB, path string) string {
	dir, _ := os.Getwd()
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Skip("no go.mod above")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(dir, "..", "shared", path)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("%s is not here", path)
	}
	return p
}

func TestETOpenLoads(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t, "data/rules/et-open"), "*.rules"))
	p := NewParser(testEnv())
	total, bad := 0, 0
	reasons, examples := map[string]int{}, map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range Lines(string(data)) {
			total++
			if _, err := p.Parse(filepath.Base(f), l.Number, l.Text); err != nil {
				bad++
				k := err.Keyword + ": " + err.Message
				reasons[k]++
				examples[k] = fmt.Sprintf("%s (enabled %v)", err.Error(), l.Enabled)
			}
		}
	}
	keys := make([]string, 0, len(reasons))
	for k := range reasons {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return reasons[keys[i]] > reasons[keys[j]] })
	for i, k := range keys {
		if i < 40 {
			t.Logf("%5d %s", reasons[k], examples[k])
		}
	}
	t.Logf("%d of %d rules load (%.2f %%)", total-bad, total, 100*float64(total-bad)/float64(total))
	if float64(bad) > 0.005*float64(total) {
		t.Errorf("%d of %d rules are refused", bad, total)
	}
}
