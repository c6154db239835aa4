package dnp3

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layout says how the bytes of an object are to be read.
type layout struct {
	// packed is the number of bits of an object of which several share a byte.
	packed int
	// fixed is the length in bytes, -1 where it depends on the content.
	fixed  int
	fields []field
	// measured tells that some field has the length of another.
	measured bool
}

// kind says what a field is.
type kind byte

const (
	kindBits kind = iota
	kindUint
	kindInt
	kindFloat
	kindText  // characters
	kindBytes // anything
)

// field is a part of an object: n bits of a byte, n bytes, or as many as another
// field says, or all that is left (n is -1).
type field struct {
	name  string
	kind  kind
	n     int
	len   string
	shift int
	last  bool // the last bits of their byte
}

// Shorthands of bits that many objects have (IEEE 1815 Annex A).
var shorthands = map[string]string{
	"BINARY":  "online restart comm_lost remote_forced local_forced chatter_filter reserved state",
	"DOUBLE":  "online restart comm_lost remote_forced local_forced chatter_filter state/2",
	"OUTPUT":  "online restart comm_lost remote_forced local_forced reserved0 reserved1 state",
	"COUNTER": "online restart comm_lost remote_forced local_forced rollover discontinuity reserved0",
	"ANALOG":  "online restart comm_lost remote_forced local_forced over_range reference_err reserved0",
	"CROB":    "op_type/4 qu cr tcc/2 u8:count u32:ontime u32:offtime status_code/7 reserved",
	"EVENTS32": "1=ANALOG i32:value; 2=ANALOG i16:value; 3=ANALOG i32:value t48:timestamp; 4=ANALOG i16:value t48:timestamp; 5=ANALOG f32:value;" +
		"6=ANALOG f64:value; 7=ANALOG f32:value t48:timestamp; 8=ANALOG f64:value t48:timestamp",
	"EVENTS22": "1=COUNTER u32:count; 2=COUNTER u16:count; 3=COUNTER u32:count; 4=COUNTER u16:count; 5=COUNTER u32:count t48:timestamp;" +
		"6=COUNTER u16:count t48:timestamp; 7=COUNTER u32:count t48:timestamp; 8=COUNTER u16:count t48:timestamp",
}

