package rule

import (
	"strconv"
	"strings"
)

var flowWords = []string{"established", "not_established", "stateless", "to_server", "to_client", "from_server", "from_client",
	"only_stream", "no_stream", "only_frag", "no_frag"}

func (c *context) flow(_, val string) error {
	f := &c.r.Flow
	if f.Set {
		return faultf("is given twice")
	}
	f.Set = true
	for _, w := range fieldsOf(val) {
		switch strings.ToLower(w) {
		case "established":
			f.Established = true
		case "not_established":
			f.NotEstablished = true
		case "stateless":
			f.Stateless = true
		case "to_server", "from_client":
			f.ToServer = true
		case "to_client", "from_server":
			f.ToClient = true
		case "only_stream":
			f.OnlyStream = true
		case "no_stream":
			f.NoStream = true
		case "only_frag":
			f.OnlyFrag = true
		case "no_frag":
			f.NoFrag = true
		default:
			return faultf("unknown option %q%s", clip(w), didYouMean(w, flowWords))
		}
	}
	switch {
	case f.ToServer && f.ToClient:
		return faultf("asks for both directions at once")
	case f.Established && f.NotEstablished, f.Stateless && (f.Established || f.NotEstablished):
		return faultf("asks for contradicting states")
	case f.OnlyStream && f.NoStream, f.OnlyFrag && f.NoFrag:
		return faultf("asks for contradicting parts")
	}
	return nil
}

func bitName(s string) error {
	if s == "" || len(s) > 128 || strings.ContainsAny(s, "\"'`, \t") {
		return faultf("%q is no name for a bit", clip(s))
	}
	return nil
}

func (c *context) flowbits(_, val string) error {
	op, name, has := strings.Cut(val, ",")
	op, name = strings.TrimSpace(op), strings.TrimSpace(name)
	b := BitOp{Op: op, Scope: BitFlow}
	switch op {
	case "noalert":
		if has {
			return faultf("noalert takes no name")
		}
		c.r.NoAlert = true
		return nil
	case "set", "unset", "toggle", "isset", "isnotset":
	default:
		return faultf("unknown operation %q%s", clip(op), didYouMean(op, []string{"noalert", "set", "unset", "toggle", "isset", "isnotset"}))
	}
	if name == "" {
		return faultf("%s needs a name", op)
	}
	for _, n := range strings.Split(name, "|") {
		n = strings.TrimSpace(n)
		if err := bitName(n); err != nil {
			return err
		}
		b.Names = append(b.Names, n)
	}
	if len(b.Names) > 1 && !b.Test() {
		return faultf("%s takes one name, not an or-group", op)
	}
	for _, o := range c.r.Bits {
		if o.Scope == BitFlow && o.Names[0] == b.Names[0] && len(o.Names) == len(b.Names) && len(b.Names) == 1 {
			if o.Op == "isset" && op == "isnotset" || o.Op == "isnotset" && op == "isset" {
				return faultf("%s contradicts %s of %s", op, o.Op, b.Names[0])
			}
		}
	}
	c.r.Bits = append(c.r.Bits, b)
	return nil
}

func (c *context) xbits(_, val string) error {
	b := BitOp{Expire: 30}
	parts := fieldsOf(val)
	b.Op = parts[0]
	switch b.Op {
	case "noalert":
		c.r.NoAlert = true
		return nil
	case "set", "unset", "toggle", "isset", "isnotset":
	default:
		return faultf("unknown operation %q%s", clip(b.Op), didYouMean(b.Op, []string{"set", "unset", "toggle", "isset", "isnotset"}))
	}
	if len(parts) < 3 {
		return faultf("needs operation, name and track")
	}
	if err := bitName(parts[1]); err != nil {
		return err
	}
	b.Names = parts[1:2]
	tracked := false
	for _, p := range parts[2:] {
		word, arg, _ := strings.Cut(p, " ")
		arg = strings.TrimSpace(arg)
		switch word {
		case "track":
			tracked = true
			switch arg {
			case "ip_src":
				b.Scope = BitHostSrc
			case "ip_dst":
				b.Scope = BitHostDst
			case "ip_pair":
				b.Scope = BitPair
			case "tx":
				b.Scope = BitTx
				c.lack("xbits by transaction")
			default:
				return faultf("unknown track %q: ip_src, ip_dst, ip_pair or tx%s", clip(arg), didYouMean(arg, []string{"ip_src", "ip_dst", "ip_pair", "tx"}))
			}
		case "expire":
			n, err := parseUint(arg, 1<<31)
			if err != nil {
				return err
			}
			if n == 0 {
				return faultf("expire must not be 0")
			}
			b.Expire = uint32(n)
		default:
			return faultf("unknown option %q", clip(p))
		}
	}
	if !tracked {
		return faultf("needs track")
	}
	c.r.Bits = append(c.r.Bits, b)
	return nil
}

