package enip

import "strconv"

// codes are names of numbers, as rules and records have them.
var (
	commandNames = map[string]uint64{"nop": cmdNOP, "list_services": cmdListServices, "list_identity": cmdListIdentity, "list_interfaces": cmdListInterfaces,
		"register_session": cmdRegisterSession, "unregister_session": cmdUnregisterSession, "send_rrdata": cmdSendRRData, "send_unit_data": cmdSendUnitData,
		"indicate_status": cmdIndicateStatus, "cancel": cmdCancel}
	// commandSpellings are others that rules may have.
	commandSpellings = map[string]uint64{"send_rr_data": cmdSendRRData}

	statusNames = map[string]uint64{"success": 0, "invalid_cmd": 1, "no_resources": 2, "incorrect_data": 3, "invalid_session": 0x64, "invalid_length": 0x65,
		"unsupported_prot_rev": 0x69, "encap_header_error": 0x6a}

	commandOf = reverse(commandNames)
	statusOf  = reverse(statusNames)
)

func reverse(m map[string]uint64) map[uint64]string {
	out := make(map[uint64]string, len(m))
	for name, v := range m {
		out[v] = name
	}
	return out
}

// CommandCodes gives the commands by the names that rules have for them.
func CommandCodes() map[string]uint64 {
	out := make(map[string]uint64, len(commandNames)+len(commandSpellings))
	for _, m := range []map[string]uint64{commandNames, commandSpellings} {
		for name, v := range m {
			out[name] = v
		}
	}
	return out
}

// StatusCodes gives the states of the encapsulation by name. The map must not be
// changed.
func StatusCodes() map[string]uint64 { return statusNames }

// name gives a number's name, or the number where it has none.
func name[K comparable](names map[K]string, k K, n uint64) string {
	if s, ok := names[k]; ok {
		return s
	}
	return strconv.FormatUint(n, 10)
}

// Services of CIP (volume 1 appendix A), and those of single classes that are in
// wide use.
var serviceNames = map[byte]string{0x01: "get_attr_all", 0x02: "set_attr_all", 0x03: "get_attr_list", 0x04: "set_attr_list", 0x05: "reset", 0x06: "start",
	0x07: "stop", 0x08: "create", 0x09: "delete", 0x0a: "multiple_service", 0x0d: "apply_attr", 0x0e: "get_attr_single", 0x10: "set_attr_single",
	0x11: "find_next_object_instance", 0x15: "restore", 0x16: "save", 0x17: "nop", 0x18: "get_member", 0x19: "set_member", 0x1a: "insert_member",
	0x1b: "remove_member", 0x1c: "group_sync", 0x4b: "kick_timer", 0x4c: "open_connection", 0x4e: "forward_close", 0x4f: "change_start", 0x50: "get_status",
	0x52: "unconnected_send", 0x54: "forward_open", 0x5b: "large_forward_open"}

func serviceName(s byte) string { return name(serviceNames, s, uint64(s)) }

var cipStatusNames = map[byte]string{0x00: "success", 0x01: "connection_failure", 0x02: "resource_unavailable", 0x03: "invalid_parameter_value",
	0x04: "path_segment_error", 0x05: "path_destination_unknown", 0x06: "partial_transfer", 0x07: "connection_lost", 0x08: "service_not_supported",
	0x09: "invalid_attribute_value", 0x0a: "attribute_list_error", 0x0b: "already_in_requested_mode", 0x0c: "object_state_conflict",
	0x0d: "object_already_exists", 0x0e: "attribute_not_settable", 0x0f: "privilege_violation", 0x10: "device_state_conflict", 0x11: "reply_data_too_large",
	0x12: "fragmentation_of_primitive_value", 0x13: "not_enough_data", 0x14: "attribute_not_supported", 0x15: "too_much_data", 0x16: "object_does_not_exist",
	0x17: "no_fragmentation", 0x18: "data_not_saved", 0x19: "data_write_failure", 0x1a: "request_too_large", 0x1b: "response_too_large",
	0x1c: "missing_list_data", 0x1d: "invalid_list_status", 0x1e: "service_error", 0x1f: "connection_related_failure", 0x20: "invalid_parameter",
	0x21: "write_once_failure", 0x22: "invalid_reply", 0x25: "key_failure_in_path", 0x26: "path_size_invalid", 0x27: "unexpected_attribute",
	0x28: "invalid_member_id", 0x29: "member_not_settable"}

var extendedNames = map[uint16]string{0x0100: "Connection In Use", 0x0103: "Transport Class Not Supported", 0x0106: "Ownership Conflict",
	0x0107: "Connection Not Found", 0x0108: "Invalid Connection Type", 0x0109: "Invalid Connection Size", 0x0110: "Module Not Configured",
	0x0111: "RPI Not Supported", 0x0113: "Out Of Connections", 0x0114: "Vendor ID Or Product Code Mismatch", 0x0115: "Device Type Mismatch",
	0x0116: "Revision Mismatch", 0x0118: "Invalid Configuration Format", 0x0203: "Connection Timed Out", 0x0204: "Unconnected Request Timed Out",
	0x0205: "Parameter Error In Unconnected Request", 0x0301: "No Buffer Memory", 0x0311: "Port Not Available", 0x0312: "Link Address Not Valid",
	0x0315: "Invalid Segment In Path"}

