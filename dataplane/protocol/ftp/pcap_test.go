package ftp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
	"sluice/dataplane/protocol/protocoltest"
)

// conn is a flow of a capture, as a worker would have it.
type conn struct {
	expect.Control
	clientPort, serverPort uint16
	def                    *protocol.Definition
	parser                 protocol.Parser
	sink                   *tableSink
	next                   [2]uint32
	ended                  [2]bool
	skip                   bool
}

// tableSink is the worker's part in announcing.
type tableSink struct {
	protocoltest.Sink
	table *expect.Table
	c     *conn
	now   int64
}

func (s *tableSink) Announce(a expect.Announcement) { s.table.Announce(s.c.Control, a, s.now) }
func (s *tableSink) Renew(h *expect.Hint)           { s.table.Renew(h, s.now) }
func (s *tableSink) Withdraw(h *expect.Hint)        { s.table.Withdraw(h) }

// follow runs a capture's control connections and the data connections that
// they announce, packet by packet. It takes segments that are in order.
func follow(t *testing.T, path string) []*conn {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var src gopacket.PacketDataSource
	var link layers.LinkType
	if r, err := pcapgo.NewReader(bytes.NewReader(raw)); err == nil {
		src, link = r, r.LinkType()
	} else if r, err := pcapgo.NewNgReader(bytes.NewReader(raw), pcapgo.DefaultNgReaderOptions); err == nil {
		src, link = r, r.LinkType()
	} else {
		t.Fatal(err)
	}
	table := expect.NewTable(expect.Options{})
	conns := map[string]*conn{}
	var order []*conn
	for {
		data, ci, err := src.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := gopacket.NewPacket(data, link, gopacket.NoCopy)
		tcp, _ := p.TransportLayer().(*layers.TCP)
		if tcp == nil {
			continue
		}
		a, _ := netip.AddrFromSlice(p.NetworkLayer().NetworkFlow().Src().Raw())
		b, _ := netip.AddrFromSlice(p.NetworkLayer().NetworkFlow().Dst().Raw())
		key := fmt.Sprint(a, tcp.SrcPort, b, tcp.DstPort)
		c, now := conns[key], ci.Timestamp.UnixNano()
		if c == nil || tcp.SYN && !tcp.ACK {
			c = &conn{Control: expect.Control{Client: a, Server: b, Flow: uint64(len(order) + 1)}, clientPort: uint16(tcp.SrcPort), serverPort: uint16(tcp.DstPort)}
			conns[key], conns[fmt.Sprint(b, tcp.DstPort, a, tcp.SrcPort)] = c, c
			order = append(order, c)
			c.sink = &tableSink{table: table, c: c}
			if c.serverPort == 21 {
				c.def = Definition()
			} else if h := table.Lookup(0, false, a, b, c.clientPort, c.serverPort, now); h != nil {
				c.def = expected(h)
			} else {
				c.skip = true
				continue
			}
			c.parser = c.def.New(c.env(now))
		}
		if !c.skip {
			c.segment(a == c.Client && uint16(tcp.SrcPort) == c.clientPort, tcp, now)
		}
	}
	for _, c := range order {
		for d := range c.ended {
			if !c.skip && !c.ended[d] {
				c.parser.End(c.env(0), protocol.Dir(d))
			}
		}
	}
	return slices.DeleteFunc(order, func(c *conn) bool { return c.skip })
}

func (c *conn) env(now int64) *protocol.Env {
	c.sink.now = now
	env := protocoltest.NewEnv(protocoltest.Dialogue{SrcPort: c.clientPort, DstPort: c.serverPort}, nil)
	env.Objects, env.Now = c.sink, now
	return env
}

func (c *conn) segment(fromClient bool, tcp *layers.TCP, now int64) {
	dir := protocol.ToClient
	if fromClient {
		dir = protocol.ToServer
	}
	seq := tcp.Seq
	if tcp.SYN {
		seq++
		c.next[dir] = seq
	}
	if data := tcp.Payload; len(data) > 0 && seq == c.next[dir] {
		c.next[dir] += uint32(len(data))
		c.parser.Parse(c.env(now), dir, data)
	}
	if (tcp.FIN || tcp.RST) && !c.ended[dir] && seq+uint32(len(tcp.Payload)) == c.next[dir] {
		c.ended[dir] = true
		c.parser.End(c.env(now), dir)
	}
}

