// Package config holds Sluice's configuration: one root struct that mirrors the
// one YAML file. It takes a file and KEY=VALUE settings and gives a checked
// Config; it opens nothing else and knows nothing of what uses a setting. Where
// Suricata's configuration has the same thing, ours has the same name.
//
// Each field's comment is its documentation; Default holds the defaults.
package config

// Config mirrors the configuration file. Make one with Default or Load, not as
// a literal. It is not safe for concurrent change; readers share it freely.
type Config struct {
	// Sensor says who reports.
	Sensor Sensor `yaml:"sensor"`
	// Ports says what is inspected, and how the daemon stands in the path.
	Ports Ports `yaml:"ports"`
	// Workers is the number of inspecting threads; 0 takes one a core.
	Workers int `yaml:"workers" min:"0" max:"256"`
	// Overload says what becomes of frames that are too many for the workers.
	Overload Overload `yaml:"overload"`
	// Vars holds address and port groups for rules and policies by name.
	Vars Vars `yaml:"vars"`

	// Rules says which signatures are loaded.
	Rules Rules `yaml:"rules"`
	// DefaultRulePath is the folder of relative paths under rules.paths; those of
	// the command line are as they are.
	DefaultRulePath string `yaml:"default-rule-path"`
	// ThresholdFile holds thresholds, rate filters and suppressions by signature.
	ThresholdFile string `yaml:"threshold-file"`
	// ClassificationFile names classes and priorities; empty uses the bundled one.
	ClassificationFile string `yaml:"classification-file"`
	// ReferenceConfigFile names systems of references; empty uses the bundled one.
	ReferenceConfigFile string `yaml:"reference-config-file"`
	// ReputationCategoriesFile, ReputationFiles and DefaultReputationPath are
	// for the iprep keyword.
	ReputationCategoriesFile string   `yaml:"reputation-categories-file"`
	ReputationFiles          []string `yaml:"reputation-files"`
	DefaultReputationPath    string   `yaml:"default-reputation-path"`
	// GeoIPDatabase (countries) and ASNDatabase (networks) are files in MaxMind's
	// format for the geoip keyword and for country: and asn: in policies. One file
	// may serve both.
	GeoIPDatabase string `yaml:"geoip-database"`
	ASNDatabase   string `yaml:"asn-database"`
	// MagicFile is libmagic's compiled database, which describes files for file.magic,
	// filemagic and force-magic; empty uses the library's own.
	MagicFile string `yaml:"magic-file"`
	// Datasets is for the dataset and datarep keywords.
	Datasets Datasets `yaml:"datasets"`
	// ActionOrder is the order in which rules of different actions are applied;
	// what a pass rule comes after is not passed.
	ActionOrder []string `yaml:"action-order" enum:"pass|drop|reject|alert"`
	// PacketAlertMax bounds the alerts of one packet.
	PacketAlertMax int `yaml:"packet-alert-max" min:"1" max:"255"`
	// Detect tunes the signature engine.
	Detect Detect `yaml:"detect"`
	// PCRE bounds one evaluation of a rule's regular expression.
	PCRE PCRE `yaml:"pcre"`

	// Policy says what may leave.
	Policy Policy `yaml:"policy"`
	// BlockLists are address lists that are dropped in the kernel.
	BlockLists []BlockList `yaml:"block-lists"`
	// FastPath, Segmentation and Quarantine say what else the kernel drops.
	FastPath     FastPath     `yaml:"fast-path"`
	Segmentation Segmentation `yaml:"segmentation"`
	Quarantine   Quarantine   `yaml:"quarantine"`

	// Stream, Defrag, Flow and FlowTimeouts bound and tune the tracking of
	// connections; Vlan and Decoder what makes a packet.
	Stream       Stream       `yaml:"stream"`
	Defrag       Defrag       `yaml:"defrag"`
	Flow         Flow         `yaml:"flow"`
	FlowTimeouts FlowTimeouts `yaml:"flow-timeouts"`
	VLAN         VLAN         `yaml:"vlan"`
	Decoder      Decoder      `yaml:"decoder"`
	// HostOSPolicy lists addresses by operating system, whose way with
	// overlapping segments and fragments reassembly follows.
	HostOSPolicy map[string][]string `yaml:"host-os-policy"`
	// AppLayer tunes protocol parsers.
	AppLayer AppLayer `yaml:"app-layer"`
	// ExceptionPolicy is the answer to every limit that has none of its own.
	// "auto" fails closed inline and ignores otherwise.
	ExceptionPolicy ExceptionPolicy `yaml:"exception-policy"`
	// Limits bound what classification keeps and unpacks.
	Limits Limits `yaml:"limits"`

	// Outputs says where events go.
	Outputs Outputs `yaml:"outputs"`
	// Stats says how often counters are reported.
	Stats Stats `yaml:"stats"`
	// PcapFile is for replay.
	PcapFile PcapFile `yaml:"pcap-file"`
	// Log is the program's own log.
	Log Log `yaml:"log"`

	// CacheDir keeps compiled databases; StateDir what must survive a restart
	// (spool, NATS store, block list of the operator); LogDir relative event
	// files.
	CacheDir string `yaml:"cache-dir"`
	StateDir string `yaml:"state-dir"`
	LogDir   string `yaml:"default-log-dir"`
	// ControlSocket is where status, reload and block reach the daemon.
	ControlSocket string `yaml:"control-socket"`

	// Ignored lists the keys that were accepted without effect (Suricata's
	// tuning knobs), for the log.
	Ignored []string `yaml:"-"`
}

