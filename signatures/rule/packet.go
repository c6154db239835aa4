package rule

import (
	"strings"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

func (c *context) test(t Test) error {
	t.Col = c.col
	c.r.Tests = append(c.r.Tests, t)
	return nil
}

func (c *context) tos(_, val string) error {
	t, err := parseInt(val, 255, nil)
	if err != nil && strings.HasPrefix(strings.ToLower(strings.TrimLeft(val, "! ")), "x") {
		neg := strings.HasPrefix(val, "!")
		v := "0" + strings.TrimLeft(val, "! ")
		if neg {
			v = "!" + v
		}
		t, err = parseInt(v, 255, nil)
	}
	if err != nil {
		return err
	}
	return c.test(Test{Kind: TestTOS, Int: t})
}

func (c *context) window(_, val string) error {
	t, err := parseInt(val, 65535, nil)
	if err != nil {
		return err
	}
	return c.test(Test{Kind: TestWindow, Int: t})
}

// tcpFlags reads [+|*|!]FSRPAUEC120[,ignored].
func (c *context) tcpFlags(_, val string) error {
	t := Test{Kind: TestTCPFlags}
	want, ignore, _ := strings.Cut(strings.ReplaceAll(val, " ", ""), ",")
	parse := func(s string) (uint8, error) {
		var f uint8
		for _, ch := range s {
			switch ch {
			case 'F', 'f':
				f |= decode.TCPFin
			case 'S', 's':
				f |= decode.TCPSyn
			case 'R', 'r':
				f |= decode.TCPRst
			case 'P', 'p':
				f |= decode.TCPPsh
			case 'A', 'a':
				f |= decode.TCPAck
			case 'U', 'u':
				f |= decode.TCPUrg
			case '2', 'E', 'e':
				f |= decode.TCPEce
			case '1', 'C', 'c':
				f |= decode.TCPCwr
			case '0':
			default:
				return 0, faultf("%q is no TCP flag: F S R P A U E C 1 2 or 0", ch)
			}
		}
		return f, nil
	}
	for len(want) > 0 && strings.IndexByte("+*!", want[0]) >= 0 {
		if t.Mode != 0 {
			return faultf("only one of + * ! can be given")
		}
		t.Mode, want = want[0], want[1:]
	}
	if n := len(want); t.Mode == 0 && n > 0 && (want[n-1] == '+' || want[n-1] == '*') {
		t.Mode, want = want[n-1], want[:n-1]
	}
	if want == "" {
		return faultf("names no flag")
	}
	var err error
	if t.Flags, err = parse(want); err != nil {
		return err
	}
	if t.Ignore, err = parse(ignore); err != nil {
		return err
	}
	return c.test(t)
}

// The bits of fragbits in Test.Flags.
const (
	FragMore = 1 << iota
	FragDont
	FragReserved
)

func (c *context) fragbits(_, val string) error {
	t := Test{Kind: TestFragBits}
	s := strings.ReplaceAll(val, " ", "")
	for len(s) > 0 && strings.IndexByte("+*!", s[0]) >= 0 {
		t.Mode, s = s[0], s[1:]
	}
	if s == "" {
		return faultf("names no bit")
	}
	for _, ch := range s {
		switch ch {
		case 'M', 'm':
			t.Flags |= FragMore
		case 'D', 'd':
			t.Flags |= FragDont
		case 'R', 'r':
			t.Flags |= FragReserved
		case '+', '*':
			t.Mode = byte(ch)
		default:
			return faultf("%q is no fragment bit: M, D or R", ch)
		}
	}
	return c.test(t)
}

func (c *context) sameip(string, string) error { return c.test(Test{Kind: TestSameIP}) }

// ipOptions gives the IPv4 option numbers of ipopts.
var ipOptions = map[string]uint8{"rr": 7, "lsrr": 131, "eol": 0, "nop": 1, "ts": 68, "sec": 130, "ssrr": 137, "satid": 136, "esec": 133, "any": 255, "cipso": 134}

func (c *context) ipopts(_, val string) error {
	o, ok := ipOptions[strings.ToLower(val)]
	if !ok {
		var names []string
		for n := range ipOptions {
			names = append(names, n)
		}
		return faultf("unknown IP option %q%s", clip(val), didYouMean(val, names))
	}
	return c.test(Test{Kind: TestIPOpts, Option: o})
}

func (c *context) rpc(_, val string) error {
	t := Test{Kind: TestRPC, RPC: [3]int64{-1, -1, -1}}
	parts := fieldsOf(val)
	if len(parts) > 3 {
		return faultf("takes application, version and procedure")
	}
	for i, p := range parts {
		if p == "*" && i > 0 || p == "" {
			continue
		}
		n, err := parseSigned(p, 0, 1<<32-1)
		if err != nil {
			return err
		}
		t.RPC[i] = n
	}
	return c.test(t)
}

func (c *context) vlan(_, val string) error {
	spec, layer, has := strings.Cut(val, ",")
	t := Test{Kind: TestVLAN, Layer: -1}
	if has {
		switch layer = strings.TrimSpace(layer); layer {
		case "any":
		case "all":
			t.Layer = -2
		default:
			n, err := parseSigned(layer, -3, 2)
			if err != nil {
				return err
			}
			if n < 0 {
				n -= 10
			}
			t.Layer = int8(n)
		}
	}
	var err error
	if t.Int, err = parseInt(spec, 4095, nil); err != nil {
		return err
	}
	return c.test(t)
}

func (c *context) l3proto(_, val string) error {
	t := Test{Kind: TestL3Proto}
	switch strings.ToLower(val) {
	case "ip4", "ipv4":
		t.Int = IntTest{Op: '=', A: 4}
	case "ip6", "ipv6":
		t.Int = IntTest{Op: '=', A: 6}
	default:
		return faultf("%q is neither ipv4 nor ipv6", clip(val))
	}
	return c.test(t)
}

var icmpTypes = map[string]uint64{"echo_reply": 0, "destination_unreachable": 3, "source_quench": 4, "redirect": 5, "echo_request": 8,
	"router_advertisement": 9, "router_solicitation": 10, "time_exceeded": 11, "parameter_problem": 12, "timestamp_request": 13, "timestamp_reply": 14,
	"information_request": 15, "information_reply": 16, "address_mask_request": 17, "address_mask_reply": 18}

func (c *context) appProto(_, val string) error {
	t := Test{Kind: TestAppProto}
	name, mode, has := strings.Cut(val, ",")
	name = strings.TrimSpace(name)
	if has {
		switch t.Which = strings.TrimSpace(mode); t.Which {
		case "either", "final", "to_server", "to_client", "original":
		default:
			return faultf("unknown mode %q", clip(mode))
		}
	}
	if strings.HasPrefix(name, "!") {
		t.Neg, name = true, strings.TrimSpace(name[1:])
	}
	switch strings.ToLower(name) {
	case "unknown":
		t.App = protocol.Unknown
		return c.test(t)
	case "failed":
		t.App = protocol.Failed
		return c.test(t)
	}
	var ok bool
	if c.env.Proto != nil {
		t.App, ok = c.env.Proto(strings.ToLower(name))
	}
	if !ok {
		if knownProtos[name] || c.env.Proto == nil {
			return unevaluated("protocol " + name)
		}
		return faultf("unknown protocol %q%s", clip(name), didYouMean(name, protocolNames()))
	}
	if !c.parsed([]protocol.ID{t.App}) && !t.Neg {
		return unevaluated("protocol " + name)
	}
	return c.test(t)
}

func (c *context) event(name, val string) error {
	kind := TestDecodeEvent
	if name == "stream-event" || strings.HasPrefix(val, "stream.") {
		kind = TestStreamEvent
	}
	v := strings.ToLower(strings.TrimSpace(val))
	if c.env.Event == nil {
		return unevaluated("event " + clip(v))
	}
	for _, try := range []string{v, strings.TrimPrefix(v, "stream."), strings.TrimPrefix(v, "decoder."), "stream." + v, "decoder." + v} {
		if e, ok := c.env.Event(try); ok {
			return c.test(Test{Kind: kind, Event: e})
		}
	}
	return noEvent(v)
}

func (c *context) checksum(name, val string) error {
	v, _, err := unquote(val)
	if err != nil {
		return err
	}
	t := Test{Kind: TestChecksum, What: strings.TrimSuffix(name, "-csum")}
	switch strings.ToLower(v) {
	case "valid":
		t.Valid = true
	case "invalid":
	default:
		return faultf("%q is neither valid nor invalid", clip(val))
	}
	return c.test(t)
}
