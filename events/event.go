// Package events is the contract with the SOC: one record type for everything
// Sluice tells, rendered as EVE JSON (Suricata's field names wherever Suricata
// has the event, and our own "dlp") and as OCSF. It takes filled-in Events and
// gives bytes to sinks; it knows nothing of packets, flows, rules or policies.
package events

import (
	"encoding/json"
	"net/netip"
)

// Event is one record. Exactly one of the parts named by Type is set for most
// types; an alert carries its protocol's part and the flow's as well. All
// strings and slices are the event's own (copied, masked): the worker hands an
// Event over and does not touch it again.
type Event struct {
	// Time is the packet's time in nanoseconds since the epoch.
	Time int64
	// Seq orders the events of one packet number; set by the worker.
	Seq uint32
	// Order orders events that no packet caused, such as those of flows that
	// end with the capture; it is not written.
	Order uint64
	// Type is EVE's event_type.
	Type string
	// FlowID is the deterministic hash of the flow's key and start; 0 omits it.
	FlowID uint64
	// InIface is the receiving interface; empty in replay.
	InIface string
	// PcapCnt is the frame's number in the capture file; 0 when live.
	PcapCnt uint64
	// PcapFile is the capture file's name; empty when live.
	PcapFile string
	VLAN     []uint16
	Src, Dst netip.Addr
	// SrcPort and DstPort are written when HasPorts is set.
	SrcPort, DstPort uint16
	HasPorts         bool
	// ICMPType and ICMPCode are written when HasICMP is set.
	ICMPType, ICMPCode uint8
	HasICMP            bool
	// ResponseICMPType and ResponseICMPCode are what answered in an ICMP flow,
	// written when ICMPAnswered is set.
	ResponseICMPType, ResponseICMPCode uint8
	ICMPAnswered                       bool
	// Proto is EVE's proto: "TCP", "UDP", "ICMP", "IPv6-ICMP", or a number in three digits.
	Proto string
	// IPVersion is 4 or 6 (EVE's ip_v); 0 omits it.
	IPVersion uint8
	// PktSrc is EVE's pkt_src ("wire/pcap", "stream (flow timeout)", …).
	PktSrc string
	// Direction is EVE's direction ("to_server"); empty omits it.
	Direction string
	// AppProto is the application protocol's name; empty omits it.
	AppProto   string
	AppProtoTS string
	AppProtoTC string
	// AppProtoOrig is the protocol that the flow spoke before it turned to AppProto
	// (STARTTLS, CONNECT, upgrades); empty omits it.
	AppProtoOrig string
	// TxID is written when HasTxID is set.
	TxID    uint64
	HasTxID bool
	// VerdictAction is written into alerts and drops when not empty: EVE's
	// verdict.action ("alert", "drop", "pass").
	VerdictAction string
	// VerdictReject lists how a reject was told to the ends (EVE's
	// verdict.reject: "tcp-reset", "icmp-prohib"), VerdictRejectTarget to whom
	// ("to_client", "to_server", "both").
	VerdictReject       []string
	VerdictRejectTarget string
	// ParentID is the flow_id of the flow that carries this one (tunnels, FTP
	// data); 0 omits it.
	ParentID uint64
	// Tunnel tells of the packet around the one that the event is about; nil
	// outside of tunnels.
	Tunnel *Tunnel
	// Ether holds the link-layer addresses; nil omits them.
	Ether *Ether
	// LinkType is the LINKTYPE_ of Packet (EVE's packet_info.linktype), written
	// when Packet is set.
	LinkType int
	// Aggregate tells that the record stands for more than one event; nil else.
	Aggregate *Aggregate
	// Payload and Packet are the masked bytes of the match; base64 in EVE.
	Payload          []byte
	PayloadPrintable string
	Packet           []byte
	Stream           *int

	Alert    *Alert
	Drop     *Drop
	Anomaly  *Anomaly
	Flow     *Flow
	TCP      *TCP
	HTTP     *HTTP
	DNS      *DNS
	TLS      *TLS
	SMTP     *SMTP
	Email    *Email
	FileInfo *FileInfo
	Files    []FileInfo
	DLP      *DLP
	Stats    *Stats
	Metadata *Metadata
	// Extra holds parts of protocols and programs that have no field above, by
	// their EVE name. Values must be JSON-encodable and must not change later.
	Extra map[string]any
}

