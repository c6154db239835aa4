package ssh

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// packet makes a packet of RFC 4253 §6 with the least padding.
func packet(message byte, payload string) string {
	pad := 4 + (8-(4+2+len(payload)+4)%8)%8
	b := binary.BigEndian.AppendUint32(nil, uint32(2+len(payload)+pad))
	return string(append(b, byte(pad), message)) + payload + strings.Repeat("\x00", pad)
}

func kexInit(lists ...string) string {
	b := make([]byte, cookieLen)
	for i := range numLists {
		l := ""
		if i < len(lists) {
			l = lists[i]
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(l))), l...)
	}
	return packet(msgKexInit, string(b)+"\x00\x00\x00\x00\x00")
}

func TestDialogues(t *testing.T) {
	f := func(name, want string, turns ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			d := protocoltest.TCP(22, turns...)
			for i, c := range d.Chunks {
				if string(c.Data) == "GAP" {
					d.Chunks[i] = protocoltest.Chunk{Dir: c.Dir, Gap: 3}
				}
			}
			r := protocoltest.CheckCuts(t, Definition(), d)
			got := "none"
			if len(r.Txs) > 0 {
				tx := r.Txs[0]
				b, err := json.Marshal(tx.Event.Extra["ssh"])
				if err != nil {
					t.Fatal(err)
				}
				got = strings.Join(append([]string{string(b)}, tx.Events...), " ")
				if tx.Progress != [2]uint8{Finished, Finished} {
					t.Errorf("progress %v", tx.Progress)
				}
			}
			got = fmt.Sprint(got, " ", r.Skipped, r.Status)
			if got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
	lists := []string{"kex", "key", "c1", "c2", "m1", "m2", "z1", "z2"}
	f("whole", `{"client":{"proto_version":"2.0","software_version":"A_1","hassh":{"hash":"b7ea5e4a02d023fc931bfc64be2280ab","string":"kex;c1;m1;z1"}},`+
		`"server":{"proto_version":"1.99","software_version":"B_2","hassh":{"hash":"0a86ab390e3dc6f92443ef61250130db","string":"kex;c2;m2;z2"}}} [true true] 0`,
		"> SSH-2.0-A_1 with comment\r\n", "< SSH-1.99-B_2\r\n", "> "+kexInit(lists...)+packet(30, "x"), "< "+kexInit(lists...)+packet(31, "y")+packet(msgNewKeys, ""),
		"> "+packet(msgNewKeys, "")+"secret", "< secret")
	f("lines before the server's", `{"client":{"proto_version":"2.0","software_version":"A"},"server":{"proto_version":"2.0","software_version":"B"}} [false false] 0`,
		"> SSH-2.0-A\n", "< Go\r\nSS\r\n away!\r\n"+strings.Repeat("x", 300)+"\nSSH-2.0-B\r\n")
	f("old version", `{"server":{"proto_version":"1.5","software_version":"B"}} [false true] 0`, "< SSH-1.5-B\r\nxyz")
	f("without end", `{"client":{"proto_version":"2.0","software_version":"A"}} [false false] 0`, "> SSH-2.0-A")
	f("too long", `{"client":{"proto_version":"2.0","software_version":"`+strings.Repeat("a", maxBanner-8)+`"}} long_banner [true false] 0`,
		"> SSH-2.0-"+strings.Repeat("a", 1000)+"\r\n"+packet(msgNewKeys, ""))
	f("just long enough", `{"client":{"proto_version":"2.0","software_version":"`+strings.Repeat("a", maxBanner-8)+`"}} [true false] 0`,
		"> SSH-2.0-"+strings.Repeat("a", maxBanner-8)+"\r\n"+packet(msgNewKeys, ""))
	f("not a client's line", `null invalid_banner [false false] 2`, "> hello\r\n")
	f("no software", `null invalid_banner [false false] 2`, "> SSH-2.0\r\n")
	f("no packet", `{"client":{"proto_version":"2.0","software_version":"A"}} invalid_record [false false] 2`, "> SSH-2.0-A\r\nGET / HTTP/1.1\r\n")
	f("padding too long", `{"client":{"proto_version":"2.0","software_version":"A"}} invalid_record [false false] 2`, "> SSH-2.0-A\r\n\x00\x00\x00\x0c\x0b\x14")
	f("lists cut off", `{"client":{"proto_version":"2.0","software_version":"A"}} invalid_record [false false] 0`, "> SSH-2.0-A\r\n"+packet(msgKexInit, strings.Repeat("\x00", 30)))
	f("long offer", `{"client":{"proto_version":"2.0","software_version":"A"}} long_kex_record [true false] 0`,
		"> SSH-2.0-A\r\n"+kexInit(strings.Repeat("x", 70000))+packet(msgNewKeys, ""))
	f("gap", `{"client":{"proto_version":"2.0","software_version":"A"}} [true false] 0`, "> SSH-2.0-A\r\n", "> GAP", "> "+kexInit(lists...))
	f("gap within a packet", `{"client":{"proto_version":"2.0","software_version":"A","hassh":{"hash":"b7ea5e4a02d023fc931bfc64be2280ab","string":"kex;c1;m1;z1"}}} [false false] 0`,
		"> SSH-2.0-A\r\n", "> "+packet(2, "abcdefghi")[:10], "> GAP", "> "+packet(2, "abcdefghi")[13:]+kexInit(lists...))
}

// TestDescribed checks what the descriptions of shared test cases expect.
func TestNoFingerprint(t *testing.T) {
	kex := kexInit("kex", "key", "c1", "c2", "m1", "m2", "z1", "z2", "", "")
	d := protocoltest.TCP(22, "> SSH-2.0-a\r\n"+kex, "< SSH-2.0-b\r\n"+kex)
	f := func(off, want bool) {
		t.Helper()
		d.Limits = protocol.DefaultLimits()
		d.Limits.NoHASSH = off
		r := protocoltest.CheckCuts(t, Definition(), d)
		b, err := json.Marshal(r.Txs[0].Event.Extra["ssh"])
		if err != nil || strings.Contains(string(b), "hassh") != want || len(r.Txs[0].Buffers["to_server ssh.hassh"]) > 0 != want {
			t.Errorf("off %v: %s, %v", off, b, err)
		}
	}
	f(false, true)
	f(true, false)
}

func TestDescribed(t *testing.T) {
	f := func(name, client, server string) {
		t.Helper()
		files, err := filepath.Glob(protocoltest.Shared(t, append([]string{"suricata-verify", "tests"}, strings.Split(name, "/")...)...) + "/*.pcap")
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v %v", name, files, err)
		}
		for _, d := range protocoltest.Dialogues(t, files[0]) {
			isSSH := false
			for _, c := range d.Chunks {
				isSSH = isSSH || probe(c.Dir, c.Data) == protocol.Certain
			}
			if !isSSH {
				continue
			}
			r := protocoltest.CheckCuts(t, Definition(), d)
			s := r.Parser.Txs().Live[0].State.(*Session)
			for dir, want := range [2]string{client, server} {
				x := &s.Peers[dir]
				if got := fmt.Sprintf("%s %s %s", x.Proto, x.Software, x.Hassh); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			return
		}
		t.Errorf("%s: no flow", name)
	}
	f("ssh-hassh-only", "2.0 OpenSSH_for_Windows_7.7 2dd6531c7e89d3c925db9214711be76a", "2.0 OpenSSH_7.4 6832f1ce43d4397c2c0a3e2f8c94334e")
	f("ssh-hassh-reassembled", "1.99 Cisco-1.25 3cc67862bceac0f334c62ad1b76895b4", "2.0 Cisco-1.25 3cc67862bceac0f334c62ad1b76895b4")
	f("bug-4903/bug-4903-01", "  ", "1.99 Cisco_server-1.24 ")
}

func TestProbe(t *testing.T) {
	f := func(s string, want protocol.Certainty) {
		t.Helper()
		if got := probe(protocol.ToServer, []byte(s)); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
	f("", protocol.Unsure)
	f("SS", protocol.Unsure)
	f("SSH-2", protocol.Unsure)
	f("SSH-2.0-x", protocol.Certain)
	f("SSH-1.99-x", protocol.Certain)
	f("SSH-x.", protocol.NotForUs)
	f("SSL", protocol.NotForUs)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("SSH-2.0-a\r\n"), []byte("x\r\nSSH-1.99-b c\r\n"), []byte(kexInit("a", "b", "c")), []byte(packet(msgNewKeys, "")+"x"))
	f.Add([]byte("SSH-1.5-a\n"), []byte("SSH-2.0-b\r\n\x00\x00\x00\x02\x00\x14"), []byte("x"), []byte("\x00\x00\x00\x02\x00\x15y"))
	f.Fuzz(func(t *testing.T, a, b, c, e []byte) {
		var d, one protocoltest.Dialogue
		for i, x := range [][]byte{a, b, c, e} {
			d.Chunks = append(d.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i & 1), Data: x})
			for k := range x {
				one.Chunks = append(one.Chunks, protocoltest.Chunk{Dir: protocol.Dir(i & 1), Data: x[k : k+1]})
			}
		}
		want, got := protocoltest.Run(Definition(), d), protocoltest.Run(Definition(), one)
		if !reflect.DeepEqual(want.Txs, got.Txs) || want.Status != got.Status || want.Skipped != got.Skipped {
			t.Fatal(protocoltest.Diff(want, got))
		}
		probe(protocol.ToServer, a)
	})
}
