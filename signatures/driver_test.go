package signatures

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dnp3"
	"sluice/dataplane/protocol/enip"
	"sluice/dataplane/protocol/modbus"
	"sluice/events"
	"sluice/internal/hs"
)

// The tests' protocols: buffers are filled by hand, keyed by their names.

type fakeTx struct {
	buffers map[string][][]byte
	fields  map[string][]uint64
}

type fakeParser struct {
	list  protocol.TxList
	names map[protocol.BufferID]string
}

func (p *fakeParser) Parse(*protocol.Env, protocol.Dir, []byte) protocol.Status {
	return protocol.Continue
}
func (p *fakeParser) Gap(*protocol.Env, protocol.Dir, uint64) protocol.Status {
	return protocol.Continue
}
func (p *fakeParser) End(*protocol.Env, protocol.Dir)    {}
func (p *fakeParser) Txs() *protocol.TxList              { return &p.list }
func (p *fakeParser) Record(*protocol.Tx, *events.Event) {}
func (p *fakeParser) Log(*protocol.Tx) []string          { return nil }
func (p *fakeParser) Buffer(tx *protocol.Tx, id protocol.BufferID, _ protocol.Dir, i int) ([]byte, bool) {
	b := tx.State.(*fakeTx).buffers[p.names[id]]
	if i >= len(b) {
		return nil, false
	}
	return b[i], true
}

// Progress values of the tests' HTTP: request line, headers, body done.
const (
	atLine = 1 + iota
	atHeaders
	atDone
)

var fakeNames = map[protocol.BufferID]string{}

// probe recognises the tests' protocols by one byte that no test text begins with.
func probe(first byte) func(protocol.Dir, []byte) protocol.Certainty {
	return func(_ protocol.Dir, b []byte) protocol.Certainty {
		if len(b) > 0 && b[0] == first {
			return protocol.Certain
		}
		return protocol.NotForUs
	}
}

