package krb5

import (
	"bytes"
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// Field gives a number for the keyword name: krb5_msg_type, krb5_err_code of errors,
// and krb5.ticket_encryption of answers, 32 bits without a sign.
func (m *Message) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	if dir != m.Dir || i > 0 {
		return 0, false
	}
	switch name {
	case "krb5_msg_type":
		return uint64(m.Type), m.Type != 0
	case "krb5_err_code":
		return uint64(uint32(m.Code)), m.HasCode
	case "krb5.ticket_encryption":
		return uint64(uint32(m.Ticket)), m.HasTicket
	}
	return 0, false
}

// eveKRB5 is EVE's krb5 object.
type eveKRB5 struct {
	MsgType          string `json:"msg_type"`
	FailedRequest    string `json:"failed_request,omitempty"`
	ErrorCode        string `json:"error_code,omitempty"`
	Client           string `json:"cname"`
	Realm            string `json:"realm"`
	Server           string `json:"sname"`
	Encryption       string `json:"encryption"`
	WeakEncryption   bool   `json:"weak_encryption"`
	TicketEncryption string `json:"ticket_encryption,omitempty"`
	TicketWeak       *bool  `json:"ticket_weak_encryption,omitempty"`
}

// Mask lets mask replace values in names.
func (e *eveKRB5) Mask(mask func([]byte) []byte) {
	for _, s := range []*string{&e.Client, &e.Realm, &e.Server} {
		*s = string(mask([]byte(*s)))
	}
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Message)
	if !ok || m.Type == 0 {
		return
	}
	r := &eveKRB5{MsgType: typeNames[m.Type], Client: name(m.Client), Realm: "<empty>", Server: name(m.Server), Encryption: "<none>"}
	if m.HasRealm {
		r.Realm = shown(m.Realm)
	}
	if m.HasEncryption {
		r.Encryption, r.WeakEncryption = encryptionName(m.Encryption), weak(m.Encryption)
	}
	if m.HasTicket && m.Type != APReq {
		is := weak(m.Ticket)
		r.TicketEncryption, r.TicketWeak = encryptionName(m.Ticket), &is
	}
	if m.HasCode {
		r.ErrorCode, r.FailedRequest = errorName(m.Code), "UNKNOWN"
		if m.Failed != 0 {
			r.FailedRequest = typeNames[m.Failed]
		}
	}
	ev.SetExtra("krb5", r)
}

var logKRB5 = []string{"krb5"}

// Log implements protocol.Parser.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if m, ok := tx.State.(*Message); ok && m.Type != 0 {
		return logKRB5
	}
	return nil
}

// name gives a principal in one piece.
func name(parts [][]byte) string {
	if len(parts) == 0 {
		return "<empty>"
	}
	return shown(bytes.Join(parts, []byte("/")))
}

func shown(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("\uFFFD"))) }

var typeNames = map[Type]string{ASReq: "KRB_AS_REQ", ASRep: "KRB_AS_REP", TGSReq: "KRB_TGS_REQ", TGSRep: "KRB_TGS_REP", APReq: "KRB_AP_REQ",
	APRep: "KRB_AP_REP", KrbSafe: "KRB_SAFE", KrbPriv: "KRB_PRIV", KrbCred: "KRB_CRED", KrbError: "KRB_ERROR"}

// Strong reports whether a type of encryption is neither weak nor given up: AES and
// Camellia (RFC 3962, RFC 8009, RFC 6803). The rest is DES, RC4 or unknown.
func Strong(etype int32) bool {
	switch etype {
	case 17, 18, 19, 20, 25, 26:
		return true
	}
	return false
}

func weak(etype int32) bool { return !Strong(etype) }

// encryptionNames are those of the registry of IANA.
var encryptionNames = map[int32]string{1: "des-cbc-crc", 2: "des-cbc-md4", 3: "des-cbc-md5", 5: "des3-cbc-md5", 7: "des3-cbc-sha1",
	9: "dsaWithSHA1-CmsOID", 10: "md5WithRSAEncryption-CmsOID", 11: "sha1WithRSAEncryption-CmsOID", 12: "rc2CBC-EnvOID",
	13: "rsaEncryption-EnvOID", 14: "rsaES-OAEP-ENV-OID", 15: "des-ede3-cbc-Env-OID", 16: "des3-cbc-sha1-kd",
	17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96", 19: "aes128-cts-hmac-sha256-128", 20: "aes256-cts-hmac-sha384-192",
	23: "rc4-hmac", 24: "rc4-hmac-exp", 25: "camellia128-cts-cmac", 26: "camellia256-cts-cmac", 65: "subkey-keymaterial"}