// objects are the layouts by group: bits by their names, with how many where it is
// not one, and fields as KIND:NAME, with @ and where their length is told; u, i, f
// and t are numbers with their bits, c characters, x bytes; p1 and p2 are packed.
var objects = map[byte]string{
	1:  "1=p1:state; 2=BINARY",
	2:  "1=u8:state; 2=BINARY t48:timestamp; 3=BINARY u16:timestamp",
	3:  "1=p2:state; 2=DOUBLE",
	4:  "1=DOUBLE; 2=DOUBLE t48:timestamp; 3=DOUBLE u16:relative_time_ms",
	10: "1=p1:state; 2=OUTPUT",
	11: "1=OUTPUT; 2=OUTPUT t48:timestamp",
	12: "1=CROB; 2=CROB; 3=p1:point",
	13: "1=status_code/7 commanded_state; 2=status_code/7 commanded_state t48:timestamp",
	20: "1=COUNTER u32:count; 2=COUNTER u16:count; 3=COUNTER u32:count; 4=COUNTER u16:count; 5=u32:count; 6=u16:count; 7=u32:count; 8=u16:count",
	21: "1=COUNTER u32:count; 2=COUNTER u16:count; 3=COUNTER u32:count; 4=COUNTER u16:count; 5=COUNTER u32:count t48:timestamp;" +
		"6=COUNTER u16:count t48:timestamp; 7=COUNTER u32:count t48:timestamp; 8=COUNTER u16:count t48:timestamp; 9=u32:count; 10=u16:count; 11=u32:count; 12=u16:count",
	22: "EVENTS22",
	23: "EVENTS22",
	30: "1=ANALOG i32:value; 2=ANALOG i16:value; 3=i32:value; 4=i16:value; 5=ANALOG f32:value; 6=ANALOG f64:value",
	31: "1=ANALOG i32:value; 2=ANALOG i16:value; 3=ANALOG i32:value t48:timestamp; 4=ANALOG i16:value t48:timestamp; 5=i32:value; 6=i16:value;" +
		"7=ANALOG f32:value; 8=ANALOG f64:value",
	32: "EVENTS32",
	33: "EVENTS32",
	34: "1=u16:deadband_value; 2=u32:deadband_value; 3=f32:deadband_value",
	40: "1=ANALOG i32:value; 2=ANALOG i16:value; 3=ANALOG f32:value; 4=ANALOG f64:value",
	41: "1=i32:value u8:control_status; 2=i16:value u8:control_status; 3=f32:value u8:control_status; 4=f64:value u8:control_status",
	42: "EVENTS32",
	43: "1=status_code/7 reserved0 i32:commanded_value; 2=status_code/7 reserved0 i16:commanded_value; 3=status_code/7 reserved0 i32:commanded_value t48:timestamp;" +
		"4=status_code/7 reserved0 i16:commanded_value t48:timestamp; 5=status_code/7 reserved0 f32:commanded_value; 6=status_code/7 reserved0 f64:commanded_value;" +
		"7=status_code/7 reserved0 f32:commanded_value t48:timestamp; 8=status_code/7 reserved0 f64:commanded_value t48:timestamp",
	50: "1=t48:timestamp; 2=t48:timestamp u32:interval; 3=t48:timestamp; 4=t48:timestamp u32:interval_count u8:interval_units",
	51: "1=t48:timestamp; 2=t48:timestamp",
	52: "1=u16:delay_secs; 2=u16:delay_ms",
	60: "1=; 2=; 3=; 4=",
	70: "1=u16:filename_size u8:filetype_code u8:attribute_code u16:start_record u16:end_record u32:file_size t48:created_timestamp u16:permission u32:file_id" +
		" u32:owner_id u32:group_id u8:file_function_code u8:status_code c:filename@filename_size u16:data_size c:data@data_size;" +
		"2=u16:username_offset u16:username_size u16:password_offset u16:password_size u32:authentication_key c:username@username_size c:password@password_size;" +
		"3=u16:filename_offset u16:filename_size t48:created u16:permissions u32:authentication_key u32:file_size u16:operational_mode u16:maximum_block_size" +
		" u16:request_id c:filename@filename_size;" +
		"4=u32:file_handle u32:file_size u16:maximum_block_size u16:request_id u8:status_code c:optional_text; 5=u32:file_handle u32:block_number c:file_data;" +
		"6=u32:file_handle u32:block_number u8:status_code c:optional_text;" +
		"7=u16:filename_offset u16:filename_size u16:file_type u32:file_size t48:created_timestamp u16:permissions u16:request_id c:filename@filename_size;" +
		"8=c:file_specification",
	80:  "1=p1:state",
	81:  "1=u8:fill_percentage u8:group u8:variation",
	83:  "1=c4:vendor_code u16:object_id u16:length x:data_objects@length; 2=c4:vendor_code u16:object_id u16:length x:data_objects@length",
	85:  "1=x:data_objects",
	86:  "1=x:object_data; 2=rd wr st ev df padding0 padding1 padding2; 3=x:object_data",
	87:  "1=x:object_data",
	90:  "1=x:application_id",
	101: "1=u16:value; 2=u32:value; 3=u64:value",
	102: "1=u8:value",
	120: "1=u32:csq u16:usr u8:mal u8:reason x:challenge_data; 2=u32:csq u16:usr x:mac_value; 3=u32:csq u16:user_number; 4=u16:user_number;" +
		"5=u32:ksq u16:user_number u8:key_wrap_alg u8:key_status u8:mal u16:challenge_data_len x:challenge_data@challenge_data_len x:mac_value;" +
		"6=u32:ksq u16:usr x:wrapped_key_data; 7=u32:csq u16:usr u16:association_id u8:error_code t48:time_of_error c:error_text; 8=u8:key_change_method u8:certificate_type x:certificate;" +
		"9=x:mac_value; 10=u8:key_change_method u8:operation u32:scs u16:user_role u16:user_role_expiry_interval u16:username_len u16:user_public_key_len" +
		" u16:certification_data_len c:username@username_len x:user_public_key@user_public_key_len x:certification_data@certification_data_len;" +
		"11=u8:key_change_method u16:username_len u16:master_challenge_data_len c:username@username_len x:master_challenge_data@master_challenge_data_len;" +
		"12=u32:ksq u16:user_number u16:challenge_data_len x:challenge_data@challenge_data_len; 13=u32:ksq u16:user_number u16:encrypted_update_key_len" +
		" x:encrypted_update_key_data@encrypted_update_key_len; 14=x:digital_signature; 15=x:mac",
	121: "1=online restart comm_lost remote_forced local_forced reserved0 discontinuity reserved1 u16:association_id u32:count_value",
	122: "1=online restart comm_lost remote_forced local_forced reserved0 discontinuity reserved1 u16:association_id u32:count_value;" +
		"2=online restart comm_lost remote_forced local_forced reserved0 discontinuity reserved1 u16:association_id u32:count_value t48:timestamp",
}

var layouts = func() map[uint16]*layout {
	m := map[uint16]*layout{}
	for group, text := range objects {
		if long, ok := shorthands[text]; ok {
			text = long
		}
		for _, v := range strings.Split(text, ";") {
			number, spec, _ := strings.Cut(strings.TrimSpace(v), "=")
			n, err := strconv.ParseUint(number, 10, 8)
			if err != nil {
				panic("dnp3: layout of group " + strconv.Itoa(int(group)) + ": " + v)
			}
			m[uint16(group)<<8|uint16(n)] = compile(spec)
		}
	}
	// The variation of a string is its length.
	for _, g := range []byte{110, 111, 112, 113, 114, 115} {
		for n := 1; n < 256; n++ {
			m[uint16(g)<<8|uint16(n)] = &layout{fixed: n, fields: []field{{name: "data", kind: kindText, n: n}}}
		}
	}
	return m
}()

