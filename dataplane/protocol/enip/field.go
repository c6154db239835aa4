package enip

import "sluice/dataplane/protocol"

// The places of a service, a class and an attribute within a number; each is all
// ones where there is none.
const (
	classShift, attributeShift = 8, 32
	partMask                   = 1<<24 - 1
)

// PackService gives the number that stands for a service with its class and
// attribute in the keyword cip_service.
func PackService(service byte, class, attribute uint32) uint64 {
	return uint64(service) | uint64(min(class, partMask))<<classShift | uint64(min(attribute, partMask))<<attributeShift
}

// ServiceMask gives the bits of the first parts of such a number.
func ServiceMask(parts int) uint64 {
	mask := uint64(0xff)
	if parts > 1 {
		mask |= partMask << classShift
	}
	if parts > 2 {
		mask |= partMask << attributeShift
	}
	return mask
}

// Field gives instance i of the number for a keyword in a direction.
func (t *Transaction) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	m := t.Messages[dir]
	if m == nil {
		return 0, false
	}
	switch name {
	case "enip_command", "enip.command":
		return uint64(m.Command), i == 0
	case "enip.status":
		return uint64(m.Status), i == 0
	case "enip.protocol_version":
		switch {
		case i > 0:
		case m.Register != nil:
			return uint64(m.Register.Version), true
		case m.Identity != nil:
			return uint64(m.Identity.Version), true
		case m.Services != nil:
			return uint64(m.Services.Version), true
		}
		return 0, false
	case "enip.capabilities":
		if m.Services == nil || i > 0 {
			return 0, false
		}
		return uint64(m.Services.Capabilities), true
	}
	if v, ok := m.Identity.field(name); ok {
		return v, i == 0
	}
	return m.cipField(name, i)
}

func (d *Identity) field(name string) (uint64, bool) {
	if d == nil {
		return 0, false
	}
	switch name {
	case "enip.revision":
		return uint64(d.Revision), true
	case "enip.identity_status":
		return uint64(d.Status), true
	case "enip.state":
		return uint64(d.State), true
	case "enip.serial":
		return uint64(d.Serial), true
	case "enip.product_code":
		return uint64(d.ProductCode), true
	case "enip.device_type":
		return uint64(d.DeviceType), true
	case "enip.vendor_id":
		return uint64(d.Vendor), true
	}
	return 0, false
}

// cipField gives instance i of a number over all messages of CIP.
func (m *Message) cipField(name string, i int) (v uint64, ok bool) {
	take := func(x uint64) {
		if i == 0 && !ok {
			v, ok = x, true
		}
		i--
	}
	segments := func(c *CIP, t SegmentType) {
		for k := range c.Path {
			if c.Path[k].Type == t {
				take(uint64(c.Path[k].Value))
			}
		}
	}
	m.each(func(c *CIP) {
		switch name {
		case "cip_service", "enip.cip_service":
			c.attributes(func(a uint32) {
				class := uint32(partMask)
				if x := c.first(SegClass); x >= 0 {
					class = uint32(x)
				}
				take(PackService(c.Service, class, a))
			})
		case "enip.cip_class":
			segments(c, SegClass)
		case "enip.cip_instance":
			segments(c, SegInstance)
		case "enip.cip_attribute":
			c.attributes(func(a uint32) {
				if a != partMask {
					take(uint64(a))
				}
			})
		case "enip.cip_status":
			if c.Response {
				take(uint64(c.Status))
			}
		case "enip.cip_extendedstatus":
			if c.Response && len(c.Extended) >= 2 {
				take(uint64(c.Extended[0]) | uint64(c.Extended[1])<<8)
			}
		}
	})
	return v, ok
}

// attributes calls f for the attributes that a message is about, or once with
// partMask where there are none.
func (c *CIP) attributes(f func(uint32)) {
	none := true
	for i := range c.Path {
		if c.Path[i].Type == SegAttribute {
			f(c.Path[i].Value)
			none = false
		}
	}
	for _, a := range c.Listed {
		f(uint32(a))
		none = false
	}
	if none {
		f(partMask)
	}
}
