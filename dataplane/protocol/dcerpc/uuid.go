package dcerpc

import "encoding/hex"

// UUID is a universally unique identifier in its written order.
type UUID [16]byte

// readUUID reads 16 bytes, whose first three fields are in the sender's order.
func readUUID(b []byte, little bool) (u UUID) {
	copy(u[:], b)
	if little {
		u[0], u[1], u[2], u[3] = b[3], b[2], b[1], b[0]
		u[4], u[5], u[6], u[7] = b[5], b[4], b[7], b[6]
	}
	return u
}

// String gives the usual form with dashes.
func (u UUID) String() string {
	var t [36]byte
	hex.Encode(t[:8], u[:4])
	hex.Encode(t[9:13], u[4:6])
	hex.Encode(t[14:18], u[6:8])
	hex.Encode(t[19:23], u[8:10])
	hex.Encode(t[24:], u[10:])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}
