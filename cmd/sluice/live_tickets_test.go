package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sluice/internal/netlab"
)

// liveTickets has somebody log in at a real key distribution centre of Kerberos, by
// datagrams and by TCP: who it was and what for is told, and no more.
func liveTickets(r *rig) {
	r.need("krb5-kdc", "krb5kdc", "kdb5_util")
	r.need("krb5-admin-server", "kadmin.local")
	r.need("krb5-user", "kinit", "kvno")
	const realm, password = "PLANT.EXAMPLE", "seven-bent-spoons"
	dir := filepath.Join(r.dir, "kdc")
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.Fatal(err)
	}
	kdc := r.write("kdc.conf", fmt.Sprintf(`[realms]
%[1]s = {
	database_name = %[2]s/principal
	key_stash_file = %[2]s/stash
	kdc_listen = %[3]s:88
	kdc_tcp_listen = %[3]s:88
}
[logging]
kdc = STDERR
`, realm, dir, netlab.Server4))
	conf := func(limit int) string {
		return r.write(fmt.Sprintf("krb5-%d.conf", limit), fmt.Sprintf(`[libdefaults]
default_realm = %[1]s
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = %[2]d
[realms]
%[1]s = {
	kdc = %[3]s
}
`, realm, limit, netlab.Server4))
	}
	as := func(limit int, args ...string) []string {
		return append([]string{"KRB5_CONFIG=" + conf(limit), "KRB5_KDC_PROFILE=" + kdc, "KRB5CCNAME=FILE:" + filepath.Join(dir, "tickets")}, args...)
	}
	for _, args := range [][]string{
		{"kdb5_util", "create", "-s", "-P", "of no importance"},
		{"kadmin.local", "-q", "addprinc -pw " + password + " +requires_preauth carol"},
		{"kadmin.local", "-q", "addprinc -randkey files/press"},
	} {
		if out, err := r.lab.Server.Run(r.ctx, "env", as(1400, args...)...); err != nil {
			r.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	said := r.serve(r.lab.Server, "env", as(1400, "krb5kdc", "-n", "-P", filepath.Join(dir, "pid"))...)
	r.until("krb5kdc", func() (string, bool) {
		c, err := r.lab.Server.DialContext(r.ctx, "", "tcp", netlab.Server4+":88")
		if err == nil {
			c.Close()
		}
		return said(), err == nil
	})
	r.startTold()
	login := func(limit int, password string) (string, error) {
		var out bytes.Buffer
		cmd := exec.CommandContext(r.ctx, "env", as(limit, "kinit", "carol")...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(password+"\n"), &out, &out
		p, err := r.lab.Client.Start(cmd)
		if err != nil {
			return "", err
		}
		err = p.Wait()
		return out.String(), err
	}
	type record struct {
		Type   string `json:"msg_type"`
		Client string `json:"cname"`
		Server string `json:"sname"`
		Realm  string `json:"realm"`
		Error  string `json:"error_code"`
		Weak   bool   `json:"weak_encryption"`
	}
	for _, limit := range []int{1400, 1} { // datagrams, then TCP
		mark := r.soc.Mark()
		if out, err := login(limit, "a wrong one"); err == nil {
			r.Errorf("%d: a wrong password: %s", limit, out)
		}
		awaitPart(r, mark, "krb5", "a refusal", func(k *record) bool { return k.Type == "KRB_ERROR" && k.Error == "KDC_ERR_PREAUTH_FAILED" })
		if out, err := login(limit, password); err != nil {
			r.Errorf("%d: kinit: %v\n%s\n%s", limit, err, out, said())
		}
		if out, err := r.lab.Client.Run(r.ctx, "env", as(limit, "kvno", "files/press")...); err != nil {
			r.Errorf("%d: kvno: %v\n%s", limit, err, out)
		}
		awaitPart(r, mark, "krb5", "a login", func(k *record) bool {
			return k.Type == "KRB_AS_REP" && k.Client == "carol" && k.Realm == realm && k.Server == "krbtgt/"+realm && !k.Weak
		})
		awaitPart(r, mark, "krb5", "a ticket", func(k *record) bool {
			return k.Type == "KRB_TGS_REP" && k.Client == "carol" && k.Realm == realm && k.Server == "files/press"
		})
	}
	r.nowhere(password)
}
