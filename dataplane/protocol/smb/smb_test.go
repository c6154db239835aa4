package smb

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/dcerpc"
	"sluice/dataplane/protocol/protocoltest"
)

// objects writes down what was given as objects.
func objects(r *protocoltest.Result) string {
	var list []string
	for _, o := range r.Objects {
		s := fmt.Sprintf("%s %s %s", o.Dir, o.Name, o.State)
		if o.File {
			s += " file"
		}
		if o.Start > 0 {
			s += fmt.Sprintf(" from %d", o.Start)
		}
		if o.Missing > 0 {
			s += fmt.Sprintf(" missing %d", o.Missing)
		}
		if o.Unscannable != "" {
			s += " unscannable: " + o.Unscannable
		}
		data := string(o.Data)
		if len(data) > 60 {
			data = fmt.Sprintf("%d bytes", len(data))
		}
		list = append(list, s+" ["+data+"]")
	}
	return strings.Join(list, "; ")
}

func TestFiles(t *testing.T) {
	a, b := id16(1), id16(2)
	f := func(name string, d *dialogue, want string, events ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d.Dialogue)
			if got := objects(r); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			var told []string
			for _, tx := range r.Txs {
				told = append(told, tx.Events...)
				if tx.Progress != [2]uint8{Answered, Replied} {
					t.Errorf("transaction %d ended with progress %v", tx.ID, tx.Progress)
				}
			}
			if fmt.Sprint(told) != fmt.Sprint(events) {
				t.Errorf("events %v, want %v", told, events)
			}
		})
	}
	disk := func() *dialogue { return mounted(`\\srv\data`, 1) }
	f("write", disk().opened(a, "a.txt", 2, 0).write(a, 0, "hello ").write(a, 6, "world").closed(a),
		"to_server a.txt CLOSED file [hello ]; to_server a.txt CLOSED file [hello world]")
	f("write at once", disk().opened(a, "a.txt", 2, 0).write(a, 0, "hello world"), "to_server a.txt CLOSED file [hello world]")
	f("write to an old file", disk().opened(a, "a.txt", 1, 0).write(a, 0, "hello ").write(a, 6, "world").closed(a),
		"to_server a.txt CLOSED file [hello world]")
	f("read to the end", disk().opened(a, "a.txt", 1, 11).read(a, 0, "hello ").read(a, 6, "world"),
		"to_client a.txt CLOSED file [hello world]")
	f("read a part", disk().opened(a, "a.txt", 1, 100).read(a, 50, "hello").closed(a),
		"to_client a.txt CLOSED file from 50 [hello]")
	f("read without end", disk().opened(a, "a.txt", 1, 100).read(a, 0, "hello"),
		"to_client a.txt TRUNCATED file [hello]")
	f("two files", disk().opened(a, "a", 2, 0).opened(b, "b", 2, 0).write(a, 0, "one ").write(b, 0, "two ").write(a, 4, "three").closed(b).closed(a),
		"to_server a CLOSED file [one ]; to_server b CLOSED file [two ]; to_server a CLOSED file from 4 [three]")
	// What comes ahead is inspected at once, and again in its place.
	f("ahead", disk().opened(a, "a", 2, 0).write(a, 5, "world").write(a, 0, "hello").closed(a),
		"to_server a CLOSED from 5 [world]; to_server a CLOSED file [helloworld]")
	f("ahead for good", disk().opened(a, "a", 2, 0).write(a, 0, "x").write(a, 5, "world").closed(a),
		"to_server a CLOSED file [x]; to_server a CLOSED from 5 [world]; to_server a TRUNCATED file missing 4 [xworld]")
	f("behind", disk().opened(a, "a", 2, 0).write(a, 0, "hello").write(a, 2, "LLo w").closed(a),
		"to_server a CLOSED file [hello]; to_server a CLOSED from 2 [LLo]; to_server a CLOSED file [hello w]", "file_overlap")
	f("end told before", disk().opened(a, "a", 2, 0).
		ask(cmdSetInfo, setInfoReq(a, infoEndOfFile, le.AppendUint64(nil, 5))).answer(cmdSetInfo, 0, make([]byte, 2)).
		write(a, 0, "hello"), "to_server a CLOSED file [hello]")
	f("end told twice", disk().opened(a, "a", 2, 0).
		ask(cmdSetInfo, setInfoReq(a, infoEndOfFile, le.AppendUint64(nil, 2))).write(a, 0, "he").
		ask(cmdSetInfo, setInfoReq(a, infoEndOfFile, le.AppendUint64(nil, 4))).write(a, 2, "ll").write(a, 4, "o").closed(a),
		"to_server a CLOSED file [he]; to_server a CLOSED file from 2 [llo]")
	f("opening not seen", newDialogue().write(a, 0, "hello").closed(a), "to_server  CLOSED file [hello]")
	f("request of a read not seen", newDialogue().answerTo(5, cmdRead, 0, readResp("hello")).answerTo(6, cmdRead, 0, readResp(" world")),
		"to_client  TRUNCATED file [hello world]")
	f("opening refused", disk().ask(cmdCreate, createReq("a", 2)).answer(cmdCreate, 0xc0000022, make([]byte, 9)), "")
	f("compound", disk().raw(protocol.ToServer, compound(
		msg2{cmd: cmdCreate, id: 5, tree: 1, session: 9, body: createReq("c.txt", 2)},
		msg2{cmd: cmdWrite, id: 6, flags: flag2Related, tree: ^uint32(0), session: ^uint64(0), body: writeReq(noFile, 0, "all at once")},
		msg2{cmd: cmdClose, id: 7, flags: flag2Related, tree: ^uint32(0), session: ^uint64(0), body: closeReq(noFile)})),
		"to_server c.txt CLOSED file [all at once]")
	f("read late", disk().opened(a, "a", 1, 5).ask(cmdRead, readReq(a, 0, 5)).
		raw(protocol.ToClient, nbss(msg2{cmd: cmdRead, id: 3, status: statusPending, flags: 1 | flag2Async, tree: 77, session: 9, body: make([]byte, 9)}.bytes())).
		answer(cmdRead, 0, readResp("hello")), "to_client a CLOSED file [hello]")
	f("gap in content", disk().opened(a, "a", 2, 0).
		raw(protocol.ToServer, nbss(msg2{cmd: cmdWrite, id: 9, tree: 1, session: 9, body: writeReq(a, 0, "0123456789")}.bytes())[:4+64+48+3]).
		gap(protocol.ToServer, 4).raw(protocol.ToServer, []byte("789")).write(a, 10, "abc").closed(a),
		"to_server a TRUNCATED file missing 4 [012789abc]")
	f("gap over messages", disk().opened(a, "a", 2, 0).write(a, 0, "hello").gap(protocol.ToServer, 1000).
		raw(protocol.ToServer, []byte("rest of something")).write(a, 7, "world").closed(a),
		"to_server a CLOSED file [hello]; to_server a CLOSED from 7 [world]; to_server a TRUNCATED file missing 2 [helloworld]")
	f("encrypted", disk().raw(protocol.ToServer, nbss(magicEncrypted, make([]byte, 100))).raw(protocol.ToServer, nbss(magicEncrypted, make([]byte, 100))).
		raw(protocol.ToClient, nbss(magicCompressed, make([]byte, 20))),
		`to_server \\srv\data CLOSED unscannable: encrypted []; to_client \\srv\data CLOSED unscannable: encoding []`)
	f("pipe without calls", mounted(`\\srv\IPC$`, 2).opened(a, "tool", 1, 0).write(a, 0, "4111").write(a, 0, "1111").closed(a),
		"to_server tool CLOSED [41111111]")
	f("long write", disk().opened(a, "a", 2, 0).write(a, 0, repeat("0123456789", 6000)).closed(a), "to_server a CLOSED file [6000 bytes]")
	f("too short", disk().ask(cmdWrite, make([]byte, 10)).ask(cmdCreate, nil), "", "malformed_data", "malformed_data")
	f("no message", disk().raw(protocol.ToServer, nbss([]byte("nothing"))), "to_server  CLOSED [nothing]", "malformed_data")
	f("longer than a message is", disk().ask(13, append([]byte(repeat("x", maxBody-64)), "4111111111111111"...)), "to_server  CLOSED [4111111111111111]")
	f("content behind content", disk().opened(a, "a", 1, 0).ask(cmdWrite, append(writeReq(a, 0, "short"), "4111111111111111"...)).closed(a),
		"to_server a CLOSED file [short]; to_server  CLOSED [4111111111111111]")
	f("pieces", disk().opened(a, "a", 2, 0).write(a, 0, repeat("x", 8192)).write(a, 8192, "tail"), "to_server a CLOSED file [8196 bytes]")
	f("pieces and more", disk().opened(a, "a", 2, 0).write(a, 0, repeat("x", 4096)).write(a, 4096, "tail").write(a, 4100, "end").closed(a),
		"to_server a CLOSED file [4100 bytes]; to_server a CLOSED file from 4100 [end]")
}

