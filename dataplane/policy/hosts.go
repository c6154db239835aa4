package policy

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// Geo tells where an address is registered. Implementations must be safe for
// concurrent use.
type Geo interface {
	// Country gives the ISO 3166-1 code in capitals; empty when unknown.
	Country(netip.Addr) string
	// ASN gives the autonomous system's number; 0 when unknown.
	ASN(netip.Addr) uint32
}

// party is one end of a transfer: its address, and the name and the user that
// are known of it. A name is a domain or a mail address.
type party struct {
	addr       netip.Addr
	name, user string
}

// hostSet is a set of parties with exclusions.
type hostSet struct{ yes, no hosts }

type hosts struct {
	any     bool
	nets    *bart.Lite
	domains []domainPattern
	// mails are patterns of whole mail addresses in lower case, users of logins.
	mails, users []string
	countries    []string
	asns         []uint32
}

type domainPattern struct {
	domain string
	// sub tells that only names below it are meant ("*.").
	sub bool
}

func (h *hosts) empty() bool {
	return !h.any && h.nets == nil && len(h.domains)+len(h.mails)+len(h.users)+len(h.countries)+len(h.asns) == 0
}

// has reports whether the party is one of the set. Geo may be nil, then nobody
// is of a country.
func (h *hosts) has(p party, geo Geo) bool {
	if h.any || h.nets != nil && p.addr.IsValid() && h.nets.Contains(p.addr.Unmap()) {
		return true
	}
	if p.name != "" && (h.hasDomain(p.name) || len(h.mails) > 0 && strings.IndexByte(p.name, '@') >= 0 && anyGlob(h.mails, strings.ToLower(p.name))) {
		return true
	}
	if p.user != "" && len(h.users) > 0 && anyGlob(h.users, p.user) {
		return true
	}
	if geo == nil || !p.addr.IsValid() {
		return false
	}
	return len(h.countries) > 0 && slices.Contains(h.countries, geo.Country(p.addr.Unmap())) ||
		len(h.asns) > 0 && slices.Contains(h.asns, geo.ASN(p.addr.Unmap()))
}

func (h *hosts) hasDomain(domain string) bool {
	domain = domain[strings.LastIndexByte(domain, '@')+1:]
	for i := range h.domains {
		d := &h.domains[i]
		n := len(domain) - len(d.domain)
		switch {
		case n == 0 && !d.sub && strings.EqualFold(domain, d.domain):
			return true
		case n > 0 && domain[n-1] == '.' && strings.EqualFold(domain[n:], d.domain):
			return true
		}
	}
	return false
}

func (h *hostSet) has(p party, geo Geo) bool {
	if h.no.has(p, geo) {
		return false
	}
	return h.yes.empty() || h.yes.has(p, geo)
}

// may reports whether the party may turn out to be one of the set once what is
// not known of it yet, its name and its user, is.
func (h *hostSet) may(p party, geo Geo) bool {
	return h.has(p, geo) || p.name == "" && len(h.yes.domains)+len(h.yes.mails) > 0 || p.user == "" && len(h.yes.users) > 0
}

// wantsGeo reports whether the set cannot be told without a database.
func (h *hostSet) wantsGeo() bool {
	return h != nil && len(h.yes.countries)+len(h.yes.asns)+len(h.no.countries)+len(h.no.asns) > 0
}

func anyGlob(ps []string, s string) bool {
	for _, p := range ps {
		if p == s || p == "*" {
			return true
		}
		if ok, _ := path.Match(p, s); ok {
			return true
		}
	}
	return false
}

func anyGlobFold(ps []string, s string) bool {
	s = strings.ToLower(path.Base(strings.ReplaceAll(s, `\`, "/")))
	for _, p := range ps {
		if ok, _ := path.Match(strings.ToLower(p), s); ok {
			return true
		}
	}
	return false
}