// layoutOf gives the layout of an object, nil for one that is not known.
func layoutOf(group, variation byte) *layout { return layouts[uint16(group)<<8|uint16(variation)] }

func compile(spec string) *layout {
	l := &layout{}
	shift := 0
	for _, word := range strings.Fields(spec) {
		if long, ok := shorthands[word]; ok {
			for _, f := range compile(long).fields {
				l.add(f)
			}
			continue
		}
		typ, name, ok := strings.Cut(word, ":")
		if !ok {
			name, width, _ := strings.Cut(word, "/")
			n := 1
			if width != "" {
				n, _ = strconv.Atoi(width)
			}
			f := field{name: name, kind: kindBits, n: n, shift: shift}
			shift = (shift + n) % 8
			f.last = shift == 0
			l.add(f)
			continue
		}
		f := field{n: -1}
		f.name, f.len, _ = strings.Cut(name, "@")
		if bits, err := strconv.Atoi(typ[1:]); err == nil {
			f.n = bits / 8
		}
		switch typ[0] {
		case 'p':
			l.packed, _ = strconv.Atoi(typ[1:])
			f.n = l.packed
		case 'u', 't':
			f.kind = kindUint
		case 'i':
			f.kind = kindInt
		case 'f':
			f.kind = kindFloat
		case 'c':
			f.kind = kindText
			if typ == "c4" {
				f.n = 4
			}
		case 'x':
			f.kind = kindBytes
		}
		l.add(f)
	}
	return l
}

func (l *layout) add(f field) {
	l.fields = append(l.fields, f)
	l.measured = l.measured || f.len != ""
	switch {
	case l.fixed < 0 || l.packed > 0:
	case f.kind == kindBits:
		if f.last {
			l.fixed++
		}
	case f.n < 0:
		l.fixed = -1
	default:
		l.fixed += f.n
	}
}

// each calls f with every field of an object that is there, and its bytes.
func (p *point) each(f func(fd *field, b []byte)) {
	b := p.data
	var lengths map[string]int
	if p.o.layout.measured {
		lengths = map[string]int{}
	}
	for i := range p.o.layout.fields {
		fd := &p.o.layout.fields[i]
		n := fd.n
		switch {
		case fd.kind == kindBits:
			n = 1
		case fd.len != "":
			n = min(lengths[fd.len], len(b))
		case n < 0:
			n = len(b)
		}
		if n > len(b) {
			return
		}
		f(fd, b[:n])
		if fd.kind == kindUint && lengths != nil {
			lengths[fd.name] = int(min(le(b[:n]), math.MaxInt32))
		}
		if fd.kind != kindBits || fd.last {
			b = b[n:]
		}
	}
}

// text gives a field's characters.
func (p *point) text(name string) (s string) {
	p.each(func(fd *field, b []byte) {
		if fd.name == name && fd.kind == kindText {
			s = string(b)
		}
	})
	return s
}

// secrets are fields that prove who somebody is.
var secrets = map[string]bool{"password": true, "authentication_key": true}

// hidden stands for a secret in records.
const hidden = "***"

// record gives the fields of an object as EVE has them: text and bytes are under
// names that begin with "data->".
func (p *point) record() map[string]any {
	out := map[string]any{"prefix": p.prefix, "index": p.index}
	if p.o.Prefix() >= sizePrefix {
		out["size"] = p.size
	}
	p.each(func(fd *field, b []byte) {
		switch fd.kind {
		case kindBits:
			out[fd.name] = b[0] >> (fd.shift + p.bit) & (1<<fd.n - 1)
		case kindUint:
			if out[fd.name] = le(b); secrets[fd.name] {
				out[fd.name] = hidden
			}
		case kindInt:
			v := int64(le(b)) << (64 - 8*len(b)) >> (64 - 8*len(b))
			out[fd.name] = v
		case kindFloat:
			v := math.Float64frombits(le(b))
			if len(b) == 4 {
				v = float64(math.Float32frombits(uint32(le(b))))
			}
			if out[fd.name] = v; math.IsNaN(v) || math.IsInf(v, 0) {
				out[fd.name] = strconv.FormatFloat(v, 'g', -1, 64)
			}
		case kindText:
			switch {
			case secrets[fd.name]:
				out["data->"+fd.name] = hidden
			case utf8.Valid(b):
				out["data->"+fd.name] = string(b)
			default:
				out["data->"+fd.name] = strings.ToValidUTF8(string(b), "\uFFFD")
			}
		case kindBytes:
			out["data->"+fd.name] = base64.StdEncoding.EncodeToString(b)
		}
	})
	return out
}
