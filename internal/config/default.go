package config

import "time"

// Default gives the configuration that holds without a file.
func Default() *Config {
	sec := func(n int) Duration { return Duration(time.Duration(n) * time.Second) }
	return &Config{
		Ports:          Ports{Fail: "open", XDP: "auto", Capture: Capture{Buffer: 32 * mib, BusyPoll: Duration(100 * time.Microsecond)}},
		Overload:       Overload{Shed: "auto", Order: []string{"encrypted", "download"}, Past: mib, High: 50, Low: 10, Calm: sec(5), MaxFlows: 1024},
		Vars:           defaultVars(),
		Datasets:       Datasets{Enabled: true, Memcap: 100 * mib, MaxTotal: 16 << 20},
		ActionOrder:    []string{"pass", "drop", "reject", "alert"},
		PacketAlertMax: 15,
		Detect:         Detect{InspectionRecursionLimit: 20000},
		PCRE:           PCRE{MatchLimit: 3500, MatchLimitRecursion: 1500},
		FastPath: FastPath{Malformed: Malformed{LAND: "auto", TCPFlags: "auto", Length: "auto"},
			MaxPrefixes: 1 << 20, MaxFlows: 1 << 16, MaxSources: 1 << 16, MaxQuarantined: 1 << 16, Samples: 10},
		Quarantine: Quarantine{TTL: sec(24 * 3600)},
		Stream: Stream{Memcap: 256 * mib, MemcapPolicy: Auto, Midstream: "auto", MidstreamPolicy: Auto, Inline: "auto", AsyncOneside: "auto", DropInvalid: true,
			ChecksumValidation: true, MaxSynackQueued: 5,
			Reassembly: Reassembly{Memcap: 512 * mib, MemcapPolicy: Auto, Raw: true, Urgent: Urgent{Policy: "oob", OOBLimitPolicy: "drop"}}},
		Defrag: Defrag{Memcap: 32 * mib, MemcapPolicy: Auto, Trackers: 65535, MaxFrags: 65535, Timeout: sec(60)},
		Flow:   Flow{Memcap: 256 * mib, MemcapPolicy: Auto, EmergencyRecovery: 30},
		FlowTimeouts: FlowTimeouts{
			Default: Timeouts{New: sec(30), Established: sec(300), Closed: sec(0), Bypassed: sec(100),
				EmergencyNew: sec(10), EmergencyEstablished: sec(100), EmergencyClosed: sec(0), EmergencyBypassed: sec(50)},
			TCP: Timeouts{New: sec(60), Established: sec(600), Closed: sec(60), Bypassed: sec(100),
				EmergencyNew: sec(5), EmergencyEstablished: sec(100), EmergencyClosed: sec(10), EmergencyBypassed: sec(50)},
			UDP: Timeouts{New: sec(30), Established: sec(300), Bypassed: sec(100),
				EmergencyNew: sec(10), EmergencyEstablished: sec(100), EmergencyBypassed: sec(50)},
			ICMP: Timeouts{New: sec(30), Established: sec(300), Bypassed: sec(100),
				EmergencyNew: sec(10), EmergencyEstablished: sec(100), EmergencyBypassed: sec(50)},
		},
		VLAN: VLAN{UseForTracking: true},
		Decoder: Decoder{Teredo: Tunnel{Enabled: true, Ports: "$TEREDO_PORTS"}, VXLAN: Tunnel{Enabled: true, Ports: "$VXLAN_PORTS"},
			Geneve: Tunnel{Enabled: true, Ports: "$GENEVE_PORTS"}, GTP: Tunnel{Enabled: true, Ports: "2152"}, MaxLayers: 16, RecursionLevel: RecursionLevel{UseForTracking: true}},
		AppLayer:        AppLayer{ErrorPolicy: Auto},
		ExceptionPolicy: Auto,
		Limits: Limits{MaxObject: 1 << 30, MaxDecompressed: 256 * mib, MaxRatio: 1024, MaxDepth: 8, MaxEntries: 10000,
			MaxLayers: 4, MaxParts: 1000, MaxTx: 512, MaxHeader: 64 * kib, HeldBytes: 64 * kib, HeldTime: sec(10),
			MaxDocument: 32 * mib, DocumentMemcap: 256 * mib, DocumentQueue: 256, DocumentPolicy: Auto},
		Outputs: Outputs{
			EVE: EVE{Filetype: "regular", Filename: "eve.json", Identity: "sluice", Facility: "local5", Level: "info", Types: EVETypes{All: true}, Metadata: true,
				XFF: XFF{Mode: "extra-data", Deployment: "reverse", Header: "X-Forwarded-For"}},
			OCSF: OCSF{Filename: "ocsf.json"},
			NATS: NATS{Stream: "SLUICE_EVENTS", SubjectPrefix: "sluice.events", StreamMaxSize: 1 << 30,
				StreamMaxAge: sec(7 * 24 * 3600), SpoolMaxSize: 256 * mib, Embedded: Embedded{MaxSize: 2 << 30}},
			Metrics:   Metrics{Enabled: true, Listen: "127.0.0.1:9469"},
			Evidence:  Evidence{MaxSize: 10 << 30},
			FileStore: FileStore{Version: 2, Dir: "filestore", MaxOpenFiles: 128, MaxSize: 10 << 30, MaxFileSize: 1 << 30, PendingSize: 16 << 20, PendingMemory: 128 << 20},
			Queue:     65536,
			Aggregate: Aggregate{Burst: 10, Window: sec(10)},
		},
		Stats:         Stats{Enabled: true, Interval: sec(8), DecoderEvents: true, StreamEvents: true, DecoderEventsPrefix: "decoder.event"},
		PcapFile:      PcapFile{ChecksumChecks: "auto"},
		Log:           Log{Level: "notice"},
		CacheDir:      "/var/cache/sluice",
		StateDir:      "/var/lib/sluice",
		LogDir:        "/var/log/sluice",
		ControlSocket: "/run/sluice/control.sock",
	}
}
