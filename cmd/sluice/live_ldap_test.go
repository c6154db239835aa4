package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

const ldapPassword = "wrung-dry-heron-74"

// serveDirectory runs OpenLDAP in a namespace, all of whose state is in a folder of
// its own, with entries to begin with.
func (r *rig) serveDirectory(in *netlab.Namespace, addr, entries string) {
	r.Helper()
	r.need("slapd", "slapd", "slapadd")
	r.need("ldap-utils", "ldapadd", "ldapsearch")
	dir := filepath.Join(r.dir, "ldap-"+addr)
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.Fatal(err)
	}
	conf := r.write("slapd-"+addr+".conf", fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
database mdb
directory %[1]s
suffix "dc=example"
rootdn "cn=agent,dc=example"
rootpw %[2]s
dbnosync
`, dir, ldapPassword))
	ldif := r.write("slapd-"+addr+".ldif", "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"+entries)
	if out, err := in.Run(r.ctx, "slapadd", "-q", "-f", conf, "-l", ldif); err != nil {
		r.Fatalf("slapadd: %v\n%s", err, out)
	}
	said := r.serve(in, "slapd", "-f", conf, "-h", "ldap://"+addr, "-d", "0")
	r.until("slapd", func() (string, bool) {
		out, err := r.search(in, addr)
		return out + said(), err == nil
	})
}

// search reads all descriptions of a directory, as nobody in particular.
func (r *rig) search(from *netlab.Namespace, addr string) (string, error) {
	return from.Run(r.ctx, "ldapsearch", "-x", "-LLL", "-H", "ldap://"+addr, "-o", "nettimeout=20", "-b", "dc=example", "(objectClass=*)", "description")
}

// person makes an entry.
func person(name, description string) string {
	return fmt.Sprintf("dn: cn=%[1]s,dc=example\nobjectClass: inetOrgPerson\ncn: %[1]s\nsn: Example\ndescription: %[2]s\n", name, description)
}

const directoryPolicy = `name: directory
rules:
  - name: clear-login
    when: {detectors: [cred.ftp-pass]}
    action: alert
  - name: agent-cards
    when: {direction: egress, source: ["user:agent"], detectors: [pay.card], unique: 5}
    action: block
  - name: block-cards
    when: {direction: egress, detectors: [pay.card], unique: 5}
    action: block
`

// liveDirectory fills and reads real directories: an entry with cards goes into none
// outside, and a table of them comes out of none inside.
func liveDirectory(r *rig) {
	cards := stage.Cards(40, 7)
	into, out := cards[:20], cards[20:]
	var table strings.Builder
	for i, card := range out {
		table.WriteString(person(fmt.Sprintf("Customer %d", i), "credit card "+card) + "\n")
	}
	r.serveDirectory(r.lab.Server, netlab.Server4, "")
	r.serveDirectory(r.lab.Client, netlab.Client4, table.String())
	r.startTold("--policy", r.write("policy.yaml", directoryPolicy))
	add := func(name, description string) (string, error) {
		ldif := r.write("entry.ldif", person(name, description))
		return r.lab.Client.Run(r.ctx, "ldapadd", "-x", "-H", "ldap://"+netlab.Server4, "-D", "cn=agent,dc=example", "-w", ldapPassword, "-o", "nettimeout=20", "-f", ldif)
	}
	mark := r.soc.Mark()
	if out, err := add("Ann", "at work on weekdays"); err != nil {
		r.Errorf("a harmless entry: %v\n%s", err, out)
	}
	type record struct {
		Request struct {
			Operation string
			Bind      struct{ Name string }  `json:"bind_request"`
			Add       struct{ Entry string } `json:"add_request"`
			Search    struct {
				Base string `json:"base_object"`
			} `json:"search_request"`
		}
		Responses []struct{ Operation string }
	}
	awaitPart(r, mark, "ldap", "a record of the bind", func(l *record) bool {
		return l.Request.Bind.Name == "cn=agent,dc=example" && len(l.Responses) == 1
	})
	awaitPart(r, mark, "ldap", "a record of the entry", func(l *record) bool {
		return l.Request.Add.Entry == "cn=Ann,dc=example" && len(l.Responses) == 1 && l.Responses[0].Operation == "add_response"
	})
	r.awaitClearLogin(mark, "ldap")

	mark = r.soc.Mark()
	if out, err := add("Bob", "credit cards "+strings.Join(into, ", ")); err == nil {
		r.Errorf("the cards were taken\n%s", out)
	}
	r.awaitBlock(mark, "agent-cards", "ldap")
	stored, err := r.search(r.lab.Client, netlab.Server4)
	if err != nil || !strings.Contains(stored, "at work on weekdays") || strings.Contains(stored, "Bob") || count(stored, into) > 0 {
		r.Errorf("after the block: %v\n%s", err, stored)
	}

	mark = r.soc.Mark()
	got, err := r.search(r.lab.Server, netlab.Client4)
	// Fewer than five are no list.
	if n := count(got, out); err == nil || n >= 5 {
		r.Errorf("%d cards of a table came out: %v", n, err)
	}
	r.awaitBlock(mark, "block-cards", "ldap")
	r.nowhere(append(cards, ldapPassword)...)
}
