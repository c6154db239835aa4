package rule

import (
	"encoding/hex"
	"strings"
)

// ifaceBuffer holds the interface of a call: its UUID in the written order and
// its major version, both big-endian. It is none that a rule can name.
const ifaceBuffer = "dcerpc.iface"

// dceIface reads dcerpc.iface: a UUID, a test of the version where one is asked
// for, and any_frag, which changes nothing where fragments are put together
// before rules look at them.
func (c *context) dceIface(_, val string) error {
	if err := c.needProto("dcerpc"); err != nil {
		return err
	}
	parts := strings.Split(val, ",")
	uuid, err := parseUUID(strings.TrimSpace(parts[0]))
	if err != nil {
		return err
	}
	items := []Item{{Op: OpContent, Pattern: uuid, StartsWith: true, HasOffset: true, HasDepth: true, Depth: Num{V: int64(len(uuid))}}}
	for _, p := range parts[1:] {
		if p = strings.TrimSpace(p); p == "any_frag" {
			continue
		}
		b := &ByteOp{NBytes: Num{V: 2}, Offset: Num{V: int64(len(uuid))}, Oper: '='}
		switch {
		case p == "":
			return faultf("has an empty option")
		case strings.IndexByte("<>=", p[0]) >= 0:
			b.Oper = p[0]
			p = p[1:]
		case p[0] == '!':
			b.NotOper = true
			p = p[1:]
		default:
			return faultf("%q is no version test: write it as =1, <2, >0 or !1", clip(p))
		}
		n, err := parseUint(strings.TrimSpace(p), 65535)
		if err != nil {
			return faultf("%q is no version", clip(p))
		}
		b.Value = Num{V: int64(n)}
		items = append(items, Item{Op: OpByteTest, Byte: b, Col: c.col})
	}
	for _, it := range items {
		it.Col = c.col
		if _, err := c.addTo(ifaceBuffer, it); err != nil {
			return err
		}
	}
	return nil
}

// parseUUID reads the form with dashes.
func parseUUID(s string) ([]byte, error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, faultf("%q is no UUID", clip(s))
	}
	u, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(u) != 16 {
		return nil, faultf("%q is no UUID", clip(s))
	}
	return u, nil
}

// dceOpnum reads dcerpc.opnum: numbers and ranges, of which one must hold.
func (c *context) dceOpnum(_, val string) error {
	if err := c.needProto("dcerpc"); err != nil {
		return err
	}
	t := FieldTest{Keyword: "dcerpc.opnum", Col: c.col}
	for _, p := range strings.Split(val, ",") {
		one, err := parseInt(p, 65535, nil)
		if err != nil {
			return err
		}
		t.Any = append(t.Any, one)
	}
	c.r.Fields = append(c.r.Fields, t)
	if c.env.Field == nil || !c.env.Field("dcerpc.opnum") {
		return unevaluated("keyword dcerpc.opnum")
	}
	return nil
}
