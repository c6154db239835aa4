package app

import (
	"strings"
	"testing"
)

// TestMagicByProtocol has files of every protocol that carries them described.
func TestMagicByProtocol(t *testing.T) {
	f := func(file, proto, want string) {
		t.Helper()
		t.Run(proto, func(t *testing.T) {
			events, _ := replayEvents(t, shared(t, file), "outputs.eve-log.types.files.force-magic=true")
			var told []string
			for _, e := range events {
				info, ok := e["fileinfo"].(map[string]any)
				if !ok || e["app_proto"] != proto {
					continue
				}
				text, _ := info["magic"].(string)
				if text == "" {
					t.Errorf("a file of %v bytes has no description: %v", info["size"], info)
				}
				told = append(told, text)
			}
			if len(told) == 0 {
				t.Error("no file was told of")
			}
			if !strings.Contains(strings.Join(told, "\n"), want) {
				t.Errorf("%q, among which no %q", told, want)
			}
		})
	}
	const tests = "data/suricata-verify/tests/"
	f(tests+"filemagic-flowbits/pdf-dl.pcap", "http", "PDF document, version 1.5")
	f(tests+"http2-deflate/http2_deflate.pcap", "http2", "ASCII text")
	f(tests+"smb-eicar-file/input.pcap", "smb", "EICAR virus test file")
	f(tests+"bug-6207-1/input.pcap", "smtp", "ASCII text, with CRLF line terminators")
	f(tests+"output-eve-ftp-data/input.pcap", "ftp-data", "")
	f("data/pcaps/arkime__tftp_rrq.pcap", "tftp", "")
}
