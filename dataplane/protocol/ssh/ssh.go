// Package ssh reads the clear beginning of SSH (RFC 4253): the identification
// lines and the offers of algorithms, of which it makes HASSH fingerprints. It
// takes ordered bytes and gives one transaction a flow. From the change of keys
// on it wants nothing more: what follows is encrypted.
package ssh

import (
	"bytes"

	"sluice/dataplane/protocol"
)

// The progress of a direction: nothing yet, an identification line that is
// longer than allowed and has not ended, the line read, the offer of algorithms
// read (or none to come).
const (
	InProgress = iota
	BannerWaitEOL
	BannerDone
	Finished
)

// The slots of the buffers.
const (
	slotProto = iota
	slotSoftware
	slotHassh
	slotHasshString
	slotHasshServer
	slotHasshServerString
)

// Definition describes SSH.
func Definition() *protocol.Definition {
	spec := func(slot uint8, name string, dirs protocol.Dirs, progress uint8) protocol.BufferSpec {
		return protocol.BufferSpec{ID: protocol.Buffer(protocol.SSH, slot), Name: name, Dirs: dirs, Progress: progress}
	}
	return &protocol.Definition{
		Events: eventNames,
		ID:     protocol.SSH, TCP: true, Ports: []uint16{22, 2222},
		Probe:  probe,
		New:    func(*protocol.Env) protocol.Parser { return &Parser{} },
		Frames: frames[:],
		Buffers: []protocol.BufferSpec{
			spec(slotProto, "ssh.proto", protocol.DirsBoth, BannerDone),
			spec(slotSoftware, "ssh.software", protocol.DirsBoth, BannerDone),
			spec(slotHassh, "ssh.hassh", protocol.DirsToServer, Finished),
			spec(slotHasshString, "ssh.hassh.string", protocol.DirsToServer, Finished),
			spec(slotHasshServer, "ssh.hassh.server", protocol.DirsToClient, Finished),
			spec(slotHasshServerString, "ssh.hassh.server.string", protocol.DirsToClient, Finished),
		},
		Complete: [2]uint8{Finished, Finished},
		States: [2][]string{
			{"request_in_progress", "request_banner_wait_eol", "request_banner_done", "request_finished"},
			{"response_in_progress", "response_banner_wait_eol", "response_banner_done", "response_finished"},
		},
	}
}

// probe knows the identification line. Servers may send other lines first
// (RFC 4253 §4.2); such flows are known by their client.
func probe(_ protocol.Dir, data []byte) protocol.Certainty {
	const key = "SSH-"
	n := min(len(data), len(key))
	if string(data[:n]) != key[:n] {
		return protocol.NotForUs
	}
	switch {
	case len(data) < 6:
		return protocol.Unsure
	case (data[4] == '1' || data[4] == '2') && data[5] == '.':
		return protocol.Certain
	}
	return protocol.NotForUs
}

// Bounds of what is kept.
const (
	// maxBanner is the longest identification line, without its end (RFC 4253
	// §4.2 has 255 characters with it).
	maxBanner = 253
	// maxPreface bounds the bytes a server sends before its identification line.
	maxPreface = 16 << 10
	// maxPacket is the longest packet believed in; implementations must take
	// 35,000 bytes (RFC 4253 §6.1) and OpenSSH takes this many.
	maxPacket = 256 << 10
)

// Message numbers (RFC 4250 §4.1.2).
const (
	msgKexInit = 20
	msgNewKeys = 21
)

// Peer is what one end has said of itself.
type Peer struct {
	// Proto and Software are the identification line's versions; empty before
	// it. The comment behind a blank is no part of the software's version.
	Proto, Software []byte
	// Hassh is the fingerprint of Algorithms, in hexadecimal; both are empty
	// before the end's offer.
	Hassh, Algorithms []byte
}

// Session is the State of a flow's only transaction.
type Session struct {
	// Peers are the client and the server.
	Peers [2]Peer
}

// stage says what a direction's next bytes are.
type stage uint8