func (c *context) hostbits(_, val string) error {
	parts := fieldsOf(val)
	b := BitOp{Op: parts[0], Scope: BitHostSrc, Expire: 300}
	switch b.Op {
	case "noalert":
		c.r.NoAlert = true
		return nil
	case "set", "unset", "toggle", "isset", "isnotset":
	default:
		return faultf("unknown operation %q%s", clip(b.Op), didYouMean(b.Op, []string{"noalert", "set", "unset", "toggle", "isset", "isnotset"}))
	}
	if len(parts) < 2 {
		return faultf("needs a name")
	}
	if err := bitName(parts[1]); err != nil {
		return err
	}
	b.Names = parts[1:2]
	for _, p := range parts[2:] {
		switch p {
		case "src":
			b.Scope = BitHostSrc
		case "dst":
			b.Scope = BitHostDst
		default:
			n, err := parseUint(strings.TrimPrefix(p, "expire "), 1<<31)
			if err != nil {
				return faultf("unknown option %q: src, dst or a number of seconds", clip(p))
			}
			b.Expire = uint32(n)
		}
	}
	c.r.Bits = append(c.r.Bits, b)
	return nil
}

func (c *context) flowint(_, val string) error {
	parts := fieldsOf(val)
	if len(parts) < 2 || len(parts) > 3 {
		return faultf("needs name, operation and mostly a value")
	}
	f := FlowInt{Name: parts[0], Op: parts[1]}
	if err := bitName(f.Name); err != nil {
		return err
	}
	switch f.Op {
	case "isset", "isnotset", "notset":
		if f.Op == "notset" {
			f.Op = "isnotset"
		}
		if len(parts) == 3 {
			return faultf("%s takes no value", f.Op)
		}
	case "+", "-", "=", "<", ">", "<=", ">=", "==", "!=":
		if len(parts) != 3 {
			return faultf("%s needs a value", f.Op)
		}
		if n, err := strconv.ParseUint(parts[2], 10, 32); err == nil {
			f.Value = uint32(n)
		} else if err := bitName(parts[2]); err != nil || parts[2][0] >= '0' && parts[2][0] <= '9' {
			return faultf("%q is neither a number of 32 bits nor a variable", clip(parts[2]))
		} else {
			f.From = parts[2]
		}
	default:
		return faultf("unknown operation %q%s", clip(f.Op), didYouMean(f.Op, []string{"isset", "isnotset", "+", "-", "=", "<", "<=", ">", ">=", "==", "!="}))
	}
	c.r.FlowInts = append(c.r.FlowInts, f)
	return nil
}

