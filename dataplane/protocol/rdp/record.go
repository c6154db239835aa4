package rdp

import (
	"fmt"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// eveRDP is EVE's rdp object.
type eveRDP struct {
	TxID      uint64     `json:"tx_id"`
	EventType string     `json:"event_type"`
	Cookie    string     `json:"cookie,omitempty"`
	Flags     []string   `json:"flags,omitempty"`
	Supports  []string   `json:"server_supports,omitempty"`
	Protocol  string     `json:"protocol,omitempty"`
	ErrorCode *uint32    `json:"error_code,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Client    *eveClient `json:"client,omitempty"`
	Channels  []string   `json:"channels,omitempty"`
}

type eveClient struct {
	Version        string   `json:"version"`
	Width          uint16   `json:"desktop_width"`
	Height         uint16   `json:"desktop_height"`
	Depth          uint16   `json:"color_depth,omitempty"`
	Layout         string   `json:"keyboard_layout"`
	Build          string   `json:"build"`
	Name           string   `json:"client_name,omitempty"`
	Keyboard       string   `json:"keyboard_type,omitempty"`
	Subtype        uint32   `json:"keyboard_subtype,omitempty"`
	FunctionKeys   uint32   `json:"function_keys,omitempty"`
	IME            string   `json:"ime,omitempty"`
	Product        *uint16  `json:"product_id,omitempty"`
	Serial         uint32   `json:"serial_number,omitempty"`
	Capabilities   []string `json:"capabilities,omitempty"`
	ID             string   `json:"id,omitempty"`
	Hint           string   `json:"connection_hint,omitempty"`
	PhysicalWidth  uint32   `json:"physical_width,omitempty"`
	PhysicalHeight uint32   `json:"physical_height,omitempty"`
	Orientation    *uint16  `json:"desktop_orientation,omitempty"`
	Scale          uint32   `json:"scale_factor,omitempty"`
	DeviceScale    uint32   `json:"device_scale_factor,omitempty"`
}

// Mask lets mask replace values in the texts that a client chooses.
func (e *eveRDP) Mask(mask func([]byte) []byte) {
	list := []*string{&e.Cookie}
	if c := e.Client; c != nil {
		list = append(list, &c.Name, &c.ID, &c.IME)
	}
	for i := range e.Channels {
		list = append(list, &e.Channels[i])
	}
	for _, s := range list {
		if *s != "" {
			*s = string(mask([]byte(*s)))
		}
	}
}

var kinds = [...]string{initialRequest: "initial_request", initialResponse: "initial_response", connectRequest: "connect_request",
	connectResponse: "connect_response"}

// The names of bits, from the lowest on; empty for what has none.
var (
	requestFlags  = []string{"restricted_admin_mode_required", "redirected_authentication_mode_required", "", "correlation_info_present"}
	responseFlags = []string{"extended_client_data", "dynvc_gfx", "", "restricted_admin", "redirected_authentication"}
	capabilities  = []string{"support_errinfo_pdf", "want_32bpp_session", "support_statusinfo_pdu", "strong_asymmetric_keys", "",
		"valid_connection_type", "support_monitor_layout_pdu", "support_netchar_autodetect", "support_dynvc_gfx_protocol",
		"support_dynamic_time_zone", "support_heartbeat_pdu"}
)

func flags(v uint16, names []string) (out []string) {
	for i, n := range names {
		if n != "" && v>>i&1 == 1 {
			out = append(out, n)
		}
	}
	return out
}

// protocols are what a server may select (§2.2.1.2.1).
var protocols = map[uint32]string{0: "rdp", 1: "ssl", 2: "hybrid", 4: "rds_tls", 8: "hybrid_ex", 16: "rds_aad"}

// reasons are why a server declines (§2.2.1.2.2).
var reasons = map[uint32]string{1: "ssl required by server", 2: "ssl not allowed by server", 3: "ssl cert not on server", 4: "inconsistent flags",
	5: "hybrid required by server", 6: "ssl with user auth required by server"}

var versions = map[uint32]string{0x80001: "v4", 0x80004: "v5", 0x80005: "v10.0", 0x80006: "v10.1", 0x80007: "v10.2", 0x80008: "v10.3",
	0x80009: "v10.4", 0x8000a: "v10.5", 0x8000b: "v10.6", 0x8000c: "v10.7"}

var builds = map[uint32]string{419: "Windows NT 4.0", 2195: "Windows 2000", 2600: "Windows XP", 3790: "Windows Server 2003", 6000: "Windows Vista",
	6001: "Windows Vista SP1", 6002: "Windows Vista SP2", 7600: "Windows 7", 7601: "Windows 7 SP1", 9200: "Windows 8", 9600: "Windows 8.1",
	10240: "Windows 10", 10586: "Windows 10 Version 1511", 14393: "Windows 10 Version 1607", 15063: "Windows 10 Version 1703",
	16299: "Windows 10 Version 1709", 17134: "Windows 10 Version 1803", 17763: "Windows 10 Version 1809", 18362: "Windows 10 Version 1903",
	18363: "Windows 10 Version 1909", 19041: "Windows 10 Version 2004", 19042: "Windows 10 Version 20H2", 22000: "Windows 11"}

var keyboards = [...]string{1: "xt", "ico", "at", "enhanced", "1050", "9140", "jp"}

var hints = [...]string{1: "modem", "low_broadband", "satellite", "high_broadband", "wan", "lan", "autodetect"}

// layouts are names of locales by identifier ([MS-LCID] §2.2).
var layouts = map[uint32]string{0x401: "ar-SA", 0x402: "bg-BG", 0x404: "zh-TW", 0x405: "cs-CZ", 0x406: "da-DK", 0x407: "de-DE", 0x408: "el-GR",
	0x409: "en-US", 0x40a: "es-ES_tradnl", 0x40b: "fi-FI", 0x40c: "fr-FR", 0x40d: "he-IL", 0x40e: "hu-HU", 0x40f: "is-IS", 0x410: "it-IT",
	0x411: "ja-JP", 0x412: "ko-KR", 0x413: "nl-NL", 0x414: "nb-NO", 0x415: "pl-PL", 0x416: "pt-BR", 0x418: "ro-RO", 0x419: "ru-RU", 0x41a: "hr-HR",
	0x41b: "sk-SK", 0x41c: "sq-AL", 0x41d: "sv-SE", 0x41e: "th-TH", 0x41f: "tr-TR", 0x420: "ur-PK", 0x421: "id-ID", 0x422: "uk-UA", 0x423: "be-BY",
	0x424: "sl-SI", 0x425: "et-EE", 0x426: "lv-LV", 0x427: "lt-LT", 0x429: "fa-IR", 0x42a: "vi-VN", 0x42b: "hy-AM", 0x42c: "az-Latn-AZ",
	0x42d: "eu-ES", 0x42f: "mk-MK", 0x436: "af-ZA", 0x437: "ka-GE", 0x439: "hi-IN", 0x43e: "ms-MY", 0x43f: "kk-KZ", 0x440: "ky-KG", 0x443: "uz-Latn-UZ",
	0x445: "bn-IN", 0x44e: "mr-IN", 0x450: "mn-MN", 0x456: "gl-ES", 0x804: "zh-CN", 0x807: "de-CH", 0x809: "en-GB", 0x80a: "es-MX", 0x80c: "fr-BE",
	0x810: "it-CH", 0x813: "nl-BE", 0x814: "nn-NO", 0x816: "pt-PT", 0x81d: "sv-FI", 0xc04: "zh-HK", 0xc07: "de-AT", 0xc09: "en-AU", 0xc0a: "es-ES",
	0xc0c: "fr-CA", 0x1004: "zh-SG", 0x1007: "de-LU", 0x1009: "en-CA", 0x100c: "fr-CH", 0x1409: "en-NZ", 0x1809: "en-IE", 0x1c09: "en-ZA",
	0x2c0a: "es-AR", 0x340a: "es-CL", 0x240a: "es-CO", 0x4009: "en-IN", 0x4809: "en-SG"}

var logRDP = []string{"rdp"}

// Log implements protocol.Parser.
func (p *Parser) Log(*protocol.Tx) []string { return logRDP }

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	m, ok := tx.State.(*Message)
	if !ok {
		return
	}
	e := &eveRDP{TxID: tx.ID, EventType: kinds[m.kind], Cookie: m.cookie, Channels: m.channels}
	switch m.kind {
	case initialRequest:
		e.Flags = flags(uint16(m.flags), requestFlags)
	case initialResponse:
		switch {
		case m.err != 0:
			e.ErrorCode = &m.err
			if e.Reason = reasons[m.err]; e.Reason == "" {
				e.Reason = fmt.Sprintf("unknown reason %d", m.err)
			}
		case m.negotiated:
			e.Supports = flags(uint16(m.flags), responseFlags)
			if e.Protocol = protocols[m.selected]; e.Protocol == "" {
				e.Protocol = fmt.Sprintf("unknown %d", m.selected)
			}
		}
	}
	if m.client != nil {
		e.Client = m.client.eve()
	}
	ev.SetExtra("rdp", e)
}

func (c *client) eve() *eveClient {
	e := &eveClient{Version: versions[c.version], Width: c.width, Height: c.height, Depth: c.depth, Layout: layouts[c.layout], Build: builds[c.build],
		Name: c.name, Subtype: c.subtype, FunctionKeys: c.functionKeys, IME: c.ime, Product: c.product, Serial: c.serial,
		Capabilities: flags(c.capabilities, capabilities), ID: c.id, PhysicalWidth: c.physicalWidth, PhysicalHeight: c.physicalHeight,
		Orientation: c.orientation, Scale: c.scale, DeviceScale: c.deviceScale}
	if e.Version == "" {
		e.Version = "unknown"
	}
	if e.Layout == "" {
		e.Layout = fmt.Sprintf("0x%x", c.layout)
	}
	if e.Build == "" {
		e.Build = fmt.Sprintf("unknown %d", c.build)
	}
	if c.keyboard < uint32(len(keyboards)) {
		e.Keyboard = keyboards[c.keyboard]
	}
	if int(c.hint) < len(hints) {
		e.Hint = hints[c.hint]
	}
	return e
}
