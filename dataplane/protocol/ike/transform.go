package ike

import "sluice/dataplane/protocol"

// attribute is one property of a security association: what records and rules call
// it, its value by name, and its number.
type attribute struct {
	key, value string
	raw        uint64
	// sized tells that there is a number: values may be too long for one.
	sized bool
	// typ is a transform's type in version 2, 0 for an attribute of one.
	typ uint8
}

// unknown is the value of what has no name, as numbers themselves.
const unknown = "Unknown"

// oldKeys are the attributes of version 1 by type (RFC 2409, appendix A).
var oldKeys = [...]string{1: "alg_enc", "alg_hash", "alg_auth", "alg_dh", "sa_group_type", "sa_group_prime", "sa_group_generator_one",
	"sa_group_generator_two", "sa_group_curve_a", "sa_group_curve_b", "sa_life_type", "sa_life_duration", "alg_prf", "sa_key_length",
	"sa_field_size", "sa_group_order"}

// oldValues are the values' names by attribute (IANA, "Internet Key Exchange (IKE)
// Attributes").
var oldValues = map[string][]string{
	"alg_enc":  {1: "EncDesCbc", "EncIdeaCbc", "EncBlowfishCbc", "EncRc5R16B64Cbc", "EncTripleDesCbc", "EncCastCbc", "EncAesCbc", "EncCamelliaCbc"},
	"alg_hash": {1: "HashMd5", "HashSha", "HashTiger", "HashSha2_256", "HashSha2_384", "HashSha2_512"},
	"alg_auth": {1: "AuthPreSharedKey", "AuthDssSignatures", "AuthRsaSignatures", "AuthEncryptionWithRsa", "AuthRevisedEncryptionWithRsa",
		"AuthReserved", "AuthReserved", "AuthReserved", "AuthEcdsaSha256", "AuthEcdsaSha384", "AuthEcdsaSha512"},
	"alg_dh": {1: "GroupDefault768BitModp", "GroupAlternate1024BitModpGroup", "GroupEc2nOnGp2p155", "GroupEc2nOnGp2p185", "GroupModp1536Bit",
		"GroupEc2nOverGf2p163", "GroupEc2nOverGf2p163", "GroupEc2nOverGf2p283", "GroupEc2nOverGf2p283", "GroupEc2nOverGf2p409", "GroupEc2nOverGf2p409",
		"GroupEc2nOverGf2p571", "GroupEc2nOverGf2p571", "GroupModp2048Bit", "GroupModp3072Bit", "GroupModp4096Bit", "GroupModp6144Bit",
		"GroupModp8192Bit", "GroupRandomEcp256", "GroupRandomEcp384", "GroupRandomEcp521", "GroupModp1024With160BitPrime",
		"GroupModp2048With224BitPrime", "GroupModp2048With256BitPrime", "GroupRandomEcp192", "GroupRandomEcp224", "GroupBrainpoolEcp224",
		"GroupBrainpoolEcp256", "GroupBrainpoolEcp384", "GroupBrainpoolEcp512"},
	"sa_life_type": {1: "LifeTypeSeconds", "LifeTypeKilobytes"},
}

func oldAttribute(typ uint16, v uint64, sized bool) attribute {
	a := attribute{key: "unknown", value: unknown, raw: v, sized: sized}
	if int(typ) < len(oldKeys) && oldKeys[typ] != "" {
		a.key = oldKeys[typ]
	}
	if names := oldValues[a.key]; sized && v < uint64(len(names)) && names[v] != "" {
		a.value = names[v]
	}
	return a
}

// The types of transforms of version 2 (RFC 7296 §3.3.2).
const (
	typeEnc  = 1
	typePRF  = 2
	typeAuth = 3
	typeDH   = 4
	typeESN  = 5
)

