package fastpath

// FlowKey mirrors flow.Key until it compiles.
type FlowKey struct {
	Addr      [2][16]byte
	Port      [2]uint16
	VLAN      [2]uint16
	Tunnel    uint32
	Proto     uint8
	IPVersion uint8
	_         [2]uint8
}