// TestCapturedFiles compares files with those that tshark exports.
func TestCapturedFiles(t *testing.T) {
	rows, err := os.ReadFile(protocoltest.Shared(t, "pcaps", "objects.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, row := range strings.Split(strings.TrimSpace(string(rows)), "\n") {
		col := strings.Split(row, "\t")
		if col[1] != "ftp-data" {
			continue
		}
		checked++
		found := 0
		for _, c := range follow(t, protocoltest.Shared(t, "pcaps", col[0])) {
			if err := c.sink.Check(); err != nil {
				t.Error(err)
			}
			for _, o := range c.sink.Objects {
				sum := sha256.Sum256(o.Data)
				if o.Name == col[4] && hex.EncodeToString(sum[:]) == col[3] && o.State == protocol.ObjectClosed && o.File {
					found++
				}
			}
		}
		if found != 2 { // each capture holds it twice, passive and active
			t.Errorf("%s: %s found %d times", col[0], col[4], found)
		}
	}
	if checked == 0 {
		t.Fatal("no rows")
	}
}

// TestDescribed checks what the descriptions of shared test cases expect.
func TestDescribed(t *testing.T) {
	f := func(name string, want ...string) {
		t.Helper()
		var got []string
		for _, c := range follow(t, protocoltest.Shared(t, append([]string{"suricata-verify", "tests"}, strings.Split(name, "/")...)...)) {
			for _, tx := range protocoltest.Collect(c.def, c.parser) {
				switch r := tx.Event.Extra["ftp"].(type) {
				case eveFTP:
					line := fmt.Sprintf("%d %s %.20s %s %s %d", c.clientPort, r.Command, r.CommandData, strings.Join(r.CompletionCode, ","), r.Mode, r.DynamicPort)
					if r.CommandTruncated || r.ReplyTruncated {
						line += fmt.Sprint(" ", len(r.CommandData), r.CommandTruncated, r.ReplyTruncated)
					}
					got = append(got, strings.Join(strings.Fields(line+" "+strings.Join(tx.Events, ",")), " "))
				default:
					d := tx.Event.Extra["ftp_data"].(eveData)
					size := 0
					for _, o := range c.sink.Objects {
						size += len(o.Data)
					}
					got = append(got, fmt.Sprintf("data %d %s of %d: %s %s %d", c.serverPort, c.Client, tx.Event.ParentID, d.Command, d.Filename, size))
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("bug-3519/input.pcap", "59898 220 0", "59898 USER anonymous 331 0", "59898 PASS anonymous 230 0", "59898 PORT 192,168,0,13,234,10 200 active 59914",
		"59898 NLST 150,226 0", "59898 PORT 192,168,0,13,234,22 200 active 59926", "59898 RETR temp.txt 150,226 0", "59898 QUIT 221 0")
	f("ftp/ftp-bounce/test.pcap", "33112 220 0", "33112 USER anonymous 230 0", "33112 PORT 1,1,1,2,232,157 200 active 59549", "33112 QUIT 221 0",
		"58316 220 0", "58316 USER anonymous 230 0", "58316 PORT 2,2,2,3,0,80 200 active 80", "58316 QUIT 221 0")
	f("detect-ftp/ftp-passive-dynamic_port-02/ftp-passive-dynamic_port.pcap", "5555 220 0", "5555 USER user 331 0", "5555 PASS *** 230 0", "5555 SYST 215 0",
		"5555 TYPE I 200 0", "5555 PASV 227 passive 47373", "5555 RETR index.html 550 0")
	f("ftp-retr-bypass-realserver/input.pcap", "54323 220 0", "54323 USER testuser 331 0", "54323 PASS *** 230 0", "54323 RETR secret_file.txt 425 0 file_before_port",
		"54323 CWD / 250 0", "54323 QUIT 221 0")
	f("ftp/ftp-upload-passive/input.pcap", "43234 220 0", "43234 USER alice 331 0", "43234 PASS *** 230 0", "43234 TYPE A 200 0", "43234 PASV 227 passive 21003",
		"43234 NLST 150,226 0", "43234 TYPE I 200 0", "43234 PASV 227 passive 21003", "43234 STOR index.html 150,226 0", "43234 TYPE A 200 0",
		"43234 PASV 227 passive 21001", "43234 NLST 150,226 0", "43234 QUIT 221 0",
		"data 21003 172.23.0.3 of 1: NLST  25", "data 21003 172.23.0.3 of 1: STOR index.html 39", "data 21001 172.23.0.3 of 1: NLST  25")
	f("ftp/ftp-download-active/input.pcap", "58252 220 0", "58252 USER bob 331 0", "58252 PASS *** 230 0", "58252 TYPE A 200 0", "58252 PORT 172,23,0,3,174,127 200 active 44671",
		"58252 NLST 150,226 0", "58252 TYPE I 200 0", "58252 PORT 172,23,0,3,170,65 200 active 43585", "58252 RETR index.html 150,226 0", "58252 TYPE A 200 0",
		"58252 PORT 172,23,0,3,169,175 200 active 43439", "58252 NLST 150,226 0", "58252 QUIT 221 0",
		"data 44671 172.23.0.2 of 1: NLST  25", "data 43585 172.23.0.2 of 1: RETR index.html 39", "data 43439 172.23.0.2 of 1: NLST  25")
	f("ftp/ftp-too-long-command-first/ftp-too-long-command.pcap", "5555 220 0", "5555 USER user 331 0", "5555 PASS *** 230 0", "5555 SYST 215 0", "5555 TYPE I 200 0",
		"5555 PASV 227 passive 47373", "5555 RETR AAAAAAAAAAAAAAAAAAAA 550 0 4091 true false request_command_too_long", "5555 RETR index.html 550 0")
}
