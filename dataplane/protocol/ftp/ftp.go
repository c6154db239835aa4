// Package ftp reads FTP (RFC 959, RFC 1123, RFC 2228, RFC 2428, RFC 3659,
// RFC 4217): the control connection, one transaction a command with its
// replies, and the data connections, each of them one object. It takes ordered
// bytes and gives transactions, objects and announcements of data connections
// (see package expect); it knows nothing of the flows that they will be. What
// is sent to log in can be matched by rules, and is written nowhere.
package ftp

import (
	"bytes"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
)

// The progress of a control transaction towards the server: the command has
// been read; it has been answered, so that what the answer tells is known too.
const (
	Started = iota
	Commanded
	Answered
)

// Replied is the progress towards the client of a transaction whose last reply
// is there, or will not come.
const Replied = 1

// The slots of the control connection's buffers.
const (
	slotCommand = iota
	slotCommandData
	slotReply
	slotCode
)

// Definition describes FTP's control connection. Data connections are
// announced to Env.Objects where that is an expect.Announcer.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, dirs protocol.Dirs, progress uint8, multi bool) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.FTP, slot), Name: name, Dirs: dirs, Progress: progress, Multi: multi}
	}
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.FTP, TCP: true, Ports: []uint16{21, 2121},
		Probe: probe,
		New:   func(*protocol.Env) protocol.Parser { return &Parser{} },
		Buffers: []protocol.BufferSpec{
			spec(slotCommand, "ftp.command", protocol.DirsToServer, Commanded, false),
			spec(slotCommandData, "ftp.command_data", protocol.DirsToServer, Commanded, false),
			spec(slotReply, "ftp.reply", protocol.DirsToClient, Replied, true),
			spec(slotCode, "ftp.completion_code", protocol.DirsToClient, Replied, true),
		},
		Complete: [2]uint8{Answered, Replied},
		States: [2][]string{
			{"request_started", "request_command", "request_complete"},
			{"response_started", "response_complete"},
		},
	}
}

// announcer gives where data connections are announced, nil where nobody
// follows them. It is the one place that knows where to look.
func announcer(env *protocol.Env) expect.Announcer {
	a, _ := env.Objects.(expect.Announcer)
	return a
}

// certain are commands that no other recognised protocol has; a blank at the
// end stands for an argument.
var certain = [...]string{"FEAT", "SYST", "PASV", "EPSV", "EPSV ", "PORT ", "EPRT ", "LPRT ", "CWD ", "PWD", "XPWD", "CDUP", "TYPE ",
	"STOR ", "STOU", "APPE ", "NLST", "MLSD", "MKD ", "RMD ", "RNFR ", "SIZE ", "MDTM ", "REST ", "PBSZ ", "PROT ", "SITE ", "OPTS ", "AUTH TLS", "AUTH SSL", "CLNT "}

// shared are commands that other protocols have as well.
var shared = [...]string{"USER ", "PASS", "PASS ", "ACCT ", "QUIT", "NOOP", "HELP", "STAT", "LIST", "LIST ", "RETR ", "DELE ", "ABOR", "ALLO ", "REIN", "HOST ", "LANG", "AUTH ", "MODE ", "STRU "}

// probe knows a server by a greeting that names the protocol or by a reply to
// USER, and a client by a command that no other protocol has.
func probe(dir protocol.Dir, data []byte) protocol.Certainty {
	answer := protocol.Unsure
	for first := true; len(data) > 0; first = false {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		data = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if dir == protocol.ToClient {
			answer = probeReply(line, whole, first)
		} else {
			answer = probeCommand(line, whole)
		}
		if answer != protocol.Unsure {
			if answer == protocol.NotForUs && !first {
				// A password, or a line of a long greeting: no evidence.
				answer = protocol.Unsure
				continue
			}
			return answer
		}
	}
	return answer
}

func probeCommand(line []byte, whole bool) protocol.Certainty {
	if len(line) > maxLine {
		return protocol.NotForUs
	}
	for _, word := range certain {
		if !hasFold(line, word) {
			continue
		}
		if word[len(word)-1] == ' ' && len(line) > len(word) || len(line) == len(word) && whole {
			return protocol.Certain
		}
	}
	for _, list := range [...][]string{certain[:], shared[:]} {
		for _, word := range list {
			n := min(len(line), len(word))
			if hasFold(line[:n], word[:n]) && (n == len(word) && (word[n-1] == ' ' || len(line) == n) || !whole) {
				return protocol.Unsure
			}
		}
	}
	return protocol.NotForUs
}

func probeReply(line []byte, whole, first bool) protocol.Certainty {
	for i, c := range line[:min(len(line), 3)] {
		if c < '0' || c > '9' || i == 0 && (c == '0' || c > '5') {
			return protocol.NotForUs
		}
	}
	if len(line) < 4 {
		if whole {
			return protocol.NotForUs
		}
		return protocol.Unsure
	}
	if line[3] != ' ' && line[3] != '-' {
		return protocol.NotForUs
	}
	code := string(line[:3])
	if !first {
		switch code {
		case "331", "332", "230", "234", "227", "229", "215", "226":
			return protocol.Certain
		}
		return protocol.Unsure
	}
	upper := bytes.ToUpper(line[:min(len(line), 512)])
	named := bytes.Contains(upper, []byte("FTP")) && !bytes.Contains(upper, []byte("SMTP")) && !bytes.Contains(upper, []byte("LMTP"))
	switch {
	case code != "220" && code != "120" && code != "421" && code != "530" && code != "331" && code != "230":
		return protocol.NotForUs
	case !whole && len(line) <= 512:
		return protocol.Unsure
	case bytes.Contains(upper, []byte("SMTP")) || bytes.Contains(upper, []byte("LMTP")):
		return protocol.NotForUs
	case code == "331", named && (code == "220" || code == "120" || code == "230"):
		return protocol.Certain
	}
	return protocol.Unsure
}

// hasFold reports whether b begins with an upper-case prefix in any case.
func hasFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range prefix {
		c := b[i]
		if c >= 'a' && c <= 'z' {
			c -= 0x20
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}
