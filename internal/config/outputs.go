package config

// Outputs says where events go.
type Outputs struct {
	EVE      EVE      `yaml:"eve-log"`
	OCSF     OCSF     `yaml:"ocsf-log"`
	NATS     NATS     `yaml:"nats"`
	Metrics  Metrics  `yaml:"metrics"`
	Evidence Evidence `yaml:"evidence"`
	// FileStore keeps the files that rules ask for.
	FileStore FileStore `yaml:"file-store"`
	// Queue bounds events that wait for the sinks; a full one drops and counts.
	Queue int `yaml:"queue" min:"16"`
	// Aggregate tells storms by first events and counts.
	Aggregate Aggregate `yaml:"aggregate"`
}

// Aggregate bounds alerts and dlp events of one rule and source.
type Aggregate struct {
	// Burst is how many are published in full a Window; 0 is no bound.
	Burst  int      `yaml:"burst" min:"0"`
	Window Duration `yaml:"window"`
}

// EVE writes events to a file.
type EVE struct {
	Enabled bool `yaml:"enabled"`
	// Filetype is a regular file, a unix socket on which another program listens
	// (filename is its path), or the system's log. What such a program does not take
	// at once is lost, and counted; files and NATS do not lose.
	Filetype string `yaml:"filetype" enum:"regular|unix_stream|unix_dgram|syslog"`
	// Filename is relative to default-log-dir; "-" is standard output.
	Filename string `yaml:"filename"`
	// Identity, Facility and Level are the system log's.
	Identity string `yaml:"identity"`
	Facility string `yaml:"facility" enum:"auth|authpriv|daemon|user|local0|local1|local2|local3|local4|local5|local6|local7"`
	Level    string `yaml:"level" enum:"emergency|alert|critical|error|warning|notice|info|debug"`
	// Types says which events are written, and how. Events of type frame are
	// many: they are written only where the list names them.
	Types EVETypes `yaml:"types"`
	// CommunityID adds community_id, hashed with CommunityIDSeed.
	CommunityID     *bool  `yaml:"community-id"`
	CommunityIDSeed uint16 `yaml:"community-id-seed"`
	// PcapFile adds pcap_filename in replay.
	PcapFile bool `yaml:"pcap-file"`
	// Ethernet adds link-layer addresses. Unset they and the community id are
	// written in replay and not live.
	Ethernet *bool `yaml:"ethernet"`
	// Metadata adds flow variables and application records to alerts.
	Metadata bool `yaml:"metadata"`
	// XFF reads the client's address from a proxy's header.
	XFF XFF `yaml:"xff"`
	// ForceHash hashes all files: md5, sha1, sha256.
	ForceHash []string `yaml:"force-hash" enum:"md5|sha1|sha256"`
}

// OCSF writes findings, flows and drops to a file as OCSF objects.
type OCSF struct {
	Enabled bool `yaml:"enabled"`
	// Filename is relative to default-log-dir; "-" is standard output.
	Filename string `yaml:"filename"`
}

// XFF says how a proxy's header is read.
type XFF struct {
	// Enabled is on unless said otherwise.
	Enabled *bool `yaml:"enabled"`
	// Mode adds the address as "xff" or puts it in place of the source.
	Mode       string `yaml:"mode" enum:"extra-data|overwrite"`
	Deployment string `yaml:"deployment" enum:"reverse|forward"`
	Header     string `yaml:"header"`
}

// EVEType holds the options of one event type. Options that a type has no use
// for have no effect.
type EVEType struct {
	// Enabled is nil unless said.
	Enabled *bool `yaml:"enabled"`
	// Payload, PayloadPrintable and Packet add the bytes of an alert's match;
	// PayloadBufferSize bounds them.
	// Unset they are written in replay and not live. Of websocket the first two add
	// messages, if yes.
	Payload           *bool `yaml:"payload"`
	PayloadPrintable  *bool `yaml:"payload-printable"`
	PayloadBufferSize Size  `yaml:"payload-buffer-size"`
	PayloadLength     bool  `yaml:"payload-length"`
	Packet            *bool `yaml:"packet"`
	// HTTPBody and HTTPBodyPrintable add bodies to alerts.
	HTTPBody          bool `yaml:"http-body"`
	HTTPBodyPrintable bool `yaml:"http-body-printable"`
	// TaggedPackets writes packets of the tag keyword.
	TaggedPackets *bool `yaml:"tagged-packets"`
	// Verdict adds the decision to alerts and drops.
	Verdict bool `yaml:"verdict"`
	// Metadata adds the application's record to alerts; unless switched off.
	Metadata *AlertMetadata `yaml:"metadata"`
	XFF      XFF            `yaml:"xff"`
	// HTTP, TLS, SSH and SMTP are old names of parts of Metadata.
	HTTP *bool `yaml:"http"`
	TLS  *bool `yaml:"tls"`
	SSH  *bool `yaml:"ssh"`
	SMTP *bool `yaml:"smtp"`
	DNP3 *bool `yaml:"dnp3"`

	// Extended and Custom choose the fields of http, tls, smtp, dhcp, ike and ftp; dhcp
	// and ike have the extended ones unless this is no.
	Extended *bool    `yaml:"extended"`
	Custom   []string `yaml:"custom"`
	// DumpAllHeaders adds headers to http events.
	DumpAllHeaders string `yaml:"dump-all-headers" enum:"none|request|response|both"`
	// SessionResumption writes resumed TLS sessions; JA4 the fingerprint.
	SessionResumption *bool  `yaml:"session-resumption"`
	JA4               string `yaml:"ja4" enum:"auto|on|off|yes|no"`
	// MD5 hashes mail fields.
	MD5 []string `yaml:"md5" enum:"body|subject"`

	// Types chooses record types of dns, kinds of anomaly, or kinds of records of smb.
	Types     TypeChoice `yaml:"types"`
	Version   int        `yaml:"version" min:"0" max:"3"`
	Requests  *bool      `yaml:"requests"`
	Responses *bool      `yaml:"responses"`
	Formats   []string   `yaml:"formats" enum:"detailed|grouped"`
	PacketHdr bool       `yaml:"packethdr"`

	// Alerts writes a drop's alert, Flows says which drops: all or start.
	Alerts *bool  `yaml:"alerts"`
	Flows  string `yaml:"flows" enum:"all|start"`

	// ForceMagic and ForceHash compute these for every file. What ForceMagic adds takes
	// up to a fifth of a millisecond a file, for text up to two, and needs libmagic.
	ForceMagic bool     `yaml:"force-magic"`
	ForceHash  []string `yaml:"force-hash" enum:"md5|sha1|sha256"`

	// ExceptionPolicy adds limits reached to flow events.
	ExceptionPolicy bool `yaml:"exception-policy"`
	// Totals, Threads and Deltas are of stats; totals are always written.
	Totals  *bool `yaml:"totals"`
	Threads *bool `yaml:"threads"`
	Deltas  *bool `yaml:"deltas"`
	// Passwords are of mqtt and pgsql, StringLogLimit, the longest text of a record (0 is
	// 4 KiB), is of mqtt. Where there is no policy (policy.file: none), passwords of mqtt
	// are shown unless no, those of pgsql if yes; else never.
	Passwords      *bool `yaml:"passwords"`
	StringLogLimit Size  `yaml:"string-log-limit"`
	// All is of stream.
	All *bool `yaml:"all"`
}