func TestRecords(t *testing.T) {
	a := id16(1)
	f := func(name string, d *dialogue, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := protocoltest.CheckCuts(t, Definition(), d.Dialogue)
			var got []string
			for _, tx := range r.Txs {
				b, err := json.Marshal(tx.Event.Extra["smb"])
				if err != nil {
					t.Fatal(err)
				}
				s := string(b)
				for _, k := range []string{"to_server smb.share", "to_server smb.named_pipe", "to_server smb.ntlmssp_user", "to_server smb.ntlmssp_domain"} {
					if v := tx.Buffers[k]; v != nil {
						s += fmt.Sprintf(" %s=%q", k[len("to_server "):], v)
					}
				}
				got = append(got, s)
			}
			if len(got) != len(want) {
				t.Fatalf("%d transactions, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("transaction %d\ngot  %s\nwant %s", i, got[i], want[i])
				}
			}
		})
	}
	f("negotiate", newDialogue().ask(cmdNegotiate, append(put(36, func(b []byte) { b[0], b[2], b[12] = 36, 2, 1 }), 2, 2, 0x11, 3)).
		answer(cmdNegotiate, 0, put(64, func(b []byte) { b[0], b[4], b[5], b[8] = 65, 0x11, 3, 2 })),
		`{"id":1,"dialect":"3.11","command":"SMB2_COMMAND_NEGOTIATE_PROTOCOL","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"client_dialects":["2.02","3.11"],"client_guid":"00000001-0000-0000-0000-000000000000","server_guid":"00000002-0000-0000-0000-000000000000"}`)
	blob := string(put(72, func(b []byte) {
		copy(b, ntlmMagic)
		b[8] = 3
		for i, n := range []int{3, 4, 2} {
			le.PutUint16(b[28+8*i:], uint16(2*n))
			le.PutUint32(b[32+8*i:], uint32(72+[]int{0, 6, 14}[i]))
		}
		le.PutUint32(b[60:], ntlmUnicode|ntlmVersion)
		b[64], b[66], b[71] = 10, 5, 15
	})) + string(wide("DOMuserPC"))
	f("setup", newDialogue().ask(cmdSessionSetup, append(put(24, func(b []byte) { b[0], b[12], b[14] = 25, 64+24, byte(len(blob)) }), blob...)).
		answer(cmdSessionSetup, 0xc000006d, make([]byte, 9)),
		`{"id":1,"dialect":"unknown","command":"SMB2_COMMAND_SESSION_SETUP","status":"STATUS_LOGON_FAILURE","status_code":"0xc000006d","session_id":9,"tree_id":1,"ntlmssp":{"domain":"DOM","user":"user","host":"PC","version":"10.0 build 5 rev 15"}} smb.ntlmssp_user=["user"] smb.ntlmssp_domain=["DOM"]`)
	share := `{"id":1,"dialect":"unknown","command":"SMB2_COMMAND_TREE_CONNECT","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"share":"\\\\srv\\data"} smb.share=["\\\\srv\\data"]`
	f("file", mounted(`\\srv\data`, 1).opened(a, "ä.txt", 5, 0).write(a, 0, "x").
		ask(cmdSetInfo, setInfoReq(a, infoDisposition, []byte{1})).answer(cmdSetInfo, 0, make([]byte, 2)).
		ask(cmdSetInfo, setInfoReq(a, infoRename, append(put(20, func(b []byte) { b[16] = 10 }), wide("b.txt")...))).answer(cmdSetInfo, 0, make([]byte, 2)).closed(a),
		share,
		`{"id":2,"dialect":"unknown","command":"SMB2_COMMAND_CREATE","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"filename":"ä.txt","disposition":"FILE_OVERWRITE_IF","access":"normal","created":1,"accessed":0,"modified":0,"changed":0,"size":0,"fuid":"00000001-0000-0000-0007-000000000000"}`,
		`{"id":3,"dialect":"unknown","command":"SMB2_COMMAND_WRITE","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"filename":"ä.txt","share":"\\\\srv\\data","fuid":"00000001-0000-0000-0007-000000000000"}`,
		`{"id":4,"dialect":"unknown","command":"SMB2_COMMAND_SET_INFO","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"filename":"ä.txt","access":"delete on close","subcmd":"disposition","fuid":"00000001-0000-0000-0007-000000000000"}`,
		`{"id":5,"dialect":"unknown","command":"SMB2_COMMAND_SET_INFO","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"fuid":"00000001-0000-0000-0007-000000000000","rename":{"from":"ä.txt","to":"b.txt"}}`,
		`{"id":6,"dialect":"unknown","command":"SMB2_COMMAND_CLOSE","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1}`)
	f("calls", mounted(`\\srv\IPC$`, 2).opened(a, "lsarpc", 1, 0).
		write(a, 0, bind(1, 11)).read(a, 0, bindAck(1)).
		ask(cmdIoctl, ioctlReq(a, fsctlTransceive, call(2, 0, 44, "ask"))).answer(cmdIoctl, 0, ioctlResp(a, fsctlTransceive, call(2, 2, 0, "told"))),
		`{"id":1,"dialect":"unknown","command":"SMB2_COMMAND_TREE_CONNECT","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"named_pipe":"\\\\srv\\IPC$"} smb.named_pipe=["\\\\srv\\IPC$"]`,
		`{"id":2,"dialect":"unknown","command":"SMB2_COMMAND_CREATE","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"filename":"lsarpc","disposition":"FILE_OPEN","access":"normal","created":1,"accessed":0,"modified":0,"changed":0,"size":0,"fuid":"00000001-0000-0000-0007-000000000000"}`,
		`{"id":3,"dialect":"unknown","command":"SMB2_COMMAND_WRITE","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"dcerpc":{"request":"BIND","response":"BINDACK","interfaces":[{"uuid":"12345778-1234-abcd-ef00-0123456789ab","version":"3.0","ack_result":0,"ack_reason":0}],"call_id":1}}`,
		`{"id":4,"dialect":"unknown","command":"SMB2_COMMAND_IOCTL","status":"STATUS_SUCCESS","status_code":"0x0","session_id":9,"tree_id":1,"dcerpc":{"request":"REQUEST","opnum":44,"req":{"frag_cnt":1,"stub_data_size":3},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":4},"interfaces":[{"uuid":"12345778-1234-abcd-ef00-0123456789ab","version":"3.0"}],"call_id":2}}`)
}

