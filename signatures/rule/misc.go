package rule

import (
	"slices"
	"strings"
)

// websocketOpcodes are the names of frames' kinds (RFC 6455 §5.2).
var websocketOpcodes = map[string]uint64{"continuation": 0, "text": 1, "binary": 2, "connection_close": 8, "close": 8, "ping": 9, "pong": 10}

// websocketBits are the named bits of a frame's first byte.
var websocketBits = map[string]uint64{"fin": 0x80, "comp": 0x40}

// websocketFlags reads bits that must be set or, after a !, must not; or a number.
func (c *context) websocketFlags(name, val string) error {
	t, err := bitTest(val, websocketBits)
	if err != nil {
		return err
	}
	return c.fieldTest("websocket", name, t)
}

// ikeAttributes are the properties of a chosen security association.
var ikeAttributes = strings.Fields("alg_enc alg_hash alg_auth alg_dh alg_prf sa_group_type sa_life_type sa_life_duration sa_key_length sa_field_size")

// ikeChosen reads a property of the security association that a responder chose,
// and the number it must have: ATTRIBUTE=NUMBER, or with another comparison.
func (c *context) ikeChosen(name, val string) error {
	at := strings.IndexAny(val, "=<>!&")
	if at < 0 {
		return faultf("is written ATTRIBUTE=NUMBER")
	}
	attr := strings.ToLower(strings.TrimSpace(val[:at]))
	if !slices.Contains(ikeAttributes, attr) {
		return faultf("%q is no attribute%s", clip(attr), didYouMean(attr, ikeAttributes))
	}
	t, err := parseInt(val[at:], 1<<32-1, nil)
	if err != nil {
		return err
	}
	return c.fieldTest("ike", name+" "+attr, t)
}
