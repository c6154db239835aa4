package rule

import (
	"maps"
	"slices"
	"strings"

	"sluice/dataplane/protocol/dnp3"
	"sluice/dataplane/protocol/enip"
	"sluice/dataplane/protocol/modbus"
)

// addField adds a test of a number that only one protocol has.
func (c *context) addField(proto string, t FieldTest) error {
	if err := c.needProto(proto); err != nil {
		return err
	}
	t.Col = c.col
	c.r.Fields = append(c.r.Fields, t)
	for _, k := range append([]FieldTest{t}, t.All...) {
		if k.Keyword != "" && (c.env.Field == nil || !c.env.Field(k.Keyword)) {
			return unevaluated("keyword " + k.Keyword)
		}
	}
	return nil
}

// modbusKinds are the sets of functions that modbus: function names.
var modbusKinds = map[string]modbus.Category{
	"assigned": modbus.PublicAssigned, "unassigned": modbus.PublicUnassigned, "public": modbus.PublicAssigned | modbus.PublicUnassigned,
	"user": modbus.UserDefined, "reserved": modbus.Reserved,
	"all": modbus.PublicAssigned | modbus.PublicUnassigned | modbus.UserDefined | modbus.Reserved,
}

var modbusTables = map[string]modbus.Access{"discretes": modbus.Discretes, "coils": modbus.Coils, "input": modbus.Input, "holding": modbus.Holding}

// modbus reads the modbus keyword: a unit, a function with its subfunction or a
// kind of functions, or an access with its table, address and value.
func (c *context) modbus(_, val string) error {
	p := modbusParser{c: c}
	for i, part := range strings.Split(val, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			return faultf("has an empty setting")
		}
		rest := strings.Join(words[1:], " ")
		if rest == "" {
			return faultf("%s needs a value", clip(words[0]))
		}
		var err error
		switch words[0] {
		case "unit":
			err = p.unit(i, rest)
		case "function":
			err = p.function(rest)
		case "subfunction":
			err = p.subfunction(rest)
		case "access":
			err = p.accessed(words[1:])
		case "address":
			err = p.placed(rest)
		case "value":
			err = p.valued(rest)
		default:
			err = faultf("%q is no setting%s", clip(words[0]), didYouMean(words[0], []string{"unit", "function", "subfunction", "access", "address", "value"}))
		}
		if err != nil {
			return err
		}
	}
	return p.finish()
}

// modbusParser collects the settings of a modbus keyword.
type modbusParser struct {
	c *context
	// single are tests of the whole message.
	single         []FieldTest
	has            struct{ function, number, subfunction, access bool }
	access         modbus.Access
	address, value *IntTest
}

func (p *modbusParser) unit(i int, val string) error {
	if i > 0 {
		return faultf("unit comes first")
	}
	t, err := parseInt(val, 255, nil)
	p.single = append(p.single, FieldTest{Keyword: "modbus.unit", Int: t})
	return err
}

func (p *modbusParser) function(val string) error {
	if p.has.function || p.has.access {
		return faultf("takes one function or one access")
	}
	p.has.function = true
	if isDigit(val) {
		n, err := parseUint(val, 255)
		p.has.number = true
		p.single = append(p.single, FieldTest{Keyword: "modbus.function", Int: IntTest{Op: '=', A: n}})
		return err
	}
	word, not := strings.CutPrefix(val, "!")
	word = strings.TrimSpace(word)
	kind, ok := modbusKinds[word]
	if !ok {
		return faultf("%q is no kind of functions%s", clip(word), didYouMean(word, slices.Collect(maps.Keys(modbusKinds))))
	}
	t := IntTest{Op: '|', A: uint64(kind)}
	if not {
		t.Op = '&'
	}
	p.single = append(p.single, FieldTest{Keyword: "modbus.category", Int: t})
	return nil
}

func (p *modbusParser) subfunction(val string) error {
	if !p.has.number || p.has.subfunction {
		return faultf("subfunction follows the number of a function")
	}
	p.has.subfunction = true
	n, err := parseUint(val, 65535)
	p.single = append(p.single, FieldTest{Keyword: "modbus.subfunction", Int: IntTest{Op: '=', A: n}})
	return err
}

func (p *modbusParser) accessed(words []string) error {
	if p.has.function || p.has.access {
		return faultf("takes one function or one access")
	}
	p.has.access = true
	switch words[0] {
	case "read":
		p.access = modbus.Read
	case "write":
		p.access = modbus.Write
	default:
		return faultf("%q is no access: it is read or write", clip(words[0]))
	}
	switch {
	case len(words) > 2:
		return faultf("an access has one table")
	case len(words) == 2:
		table, ok := modbusTables[words[1]]
		if !ok {
			return faultf("%q is no table%s", clip(words[1]), didYouMean(words[1], slices.Collect(maps.Keys(modbusTables))))
		}
		if p.access == modbus.Write && table&(modbus.Coils|modbus.Holding) == 0 {
			return faultf("%s cannot be written", words[1])
		}
		p.access |= table
	}
	return nil
}

