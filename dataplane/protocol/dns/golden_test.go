package dns

// tsharkDNSTCP is what tshark prints of arkime__dns-tcp.pcap (-T fields
// -e dns.flags.response -e dns.qry.name -e dns.qry.type -e dns.a), in our spelling.
var tsharkDNSTCP = []string{
	"request google.com/A",
	"response google.com/A 74.125.228.46 74.125.228.32 74.125.228.33 74.125.228.34 74.125.228.35 74.125.228.36 74.125.228.37 74.125.228.38 74.125.228.39 74.125.228.40 74.125.228.41 216.239.32.10 216.239.36.10 216.239.38.10 216.239.34.10",
	"request aol.com/A",
	"response aol.com/A 205.188.100.58 205.188.101.58 207.200.74.38 64.12.79.57 64.12.89.186 64.236.1.107 207.200.73.80 64.12.51.132 205.188.157.232",
}