var classNames = map[int64]string{0x01: "Identity", 0x02: "Message Router", 0x03: "DeviceNet", 0x04: "Assembly", 0x05: "Connection", 0x06: "Connection Manager",
	0x07: "Register", 0x08: "Discrete Input Point", 0x09: "Discrete Output Point", 0x0a: "Analog Input Point", 0x0b: "Analog Output Point",
	0x0e: "Presence Sensing", 0x0f: "Parameter", 0x10: "Parameter Group", 0x12: "Group", 0x1d: "Discrete Input Group", 0x1e: "Discrete Output Group",
	0x1f: "Discrete Group", 0x20: "Analog Input Group", 0x21: "Analog Output Group", 0x22: "Analog Group", 0x23: "Position Sensor",
	0x24: "Position Controller Supervisor", 0x25: "Position Controller", 0x28: "Motor Data", 0x29: "Control Supervisor", 0x2a: "AC/DC Drive",
	0x2b: "Acknowledge Handler", 0x2c: "Overload", 0x2d: "Softstart", 0x2e: "Selection", 0x30: "S-Device Supervisor", 0x37: "File",
	0x39: "Safety Supervisor", 0x3a: "Safety Validator", 0x42: "Motion Axis", 0x43: "Time Sync", 0x44: "Modbus", 0x47: "Device Level Ring", 0x48: "QoS",
	0x66: "PCCC", 0x67: "PCCC", 0x68: "Program", 0x6b: "Symbol", 0x6c: "Template", 0xf0: "ControlNet", 0xf1: "ControlNet Keeper",
	0xf2: "ControlNet Scheduling", 0xf3: "Connection Configuration", 0xf4: "Port", 0xf5: "TCP/IP Interface", 0xf6: "EtherNet Link"}

var segmentNames = [...]string{SegClass: "class", SegInstance: "instance", SegMember: "member", SegConnectionPoint: "connection_point", SegAttribute: "attribute",
	SegSpecial: "special", SegService: "service", SegPort: "port", SegSymbol: "symbol", SegData: "data", SegNetwork: "network"}

// Makers of devices, as the registry of ODVA numbers them.
var vendorNames = map[uint16]string{1: "Rockwell Automation/Allen-Bradley", 2: "Namco Controls Corp.", 3: "Honeywell Inc.", 4: "Parker Hannifin Corp. (Veriflo Division)",
	5: "Rockwell Automation/Reliance Elec.", 7: "SMC Corporation", 8: "Molex Incorporated", 9: "Western Reserve Controls Corp.",
	10: "Advanced Micro Controls Inc. (AMCI)", 12: "Banner Engineering Corporation", 13: "Belden Wire & Cable Company", 16: "Daniel Woodhead Co. (Woodhead Connectivity)",
	19: "Eaton Electrical", 20: "Festo Corporation", 26: "Festo SE & Co. KG", 34: "Turck, Inc.", 40: "WAGO Corporation", 44: "Siemens Energy & Automation",
	46: "ABB Inc.", 47: "Omron Corporation", 48: "TURCk", 52: "Phoenix Contact", 57: "Toshiba International Corp.", 58: "Pepperl + Fuchs", 68: "Mitsubishi Electric Corporation",
	83: "Omron Corporation", 90: "HMS Industrial Networks AB", 108: "Beckhoff Automation", 129: "Hitachi, Ltd", 145: "Siemens", 161: "Mitsubishi Electric Corporation",
	243: "Schneider Automation, Inc.", 283: "Hilscher GmbH", 553: "Danfoss", 678: "Cognex Corporation"}

// Types of devices (volume 1 §6-7).
var deviceTypes = map[uint16]string{0x00: "Generic Device (deprecated)", 0x02: "AC Drive", 0x03: "Motor Overload", 0x04: "Limit Switch",
	0x05: "Inductive Proximity Switch", 0x06: "Photoelectric Sensor", 0x07: "General Purpose Discrete I/O", 0x09: "Resolver", 0x0a: "General Purpose Analog I/O",
	0x0c: "Communications Adapter", 0x0e: "Programmable Logic Controller", 0x10: "Position Controller", 0x13: "DC Drive", 0x15: "Contactor",
	0x16: "Motor Starter", 0x17: "Soft Start", 0x18: "Human-Machine Interface", 0x1a: "Mass Flow Controller", 0x1b: "Pneumatic Valve",
	0x1c: "Vacuum Pressure Gauge", 0x1d: "Process Control Value", 0x1e: "Residual Gas Analyzer", 0x1f: "DC Power Generator", 0x20: "RF Power Generator",
	0x21: "Turbomolecular Vacuum Pump", 0x22: "Encoder", 0x23: "Safety Discrete I/O Device", 0x24: "Fluid Flow Controller", 0x25: "CIP Motion Drive",
	0x26: "CompoNet Repeater", 0x27: "Mass Flow Controller, Enhanced", 0x28: "CIP Modbus Device", 0x29: "CIP Modbus Translator", 0x2a: "Safety Analog I/O Device",
	0x2b: "Generic Device (keyable)", 0x2c: "Managed Switch", 0x32: "ControlNet Physical Layer Component", 0xc8: "Embedded Component"}
