package flow_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/flow"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

// shared gives a folder beside the repository, or skips.
func shared(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			p := filepath.Join(dir, "..", "shared", path)
			if _, err := os.Stat(p); err != nil {
				t.Skipf("%s is not there: nothing to compare", path)
			}
			return p
		}
	}
	t.Skip("no go.mod above the test")
	return ""
}

// text gathers a connection as text, gaps the way tshark writes them.
type text struct{ dir [2]bytes.Buffer }

func (x *text) StreamData(d protocol.Dir, _ uint64, b []byte) { x.dir[d].Write(b) }
func (x *text) StreamGap(d protocol.Dir, _, n uint64) {
	fmt.Fprintf(&x.dir[d], "[%d bytes missing in capture file]", n)
}
func (x *text) StreamEnd(protocol.Dir) {}

type conn struct {
	client, server string
	data           [2]string
}

var errUnsupported = errors.New("not for this comparison")

// packets reads a capture with gopacket, independent of our own decoder. It
// declines captures with tunnels, fragments or cut frames.
func packets(path string, fn func(p *decode.Packet)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		return errUnsupported
	}
	for n := uint64(1); ; n++ {
		b, ci, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || ci.CaptureLength < ci.Length {
			return errUnsupported
		}
		g := gopacket.NewPacket(b, r.LinkType(), gopacket.NoCopy)
		p := &decode.Packet{Frame: &capture.Frame{Data: b, WireLen: uint32(ci.Length), Num: n}, Time: ci.Timestamp.UnixNano()}
		ips := 0
		var tcp *layers.TCP
		for _, l := range g.Layers() {
			switch l := l.(type) {
			case *layers.IPv4:
				if l.FragOffset != 0 || l.Flags&layers.IPv4MoreFragments != 0 {
					return errUnsupported
				}
				ips++
				p.IPVersion, p.TTL = 4, l.TTL
				p.Src, p.Dst = decode.Addr(l.SrcIP.To16()), decode.Addr(l.DstIP.To16())
			case *layers.IPv6:
				ips++
				p.IPVersion, p.TTL = 6, l.HopLimit
				p.Src, p.Dst = decode.Addr(l.SrcIP), decode.Addr(l.DstIP)
			case *layers.IPv6Fragment:
				return errUnsupported
			case *layers.TCP:
				tcp = l
			}
		}
		if tcp == nil {
			continue
		}
		if ips != 1 {
			return errUnsupported
		}
		p.Proto, p.Flags = decode.ProtoTCP, decode.FlagHasPorts
		p.SrcPort, p.DstPort, p.Seq, p.Ack = uint16(tcp.SrcPort), uint16(tcp.DstPort), tcp.Seq, tcp.Ack
		p.Window, p.Urgent = tcp.Window, tcp.Urgent
		for i, on := range []bool{tcp.FIN, tcp.SYN, tcp.RST, tcp.PSH, tcp.ACK, tcp.URG} {
			if on {
				p.TCPFlags |= 1 << i
			}
		}
		for _, o := range tcp.Options {
			switch {
			case o.OptionType == layers.TCPOptionKindWindowScale && len(o.OptionData) == 1:
				p.TCPOpts.HasWScale, p.TCPOpts.WScale = true, o.OptionData[0]
			case o.OptionType == layers.TCPOptionKindTimestamps && len(o.OptionData) == 8:
				d := o.OptionData
				p.TCPOpts.HasTimestamp = true
				p.TCPOpts.TSVal, p.TCPOpts.TSEcr = binary.BigEndian.Uint32(d), binary.BigEndian.Uint32(d[4:])
			}
		}
		p.Data, p.PayloadEnd = tcp.Payload, uint32(len(tcp.Payload))
		fn(p)
	}
}