// TestCallBuffers looks at the buffers of DCE/RPC, which SMB fills for it.
func TestCallBuffers(t *testing.T) {
	a := id16(1)
	d := mounted(`\\srv\IPC$`, 2).opened(a, "lsarpc", 1, 0).write(a, 0, bind(1, 11)).read(a, 0, bindAck(1)).
		ask(cmdIoctl, ioctlReq(a, fsctlTransceive, call(2, 0, 44, "ask"))).answer(cmdIoctl, 0, ioctlResp(a, fsctlTransceive, call(2, 2, 0, "told")))
	p := protocoltest.Run(Definition(), d.Dialogue).Parser
	tx := p.Txs().Last()
	f := func(name string, dir protocol.Dir, want string) {
		t.Helper()
		for _, b := range dcerpc.Definition().Buffers {
			if b.Name != name {
				continue
			}
			if got, _ := p.Buffer(tx, b.ID, dir, 0); string(got) != want {
				t.Errorf("%s %s: %q, want %q", dir, name, got, want)
			}
		}
	}
	f("dcerpc.stub_data", protocol.ToServer, "ask")
	f("dcerpc.stub_data", protocol.ToClient, "told")
	const iface = "\x12\x34\x57\x78\x12\x34\xab\xcd\xef\x00\x01\x23\x45\x67\x89\xab\x00\x03"
	f("dcerpc.iface", protocol.ToServer, iface)
	f("dcerpc.iface", protocol.ToClient, iface)
	s := tx.State.(*Transaction)
	if n, ok := s.Field("dcerpc.opnum", protocol.ToClient, 0); !ok || n != 44 {
		t.Errorf("opnum %d %v", n, ok)
	}
	if n, ok := s.Field("smb.version", protocol.ToServer, 0); !ok || n != 2 || !s.LittleEndian(protocol.ToServer) {
		t.Errorf("version %d %v, little %v", n, ok, s.LittleEndian(protocol.ToServer))
	}
}