// newKeys are the properties by type of transform, newValues their values' names
// (IANA, "Internet Key Exchange Version 2 (IKEv2) Parameters").
var (
	newKeys   = [...]string{typeEnc: "alg_enc", typePRF: "alg_prf", typeAuth: "alg_auth", typeDH: "alg_dh", typeESN: "alg_esn"}
	newValues = [...][]string{
		typeEnc: {1: "ENCR_DES_IV64", "ENCR_DES", "ENCR_3DES", "ENCR_RC5", "ENCR_IDEA", "ENCR_CAST", "ENCR_BLOWFISH", "ENCR_3IDEA", "ENCR_DES_IV32",
			11: "ENCR_NULL", "ENCR_AES_CBC", "ENCR_AES_CTR", "ENCR_AES_CCM_8", "ENCR_AES_CCM_12", "ENCR_AES_CCM_16", 18: "ENCR_AES_GCM_8",
			"ENCR_AES_GCM_12", "ENCR_AES_GCM_16", "ENCR_NULL_AUTH_AES_GMAC", 23: "ENCR_CAMELLIA_CBC", "ENCR_CAMELLIA_CTR", "ENCR_CAMELLIA_CCM_8",
			"ENCR_CAMELLIA_CCM_12", "ENCR_CAMELLIA_CCM_16", "ENCR_CHACHA20_POLY1305"},
		typePRF: {0: "PRF_NULL", "PRF_HMAC_MD5", "PRF_HMAC_SHA1", "PRF_HMAC_TIGER", "PRF_AES128_XCBC", "PRF_HMAC_SHA2_256", "PRF_HMAC_SHA2_384",
			"PRF_HMAC_SHA2_512", "PRF_AES128_CMAC"},
		typeAuth: {0: "NONE", "AUTH_HMAC_MD5_96", "AUTH_HMAC_SHA1_96", "AUTH_DES_MAC", "AUTH_KPDK_MD5", "AUTH_AES_XCBC_96", "AUTH_HMAC_MD5_128",
			"AUTH_HMAC_SHA1_160", "AUTH_AES_CMAC_96", "AUTH_AES_128_GMAC", "AUTH_AES_192_GMAC", "AUTH_AES_256_GMAC", "AUTH_HMAC_SHA2_256_128",
			"AUTH_HMAC_SHA2_384_192", "AUTH_HMAC_SHA2_512_256"},
		typeDH: {0: "None", "Modp768", "Modp1024", 5: "Modp1536", 14: "Modp2048", "Modp3072", "Modp4096", "Modp6144", "Modp8192", "Ecp256", "Ecp384",
			"Ecp521", "Modp1024s160", "Modp2048s224", "Modp2048s256", "Ecp192", "Ecp224", "BrainpoolP224r1", "BrainpoolP256r1", "BrainpoolP384r1",
			"BrainpoolP512r1", "Curve25519", "Curve448"},
		typeESN: {0: "NoESN", "ESN"},
	}
)

func newAttribute(typ uint8, id uint16) attribute {
	a := attribute{key: "unknown", value: unknown, raw: uint64(id), sized: true, typ: typ}
	if int(typ) >= len(newKeys) || newKeys[typ] == "" {
		return a
	}
	a.key = newKeys[typ]
	if names := newValues[typ]; int(id) < len(names) && names[id] != "" {
		a.value = names[id]
	}
	return a
}

// keyLength names the one attribute that transforms of version 2 have (RFC 7296
// §3.3.5); others have no key.
func keyLength(typ uint16, v uint64, sized bool) attribute {
	if typ != 14 {
		return attribute{}
	}
	return attribute{key: "sa_key_length", value: unknown, raw: v, sized: sized}
}

// weak are the transforms that do not protect any more. Null encryption counts.
var weak = [...]map[uint64]bool{
	typeEnc:  {1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true, 9: true, 11: true},
	typePRF:  {1: true, 2: true},
	typeAuth: {1: true, 2: true, 3: true, 4: true, 6: true, 7: true},
	typeDH:   {1: true, 2: true, 5: true, 22: true},
	typeESN:  {},
}

// sealing reports whether a cipher authenticates by itself (RFC 5282).
func sealing(id uint64) bool {
	return id >= 14 && id <= 16 || id >= 18 && id <= 21 || id >= 25 && id <= 28
}

// weaknesses notes what a proposal of version 2 leaves open.
func weaknesses(tx *protocol.Tx, list []attribute) {
	var has [len(newKeys)]bool
	aead := false
	for _, a := range list {
		if a.key == "sa_key_length" {
			continue
		}
		if int(a.typ) >= len(newKeys) || newKeys[a.typ] == "" {
			tx.AddEvent(eventUnknown)
			continue
		}
		has[a.typ] = true
		bad := weak[a.typ][a.raw]
		switch {
		case a.typ == typeEnc:
			aead = aead || sealing(a.raw)
			if bad {
				tx.AddEvent(eventWeakEnc)
			}
		case a.typ == typePRF && a.raw == 0:
			tx.AddEvent(eventInvalid)
		case a.typ == typePRF && bad:
			tx.AddEvent(eventWeakPRF)
		case a.typ == typeAuth && a.raw == 0:
			has[typeAuth] = false
		case a.typ == typeAuth && bad:
			tx.AddEvent(eventWeakAuth)
		case a.typ == typeDH && a.raw == 0:
			has[typeDH] = false
		case a.typ == typeDH && bad:
			tx.AddEvent(eventWeakDH)
		}
	}
	if !has[typeEnc] {
		tx.AddEvent(eventNoEncryption)
	}
	if !has[typeAuth] && !aead {
		tx.AddEvent(eventNoAuth)
	}
	if !has[typeDH] {
		tx.AddEvent(eventNoDH)
	}
}
