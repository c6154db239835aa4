package fastpath

// layoutVersion is SLUICE_LAYOUT in bpf/include/sluice_const.h: of the maps'
// and structs' form.
const layoutVersion = 4

// Bits of settings.active (ACTIVE_…): empty tables are not asked.
const (
	activeAllow4 = 1 << iota
	activeAllow6
	activeBlock4
	activeBlock6
	activeBlock6All
	activeFlows
	activeFragments
	activeIgnoreVLAN
	activeQuarantine
	activeACL
	activeACLOther
	activeQuarantineLink
)

const (
	flowUntilSYN = 1 // FLOW_UNTIL_SYN

	maxLists         = 256 // MAX_LISTS
	maxAllowances    = 64  // MAX_ALLOWANCES
	filter6Words     = 1 << 13
	filter6Shift     = 13
	flowFilterWords  = 1 << 14
	flowFilterAny    = flowFilterWords * 64 // the bit that says that any is set
	flowFilterShift  = 12
	filter6Multipler = 0x9E3779B1
)

// Bounds of the segmentation, ACL_… in sluice_const.h.
const (
	aclZones   = 32
	aclClasses = 5
	aclCells   = aclZones * aclZones * aclClasses
	aclRanges  = 64
	aclRules   = 512
	aclDrop    = 0x8000
)

// lpm4 is struct lpm4 in bpf/include/sluice_structs.h.
type lpm4 struct {
	Bits uint32
	Addr [4]byte
}

// lpm6 is struct lpm6.
type lpm6 struct {
	Bits uint32
	Addr [16]byte
}

// blockValue is struct block_value.
type blockValue struct {
	Expires uint64
	List    uint32
	Reason  uint32
	Flags   uint32
	Set     uint32
}

// flowDrop is struct flow_drop.
type flowDrop struct {
	Expires uint64
	Packets [2]uint64
	Bytes   [2]uint64
	List    uint32
	Flags   uint32
}

// allowance is struct allowance.
type allowance struct {
	Addr  [16]byte
	Mask  [16]byte
	First uint16
	Last  uint16
	Proto uint8
	Used  uint8
	Ports uint8
	Set   uint8
}

// aclRange is struct acl_range.
type aclRange struct {
	First uint16
	Rule  uint16
}

// aclCell is struct acl_cell.
type aclCell struct {
	N        uint16
	State    uint16
	Unparsed uint16
	_        uint16
	Ranges   [aclRanges]aclRange
}

// counter is struct counter.
type counter struct {
	Packets uint64
	Bytes   uint64
	Window  uint64
	Samples uint64
}

// listCounter is struct list_counter.
type listCounter struct {
	Packets uint64
	Bytes   uint64
}

// dropRecord is struct drop_record.
type dropRecord struct {
	Time    uint64
	Src     [16]byte
	Dst     [16]byte
	Sport   uint16
	Dport   uint16
	Vlan    [2]uint16
	Ifindex uint32
	Length  uint32
	List    uint32
	Entry   uint32
	Reason  uint8
	Proto   uint8
	Version uint8
	Flags   uint8
	_       uint32
}

// rate is struct rate.
type rate struct {
	Cost  uint64
	Burst uint64
}

// settings is struct sluice_settings.
type settings struct {
	Layout    uint32
	Active    uint32
	Malformed uint32
	Samples   uint32
	Rate      [4]rate
}

// wire is struct wire.
type wire struct {
	Peer    uint32
	_       uint32
	Packets uint64
	Bytes   uint64
	First   uint64
	Last    uint64
}

// bypassValue is struct bypass.
type bypassValue struct {
	Last    uint64
	Packets [2]uint64
	Bytes   [2]uint64
	Ended   uint32
	_       uint32
}

// cutValue is struct cut.
type cutValue struct {
	Expires uint64
	Packets uint64
	Bytes   uint64
}

// guardState is struct guard_state.
type guardState struct {
	Heartbeat uint64
	Timeout   uint64
	Dropped   uint64
	Yielded   uint64
	Dead      uint64
}