func encryptionName(etype int32) string {
	if n, ok := encryptionNames[etype]; ok {
		return n
	}
	return fmt.Sprintf("EncryptionType(%d)", etype)
}

// errorNames are those of RFC 4120 §7.5.9, RFC 4556 §3.1.3 and, for what tells of a
// certificate's revocation, the latter's errors from 70 on.
var errorNames = map[int32]string{0: "KDC_ERR_NONE", 1: "KDC_ERR_NAME_EXP", 2: "KDC_ERR_SERVICE_EXP", 3: "KDC_ERR_BAD_PVNO",
	4: "KDC_ERR_C_OLD_MAST_KVNO", 5: "KDC_ERR_S_OLD_MAST_KVNO", 6: "KDC_ERR_C_PRINCIPAL_UNKNOWN", 7: "KDC_ERR_S_PRINCIPAL_UNKNOWN",
	8: "KDC_ERR_PRINCIPAL_NOT_UNIQUE", 9: "KDC_ERR_NULL_KEY", 10: "KDC_ERR_CANNOT_POSTDATE", 11: "KDC_ERR_NEVER_VALID", 12: "KDC_ERR_POLICY",
	13: "KDC_ERR_BADOPTION", 14: "KDC_ERR_ETYPE_NOSUPP", 15: "KDC_ERR_SUMTYPE_NOSUPP", 16: "KDC_ERR_PADATA_TYPE_NOSUPP",
	17: "KDC_ERR_TRTYPE_NOSUPP", 18: "KDC_ERR_CLIENT_REVOKED", 19: "KDC_ERR_SERVICE_REVOKED", 20: "KDC_ERR_TGT_REVOKED",
	21: "KDC_ERR_CLIENT_NOTYET", 22: "KDC_ERR_SERVICE_NOTYET", 23: "KDC_ERR_KEY_EXPIRED", 24: "KDC_ERR_PREAUTH_FAILED",
	25: "KDC_ERR_PREAUTH_REQUIRED", 26: "KDC_ERR_SERVER_NOMATCH", 27: "KDC_ERR_MUST_USE_USER2USER", 28: "KDC_ERR_PATH_NOT_ACCEPTED",
	29: "KDC_ERR_SVC_UNAVAILABLE", 31: "KRB_AP_ERR_BAD_INTEGRITY", 32: "KRB_AP_ERR_TKT_EXPIRED", 33: "KRB_AP_ERR_TKT_NYV",
	34: "KRB_AP_ERR_REPEAT", 35: "KRB_AP_ERR_NOT_US", 36: "KRB_AP_ERR_BADMATCH", 37: "KRB_AP_ERR_SKEW", 38: "KRB_AP_ERR_BADADDR",
	39: "KRB_AP_ERR_BADVERSION", 40: "KRB_AP_ERR_MSG_TYPE", 41: "KRB_AP_ERR_MODIFIED", 42: "KRB_AP_ERR_BADORDER", 44: "KRB_AP_ERR_BADKEYVER",
	45: "KRB_AP_ERR_NOKEY", 46: "KRB_AP_ERR_MUT_FAIL", 47: "KRB_AP_ERR_BADDIRECTION", 48: "KRB_AP_ERR_METHOD", 49: "KRB_AP_ERR_BADSEQ",
	50: "KRB_AP_ERR_INAPP_CKSUM", 51: "KRB_AP_PATH_NOT_ACCEPTED", 52: "KRB_ERR_RESPONSE_TOO_BIG", 60: "KRB_ERR_GENERIC",
	61: "KRB_ERR_FIELD_TOOLONG", 62: "KDC_ERROR_CLIENT_NOT_TRUSTED", 63: "KDC_ERROR_KDC_NOT_TRUSTED", 64: "KDC_ERROR_INVALID_SIG",
	65: "KDC_ERR_KEY_TOO_WEAK", 66: "KDC_ERR_CERTIFICATE_MISMATCH", 67: "KRB_AP_ERR_NO_TGT", 68: "KDC_ERR_WRONG_REALM",
	69: "KRB_AP_ERR_USER_TO_USER_REQUIRED", 70: "KDC_ERR_CANT_VERIFY_CERTIFICATE", 71: "KDC_ERR_INVALID_CERTIFICATE",
	72: "KDC_ERR_REVOKED_CERTIFICATE", 73: "KDC_ERR_REVOCATION_STATUS_UNKNOWN", 74: "KDC_ERR_REVOCATION_STATUS_UNAVAILABLE",
	75: "KDC_ERR_CLIENT_NAME_MISMATCH", 76: "KDC_ERR_KDC_NAME_MISMATCH"}

func errorName(code int32) string {
	if n, ok := errorNames[code]; ok {
		return n
	}
	return fmt.Sprintf("ErrorCode(%d)", code)
}