// Ether is EVE's ether object, addresses as colon-separated hexadecimal.
type Ether struct {
	SrcMAC  string `json:"src_mac"`
	DestMAC string `json:"dest_mac"`
	// EtherType is what the frame carries, of frames without IP.
	EtherType uint16 `json:"ether_type,omitempty"`
	// SrcMACs and DestMACs are the addresses seen of a flow's ends, in place of
	// the two of a packet.
	SrcMACs  []string `json:"src_macs,omitempty"`
	DestMACs []string `json:"dest_macs,omitempty"`
}

// Tunnel is EVE's tunnel object.
type Tunnel struct {
	SrcIP    string `json:"src_ip"`
	SrcPort  uint16 `json:"src_port"`
	DestIP   string `json:"dest_ip"`
	DestPort uint16 `json:"dest_port"`
	Proto    string `json:"proto"`
	Depth    uint8  `json:"depth"`
	PktSrc   string `json:"pkt_src"`
}

// Aggregate counts the events that a record stands for. It is ours: storms are
// told by their first event in full and then by counts.
type Aggregate struct {
	// Count is how many further events of the same kind and source were seen
	// between First and Last, the times of the first and last of them in
	// nanoseconds since the epoch.
	Count       uint64
	First, Last int64
}

// Alert is EVE's alert object.
type Alert struct {
	Action      string              `json:"action"`
	GID         uint32              `json:"gid"`
	SignatureID uint32              `json:"signature_id"`
	Rev         uint32              `json:"rev"`
	Signature   string              `json:"signature"`
	Category    string              `json:"category"`
	Severity    int                 `json:"severity"`
	References  []string            `json:"references,omitempty"`
	Metadata    map[string][]string `json:"metadata,omitempty"`
	Source      *Endpoint           `json:"source,omitempty"`
	Target      *Endpoint           `json:"target,omitempty"`
	Rule        string              `json:"rule,omitempty"`
	// Context holds the JSON objects of datasets, each valid JSON, by name.
	Context map[string]json.RawMessage `json:"context,omitempty"`
	// XFF is the client's address as a proxy tells it.
	XFF string `json:"xff,omitempty"`
	// Enforced is ours: false in monitor and ids modes for actions that would
	// have withheld the packet.
	Enforced *bool `json:"enforced,omitempty"`
	// Replace is ours: what became of the bytes that the rule replaces.
	Replace *Replace `json:"replace,omitempty"`
}

// Replace tells of a rule that replaces bytes of the packet.
type Replace struct {
	// Bytes were to be replaced; Enforced tells whether they were, Reason why not.
	Bytes    int    `json:"bytes"`
	Enforced bool   `json:"enforced"`
	Reason   string `json:"reason,omitempty"`
}

// Endpoint is one side of an alert's target keyword.
type Endpoint struct {
	IP   string `json:"ip"`
	Port uint16 `json:"port,omitempty"`
}

// Metadata is EVE's metadata object: flow variables set by rules.
type Metadata struct {
	Flowbits []string          `json:"flowbits,omitempty"`
	Flowints map[string]uint32 `json:"flowints,omitempty"`
	Flowvars []map[string]any  `json:"flowvars,omitempty"`
	Pktvars  []map[string]any  `json:"pktvars,omitempty"`
	// Entropy is what rules measured last, by buffer, in bits per byte.
	Entropy map[string]float64 `json:"entropy,omitempty"`
	// TrafficID and TrafficLabel name the traffic: EVE's traffic object.
	TrafficID    []string `json:"-"`
	TrafficLabel []string `json:"-"`
}

