package http1

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/protocoltest"
)

// shared gives a path in the data beside the repository, or skips the test.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Skip("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("no recorded traffic: %v", err)
	}
	return p
}

type flowKey struct{ a, b string }

// dialogues puts the TCP and SCTP payload of a capture into order, flow by
// flow. It drops retransmissions by sequence number and knows no better.
func dialogues(t testing.TB, file string) []protocoltest.Dialogue {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var src interface {
		gopacket.PacketDataSource
		LinkType() layers.LinkType
	}
	if src, err = pcapgo.NewReader(bytes.NewReader(raw)); err != nil {
		if src, err = pcapgo.NewNgReader(bytes.NewReader(raw), pcapgo.DefaultNgReaderOptions); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	type state struct {
		next  map[string]uint32
		early map[string]map[uint32][]byte
		d     *protocoltest.Dialogue
		first string
	}
	flows := map[flowKey]*state{}
	var order []*state
	for {
		data, _, err := src.ReadPacketData()
		if err != nil {
			break
		}
		pkt := gopacket.NewPacket(data, src.LinkType(), gopacket.DecodeOptions{NoCopy: true})
		var ends [2]string
		var payload []byte
		var seq uint32
		var syn, isTCP bool
		var sport, dport uint16
		var ip string
		for _, l := range pkt.Layers() {
			switch l := l.(type) {
			case *layers.IPv4:
				ends = [2]string{l.SrcIP.String(), l.DstIP.String()}
			case *layers.IPv6:
				ends = [2]string{l.SrcIP.String(), l.DstIP.String()}
			case *layers.TCP:
				payload, seq, syn, isTCP = l.Payload, l.Seq, l.SYN, true
				sport, dport = uint16(l.SrcPort), uint16(l.DstPort)
			case *layers.SCTP:
				sport, dport = uint16(l.SrcPort), uint16(l.DstPort)
			case *layers.SCTPData:
				payload = append(payload[:len(payload):len(payload)], l.Payload...)
			}
		}
		_ = ip
		if sport == 0 {
			continue
		}
		from := ends[0] + ":" + string(rune(sport))
		to := ends[1] + ":" + string(rune(dport))
		k := flowKey{min(from, to), max(from, to)}
		st := flows[k]
		if st == nil {
			st = &state{map[string]uint32{}, map[string]map[uint32][]byte{}, &protocoltest.Dialogue{SrcPort: sport, DstPort: dport}, from}
			flows[k] = st
			order = append(order, st)
		}
		dir := protocol.ToServer
		if from != st.first {
			dir = protocol.ToClient
		}
		if isTCP {
			if syn {
				st.next[from] = seq + 1
				continue
			}
			want, ok := st.next[from]
			if !ok {
				want = seq
			}
			if len(payload) == 0 {
				continue
			}
			if int32(seq-want) > 0 {
				if st.early[from] == nil {
					st.early[from] = map[uint32][]byte{}
				}
				st.early[from][seq] = payload
				continue
			}
			for {
				if skip := int32(want - seq); int(skip) < len(payload) {
					st.d.Chunks = append(st.d.Chunks, protocoltest.Chunk{Dir: dir, Data: payload[skip:]})
					want = seq + uint32(len(payload))
				}
				found := false
				for s, p := range st.early[from] {
					if int32(s-want) <= 0 {
						delete(st.early[from], s)
						seq, payload, found = s, p, true
						break
					}
				}
				if !found {
					break
				}
			}
			st.next[from] = want
		} else if len(payload) > 0 {
			st.d.Chunks = append(st.d.Chunks, protocoltest.Chunk{Dir: dir, Data: payload})
		}
	}
	var out []protocoltest.Dialogue
	for _, st := range order {
		if len(st.d.Chunks) > 0 {
			out = append(out, *st.d)
		}
	}
	return out
}

// asHTTP tells HTTP dialogues, turning those whose server spoke first in the
// capture.
func asHTTP(d protocoltest.Dialogue) (protocoltest.Dialogue, bool) {
	for _, flip := range []protocol.Dir{0, 1} {
		var head [2][]byte
		for _, c := range d.Chunks {
			head[c.Dir^flip] = append(head[c.Dir^flip], c.Data...)
		}
		if Probe(protocol.ToServer, head[0][:min(4096, len(head[0]))]) == protocol.Certain ||
			len(head[0]) == 0 && Probe(protocol.ToClient, head[1][:min(4096, len(head[1]))]) == protocol.Certain {
			out := d
			out.Chunks = nil
			for _, c := range d.Chunks {
				c.Dir ^= flip
				out.Chunks = append(out.Chunks, c)
			}
			return out, true
		}
	}
	return d, false
}

func size(d protocoltest.Dialogue) (n int) {
	for _, c := range d.Chunks {
		n += len(c.Data)
	}
	return n
}

func hash(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// TestObjectsOfCaptures compares bodies with what tshark exports.
func TestObjectsOfCaptures(t *testing.T) {
	list, err := os.ReadFile(shared(t, "data/pcaps/objects.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	done := map[string]bool{}
	found, total := 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 5 || f[1] != "http" || strings.Contains(f[0], "http2") {
			continue
		}
		if !done[f[0]] {
			done[f[0]] = true
			for _, d := range dialogues(t, shared(t, "data/pcaps/"+f[0])) {
				d, ok := asHTTP(d)
				if !ok {
					continue
				}
				r := protocoltest.Run(Definition(), d)
				if size(d) < 6_000 {
					r = protocoltest.CheckCuts(t, Definition(), d)
				}
				for _, o := range r.Objects {
					if o.File {
						have[hash(o.Data)] = true
					}
				}
			}
		}
		total++
		if have[f[3]] {
			found++
		} else {
			t.Logf("not found: %s", line)
		}
	}
	t.Logf("%d of %d objects found", found, total)
	if found*100 < total*85 {
		t.Errorf("%d of %d objects found", found, total)
	}
}

// TestEvasions replays captures of servers that bend the protocol; a browser
// gets the same file out of each, and so must we.
func TestEvasions(t *testing.T) {
	base := shared(t, "data/suricata-verify/tests/http-evader")
	dirs, _ := filepath.Glob(filepath.Join(base, "http-evader-*"))
	missed := 0
	rnd := rand.New(rand.NewSource(1))
	for _, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join(dir, "*.pcap"))
		if len(files) == 0 {
			continue
		}
		ok := false
		why := ""
		for _, d := range dialogues(t, files[0]) {
			d, is := asHTTP(d)
			if !is {
				continue
			}
			r := protocoltest.Run(Definition(), d)
			for range 5 {
				got := protocoltest.Run(Definition(), d.Cut(rnd))
				got.Rest = r.Rest
				if print(got) != print(r) {
					t.Errorf("%s: depends on cuts: %s", filepath.Base(dir), protocoltest.Diff(r, got))
				}
			}
			n := 0
			for _, o := range r.Objects {
				if o.Dir != protocol.ToClient || !o.File {
					continue
				}
				n++
				good := bytes.Contains(o.Data, []byte("EICAR-STANDARD-ANTIVIRUS-TEST-FILE")) && bytes.Contains(o.Data, []byte("X5O!P%@AP[4"))
				ok = ok || good && (o.Name == "eicar.txt" || strings.HasPrefix(o.Name, "/mime"))
				why += o.Name + " " + strings.ToValidUTF8(string(o.Data[:min(90, len(o.Data))]), "?") + "|"
			}
			ok = ok && n == 1
			if !ok {
				for _, tx := range r.Txs {
					why += strings.Join(tx.Events, ",") + ";"
				}
				for _, c := range d.Chunks {
					if c.Dir == protocol.ToServer {
						why = strings.SplitN(string(c.Data), "\r\n", 2)[0] + " -> " + why
						break
					}
				}
			}
		}
		if !ok {
			missed++
			t.Logf("%s: %q", filepath.Base(dir), why)
		}
	}
	if missed > 0 {
		t.Errorf("%d of %d evasions succeed", missed, len(dirs))
	}
}
