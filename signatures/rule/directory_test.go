package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDirectoryNumbers holds what the numbers of LDAP, Kerberos and SNMP ask for.
func TestDirectoryNumbers(t *testing.T) {
	env := testEnv()
	env.Field = func(string) bool { return true }
	parse := func(option string) (*Rule, *Error) {
		return NewParser(env).Parse("t.rules", 1, "alert ip any any -> any any ("+option+"; sid:1;)")
	}
	is := func(v uint64) IntTest { return IntTest{Op: '=', A: v} }
	f := func(option string, want FieldTest) {
		t.Helper()
		r, err := parse(option)
		if err != nil {
			t.Errorf("%s: %v", option, err)
			return
		}
		want.Keyword, _, _ = strings.Cut(option, ":")
		want.Col = r.Fields[0].Col
		if diff := cmp.Diff([]FieldTest{want}, r.Fields); diff != "" {
			t.Errorf("%s: %s", option, diff)
		}
	}
	f("ldap.request.operation:search_request", FieldTest{Int: is(3)})
	f("ldap.responses.operation:search_result_done", FieldTest{Int: is(5)})
	f("ldap.responses.operation:4,all", FieldTest{Int: is(4), Pick: PickAll})
	f("ldap.responses.operation:>4, any", FieldTest{Int: IntTest{Op: '>', A: 4}})
	f("ldap.responses.result_code:success,-1", FieldTest{Int: is(0), Pick: PickAt, Index: -1})
	f("ldap.responses.result_code:no_operation,1", FieldTest{Int: is(16654), Pick: PickAt, Index: 1})
	f("ldap.responses.count:>=2", FieldTest{Int: IntTest{Op: 'G', A: 2}})
	f("krb5_msg_type:10", FieldTest{Int: is(10)})
	f("krb5_err_code:6", FieldTest{Int: is(6)})
	f("snmp.version:<3", FieldTest{Int: IntTest{Op: '<', A: 3}})
	f("snmp.pdu_type:set_request", FieldTest{Int: is(3)})
	strong := []IntTest{is(17), is(18), is(19), is(20), is(25), is(26)}
	f("krb5.ticket_encryption:weak", FieldTest{Any: strong, None: true})
	f("krb5.ticket_encryption:!weak", FieldTest{Any: strong})
	f("krb5.ticket_encryption:rc4-hmac,RC4-HMAC-EXP 3", FieldTest{Any: []IntTest{is(23), is(24), is(3)}})
	f("krb5.ticket_encryption:!-128", FieldTest{Any: []IntTest{is(1<<32 - 128)}, None: true})
	bad := func(option, want string) {
		t.Helper()
		if _, err := parse(option); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", option, err)
		}
	}
	bad("ldap.responses.operation:5,last", `"last" is neither any, all nor the place of an answer`)
	bad("ldap.responses.operation:,1", "needs a number")
	bad("ldap.responses.result_code:succes", `did you mean "success"?`)
	bad("krb5.ticket_encryption:rc4-hmak", `did you mean "rc4-hmac"?`)
	bad("krb5.ticket_encryption:!", "names no encryption")
	bad("snmp.version:two", "two")

	weak := FieldTest{Any: strong, None: true}
	if weak.Match(18, 0) || !weak.Match(23, 0) {
		t.Error("weak is what is none of the strong")
	}
}
