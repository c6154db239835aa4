package config

import "strings"

// aliases are other names of our settings: Suricata's older or shorter ones,
// and where it has at the top what is in a section here.
var aliases = map[string]string{
	"sensor-name":               "sensor.name",
	"stream.depth":              "stream.reassembly.depth",
	"rule-files":                "rules.paths",
	"logging.default-log-level": "log.level",
}

// mapKeys bounds the keys of maps.
var mapKeys = map[string][]string{
	"app-layer.protocols": strings.Fields("http http2 tls dns smtp ftp ftp-data ssh smb dcerpc imap pop3 nfs tftp sip rdp rfb mqtt krb5 snmp dhcp ntp ike ldap " +
		"quic websocket doh2 mdns llmnr telnet pgsql modbus dnp3 enip bittorrent-dht irc jabber"),
	"host-os-policy": strings.Fields("windows bsd bsd-right old-linux linux old-solaris solaris hpux10 hpux11 irix macos vista windows2k3"),
}

// harmless are Suricata's settings that change its speed, its memory layout or
// its own diagnostics, and nothing that an operator would miss here: accepted
// without effect, and listed in Config.Ignored. A prefix stands for all below it.
var harmless = map[string]string{
	"mpm-algo":                                "one engine matches all patterns",
	"spm-algo":                                "one engine matches all patterns",
	"runmode":                                 "workers are threads that run to completion",
	"threading":                               "name processors under ports.capture.cpus",
	"max-pending-packets":                     "frames stay in the ring",
	"default-packet-size":                     "frames stay in the ring",
	"unix-command":                            "the control socket is always there",
	"profiling":                               "built in",
	"coredump":                                "the system's settings hold",
	"luajit":                                  "no Lua states",
	"engine-analysis":                         "see sluice check",
	"asn1-max-frames":                         "bounded by the decoder",
	"host-mode":                               "each port's role says it",
	"containers":                              "see limits",
	"ippair":                                  "tables size themselves",
	"host":                                    "tables size themselves",
	"logging":                                 "see log",
	"flow.hash-size":                          "tables size themselves",
	"flow.prealloc":                           "tables size themselves",
	"flow.managers":                           "workers time out their own flows",
	"flow.recyclers":                          "workers time out their own flows",
	"flow.prune-flows":                        "workers time out their own flows",
	"flow.rate-tracking":                      "tables size themselves",
	"defrag.hash-size":                        "tables size themselves",
	"defrag.prealloc":                         "tables size themselves",
	"stream.prealloc-sessions":                "tables size themselves",
	"stream.prealloc-segments":                "tables size themselves",
	"stream.max-syn-queued":                   "the newest SYN counts: none are queued",
	"stream.reassembly.toserver-chunk-size":   "chunks do not change results",
	"stream.reassembly.toclient-chunk-size":   "chunks do not change results",
	"stream.reassembly.max-regions":           "bounded by the bytes and segments held",
	"stream.max-sessions":                     "bounded by flows",
	"stream.reassembly.chunk-prealloc":        "tables size themselves",
	"stream.reassembly.segment-prealloc":      "tables size themselves",
	"stream.reassembly.segments":              "tables size themselves",
	"stream.reassembly.randomize-chunk-size":  "chunks do not change results",
	"stream.reassembly.randomize-chunk-range": "chunks do not change results",
	"stream.reassembly.check-overlap-different-data":                                    "always checked",
	"app-layer.protocols.http.libhtp.server-config":                                     "all servers are read alike",
	"app-layer.protocols.http.libhtp.default-config.randomize-inspection-sizes":         "chunks do not change results",
	"app-layer.protocols.http.libhtp.default-config.randomize-inspection-range":         "chunks do not change results",
	"app-layer.protocols.http.libhtp.default-config.decompression-time-limit":           "bounded by bytes and ratio",
	"app-layer.protocols.http.libhtp.default-config.lzma-memlimit":                      "bounded by bytes and ratio",
	"app-layer.protocols.http.libhtp.default-config.meta-field-limit":                   "see limits.max-header",
	"app-layer.protocols.http.libhtp.default-config.swf-decompression.enabled":          "Flash is gone",
	"app-layer.protocols.http.libhtp.default-config.swf-decompression.type":             "Flash is gone",
	"app-layer.protocols.http.libhtp.default-config.swf-decompression.compress-depth":   "Flash is gone",
	"app-layer.protocols.http.libhtp.default-config.swf-decompression.decompress-depth": "Flash is gone",
	"app-layer.protocols.http.libhtp.default-config.personality":                        "all servers are read alike",
	"app-layer.protocols.http.libhtp.default-config.http-body-inline":                   "bodies are inspected at arrival",
	"app-layer.protocols.http.libhtp.default-config.request-body-minimal-inspect-size":  "chunks do not change results",
	"app-layer.protocols.http.libhtp.default-config.request-body-inspect-window":        "chunks do not change results",
	"app-layer.protocols.http.libhtp.default-config.response-body-minimal-inspect-size": "chunks do not change results",
	"app-layer.protocols.http.libhtp.default-config.response-body-inspect-window":       "chunks do not change results",
	"app-layer.protocols.smtp.mime.decode-mime":                                         "mails are always read: classification needs it",
	"app-layer.protocols.smtp.mime.decode-base64":                                       "mails are always read: classification needs it",
	"app-layer.protocols.smtp.mime.decode-quoted-printable":                             "mails are always read: classification needs it",
	"app-layer.protocols.smtp.mime.header-value-depth":                                  "see limits.max-header",
	"app-layer.protocols.smtp.inspected-tracker.content-inspect-min-size":               "chunks do not change results",
	"app-layer.protocols.smtp.inspected-tracker.content-inspect-window":                 "chunks do not change results",
	"app-layer.protocols.http.memcap":                                                   "bounded by flow",
	"app-layer.protocols.ftp.memcap":                                                    "bounded by flow",
	"app-layer.protocols.dns.global-memcap":                                             "bounded by flow",
	"app-layer.protocols.dns.state-memcap":                                              "bounded by flow",
	"app-layer.protocols.msn":                                                           "the service is gone",
	"app-layer.protocols.mqtt.max-msg-length":                                           "see limits.max-object",
	"app-layer.protocols.modbus.request-flood":                                          "see app-layer.protocols.modbus.max-tx",
	"detect.profile":              "rules group themselves",
	"detect.custom-values":        "rules group themselves",
	"detect.sgh-mpm-context":      "rules group themselves",
	"detect.grouping":             "rules group themselves",
	"detect.prefilter":            "rules group themselves",
	"detect.profiling":            "built in",
	"detect.sgh-mpm-caching":      "always cached, see cache-dir",
	"detect.sgh-mpm-caching-path": "see cache-dir",
	"stats.exception-policy":      "always counted",
	"datasets.rules":              "rules never write outside of state-dir",
	"outputs.stats":               "see outputs.eve-log.types.stats and metrics",
	"outputs.fast":                "see outputs.eve-log",
	"suricata-version":            "not read",
	"pid-file":                    "the service manager knows",
	"security":                    "always on",
}

