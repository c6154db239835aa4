package config

// Stream tunes the tracking and reassembly of TCP.
type Stream struct {
	// Memcap bounds connections' state, over all workers.
	Memcap       Size            `yaml:"memcap"`
	MemcapPolicy ExceptionPolicy `yaml:"memcap-policy"`
	// Midstream picks connections up that began before the capture; auto does so
	// where the exception policy lets them by: what cannot be ended is at least
	// inspected from where it is seen. A replay as listener leaves them out, which
	// is Suricata's default and what rules' tests are written for.
	Midstream       string          `yaml:"midstream" enum:"auto|yes|no"`
	MidstreamPolicy ExceptionPolicy `yaml:"midstream-policy"`
	// AsyncOneside follows connections of which one side is seen; auto does so
	// in replay and tap, where captures and mirror ports often carry one side, and
	// not in the wire, where it would let a stranger make up connections.
	AsyncOneside string `yaml:"async-oneside" enum:"auto|yes|no"`
	// Inline inspects data at arrival; auto does in inline modes, and in a tap
	// that enforces, whose resets must be in time. Otherwise data is inspected
	// once it is acknowledged.
	Inline string `yaml:"inline" enum:"auto|yes|no"`
	// DropInvalid drops segments that are not part of their connection, inline.
	DropInvalid bool `yaml:"drop-invalid"`
	// Bypass stops inspecting a connection past the reassembly depth.
	Bypass bool `yaml:"bypass"`
	// ChecksumValidation leaves out segments with wrong checksums.
	ChecksumValidation bool `yaml:"checksum-validation"`
	// MaxSynackQueued bounds the different SYN/ACKs that wait for an answer in one
	// flow.
	MaxSynackQueued int        `yaml:"max-synack-queued" min:"0" max:"255"`
	Reassembly      Reassembly `yaml:"reassembly"`
}

// Reassembly bounds the bytes of connections.
type Reassembly struct {
	// Memcap bounds buffered bytes, over all workers.
	Memcap       Size            `yaml:"memcap"`
	MemcapPolicy ExceptionPolicy `yaml:"memcap-policy"`
	// Depth bounds the bytes of a direction that are inspected; 0 is no bound:
	// what leaves late in a connection leaves all the same.
	Depth Size `yaml:"depth"`
	// Raw lets rules look at the raw stream.
	Raw bool `yaml:"raw"`
	// Urgent says what happens to urgent data.
	Urgent Urgent `yaml:"urgent"`
}

// Urgent says what happens to urgent data.
type Urgent struct {
	Policy string `yaml:"policy" enum:"oob|inline|drop|gap"`
	// OOBLimitPolicy is for more urgent bytes than are followed.
	OOBLimitPolicy string `yaml:"oob-limit-policy" enum:"inline|drop|gap"`
}

// Defrag bounds the reassembly of IP fragments.
type Defrag struct {
	Memcap       Size            `yaml:"memcap"`
	MemcapPolicy ExceptionPolicy `yaml:"memcap-policy"`
	// Trackers bounds datagrams in pieces, MaxFrags all pieces.
	Trackers int `yaml:"trackers" min:"1"`
	MaxFrags int `yaml:"max-frags" min:"1"`
	// Timeout forgets a datagram that is not completed.
	Timeout Duration `yaml:"timeout"`
}

// Flow bounds the flow tables.
type Flow struct {
	Memcap       Size            `yaml:"memcap"`
	MemcapPolicy ExceptionPolicy `yaml:"memcap-policy"`
	// MaxFlows bounds flows over all workers; 0 derives it from Memcap.
	MaxFlows int `yaml:"max-flows" min:"0"`
	// EmergencyRecovery is the percentage of free room at which the short timeouts
	// of a full table end.
	EmergencyRecovery int `yaml:"emergency-recovery" min:"1" max:"100"`
}

// FlowTimeouts ends idle flows.
type FlowTimeouts struct {
	Default Timeouts `yaml:"default"`
	TCP     Timeouts `yaml:"tcp"`
	UDP     Timeouts `yaml:"udp"`
	ICMP    Timeouts `yaml:"icmp"`
}

