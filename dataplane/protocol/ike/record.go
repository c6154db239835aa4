package ike

import (
	"encoding/hex"
	"slices"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// ChosenAttribute begins the names of the numbers that the keyword
// ike.chosen_sa_attribute asks for: the attribute's own name follows.
const ChosenAttribute = "ike.chosen_sa_attribute "

// ChosenAttributes are the attributes that rules may ask for.
var ChosenAttributes = []string{"alg_enc", "alg_hash", "alg_auth", "alg_dh", "alg_prf", "sa_group_type", "sa_life_type", "sa_life_duration",
	"sa_key_length", "sa_field_size"}

// Field gives instance i of a number for the keyword name: ike.exchtype,
// ike.key_exchange_payload_length, ike.nonce_payload_length, and after
// ChosenAttribute an attribute of what the responder chose.
func (m *Message) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if dir != m.Dir || i > 0 {
		return 0, false
	}
	switch name {
	case "ike.exchtype":
		return uint64(m.exchange()), true
	case "ike.key_exchange_payload_length":
		return uint64(len(m.key)), m.key != nil
	case "ike.nonce_payload_length":
		return uint64(len(m.nonce)), m.nonce != nil
	}
	key, ok := strings.CutPrefix(name, ChosenAttribute)
	if !ok || dir != protocol.ToClient || len(m.proposals) == 0 {
		return 0, false
	}
	for _, a := range m.proposals[0] {
		if a.key == key && a.sized {
			return a.raw, true
		}
	}
	return 0, false
}

// payloadNames are the payloads' names in records, by number.
var payloadNames = [...]string{0: "NoNextPayload", "SecurityAssociation", "Proposal", "Transform", "KeyExchange", "Identification", "Certificate",
	"CertificateRequest", "Hash", "Signature", "Nonce", "Notification", "Delete", "VendorID", 15: "SaKekPayload", "SaTekPayload", "KeyDownload",
	"SequenceNumber", "ProofOfPossession", "NatDiscovery", "NatOriginalAddress", "GroupAssociatedPolicy",
	33: "SecurityAssociation", "KeyExchange", "IdentInitiator", "IdentResponder", "Certificate", "CertificateRequest", "Authentication", "Nonce", "Notify",
	"Delete", "VendorID", "TrafficSelectorInitiator", "TrafficSelectorResponder", "EncryptedAndAuthenticated", "Configuration",
	"ExtensibleAuthentication", 53: "EncryptedAndAuthenticatedFragment"}

// exchanges are the exchanges' names by number.
var exchanges = [...]string{0: "None", "Base", "Identity Protection", "Authentication Only", "Aggressive", "Informational", "Transaction (Config Mode)",
	32: "Quick Mode", "New Group Mode", "SA Init", "Auth", "Create Child SA", "Informational", "Session Resume"}

// notifications are the names of version 2's notifications (RFC 7296 §3.10.1, and
// RFC 4555, 4739, 5685, 7383, 7427).
var notifications = map[uint16]string{1: "UNSUPPORTED_CRITICAL_PAYLOAD", 4: "INVALID_IKE_SPI", 5: "INVALID_MAJOR_VERSION", 7: "INVALID_SYNTAX",
	9: "INVALID_MESSAGE_ID", 11: "INVALID_SPI", 14: "NO_PROPOSAL_CHOSEN", 17: "INVALID_KE_PAYLOAD", 24: "AUTHENTICATION_FAILED",
	34: "SINGLE_PAIR_REQUIRED", 35: "NO_ADDITIONAL_SAS", 36: "INTERNAL_ADDRESS_FAILURE", 37: "FAILED_CP_REQUIRED", 38: "TS_UNACCEPTABLE",
	39: "INVALID_SELECTORS", 43: "TEMPORARY_FAILURE", 44: "CHILD_SA_NOT_FOUND", 16384: "INITIAL_CONTACT", 16385: "SET_WINDOW_SIZE",
	16386: "ADDITIONAL_TS_POSSIBLE", 16387: "IPCOMP_SUPPORTED", 16388: "NAT_DETECTION_SOURCE_IP", 16389: "NAT_DETECTION_DESTINATION_IP",
	16390: "COOKIE", 16391: "USE_TRANSPORT_MODE", 16392: "HTTP_CERT_LOOKUP_SUPPORTED", 16393: "REKEY_SA",
	16394: "ESP_TFC_PADDING_NOT_SUPPORTED", 16395: "NON_FIRST_FRAGMENTS_ALSO", 16396: "MOBIKE_SUPPORTED", 16404: "MULTIPLE_AUTH_SUPPORTED",
	16406: "REDIRECT_SUPPORTED", 16430: "IKEV2_FRAGMENTATION_SUPPORTED", 16431: "SIGNATURE_HASH_ALGORITHMS"}

