package ftp

import (
	"strings"

	"sluice/dataplane/protocol"
	"sluice/events"
)

// Buffer implements protocol.Parser.
func (p *Parser) Buffer(tx *protocol.Tx, id protocol.BufferID, dir protocol.Dir, i int) ([]byte, bool) {
	c, ok := tx.State.(*Command)
	if !ok || i < 0 {
		return nil, false
	}
	var list [][]byte
	switch slot := id.Slot(); {
	case slot == slotCommand && dir == protocol.ToServer:
		return c.Name, i == 0 && len(c.Name) > 0
	case slot == slotCommandData && dir == protocol.ToServer:
		return c.Data, i == 0 && len(c.Data) > 0
	case slot == slotReply && dir == protocol.ToClient:
		list = c.Replies
	case slot == slotCode && dir == protocol.ToClient:
		list = c.Codes
	}
	if i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// Field gives instance i of a number for the keyword name: ftp.mode (1 active,
// 2 passive), ftp.dynamic_port, ftp.reply_received (0 no, 1 yes; of commands
// only, once it is settled, towards the client) and ftp.reply_code.
func (c *Command) Field(name string, dir protocol.Dir, i int) (uint64, bool) {
	switch name {
	case "ftp.mode":
		return uint64(c.Mode), i == 0 && c.Mode != ModeNone
	case "ftp.dynamic_port":
		return uint64(c.data.port), i == 0 && c.data.port != 0
	case "ftp.reply_received":
		if i != 0 || dir != protocol.ToClient || !c.done || len(c.Name) == 0 {
			return 0, false
		}
		if c.answered {
			return 1, true
		}
		return 0, true
	case "ftp.reply_code":
		if dir != protocol.ToClient || i < 0 || i >= len(c.Codes) {
			return 0, false
		}
		return number(c.Codes[i])
	}
	return 0, false
}

// eveFTP is EVE's ftp object.
type eveFTP struct {
	Command          string   `json:"command,omitempty"`
	CommandData      string   `json:"command_data,omitempty"`
	CommandTruncated bool     `json:"command_truncated"`
	Reply            []string `json:"reply,omitempty"`
	CompletionCode   []string `json:"completion_code,omitempty"`
	DynamicPort      uint16   `json:"dynamic_port,omitempty"`
	Mode             string   `json:"mode,omitempty"`
	ReplyReceived    string   `json:"reply_received"`
	ReplyTruncated   bool     `json:"reply_truncated"`
}

// Secret reports whether Data is what somebody logs in with.
func (c *Command) Secret() bool { return c.verb == cmdSecret && !c.plain && len(c.Data) > 0 }

// masked stands for what was sent to log in.
const masked = "***"

// Record implements protocol.Parser. Passwords are masked, but for those that
// anonymous users send by custom (RFC 1635).
func (p *Parser) Record(tx *protocol.Tx, ev *events.Event) {
	if tx == nil {
		return
	}
	c, ok := tx.State.(*Command)
	if !ok {
		return
	}
	r := eveFTP{
		Command: string(c.Name), CommandData: string(c.Data), CommandTruncated: c.cmdCut,
		DynamicPort: c.data.port, ReplyReceived: "no", ReplyTruncated: c.replyCut,
	}
	if c.Secret() {
		r.CommandData = masked
	}
	if c.answered {
		r.ReplyReceived = "yes"
	}
	switch c.Mode {
	case Active:
		r.Mode = "active"
	case Passive:
		r.Mode = "passive"
	}
	for _, l := range c.Replies {
		r.Reply = append(r.Reply, strings.ToValidUTF8(string(l), "\uFFFD"))
	}
	for _, l := range c.Codes {
		r.CompletionCode = append(r.CompletionCode, string(l))
	}
	ev.SetExtra("ftp", r)
}

var logFTP = []string{"ftp"}

// Log implements protocol.Parser.
func (p *Parser) Log(*protocol.Tx) []string { return logFTP }
