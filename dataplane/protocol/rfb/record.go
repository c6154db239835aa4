package rfb

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// Results of security (RFC 6143 §7.1.3; "too many tries" is TightVNC's).
const (
	resultOK      = 0
	resultFailed  = 1
	resultTooMany = 2
	// ResultUnknown stands for any other where a rule names it.
	ResultUnknown = 3
)

// Handshake is the State of the transaction.
type Handshake struct {
	// Versions are what each end has said: major and minor number as sent.
	Versions [2][2]string
	// Security is the type of security, where chosen.
	Security uint32
	chosen   bool
	// Challenge and Response are those of VNC's authentication.
	Challenge, Response   [16]byte
	challenged, responded bool
	Result                uint32
	judged                bool
	Reason                string
	Shared, shared        bool
	// Width, Height, Format and Name describe the desktop.
	Width, Height uint16
	Format        [16]byte
	Name          []byte
	described     bool
}

// minor gives the version that a connection goes by: 3, 7 or 8 (§7.1.1). It is the
// client's word, and the server's until then.
func (h *Handshake) minor() int {
	v := h.Versions[protocol.ToServer]
	if v[0] == "" {
		v = h.Versions[protocol.ToClient]
	}
	switch {
	case v[0] > "003" || v[1] >= "008" && v[0] == "003":
		return 8
	case v == [2]string{"003", "007"}:
		return 7
	}
	return 3
}

// init reads a ServerInit (§7.3.2).
func (h *Handshake) init(b []byte) {
	h.Width, h.Height = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	h.Format = [16]byte(b[4:20])
	h.Name = append([]byte(nil), b[24:]...)
	h.described = true
}

// Field gives a number for the keyword name: rfb.sectype, which is the client's to
// choose, and rfb.secresult, the server's.
func (h *Handshake) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	switch {
	case name == "rfb.sectype" && dir == protocol.ToServer && i == 0:
		return uint64(h.Security), h.chosen
	case name == "rfb.secresult" && dir == protocol.ToClient && i == 0:
		return uint64(h.Result), h.judged
	case name == "rfb.secresult" && dir == protocol.ToClient && i == 1:
		return ResultUnknown, h.judged && h.Result > ResultUnknown
	}
	return 0, false
}

// eveRFB is EVE's rfb object.
type eveRFB struct {
	Server *eveVersion `json:"server_protocol_version,omitempty"`
	Client *eveVersion `json:"client_protocol_version,omitempty"`
	Auth   *eveAuth    `json:"authentication,omitempty"`
	Reason string      `json:"server_security_failure_reason,omitempty"`
	Shared *bool       `json:"screen_shared,omitempty"`
	Frame  *eveFrame   `json:"framebuffer,omitempty"`
}

type eveVersion struct {
	Major string `json:"major"`
	Minor string `json:"minor"`
}

type eveAuth struct {
	Type   *uint32 `json:"security_type,omitempty"`
	VNC    *eveVNC `json:"vnc,omitempty"`
	Result string  `json:"security_result,omitempty"`
}

type eveVNC struct {
	Challenge string `json:"challenge"`
	Response  string `json:"response,omitempty"`
}

type eveFrame struct {
	Width  uint16    `json:"width"`
	Height uint16    `json:"height"`
	Name   string    `json:"name"`
	Format eveFormat `json:"pixel_format"`
}

type eveFormat struct {
	Bits       uint8  `json:"bits_per_pixel"`
	Depth      uint8  `json:"depth"`
	BigEndian  bool   `json:"big_endian"`
	TrueColor  bool   `json:"true_color"`
	RedMax     uint16 `json:"red_max"`
	GreenMax   uint16 `json:"green_max"`
	BlueMax    uint16 `json:"blue_max"`
	RedShift   uint8  `json:"red_shift"`
	GreenShift uint8  `json:"green_shift"`
	BlueShift  uint8  `json:"blue_shift"`
}

// Mask hides the response to a challenge: it tells the password, of eight letters, to
// whoever has the challenge and a few minutes.
func (e *eveRFB) Mask(func([]byte) []byte) {
	if e.Auth != nil && e.Auth.VNC != nil && e.Auth.VNC.Response != "" {
		e.Auth.VNC.Response = "***"
	}
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	h, ok := tx.State.(*Handshake)
	if !ok {
		return
	}
	version := func(dir protocol.Dir) *eveVersion {
		if v := h.Versions[dir]; v[0] != "" {
			return &eveVersion{v[0], v[1]}
		}
		return nil
	}
	e := &eveRFB{Server: version(protocol.ToClient), Client: version(protocol.ToServer), Reason: h.Reason}
	if h.chosen || h.challenged || h.judged {
		a := &eveAuth{}
		if h.chosen {
			v := h.Security
			a.Type = &v
		}
		if h.challenged {
			a.VNC = &eveVNC{Challenge: hex.EncodeToString(h.Challenge[:])}
			if h.responded {
				a.VNC.Response = hex.EncodeToString(h.Response[:])
			}
		}
		if h.judged {
			a.Result = resultName(h.Result)
		}
		e.Auth = a
	}
	if h.shared {
		v := h.Shared
		e.Shared = &v
	}
	if h.described {
		f := h.Format[:]
		e.Frame = &eveFrame{Width: h.Width, Height: h.Height, Name: text(h.Name), Format: eveFormat{
			Bits: f[0], Depth: f[1], BigEndian: f[2] != 0, TrueColor: f[3] != 0,
			RedMax: binary.BigEndian.Uint16(f[4:]), GreenMax: binary.BigEndian.Uint16(f[6:]), BlueMax: binary.BigEndian.Uint16(f[8:]),
			RedShift: f[10], GreenShift: f[11], BlueShift: f[12]}}
	}
	ev.SetExtra("rfb", e)
}

func resultName(v uint32) string {
	switch v {
	case resultOK:
		return "OK"
	case resultFailed:
		return "FAIL"
	case resultTooMany:
		return "TOOMANY"
	}
	return fmt.Sprintf("UNKNOWN (%d)", v)
}

// text gives bytes for an event: where they are not UTF-8, those that are no
// printable ASCII are escaped, as in Suricata's records.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for _, c := range b {
		if c >= ' ' && c < 0x7f {
			s.WriteByte(c)
		} else {
			fmt.Fprintf(&s, `\x%02x`, c)
		}
	}
	return s.String()
}

var logRFB = []string{"rfb"}

// Log implements protocol.Parser: the handshake has a record.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if _, ok := tx.State.(*Handshake); ok {
		return logRFB
	}
	return nil
}
