package signatures

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// telling are the fields that transactions of real parsers tell of.
var telling = []string{"modbus.unit", "modbus.function", "modbus.subfunction", "modbus.category", "modbus.access", "modbus.first", "modbus.last", "modbus.table",
	"modbus.item", "modbus.value", "dnp3_func", "dnp3_ind", "dnp3_obj", "enip_command", "enip.status", "cip_service", "enip.cip_class", "enip.cip_status"}

// tell gives a field of a real parser's transaction.
func tell(name string) FieldFunc {
	return func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
		f, ok := tx.State.(interface {
			Field(string, protocol.Dir, int) (uint64, bool)
		})
		if !ok {
			return 0, false
		}
		return f.Field(name, dir, i)
	}
}

// machine is a client that sends to a machine: from outside, or from another
// machine.
func machine(from decode.Addr, turns ...string) play {
	return func(r *rig) {
		f := r.flow(decode.ProtoTCP, 40000, 9)
		f.Client, f.Server = from, inside
		env := &protocol.Env{Limits: protocol.DefaultLimits(), Objects: &protocoltest.Sink{}}
		for _, turn := range turns {
			dir := protocol.ToServer
			if turn[0] == '<' {
				dir = protocol.ToClient
			}
			f.App.Data(r.reg, env, dir, []byte(turn[2:]))
			if f.App.Parser() == nil {
				r.t.Fatalf("%q is not recognised", turn)
			}
			for _, tx := range f.App.Parser().Txs().Live {
				for d := protocol.ToServer; d <= protocol.ToClient; d++ {
					if tx.In(d) && tx.Progress[d] >= tx.Detect[d].Inspected {
						r.m.Tx(r.packet(decode.ProtoTCP, from, inside, 40000, 9, nil), f, f.App.Parser(), r.reg.Definition(f.App.Proto()), tx, d)
						r.take()
					}
				}
			}
		}
	}
}

// modbusOf is a request of Modbus: function and what follows.
func modbusOf(pdu string) string {
	return "> " + "\x00\x01\x00\x00\x00" + string([]byte{byte(1 + len(pdu))}) + "\x05" + pdu
}

// dnp3Of is a fragment of DNP3 from a master: function and objects.
func dnp3Of(function byte, objects string) string {
	sum := func(b []byte) []byte {
		var c uint16
		for _, x := range b {
			c ^= uint16(x)
			for range 8 {
				if c&1 != 0 {
					c = c>>1 ^ 0xa6bc
				} else {
					c >>= 1
				}
			}
		}
		return binary.LittleEndian.AppendUint16(b, ^c)
	}
	data := []byte("\xc0\xc0" + string([]byte{function}) + objects)
	b := sum([]byte{5, 0x64, byte(5 + len(data)), 0xc4, 1, 0, 2, 0})
	for at := 0; at < len(data); at += 16 {
		b = append(b, sum(append([]byte(nil), data[at:min(at+16, len(data))]...))...)
	}
	return "> " + string(b)
}

// cipOf is a request of CIP: a service for a class and an instance.
func cipOf(service, class byte, data string) string {
	cip := string([]byte{service, 2, 0x20, class, 0x24, 1}) + data
	body := "\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\xb2\x00" + string([]byte{byte(len(cip)), 0}) + cip
	return "> " + "\x6f\x00" + string([]byte{byte(len(body)), 0}) + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "context!" + "\x00\x00\x00\x00" + body
}

// fromOutside is a request from outside; colleague is a machine inside.
func fromOutside(turn string) play { return machine(outside, turn) }

var colleague = decode.AddrFrom(netip.MustParseAddr("10.1.1.2"))