// Sensor names this instance.
type Sensor struct {
	// Name appears in events and subjects; the host's name when empty.
	Name string `yaml:"name"`
}

// Ports says what is inspected. With none the daemon refuses to start.
type Ports struct {
	// Taps are mirror ports or a router's own ports.
	Taps []string `yaml:"taps"`
	// Bridges are pairs INSIDE,OUTSIDE of a transparent bump in the wire.
	Bridges []Bridge `yaml:"bridges"`
	// Gateways are LAN ports of a host that routes.
	Gateways []string `yaml:"gateways"`
	// Inject is the port that resets leave through, where taps cannot send.
	Inject string `yaml:"inject"`
	// Fail says what the kernel does with frames while the daemon is away.
	Fail string `yaml:"fail" enum:"open|closed"`
	// Monitor judges and reports, and enforces nothing.
	Monitor bool `yaml:"monitor"`
	// Confirm rolls an inline start back unless confirmed in time; 0 is off.
	Confirm Duration `yaml:"confirm"`
	// Force takes a port that carries the operator's own session.
	Force bool `yaml:"force"`
	// XDP is native, generic or the better of both.
	XDP string `yaml:"xdp" enum:"auto|native|generic|off"`
	// Capture says how frames are taken from the ports.
	Capture Capture `yaml:"capture"`
}

// Bridge is one pair of ports.
type Bridge struct {
	Inside, Outside string
}

// Rules says which signatures are loaded.
type Rules struct {
	// Paths are files, folders or globs; empty takes the bundled rules.
	Paths []string `yaml:"paths"`
	// Disable and Enable are signature ids; DisableFiles and EnableFiles hold
	// one a line, as sid or gid:sid, with comments after #. Disabling wins; enabling
	// loads a rule that its file has commented out. Ids that no rule has are told
	// by sluice check.
	Disable      []uint32 `yaml:"disable"`
	Enable       []uint32 `yaml:"enable"`
	DisableFiles []string `yaml:"disable-files"`
	EnableFiles  []string `yaml:"enable-files"`
}

// Datasets bounds the sets of the dataset keyword.
type Datasets struct {
	// Enabled loads rules with the keywords; without it they are refused.
	Enabled bool `yaml:"enabled"`
	// Memcap bounds one set, unless the rule says otherwise.
	Memcap Size `yaml:"memcap"`
	// MaxTotal bounds the entries of all sets.
	MaxTotal int `yaml:"max-total" min:"1"`
}

// Detect tunes the signature engine.
type Detect struct {
	// GuessApplayerTX logs an app-layer transaction with alerts of stream rules
	// where exactly one is live.
	GuessApplayerTX bool `yaml:"guess-applayer-tx"`
	// InspectionRecursionLimit bounds backtracking between a rule's contents: the
	// tests made to confirm one rule on one buffer.
	InspectionRecursionLimit int `yaml:"inspection-recursion-limit" min:"1" max:"100000"`
}

// PCRE bounds regular expressions.
type PCRE struct {
	MatchLimit          int `yaml:"match-limit" min:"1"`
	MatchLimitRecursion int `yaml:"match-limit-recursion" min:"1"`
}

