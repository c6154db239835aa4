package mqtt

import (
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// defaultLogged bounds the text of an event.
const defaultLogged = 4096

// Field gives instance i of a number for the keyword name, over the messages of
// a direction: mqtt.type, mqtt.flags (bit 0 retain, bit 3 dup), mqtt.qos,
// mqtt.protocol_version, mqtt.reason_code, mqtt.connack.session_present and
// mqtt.connect.flags (the byte as sent).
func (t *Transaction) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	for _, c := range t.Packets {
		if c.Dir != dir || c.Type == 0 {
			continue
		}
		n := 1
		var v uint64
		switch name {
		case "mqtt.type":
			v = uint64(c.Type)
		case "mqtt.flags":
			v = flag(c.Retain)*flagRetain | flag(c.Dup)*flagDup
		case "mqtt.qos":
			v = uint64(c.QoS)
		case "mqtt.protocol_version":
			v, n = uint64(c.Version), int(flag(c.Type == Connect))
		case "mqtt.connect.flags":
			v, n = uint64(c.Flags), int(flag(c.Type == Connect))
		case "mqtt.connack.session_present":
			v, n = flag(c.SessionPresent), int(flag(c.Type == ConnAck))
		case "mqtt.reason_code":
			if n = len(c.Codes); i < n {
				v = uint64(c.Codes[i])
			}
		default:
			return 0, false
		}
		if i < n {
			return v, true
		}
		i -= n
	}
	return 0, false
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// eveMQTT is EVE's mqtt object: the messages of a transaction by type.
type eveMQTT map[string]*eveMessage

type eveMessage struct {
	QoS             uint8          `json:"qos"`
	Retain          bool           `json:"retain"`
	Dup             bool           `json:"dup"`
	ProtocolString  string         `json:"protocol_string,omitempty"`
	ProtocolVersion uint8          `json:"protocol_version,omitempty"`
	Flags           *eveFlags      `json:"flags,omitempty"`
	ClientID        *string        `json:"client_id,omitempty"`
	Username        *string        `json:"username,omitempty"`
	Password        *string        `json:"password,omitempty"`
	Will            *eveWill       `json:"will,omitempty"`
	SessionPresent  *bool          `json:"session_present,omitempty"`
	ReturnCode      *uint8         `json:"return_code,omitempty"`
	Topic           *string        `json:"topic,omitempty"`
	MessageID       *uint16        `json:"message_id,omitempty"`
	Message         *string        `json:"message,omitempty"`
	Topics          any            `json:"topics,omitempty"`
	ReasonCode      *uint8         `json:"reason_code,omitempty"`
	Granted         []int          `json:"qos_granted,omitempty"`
	ReasonCodes     []int          `json:"reason_codes,omitempty"`
	Truncated       bool           `json:"truncated,omitempty"`
	Skipped         uint32         `json:"skipped_length,omitempty"`
	Properties      map[string]any `json:"properties,omitempty"`
}

type eveFlags struct {
	Username     bool `json:"username"`
	Password     bool `json:"password"`
	Will         bool `json:"will"`
	WillRetain   bool `json:"will_retain"`
	CleanSession bool `json:"clean_session"`
}

type eveWill struct {
	Topic      string         `json:"topic,omitempty"`
	Message    string         `json:"message,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
}

type eveTopic struct {
	Topic string `json:"topic"`
	QoS   uint8  `json:"qos"`
}

// hidden stands for a password.
const hidden = "***"

// secretProperty is the property that holds what a client or server proves itself
// with (MQTT 5.0 §4.12), a password mostly.
const secretProperty = "authentication_data"

// Mask lets mask replace values in all text that is a sender's own, and hides
// what proves who somebody is.
func (e eveMQTT) Mask(mask func([]byte) []byte) {
	masked := func(s string) string { return string(mask([]byte(s))) }
	values := func(m map[string]any) map[string]any {
		if m == nil {
			return nil
		}
		out := make(map[string]any, len(m))
		for k, v := range m {
			if s, ok := v.(string); ok {
				v = masked(s)
			}
			if k == secretProperty {
				v = hidden
			}
			out[masked(k)] = v // a user's own property has a name of the user's own
		}
		return out
	}
	for _, m := range e {
		m.Properties = values(m.Properties)
		for _, s := range []*string{m.Topic, m.Message, m.ClientID, m.Username} {
			if s != nil {
				*s = masked(*s)
			}
		}
		switch list := m.Topics.(type) {
		case []eveTopic:
			for i := range list {
				list[i].Topic = masked(list[i].Topic)
			}
		case []string:
			for i := range list {
				list[i] = masked(list[i])
			}
		}
		if m.Will != nil {
			m.Will.Properties = values(m.Will.Properties)
			m.Will.Topic, m.Will.Message = masked(m.Will.Topic), masked(m.Will.Message)
		}
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
	out := eveMQTT{}
	for _, c := range t.Packets {
		if c.Type != 0 {
			out[typeNames[c.Type]] = p.message(c)
		}
	}
	if len(out) == 0 {
		return
	}
	ev.SetExtra("mqtt", out)
}

func (p *Parser) message(c *Packet) *eveMessage {
	m := &eveMessage{QoS: c.QoS, Retain: c.Retain, Dup: c.Dup, Properties: record(c.Properties)}
	if c.Truncated {
		m.Truncated, m.Skipped = true, c.Length
	}
	if c.HasID {
		m.MessageID = &c.ID
	}
	switch c.Type {
	case Connect:
		m.ProtocolString, m.ProtocolVersion, m.ClientID = protocol.Text(c.Protocol), c.Version, ptr(p.logged(c.ClientID))
		m.Flags = &eveFlags{Username: c.HasUser, Password: c.HasPassphrase, Will: c.HasWill, WillRetain: c.Flags&FlagWillRetain != 0,
			CleanSession: c.Flags&FlagCleanSession != 0}
		if c.HasUser {
			m.Username = ptr(p.logged(c.Username))
		}
		if c.HasPassphrase {
			if m.Password = ptr(hidden); p.passwords {
				m.Password = ptr(p.logged(c.Password))
			}
		}
		if c.HasWill {
			m.Will = &eveWill{Topic: p.logged(c.WillTopic), Message: p.logged(c.WillMessage), Properties: record(c.Will)}
		}
	case ConnAck:
		m.SessionPresent = &c.SessionPresent
		if len(c.Codes) > 0 {
			m.ReturnCode = &c.Codes[0]
		}
	case Publish:
		if m.Topic = ptr(p.logged(c.Topic)); !c.Truncated {
			m.Message = ptr(p.logged(c.Message))
		}
	case Subscribe:
		var list []eveTopic
		for _, t := range c.Topics {
			list = append(list, eveTopic{p.logged(t.Filter), t.QoS})
		}
		m.Topics = list
	case Unsubscribe:
		var list []string
		for _, t := range c.Topics {
			list = append(list, p.logged(t.Filter))
		}
		m.Topics = list
	case SubAck:
		m.Granted = codes(c)
	case UnsubAck:
		m.ReasonCodes = codes(c)
	default:
		if len(c.Codes) > 0 {
			m.ReasonCode = &c.Codes[0]
		}
	}
	return m
}

// codes gives reason codes as numbers: bytes would become base64.
func codes(c *Packet) []int {
	out := make([]int, len(c.Codes))
	for i, v := range c.Codes {
		out[i] = int(v)
	}
	return out
}

func ptr(s string) *string { return &s }

func record(list []Property) map[string]any {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string]any, len(list))
	for _, p := range list {
		out[p.Name] = p.Value
	}
	return out
}

// logged gives text for an event, up to the configured length.
func (p *Parser) logged(b []byte) string {
	if n := p.logLimit; len(b) > n {
		return protocol.Text(b[:n]) + fmt.Sprintf("[truncated %d additional bytes]", len(b)-n)
	}
	return protocol.Text(b)
}

var logMQTT = []string{"mqtt"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if t, ok := tx.State.(*Transaction); ok && t.Packets[0].Type != 0 {
		return logMQTT
	}
	return nil
}
