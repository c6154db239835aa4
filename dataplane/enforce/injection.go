package enforce

// Injection is a frame to be sent that nobody received: a reset, a refusal.
type Injection struct {
	// Port is the port to send it out of, towards whoever is behind it.
	Port uint8
	// Frame is complete, VLAN tags and checksums included.
	Frame []byte
}
