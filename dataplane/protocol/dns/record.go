package dns

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// soa, srv, sshfp and option are the structures that EVE gives for records
// whose data is more than a string.
type soa struct {
	MName   string `json:"mname"`
	RName   string `json:"rname"`
	Serial  uint32 `json:"serial"`
	Refresh uint32 `json:"refresh"`
	Retry   uint32 `json:"retry"`
	Expire  uint32 `json:"expire"`
	Minimum uint32 `json:"minimum"`
}

type srv struct {
	Priority uint16 `json:"priority"`
	Weight   uint16 `json:"weight"`
	Port     uint16 `json:"port"`
	Name     string `json:"name"`
}

type sshfp struct {
	Fingerprint string `json:"fingerprint"`
	Algo        uint8  `json:"algo"`
	Type        uint8  `json:"type"`
}

type option struct {
	Code uint16 `json:"code"`
	Data string `json:"data"`
}

// maxLogged bounds the records of a section and the strings of a record that
// an event carries.
const maxLogged = 256

// Log implements protocol.Parser. A message that could not be read at all is
// told by its events only.
func (p *Parser) Log(tx *protocol.Tx) []string {
	m, ok := tx.State.(*Message)
	if !ok || m.broken && len(m.questions) == 0 {
		return nil
	}
	switch p.proto {
	case protocol.MDNS:
		return logMDNS
	case protocol.LLMNR:
		return nil
	}
	return logDNS
}

var logDNS, logMDNS = []string{"dns"}, []string{"mdns"}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Message)
	if !ok {
		return
	}
	d := m.event()
	id := tx.ID
	d.TxID = &id
	if p.proto == protocol.DNS {
		ev.DNS = d
		return
	}
	ev.SetExtra(p.proto.String(), d)
}

// event renders the message as EVE's dns object, version 3.
func (m *Message) event() *events.DNS {
	f := m.Flags
	d := &events.DNS{
		Version: 3, Type: "request", ID: m.ID, Flags: strconv.FormatUint(uint64(f), 16),
		QR: f&0x8000 != 0, AA: f&0x400 != 0, TC: f&0x200 != 0, RD: f&0x100 != 0, RA: f&0x80 != 0, Z: f&0x40 != 0,
		Opcode: m.Opcode(), RCode: RCodeName(m.RCode()),
	}
	if m.Dir == protocol.ToClient {
		d.Type = "response"
	}
	for i, q := range m.questions {
		if i == maxLogged {
			break
		}
		d.Queries = append(d.Queries, events.DNSQuery{RRName: printable(m.text(q.name)), RRType: TypeName(q.Type)})
	}
	d.Answers = m.records2events(Answers)
	d.Authorities = m.records2events(Authorities)
	d.Additionals = m.records2events(Additionals)
	for _, a := range d.Answers {
		text, ok := a.RData.(string)
		if !ok {
			continue
		}
		if d.Grouped == nil {
			d.Grouped = map[string][]string{}
		}
		d.Grouped[a.RRType] = append(d.Grouped[a.RRType], text)
	}
	return d
}

func (m *Message) records2events(s Section) []events.DNSAnswer {
	var list []events.DNSAnswer
	for _, r := range m.sections[s] {
		if len(list) >= maxLogged {
			break
		}
		a := events.DNSAnswer{RRName: printable(m.text(r.name)), RRType: TypeName(r.Type), TTL: r.TTL}
		if r.Type == TypeTXT || r.Type == TypeSPF {
			// Each string of a text record is an answer of its own.
			data := m.rdata(r)
			for len(data) > 0 && len(list) < maxLogged {
				n := min(int(data[0]), len(data)-1)
				a.RData = printable(data[1 : 1+n])
				list = append(list, a)
				data = data[1+n:]
			}
			continue
		}
		m.fill(&a, r)
		list = append(list, a)
	}
	return list
}

// fill puts the record's data into its event.
func (m *Message) fill(a *events.DNSAnswer, r Resource) {
	data := m.rdata(r)
	switch r.Type {
	case TypeA:
		if len(data) == 4 {
			a.RData = fmt.Sprintf("%d.%d.%d.%d", data[0], data[1], data[2], data[3])
		}
	case TypeAAAA:
		if len(data) == 16 {
			b := make([]byte, 0, 39)
			for i := 0; i < 16; i += 2 {
				if i > 0 {
					b = append(b, ':')
				}
				b = hex.AppendEncode(b, data[i:i+2])
			}
			a.RData = string(b)
		}
	case TypeNS, TypeCNAME, TypePTR, TypeDNAME, TypeMD, TypeMF, TypeMB, TypeMG, TypeMR:
		if n, _, ok := m.nameIn(r, 0); ok {
			a.RData = n
		}
	case TypeMX:
		if n, _, ok := m.nameIn(r, 2); ok {
			a.RData = n
		}
	case TypeNULL:
		a.RData = printable(data)
	case TypeSOA:
		mname, next, ok := m.nameIn(r, 0)
		if !ok {
			return
		}
		rname, next, ok := m.nameIn(r, next)
		if !ok || next+20 > len(data) {
			return
		}
		u := func(i int) uint32 { return binary.BigEndian.Uint32(data[next+4*i:]) }
		a.SOA = soa{mname, rname, u(0), u(1), u(2), u(3), u(4)}
	case TypeSRV:
		if n, _, ok := m.nameIn(r, 6); ok {
			a.SRV = srv{binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:]), binary.BigEndian.Uint16(data[4:]), n}
		}
	case TypeSSHFP:
		if len(data) > 2 {
			b := make([]byte, 0, 3*len(data))
			for i, c := range data[2:] {
				if i > 0 {
					b = append(b, ':')
				}
				b = hex.AppendEncode(b, []byte{c})
			}
			a.SSHFP = sshfp{string(b), data[0], data[1]}
		}
	case TypeOPT:
		var opts []option
		for len(data) >= 4 && len(opts) < maxLogged {
			n := int(binary.BigEndian.Uint16(data[2:]))
			if 4+n > len(data) {
				break
			}
			opts = append(opts, option{binary.BigEndian.Uint16(data), hex.EncodeToString(data[4 : 4+n])})
			data = data[4+n:]
		}
		if opts != nil {
			a.OPT = opts
		}
	}
}

// nameIn reads the name at offset at of a record's data, and gives the offset
// after it within the data. It does not grow the message's arena.
func (m *Message) nameIn(r Resource, at int) (string, int, bool) {
	if at >= int(r.data.len) {
		return "", 0, false
	}
	tmp := Message{raw: m.raw}
	s, next, ok := tmp.name(int(r.data.off) + at)
	next -= int(r.data.off)
	if !ok || next > int(r.data.len) {
		return "", 0, false
	}
	return printable(tmp.text(s)), next, true
}