// compared reads an address or a value: one number, those above or below one, or
// those between two.
func compared(what, val string) (*IntTest, error) {
	t, err := parseInt(val, 65536, nil)
	if err == nil && strings.IndexByte("=<>r", t.Op) < 0 {
		err = faultf("%s is written N, <N, >N or N<>M", what)
	}
	return &t, err
}

func (p *modbusParser) placed(val string) (err error) {
	if p.access&(modbus.Discretes|modbus.Coils|modbus.Input|modbus.Holding) == 0 || p.address != nil {
		return faultf("address follows an access with its table")
	}
	p.address, err = compared("an address", val)
	return err
}

func (p *modbusParser) valued(val string) (err error) {
	if p.address == nil || p.access&modbus.Write == 0 || p.value != nil {
		return faultf("value follows the address of a write")
	}
	p.value, err = compared("a value", val)
	return err
}

func (p *modbusParser) finish() error {
	for _, t := range p.single {
		if err := p.c.addField("modbus", t); err != nil {
			return err
		}
	}
	if p.access == 0 {
		return nil
	}
	want := IntTest{Op: '&', A: uint64(p.access), B: uint64(p.access)}
	if p.address == nil {
		return p.c.addField("modbus", FieldTest{Keyword: "modbus.access", Int: want})
	}
	a := *p.address
	t := FieldTest{}
	if p.value != nil {
		t.All = []FieldTest{{Keyword: "modbus.table", Int: want}, {Keyword: "modbus.item", Int: a}, {Keyword: "modbus.value", Int: *p.value}}
		return p.c.addField("modbus", t)
	}
	// The access is from first to last: some item of it has to pass.
	first, last := IntTest{Op: 'L', A: a.A}, IntTest{Op: 'G', A: max(a.A, 1)}
	switch a.Op {
	case '<':
		first, last = a, IntTest{Op: '>'}
	case '>':
		first, last = IntTest{Op: 'G'}, a
	case 'r':
		first, last = IntTest{Op: '<', A: a.B}, IntTest{Op: '>', A: a.A}
	}
	t.All = []FieldTest{{Keyword: "modbus.access", Int: want}, {Keyword: "modbus.first", Int: first}, {Keyword: "modbus.last", Int: last}}
	return p.c.addField("modbus", t)
}

// dnp3Indicators are the bits of internal indications by name.
var dnp3Indicators = func() map[string]uint64 {
	m := map[string]uint64{}
	for _, i := range dnp3.Indicators {
		m[i.Name] = uint64(i.Bit)
	}
	return m
}()

// dnp3Ind reads dnp3_ind: indications of which one has to be set or, after a +,
// all, after a -, none, after an =, exactly these; or a number.
func (c *context) dnp3Ind(name, val string) error {
	val = strings.TrimSpace(val)
	if first := strings.TrimLeft(val, " !=&<>"); isDigit(first) {
		t, err := parseInt(val, 65535, nil)
		if err != nil {
			return err
		}
		return c.addField("dnp3", FieldTest{Keyword: name, Int: t})
	}
	how := byte('*')
	if val != "" && strings.IndexByte("*+-=", val[0]) >= 0 {
		how, val = val[0], val[1:]
	}
	var mask uint64
	for _, word := range strings.Split(val, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		bit, ok := dnp3Indicators[word]
		if !ok {
			return faultf("%q is no indication%s", clip(word), didYouMean(word, slices.Collect(maps.Keys(dnp3Indicators))))
		}
		mask |= bit
	}
	t := IntTest{Op: '|', A: mask}
	switch how {
	case '+':
		t = IntTest{Op: '&', A: mask, B: mask}
	case '-':
		t = IntTest{Op: '&', A: mask}
	case '=':
		t = IntTest{Op: '=', A: mask}
	}
	return c.addField("dnp3", FieldTest{Keyword: name, Int: t})
}

// dnp3Obj reads dnp3_obj: group and variation of an object.
func (c *context) dnp3Obj(name, val string) error {
	group, variation, ok := strings.Cut(val, ",")
	if !ok {
		return faultf("is written GROUP,VARIATION")
	}
	g, err := parseUint(group, 255)
	if err != nil {
		return err
	}
	v, err := parseUint(variation, 255)
	if err != nil {
		return err
	}
	return c.addField("dnp3", FieldTest{Keyword: name, Int: IntTest{Op: '=', A: g<<8 | v}})
}

// cipService reads cip_service: a service and, where they are given, the class and
// the attribute that the same request is for.
func (c *context) cipService(name, val string) error {
	parts := strings.Split(val, ",")
	if len(parts) > 3 {
		return faultf("is written SERVICE, SERVICE,CLASS or SERVICE,CLASS,ATTRIBUTE")
	}
	limits := [...]uint64{127, 65535, 65535}
	var n [3]uint64
	for i, p := range parts {
		var err error
		if n[i], err = parseUint(p, limits[i]); err != nil {
			return err
		}
	}
	mask := enip.ServiceMask(len(parts))
	return c.addField("enip", FieldTest{Keyword: name, Int: IntTest{Op: '&', A: mask, B: enip.PackService(byte(n[0]), uint32(n[1]), uint32(n[2])) & mask}})
}