// NATS publishes events.
type NATS struct {
	// URL is a server's address, "embedded" for one inside of the program, or
	// "off". Empty is the command's own default.
	URL string `yaml:"url"`
	// User and PasswordFile, TokenFile or CredsFile authenticate. Secrets are
	// in files, so that they show neither here nor in a process list.
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password-file"`
	TokenFile    string `yaml:"token-file"`
	CredsFile    string `yaml:"creds-file"`
	CAFile       string `yaml:"ca-file"`
	CertFile     string `yaml:"cert-file"`
	KeyFile      string `yaml:"key-file"`
	// Stream and SubjectPrefix name where events go.
	Stream        string `yaml:"stream"`
	SubjectPrefix string `yaml:"subject-prefix"`
	// StreamMaxSize and StreamMaxAge bound a stream that is made here.
	StreamMaxSize Size     `yaml:"stream-max-size"`
	StreamMaxAge  Duration `yaml:"stream-max-age"`
	// SpoolDir and SpoolMaxSize keep events while the server is away; the
	// folder is below state-dir when empty.
	SpoolDir     string `yaml:"spool-dir"`
	SpoolMaxSize Size   `yaml:"spool-max-size"`
	// Types chooses events; empty publishes all.
	Types []string `yaml:"types"`
	// Embedded is for URL "embedded".
	Embedded Embedded `yaml:"embedded"`
	// Control answers requests on sluice.ctl.<sensor>.<verb>: status, block, unblock,
	// blocks, quarantine, release and quarantined. Each must be signed with the key
	// in ControlKeyFile, of 32 characters or more; see docs/events.md.
	Control        bool   `yaml:"control"`
	ControlKeyFile string `yaml:"control-key-file"`
}

// Embedded is the server inside of the program, on a loopback address.
type Embedded struct {
	// Port 0 takes a free one, told in the state file.
	Port int `yaml:"port" min:"0" max:"65535"`
	// Dir is below state-dir when empty.
	Dir     string `yaml:"dir"`
	MaxSize Size   `yaml:"max-size"`
}

// Metrics serves Prometheus.
type Metrics struct {
	Enabled bool `yaml:"enabled"`
	// Listen is a loopback address and port.
	Listen string `yaml:"listen"`
}

// FileStore keeps files in the clear under the hash of their content, as
// DIR/ab/abcdef…, readable by the daemon's user alone.
type FileStore struct {
	Enabled bool `yaml:"enabled"`
	// Version is the layout of the folder: 2.
	Version int `yaml:"version" min:"2" max:"2"`
	// Dir is relative to default-log-dir, in replay to the current folder.
	Dir string `yaml:"dir"`
	// WriteFileinfo writes the fileinfo event beside each file.
	WriteFileinfo bool `yaml:"write-fileinfo"`
	// ForceFilestore stores every file, not just those that rules with filestore
	// match.
	ForceFilestore bool `yaml:"force-filestore"`
	// StreamDepth replaces stream.reassembly.depth, where it is set and more, for
	// connections whose files are stored; 0 is no bound.
	StreamDepth *Size `yaml:"stream-depth"`
	// MaxOpenFiles bounds the files that are open at a time.
	MaxOpenFiles int `yaml:"max-open-files" min:"0"`
	// MaxSize bounds the folder: the oldest files go first.
	MaxSize Size `yaml:"max-size"`
	// MaxFileSize bounds what is stored of a file; 0 is no bound but MaxSize.
	MaxFileSize Size `yaml:"max-file-size"`
	// PendingSize bounds what is kept in memory of a file about which no rule has
	// decided yet, PendingMemory of all of them.
	PendingSize   Size `yaml:"pending-size"`
	PendingMemory Size `yaml:"pending-memory"`
}

// Evidence keeps what a dlp event was about, encrypted.
type Evidence struct {
	// Dir switches it on.
	Dir string `yaml:"dir"`
	// Recipients are age public keys.
	Recipients []string `yaml:"recipients"`
	MaxSize    Size     `yaml:"max-size"`
}
