package rule

import (
	"sort"
	"strconv"
	"strings"

	"sluice/dataplane/protocol"
)

// transports are the header protocols below the application.
var transports = map[string]Proto{
	"ip": {}, "any": {}, "pkthdr": {}, "ip4": {IPVersion: 4}, "ipv4": {IPVersion: 4}, "ip6": {IPVersion: 6}, "ipv6": {IPVersion: 6},
	"tcp": {Transport: TCP}, "tcp-pkt": {Transport: TCP, PacketOnly: true}, "tcp-stream": {Transport: TCP, StreamOnly: true},
	"tcp4": {Transport: TCP, IPVersion: 4}, "tcp6": {Transport: TCP, IPVersion: 6},
	"udp": {Transport: UDP}, "udp4": {Transport: UDP, IPVersion: 4}, "udp6": {Transport: UDP, IPVersion: 6},
	"icmp": {Transport: AnyICMP}, "icmpv4": {Transport: ICMP}, "icmp4": {Transport: ICMP}, "icmpv6": {Transport: ICMPv6}, "icmp6": {Transport: ICMPv6},
	"sctp": {Transport: SCTP}, "igmp": {Transport: ProtoNum, Num: 2}, "gre": {Transport: ProtoNum, Num: 47},
	"esp": {Transport: ProtoNum, Num: 50}, "ah": {Transport: ProtoNum, Num: 51}, "ipip": {Transport: ProtoNum, Num: 4},
}

// knownProtos are application protocols of the language that this program has
// no number for.
var knownProtos = map[string]bool{
	"ether": true, "arp": true, "template": true, "tls-record": true, "sdp": true,
}

func (c *context) proto(s string) error {
	name, hook, _ := strings.Cut(strings.ToLower(s), ":")
	if t, ok := transports[name]; ok {
		t.Name = name
		if hook != "" {
			switch hook {
			case "all":
			case "pre_flow":
				t.PreFlow = true
			default:
				c.lack("hook " + hook)
			}
		}
		c.r.Proto = t
		return nil
	}
	c.r.Proto = Proto{Name: name, Hook: hook}
	var id protocol.ID
	ok := false
	if c.env.Proto != nil {
		id, ok = c.env.Proto(name)
	}
	if !ok {
		if knownProtos[name] || c.env.Proto == nil {
			c.lack("protocol " + name)
			return nil
		}
		names := make([]string, 0, len(transports)+int(protocol.NumIDs))
		for n := range transports {
			names = append(names, n)
		}
		for i := protocol.HTTP1; i < protocol.NumIDs; i++ {
			names = append(names, i.String())
		}
		sort.Strings(names)
		return faultf("unknown protocol %q%s", clip(name), didYouMean(name, names))
	}
	apps := []protocol.ID{id}
	switch {
	case name == "http":
		apps = []protocol.ID{protocol.HTTP1, protocol.HTTP2}
	case id == protocol.DNS:
		apps = []protocol.ID{protocol.DNS, protocol.DoH2}
	case id == protocol.DCERPC:
		apps = speakers(id) // a pipe of SMB carries it as well
	}
	c.r.Proto.Apps = apps
	if !c.parsed(apps) {
		c.lack("protocol " + name)
	}
	if hook != "" {
		return c.hook(id, hook)
	}
	return nil
}

// parsed reports whether any of the protocols has a parser.
func (c *context) parsed(apps []protocol.ID) bool {
	for _, a := range apps {
		if c.env.Definition != nil && c.env.Definition(a) != nil {
			return true
		}
	}
	return false
}

// hook checks the name of a transaction state after a protocol.
func (c *context) hook(id protocol.ID, hook string) error {
	if c.env.Definition != nil {
		if d := c.env.Definition(id); d != nil {
			var names []string
			p := &c.r.Proto
			for dir, states := range d.States {
				for i, n := range states {
					if n == hook {
						p.HookDir, p.HookState = protocol.Dir(dir), uint8(i)
						return nil
					}
					names = append(names, n)
				}
			}
			switch hook {
			case "request_started":
				p.HookState = 1
				return nil
			case "response_started":
				p.HookDir, p.HookState = protocol.ToClient, 1
				return nil
			case "request_complete":
				p.HookState = d.Complete[protocol.ToServer]
				return nil
			case "response_complete":
				p.HookDir, p.HookState = protocol.ToClient, d.Complete[protocol.ToClient]
				return nil
			}
			return faultf("%s has no state %q%s", c.r.Proto.Name, clip(hook), didYouMean(hook, names))
		}
	}
	c.lack("hook " + hook)
	return nil
}

// ipProtos are the names that ip_proto and /etc/protocols know.
var ipProtos = map[string]uint64{
	"ip": 0, "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipip": 4, "tcp": 6, "egp": 8, "igp": 9, "pim": 103, "udp": 17, "idp": 22,
	"xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50,
	"ah": 51, "skip": 57, "ipv6-icmp": 58, "icmpv6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "eigrp": 88, "ospf": 89, "vrrp": 112, "l2tp": 115, "sctp": 132,
}

func (c *context) ipProto(_, val string) error {
	neg := strings.HasPrefix(val, "!")
	s := strings.TrimSpace(strings.TrimPrefix(val, "!"))
	t := Test{Kind: TestIPProto, Neg: neg, Col: c.col}
	if n, ok := ipProtos[strings.ToLower(s)]; ok {
		t.Int = IntTest{Op: '=', A: n}
	} else if _, err := strconv.Atoi(s); err != nil && (s == "" || s[0] != '<' && s[0] != '>') {
		return faultf("%q is no IP protocol", clip(val))
	} else {
		var err error
		if t.Int, err = parseInt(s, 255, nil); err != nil {
			return err
		}
	}
	c.r.Tests = append(c.r.Tests, t)
	return nil
}
