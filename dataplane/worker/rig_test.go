package worker_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/classifiers/extract"
	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/inspect"
	"sluice/dataplane/policy"
	"sluice/dataplane/stream"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/internal/app"
)

// TestMain makes the test binary the child that reads documents.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "__extract" {
		if err := extract.ChildMain(os.Stdin, os.Stdout, 1<<30); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// parts are the compiled detectors, which take a while.
var parts = sync.OnceValues(func() (*inspect.Set, error) {
	cat, err := classifiers.New(classifiers.Config{})
	if err != nil {
		return nil, err
	}
	return inspect.NewSet(nil, cat, "")
})

// rig is a live inline worker with a reader of documents, and one connection.
type rig struct {
	*testing.T
	w      *worker.Worker
	reader *document.Reader
	port   uint16
	seq    [2]uint32
	num    uint64
	// tap has both directions come from one port.
	tap    bool
	events []*events.Event
	// out are the frames that left since the last call of sent, by port.
	out [2][][]byte
}

// hung is a pool whose children never answer.
func hung() *extract.Pool {
	return &extract.Pool{Path: "/bin/sh", Args: []string{"-c", `printf 'S\000\000\000\000'; exec sleep 100`}, Size: 1}
}

func working() *extract.Pool { return &extract.Pool{Args: []string{"__extract"}, Size: 2} }

func newRig(t *testing.T, pol string, pool *extract.Pool, change func(*worker.Config, *document.Config)) *rig {
	t.Helper()
	set, err := parts()
	if err != nil {
		t.Fatal(err)
	}
	reg, err := app.Registry()
	if err != nil {
		t.Fatal(err)
	}
	cfg := worker.Config{Set: set, Policy: policy.Default(), Registry: reg, Inline: true, Live: true, Ifaces: []string{"in0", "out0"},
		Stream: stream.DefaultConfig(), HeldTime: 5 * time.Second, HeldBytes: 64 << 10}
	if pol != "" {
		if cfg.Policy, err = policy.Parse([]byte(pol), "test.yaml"); err != nil {
			t.Fatal(err)
		}
	}
	dc := document.Config{Pool: pool, Workers: 2}
	if change != nil {
		change(&cfg, &dc)
	}
	r := &rig{T: t, reader: document.New(dc), port: 80}
	cfg.Documents = r.reader
	if r.w, err = worker.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.w.Flush()
		r.w.Close()
		r.reader.Close()
		r.w.Tick(time.Now().UnixNano()) // what came too late
		if n := r.reader.Memory.Used(); n != 0 {
			t.Errorf("%d bytes of memory were not given back", n)
		}
	})
	return r
}

// open begins a connection.
func (r *rig) open() {
	r.Helper()
	r.seq = [2]uint32{1000, 9000}
	for _, s := range []struct {
		from int
		syn  bool
		ack  bool
	}{{0, true, false}, {1, true, true}, {0, false, true}} {
		t := &layers.TCP{SYN: s.syn, ACK: s.ack}
		if !r.send(r.frame(s.from, r.seq[s.from], nil, t)) {
			r.Fatal("the handshake was withheld")
		}
		if s.syn {
			r.seq[s.from]++
		}
	}
}

// frame makes a segment; 0 is the client.
func (r *rig) frame(from int, seq uint32, payload []byte, t *layers.TCP) capture.Frame {
	r.Helper()
	ports := [2]layers.TCPPort{40000, layers.TCPPort(r.port)}
	ips := [2]net.IP{{10, 0, 0, 2}, {203, 0, 113, 10}}
	macs := [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	t.SrcPort, t.DstPort, t.Seq, t.Window = ports[from], ports[1-from], seq, 64000
	if t.ACK {
		t.Ack = r.seq[1-from]
	}
	r.num++
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: ips[from], DstIP: ips[1-from], Id: uint16(r.num)}
	_ = t.SetNetworkLayerForChecksum(ip)
	eth := &layers.Ethernet{SrcMAC: macs[from], DstMAC: macs[1-from], EthernetType: layers.EthernetTypeIPv4}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, t, gopacket.Payload(payload)); err != nil {
		r.Fatal(err)
	}
	port := uint8(from)
	if r.tap {
		port = 0
	}
	return capture.Frame{Data: buf.Bytes(), WireLen: uint32(len(buf.Bytes())), Link: capture.LinkEthernet, Port: port, Num: r.num, Time: time.Now().UnixNano()}
}