// Timeouts of one kind of flow. The emergency ones hold while the table is full.
type Timeouts struct {
	New                  Duration `yaml:"new"`
	Established          Duration `yaml:"established"`
	Closed               Duration `yaml:"closed"`
	Bypassed             Duration `yaml:"bypassed"`
	EmergencyNew         Duration `yaml:"emergency-new"`
	EmergencyEstablished Duration `yaml:"emergency-established"`
	EmergencyClosed      Duration `yaml:"emergency-closed"`
	EmergencyBypassed    Duration `yaml:"emergency-bypassed"`
}

// VLAN says whether tags tell flows apart.
type VLAN struct {
	UseForTracking bool `yaml:"use-for-tracking"`
}

// Decoder says what is unwrapped.
type Decoder struct {
	Teredo Tunnel `yaml:"teredo"`
	VXLAN  Tunnel `yaml:"vxlan"`
	Geneve Tunnel `yaml:"geneve"`
	// GTP is GTP-U, the users' packets in mobile networks.
	GTP Tunnel `yaml:"gtp"`
	// MaxLayers bounds headers in one frame.
	MaxLayers      int            `yaml:"max-layers" min:"1" max:"255"`
	RecursionLevel RecursionLevel `yaml:"recursion-level"`
}

// Tunnel is a tunnel over UDP.
type Tunnel struct {
	Enabled bool `yaml:"enabled"`
	// Ports is a port group of rules: "4789", "[4789, $VXLAN_PORTS]".
	Ports string `yaml:"ports"`
}

// RecursionLevel says whether the depth of encapsulation tells flows apart.
type RecursionLevel struct {
	UseForTracking bool `yaml:"use-for-tracking"`
}

// Protocol tunes one protocol's parser. Zero values mean the parser's own
// defaults; a setting that its protocol has no use for is an error.
type Protocol struct {
	// Enabled is yes, no or detection-only; empty is yes. Rules on the buffers of a
	// protocol without a parser are refused.
	Enabled string `yaml:"enabled" enum:"yes|no|detection-only"`
	// DetectionPorts are where servers listen, as lists of ports and ranges, in
	// place of the usual ports. They decide where the bytes leave it open.
	DetectionPorts PortPair `yaml:"detection-ports"`
	// TCP and UDP hold the same by transport (dns).
	TCP *Transport `yaml:"tcp" only:"dns krb5 nfs"`
	UDP *Transport `yaml:"udp" only:"dns krb5 nfs"`
	// MaxTx bounds live transactions.
	MaxTx int `yaml:"max-tx" min:"0" max:"65535"`
	// StreamDepth replaces stream.reassembly.depth, where it is set, from the segment
	// on that follows the one by which the protocol is known.
	StreamDepth *Size `yaml:"stream-depth"`
	// EncryptionHandling says what happens once a connection is encrypted.
	EncryptionHandling string `yaml:"encryption-handling" enum:"track-only|bypass|full" only:"tls ssh smtp"`
	// JA3 and JA4 compute fingerprints, unless no: then rules on them are refused.
	JA3 string `yaml:"ja3-fingerprints" enum:"auto|yes|no" only:"tls quic"`
	JA4 string `yaml:"ja4-fingerprints" enum:"auto|yes|no" only:"tls quic"`
	// Hassh is the same for SSH.
	Hassh string `yaml:"hassh" enum:"auto|yes|no" only:"ssh"`
	// LibHTP has this name for habit's sake: it tunes our own HTTP parser.
	LibHTP LibHTP `yaml:"libhtp" only:"http"`
	MIME   MIME   `yaml:"mime" only:"smtp"`
	// InspectedTracker bounds what rules see of mail attachments.
	InspectedTracker InspectedTracker `yaml:"inspected-tracker" only:"smtp"`
	// MaxMsgLength bounds the messages whose content rules and records see; 0 is
	// 1 MiB. Longer ones are classified all the same.
	MaxMsgLength Size `yaml:"max-msg-length" only:"mqtt"`
	// MaxPayloadSize bounds what rules and records see of a message of WebSocket; 0 is
	// 64 KiB. Longer ones are classified all the same.
	MaxPayloadSize Size `yaml:"max-payload-size" only:"websocket"`
	// MaxObjects and MaxPoints bound the objects of a message of DNP3, and the points
	// of all of them; 0 is 2048 and 16384.
	MaxObjects int `yaml:"max-objects" min:"0" max:"65535" only:"dnp3"`
	MaxPoints  int `yaml:"max-points" min:"0" max:"65535" only:"dnp3"`
	// MaxStreams bounds the streams of a connection, MaxTableSize the dynamic table
	// of header compression (up to 64 KiB), MaxReassemblySize a header block; 0 is
	// max-tx, 64 KiB and limits.max-header.
	MaxStreams        int  `yaml:"max-streams" min:"0" only:"http2"`
	MaxTableSize      Size `yaml:"max-table-size" only:"http2"`
	MaxReassemblySize Size `yaml:"max-reassembly-size" only:"http2"`
	// MaxReadSize and MaxWriteSize are the longest reads and writes of SMB that are
	// no anomaly; 0 is no bound.
	MaxReadSize  Size `yaml:"max-read-size" only:"smb"`
	MaxWriteSize Size `yaml:"max-write-size" only:"smb"`
	// The queues bound what is kept of files whose pieces come out of order, by
	// flow; 0 is 4 MiB and 64 pieces.
	MaxReadQueueSize  Size `yaml:"max-read-queue-size" only:"smb"`
	MaxReadQueueCnt   int  `yaml:"max-read-queue-cnt" min:"0" only:"smb"`
	MaxWriteQueueSize Size `yaml:"max-write-queue-size" only:"smb"`
	MaxWriteQueueCnt  int  `yaml:"max-write-queue-cnt" min:"0" only:"smb"`
}

