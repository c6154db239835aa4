package http1

import "sluice/dataplane/protocol"

// slotKinds gives the header behind the buffers that hold one header's value.
var slotKinds = [numSlots]kind{
	slotUserAgent: kindUserAgent, slotReferer: kindReferer, slotAccept: kindAccept, slotAcceptEnc: kindAcceptEncoding,
	slotAcceptLang: kindAcceptLanguage, slotConnection: kindConnection, slotContentLen: kindContentLength,
	slotContentType: kindContentType, slotLocation: kindLocation, slotServer: kindServer,
}

// Buffer implements protocol.Parser.
func (p *parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	ex, ok := tx.State.(*exchange)
	if ok && id.Protocol() == protocol.DNS {
		return ex.doh.Buffer(id, dir, i)
	}
	if !ok || id.Protocol() != protocol.HTTP1 {
		return nil, false
	}
	m := &ex.msg[dir]
	slot := id.Slot()
	if slot == slotRequestHeader || slot == slotResponseHeader {
		if (slot == slotRequestHeader) != (dir == protocol.ToServer) || m.head == 0 || tx.Progress[dir] < ProgressHeaders {
			return nil, false
		}
		return ex.headerAt(m, slot, i)
	}
	if i > 0 || m.lineEnd == 0 || tx.Progress[dir] < ProgressLine {
		return nil, false
	}
	request := dir == protocol.ToServer
	if b, ok := ex.line(m, slot, request); b != nil || !ok {
		return b, ok
	}
	if tx.Progress[dir] < ProgressHeaders {
		return nil, false
	}
	switch slot {
	case slotHost, slotHostRaw:
		if !request {
			return nil, false
		}
		return ex.hostBuffer(m, slot)
	case slotCookie:
		if request {
			return m.joined(slot, kindCookie)
		}
		return m.joined(slot, kindSetCookie)
	case slotHeader:
		return m.headerBuffer(request)
	case slotHeaderRaw:
		return m.raw[m.head:], int(m.head) < len(m.raw)
	case slotHeaderNames:
		return m.headerNames()
	case slotStart:
		return m.start()
	case slotTrailer:
		return m.trailer, len(m.trailer) > 0 && tx.Progress[dir] >= ProgressTrailer
	}
	if slot < numSlots {
		if k := slotKinds[slot]; k != kindOther {
			return m.joined(slot, k)
		}
	}
	return nil, false
}

// line gives the buffers of the start line. nil, true means that slot is none
// of them.
func (ex *exchange) line(m *message, slot uint8, request bool) ([]byte, bool) {
	var b []byte
	switch {
	case slot == slotProtocol && request:
		b = m.proto()
	case slot == slotProtocol:
		b = m.raw[:m.a]
	case slot == slotMethod && request:
		b = m.method()
	case slot == slotURI && request:
		return ex.normalURI(), true
	case slot == slotURIRaw && request:
		return m.uri(), true
	case slot == slotRequestLine && request, slot == slotResponseLine && !request:
		return m.raw[:m.lineEnd], true
	case slot == slotStatCode && !request:
		b = m.code()
	case slot == slotStatMsg && !request:
		b = m.reason()
	case slot <= slotResponseLine || slot == slotStatCode || slot == slotStatMsg:
		return nil, false
	default:
		return nil, true
	}
	if len(b) == 0 {
		return nil, false
	}
	return b, true
}

// joined gives a header's value; repetitions are joined as Suricata does.
func (m *message) joined(slot uint8, k kind) ([]byte, bool) {
	i := m.first[k]
	if i == 0 {
		return nil, false
	}
	f := &m.fields[i-1]
	if f.next == 0 || k == kindContentLength {
		return m.value(f), true
	}
	c, ok := m.cachedSlot(uint16(slot))
	if !ok {
		c.b = m.appendValues(c.b, f)
	}
	return c.b, true
}

