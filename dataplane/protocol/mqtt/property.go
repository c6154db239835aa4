package mqtt

import "sluice/dataplane/protocol"

// Property is one of version 5: a number, or text or bytes; a user's own
// property has a name of its own.
type Property struct {
	Name  string
	Value any
}

// kind is the form of a property's value.
type kind uint8

const (
	kByte kind = iota + 1
	kTwo
	kFour
	kVar
	kText
	kPair
)

// properties are the properties by identifier (MQTT 5.0 §2.2.2.2).
var properties = [...]struct {
	name string
	kind kind
}{
	1: {"payload_format_indicator", kByte}, 2: {"message_expiry_interval", kFour}, 3: {"content_type", kText}, 8: {"response_topic", kText},
	9: {"correlation_data", kText}, 11: {"subscription_identifier", kVar}, 17: {"session_expiry_interval", kFour}, 18: {"assigned_client_identifier", kText},
	19: {"server_keep_alive", kTwo}, 21: {"authentication_method", kText}, 22: {"authentication_data", kText}, 23: {"request_problem_information", kByte},
	24: {"will_delay_interval", kFour}, 25: {"request_response_information", kByte}, 26: {"response_information", kText}, 28: {"server_reference", kText},
	31: {"reason_string", kText}, 33: {"receive_maximum", kTwo}, 34: {"topic_alias_maximum", kTwo}, 35: {"topic_alias", kTwo}, 36: {"maximum_qos", kByte},
	37: {"retain_available", kByte}, 38: {"user_property", kPair}, 39: {"maximum_packet_size", kFour}, 40: {"wildcard_subscription_available", kByte},
	41: {"subscription_identifier_available", kByte}, 42: {"shared_subscription_available", kByte},
}

func (r *reader) property() (p Property, ok bool) {
	id := r.varint()
	if id >= uint32(len(properties)) || properties[id].kind == 0 {
		return p, false
	}
	p.Name = properties[id].name
	switch properties[id].kind {
	case kByte:
		p.Value = uint32(r.u8())
	case kTwo:
		p.Value = uint32(r.u16())
	case kFour:
		p.Value = r.u32()
	case kVar:
		p.Value = r.varint()
	case kText:
		p.Value = protocol.Text(r.str())
	case kPair:
		p.Name, p.Value = protocol.Text(r.str()), protocol.Text(r.str())
	}
	return p, !r.bad
}

// contentType gives the media type that a publication declares.
func (c *Packet) contentType() string {
	for _, p := range c.Properties {
		if p.Name == "content_type" {
			s, _ := p.Value.(string)
			return s
		}
	}
	return ""
}
