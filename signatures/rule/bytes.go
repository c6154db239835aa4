package rule

import (
	"strconv"
	"strings"
)

// byteOptions reads what the four byte keywords have in common; it reports
// whether s was one of those.
func (c *context) byteOption(b *ByteOp, it *Item, s string) (bool, error) {
	word, arg, _ := strings.Cut(s, " ")
	arg = strings.TrimSpace(arg)
	switch word {
	case "relative":
		it.Relative = true
	case "big":
		b.Endian = Big
	case "little":
		b.Endian = Little
	case "endian":
		switch arg {
		case "big":
			b.Endian = Big
		case "little":
			b.Endian = Little
		default:
			return true, faultf("%q is neither big nor little", clip(arg))
		}
	case "string":
		b.String = true
		if b.Base == 0 {
			b.Base = 10
		}
		switch arg {
		case "":
		case "dec":
			b.Base = 10
		case "hex":
			b.Base = 16
		case "oct":
			b.Base = 8
		default:
			return true, faultf("%q is neither dec, hex nor oct", clip(arg))
		}
	case "dec":
		b.Base = 10
	case "hex":
		b.Base = 16
	case "oct":
		b.Base = 8
	case "dce":
		b.DCE = true
		return true, c.needProto("dcerpc")
	case "bitmask":
		m, err := parseUint(hexed(arg), 1<<32-1)
		if err != nil || m == 0 {
			return true, faultf("%q is no bit mask", clip(arg))
		}
		b.Mask = m
		for m&1 == 0 {
			m >>= 1
			b.Shift++
		}
	default:
		return false, nil
	}
	return true, nil
}

func hexed(s string) string {
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		return s
	}
	return "0x" + s
}

// size checks the number of bytes read.
func (b *ByteOp) size() error {
	if b.NBytes.Var != 0 {
		return nil
	}
	hi := int64(8)
	if b.String {
		hi = 23
	}
	if b.NBytes.V < 0 || b.NBytes.V > hi {
		return faultf("%d bytes cannot be read as a number: at most %d", b.NBytes.V, hi)
	}
	return nil
}

var byteOptionNames = []string{"relative", "big", "little", "string", "dec", "hex", "oct", "dce", "bitmask", "align", "multiplier", "from_beginning",
	"from_end", "post_offset", "endian", "bytes", "offset", "oper", "rvalue", "result"}

func unknownOption(s string) error {
	return faultf("unknown option %q%s", clip(s), didYouMean(s, byteOptionNames))
}

func (c *context) byteTest(_, val string) error {
	parts := fieldsOf(val)
	if len(parts) < 4 {
		return faultf("needs bytes, operator, value and offset")
	}
	it, b := Item{Op: OpByteTest}, &ByteOp{}
	var err error
	if b.NBytes, err = c.num(parts[0], 0, 23); err != nil {
		return err
	}
	op := strings.ReplaceAll(parts[1], " ", "")
	if strings.HasPrefix(op, "!") {
		b.NotOper, op = true, op[1:]
		if op == "" {
			op = "="
		}
	}
	switch op {
	case "<", ">", "=", "&", "^":
	case "<=", ">=":
		b.OrEqual = true
	default:
		return faultf("%q is no operator: < > <= >= = & ^, each with ! before it", clip(parts[1]))
	}
	b.Oper = op[0]
	if b.Value, err = c.num(parts[2], -1<<62, 1<<62); err != nil {
		n, e := strconv.ParseUint(parts[2], 0, 64)
		if e != nil {
			return err
		}
		b.Value = Num{V: int64(n)}
	}
	if b.Offset, err = c.num(parts[3], -1<<31, 1<<31); err != nil {
		return err
	}
	for _, p := range parts[4:] {
		if ok, err := c.byteOption(b, &it, p); err != nil {
			return err
		} else if !ok {
			return unknownOption(p)
		}
	}
	if err := b.size(); err != nil {
		return err
	}
	it.Byte = b
	return c.add(it)
}

