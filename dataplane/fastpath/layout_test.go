package fastpath

import (
	"reflect"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"sluice/dataplane/flow"
)

// TestLayout compares each C struct with its Go twin through the object's BTF:
// size, and each field's offset and size in order.
func TestLayout(t *testing.T) {
	xdp, err := loadXdp()
	if err != nil {
		t.Fatal(err)
	}
	tc, err := loadTc()
	if err != nil {
		t.Fatal(err)
	}
	f := func(spec *ebpf.CollectionSpec, name string, twin any) {
		t.Helper()
		var s *btf.Struct
		if err := spec.Types.TypeByName(name, &s); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		g := reflect.TypeOf(twin)
		if uint32(g.Size()) != s.Size {
			t.Errorf("%s: %d bytes in C, %d in Go (%s)", name, s.Size, g.Size(), g)
		}
		if g.NumField() != len(s.Members) {
			t.Errorf("%s: %d fields in C, %d in Go", name, len(s.Members), g.NumField())
			return
		}
		for i, m := range s.Members {
			size, err := btf.Sizeof(m.Type)
			if err != nil {
				t.Fatal(err)
			}
			if gf := g.Field(i); m.Offset.Bytes() != uint32(gf.Offset) || uintptr(size) != gf.Type.Size() {
				t.Errorf("%s.%s is %d bytes at %d, %s.%s %d at %d", name, m.Name, size, m.Offset.Bytes(), g, gf.Name, gf.Type.Size(), gf.Offset)
			}
		}
	}
	f(xdp, "flow_key", flow.Key{})
	f(xdp, "flow_drop", flowDrop{})
	f(xdp, "lpm4", lpm4{})
	f(xdp, "lpm6", lpm6{})
	f(xdp, "block_value", blockValue{})
	f(xdp, "allowance", allowance{})
	f(xdp, "acl_range", aclRange{})
	f(xdp, "acl_cell", aclCell{})
	f(xdp, "counter", counter{})
	f(xdp, "list_counter", listCounter{})
	f(xdp, "drop_record", dropRecord{})
	f(xdp, "sluice_settings", settings{})
	f(xdp, "rate", rate{})
	f(tc, "wire", wire{})
	f(tc, "guard_state", guardState{})
	f(tc, "bypass", bypassValue{})
	cut, err := loadCut()
	if err != nil {
		t.Fatal(err)
	}
	f(cut, "cut", cutValue{})
	death, err := loadDeath()
	if err != nil {
		t.Fatal(err)
	}
	f(death, "guard_state", guardState{})
	if n := xdp.Maps["counters"].MaxEntries; n != uint32(NumReasons) {
		t.Errorf("%d reasons in C, %d in Go", n, NumReasons)
	}
	for name, n := range map[string]uint32{"acl": 2 * aclCells, "acl_rules": 2 * aclRules, "allowances": maxAllowances, "flow_filter": flowFilterWords + 1} {
		if got := xdp.Maps[name].MaxEntries; got != n {
			t.Errorf("%d entries of %s in C, %d in Go", got, name, n)
		}
	}
	if n := xdp.Maps["lists"].MaxEntries; n != maxLists {
		t.Errorf("%d lists in C, %d in Go", n, maxLists)
	}
	if n := xdp.Maps["dir4"].MaxEntries; n != dir4Words {
		t.Errorf("%d words of dir4 in C, %d in Go", n, dir4Words)
	}
	if n := xdp.Maps["filter6"].MaxEntries; n != filter6Words {
		t.Errorf("%d words of filter6 in C, %d in Go", n, filter6Words)
	}
}
