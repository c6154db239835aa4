package dcerpc

import (
	"strconv"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// Record is EVE's dcerpc object, of a flow's own transaction or of one of SMB.
type Record struct {
	Request    string            `json:"request"`
	Opnum      *uint16           `json:"opnum,omitempty"`
	Req        *RecordSide       `json:"req,omitempty"`
	Response   string            `json:"response"`
	Res        *RecordSide       `json:"res,omitempty"`
	Interfaces []RecordInterface `json:"interfaces,omitempty"`
	CallID     *uint32           `json:"call_id,omitempty"`
	Activity   string            `json:"activityuuid,omitempty"`
	Seq        *uint32           `json:"seqnum,omitempty"`
	Version    string            `json:"rpc_version,omitempty"`
}

// RecordSide is what was sent in a direction.
type RecordSide struct {
	Opnum *uint16 `json:"opnum,omitempty"`
	Frags int     `json:"frag_cnt"`
	Size  int     `json:"stub_data_size"`
}

// RecordInterface is an interface that was offered or is called.
type RecordInterface struct {
	UUID    string  `json:"uuid"`
	Version string  `json:"version"`
	Result  *uint16 `json:"ack_result,omitempty"`
	Reason  *uint16 `json:"ack_reason,omitempty"`
}

// Describe gives the record of a call; unanswered is what stands for a response
// that was not seen.
func (c *Call) Describe(unanswered string) *Record {
	id := c.ID
	r := &Record{Request: "REQUEST_LOST", Response: unanswered, CallID: &id}
	if c.Has[protocol.ToServer] {
		t := c.Types[protocol.ToServer]
		r.Request = typeName(t)
		if t == typeRequest {
			r.Req = &RecordSide{Frags: c.Frags[protocol.ToServer], Size: c.Size[protocol.ToServer]}
		}
		if !c.udp {
			r.Interfaces = c.interfaces(t != typeRequest)
		}
	}
	if c.Has[protocol.ToClient] {
		t := c.Types[protocol.ToClient]
		r.Response = typeName(t)
		if t == typeResponse {
			r.Res = &RecordSide{Frags: c.Frags[protocol.ToClient], Size: c.Size[protocol.ToClient]}
		}
	}
	return r
}

func (c *Call) interfaces(results bool) (list []RecordInterface) {
	for _, i := range c.ifaces {
		e := RecordInterface{UUID: i.UUID().String(), Version: strconv.Itoa(int(i.Version)) + "." + strconv.Itoa(int(i.Minor))}
		if i.Acked && results {
			result, reason := i.Result, i.Reason
			e.Result, e.Reason = &result, &reason
		}
		list = append(list, e)
	}
	return list
}

// Record implements protocol.Parser.
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	c, ok := tx.State.(*Call)
	if !ok {
		return
	}
	r := c.Describe("RESPONSE_LOST")
	opnum := c.Opnum
	if r.Req != nil {
		r.Req.Opnum = &opnum
	}
	r.Version = "5." + strconv.Itoa(int(c.Minor))
	if c.udp {
		seq := c.seq
		r.Version, r.Activity, r.Seq, r.CallID = "4.0", c.activity.String(), &seq, nil
	}
	ev.SetExtra("dcerpc", r)
}

var logDCERPC = []string{"dcerpc"}

// Log implements protocol.Parser.
func (p *Parser) Log(*protocol.Tx) []string { return logDCERPC }
