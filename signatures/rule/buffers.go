package rule

import (
	"strings"

	"sluice/dataplane/protocol"
)

// aliases are other spellings of sticky buffers.
var aliases = map[string]string{
	"file_data": "file.data", "dns_query": "dns.query", "tls_sni": "tls.sni", "tls_cert_subject": "tls.cert_subject",
	"tls_cert_issuer": "tls.cert_issuer", "tls_cert_serial": "tls.cert_serial", "tls_cert_fingerprint": "tls.cert_fingerprint",
	"tls.subject": "tls.cert_subject", "tls.issuerdn": "tls.cert_issuer", "tls.fingerprint": "tls.cert_fingerprint",
	"http_header_names": "http.header_names", "http_protocol": "http.protocol", "http_start": "http.start",
	"http_content_type": "http.content_type", "http_content_len": "http.content_len", "http_accept": "http.accept",
	"http_accept_enc": "http.accept_enc", "http_accept_lang": "http.accept_lang", "http_referer": "http.referer",
	"http_connection": "http.connection", "http_request_line": "http.request_line", "http_response_line": "http.response_line",
	"ja3_hash": "ja3.hash", "ja3_string": "ja3.string", "ja3s_hash": "ja3s.hash", "ssh_proto": "ssh.proto",
	"ssh_software": "ssh.software", "ssh.protoversion": "ssh.proto", "ssh.softwareversion": "ssh.software",
	"dns.query.name": "dns.query", "tls.alpn": "tls.alpn", "ja4_hash": "ja4.hash", "http.request_method": "http.method",
	"filename": "file.name", "dce_stub_data": "dcerpc.stub_data", "smb_named_pipe": "smb.named_pipe", "smb_share": "smb.share",
	"dns.queries.rrname": "dns.queries.rrname", "dnp3_data": "dnp3.data",
}

// legacy are the content modifiers of old and the buffers they stand for.
var legacy = map[string]string{
	"http_uri": "http.uri", "http_raw_uri": "http.uri.raw", "http_method": "http.method", "http_header": "http.header",
	"http_raw_header": "http.header.raw", "http_cookie": "http.cookie", "http_user_agent": "http.user_agent",
	"http_host": "http.host", "http_raw_host": "http.host.raw", "http_client_body": "http.request_body",
	"http_server_body": "http.response_body", "http_stat_code": "http.stat_code", "http_stat_msg": "http.stat_msg",
}

// pcreBuffers are the flags of pcre that name a buffer.
var pcreBuffers = map[byte]string{
	'U': "http.uri", 'I': "http.uri.raw", 'P': "http.request_body", 'Q': "http.response_body", 'H': "http.header",
	'D': "http.header.raw", 'M': "http.method", 'C': "http.cookie", 'S': "http.stat_code", 'Y': "http.stat_msg",
	'V': "http.user_agent", 'W': "http.host", 'Z': "http.host.raw",
}

// localBuffers are taken from the packet itself.
var localBuffers = map[string]Local{
	"ipv4.hdr": LocalIPv4Hdr, "ipv6.hdr": LocalIPv6Hdr, "tcp.hdr": LocalTCPHdr, "udp.hdr": LocalUDPHdr,
	"icmpv4.hdr": LocalICMPv4Hdr, "icmpv6.hdr": LocalICMPv6Hdr, "ip.src": LocalIPSrc, "ip.dst": LocalIPDst,
}