func (c *context) byteJump(_, val string) error {
	parts := fieldsOf(val)
	if len(parts) < 2 {
		return faultf("needs bytes and offset")
	}
	it, b := Item{Op: OpByteJump}, &ByteOp{Multiplier: 1}
	var err error
	if b.NBytes, err = c.num(parts[0], 0, 23); err != nil {
		return err
	}
	if b.Offset, err = c.num(parts[1], -65535, 65535); err != nil {
		return err
	}
	for _, p := range parts[2:] {
		word, arg, _ := strings.Cut(p, " ")
		switch word {
		case "align":
			b.Align = 4
		case "multiplier":
			if b.Multiplier, err = parseSigned(arg, 1, 65535); err != nil {
				return err
			}
		case "from_beginning":
			b.FromBeginning = true
		case "from_end":
			b.FromEnd = true
		case "post_offset":
			if b.PostOffset, err = c.num(arg, -65535, 65535); err != nil {
				return err
			}
		default:
			if ok, err := c.byteOption(b, &it, p); err != nil {
				return err
			} else if !ok {
				return unknownOption(p)
			}
		}
	}
	if err := b.size(); err != nil {
		return err
	}
	it.Byte = b
	return c.add(it)
}

func (c *context) byteExtract(_, val string) error {
	parts := fieldsOf(val)
	if len(parts) < 3 {
		return faultf("needs bytes, offset and a name")
	}
	it, b := Item{Op: OpByteExtract}, &ByteOp{Multiplier: 1}
	var err error
	if b.NBytes, err = c.num(parts[0], 0, 23); err != nil {
		return err
	}
	if b.Offset, err = c.num(parts[1], -65535, 65535); err != nil {
		return err
	}
	for _, p := range parts[3:] {
		word, arg, _ := strings.Cut(p, " ")
		switch word {
		case "align":
			n, err := parseSigned(arg, 2, 4)
			if err != nil || n == 3 {
				return faultf("align takes 2 or 4")
			}
			b.Align = int(n)
		case "multiplier":
			if b.Multiplier, err = parseSigned(arg, 1, 65535); err != nil {
				return err
			}
		default:
			if ok, err := c.byteOption(b, &it, p); err != nil {
				return err
			} else if !ok {
				return unknownOption(p)
			}
		}
	}
	if err := b.size(); err != nil {
		return err
	}
	if b.Result, err = c.newVar(parts[2]); err != nil {
		return err
	}
	it.Byte = b
	return c.add(it)
}

func (c *context) byteMath(_, val string) error {
	it, b := Item{Op: OpByteMath}, &ByteOp{}
	seen := map[string]bool{}
	result := ""
	var err error
	for _, p := range fieldsOf(val) {
		word, arg, _ := strings.Cut(p, " ")
		arg = strings.TrimSpace(arg)
		if seen[word] {
			return faultf("%s is given twice", clip(word))
		}
		seen[word] = true
		switch word {
		case "bytes":
			b.NBytes, err = c.num(arg, 0, 23)
		case "offset":
			b.Offset, err = c.num(arg, -65535, 65535)
		case "oper":
			switch arg {
			case "+", "-", "*", "/", "<<", ">>":
				b.Oper = arg[0]
			default:
				err = faultf("%q is no operator: + - * / << >>", clip(arg))
			}
		case "rvalue":
			b.Value, err = c.num(arg, 0, 1<<32-1)
		case "result":
			result = arg
		default:
			ok, e := c.byteOption(b, &it, p)
			if err = e; err == nil && !ok {
				err = unknownOption(p)
			}
		}
		if err != nil {
			return err
		}
	}
	for _, w := range []string{"bytes", "offset", "oper", "rvalue", "result"} {
		if !seen[w] {
			return faultf("%s is missing", w)
		}
	}
	if b.Oper == '/' && b.Value == (Num{}) {
		return faultf("divides by zero")
	}
	if err := b.size(); err != nil {
		return err
	}
	if b.Result, err = c.newVar(result); err != nil {
		return err
	}
	it.Byte = b
	return c.add(it)
}

func (c *context) base64Decode(_, val string) error {
	it, b := Item{Op: OpBase64}, &Base64{}
	if val != "" {
		for _, p := range fieldsOf(val) {
			word, arg, _ := strings.Cut(p, " ")
			var n uint64
			var err error
			switch word {
			case "bytes":
				n, err = parseUint(arg, 65535)
				b.Bytes = int(n)
				if err == nil && n == 0 {
					err = faultf("bytes must not be 0")
				}
			case "offset":
				n, err = parseUint(arg, 65535)
				b.Offset = int(n)
			case "relative":
				it.Relative = true
			default:
				err = faultf("unknown option %q%s", clip(p), didYouMean(word, []string{"bytes", "offset", "relative"}))
			}
			if err != nil {
				return err
			}
		}
	}
	it.Base64 = b
	return c.add(it)
}

