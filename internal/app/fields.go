package app

import (
	"strings"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dns"
	"sluice/dataplane/protocol/tls"
	"sluice/signatures"
)

// plainFields are the numbers that transactions tell of by their keyword alone.
var plainFields = strings.Fields(`modbus.unit modbus.function modbus.subfunction modbus.category modbus.access modbus.first modbus.last
	modbus.table modbus.item modbus.value dnp3_func dnp3.func dnp3_ind dnp3.ind dnp3_obj dnp3.obj
	enip_command enip.command enip.status enip.protocol_version cip_service enip.cip_service enip.cip_class enip.cip_instance enip.cip_attribute
	enip.cip_status enip.cip_extendedstatus enip.revision enip.identity_status enip.state enip.serial enip.product_code enip.device_type
	enip.vendor_id enip.capabilities`)

// fields gives the rule engine the numbers that protocols keep in their
// transactions, by keyword.
func fields() map[string]signatures.FieldFunc {
	m := map[string]signatures.FieldFunc{
		"dns.opcode": dnsField(func(m *dns.Message) (uint64, bool) { return uint64(m.Opcode()), true }),
		"dns.rcode":  dnsField(func(m *dns.Message) (uint64, bool) { return uint64(m.RCode()), true }),
		"dns.rrtype": func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
			m := dnsOf(tx, dir)
			if m == nil {
				return 0, false
			}
			n := 0
			for t := range m.RRTypes {
				if n == i {
					return uint64(t), true
				}
				n++
			}
			return 0, false
		},
		"http2.frametype": streamField("http2.frametype"), "http2.errorcode": streamField("http2.errorcode"),
		"ftp.mode": streamField("ftp.mode"), "ftp.dynamic_port": streamField("ftp.dynamic_port"), "ftp.reply_received": streamField("ftp.reply_received"),
		"ftp.reply_code": streamField("ftp.reply_code"), "ftpdata_command": streamField("ftpdata_command"),
		"mqtt.type": streamField("mqtt.type"), "mqtt.flags": streamField("mqtt.flags"), "mqtt.qos": streamField("mqtt.qos"),
		"mqtt.protocol_version": streamField("mqtt.protocol_version"), "mqtt.reason_code": streamField("mqtt.reason_code"),
		"mqtt.connack.session_present": streamField("mqtt.connack.session_present"), "mqtt.connect.flags": streamField("mqtt.connect.flags"),
		"rfb.sectype": streamField("rfb.sectype"), "rfb.secresult": streamField("rfb.secresult"),
		"nfs_procedure": streamField("nfs_procedure"), "nfs_procedure.name": streamField("nfs_procedure.name"),
		"nfs_version":   streamField("nfs_version"),
		"krb5_msg_type": streamField("krb5_msg_type"), "krb5_err_code": streamField("krb5_err_code"),
		"krb5.ticket_encryption": streamField("krb5.ticket_encryption"),
		"ldap.request.operation": streamField("ldap.request.operation"), "ldap.responses.operation": streamField("ldap.responses.operation"),
		"ldap.responses.count": streamField("ldap.responses.count"), "ldap.responses.result_code": streamField("ldap.responses.result_code"),
		"snmp.version": streamField("snmp.version"), "snmp.pdu_type": streamField("snmp.pdu_type"),
		"smb.version": streamField("smb.version"), "dcerpc.opnum": streamField("dcerpc.opnum"),
		"ssl_state": func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
			h, ok := tx.State.(*tls.Handshake)
			if !ok || i >= len(h.States(dir)) {
				return 0, false
			}
			return uint64(h.States(dir)[i]), true
		},
		"http2.priority": streamField("http2.priority"), "http2.window": streamField("http2.window"), "http2.size_update": streamField("http2.size_update"),
		"http2.settings": streamField("http2.settings"),
		"tls.version": func(tx *protocol.Tx, _ protocol.Dir, i int) (uint64, bool) {
			h, ok := tx.State.(*tls.Handshake)
			if !ok || i > 0 || h.Version() == 0 {
				return 0, false
			}
			return uint64(h.Version()), true
		},
		"tls_cert_notbefore": certField(func(c *tls.Certificate) (int64, bool) { return c.NotBefore.Unix(), !c.NotBefore.IsZero() }),
		"tls_cert_notafter":  certField(notAfter), "tls_cert_expired": certField(notAfter), "tls_cert_valid": certField(notAfter),
		"tls.cert_chain_len": func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
			h, ok := tx.State.(*tls.Handshake)
			if !ok || i > 0 || len(h.Certificates(dir)) == 0 {
				return 0, false
			}
			return uint64(len(h.Certificates(dir))), true
		},
	}
	miscFields(m)
	for _, k := range plainFields {
		m[k] = streamField(k)
	}
	return m
}

// streamField gives a number that a protocol tells of by its keyword.
func streamField(keyword string) signatures.FieldFunc {
	return func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
		f, ok := tx.State.(interface {
			Field(string, protocol.Dir, int) (uint64, bool)
		})
		if !ok {
			return 0, false
		}
		return f.Field(keyword, dir, i)
	}
}

// dnsOf gives the message of DNS that a direction of a transaction is, or carries.
func dnsOf(tx *protocol.Tx, dir protocol.Dir) *dns.Message {
	switch s := tx.State.(type) {
	case *dns.Message:
		if s.Dir == dir {
			return s
		}
	case interface {
		DNS(protocol.Dir) *dns.Message
	}:
		return s.DNS(dir)
	}
	return nil
}

func dnsField(get func(*dns.Message) (uint64, bool)) signatures.FieldFunc {
	return func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
		m := dnsOf(tx, dir)
		if m == nil || i > 0 {
			return 0, false
		}
		return get(m)
	}
}

func notAfter(c *tls.Certificate) (int64, bool) { return c.NotAfter.Unix(), !c.NotAfter.IsZero() }

// certField looks at the sender's own certificate.
func certField(get func(*tls.Certificate) (int64, bool)) signatures.FieldFunc {
	return func(tx *protocol.Tx, dir protocol.Dir, i int) (uint64, bool) {
		h, ok := tx.State.(*tls.Handshake)
		if !ok || i > 0 || len(h.Certificates(dir)) == 0 {
			return 0, false
		}
		v, ok := get(h.Certificates(dir)[0])
		return uint64(v), ok && v >= 0
	}
}