// knownBuffers are sticky buffers of the language; those that the registry
// does not have are known and not evaluated.
var knownBuffers = strings.Fields(`
http.uri http.uri.raw http.method http.header http.header.raw http.cookie http.user_agent http.host http.host.raw
http.request_body http.response_body http.stat_code http.stat_msg http.header_names http.protocol http.start
http.content_type http.content_len http.accept http.accept_enc http.accept_lang http.referer http.connection
http.request_line http.response_line http.location http.server http.request_header http.response_header
http2.header_name http2.header urilen file.data file.name file.magic
dns.query dns.queries.rrname dns.answers.rrname dns.authorities.rrname dns.additionals.rrname dns.answer.name dns.query.name
dns.response.rrname mdns.queries.rrname mdns.answers.rrname mdns.authorities.rrname mdns.additionals.rrname mdns.response.rrname llmnr.queries.rrname
tls.sni tls.cert_subject tls.cert_issuer tls.cert_serial tls.cert_fingerprint tls.certs tls.random tls.random_time tls.random_bytes
tls.alpn tls.subjectaltname ja3.hash ja3.string ja3s.hash ja3s.string ja4.hash
ssh.proto ssh.software ssh.hassh ssh.hassh.string ssh.hassh.server ssh.hassh.server.string
smtp.helo smtp.mail_from smtp.rcpt_to email.from email.subject email.to email.cc email.date email.message_id email.x_mailer
email.url email.received email.body_md5 ftp.command ftp.command_data ftp.reply ftp.completion_code
smb.named_pipe smb.share smb.ntlmssp_user smb.ntlmssp_domain smb.version dcerpc.stub_data dcerpc.iface
krb5_cname krb5_sname krb5.cname krb5.sname sip.method sip.uri sip.request_line sip.stat_code sip.stat_msg sip.response_line sip.protocol
sip.from sip.to sip.via sip.user_agent sip.content_type sip.content_length sdp.session_name sdp.origin sdp.time sdp.uri
sdp.repeat_time sdp.timezone sdp.encryption_key sdp.email sdp.phone_number sdp.connection_data sdp.bandwidth sdp.attribute sdp.session_info
sdp.media.media sdp.media.media_info sdp.media.session_info sdp.media.connection_data sdp.media.encryption_key
mqtt.publish.topic mqtt.publish.message mqtt.subscribe.topic mqtt.unsubscribe.topic mqtt.connect.clientid
mqtt.connect.username mqtt.connect.password mqtt.connect.willtopic mqtt.connect.willmessage mqtt.connect.protocol_string
snmp.community snmp.usm rfb.name ike.init_spi ike.resp_spi ike.vendor ike.key_exchange_payload ike.nonce_payload
quic.sni quic.ua quic.version quic.cyu.hash quic.cyu.string websocket.payload enip.product_name enip.service_name
pgsql.query ldap.request.dn ldap.responses.dn ldap.responses.message ldap.request.attribute_type ldap.responses.attribute_type
ldap.request.attributes ldap.responses.attributes
dnp3.data rpc template.buffer template_buffer2 tcp.hdr udp.hdr ipv4.hdr ipv6.hdr icmpv4.hdr icmpv6.hdr ip.src ip.dst`)

var isKnownBuffer = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range knownBuffers {
		m[n] = true
	}
	for a := range aliases {
		m[a] = true
	}
	return m
}()

// sticky makes a buffer the one in force; ok is false for a name that is none.
func (c *context) sticky(name, val string) (ok bool, err error) {
	if name == "pkt_data" {
		c.setBuffer("", protocol.BufferSpec{}, NotLocal)
		return true, nil
	}
	canon := name
	if a, isAlias := aliases[name]; isAlias {
		canon = a
	}
	if l, isLocal := localBuffers[canon]; isLocal {
		if val != "" && (canon == "ip.src" || canon == "ip.dst") {
			return true, faultf("takes no value")
		}
		c.setBuffer(canon, protocol.BufferSpec{}, l)
		return true, nil
	}
	spec, found := c.buffer(canon)
	if !found && !isKnownBuffer[canon] {
		return false, nil
	}
	if val != "" {
		if _, field := fieldKeywords[name]; field {
			return false, nil
		}
		if strings.HasPrefix(name, "tls.") {
			// The old form: a content in the value.
			if v, neg, err := unquote(val); err == nil && found {
				c.setBuffer(canon, spec, NotLocal)
				it := Item{Op: OpContent, Pattern: []byte(unescape(v)), Neg: neg, Col: c.col}
				c.add(it)
				return true, nil
			}
		}
		if found && (val == "to_server" || val == "to_client") {
			dir := uint8(1)
			if val == "to_client" {
				dir = 2
			}
			if spec.Dirs != 0 && spec.Dirs != protocol.DirsBoth {
				return true, faultf("is filled in one direction only: leave %s out", val)
			}
			if !c.r.Transactional {
				return true, faultf("a direction is for rules with =>")
			}
			c.setBuffer(canon, spec, NotLocal)
			c.bufDir = dir
			return true, nil
		}
		if found {
			return true, faultf("is a sticky buffer and takes no value: write `%s; content:\"…\";`", name)
		}
	}
	if !found {
		c.setBuffer(canon, protocol.BufferSpec{}, NotLocal)
		return true, unevaluated("buffer " + name)
	}
	c.setBuffer(canon, spec, NotLocal)
	return true, nil
}

func (c *context) buffer(name string) (protocol.BufferSpec, bool) {
	if c.env.Buffer == nil || name == "payload" {
		return protocol.BufferSpec{}, false
	}
	return c.env.Buffer(name)
}

func (c *context) setBuffer(name string, spec protocol.BufferSpec, l Local) {
	if c.idle == nil && name != "" {
		c.idle = c.untested()
	}
	c.name, c.spec, c.local, c.transforms, c.list, c.base64 = name, spec, l, nil, -1, nil
	c.last = ref{-1, -1}
	c.lastSet = c.col
	c.bufDir = 0
}

// maxLists and maxItems bound a rule; masks of lists are 64 bits wide.
const (
	maxLists = 60
	maxItems = 512
)

