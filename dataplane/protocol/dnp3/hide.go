package dnp3

import (
	"bytes"
	"encoding/binary"
)

// authHead is the header of an object of authentication (group 70, variation 2)
// with a count and a size before each object.
var authHead = []byte{groupFile, 2, 0x5b}

// keyAt is where in such an object the key and, behind it, name and password are.
const keyAt = 8

// HidePassword puts asterisks over what the frames in b have to authenticate
// with: the key, the name and the password. b may begin with other things, as
// packets do, and may end anywhere.
func HidePassword(b []byte) {
	for {
		at := bytes.Index(b, startBytes)
		if at < 0 || len(b)-at <= headerLen {
			return
		}
		b = b[at:]
		if n, ok := frameLen(b); ok && b[2] > minLength && sum(b[:8]) == binary.LittleEndian.Uint16(b[8:]) {
			hideFrame(b[headerLen:min(n, len(b))])
		}
		b = b[2:]
	}
}

// hideFrame is HidePassword for a frame's blocks.
func hideFrame(b []byte) {
	// The data without the sums, and back again.
	var data []byte
	place := func(i int) int { return i + i/blockLen*sumLen }
	for i := 0; place(i) < len(b); i++ {
		data = append(data, b[place(i)])
	}
	for from := 0; ; {
		i := bytes.Index(data[from:], authHead)
		if i < 0 {
			return
		}
		from += i + len(authHead)
		at := from + 1 // behind the count
		if at+2 > len(data) {
			return
		}
		size := int(binary.LittleEndian.Uint16(data[at:]))
		at += 2
		for k := at + keyAt; k < min(at+size, len(data)); k++ {
			b[place(k)] = '*'
		}
	}
}
