package rule

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// krb5Encryptions are the names of types of encryption, in lower case.
var krb5Encryptions = map[string]int32{"des-cbc-crc": 1, "des-cbc-md4": 2, "des-cbc-md5": 3, "des3-cbc-md5": 5, "des3-cbc-sha1": 7,
	"dsawithsha1-cmsoid": 9, "md5withrsaencryption-cmsoid": 10, "sha1withrsaencryption-cmsoid": 11, "rc2cbc-envoid": 12,
	"rsaencryption-envoid": 13, "rsaes-oaep-env-oid": 14, "des-ede3-cbc-env-oid": 15, "des3-cbc-sha1-kd": 16,
	"aes128-cts-hmac-sha1-96": 17, "aes256-cts-hmac-sha1-96": 18, "aes128-cts-hmac-sha256-128": 19, "aes256-cts-hmac-sha384-192": 20,
	"rc4-hmac": 23, "rc4-hmac-exp": 24, "camellia128-cts-cmac": 25, "camellia256-cts-cmac": 26, "subkey-keymaterial": 65}

// krb5Strong are the types of encryption that are not weak.
var krb5Strong = []int32{17, 18, 19, 20, 25, 26}

// krb5Ticket reads which encryptions of a ticket are meant: weak, or a list of
// numbers and names; after a !, none of them.
func (c *context) krb5Ticket(name, val string) error {
	val, negated := strings.CutPrefix(strings.TrimSpace(val), "!")
	val = strings.Trim(strings.TrimSpace(val), `"`)
	list := strings.FieldsFunc(val, func(r rune) bool { return r == ',' || r == ' ' })
	if len(list) == 0 {
		return faultf("names no encryption")
	}
	if err := c.needProto("krb5"); err != nil {
		return err
	}
	t := FieldTest{Keyword: name, None: negated, Col: c.col}
	add := func(v int32) { t.Any = append(t.Any, IntTest{Op: '=', A: uint64(uint32(v))}) }
	if len(list) == 1 && strings.EqualFold(list[0], "weak") {
		t.None = !negated
		for _, v := range krb5Strong {
			add(v)
		}
	} else {
		for _, word := range list {
			v, ok := krb5Encryptions[strings.ToLower(word)]
			if !ok {
				n, err := strconv.ParseInt(word, 10, 32)
				if err != nil {
					return faultf("unknown encryption %q%s", clip(word), didYouMean(strings.ToLower(word), slices.Collect(maps.Keys(krb5Encryptions))))
				}
				v = int32(n)
			}
			add(v)
		}
	}
	c.r.Fields = append(c.r.Fields, t)
	if c.env.Field == nil || !c.env.Field(name) {
		return unevaluated("keyword " + name)
	}
	return nil
}
