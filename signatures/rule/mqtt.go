package rule

import (
	"maps"
	"slices"
	"strings"
)

// mqttTypes are the names of messages' types.
var mqttTypes = map[string]uint64{"connect": 1, "connack": 2, "publish": 3, "puback": 4, "pubrec": 5, "pubrel": 6, "pubcomp": 7, "subscribe": 8,
	"suback": 9, "unsubscribe": 10, "unsuback": 11, "pingreq": 12, "pingresp": 13, "disconnect": 14, "auth": 15, "unassigned": 0}

// mqttFlags are the bits of each keyword of flags.
var mqttFlags = map[string]map[string]uint64{
	"mqtt.flags":         {"retain": 1, "dup": 8},
	"mqtt.connect.flags": {"clean_session": 0x02, "will": 0x04, "will_retain": 0x20, "password": 0x40, "username": 0x80},
}

// mqttFlag reads flags that must be set or, after a !, must not; or a number.
func (c *context) mqttFlag(name, val string) error {
	t, err := bitTest(val, mqttFlags[name])
	if err != nil {
		return err
	}
	return c.fieldTest("mqtt", name, t)
}

// bitTest reads the names of bits that must be set or, after a !, must not; or a
// number of eight bits.
func bitTest(val string, names map[string]uint64) (IntTest, error) {
	t := IntTest{Op: '&'}
	if first := strings.TrimLeft(val, " !=&<>"); isDigit(first) {
		return parseInt(val, 255, nil)
	}
	for _, part := range strings.Split(val, ",") {
		word, unset := strings.CutPrefix(strings.ToLower(strings.TrimSpace(part)), "!")
		bit, ok := names[word]
		if !ok {
			return t, faultf("%q is no flag%s", clip(part), didYouMean(word, slices.Collect(maps.Keys(names))))
		}
		if t.A&bit != 0 {
			return t, faultf("the flag %s is given twice", word)
		}
		if t.A |= bit; !unset {
			t.B |= bit
		}
	}
	return t, nil
}

// fieldTest adds a test of a number of a protocol's transactions.
func (c *context) fieldTest(proto, name string, t IntTest) error {
	if err := c.needProto(proto); err != nil {
		return err
	}
	c.r.Fields = append(c.r.Fields, FieldTest{Keyword: name, Int: t, Col: c.col})
	if c.env.Field == nil || !c.env.Field(name) {
		return unevaluated("keyword " + name)
	}
	return nil
}
