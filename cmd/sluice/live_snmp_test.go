package main

import (
	"path/filepath"
	"slices"
	"strings"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

const (
	snmpCommunity = "osprey-under-glass"
	sysContact    = "1.3.6.1.2.1.1.4.0"
)

// liveAgent asks and sets a real agent of SNMP: its records are right and tell no
// community, and cards are not set.
func liveAgent(r *rig) {
	r.need("snmpd", "snmpd")
	r.need("snmp", "snmpget", "snmpset")
	// What the programs keep goes nowhere else, and they look for no files of names.
	env := []string{"SNMP_PERSISTENT_DIR=" + filepath.Join(r.dir, "snmp"), "MIBS="}
	conf := r.write("snmpd.conf", "rwcommunity "+snmpCommunity+"\npsyscontact at first\ncreateUser carol SHA shredded-oboe AES shredded-oboe\nrouser carol priv\n")
	said := r.serve(r.lab.Server, "env", append(slices.Clone(env), "snmpd", "-f", "-Lo", "-C", "-c", conf, "-p", filepath.Join(r.dir, "snmpd.pid"), "udp:"+netlab.Server4+":161")...)
	// A datagram that is withheld is not answered: then the client waits in vain.
	const long, short = "10", "1"
	ask := func(from *netlab.Namespace, timeout, program string, args ...string) (string, error) {
		return from.Run(r.ctx, "env", append(append(slices.Clone(env), program, "-r", "0", "-t", timeout, "-Oqv"), args...)...)
	}
	as := []string{"-v", "2c", "-c", snmpCommunity, netlab.Server4, sysContact}
	r.until("snmpd", func() (string, bool) {
		out, err := ask(r.lab.Server, short, "snmpget", as...)
		return out + said(), err == nil
	})
	r.startTold()
	mark := r.soc.Mark()
	set := func(timeout, value string) (string, error) {
		return ask(r.lab.Client, timeout, "snmpset", append(slices.Clone(as), "s", value)...)
	}
	contact := func() string {
		r.Helper()
		out, err := ask(r.lab.Client, long, "snmpget", as...)
		if err != nil {
			r.Errorf("snmpget: %v\n%s", err, out)
		}
		return strings.Trim(strings.TrimSpace(out), `"`)
	}
	if out, err := set(long, "the desk by the window"); err != nil {
		r.Errorf("a harmless value: %v\n%s", err, out)
	}
	if got := contact(); got != "the desk by the window" {
		r.Errorf("the agent says %q", got)
	}
	if out, err := ask(r.lab.Client, long, "snmpget", "-v", "3", "-l", "authPriv", "-u", "carol", "-a", "SHA", "-A", "shredded-oboe", "-x", "AES", "-X", "shredded-oboe", netlab.Server4, sysContact); err != nil ||
		!strings.Contains(out, "the desk by the window") {
		r.Errorf("version 3: %v\n%s", err, out)
	}
	type record struct {
		Version   int
		PDU       string `json:"pdu_type"`
		Vars      []string
		Community string
		User      string `json:"usm"`
	}
	for _, pdu := range []string{"set_request", "get_request", "response"} {
		awaitPart(r, mark, "snmp", pdu, func(s *record) bool {
			return s.Version == 2 && s.PDU == pdu && slices.Equal(s.Vars, []string{sysContact}) && s.Community == "***"
		})
	}
	awaitPart(r, mark, "snmp", "what is encrypted", func(s *record) bool { return s.Version == 3 && s.PDU == "encrypted" && s.User == "carol" })
	r.awaitClearLogin(mark, "snmp")

	mark = r.soc.Mark()
	cards := stage.Cards(8, 8)
	if out, err := set(short, "credit cards "+strings.Join(cards, " ")); err == nil {
		r.Errorf("the cards were set\n%s", out)
	}
	r.awaitBlock(mark, "block-cards", "snmp")
	if got := contact(); got != "the desk by the window" {
		r.Errorf("after the block the agent says %q", got)
	}
	r.nowhere(append(cards, snmpCommunity)...)
}
