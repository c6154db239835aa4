package protocoltest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"sluice/dataplane/protocol"
)

// Shared gives the path of a file of the shared data folder, and skips the
// test where it is not there.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "data"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("shared data absent: %v", err)
	}
	return path
}

// half follows one direction of a connection, without judging anything.
type half struct {
	next  uint32
	known bool
	later map[uint32][]byte
}

type conn struct {
	d      *Dialogue
	client string
	half   [2]half
}

// Dialogues reads a capture file's flows in the order of their first packet.
// TCP is put in order in the simplest way; missing bytes are not told.
func Dialogues(t testing.TB, path string) []Dialogue {
	t.Helper()
	flows, err := readDialogues(path)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return flows
}

// DialoguesOrNone is Dialogues for files that may not be readable as captures.
func DialoguesOrNone(path string) []Dialogue {
	flows, _ := readDialogues(path)
	return flows
}

func readDialogues(path string) ([]Dialogue, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		if raw, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	var src gopacket.PacketDataSource
	var link layers.LinkType
	if r, err := pcapgo.NewReader(bytes.NewReader(raw)); err == nil {
		src, link = r, r.LinkType()
	} else if r, err := pcapgo.NewNgReader(bufio.NewReader(bytes.NewReader(raw)), pcapgo.DefaultNgReaderOptions); err == nil {
		src, link = r, r.LinkType()
	} else {
		return nil, err
	}
	conns := map[string]*conn{}
	var order []*conn
	for {
		data, _, err := src.ReadPacketData()
		if err != nil {
			break
		}
		p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: false, NoCopy: true})
		net := p.NetworkLayer()
		tl := p.TransportLayer()
		if net == nil || tl == nil {
			continue
		}
		a := fmt.Sprint(net.NetworkFlow().Src(), ":", tl.TransportFlow().Src())
		b := fmt.Sprint(net.NetworkFlow().Dst(), ":", tl.TransportFlow().Dst())
		proto := tl.LayerType().String()
		c := conns[proto+a+b]
		tcp, _ := tl.(*layers.TCP)
		if c == nil || (tcp != nil && tcp.SYN && !tcp.ACK && c.half[0].known && c.half[0].next != tcp.Seq+1) {
			c = &conn{d: &Dialogue{}, client: a}
			conns[proto+a+b], conns[proto+b+a] = c, c
			order = append(order, c)
			switch l := tl.(type) {
			case *layers.TCP:
				c.d.SrcPort, c.d.DstPort = uint16(l.SrcPort), uint16(l.DstPort)
			case *layers.UDP:
				c.d.UDP = true
				c.d.SrcPort, c.d.DstPort = uint16(l.SrcPort), uint16(l.DstPort)
			}
		}
		dir := protocol.ToClient
		if a == c.client {
			dir = protocol.ToServer
		}
		if tcp == nil {
			c.d.Chunks = append(c.d.Chunks, Chunk{Dir: dir, Data: bytes.Clone(tl.LayerPayload())})
			continue
		}
		c.segment(dir, tcp)
	}
	var flows []Dialogue
	for _, c := range order {
		flows = append(flows, *c.d)
	}
	return flows, nil
}

func (c *conn) segment(dir protocol.Dir, tcp *layers.TCP) {
	h := &c.half[dir]
	if tcp.SYN {
		h.next, h.known = tcp.Seq+1, true
		return
	}
	data := tcp.Payload
	if !h.known {
		h.next, h.known = tcp.Seq, true
	}
	if skip := int32(h.next - tcp.Seq); skip > 0 {
		data = data[min(int(skip), len(data)):]
	} else if skip < 0 {
		if h.later == nil {
			h.later = map[uint32][]byte{}
		}
		h.later[tcp.Seq] = bytes.Clone(data)
		return
	}
	for len(data) > 0 {
		c.d.Chunks = append(c.d.Chunks, Chunk{Dir: dir, Data: bytes.Clone(data)})
		h.next += uint32(len(data))
		data = h.later[h.next]
		delete(h.later, h.next)
	}
}