// Drop is EVE's drop object.
type Drop struct {
	Len     int     `json:"len"`
	TOS     *int    `json:"tos,omitempty"`
	TTL     *int    `json:"ttl,omitempty"`
	IPID    *uint32 `json:"ipid,omitempty"`
	TCPSeq  *uint32 `json:"tcpseq,omitempty"`
	TCPAck  *uint32 `json:"tcpack,omitempty"`
	TCPWin  *uint16 `json:"tcpwin,omitempty"`
	SYN     *bool   `json:"syn,omitempty"`
	ACK     *bool   `json:"ack,omitempty"`
	PSH     *bool   `json:"psh,omitempty"`
	RST     *bool   `json:"rst,omitempty"`
	URG     *bool   `json:"urg,omitempty"`
	FIN     *bool   `json:"fin,omitempty"`
	TCPRes  *int    `json:"tcpres,omitempty"`
	TCPUrgp *int    `json:"tcpurgp,omitempty"`
	UDPLen  *int    `json:"udplen,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	// Count is ours: how many further drops of the same flow or source this
	// record stands for.
	Count uint64 `json:"count,omitempty"`
	// Source is ours: "xdp" for drops in the kernel.
	Source string `json:"source,omitempty"`
	// List is ours: the block list that held the address.
	List string `json:"list,omitempty"`
}

// Anomaly is EVE's anomaly object.
type Anomaly struct {
	Type     string `json:"type"`
	Event    string `json:"event"`
	Layer    string `json:"layer,omitempty"`
	AppProto string `json:"app_proto,omitempty"`
}

// Flow is EVE's flow object; in alerts only the first block is set.
type Flow struct {
	PktsToServer  uint64 `json:"pkts_toserver"`
	PktsToClient  uint64 `json:"pkts_toclient"`
	BytesToServer uint64 `json:"bytes_toserver"`
	BytesToClient uint64 `json:"bytes_toclient"`
	Start         string `json:"start"`
	// SrcIP … are the flow's own ends, written in alerts.
	SrcIP    string `json:"src_ip,omitempty"`
	DestIP   string `json:"dest_ip,omitempty"`
	SrcPort  uint16 `json:"src_port,omitempty"`
	DestPort uint16 `json:"dest_port,omitempty"`

	End     string `json:"end,omitempty"`
	Age     *int64 `json:"age,omitempty"`
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Alerted *bool  `json:"alerted,omitempty"`
	Action  string `json:"action,omitempty"`
	Bypass  string `json:"bypass,omitempty"`
	// ExceptionPolicy lists limits reached: {"target":…,"policy":…}.
	ExceptionPolicy []map[string]string `json:"exception_policy,omitempty"`
	TxCnt           *uint64             `json:"tx_cnt,omitempty"`
}

// TCP is EVE's tcp object of a flow record.
type TCP struct {
	TCPFlags   string `json:"tcp_flags"`
	TCPFlagsTS string `json:"tcp_flags_ts"`
	TCPFlagsTC string `json:"tcp_flags_tc"`
	SYN        bool   `json:"syn,omitempty"`
	FIN        bool   `json:"fin,omitempty"`
	RST        bool   `json:"rst,omitempty"`
	PSH        bool   `json:"psh,omitempty"`
	ACK        bool   `json:"ack,omitempty"`
	URG        bool   `json:"urg,omitempty"`
	ECN        bool   `json:"ecn,omitempty"`
	CWR        bool   `json:"cwr,omitempty"`
	State      string `json:"state,omitempty"`
	TSMaxReg   int    `json:"ts_max_regions,omitempty"`
	TCMaxReg   int    `json:"tc_max_regions,omitempty"`
	TSGap      bool   `json:"ts_gap,omitempty"`
	TCGap      bool   `json:"tc_gap,omitempty"`
}

// HTTP is EVE's http object.
type HTTP struct {
	Hostname  string `json:"hostname,omitempty"`
	HTTPPort  uint16 `json:"http_port,omitempty"`
	URL       string `json:"url,omitempty"`
	UserAgent string `json:"http_user_agent,omitempty"`
	XFF       string `json:"xff,omitempty"`
	// ForwardedFor is the X-Forwarded-For header as sent; it is not written.
	ForwardedFor    string        `json:"-"`
	ContentType     string        `json:"http_content_type,omitempty"`
	ContentRange    *ContentRange `json:"content_range,omitempty"`
	Refer           string        `json:"http_refer,omitempty"`
	Method          string        `json:"http_method,omitempty"`
	Protocol        string        `json:"protocol,omitempty"`
	Status          int           `json:"status,omitempty"`
	StatusString    string        `json:"status_string,omitempty"`
	Redirect        string        `json:"redirect,omitempty"`
	Length          int64         `json:"length"`
	RequestHeaders  []HTTPHeader  `json:"request_headers,omitempty"`
	ResponseHeaders []HTTPHeader  `json:"response_headers,omitempty"`
	// Version is "2" for HTTP/2, empty otherwise; HTTP2 goes with it.
	Version string `json:"version,omitempty"`
	HTTP2   *HTTP2 `json:"http2,omitempty"`
}

// HTTP2 is EVE's http.http2 object.
type HTTP2 struct {
	StreamID uint32      `json:"stream_id"`
	Request  HTTP2Frames `json:"request"`
	Response HTTP2Frames `json:"response"`
}

// HTTP2Frames tells what the frames of one direction said.
type HTTP2Frames struct {
	Settings  []HTTP2Setting `json:"settings,omitempty"`
	ErrorCode string         `json:"error_code,omitempty"`
	Priority  *uint8         `json:"priority,omitempty"`
}

// HTTP2Setting is one announced parameter.
type HTTP2Setting struct {
	ID    string `json:"settings_id"`
	Value uint32 `json:"settings_value"`
}

// HTTPHeader is one header as sent.
type HTTPHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ContentRange is EVE's http.content_range.
type ContentRange struct {
	Raw   string `json:"raw"`
	Start *int64 `json:"start,omitempty"`
	End   *int64 `json:"end,omitempty"`
	Size  *int64 `json:"size,omitempty"`
}

// DNS is EVE's dns object, version 3.
type DNS struct {
	Version int     `json:"version"`
	Type    string  `json:"type"`
	TxID    *uint64 `json:"tx_id,omitempty"`
	ID      uint16  `json:"id"`
	Flags   string  `json:"flags,omitempty"`
	QR      bool    `json:"qr,omitempty"`
	AA      bool    `json:"aa,omitempty"`
	TC      bool    `json:"tc,omitempty"`
	RD      bool    `json:"rd,omitempty"`
	RA      bool    `json:"ra,omitempty"`
	Z       bool    `json:"z,omitempty"`
	Opcode  uint8   `json:"opcode"`
	RCode   string  `json:"rcode,omitempty"`
	// RRName and RRType are the question of a record of version 2.
	RRName      string              `json:"rrname,omitempty"`
	RRType      string              `json:"rrtype,omitempty"`
	Queries     []DNSQuery          `json:"queries,omitempty"`
	Answers     []DNSAnswer         `json:"answers,omitempty"`
	Authorities []DNSAnswer         `json:"authorities,omitempty"`
	Additionals []DNSAnswer         `json:"additionals,omitempty"`
	Grouped     map[string][]string `json:"grouped,omitempty"`
}

// DNSQuery is one question.
type DNSQuery struct {
	RRName string `json:"rrname"`
	RRType string `json:"rrtype"`
}

// DNSAnswer is one resource record. RData is a string, or a structure for SOA,
// SRV and the like.
type DNSAnswer struct {
	RRName string `json:"rrname"`
	RRType string `json:"rrtype"`
	TTL    uint32 `json:"ttl"`
	RData  any    `json:"rdata,omitempty"`
	SOA    any    `json:"soa,omitempty"`
	SRV    any    `json:"srv,omitempty"`
	SSHFP  any    `json:"sshfp,omitempty"`
	OPT    any    `json:"opt,omitempty"`
}

// TLS is EVE's tls object.
type TLS struct {
	Subject        string   `json:"subject,omitempty"`
	IssuerDN       string   `json:"issuerdn,omitempty"`
	SubjectAltName []string `json:"subjectaltname,omitempty"`
	Serial         string   `json:"serial,omitempty"`
	Fingerprint    string   `json:"fingerprint,omitempty"`
	SNI            string   `json:"sni,omitempty"`
	Version        string   `json:"version,omitempty"`
	NotBefore      string   `json:"notbefore,omitempty"`
	NotAfter       string   `json:"notafter,omitempty"`
	SessionResumed bool     `json:"session_resumed,omitempty"`
	JA3            *JA3     `json:"ja3,omitempty"`
	JA3S           *JA3     `json:"ja3s,omitempty"`
	JA4            string   `json:"ja4,omitempty"`
	ClientALPNs    []string `json:"client_alpns,omitempty"`
	ServerALPNs    []string `json:"server_alpns,omitempty"`
	FromProto      string   `json:"from_proto,omitempty"`
	// Client is the certificate that the client showed.
	Client          *TLSClient `json:"client,omitempty"`
	CertificateSize int        `json:"-"`
}

// TLSClient is EVE's tls.client object.
type TLSClient struct {
	Subject     string `json:"subject,omitempty"`
	IssuerDN    string `json:"issuerdn,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Serial      string `json:"serial,omitempty"`
	NotBefore   string `json:"notbefore,omitempty"`
	NotAfter    string `json:"notafter,omitempty"`
}