// base64Data makes what the last base64_decode gave the buffer in force.
func (c *context) base64Data(string, string) error {
	for i := len(c.r.Lists) - 1; i >= 0; i-- {
		items := c.r.Lists[i].Items
		for j := len(items) - 1; j >= 0; j-- {
			if items[j].Op == OpBase64 {
				c.base64 = items[j].Base64
				c.last = ref{-1, -1}
				return nil
			}
		}
	}
	return faultf("needs base64_decode before it")
}

func (c *context) asn1(_, val string) error {
	a := &ASN1{}
	for _, p := range strings.FieldsFunc(val, func(r rune) bool { return r == ',' }) {
		word, arg, _ := strings.Cut(strings.TrimSpace(p), " ")
		var err error
		var n int64
		switch word {
		case "bitstring_overflow":
			a.BitstringOverflow = true
		case "double_overflow":
			a.DoubleOverflow = true
		case "oversize_length":
			n, err = parseSigned(arg, 0, 1<<32-1)
			a.OversizeLength, a.HasOversize = uint32(n), true
		case "absolute_offset":
			n, err = parseSigned(arg, -65535, 65535)
			a.AbsoluteOffset, a.HasAbsolute = int(n), true
		case "relative_offset":
			n, err = parseSigned(arg, -65535, 65535)
			a.RelativeOffset, a.HasRelative = int(n), true
		default:
			err = faultf("unknown option %q", clip(p))
		}
		if err != nil {
			return err
		}
	}
	return c.add(Item{Op: OpASN1, ASN1: a, Relative: a.HasRelative})
}

func (c *context) ftpbounce(string, string) error { return c.add(Item{Op: OpFTPBounce}) }

func (c *context) entropy(_, val string) error {
	e := &Entropy{Buffer: "content"}
	if c.name != "" {
		e.Buffer = strings.ReplaceAll(c.name, ".", "_")
	}
	seen := false
	for _, p := range fieldsOf(val) {
		word, arg, _ := strings.Cut(p, " ")
		arg = strings.TrimSpace(arg)
		switch {
		case word == "bytes" || word == "offset":
			n, err := parseUint(arg, 65535)
			if err != nil {
				return err
			}
			if word == "bytes" {
				e.Bytes = int(n)
			} else {
				e.Offset = int(n)
			}
		case strings.HasPrefix(p, "value"):
			s := strings.TrimSpace(strings.TrimPrefix(p, "value"))
			e.Op = '='
			for _, o := range []struct {
				text string
				op   byte
			}{{">=", 'G'}, {"<=", 'L'}, {"!=", '!'}, {">", '>'}, {"<", '<'}, {"=", '='}} {
				if strings.HasPrefix(s, o.text) {
					e.Op, s = o.op, strings.TrimSpace(s[len(o.text):])
					break
				}
			}
			if err := e.values(s); err != nil {
				return err
			}
			seen = true
		default:
			return faultf("unknown option %q", clip(p))
		}
	}
	if !seen {
		return faultf("needs a value")
	}
	return c.add(Item{Op: OpEntropy, Ent: e})
}

// values reads what an entropy is compared with: a number, or after no operator a
// range, which "!" turns round.
func (e *Entropy) values(s string) error {
	number := func(s string) (float64, error) {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || !(f >= 0 && f <= 8) {
			return 0, faultf("%q is no entropy between 0 and 8", clip(s))
		}
		return f, nil
	}
	within, not := strings.CutPrefix(s, "!")
	low, high, isRange := strings.Cut(within, "-")
	if isRange && e.Op != '=' && strings.TrimSpace(low) != "" {
		return faultf("compares with a range")
	}
	if e.Op != '=' || !isRange {
		if not && e.Op == '=' {
			e.Op, s = '!', within
		}
		v, err := number(s)
		e.Value = v
		return err
	}
	if e.Op = 'R'; not {
		e.Op = 'O'
	}
	var err error
	if e.Value, err = number(low); err != nil {
		return err
	}
	if e.High, err = number(high); err != nil {
		return err
	}
	if e.Value >= e.High {
		return faultf("the range %q is empty", clip(within))
	}
	return nil
}