// bindAck accepts the one interface of bind.
func bindAck(id uint32) string {
	return string(put(56, func(b []byte) {
		copy(b, []byte{5, 0, 12, 3, 0x10})
		le.PutUint16(b[8:], 56)
		le.PutUint32(b[12:], id)
		b[28] = 1
	}))
}

func TestVersion1(t *testing.T) {
	const uni = flags2Unicode | flags2NTStatus
	d := newDialogue()
	both := func(cmd byte, mid uint16, status uint32, req, reqData, resp, respData []byte) {
		d.raw(protocol.ToServer, msg1(cmd, uni, 0, 5, 6, mid, req, reqData))
		d.raw(protocol.ToClient, msg1(cmd, uni, status, 5, 6, mid, resp, respData))
	}
	none := []byte{0xff, 0, 0, 0}
	both(cmd1Negotiate, 1, 0, nil, []byte("\x02PC NETWORK\x00\x02NT LM 0.12\x00"), append([]byte{1, 0}, make([]byte, 32)...), nil)
	both(cmd1TreeConnect, 2, 0, append(none, 0, 0, 1, 0), append(append([]byte{0}, wide(`\\s\d`)...), 0, 0, 'A', ':', 0), append(none, 0, 0), []byte("A:\x00"))
	both(cmd1NTCreate, 3, 0, put(48, func(b []byte) { b[0], b[35] = 0xff, 2 }), append([]byte{0}, append(wide(`\f.txt`), 0, 0)...),
		put(68, func(b []byte) { b[0], b[5], b[6] = 0xff, 0x34, 0x12 }), nil)
	content := "hello version one"
	both(cmd1WriteAndX, 4, 0, put(28, func(b []byte) {
		b[0], b[4], b[5], b[20], b[22] = 0xff, 0x34, 0x12, byte(len(content)), 32+1+28+2
	}), []byte(content), put(12, func(b []byte) { b[0] = 0xff }), nil)
	both(cmd1ReadAndX, 5, 0, put(24, func(b []byte) { b[0], b[4], b[5], b[10] = 0xff, 0x34, 0x12, 5 }), nil,
		put(24, func(b []byte) { b[0], b[10], b[12] = 0xff, 5, 32+1+24+2 }), []byte("again"))
	both(cmd1Close, 6, 0x005b0002, []byte{0x34, 0x12, 0, 0, 0, 0}, nil, nil, nil)
	r := protocoltest.CheckCuts(t, Definition(), d.Dialogue)
	if got, want := objects(r), `to_server \f.txt CLOSED file [hello version one]; to_client \f.txt CLOSED file [again]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var names []string
	for _, tx := range r.Txs {
		e := tx.Event.Extra["smb"].(*eveSMB)
		names = append(names, strings.TrimPrefix(e.Command, "SMB1_COMMAND_")+" "+e.Dialect+" "+e.Share+e.Filename+" "+e.Status)
	}
	want := `NEGOTIATE_PROTOCOL NT LM 0.12  STATUS_SUCCESS; TREE_CONNECT_ANDX NT LM 0.12 \\s\d STATUS_SUCCESS; NT_CREATE_ANDX NT LM 0.12 \f.txt STATUS_SUCCESS; WRITE_ANDX NT LM 0.12 \\s\d\f.txt STATUS_SUCCESS; READ_ANDX NT LM 0.12 \\s\d\f.txt STATUS_SUCCESS; CLOSE NT LM 0.12  UNKNOWN`
	if got := strings.Join(names, "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnread(t *testing.T) {
	d := mounted(`\\srv\data`, 1).raw(protocol.ToServer, nbss(magicEncrypted, make([]byte, 100))).raw(protocol.ToServer, nbss(magicEncrypted, make([]byte, 50))).
		raw(protocol.ToClient, nbss(magicCompressed, make([]byte, 20)))
	var o protocol.Opaque = protocoltest.Run(Definition(), d.Dialogue).Parser.(*Parser)
	f := func(dir protocol.Dir, wantEncrypted, wantOther uint64) {
		t.Helper()
		if e, x := o.Unread(dir); e != wantEncrypted || x != wantOther {
			t.Errorf("%s: %d encrypted, %d other bytes", dir, e, x)
		}
	}
	f(protocol.ToServer, 158, 0)
	f(protocol.ToClient, 0, 24)
}

func TestBounds(t *testing.T) {
	d := mounted(`\\srv\data`, 1)
	for i := range maxOpen + 3 {
		id := fileID{byte(i), byte(i >> 8), 1}
		d.opened(id, "f", 1, 0).write(id, 0, "x")
	}
	r := protocoltest.Run(Definition(), d.Dialogue)
	if err := r.Sink.Check(); err != nil {
		t.Error(err)
	}
	cut := 0
	for _, tx := range r.Txs {
		for _, e := range tx.Events {
			if e == "too_many_open_files" {
				cut++
			}
		}
	}
	if cut == 0 || len(r.Objects) != maxOpen+3 {
		t.Errorf("%d events of too many files, %d objects", cut, len(r.Objects))
	}

	// What is ahead is held up to a bound; then the hole is given up.
	d = mounted(`\\srv\data`, 1).opened(id16(1), "f", 2, 0)
	for i := range 70 {
		d.write(id16(1), uint64(10+2*i), "x")
	}
	r = protocoltest.Run(Definition(), d.closed(id16(1)).Dialogue)
	o := r.Sink.Find("f")
	for _, x := range r.Objects {
		if x.File {
			o = x
		}
	}
	if o == nil || o.Start != 10 || len(o.Data) != 70 || o.Missing != 69 {
		t.Errorf("file %+v", o)
	}
}

func TestProbe(t *testing.T) {
	f := func(dir protocol.Dir, b string, want protocol.Certainty) {
		t.Helper()
		if got := probe(dir, []byte(b)); got != want {
			t.Errorf("%s %q: %d, want %d", dir, b, got, want)
		}
	}
	f(protocol.ToServer, "", protocol.Unsure)
	f(protocol.ToServer, "\x00\x00\x01", protocol.Unsure)
	f(protocol.ToServer, "\x00\x00\x01\x00\xfeSM", protocol.Unsure)
	f(protocol.ToServer, "\x00\x00\x01\x00\xfeSMB", protocol.Certain)
	f(protocol.ToClient, "\x00\x00\x01\x00\xfdSMB", protocol.Certain)
	f(protocol.ToServer, "\x00\x00\x01\x00\xfbSMB", protocol.NotForUs)
	f(protocol.ToServer, "\x00\x00\x01\x00\xfeSMC", protocol.NotForUs)
	f(protocol.ToServer, "\x81\x00\x00\x44 CK", protocol.Certain)
	f(protocol.ToClient, "\x82\x00\x00\x00", protocol.Certain)
	f(protocol.ToServer, "\x81\x05", protocol.NotForUs)
	f(protocol.ToServer, "GET /", protocol.NotForUs)
}

func FuzzParse(f *testing.F) {
	a := id16(1)
	for _, d := range []*dialogue{
		mounted(`\\s\d`, 1).opened(a, "f", 2, 0).write(a, 3, "ab").write(a, 0, "xyz").closed(a),
		mounted(`\\s\d`, 1).opened(a, "f", 1, 3).read(a, 0, "abc"),
		mounted(`\\s\IPC$`, 2).opened(a, "p", 1, 0).write(a, 0, bind(1, 11)).read(a, 0, bindAck(1)),
	} {
		var both [2][]byte
		for _, c := range d.Chunks {
			both[c.Dir] = append(both[c.Dir], c.Data...)
		}
		f.Add(both[0], both[1])
	}
	f.Add(msg1(cmd1WriteAndX, flags2Unicode, 0, 1, 1, 1, make([]byte, 28), []byte("abc")), msg1(cmd1Trans, 0, 0, 1, 1, 1, make([]byte, 32), nil))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		whole := protocoltest.Dialogue{DstPort: 445, Chunks: []protocoltest.Chunk{{Data: client}, {Dir: protocol.ToClient, Data: server}}}
		parts := protocoltest.Dialogue{DstPort: 445}
		for _, c := range whole.Chunks {
			for k := range c.Data {
				parts.Chunks = append(parts.Chunks, protocoltest.Chunk{Dir: c.Dir, Data: c.Data[k : k+1]})
			}
		}
		want, got := protocoltest.Run(Definition(), whole), protocoltest.Run(Definition(), parts)
		if err := want.Sink.Check(); err != nil {
			t.Fatal(err)
		}
		if diff := protocoltest.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if len(client) > 3 {
			holed := protocoltest.Dialogue{Chunks: []protocoltest.Chunk{{Data: client[:len(client)/2]}, {Gap: 7}, {Data: client[len(client)/2:]}}}
			if err := protocoltest.Run(Definition(), holed).Sink.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