func (c *context) threshold(name, val string) error {
	t := &Threshold{Type: "detection_filter"}
	seen := map[string]bool{}
	for _, p := range fieldsOf(val) {
		word, arg, _ := strings.Cut(p, " ")
		arg = strings.TrimSpace(arg)
		if seen[word] {
			return faultf("%s is given twice", clip(word))
		}
		seen[word] = true
		var n uint64
		var err error
		switch word {
		case "type":
			if name == "detection_filter" {
				return faultf("takes no type")
			}
			switch arg {
			case "limit", "threshold", "both", "backoff":
				t.Type = arg
			default:
				return faultf("unknown type %q%s", clip(arg), didYouMean(arg, []string{"limit", "threshold", "both", "backoff"}))
			}
		case "track":
			switch arg {
			case "by_src", "by_dst", "by_both", "by_rule", "by_flow":
				t.Track = arg
			default:
				return faultf("unknown track %q%s", clip(arg), didYouMean(arg, []string{"by_src", "by_dst", "by_both", "by_rule", "by_flow"}))
			}
		case "count":
			n, err = parseUint(arg, 1<<32-1)
			t.Count = uint32(n)
		case "seconds":
			n, err = parseUint(arg, 1<<32-1)
			t.Seconds = uint32(n)
		case "multiplier":
			n, err = parseUint(arg, 1<<32-1)
			t.Multiplier = uint32(n)
		case "unique_on":
			return unevaluated("unique_on")
		default:
			return faultf("unknown option %q%s", clip(word), didYouMean(word, []string{"type", "track", "count", "seconds", "multiplier"}))
		}
		if err != nil {
			return err
		}
	}
	if t.Track == "" || t.Count == 0 || t.Type == "backoff" && t.Multiplier == 0 || t.Type != "backoff" && t.Seconds == 0 ||
		name == "threshold" && !seen["type"] {
		return faultf("needs type, track, count and seconds (backoff: multiplier), none of them 0")
	}
	if name == "detection_filter" {
		if c.r.DetectionFilter != nil {
			return faultf("is given twice")
		}
		c.r.DetectionFilter = t
	} else {
		if c.r.Threshold != nil {
			return faultf("is given twice")
		}
		c.r.Threshold = t
	}
	if c.r.DetectionFilter != nil && c.r.Threshold != nil {
		return faultf("threshold and detection_filter exclude each other")
	}
	return nil
}

// defaultTagPackets is how many packets a tag without a count tells.
const defaultTagPackets = 256

func (c *context) tag(_, val string) error {
	parts := fieldsOf(val)
	t := &Tag{}
	switch parts[0] {
	case "session":
		t.Session = true
	case "host":
	default:
		return faultf("%q is neither session nor host", clip(parts[0]))
	}
	if len(parts) >= 2 {
		n, err := parseUint(parts[1], 1<<32-1)
		if err != nil {
			return err
		}
		t.Count = uint32(n)
	}
	if len(parts) >= 3 {
		switch parts[2] {
		case "packets", "seconds", "bytes":
			t.Metric = parts[2]
		default:
			return faultf("%q is neither packets, seconds nor bytes", clip(parts[2]))
		}
	}
	if len(parts) >= 4 {
		if parts[3] != "src" && parts[3] != "dst" {
			return faultf("%q is neither src nor dst", clip(parts[3]))
		}
		t.Direction = parts[3]
	}
	if t.Count == 0 {
		t.Count = defaultTagPackets
	}
	if t.Metric == "" {
		t.Metric = "packets"
	}
	c.r.Tags = append(c.r.Tags, *t)
	return nil
}

func (c *context) streamSize(_, val string) error {
	parts := fieldsOf(val)
	if len(parts) != 3 {
		return faultf("needs direction, operator and size")
	}
	t := Test{Kind: TestStreamSize, Col: c.col}
	switch parts[0] {
	case "either":
	case "server":
		t.Dir = 2
	case "client":
		t.Dir = 1
	case "both":
		t.Dir = 3
	default:
		return faultf("%q is neither server, client, both nor either", clip(parts[0]))
	}
	op := parts[1]
	if op == "=" {
		op = ""
	}
	var err error
	if t.Int, err = parseInt(op+parts[2], 1<<62, nil); err != nil {
		return err
	}
	c.r.Tests = append(c.r.Tests, t)
	return nil
}

func (c *context) flowCount(name, val string) error {
	t := Test{Kind: TestFlowPkts, Col: c.col}
	if strings.HasPrefix(name, "flow.bytes") {
		t.Kind = TestFlowBytes
	}
	switch {
	case strings.HasSuffix(name, "_toserver"):
		t.Dir = 1
	case strings.HasSuffix(name, "_toclient"):
		t.Dir = 2
	default:
		dir, rest, ok := strings.Cut(val, ",")
		if !ok {
			return faultf("needs a direction and a number")
		}
		switch strings.TrimSpace(dir) {
		case "toserver":
			t.Dir = 1
		case "toclient":
			t.Dir = 2
		case "both":
			t.Dir = 3
		case "either":
			t.Dir = 0
		default:
			return faultf("%q is neither toserver, toclient, both nor either", clip(dir))
		}
		val = rest
	}
	var err error
	if t.Int, err = parseInt(val, 1<<62, nil); err != nil {
		return err
	}
	c.r.Tests = append(c.r.Tests, t)
	return nil
}