// asIs are Suricata's settings that are accepted where they ask for what is done
// anyway, which is their no.
var asIs = map[string]string{
	"app-layer.protocols.smtp.raw-extraction":                     "mails are not stored as sent; see outputs.evidence",
	"app-layer.protocols.http.libhtp.default-config.lzma-enabled": "no browser takes LZMA: what is sent so is unscannable, and the policy says what becomes of it",
}

// notUsed are Suricata's settings that would change what is detected, enforced
// or recorded, and that have no effect here. They are refused with what to do
// instead: a setting that is silently ignored is worse than one refused.
var notUsed = map[string]string{
	"af-packet":                      "name ports under ports.taps, ports.bridges or ports.gateways",
	"af-xdp":                         "name ports under ports.taps, ports.bridges or ports.gateways",
	"dpdk":                           "name ports under ports.taps, ports.bridges or ports.gateways",
	"netmap":                         "name ports under ports.taps, ports.bridges or ports.gateways",
	"pfring":                         "name ports under ports.taps, ports.bridges or ports.gateways",
	"pcap":                           "name ports under ports.taps, ports.bridges or ports.gateways",
	"nfq":                            "use ports.gateways",
	"ipfw":                           "use ports.gateways",
	"nflog":                          "use ports.taps",
	"napatech":                       "use ports.taps",
	"capture":                        "name ports under ports",
	"multi-detect":                   "run one sensor a tenant",
	"firewall":                       "firewall mode is not part of this product",
	"lua":                            "Lua is not run here",
	"include":                        "one file holds the configuration",
	"run-as":                         "let the service manager set the user",
	"plugins":                        "there are none",
	"legacy":                         "write http.uri instead of uricontent",
	"outputs.file-store.force-hash":  "use outputs.eve-log.force-hash",
	"outputs.file-store.force-magic": "use outputs.eve-log.types.files.force-magic",
	"outputs.file-store.xff":         "use outputs.eve-log.xff",
	"outputs.pcap-log":               "use outputs.evidence",
	"outputs.tls-store":              "use outputs.file-store: what tls.store keeps goes there",
	"outputs.tls-log":                "use outputs.eve-log.types.tls",
	"outputs.http-log":               "use outputs.eve-log.types.http",
	"outputs.alert-debug":            "use outputs.eve-log.types.alert",
	"outputs.syslog":                 "let a log shipper read the EVE file",
	"outputs.lua":                    "Lua is not run here",
	"outputs.tcp-data":               "use outputs.evidence",
	"outputs.http-body-data":         "use outputs.evidence",
	"outputs.eve-log.redis":          "use outputs.nats",
	"app-layer.protocols.http.libhtp.default-config.swf-decompression": "Flash is not unpacked",
}

// lookupPrefix finds a key or the section above it in a table.
func lookupPrefix(table map[string]string, key string) (string, bool) {
	for {
		if v, ok := table[key]; ok {
			return v, true
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return "", false
		}
		key = key[:i]
	}
}