const (
	stBanner stage = iota
	stBannerRest
	stHeader
	stKexInit
	stBody
	stDone
)

// side is one direction.
type side struct {
	stage   stage
	line    []byte
	preface int
	header  [6]byte
	have    int
	// left counts the bytes of the packet that are still to come.
	left    int
	padding int
	message byte
	offer   []byte
	offered bool
}

// Parser is the SSH of one flow.
type Parser struct {
	txs  protocol.TxList
	tx   *protocol.Tx
	side [2]side
}

// Txs implements protocol.Parser.
func (p *Parser) Txs() *protocol.TxList { return &p.txs }

// session gives the flow's transaction.
func (p *Parser) session(env *protocol.Env) *Session {
	if p.tx == nil {
		p.tx = p.txs.Add(&Session{}, env.Now)
	}
	return p.tx.State.(*Session)
}

func (p *Parser) reach(dir protocol.Dir, progress uint8) {
	p.tx.Progress[dir] = max(p.tx.Progress[dir], progress)
}

// Parse implements protocol.Parser.
func (p *Parser) Parse(env *protocol.Env, dir protocol.Dir, data []byte) protocol.Status {
	p.session(env)
	s := &p.side[dir]
	for len(data) > 0 && s.stage != stDone {
		var st protocol.Status
		switch s.stage {
		case stBanner:
			data, st = p.banner(env, dir, data)
		case stBannerRest:
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				return protocol.Continue
			}
			data = data[i+1:]
			s.stage = stHeader
			p.reach(dir, BannerDone)
			p.first(env, dir)
		case stHeader:
			data, st = p.packet(env, dir, data)
		case stKexInit:
			n := min(len(data), s.left)
			s.offer = append(s.offer, data[:n]...)
			data = data[n:]
			if s.left -= n; s.left == 0 {
				p.kexInit(env, dir)
				s.stage = stHeader
			}
		case stBody:
			n := min(len(data), s.left)
			data = data[n:]
			s.left -= n
			p.bodyEnd(dir)
		}
		if st == protocol.Error {
			p.finish(dir)
			return st
		}
	}
	if s.stage == stDone {
		return protocol.Skip
	}
	return protocol.Continue
}

// finish ends what is read of a direction.
func (p *Parser) finish(dir protocol.Dir) {
	s := &p.side[dir]
	s.stage, s.line, s.offer = stDone, nil, nil
	p.reach(dir, Finished)
}

// Gap implements protocol.Parser. What comes after a hole cannot be told apart
// from encrypted bytes.
func (p *Parser) Gap(env *protocol.Env, dir protocol.Dir, n uint64) protocol.Status {
	p.session(env)
	s := &p.side[dir]
	if s.stage == stBody && n <= uint64(s.left) {
		s.left -= int(n)
		if p.bodyEnd(dir); s.stage != stDone {
			return protocol.Continue
		}
	}
	p.finish(dir)
	return protocol.Skip
}

// bodyEnd goes on to the next packet when one has ended.
func (p *Parser) bodyEnd(dir protocol.Dir) {
	s := &p.side[dir]
	if s.left > 0 {
		return
	}
	if s.stage = stHeader; s.message == msgNewKeys {
		p.finish(dir)
	}
}

// End implements protocol.Parser.
func (p *Parser) End(env *protocol.Env, dir protocol.Dir) {
	s := &p.side[dir]
	if p.tx == nil {
		return
	}
	if s.stage == stBanner && len(s.line) > 0 {
		p.identify(env, dir, s.line)
	}
	p.finish(dir)
}