// icsCases are the cases of the bundled rules for machines.
func icsCases() map[uint32][2]play {
	file := "\x46\x03\x5b\x01\x1a\x00\x1a\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x04\x07\x00"
	read, ask, get := fromOutside(modbusOf("\x03\x00\x00\x00\x02")), fromOutside(dnp3Of(1, "\x3c\x02\x06")), fromOutside(cipOf(0x0e, 1, ""))
	return map[uint32][2]play{
		9001001: {fromOutside(modbusOf("\x06\x00\x10\x00\x01")), machine(colleague, modbusOf("\x06\x00\x10\x00\x01"))},
		9001002: {fromOutside(modbusOf("\x08\x00\x04\x00\x00")), fromOutside(modbusOf("\x08\x00\x00ab"))},
		9001003: {fromOutside(modbusOf("\x08\x00\x01\x00\x00")), fromOutside(modbusOf("\x08\x00\x0a\x00\x00"))},
		9001004: {fromOutside(modbusOf("\x5a\x00\x02")), read},
		9001011: {fromOutside(dnp3Of(13, "")), fromOutside(dnp3Of(20, "\x3c\x02\x06"))},
		9001012: {fromOutside(dnp3Of(18, "")), fromOutside(dnp3Of(23, ""))},
		9001013: {fromOutside(dnp3Of(5, "\x0c\x01\x28\x01\x00\x0a\x00\x41\x02\xe8\x03\x00\x00\x00\x00\x00\x00\x00")), ask},
		9001014: {fromOutside(dnp3Of(2, "\x50\x01\x00\x07\x07\x00")), machine(colleague, dnp3Of(2, "\x50\x01\x00\x07\x07\x00"))},
		9001015: {fromOutside(dnp3Of(25, file)), fromOutside(dnp3Of(28, file))},
		9001021: {fromOutside(cipOf(5, 1, "")), get},
		9001022: {fromOutside(cipOf(7, 0x8e, "")), machine(colleague, cipOf(7, 0x8e, ""))},
		9001023: {fromOutside(cipOf(16, 4, "x")), fromOutside(cipOf(1, 4, ""))},
		9001024: {fromOutside(cipOf(76, 55, "x")), fromOutside(cipOf(76, 107, "\x01\x00"))},
		9001025: {fromOutside(cipOf(75, 103, "x")), fromOutside(cipOf(75, 0xf4, "x"))},
		9001026: {fromOutside(cipOf(77, 107, "\xc4\x00\x01\x00\x01\x00\x00\x00")), get},
	}
}

// TestModbusKeyword holds what the keyword means.
func TestModbusKeyword(t *testing.T) {
	f := func(option, pdu string, match bool) {
		t.Helper()
		r := newRig(t, `alert modbus any any -> any any (modbus:`+option+`; sid:1;)`)
		machine(outside, modbusOf(pdu))(r)
		if (len(r.got) == 1) != match {
			t.Errorf("%s on %x: %v, want %v", option, pdu, r.got, match)
		}
	}
	read, write := "\x03\x00\x63\x00\x0a", "\x10\x00\x63\x00\x03\x06\x00\x05\x00\x06\x01\x00" // 100 to 109, and 100 to 102: 5, 6, 256
	both := "\x17\x00\x03\x00\x06\x00\x0e\x00\x02\x04\x00\x07\x00\x08"                        // reads 4 to 9, writes 15 and 16
	f("function 3", read, true)
	f("function 4", read, false)
	f("function assigned", read, true)
	f("function !assigned", read, false)
	f("function public", "\x30", true)
	f("function assigned", "\x30", false)
	f("function unassigned", "\x30", true)
	f("function user", "\x42", true)
	f("function reserved", "\x5a\x00", true)
	f("function !reserved", "\x5a\x00", false)
	f("function all", "\x5a\x00", true)
	f("function 8, subfunction 4", "\x08\x00\x04\x00\x00", true)
	f("function 8, subfunction 4", "\x08\x00\x03\x00\x00", false)
	f("unit 5", read, true)
	f("unit 4<>6, function 3", read, true)
	f("unit >5", read, false)
	f("unit 5, access write", read, false)
	f("access read", read, true)
	f("access read holding", read, true)
	f("access read input", read, false)
	f("access write", write, true)
	f("access write holding", both, true)
	f("access read holding, address 100", read, true)
	f("access read holding, address 109", read, true)
	f("access read holding, address 110", read, false)
	f("access read holding, address 99", read, false)
	f("access read holding, address <100", read, false)
	f("access read holding, address <101", read, true)
	f("access read holding, address >108", read, true)
	f("access read holding, address >109", read, false)
	f("access read holding, address 108<>200", read, true)
	f("access read holding, address 109<>200", read, false)
	f("access read holding, address 15", both, false)
	f("access write holding, address 15", both, true)
	f("access write holding, address 101, value 6", write, true)
	f("access write holding, address 101, value 5", write, false)
	f("access write holding, address 102, value >200", write, true)
	f("access write holding, address <102, value >200", write, false)
	f("access write holding, address 99<>102, value 5<>7", write, true)
	f("access write coils, address 2, value 1", "\x0f\x00\x00\x00\x03\x01\x02", true)
	f("access write coils, address 3, value 1", "\x0f\x00\x00\x00\x03\x01\x02", false)
	f("access write coils, address 173, value 65280", "\x05\x00\xac\xff\x00", true)
}
