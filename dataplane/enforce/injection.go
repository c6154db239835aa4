package enforce

import "sluice/dataplane/capture"

// Injection is a frame to be sent beside those that are forwarded at once: a
// reset or a refusal, or a captured frame that was held back until now.
type Injection struct {
	// Port is the port to send it out of, towards whoever is behind it.
	Port uint8
	// Frame is complete, VLAN tags and checksums included; nil with Captured.
	Frame []byte
	// Captured is a frame as it came in, with the tag, checksum and segmentation
	// that its sending still owes.
	Captured *capture.Frame
}