func nameOf(names []string, n uint8) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return unknown
}

// eve is a record or a part of one; attributes have names of their own.
type eve map[string]any

// attributes adds what a security association says of itself. The first of two of
// a name counts.
func (e eve) attributes(list []attribute) {
	for _, a := range list {
		if _, ok := e[a.key]; ok {
			continue
		}
		e[a.key] = a.value
		if a.sized {
			e[a.key+"_raw"] = a.raw
		}
	}
}

var logIKE = []string{"ike"}

// Log implements protocol.Parser.
func (p *Parser) Log(*protocol.Tx) []string { return logIKE }

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Message)
	if !ok {
		return
	}
	e := eve{"version_major": m.version(), "version_minor": m.minor(), "exchange_type": m.exchange(), "message_id": m.id(),
		"init_spi": string(m.spi[:16]), "resp_spi": string(m.spi[16:])}
	if !p.brief {
		e["exchange_type_verbose"] = nameOf(exchanges[:], m.exchange())
	}
	if len(m.payloads) > 0 {
		var list []string
		for _, t := range m.payloads {
			if n := nameOf(payloadNames[:], t); !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
		e["payload"] = list
	}
	if m.version() == 1 {
		e["ikev1"] = p.old(m, e)
	} else {
		e["ikev2"] = p.new(m, e)
	}
	ev.SetExtra("ike", e)
}

// old gives the part of version 1: what both ends have said so far.
func (p *Parser) old(m *Message, e eve) eve {
	e.attributes(p.chosen)
	part := eve{"encrypted_payloads": m.encrypted()}
	if p.named {
		part["doi"] = p.doi
	}
	for d, name := range [2]string{"client", "server"} {
		s := &p.seen[d]
		side := eve{}
		if s.key != nil {
			side["key_exchange_payload"], side["key_exchange_payload_length"] = hex.EncodeToString(s.key), len(s.key)
		}
		if s.nonce != nil {
			side["nonce_payload"], side["nonce_payload_length"] = hex.EncodeToString(s.nonce), len(s.nonce)
		}
		var list []eve
		for _, a := range s.proposals {
			one := eve{}
			one.attributes(a)
			list = append(list, one)
		}
		switch {
		case d == 0 && list != nil:
			side["proposals"] = list
		case d == 1 && len(list) > 1:
			// More than one is an anomaly of its own.
			part["server_proposals"] = list
		}
		if len(side) > 0 {
			part[name] = side
		}
	}
	if len(p.vendors) > 0 {
		var list []string
		for _, v := range p.vendors {
			list = append(list, hex.EncodeToString(v))
		}
		part["vendor_ids"] = list
	}
	return part
}

// new gives the part of version 2.
func (p *Parser) new(m *Message, e eve) eve {
	if e["role"] = "responder"; m.flags()&flagInitiator != 0 {
		e["role"] = "initiator"
	} else {
		for _, a := range p.chosen {
			if _, ok := e[a.key]; !ok && a.typ != 0 && a.key != "unknown" {
				e[a.key] = a.value
			}
		}
	}
	list := []string{}
	for _, n := range m.notify {
		name := notifications[n]
		if name == "" {
			name = unknown
		}
		list = append(list, name)
	}
	return eve{"errors": m.errors, "notify": list}
}
