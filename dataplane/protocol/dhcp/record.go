package dhcp

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// types are the messages' types by number (RFC 2132 §9.6).
var types = [...]string{1: "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"}

// typeAck is the type of the message that ties an address to a client.
const typeAck = 5

// parameters are the options that a client may ask for, as far as EVE names them.
var parameters = map[uint8]string{1: "subnet_mask", 3: "router", 6: "dns_server", 15: "domain", 35: "arp_timeout", 42: "ntp_server",
	66: "tftp_server_name", 67: "bootfile_name", 150: "tftp_server_ip"}

// eveDHCP is EVE's dhcp object.
type eveDHCP struct {
	Type         string   `json:"type"`
	ID           uint32   `json:"id"`
	ClientMAC    string   `json:"client_mac"`
	AssignedIP   string   `json:"assigned_ip"`
	ClientIP     string   `json:"client_ip,omitempty"`
	RelayIP      string   `json:"relay_ip,omitempty"`
	NextServerIP string   `json:"next_server_ip,omitempty"`
	DHCPType     string   `json:"dhcp_type,omitempty"`
	ClientID     string   `json:"client_id,omitempty"`
	Hostname     string   `json:"hostname,omitempty"`
	LeaseTime    *uint32  `json:"lease_time,omitempty"`
	Rebinding    *uint32  `json:"rebinding_time,omitempty"`
	Renewal      *uint32  `json:"renewal_time,omitempty"`
	RequestedIP  string   `json:"requested_ip,omitempty"`
	SubnetMask   string   `json:"subnet_mask,omitempty"`
	Params       []string `json:"params,omitempty"`
	DNSServers   []string `json:"dns_servers,omitempty"`
	Routers      []string `json:"routers,omitempty"`
	VendorClass  string   `json:"vendor_class_identifier,omitempty"`
}

// Mask lets mask replace values in the texts that a client chooses.
func (e *eveDHCP) Mask(mask func([]byte) []byte) {
	for _, s := range []*string{&e.Hostname, &e.VendorClass} {
		if *s != "" {
			*s = string(mask([]byte(*s)))
		}
	}
}

var logDHCP = []string{"dhcp"}

// Log implements protocol.Parser: in brief form only what ties an address to a
// client is reported.
func (p *Parser) Log(tx *protocol.Tx) []string {
	m, ok := tx.State.(*Message)
	if !ok {
		return nil
	}
	if p.brief {
		if t, _ := m.first(optType); len(t) != 1 || t[0] != typeAck {
			return nil
		}
	}
	return logDHCP
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Message)
	if !ok {
		return
	}
	e := &eveDHCP{Type: "request", ID: m.id(), ClientMAC: colons(m.hardware()), AssignedIP: address(m.yourIP())}
	if m.op() == opReply {
		e.Type = "reply"
	}
	if !p.brief {
		e.ClientIP = address(m.clientIP())
		if m.op() == opReply {
			e.RelayIP, e.NextServerIP = address(m.relayIP()), address(m.nextIP())
		}
	}
	for _, o := range m.options {
		e.take(o, !p.brief)
	}
	ev.SetExtra("dhcp", e)
}

// take puts an option into the record; more tells that it is the extended one.
func (e *eveDHCP) take(o option, more bool) {
	switch o.code {
	case optType:
		if e.DHCPType = "unknown"; len(o.data) == 1 && int(o.data[0]) < len(types) && types[o.data[0]] != "" {
			e.DHCPType = types[o.data[0]]
		}
	case optClientID:
		e.ClientID = colons(o.data[1:])
	case optHostname:
		e.Hostname = protocol.Text(o.data)
	}
	if !more {
		return
	}
	switch o.code {
	case optLeaseTime:
		e.LeaseTime = seconds(o.data)
	case optRebindingTime:
		e.Rebinding = seconds(o.data)
	case optRenewalTime:
		e.Renewal = seconds(o.data)
	case optRequestedIP:
		e.RequestedIP = address(o.data)
	case optSubnetMask:
		e.SubnetMask = address(o.data)
	case optDNSServer:
		e.DNSServers = addresses(o.data)
	case optRouter:
		e.Routers = addresses(o.data)
	case optVendorClass:
		e.VendorClass = protocol.Text(o.data)
	case optParameters:
		for _, c := range o.data {
			if name := parameters[c]; name != "" && len(e.Params) < maxOptions {
				e.Params = append(e.Params, name)
			}
		}
	}
}

func seconds(b []byte) *uint32 {
	v := binary.BigEndian.Uint32(b)
	return &v
}

// address gives an IPv4 address; empty for what has another length.
func address(b []byte) string {
	if len(b) != 4 {
		return ""
	}
	return netip.AddrFrom4([4]byte(b)).String()
}

func addresses(b []byte) []string {
	var out []string
	for len(b) >= 4 {
		out = append(out, address(b[:4]))
		b = b[4:]
	}
	return out
}

// colons gives bytes in hexadecimal with colons between.
func colons(b []byte) string {
	out := make([]byte, 0, 3*len(b))
	for i, c := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = hex.AppendEncode(out, []byte{c})
	}
	return string(out)
}