// Transport is a protocol's setting over one transport.
type Transport struct {
	Enabled        string   `yaml:"enabled" enum:"yes|no|detection-only"`
	DetectionPorts PortPair `yaml:"detection-ports"`
}

// PortPair holds port groups of destination and source.
type PortPair struct {
	DP string `yaml:"dp"`
	SP string `yaml:"sp"`
}

// LibHTP tunes HTTP.
type LibHTP struct {
	DefaultConfig HTTPConfig `yaml:"default-config"`
}

// HTTPConfig bounds HTTP/1 bodies and says how URIs are normalised.
type HTTPConfig struct {
	// RequestBodyLimit and ResponseBodyLimit bound what rules see of a body; 0
	// is no bound. Classification has limits of its own.
	RequestBodyLimit  *Size `yaml:"request-body-limit"`
	ResponseBodyLimit *Size `yaml:"response-body-limit"`
	// ResponseBodyDecompressLayerLimit bounds the nested content encodings that are
	// undone of a response, below limits.max-layers; a body with more is unscannable:
	// too-deep. 0 is no bound of its own.
	ResponseBodyDecompressLayerLimit *int `yaml:"response-body-decompress-layer-limit" min:"0" max:"16"`
	// DoubleDecodePath and DoubleDecodeQuery decode percent signs twice.
	DoubleDecodePath  bool `yaml:"double-decode-path"`
	DoubleDecodeQuery bool `yaml:"double-decode-query"`
	// MaxTx bounds a connection's live transactions, as app-layer.protocols.http.max-tx.
	MaxTx int `yaml:"max-tx" min:"0"`
	// CompressionBombLimit is how many bytes a body may decode to before
	// limits.max-ratio holds; 0 is 64 KiB. What bounds the bytes themselves is
	// limits.max-decompressed.
	CompressionBombLimit Size `yaml:"compression-bomb-limit"`
}

// MIME tunes the reading of mails, by whatever protocol they come.
type MIME struct {
	// ExtractURLs looks for URLs in the text of mails, as it is without a setting.
	ExtractURLs *bool `yaml:"extract-urls"`
	// ExtractURLsSchemes are the schemes looked for; http, https, ftp and mailto
	// without any.
	ExtractURLsSchemes []string `yaml:"extract-urls-schemes"`
	// LogURLScheme leaves http:// and the like at the URLs, in events and in the
	// buffer of email.url, unless it is no.
	LogURLScheme *bool `yaml:"log-url-scheme"`
	// BodyMD5 puts the digest of a mail's body, as sent, into its event; auto does
	// so where the option md5 of smtp events has body. Rules with email.body_md5 have
	// it computed in any case.
	BodyMD5 string `yaml:"body-md5" enum:"auto|yes|no"`
}

// InspectedTracker bounds what rules see of an attachment.
type InspectedTracker struct {
	// ContentLimit is in bytes; 0 is no bound. Classification has limits of its own.
	ContentLimit Size `yaml:"content-limit"`
}
