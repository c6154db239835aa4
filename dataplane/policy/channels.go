package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// channelNames are the ways out that objects are told with. A test holds that
// they are those of the protocols.
var channelNames = strings.Fields(`http-request http-response raw-tcp raw-udp tls dns smtp ftp-data ssh smb dcerpc imap pop3 nfs tftp sip rdp rfb
	mqtt krb5 snmp dhcp ntp ike ldap quic websocket doh2 mdns llmnr telnet pgsql modbus dnp3 enip bittorrent-dht irc jabber ftp`)

// channelAliases are names that people use for several.
var channelAliases = map[string][]string{
	"http": {"http-request", "http-response"},
	"ftp":  {"ftp", "ftp-data"},
	"raw":  {"raw-tcp", "raw-udp"},
}

// KnownChannel reports whether objects may come by a channel.
func KnownChannel(name string) bool { return slices.Contains(channelNames, name) }

// channels checks patterns of channels and gives them with aliases resolved: one
// that names no channel would silently never match.
func (c *compiler) channels(l list, where string) []string {
	var out []string
	for i, s := range c.globs(l, where) {
		if more, ok := channelAliases[s]; ok {
			out = append(out, more...)
			continue
		}
		if !slices.ContainsFunc(channelNames, func(n string) bool { return anyGlob([]string{s}, n) }) {
			c.at(fmt.Sprintf("%s[%d]", where, i), c.meant(s, append(slices.Sorted(maps.Keys(channelAliases)), channelNames...), "such as http-request, http-response, smtp, ftp, smb, tls, raw; see docs/policy.md"), "no channel is named %q", s)
		}
		out = append(out, s)
	}
	return out
}
