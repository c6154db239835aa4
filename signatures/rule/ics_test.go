package rule

import (
	"strings"
	"testing"
)

func TestICSKeywords(t *testing.T) {
	env := testEnv()
	env.Field = func(string) bool { return true }
	f := func(option, problem string) {
		t.Helper()
		r, err := NewParser(env).Parse("t.rules", 1, "alert tcp any any -> any any ("+option+"; sid:1;)")
		switch {
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("%s: %v, want %s", option, err, problem)
		case problem == "" && err != nil:
			t.Errorf("%s: %v", option, err)
		case problem == "" && len(r.Fields) == 0:
			t.Errorf("%s: tests nothing", option)
		}
	}
	for _, good := range []string{"function 21", "function 4, subfunction 4", "function assigned", "function !reserved", "function ! user", "access read",
		"access write coils", "access read discretes, address <100", "access write holding, address 500, value >200", "access read input, address 100<>200",
		"unit 10", "unit >10", "unit 10<>20, function 21", "unit 10, function 4, subfunction 4", "unit 10, access write coils, address 1000"} {
		f("modbus:"+good, "")
	}
	f("modbus:function", "needs a value")
	f("modbus:function asigned", `did you mean "assigned"?`)
	f("modbus:function 300", "larger than 255")
	f("modbus:function reserved, subfunction 4", "subfunction follows the number")
	f("modbus:access look", `"look" is no access`)
	f("modbus:access write input", "cannot be written")
	f("modbus:access read hodling", `did you mean "holding"?`)
	f("modbus:access read coils holding", "one table")
	f("modbus:access read, address 5", "address follows an access with its table")
	f("modbus:access read coils, address 5, value 1", "value follows the address of a write")
	f("modbus:access read coils, address !5", "an address is written")
	f("modbus:function 1, access read", "one function or one access")
	f("modbus:function 1, unit 5", "unit comes first")
	f("modbus:functon 1", `did you mean "function"?`)
	f("modbus:function 1,", "an empty setting")

	for _, good := range []string{"dnp3_func:21", "dnp3_func:cold_restart", "dnp3.func:>128", "dnp3_ind:all_stations", "dnp3_ind:class_1_events,class_2_events",
		"dnp3.ind:+device_restart,need_time", "dnp3_ind:-device_trouble", "dnp3_ind:=device_restart", "dnp3_ind:&0x8000", "dnp3_obj:60,2", "dnp3.obj:1, 2"} {
		f(good, "")
	}
	f("dnp3_func:cold_restrat", `did you mean "cold_restart"?`)
	f("dnp3_ind:device_restrat", `did you mean "device_restart"?`)
	f("dnp3_obj:60", "GROUP,VARIATION")
	f("dnp3_obj:60,256", "larger than 255")
	f("dnp3_obj:x,1", "no number")

	for _, good := range []string{"enip_command:99", "enip_command:list_identity", "enip.command:send_rr_data", "enip.status:invalid_cmd", "enip.status:>106", "cip_service:75",
		"cip_service:16,246,6", "enip.cip_service:16, 246", "enip.cip_class:1", "enip.cip_status:!0", "enip.serial:0x524D8E", "enip.vendor_id:1"} {
		f(good, "")
	}
	f("enip_command:list_identiy", `did you mean "list_identity"?`)
	f("cip_service:128", "larger than 127")
	f("cip_service:1,2,3,4", "SERVICE,CLASS,ATTRIBUTE")
	f("cip_service:", "needs a value")
}