func fakeRegistry(t testing.TB) *protocol.Registry {
	t.Helper()
	def := func(id protocol.ID, first byte, specs ...protocol.BufferSpec) *protocol.Definition {
		d := &protocol.Definition{ID: id, TCP: true, Events: fakeEvents, UDP: id == protocol.DNS, Probe: probe(first), Complete: [2]uint8{atDone, atDone},
			New: func(*protocol.Env) protocol.Parser { return &fakeParser{names: fakeNames} }}
		if id == protocol.SMTP {
			d.Frames = []protocol.FrameSpec{{Name: "command_line", Dirs: protocol.DirsToServer}, {Name: "data", Dirs: protocol.DirsToServer}}
		}
		for i, s := range specs {
			s.ID = protocol.Buffer(id, uint8(i))
			if s.Progress == 0 {
				s.Progress = atHeaders
			}
			fakeNames[s.ID] = s.Name
			d.Buffers = append(d.Buffers, s)
		}
		return d
	}
	up := func(names string) (out []protocol.BufferSpec) {
		for _, n := range strings.Fields(names) {
			out = append(out, protocol.BufferSpec{Name: n, Dirs: protocol.DirsToServer})
		}
		return out
	}
	down := func(names string) (out []protocol.BufferSpec) {
		for _, n := range strings.Fields(names) {
			out = append(out, protocol.BufferSpec{Name: n, Dirs: protocol.DirsToClient})
		}
		return out
	}
	both := func(names string) (out []protocol.BufferSpec) {
		for _, n := range strings.Fields(names) {
			out = append(out, protocol.BufferSpec{Name: n, Dirs: protocol.DirsBoth})
		}
		return out
	}
	http := slices.Concat([]protocol.BufferSpec{{Name: "http.method", Dirs: protocol.DirsToServer, Progress: atLine}, {Name: "http.uri", Dirs: protocol.DirsToServer, Progress: atLine},
		{Name: "http.uri.raw", Dirs: protocol.DirsToServer, Progress: atLine}, {Name: "http.request_line", Dirs: protocol.DirsToServer, Progress: atLine},
		{Name: "http.request_body", Dirs: protocol.DirsToServer, Body: true}, {Name: "http.response_body", Dirs: protocol.DirsToClient, Body: true}},
		up("http.user_agent http.host http.host.raw http.accept http.accept_enc http.accept_lang http.referer http.request_header"),
		down("http.stat_code http.stat_msg http.response_line http.location http.server http.response_header"),
		both("http.header http.header.raw http.cookie http.header_names http.protocol http.start http.content_type http.content_len http.connection"))
	dns := []protocol.BufferSpec{{Name: "dns.query", Dirs: protocol.DirsToServer, Multi: true}, {Name: "dns.queries.rrname", Dirs: protocol.DirsBoth, Multi: true}, {Name: "dns.answers.rrname", Dirs: protocol.DirsToClient, Multi: true}}
	tls := slices.Concat(up("tls.sni ja3.hash ja3.string ja4.hash"), down("tls.cert_subject tls.cert_issuer tls.cert_serial tls.cert_fingerprint ja3s.hash ja3s.string"),
		[]protocol.BufferSpec{{Name: "tls.certs", Dirs: protocol.DirsToClient, Multi: true}, {Name: "tls.alpn", Dirs: protocol.DirsBoth, Multi: true}}, both("tls.random"))
	r, err := protocol.NewRegistry(def(protocol.HTTP1, 'H', http...), def(protocol.DNS, 'D', dns...), def(protocol.TLS, 'T', tls...),
		def(protocol.SMTP, 'S', slices.Concat(up("smtp.helo smtp.mail_from smtp.rcpt_to email.from email.subject email.to"), []protocol.BufferSpec{{Name: "email.body", Dirs: protocol.DirsToServer, Body: true}})...),
		def(protocol.SSH, 'X', both("ssh.proto ssh.software")...), def(protocol.FTP, 'F', up("ftp.command ftp.command_data")...), def(protocol.FTPData, 'G'), def(protocol.SMB, 'B'),
		modbus.Definition(), dnp3.Definition(), enip.Definition())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fakeFields() map[string]FieldFunc {
	out := map[string]FieldFunc{}
	for _, k := range []string{"dns.opcode", "dns.rcode", "dns.rrtype", "tls.version", "ssl_state", "tls_cert_notbefore", "tls_cert_notafter"} {
		out[k] = func(tx *protocol.Tx, _ protocol.Dir, i int) (uint64, bool) {
			v := tx.State.(*fakeTx).fields[k]
			if i >= len(v) {
				return 0, false
			}
			return v[i], true
		}
	}
	for _, k := range telling {
		out[k] = tell(k)
	}
	return out
}

// rig drives rules with hand-made traffic.
type rig struct {
	t      testing.TB
	reg    *protocol.Registry
	e      *Engine
	m      *Matcher
	sc     *hs.Scanner
	stream *hs.DB
	object *hs.DB
	now    int64
	got    []uint32
}

func newRig(t testing.TB, text string) *rig {
	t.Helper()
	f := filepath.Join(t.TempDir(), "t.rules")
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return rigOf(t, []string{f}, true)
}

func rigOf(t testing.TB, paths []string, strict bool) *rig {
	t.Helper()
	return rigWith(t, paths, strict, Config{})
}

func rigWith(t testing.TB, paths []string, strict bool, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t, reg: fakeRegistry(t), now: 1e18}
	cfg.Registry, cfg.Fields = r.reg, fakeFields()
	rs, rep := Load(paths, cfg)
	if strict {
		for _, e := range rep.Errors {
			t.Fatalf("%v", e.Error())
		}
	}
	var err error
	if r.e, err = rs.Compile(); err != nil {
		t.Fatal(err)
	}
	dbs := r.e.Databases()
	if p := r.e.SharedPatterns(GroupStream); p != nil {
		if r.stream, err = hs.Compile(p, hs.Streaming, ""); err != nil {
			t.Fatal(err)
		}
		dbs = append(dbs, r.stream)
	}
	if p := r.e.SharedPatterns(GroupObject); p != nil {
		if r.object, err = hs.Compile(p, hs.Streaming, ""); err != nil {
			t.Fatal(err)
		}
		dbs = append(dbs, r.object)
	}
	if r.sc, err = hs.NewScanner(dbs...); err != nil {
		t.Fatal(err)
	}
	r.m = r.e.NewMatcher(r.sc)
	return r
}

