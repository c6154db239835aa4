package enip

import (
	"encoding/hex"
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/events"
)

type eveENIP struct {
	Request  *eveMessage `json:"request,omitempty"`
	Response *eveMessage `json:"response,omitempty"`
}

type eveMessage struct {
	Command  string       `json:"command"`
	Status   string       `json:"status"`
	Register *eveRegister `json:"register_session,omitempty"`
	Services *eveServices `json:"list_services,omitempty"`
	Identity *eveIdentity `json:"identity,omitempty"`
	CIP      *eveCIP      `json:"cip,omitempty"`
}

type eveRegister struct {
	Version uint16 `json:"protocol_version"`
	Options uint16 `json:"options"`
}

type eveServices struct {
	Version      uint16 `json:"protocol_version"`
	Capabilities uint16 `json:"capabilities"`
	Name         string `json:"service_name"`
}

type eveIdentity struct {
	Version     uint16 `json:"protocol_version"`
	Revision    string `json:"revision"`
	Vendor      string `json:"vendor_id"`
	DeviceType  string `json:"device_type"`
	ProductCode uint16 `json:"product_code"`
	Status      uint16 `json:"status"`
	Serial      uint32 `json:"serial"`
	ProductName string `json:"product_name"`
	State       byte   `json:"state"`
}

type eveCIP struct {
	Service         string       `json:"service"`
	Path            []eveSegment `json:"path,omitempty"`
	ClassName       string       `json:"class_name,omitempty"`
	Status          string       `json:"status,omitempty"`
	Extended        string       `json:"status_extended,omitempty"`
	ExtendedMeaning string       `json:"status_extended_meaning,omitempty"`
	Multiple        []eveCIP     `json:"multiple,omitempty"`
}

type eveSegment struct {
	Type  string  `json:"segment_type"`
	Value *uint32 `json:"value,omitempty"`
	Name  string  `json:"name,omitempty"`
}

// Mask lets mask replace values in the names that a sender chose.
func (e eveENIP) Mask(mask func([]byte) []byte) {
	for _, m := range []*eveMessage{e.Request, e.Response} {
		if m != nil && m.CIP != nil {
			m.CIP.mask(mask)
		}
	}
}

func (c *eveCIP) mask(mask func([]byte) []byte) {
	for i := range c.Path {
		if s := &c.Path[i]; s.Name != "" {
			s.Name = string(mask([]byte(s.Name)))
		}
	}
	for i := range c.Multiple {
		c.Multiple[i].mask(mask)
	}
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	t, ok := tx.State.(*Transaction)
	if !ok {
		return
	}
	ev.SetExtra("enip", eveENIP{Request: t.Messages[protocol.ToServer].record(), Response: t.Messages[protocol.ToClient].record()})
}

func (m *Message) record() *eveMessage {
	if m == nil {
		return nil
	}
	out := &eveMessage{Command: name(commandOf, uint64(m.Command), uint64(m.Command)), Status: name(statusOf, uint64(m.Status), uint64(m.Status))}
	if r := m.Register; r != nil {
		out.Register = &eveRegister{r.Version, r.Options}
	}
	if s := m.Services; s != nil {
		out.Services = &eveServices{s.Version, s.Capabilities, protocol.Text(s.Name)}
	}
	if d := m.Identity; d != nil {
		out.Identity = &eveIdentity{Version: d.Version, Revision: fmt.Sprintf("%d.%d", d.Revision>>8, d.Revision&0xff), Vendor: name(vendorNames, d.Vendor, uint64(d.Vendor)),
			DeviceType: name(deviceTypes, d.DeviceType, uint64(d.DeviceType)), ProductCode: d.ProductCode, Status: d.Status, Serial: d.Serial,
			ProductName: protocol.Text(d.ProductName), State: d.State}
	}
	if len(m.CIP) > 0 {
		c := m.CIP[0].record()
		out.CIP = &c
	}
	return out
}

func (c *CIP) record() eveCIP {
	out := eveCIP{Service: serviceName(c.Service)}
	if c.Response {
		out.Status = name(cipStatusNames, c.Status, uint64(c.Status))
		if len(c.Extended) >= 2 {
			out.Extended = hex.EncodeToString(c.Extended)
			out.ExtendedMeaning = extendedNames[uint16(c.Extended[0])|uint16(c.Extended[1])<<8]
		}
	}
	for i := range c.Path {
		s := &c.Path[i]
		e := eveSegment{Type: segmentNames[s.Type]}
		if s.Type == SegSymbol {
			e.Name = protocol.Text(s.Name)
		} else {
			e.Value = &s.Value
		}
		out.Path = append(out.Path, e)
	}
	if class := c.first(SegClass); class >= 0 {
		out.ClassName = classNames[class]
	}
	for i := range c.Multiple {
		out.Multiple = append(out.Multiple, c.Multiple[i].record())
	}
	return out
}

var logENIP = []string{"enip"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if tx.State == nil {
		return nil
	}
	return logENIP
}
