package http1

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// methods are those that a request is recognised by even without a protocol at
// the line's end (RFC 9110, WebDAV and its kin).
var methods = [...]string{"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "MERGE", "CHECKOUT",
	"CHECKIN", "UNCHECKOUT", "MKWORKSPACE", "MKACTIVITY", "VERSION-CONTROL", "BASELINE-CONTROL", "LABEL", "UPDATE",
	"ACL", "ORDERPATCH", "BIND", "UNBIND", "REBIND", "LINK", "UNLINK", "PURGE", "M-SEARCH", "NOTIFY", "SUBSCRIBE",
	"UNSUBSCRIBE", "BPROPFIND", "BPROPPATCH", "BMOVE", "BCOPY", "BDELETE", "POLL", "RPC_IN_DATA", "RPC_OUT_DATA", "CCM_POST"}

// plainly are methods that no sibling protocol has, so that a request can be
// recognised before its line is complete.
const plainly = 5

func knownMethod(m []byte) bool {
	for _, k := range methods {
		if string(m) == k {
			return true
		}
	}
	return false
}

// isToken reports whether c may be part of a method or a header's name (RFC
// 9110 §5.6.2).
func isToken(c byte) bool { return tokenChars[c] }

var tokenChars = func() (t [256]bool) {
	for c := byte('0'); c <= 'z'; c++ {
		t[c] = c <= '9' || c >= 'a' || (c >= 'A' && c <= 'Z')
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// Probe recognises requests by method and protocol and responses by their first
// word. RTSP, SIP, ICAP and HTTP/2 have the same shape and other names.
func Probe(dir protocol.Dir, data []byte) protocol.Certainty {
	full := len(data) >= protocol.ProbeDepth
	for len(data) > 0 && (data[0] == '\r' || data[0] == '\n') {
		data = data[1:]
	}
	unsure := protocol.Unsure
	if full {
		unsure = protocol.NotForUs
	}
	if len(data) == 0 {
		return unsure
	}
	if dir == protocol.ToClient {
		const want = "HTTP/"
		n := min(len(data), len(want))
		switch {
		case string(data[:n]) != want[:n]:
			return protocol.NotForUs
		case len(data) <= n:
			return unsure
		case data[n] == '2' || data[n] < '0' || data[n] > '9':
			return protocol.NotForUs
		}
		return protocol.Certain
	}
	sp := 0
	for sp < len(data) && isToken(data[sp]) {
		sp++
	}
	if sp == 0 || sp > 32 {
		return protocol.NotForUs
	}
	if sp == len(data) {
		return unsure
	}
	method, rest := data[:sp], data[sp:]
	if rest[0] != ' ' && rest[0] != '\t' {
		return protocol.NotForUs
	}
	known := knownMethod(method)
	line, _, complete := bytes.Cut(rest, []byte("\n"))
	line = bytes.TrimSpace(line)
	if complete {
		proto := line
		if k := bytes.LastIndexAny(line, " \t"); k >= 0 {
			proto = line[k+1:]
		}
		switch {
		case bytes.HasPrefix(proto, []byte("HTTP/2")) && string(method) == "PRI":
			return protocol.NotForUs
		case hasPrefixFold(proto, "http/") && len(proto) < len(line):
			return protocol.Certain
		case known && len(line) > 0 && !otherProtocol(line):
			return protocol.Certain
		}
		return protocol.NotForUs
	}
	for _, m := range methods[:plainly] {
		if string(method) == m && len(line) > 1 && (line[0] == '/' || hasPrefixFold(line, "http:")) {
			return protocol.Certain
		}
	}
	if full {
		if known && !otherProtocol(line) {
			return protocol.Certain
		}
		return protocol.NotForUs
	}
	return protocol.Unsure
}

// otherProtocol tells a request line of a protocol modelled on HTTP.
func otherProtocol(line []byte) bool {
	for _, p := range []string{"rtsp:", "sip:", "sips:", "icap:", "tel:"} {
		if hasPrefixFold(line, p) {
			return true
		}
	}
	k := bytes.LastIndexByte(line, ' ')
	proto := line[k+1:]
	return k >= 0 && bytes.Contains(proto, []byte("/")) && (bytes.HasPrefix(proto, []byte("RTSP/")) ||
		bytes.HasPrefix(proto, []byte("SIP/")) || bytes.HasPrefix(proto, []byte("ICAP/")))
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 32
	}
	return c
}

// hasPrefixFold compares ASCII without case; p is lower case.
func hasPrefixFold(b []byte, p string) bool {
	if len(b) < len(p) {
		return false
	}
	for i := range len(p) {
		if lower(b[i]) != p[i] {
			return false
		}
	}
	return true
}

func equalFold(b []byte, p string) bool { return len(b) == len(p) && hasPrefixFold(b, p) }

// containsFold looks for p, in lower case, anywhere in b.
func containsFold(b []byte, p string) bool {
	for i := 0; i+len(p) <= len(b); i++ {
		if hasPrefixFold(b[i:], p) {
			return true
		}
	}
	return false
}