// Policy says what may leave.
type Policy struct {
	// File is the policy file; empty takes the bundled policy, "none" switches
	// classification off.
	File string `yaml:"file"`
}

// BlockList is one list of addresses and prefixes.
type BlockList struct {
	// Name appears in events.
	Name string `yaml:"name"`
	// File holds one address or prefix a line.
	File string `yaml:"file"`
	// Direction says which end of a packet is looked up.
	Direction string `yaml:"direction" enum:"src|dst|both"`
	// TTL forgets entries that are not renewed; 0 keeps them.
	TTL Duration `yaml:"ttl"`
}

// AppLayer tunes protocol parsers.
type AppLayer struct {
	// ErrorPolicy answers a parser that gives up on its flow: what came is broken
	// beyond use, or bytes are missing that it cannot do without. "auto" ends the flow
	// inline with "ports.fail: closed"; otherwise the flow goes on, and what it carries is
	// classified as it stands.
	ErrorPolicy ExceptionPolicy `yaml:"error-policy"`
	// Protocols holds settings by protocol name.
	Protocols map[string]Protocol `yaml:"protocols"`
}

// Limits bound objects and what is unpacked from them.
type Limits struct {
	// MaxObject bounds the bytes of one object that are inspected.
	MaxObject Size `yaml:"max-object"`
	// MaxDecompressed bounds the unpacked bytes of one object, MaxRatio unpacked
	// bytes per packed byte.
	MaxDecompressed Size `yaml:"max-decompressed"`
	MaxRatio        int  `yaml:"max-ratio" min:"1"`
	// MaxDepth bounds containers in containers, MaxEntries the entries of one.
	MaxDepth   int `yaml:"max-depth" min:"1" max:"64"`
	MaxEntries int `yaml:"max-entries" min:"1"`
	// MaxLayers bounds nested content encodings, MaxParts MIME parts, MaxTx the
	// live transactions of a flow.
	MaxLayers int `yaml:"max-layers" min:"1" max:"64"`
	MaxParts  int `yaml:"max-parts" min:"1"`
	MaxTx     int `yaml:"max-tx" min:"1"`
	// MaxHeader bounds a header block or line.
	MaxHeader Size `yaml:"max-header"`
	// HeldBytes and HeldTime bound what is withheld of a flow while a verdict is
	// computed: bytes beside the frames that complete the object, and how long.
	HeldBytes Size     `yaml:"held-bytes"`
	HeldTime  Duration `yaml:"held-time"`
	// MaxDocument bounds the bytes of a document or archive that are kept to be
	// read as a whole; larger ones are unscannable: too-large. DocumentMemcap
	// bounds what is kept of all of them and of withheld frames.
	MaxDocument    Size `yaml:"max-document"`
	DocumentMemcap Size `yaml:"document-memcap"`
	// DocumentReaders is how many documents are read at once, each in a process of
	// its own; 0 means one a core, two at least. DocumentQueue is how many wait.
	DocumentReaders int `yaml:"document-readers" min:"0" max:"64"`
	DocumentQueue   int `yaml:"document-queue" min:"1"`
	// DocumentPolicy is what happens to the flow of a document that is not read in
	// time, or for want of room, where the policy has no rule for the reasons
	// timeout and overload. Auto ignores it where ports.fail is open.
	DocumentPolicy ExceptionPolicy `yaml:"document-policy"`
}

// Stats says how often counters are reported.
type Stats struct {
	Enabled bool `yaml:"enabled"`
	// Interval is the time between stats events, by the traffic's clock.
	Interval Duration `yaml:"interval"`
	// DecoderEvents and StreamEvents have a counter per kind of anomaly in stats
	// events.
	DecoderEvents bool `yaml:"decoder-events"`
	StreamEvents  bool `yaml:"stream-events"`
	// DecoderEventsPrefix begins the names of those counters.
	DecoderEventsPrefix string `yaml:"decoder-events-prefix"`
}

// PcapFile is for replay.
type PcapFile struct {
	// ChecksumChecks verifies checksums; auto stops where most are wrong.
	ChecksumChecks string `yaml:"checksum-checks" enum:"auto|yes|no"`
}

// Log is the program's own log.
type Log struct {
	Level string `yaml:"level" enum:"debug|info|notice|warning|error"`
	// File is appended to; standard error when empty.
	File string `yaml:"file"`
	// JSON writes one object a line.
	JSON bool `yaml:"json"`
}
