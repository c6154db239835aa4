package smb

import (
	"slices"
	"testing"

	"sluice/dataplane/protocol/protocoltest"
)

// TestFrames tells where the frames of a dialogue are.
func TestFrames(t *testing.T) {
	// Two parts of a compound: the first is padded, and says where the next begins.
	part := func(next byte, body string) string {
		h := make([]byte, 64)
		copy(h, "\xfeSMB\x40\x00")
		h[12], h[20] = 13, next // echo
		return string(h) + body
	}
	both := part(72, "\x04\x00\x00\x00\x00\x00\x00\x00") + part(0, "\x04\x00\x00\x00")
	one := "\xffSMB\x72" + string(make([]byte, 27)) + "\x00\x00\x00"
	veiled := "\xfdSMB" + string(make([]byte, 56))
	d := protocoltest.TCP(445, "> "+"\x00\x00\x00\x23"+one+"\x00\x00\x00\x8c"+both+"\x00\x00\x00\x3c"+veiled)
	want := []string{"to_server nbss.pdu 0-39", "to_server nbss.hdr 0-4", "to_server nbss.data 4-39", "to_server smb1.pdu 4-39", "to_server smb1.hdr 4-36", "to_server smb1.data 36-39",
		"to_server nbss.pdu 39-183", "to_server nbss.hdr 39-43", "to_server nbss.data 43-183", "to_server smb2.pdu 43-183", "to_server smb2.hdr 43-107", "to_server smb2.data 107-115",
		"to_server smb2.hdr 115-179", "to_server smb2.data 179-183", "to_server nbss.pdu 183-247", "to_server nbss.hdr 183-187", "to_server nbss.data 187-247",
		"to_server smb3.pdu 187-247", "to_server smb3.hdr 187-239", "to_server smb3.data 239-247"}
	if got := protocoltest.CheckCuts(t, Definition(), d).FrameList(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