// appendValues appends the values of f and its repetitions, joined by ", ". Of
// lengths only the first one counts.
func (m *message) appendValues(dst []byte, f *field) []byte {
	dst = append(dst, m.value(f)...)
	if f.kind == kindContentLength {
		return dst
	}
	for n := f.next; n != 0; n = m.fields[n].next {
		dst = append(dst, ", "...)
		dst = append(dst, m.value(&m.fields[n])...)
	}
	return dst
}

func (m *message) appendHeader(dst []byte, f *field) []byte {
	dst = append(dst, m.name(f)...)
	dst = append(dst, ": "...)
	return m.appendValues(dst, f)
}

// headerBuffer gives the normalised headers without cookies.
func (m *message) headerBuffer(request bool) ([]byte, bool) {
	c, ok := m.cachedSlot(uint16(slotHeader))
	if !ok {
		skip := kindSetCookie
		if request {
			skip = kindCookie
		}
		for i := range m.fields {
			if f := &m.fields[i]; !f.again && f.kind != skip {
				c.b = append(m.appendHeader(c.b, f), "\r\n"...)
			}
		}
	}
	return c.b, len(c.b) > 0
}

func (m *message) headerNames() ([]byte, bool) {
	c, ok := m.cachedSlot(uint16(slotHeaderNames))
	if !ok && len(m.fields) > 0 {
		c.b = append(c.b, "\r\n"...)
		for i := range m.fields {
			if f := &m.fields[i]; !f.again {
				c.b = append(append(c.b, m.name(f)...), "\r\n"...)
			}
		}
		c.b = append(c.b, "\r\n"...)
	}
	return c.b, len(c.b) > 0
}

// start gives the start line and the normalised headers.
func (m *message) start() ([]byte, bool) {
	c, ok := m.cachedSlot(uint16(slotStart))
	if !ok {
		c.b = append(append(c.b, m.raw[:m.lineEnd]...), "\r\n"...)
		for i := range m.fields {
			if f := &m.fields[i]; !f.again {
				c.b = append(m.appendHeader(c.b, f), "\r\n"...)
			}
		}
		c.b = append(c.b, "\r\n"...)
	}
	return c.b, true
}

// hostBuffer gives the host: the URI's, else the header's.
func (ex *exchange) hostBuffer(m *message, slot uint8) ([]byte, bool) {
	if slot == slotHostRaw {
		if ex.hostEnd > 0 {
			return m.raw[ex.host:ex.hostEnd], true
		}
		return m.joined(slot, kindHost)
	}
	c, ok := m.cachedSlot(uint16(slotHost))
	if !ok {
		if ex.hostEnd > 0 {
			name, _, _ := splitHost(m.raw[ex.host:ex.hostEnd])
			c.b = append(c.b, name...)
		} else if n := m.first[kindHost]; n != 0 {
			for i := int(n) - 1; ; {
				f := &m.fields[i]
				name, _, _ := splitHost(m.value(f))
				c.b = append(c.b, name...)
				if i = int(f.next); i == 0 {
					break
				}
				c.b = append(c.b, ", "...)
			}
		}
		for i, ch := range c.b {
			c.b[i] = lower(ch)
		}
	}
	return c.b, len(c.b) > 0
}

// headerAt gives the i-th header as "Name: value".
func (ex *exchange) headerAt(m *message, slot uint8, i int) ([]byte, bool) {
	if i < 0 || i >= len(m.fields) {
		return nil, false
	}
	for j := range m.fields {
		f := &m.fields[j]
		if f.again {
			continue
		}
		if i == 0 {
			if !f.inAux && f.next == 0 && f.val == f.nameEnd+2 && m.raw[f.nameEnd] == ':' && m.raw[f.nameEnd+1] == ' ' {
				return m.raw[f.name:f.valEnd], true
			}
			c, ok := m.cachedSlot(uint16(numSlots) + uint16(j))
			if !ok {
				c.b = m.appendHeader(c.b, f)
			}
			return c.b, true
		}
		i--
	}
	return nil, false
}
