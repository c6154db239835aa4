package dnp3

import (
	"sluice/dataplane/protocol"
	"sluice/events"
)

// Functions that are not as others (IEEE 1815 §4.2.2.5).
const (
	funcConfirm     = 0
	funcResponse    = 129
	funcUnsolicited = 130
)

var functionNames = map[string]uint64{"confirm": 0, "read": 1, "write": 2, "select": 3, "operate": 4, "direct_operate": 5, "direct_operate_nr": 6,
	"immed_freeze": 7, "immed_freeze_nr": 8, "freeze_clear": 9, "freeze_clear_nr": 10, "freeze_at_time": 11, "freeze_at_time_nr": 12,
	"cold_restart": 13, "warm_restart": 14, "initialize_data": 15, "initialize_appl": 16, "start_appl": 17, "stop_appl": 18, "save_config": 19,
	"enable_unsolicited": 20, "disable_unsolicited": 21, "assign_class": 22, "delay_measure": 23, "record_current_time": 24, "open_file": 25,
	"close_file": 26, "delete_file": 27, "get_file_info": 28, "authenticate_file": 29, "abort_file": 30, "activate_config": 31,
	"authenticate_req": 32, "authenticate_err": 33, "response": 129, "unsolicited_response": 130, "authenticate_resp": 131}

// FunctionCodes gives the functions by the names that rules have for them. The map
// must not be changed.
func FunctionCodes() map[string]uint64 { return functionNames }

// Indicator is an internal indication (IEEE 1815 §4.2.2.6).
type Indicator struct {
	Name string
	Bit  uint16
}

// Indicators are all of them; the first byte's are in the upper half.
var Indicators = [...]Indicator{{"all_stations", 0x0100}, {"class_1_events", 0x0200}, {"class_2_events", 0x0400}, {"class_3_events", 0x0800},
	{"need_time", 0x1000}, {"local_control", 0x2000}, {"device_trouble", 0x4000}, {"device_restart", 0x8000}, {"no_func_code_support", 0x0001},
	{"object_unknown", 0x0002}, {"parameter_error", 0x0004}, {"event_buffer_overflow", 0x0008}, {"already_executing", 0x0010},
	{"config_corrupt", 0x0020}, {"reserved_2", 0x0040}, {"reserved_1", 0x0080}}

// maxPoints bounds the points of a record.
const maxPoints = 1024

type eveDNP3 struct {
	Type        string         `json:"type"`
	Control     eveLink        `json:"control"`
	Src         uint16         `json:"src"`
	Dst         uint16         `json:"dst"`
	Application eveApplication `json:"application"`
	IIN         *eveIIN        `json:"iin,omitempty"`
}

// eveAlert is the form within alerts.
type eveAlert struct {
	Request  *eveDNP3 `json:"request,omitempty"`
	Response *eveDNP3 `json:"response,omitempty"`
}

type eveLink struct {
	Dir          bool `json:"dir"`
	Pri          bool `json:"pri"`
	FCB          bool `json:"fcb"`
	FCV          bool `json:"fcv"`
	FunctionCode byte `json:"function_code"`
}

type eveApplication struct {
	Control      eveControl  `json:"control"`
	FunctionCode byte        `json:"function_code"`
	Objects      []eveObject `json:"objects,omitempty"`
	Complete     bool        `json:"complete"`
}

type eveControl struct {
	Fir      bool `json:"fir"`
	Fin      bool `json:"fin"`
	Con      bool `json:"con"`
	Uns      bool `json:"uns"`
	Sequence byte `json:"sequence"`
}

type eveIIN struct {
	Indicators []string `json:"indicators"`
}

type eveObject struct {
	Group      byte             `json:"group"`
	Variation  byte             `json:"variation"`
	Qualifier  byte             `json:"qualifier"`
	PrefixCode byte             `json:"prefix_code"`
	RangeCode  byte             `json:"range_code"`
	Start      uint32           `json:"start"`
	Stop       uint32           `json:"stop"`
	Count      uint32           `json:"count"`
	Points     []map[string]any `json:"points,omitempty"`
}

// Mask lets mask replace values in text.
func (e *eveDNP3) Mask(mask func([]byte) []byte) {
	for _, o := range e.Application.Objects {
		for _, p := range o.Points {
			for k, v := range p {
				if s, ok := v.(string); ok && s != hidden {
					p[k] = string(mask([]byte(s)))
				}
			}
		}
	}
}

// Mask is that of the record within.
func (e eveAlert) Mask(mask func([]byte) []byte) {
	for _, r := range []*eveDNP3{e.Request, e.Response} {
		if r != nil {
			r.Mask(mask)
		}
	}
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	f, ok := tx.State.(*Fragment)
	if !ok {
		return
	}
	r := f.record()
	switch {
	case ev.Type == "" || ev.Type == "dnp3":
		ev.SetExtra("dnp3", r)
	case f.Response():
		ev.SetExtra("dnp3", eveAlert{Response: r})
	default:
		ev.SetExtra("dnp3", eveAlert{Request: r})
	}
}

func (f *Fragment) record() *eveDNP3 {
	c := f.Link.Control
	r := &eveDNP3{Type: "request", Src: f.Link.Src, Dst: f.Link.Dst,
		Control: eveLink{Dir: c&bitFromMaster != 0, Pri: c&bitPrimary != 0, FCB: c&bitFCB != 0, FCV: c&bitFCV != 0, FunctionCode: c & maskFunction}}
	a := &r.Application
	a.Control = eveControl{Fir: f.Control&0x80 != 0, Fin: f.Control&0x40 != 0, Con: f.Control&0x20 != 0, Uns: f.Control&0x10 != 0, Sequence: f.Control & 0x0f}
	a.FunctionCode, a.Complete = f.Function, f.Complete
	if f.Response() {
		r.Type = "response"
		if f.Function == funcUnsolicited {
			r.Type = "unsolicited_response"
		}
		r.IIN = &eveIIN{Indicators: []string{}}
		for _, i := range Indicators {
			if f.IIN&i.Bit != 0 {
				r.IIN.Indicators = append(r.IIN.Indicators, i.Name)
			}
		}
	}
	left := maxPoints
	for i := range f.Objects {
		o := &f.Objects[i]
		e := eveObject{Group: o.Group, Variation: o.Variation, Qualifier: o.Qualifier, PrefixCode: o.Prefix(), RangeCode: o.Range(), Start: o.Start, Stop: o.Stop, Count: o.Count}
		f.points(o, func(p *point) bool {
			if left > 0 {
				left--
				e.Points = append(e.Points, p.record())
			}
			return left > 0
		})
		a.Objects = append(a.Objects, e)
	}
	return r
}

var logDNP3 = []string{"dnp3"}

// Log implements protocol.Parser. That a message has arrived is no news.
func (p *Parser) Log(tx *protocol.Tx) []string {
	if f, ok := tx.State.(*Fragment); ok && f.Function != funcConfirm {
		return logDNP3
	}
	return nil
}
