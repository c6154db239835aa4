package engine

import (
	"fmt"
	"strings"

	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// gates gives the rule's conditions on packet and flow, each with what the
// functions that decide say of it by itself.
func (m *Matcher) gates(r *crule, kind Kind) []Condition {
	var out []Condition
	add := func(keyword, text string, ok bool, detail string) {
		c := Condition{Keyword: keyword, Text: text, Result: Failed, Detail: detail}
		if ok {
			c.Result = Held
		}
		out = append(out, c)
	}
	head := strings.Fields(headerText(r.Rule))
	part := func(i int) string {
		if i < len(head) {
			return head[i]
		}
		return "any"
	}
	add("protocol", part(1), m.transport(r), fmt.Sprintf("IP protocol %d, IPv%d", m.proto, m.ipver))
	if r.dirs != protocol.DirsBoth && m.f != nil && !r.Transactional {
		want := "to_server"
		if r.dirs == protocol.DirsToClient {
			want = "to_client"
		}
		add("flow", want, r.dirs.Has(m.dir), m.dir.String())
	}
	src, dst, sp, dp := m.src, m.dst, m.sp, m.dp
	switch {
	case r.Transactional && m.f != nil:
		src, dst, sp, dp = &m.f.Client, &m.f.Server, m.f.ClientPort, m.f.ServerPort
	case r.Bidirectional && !m.ends(r, src, dst, sp, dp) && m.ends(r, dst, src, dp, sp):
		src, dst, sp, dp = dst, src, dp, sp
	}
	ports := m.ports || r.Proto.Transport == rule.TCP || r.Proto.Transport == rule.UDP || r.Proto.Transport == rule.SCTP
	if len(head) == 7 {
		add("source", part(2), r.Src.Has(src), src.Netip().String())
		if ports {
			add("source port", part(3), r.SrcPort.Has(sp), fmt.Sprint(sp))
		}
		add("destination", part(5), r.Dst.Has(dst), dst.Netip().String())
		if ports {
			add("destination port", part(6), r.DstPort.Has(dp), fmt.Sprint(dp))
		}
	}
	if o := &r.Flow; o.Established || o.NotEstablished {
		est := m.f != nil && m.f.State >= flow.StateEstablished
		want, is := "established", "not established"
		if o.NotEstablished {
			want = "not_established"
		}
		if est {
			is = "established"
		}
		add("flow", want, m.f != nil && est == o.Established, is)
	}
	if r.apps != 0 {
		app := "no flow"
		ok := false
		if m.f != nil {
			id, was := m.f.App.Proto(), m.f.App.Original()
			app = protoName(id)
			ok = id != protocol.Unknown && (r.apps>>id&1 == 1 || was != protocol.Unknown && r.apps>>was&1 == 1 || r.coversVia(id))
		}
		var names []string
		for _, id := range r.Proto.Apps {
			names = append(names, id.String())
		}
		add("app-layer", strings.Join(names, " or "), ok, app)
	}
	if r.head != nil && !r.inTx && kind == KindPacket {
		add("content", r.ShowItem(r.head.Item), r.head.begins(m.p.PayloadBytes()), "looked for first, since it is bound to the beginning")
	}
	for i := range r.tests {
		t := &r.tests[i]
		add(r.KeywordAt(t.Col), r.OptionAt(t.Col), m.test(t), m.saw(t))
	}
	fs := m.flowState(false)
	n := 0
	for i := range r.Bits {
		if r.Bits[i].Test() {
			add("bits", r.Bits[i].Show(), m.bitHolds(&r.bitTests[n], fs), "")
			n++
		}
	}
	for i := range r.intTests {
		add("flowint", r.intTests[i].Show(), intHolds(&r.intTests[i], fs), "")
	}
	return out
}

// headerText gives the part before the options.
func headerText(r *rule.Rule) string {
	depth := 0
	var b strings.Builder
	for i := range len(r.Text) {
		switch c := r.Text[i]; {
		case c == '(':
			return b.String()
		case c == '[':
			depth++
			b.WriteByte(c)
		case c == ']':
			depth--
			b.WriteByte(c)
		case depth > 0 && (c == ' ' || c == '\t'):
			// A group's spaces are none of the header's.
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// saw gives the value that a test was held against, where it is one number or
// name.
func (m *Matcher) saw(t *rule.Test) string {
	p := m.p
	if f := m.f; f != nil {
		switch t.Kind {
		case rule.TestStreamSize:
			if f.TCP != nil {
				return fmt.Sprintf("client %d, server %d", f.TCP.Size(protocol.ToServer), f.TCP.Size(protocol.ToClient))
			}
		case rule.TestFlowAge:
			return fmt.Sprintf("%d seconds", max(f.Last-f.Start, 0)/1e9)
		case rule.TestFlowPkts:
			return fmt.Sprintf("%d to the server, %d to the client", f.Pkts[0], f.Pkts[1])
		case rule.TestFlowBytes:
			return fmt.Sprintf("%d to the server, %d to the client", f.Bytes[0], f.Bytes[1])
		case rule.TestAppProto:
			return protoName(f.App.Proto())
		}
	}
	if p == nil {
		return ""
	}
	switch t.Kind {
	case rule.TestDsize:
		return fmt.Sprintf("%d bytes", p.PayloadEnd-p.Payload)
	case rule.TestTCPFlags:
		return tcpFlags(p.TCPFlags)
	case rule.TestTTL:
		return fmt.Sprint(p.TTL)
	case rule.TestTOS:
		return fmt.Sprint(p.TOS)
	case rule.TestIPID:
		return fmt.Sprint(p.IPID)
	case rule.TestSeq:
		return fmt.Sprint(p.Seq)
	case rule.TestAck:
		return fmt.Sprint(p.Ack)
	case rule.TestWindow:
		return fmt.Sprint(p.Window)
	case rule.TestMSS:
		return fmt.Sprint(p.TCPOpts.MSS)
	case rule.TestICMPType:
		return fmt.Sprint(p.ICMPType)
	case rule.TestICMPCode:
		return fmt.Sprint(p.ICMPCode)
	case rule.TestIPProto:
		return fmt.Sprint(p.Proto)
	}
	return ""
}

// tcpFlags spells flags as rules do.
func tcpFlags(f uint8) string {
	if f == 0 {
		return "0"
	}
	var b strings.Builder
	for i, c := range "FSRPAUEC" {
		if f>>i&1 == 1 {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// kindName names an object's kind.
func kindName(k protocol.ObjectKind) string {
	switch k {
	case protocol.KindBody:
		return "body"
	case protocol.KindPart, protocol.KindField:
		return "part"
	case protocol.KindAttachment:
		return "attachment"
	case protocol.KindText:
		return "text"
	case protocol.KindFile:
		return "file"
	}
	return "stream"
}