// follow runs a capture through table and engine and gives its connections in
// the order in which they began.
func follow(path string, inline bool) ([]conn, stream.Counters, error) {
	cfg := stream.DefaultConfig()
	cfg.Inline, cfg.Midstream, cfg.Urgent, cfg.NoOverlapCheck = inline, true, stream.UrgentInline, false
	e := stream.NewEngine(cfg)
	var conns []*text
	var ends [][2]string
	evict := func(f *flow.Flow, _ flow.Reason) {
		e.Close(f.TCP, f.Inspect.(*text))
	}
	tb := flow.NewTable(flow.Config{Evict: evict, TCP: flow.Timeouts{New: 1e15, Established: 1e15, Closed: 1e15}})
	begin := func(f *flow.Flow) {
		x := &text{}
		f.Inspect = x
		conns = append(conns, x)
		end := func(a decode.Addr, port uint16) string {
			return net.JoinHostPort(a.Netip().String(), fmt.Sprint(port))
		}
		ends = append(ends, [2]string{end(f.Client, f.ClientPort), end(f.Server, f.ServerPort)})
	}
	err := packets(path, func(p *decode.Packet) {
		f, dir, isNew := tb.Get(p)
		if isNew {
			begin(f)
		}
		res := e.Segment(f.TCP, p, dir, f.Inspect.(*text))
		if res.New {
			f, dir = tb.Renew(f, p)
			begin(f)
			e.Segment(f.TCP, p, dir, f.Inspect.(*text))
		}
		tb.Update(f)
	})
	tb.Flush(evict)
	out := make([]conn, len(conns))
	for i, x := range conns {
		out[i] = conn{ends[i][0], ends[i][1], [2]string{x.dir[0].String(), x.dir[1].String()}}
	}
	return out, e.Counters, err
}

// tshark gives its own idea of the same connections.
func tshark(path string, n int) ([]conn, error) {
	args := []string{"-n", "-q", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE"}
	for i := range n {
		args = append(args, "-z", fmt.Sprintf("follow,tcp,raw,%d", i))
	}
	b, err := exec.Command("tshark", args...).Output()
	if err != nil {
		return nil, err
	}
	out := make([]conn, n) // tshark prints them in any order
	i := 0
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		line := sc.Text()
		switch {
		case strings.HasPrefix(line, "Filter: tcp.stream eq "):
			if _, err := fmt.Sscanf(line, "Filter: tcp.stream eq %d", &i); err != nil || i >= n {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		case strings.HasPrefix(line, "Node 0: "):
			out[i].client = line[8:]
		case strings.HasPrefix(line, "Node 1: "):
			out[i].server = line[8:]
		case line == "" || strings.HasPrefix(line, "=") || strings.HasPrefix(line, "Follow"):
		default:
			d := 0
			if line[0] == '\t' {
				d, line = 1, line[1:]
			}
			raw, err := hex.DecodeString(line)
			if err != nil {
				return nil, err
			}
			out[i].data[d] += string(raw)
		}
	}
	return out, sc.Err()
}

var missing = regexp.MustCompile(`\[(\d+) bytes missing in capture file\]\x00?`)

// plain brings both manners of telling a gap together. tshark tells none in a
// direction of which it has seen nothing.
func plain(s string) string {
	s = missing.ReplaceAllString(s, "[$1]")
	if m := regexp.MustCompile(`^\[\d+\]$`); m.MatchString(s) {
		return ""
	}
	return s
}

// TestAgainstTshark compares what each direction of each connection of real
// captures gives with what another program makes of it.
func TestAgainstTshark(t *testing.T) {
	dir := shared(t, "data/pcaps")
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed: nothing to compare with")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.pcap"))
	compared := 0
	for _, file := range files {
		name := filepath.Base(file)
		mine, _, err := follow(file, true)
		if err != nil || len(mine) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			theirs, err := tshark(file, len(mine))
			if err != nil {
				t.Fatal(err)
			}
			lazy, counters, err := follow(file, false)
			if err != nil || len(lazy) != len(mine) || len(theirs) != len(mine) {
				t.Fatalf("%d connections inline, %d in ids mode, %d by tshark (%v)", len(mine), len(lazy), len(theirs), err)
			}
			for i := range mine {
				a, b, c := mine[i], lazy[i], theirs[i]
				if a.data != b.data {
					t.Errorf("connection %d: inline %d and %d bytes, ids %d and %d", i, len(a.data[0]), len(a.data[1]), len(b.data[0]), len(b.data[1]))
				}
				if c.client != a.client && c.server == a.client { // node 0 sent first
					c.data[0], c.data[1] = c.data[1], c.data[0]
				}
				for d := range a.data {
					if plain(a.data[d]) != plain(c.data[d]) {
						t.Errorf("connection %d (%s %s), direction %d: %d bytes, tshark %d", i, a.client, a.server, d, len(a.data[d]), len(c.data[d]))
					}
				}
			}
			compared += len(mine)
			if counters.Invalid > 0 {
				t.Logf("%d segments were invalid", counters.Invalid)
			}
		})
	}
	t.Logf("%d connections compared", compared)
	if compared < 50 {
		t.Error("too few to mean anything")
	}
}