// send gives a frame to the worker and reports whether it went on at once.
func (r *rig) send(f capture.Frame) bool {
	r.Helper()
	// As live does, the frame's memory is used again afterwards.
	f.Data = bytes.Clone(f.Data)
	b := capture.Batch{Frames: []capture.Frame{f}}
	forward := []bool{false}
	r.w.Process(&b, forward)
	if forward[0] {
		r.out[1-f.Port] = append(r.out[1-f.Port], bytes.Clone(b.Frames[0].Data))
	}
	r.take()
	clear(f.Data)
	return forward[0]
}

// data sends the client's (0) or the server's (1) next bytes.
func (r *rig) data(from int, text string) bool {
	r.Helper()
	f := r.frame(from, r.seq[from], []byte(text), &layers.TCP{ACK: true, PSH: true})
	r.seq[from] += uint32(len(text))
	return r.send(f)
}

// take notes what the worker tells and sends.
func (r *rig) take() {
	r.events = append(r.events, r.w.Events()...)
	for _, inj := range r.w.Injections() {
		data := inj.Frame
		if inj.Captured != nil {
			data = inj.Captured.Data
		}
		r.out[inj.Port] = append(r.out[inj.Port], bytes.Clone(data))
	}
}

// wait lets time pass until ok.
func (r *rig) wait(what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		r.w.Tick(time.Now().UnixNano())
		r.take()
		if ok() {
			return
		}
	}
	r.Fatalf("%s did not come", what)
}

// sent gives the TCP payloads and flags of what left towards a side since the
// last call.
func (r *rig) sent(port int) (list []string) {
	r.Helper()
	d := decode.New(decode.Config{})
	for i, data := range r.out[port] {
		f := capture.Frame{Data: data, WireLen: uint32(len(data)), Link: capture.LinkEthernet}
		for _, p := range d.Decode(&f) {
			if p.Flags&(decode.FlagInvalid|decode.FlagBadL4Checksum|decode.FlagBadIPChecksum) != 0 {
				r.Errorf("frame %d to port %d is broken", i, port)
			}
			s := string(p.PayloadBytes())
			switch {
			case p.TCPFlags&decode.TCPRst != 0:
				s = fmt.Sprintf("RST %d", p.Seq)
			case p.TCPFlags&decode.TCPFin != 0:
				s += " FIN"
			}
			list = append(list, s)
		}
	}
	r.out[port] = nil
	return list
}

// joined is sent as one text.
func (r *rig) joined(port int) string { r.Helper(); return strings.Join(r.sent(port), "") }

// dlp gives the events of lost data so far.
func (r *rig) dlp() (list []*events.DLP) {
	for _, e := range r.events {
		if e.DLP != nil {
			list = append(list, e.DLP)
		}
	}
	return list
}

// docx makes a document of one paragraph.
func docx(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range [][2]string{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`},
		{"word/document.xml", `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>` + text + `</w:t></w:r></w:p></w:body></w:document>`},
	} {
		e, err := w.Create(f[0])
		if err == nil {
			_, err = io.WriteString(e, f[1])
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// cards is a list that the default policy blocks; the numbers are nobody's.
const cards = "credit cards: 4539578763621486 4716461583322103 4024007103939509 5425233430109903 2222420000001113 374245455400126"

// put makes an upload in three pieces.
func put(doc string) [3]string {
	all := fmt.Sprintf("PUT /plan.docx HTTP/1.1\r\nHost: files.example.test\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc)
	return [3]string{all[:300], all[300:600], all[600:]}
}
