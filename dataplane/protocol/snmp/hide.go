package snmp

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/ber"
)

// HideCommunity puts asterisks over the communities of messages of versions 1 and 2c
// in b, which may begin with other things, as packets do, and may end anywhere.
func HideCommunity(b []byte) {
	for {
		// The version is a number of one octet, and the string comes after it.
		at := bytes.Index(b, []byte{byte(ber.Integer), 1})
		if at < 0 || at+3 > len(b) {
			return
		}
		version := b[at+2]
		b = b[at+2:]
		tag, n, size, ok := ber.Head(b[1:])
		if version > 1 || !ok || tag != ber.OctetString || n == 0 || size > maxSecret {
			continue
		}
		end := 1 + n + size
		// What follows tells a message from numbers and strings elsewhere.
		if end < len(b) && (b[end] < 0xa0 || b[end] > 0xa0+byte(Report)) {
			continue
		}
		secret := b[1+n : min(end, len(b))]
		protocol.Stars(secret)
		b = b[1+n+len(secret):]
	}
}