// current gives the list of the buffer in force, making it where needed.
func (c *context) current() (*List, error) {
	if c.list >= 0 {
		return &c.r.Lists[c.list], nil
	}
	if !c.spec.Multi {
		for i := range c.r.Lists {
			l := &c.r.Lists[i]
			if l.Name == c.name && l.Dir == c.bufDir && sameTransforms(l.Transforms, c.transforms) {
				c.list = i
				return l, nil
			}
		}
	}
	if len(c.r.Lists) == maxLists {
		return nil, faultf("the rule uses more than %d buffers", maxLists)
	}
	c.list = len(c.r.Lists)
	c.r.Lists = append(c.r.Lists, List{Name: c.name, Buffer: c.spec, Local: c.local, Transforms: c.transforms, Dir: c.bufDir, Col: c.col})
	return &c.r.Lists[c.list], nil
}

func sameTransforms(a, b []Transform) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Arg != b[i].Arg {
			return false
		}
	}
	return true
}

// add appends an item to the buffer in force.
func (c *context) add(it Item) error {
	it.Col = c.col
	if c.base64 != nil {
		if len(c.base64.Items) >= maxItems {
			return faultf("too many tests on one buffer")
		}
		c.base64.Items = append(c.base64.Items, it)
		c.last = ref{-2, len(c.base64.Items) - 1}
		return nil
	}
	if c.name == "" && it.Relative && c.last.list >= 0 && c.r.Lists[c.last.list].Name != "" {
		// What is relative to a content that an old modifier has moved follows it.
		l := &c.r.Lists[c.last.list]
		if len(l.Items) >= maxItems {
			return faultf("too many tests on one buffer")
		}
		l.Items = append(l.Items, it)
		c.last.item = len(l.Items) - 1
		return nil
	}
	l, err := c.current()
	if err != nil {
		return err
	}
	if len(l.Items) >= maxItems {
		return faultf("too many tests on one buffer")
	}
	l.Items = append(l.Items, it)
	c.last = ref{c.list, len(l.Items) - 1}
	return nil
}

// item gives the content that a modifier is about.
func (c *context) item() (*Item, error) {
	var it *Item
	switch {
	case c.last.list == -2 && c.base64 != nil:
		it = &c.base64.Items[c.last.item]
	case c.last.list >= 0:
		it = &c.r.Lists[c.last.list].Items[c.last.item]
	}
	if it == nil {
		return nil, faultf("needs a content before it")
	}
	// Other tests may stand between a content and its modifier.
	if it.Op != OpContent {
		items := c.items()
		for i := c.last.item; i >= 0; i-- {
			if items[i].Op == OpContent {
				return &items[i], nil
			}
		}
		return nil, faultf("needs a content before it")
	}
	return it, nil
}

func (c *context) items() []Item {
	if c.last.list == -2 {
		return c.base64.Items
	}
	return c.r.Lists[c.last.list].Items
}

// move takes the content before out of the payload and puts it into another
// buffer, as the old modifiers do.
func (c *context) move(modifier, name string) error {
	if c.name != "" {
		return faultf("cannot follow the sticky buffer %s: use `%s;` before the content", c.name, name)
	}
	if _, err := c.item(); err != nil || c.last.list < 0 {
		return faultf("needs a content before it")
	}
	from := &c.r.Lists[c.last.list]
	if from.Name != "" {
		return faultf("the content before is in %s already", from.Name)
	}
	it := from.Items[c.last.item]
	if it.Op != OpContent {
		return faultf("needs a content before it")
	}
	if it.Rawbytes {
		return faultf("cannot be combined with rawbytes")
	}
	from.Items = append(from.Items[:c.last.item:c.last.item], from.Items[c.last.item+1:]...)
	col := c.col
	c.col = it.Col
	r, err := c.addTo(name, it)
	c.col = col
	if err != nil {
		return err
	}
	c.last = r
	return nil
}

// addTo appends an item to a buffer without making it the one in force.
func (c *context) addTo(name string, it Item) (ref, error) {
	spec, found := c.buffer(name)
	if !found {
		if !isKnownBuffer[name] {
			return ref{}, faultf("unknown buffer %s", name)
		}
		c.lack("buffer " + name)
	}
	for i := range c.r.Lists {
		if l := &c.r.Lists[i]; l.Name == name && len(l.Transforms) == 0 {
			l.Items = append(l.Items, it)
			return ref{i, len(l.Items) - 1}, nil
		}
	}
	if len(c.r.Lists) >= maxLists {
		return ref{}, faultf("the rule uses more than %d buffers", maxLists)
	}
	c.r.Lists = append(c.r.Lists, List{Name: name, Buffer: spec, Items: []Item{it}, Col: c.col})
	return ref{len(c.r.Lists) - 1, 0}, nil
}