// take collects the alerts and starts a new packet.
func (r *rig) take() {
	for _, x := range r.m.Matches() {
		if !x.Silent {
			r.got = append(r.got, x.Rule.SID)
		}
	}
	r.m.Reset()
	r.now += 1e6
}

func (r *rig) want(sids ...uint32) {
	r.t.Helper()
	if !slices.Equal(r.got, sids) {
		r.t.Errorf("matched %v, want %v", r.got, sids)
	}
	r.got = nil
}

var (
	inside  = decode.AddrFrom(netip.MustParseAddr("10.1.1.1"))
	outside = decode.AddrFrom(netip.MustParseAddr("203.0.113.9"))
)

// packet makes a packet with a payload. The header bytes are real enough for
// the buffers of headers.
func (r *rig) packet(proto uint8, src, dst decode.Addr, sp, dp uint16, payload []byte) *decode.Packet {
	h := make([]byte, 40, 40+len(payload))
	h[0], h[8], h[9] = 0x45, 64, proto
	copy(h[12:], src[12:])
	copy(h[16:], dst[12:])
	binary.BigEndian.PutUint16(h[20:], sp)
	binary.BigEndian.PutUint16(h[22:], dp)
	h[32] = 0x50
	return &decode.Packet{Data: append(h, payload...), L3: 0, L4: 20, Payload: 40, PayloadEnd: uint32(40 + len(payload)), Time: r.now,
		Src: src, Dst: dst, SrcPort: sp, DstPort: dp, IPVersion: 4, Proto: proto, TTL: 64, Flags: decode.FlagHasPorts, TCPFlags: decode.TCPAck, Window: 1024}
}

// flow makes an established flow from inside to outside.
func (r *rig) flow(proto uint8, sp, dp uint16) *flow.Flow {
	return &flow.Flow{Client: inside, Server: outside, ClientPort: sp, ServerPort: dp, State: flow.StateEstablished, Proto: proto, IPVersion: 4, Start: r.now, Last: r.now,
		Pkts: [2]uint64{5, 5}}
}

// speak makes the flow's protocol known and gives its parser.
func (r *rig) speak(f *flow.Flow, first byte) *fakeParser {
	var limits protocol.Limits
	env := &protocol.Env{Limits: &limits}
	f.App.Data(r.reg, env, protocol.ToServer, []byte{first})
	p, _ := f.App.Parser().(*fakeParser)
	if p == nil {
		r.t.Fatalf("protocol %c was not recognised: %v", first, f.App.Proto())
	}
	return p
}

// streamed gives a direction's bytes to the stream rules, cut as told, and
// collects the alerts.
type streamed struct {
	r   *rig
	f   *flow.Flow
	dir protocol.Dir
	st  hs.Stream
	buf []byte
	// keep bounds the window as a worker would.
	base uint64
}

func (r *rig) open(f *flow.Flow, dir protocol.Dir) *streamed {
	s := &streamed{r: r, f: f, dir: dir}
	if r.stream != nil {
		s.st, _ = r.sc.Open(r.stream)
	}
	return s
}

func (s *streamed) data(b []byte) {
	var hits []hs.Hit
	if s.r.stream != nil {
		hits, _ = s.r.sc.ScanStream(s.st, b)
	}
	n := len(s.buf)
	s.buf = append(s.buf, b...)
	src, dst, sp, dp := s.f.Client, s.f.Server, s.f.ClientPort, s.f.ServerPort
	if s.dir == protocol.ToClient {
		src, dst, sp, dp = dst, src, dp, sp
	}
	p := s.r.packet(decode.ProtoTCP, src, dst, sp, dp, b)
	s.r.m.Stream(p, s.f, s.dir, Window{Data: s.buf, Start: s.base, New: n}, hits)
	s.r.m.Packet(p, s.f, s.dir)
	s.r.take()
}