// banner takes the identification line and, of a server, lines before it.
func (p *Parser) banner(env *protocol.Env, dir protocol.Dir, data []byte) (rest []byte, st protocol.Status) {
	s := &p.side[dir]
	i := bytes.IndexByte(data, '\n')
	n := i + 1
	if i < 0 {
		n = len(data)
	}
	// One byte more than fits, and the line's end, show what is too long.
	s.line = append(s.line, data[:min(n, maxBanner+3-len(s.line))]...)
	s.preface += n
	if isBanner := bytes.HasPrefix(s.line, []byte("SSH-")); !isBanner && len(s.line) >= 4 || i >= 0 && !isBanner {
		if dir == protocol.ToServer || s.preface > maxPreface {
			p.tx.AddEvent("invalid_banner")
			return nil, protocol.Error
		}
		if i >= 0 {
			s.line = s.line[:0]
		}
		return data[n:], protocol.Continue
	}
	line := bytes.TrimRight(s.line, "\r\n")
	ended := i >= 0
	if len(line) > maxBanner {
		p.tx.AddEvent("long_banner")
		line = line[:maxBanner]
	} else if !ended {
		return nil, protocol.Continue
	}
	if !p.identify(env, dir, line) {
		return nil, protocol.Error
	}
	s.line = nil
	if !ended {
		s.stage = stBannerRest
		p.reach(dir, BannerWaitEOL)
		return nil, protocol.Continue
	}
	s.stage = stHeader
	p.reach(dir, BannerDone)
	p.first(env, dir)
	return data[n:], protocol.Continue
}

// identify reads an identification line: SSH-protocol-software and a comment.
func (p *Parser) identify(env *protocol.Env, dir protocol.Dir, line []byte) bool {
	line = bytes.TrimRight(line, "\r\n")
	version, ok := bytes.CutPrefix(line, []byte("SSH-"))
	proto, software, both := bytes.Cut(version, []byte("-"))
	if !ok || !both || len(proto) == 0 {
		p.tx.AddEvent("invalid_banner")
		return false
	}
	software, _, _ = bytes.Cut(software, []byte(" "))
	peer := &p.session(env).Peers[dir]
	peer.Proto, peer.Software = bytes.Clone(proto), bytes.Clone(software)
	return true
}

// first goes over to packets, which the first version of SSH has not in this form.
func (p *Parser) first(env *protocol.Env, dir protocol.Dir) {
	if proto := p.session(env).Peers[dir].Proto; proto[0] == '1' && string(proto) != "1.99" {
		p.finish(dir)
	}
}

// The kinds of frames: the packets of the key exchange, up to the message number,
// behind it, and as a whole.
const (
	frameHeader protocol.FrameType = iota
	frameData
	framePDU
)

var frames = [...]protocol.FrameSpec{frameHeader: {Name: "record.hdr"}, frameData: {Name: "record.data"}, framePDU: {Name: "record.pdu"}}

// packet takes a packet's length, padding and message number.
func (p *Parser) packet(env *protocol.Env, dir protocol.Dir, data []byte) (rest []byte, st protocol.Status) {
	s := &p.side[dir]
	n := copy(s.header[s.have:], data)
	data = data[n:]
	if s.have += n; s.have < len(s.header) {
		return data, protocol.Continue
	}
	s.have = 0
	length := uint32(s.header[0])<<24 | uint32(s.header[1])<<16 | uint32(s.header[2])<<8 | uint32(s.header[3])
	s.padding, s.message = int(s.header[4]), s.header[5]
	if length < 2 || length > maxPacket || s.padding > int(length)-2 {
		p.tx.AddEvent("invalid_record")
		return nil, protocol.Error
	}
	s.left = int(length) - 2
	env.Frame(frameHeader, len(data)+len(s.header), int64(len(s.header)), p.tx)
	env.Frame(frameData, len(data), int64(s.left), p.tx)
	env.Frame(framePDU, len(data)+len(s.header), int64(len(s.header)+s.left), p.tx)
	s.stage = stBody
	if s.message == msgKexInit && !s.offered {
		if s.offered = true; s.left <= env.Limits.MaxHeader {
			s.stage, s.offer = stKexInit, make([]byte, 0, min(s.left, 4096))
			if s.left == 0 {
				p.kexInit(env, dir)
				s.stage = stHeader
			}
			return data, protocol.Continue
		}
		p.tx.AddEvent("long_kex_record")
		p.reach(dir, Finished)
	}
	p.bodyEnd(dir)
	return data, protocol.Continue
}
