package sip

import "bytes"

// maxLines bounds the lines that are kept of a description.
const maxLines = 512

// SDP is a session description (RFC 8866 §5): its lines in order.
type SDP struct {
	lines []sdpLine
	// media counts its media; cut tells that there were more lines than are kept.
	media int
	cut   bool
}

// sdpLine is one line of a description.
type sdpLine struct {
	typ byte
	// media is the number of the media that it is of, from 1; 0 for the session.
	media int
	value []byte
}

// parseSDP reads a description. sound reports whether it is one: every line of it
// has the shape, and it begins as one. What there is of another is read all the
// same. It points into b.
func parseSDP(b []byte) (d *SDP, sound bool) {
	d, sound = &SDP{}, bytes.HasPrefix(skipBlank(b), []byte("v="))
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		if line = trimEOL(line); len(line) == 0 {
			continue
		}
		if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
			sound = false
			continue
		}
		if len(d.lines) >= maxLines {
			// What is not kept was not read either: it is text like any other.
			d.cut, sound = true, false
			break
		}
		if line[0] == 'm' {
			d.media++
		}
		d.lines = append(d.lines, sdpLine{line[0], d.media, line[2:]})
	}
	return d, sound
}

// scope says which lines of a type are meant.
type scope uint8

// The scopes.
const (
	ofSession scope = iota
	ofMedia
	ofAny
)

func (l *sdpLine) in(s scope) bool { return s == ofAny || (l.media > 0) == (s == ofMedia) }

// get gives instance i of the lines of a type and scope.
func (d *SDP) get(typ byte, s scope, i int) ([]byte, bool) {
	if d == nil {
		return nil, false
	}
	for k := range d.lines {
		if l := &d.lines[k]; l.typ == typ && l.in(s) {
			if i == 0 {
				return l.value, true
			}
			i--
		}
	}
	return nil, false
}

// knownAttributes are attributes of media that are no text: numbers, tokens, keys.
var knownAttributes = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range bytes.Fields([]byte(`acap bundle-only candidate connection content creq crypto csup curr des conf direction
		end-of-candidates extmap extmap-allow-mixed fingerprint floorctrl fmtp framerate framesize group ice-lite ice-mismatch
		ice-options ice-pacing ice-pwd ice-ufrag identity imageattr inactive key-mgmt label maxprate maxptime
		max-message-size maxsize mid mptime msid msid-semantic orient pcfg ptime quality range recvonly
		remote-candidates rid rtcp rtcp-fb rtcp-mux rtcp-mux-only rtcp-rsize rtcp-xr rtpmap sctp-port sctpmap sendonly
		sendrecv setup silencesupp simulcast source-filter sqn ssrc ssrc-group sync-time t38faxfillbitremoval t38faxmaxbuffer
		t38faxmaxdatagram t38faxratemanagement t38faxtranscodingjbig t38faxtranscodingmmr t38faxudpec t38faxversion
		t38maxbitrate tcap tls-id ts-refclk mediaclk type`)) {
		m[string(n)] = true
	}
	return m
}()

// freeText gives the lines that hold a sender's own text; addresses, times and
// keys, which make up most of a description, are left out.
func (d *SDP) freeText() (text []byte) {
	for i := range d.lines {
		l := &d.lines[i]
		switch l.typ {
		case 'v', 'o', 'c', 'b', 't', 'r', 'z', 'k', 'm':
			continue
		case 's':
			if len(l.value) <= 1 {
				continue // a name that stands for none
			}
		case 'a':
			name, _, _ := bytes.Cut(l.value, []byte(":"))
			if knownAttributes[string(bytes.ToLower(name[:min(len(name), 40)]))] {
				continue
			}
		}
		text = append(append(append(text, l.typ, '='), l.value...), '\n')
	}
	return text
}