// tx gives a transaction whose buffers are "name=value" in order.
func (r *rig) tx(p *fakeParser, pairs ...string) *protocol.Tx {
	s := &fakeTx{buffers: map[string][][]byte{}, fields: map[string][]uint64{}}
	for _, kv := range pairs {
		k, v, _ := strings.Cut(kv, "=")
		s.buffers[k] = append(s.buffers[k], []byte(v))
	}
	return p.list.Add(s, r.now)
}

// progress moves a transaction on and lets the rules look.
func (r *rig) progress(f *flow.Flow, tx *protocol.Tx, dir protocol.Dir, to uint8) {
	tx.Progress[dir] = to
	p := r.packet(f.Proto, f.Client, f.Server, f.ClientPort, f.ServerPort, nil)
	if dir == protocol.ToClient {
		p = r.packet(f.Proto, f.Server, f.Client, f.ServerPort, f.ClientPort, nil)
	}
	r.m.Tx(p, f, f.App.Parser(), r.reg.Definition(f.App.Proto()), tx, dir)
	r.take()
}

// body gives an object in pieces; the last one is final.
func (r *rig) body(f *flow.Flow, o *protocol.Object, pieces ...string) {
	var st hs.Stream
	if r.object != nil {
		st, _ = r.sc.Open(r.object)
	}
	var buf []byte
	p := r.packet(f.Proto, f.Client, f.Server, f.ClientPort, f.ServerPort, nil)
	for _, s := range pieces {
		var hits []hs.Hit
		if r.object != nil {
			hits, _ = r.sc.ScanStream(st, []byte(s))
		}
		n := len(buf)
		buf = append(buf, s...)
		r.m.Object(p, f, o.Tx, o, Window{Data: buf, New: n}, hits, false)
		r.take()
	}
	r.m.Object(p, f, o.Tx, o, Window{Data: buf, New: len(buf)}, nil, true)
	r.take()
}

// http drives a whole request.
func (r *rig) http(pairs ...string) { r.httpOn(r.flow(decode.ProtoTCP, 40000, 80), pairs...) }

func (r *rig) httpOn(f *flow.Flow, pairs ...string) {
	p := r.speak(f, 'H')
	tx := r.tx(p, pairs...)
	r.progress(f, tx, protocol.ToServer, atLine)
	r.progress(f, tx, protocol.ToServer, atHeaders)
	s := tx.State.(*fakeTx)
	if b := s.buffers["request_body"]; b != nil {
		r.body(f, &protocol.Object{Kind: protocol.KindBody, Dir: protocol.ToServer, Tx: tx}, string(b[0]))
	}
	r.progress(f, tx, protocol.ToServer, atDone)
	r.progress(f, tx, protocol.ToClient, atLine)
	r.progress(f, tx, protocol.ToClient, atHeaders)
	if b := s.buffers["response_body"]; b != nil {
		r.body(f, &protocol.Object{Kind: protocol.KindBody, Dir: protocol.ToClient, Tx: tx}, string(b[0]))
	}
	r.progress(f, tx, protocol.ToClient, atDone)
}

// speakUDP is speak for datagrams.
func (r *rig) speakUDP(f *flow.Flow, first byte) *fakeParser {
	var limits protocol.Limits
	f.App.Datagram(r.reg, &protocol.Env{Limits: &limits}, protocol.ToServer, []byte{first})
	p, _ := f.App.Parser().(*fakeParser)
	if p == nil {
		r.t.Fatalf("protocol %c was not recognised", first)
	}
	return p
}

// fakeEvents are the anomalies that the tests' parsers raise: what bundled rules ask
// for.
var fakeEvents = []string{"invalid_transfer_encoding_value_in_request", "host_header_ambiguous", "compression_bomb", "overflow_heartbeat_message",
	"multiple_sni_extensions"}
