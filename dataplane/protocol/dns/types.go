package dns

import "strconv"

// Resource record types (IANA DNS parameters) that are looked into.
const (
	TypeA      = 1
	TypeNS     = 2
	TypeMD     = 3
	TypeMF     = 4
	TypeCNAME  = 5
	TypeSOA    = 6
	TypeMB     = 7
	TypeMG     = 8
	TypeMR     = 9
	TypeNULL   = 10
	TypePTR    = 12
	TypeMX     = 15
	TypeTXT    = 16
	TypeAFSDB  = 18
	TypeRT     = 21
	TypeAAAA   = 28
	TypeNBNS   = 32
	TypeSRV    = 33
	TypeKX     = 36
	TypeDNAME  = 39
	TypeOPT    = 41
	TypeSSHFP  = 44
	TypeSVCB   = 64
	TypeHTTPS  = 65
	TypeSPF    = 99
	TypeANY    = 255
	classIN    = 1
	classCH    = 3
	classHS    = 4
	classNone  = 254
	classAny   = 255
	unicastBit = 0x8000
)

var typeNames = map[uint16]string{
	1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS",
	12: "PTR", 13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT",
	22: "NSAP", 23: "NSAPPTR", 24: "SIG", 25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 33: "SRV",
	34: "ATMA", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6", 39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP",
	45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA",
	55: "HIP", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48", 109: "EUI64",
	249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA",
}

// TypeName gives a record type's name, its number where it has none.
func TypeName(t uint16) string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return strconv.Itoa(int(t))
}

var rcodeNames = [...]string{0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN",
	7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE",
	20: "BADNAME", 21: "BADALG", 22: "BADTRUNC"}

// RCodeName gives a response code's name, its number where it has none.
func RCodeName(code uint16) string {
	if int(code) < len(rcodeNames) && rcodeNames[code] != "" {
		return rcodeNames[code]
	}
	return strconv.Itoa(int(code))
}
