package config

import (
	"fmt"
	"net/netip"
	"sort"
	"strconv"
	"strings"

	"sluice/internal/near"
)

// Vars are address and port groups by name, as rules spell them: "[10.0.0.0/8,
// !10.1.0.0/16]", "!$HOME_NET", "[80, 8000:8999]". The file and --set may use
// one flat section, or Suricata's address-groups and port-groups in it.
type Vars map[string]string

func defaultVars() Vars {
	v := Vars{"HOME_NET": "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", "EXTERNAL_NET": "!$HOME_NET", "AIM_SERVERS": "$EXTERNAL_NET",
		"HTTP_PORTS": "80", "SHELLCODE_PORTS": "!80", "ORACLE_PORTS": "1521", "SSH_PORTS": "22", "DNP3_PORTS": "20000",
		"MODBUS_PORTS": "502", "FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]", "FTP_PORTS": "21", "GENEVE_PORTS": "6081",
		"VXLAN_PORTS": "4789", "TEREDO_PORTS": "3544", "SIP_PORTS": "[5060, 5061]"}
	for _, n := range []string{"HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS", "DNS_SERVERS", "TELNET_SERVERS", "DC_SERVERS",
		"DNP3_SERVER", "DNP3_CLIENT", "MODBUS_CLIENT", "MODBUS_SERVER", "ENIP_CLIENT", "ENIP_SERVER"} {
		v[n] = "$HOME_NET"
	}
	return v
}

func (v *Vars) assign(a *assigner, n *node, path string) {
	if n.kind == null {
		return
	}
	if n.kind != mapping {
		a.fail(n.pos, path, "", "expected a section of groups, found %s", kindNames[n.kind])
		return
	}
	for _, e := range n.keys {
		full := join(path, e.key)
		if e.key == "address-groups" || e.key == "port-groups" {
			if strings.Count(full, ".") > 1 {
				a.fail(e.pos, full, "", "groups do not nest")
				continue
			}
			v.assign(a, e.val, full)
			continue
		}
		if !isVarName(e.key) {
			a.fail(e.pos, full, "use letters, digits and underscores", "%q is no name of a group", e.key)
			continue
		}
		text, ok := groupText(e.val)
		if !ok || text == "" {
			a.fail(e.pos, full, `write "[a, b]" or a list of values`, "expected a group, found %s", kindNames[e.val.kind])
			continue
		}
		if *v == nil {
			*v = Vars{}
		}
		(*v)[e.key] = text
	}
}

// groupText spells a list in the file as rules do.
func groupText(n *node) (string, bool) {
	switch n.kind {
	case scalar:
		return strings.TrimSpace(n.text), true
	case sequence:
		parts := make([]string, 0, len(n.items))
		for _, item := range n.items {
			t, ok := groupText(item)
			if !ok {
				return "", false
			}
			parts = append(parts, t)
		}
		return "[" + strings.Join(parts, ",") + "]", true
	}
	return "", false
}

func isVarName(s string) bool {
	for _, c := range s {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// refs gives the names that a group refers to.
func refs(text string) []string {
	var out []string
	for i := 0; i < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		j := i + 1
		for j < len(text) && isVarName(text[j:j+1]) {
			j++
		}
		out = append(out, text[i+1:j])
		i = j - 1
	}
	return out
}

// check finds references to nothing and in circles, and unbalanced brackets.
func (v Vars) check() []error {
	var errs []error
	names := make([]string, 0, len(v))
	for n := range v {
		names = append(names, n)
	}
	sort.Strings(names)
	state := map[string]int{} // 1: being followed, 2: done
	var follow func(name string)
	follow = func(name string) {
		state[name] = 1
		for _, r := range refs(v[name]) {
			switch {
			case v[r] == "":
				hint := "define it under vars"
				if like := near.Names(r, names, 1); len(like) > 0 {
					hint = "did you mean $" + like[0] + "?"
				}
				errs = append(errs, &Error{Key: "vars." + name, Msg: fmt.Sprintf("refers to $%s, which is not defined", r), Hint: hint})
			case state[r] == 1:
				errs = append(errs, &Error{Key: "vars." + name, Msg: fmt.Sprintf("refers to $%s, which leads back to it", r)})
			case state[r] == 0:
				follow(r)
			}
		}
		state[name] = 2
	}
	for _, n := range names {
		if state[n] == 0 {
			follow(n)
		}
		if strings.Count(v[n], "[") != strings.Count(v[n], "]") {
			errs = append(errs, &Error{Key: "vars." + n, Msg: "brackets do not match", Hint: v[n]})
		} else if bad := badMember(v[n]); bad != "" {
			errs = append(errs, &Error{Key: "vars." + n, Msg: strconv.Quote(bad) + " is neither an address, a range, a port nor a group", Hint: "write 10.0.0.0/8, 10.0.0.1-10.0.0.9, 80, 1024:65535 or $NAME"})
		}
	}
	return errs
}

// badMember gives the first member of a group that is none, empty when all are.
func badMember(text string) string {
	for m := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("[], \t!", r) }) {
		if m[0] == '$' || m == "any" || isPortRange(m) {
			continue
		}
		if first, last, ranged := strings.Cut(m, "-"); ranged {
			a, err1 := netip.ParseAddr(first)
			b, err2 := netip.ParseAddr(last)
			if err1 == nil && err2 == nil && !b.Less(a) {
				continue
			}
		}
		if _, err := parsePrefix(m); err != nil && !isOldMask(m) {
			return m
		}
	}
	return ""
}

// isPortRange reports whether a text is a port, or a range as rules write it.
func isPortRange(s string) bool {
	first, last, ranged := strings.Cut(s, ":")
	ok := func(p string) bool {
		_, err := strconv.ParseUint(p, 10, 16)
		return err == nil || ranged && p == ""
	}
	return ok(first) && (!ranged || ok(last)) && s != ":"
}

// isOldMask reports whether a text is an address with its mask spelt out.
func isOldMask(s string) bool {
	a, m, _ := strings.Cut(s, "/")
	_, err1 := netip.ParseAddr(a)
	_, err2 := netip.ParseAddr(m)
	return err1 == nil && err2 == nil
}