// JA3 is a fingerprint with the string it hashes.
type JA3 struct {
	Hash   string `json:"hash,omitempty"`
	String string `json:"string,omitempty"`
}

// SMTP is EVE's smtp object.
type SMTP struct {
	Helo     string   `json:"helo,omitempty"`
	MailFrom string   `json:"mail_from,omitempty"`
	RcptTo   []string `json:"rcpt_to,omitempty"`
}

// Email is EVE's email object.
type Email struct {
	Status     string   `json:"status,omitempty"`
	From       string   `json:"from,omitempty"`
	To         []string `json:"to,omitempty"`
	Cc         []string `json:"cc,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	Date       string   `json:"date,omitempty"`
	MessageID  string   `json:"message_id,omitempty"`
	XMailer    string   `json:"x_mailer,omitempty"`
	URLs       []string `json:"url,omitempty"`
	Attachment []string `json:"attachment,omitempty"`
	BodyMD5    string   `json:"body_md5,omitempty"`
	SubjectMD5 string   `json:"subject_md5,omitempty"`
}

// FileInfo is EVE's fileinfo object.
type FileInfo struct {
	Filename string   `json:"filename"`
	SID      []uint32 `json:"sid,omitempty"`
	Magic    string   `json:"magic,omitempty"`
	// MIMEType is ours: the media type by content.
	MIMEType string  `json:"mime_type,omitempty"`
	Gaps     bool    `json:"gaps"`
	State    string  `json:"state"`
	MD5      string  `json:"md5,omitempty"`
	SHA1     string  `json:"sha1,omitempty"`
	SHA256   string  `json:"sha256,omitempty"`
	Stored   bool    `json:"stored"`
	FileID   uint32  `json:"file_id,omitempty"`
	Size     uint64  `json:"size"`
	TxID     uint64  `json:"tx_id"`
	Start    *uint64 `json:"start,omitempty"`
	End      *uint64 `json:"end,omitempty"`
}

// Stats is EVE's stats object: counters by dotted name.
type Stats struct {
	Uptime   int64
	Counters map[string]uint64
	// Engines tells of the rules that are loaded, as detect.engines.
	Engines []StatsEngine
}

// StatsEngine is EVE's detect.engines of one rule set.
type StatsEngine struct {
	ID           int `json:"id"`
	RulesLoaded  int `json:"rules_loaded"`
	RulesFailed  int `json:"rules_failed"`
	RulesSkipped int `json:"rules_skipped"`
}
