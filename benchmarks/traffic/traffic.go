// Package traffic makes capture files to measure with: pages, scripts, JSON,
// downloads, uploads, mail, TLS and DNS between many hosts, in MTU-size frames
// with good checksums. The same seed gives the same file. It knows nothing of
// the program that is measured.
package traffic

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// mss is what a frame carries of TCP at an MTU of 1500 with timestamps.
const mss = 1448

// Generator writes one capture.
type Generator struct {
	w    *pcapgo.Writer
	rnd  *rand.Rand
	now  time.Time
	size int64
	buf  gopacket.SerializeBuffer
	word []string
}

// Write writes about size bytes of traffic to w.
func Write(w io.Writer, size int64, seed uint64) error {
	g := &Generator{w: pcapgo.NewWriterNanos(w), rnd: rand.New(rand.NewPCG(seed, 1)),
		now: time.Unix(1_700_000_000, 0), buf: gopacket.NewSerializeBuffer()}
	if err := g.w.WriteFileHeader(262144, layers.LinkTypeEthernet); err != nil {
		return err
	}
	for range 5000 {
		b := make([]byte, 2+g.rnd.IntN(9))
		for i := range b {
			b[i] = "etaoinshrdlucmfwypvbgkqjxz"[min(g.rnd.IntN(26), g.rnd.IntN(26))]
		}
		g.word = append(g.word, string(b))
	}
	for g.size < size {
		var err error
		switch n := g.rnd.IntN(100); {
		case n < 55:
			err = g.web()
		case n < 75:
			err = g.tls()
		case n < 85:
			err = g.mail()
		default:
			err = g.dns()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// text gives about n bytes of words.
func (g *Generator) text(n int) []byte {
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = append(b, g.word[min(g.rnd.IntN(len(g.word)), g.rnd.IntN(len(g.word)))]...)
		b = append(b, " \n.,"[min(g.rnd.IntN(4), g.rnd.IntN(4), g.rnd.IntN(4))])
	}
	return b
}

func (g *Generator) binary(n int) []byte {
	b := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		v := g.rnd.Uint64()
		for j := range 8 {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	return b
}

type conn struct {
	g    *Generator
	ip   [2]net.IP
	port [2]uint16
	seq  [2]uint32
	id   [2]uint16
}

func (g *Generator) connect(port uint16) (*conn, error) {
	c := &conn{g: g,
		ip:   [2]net.IP{net.IPv4(10, 77, 1, byte(1+g.rnd.IntN(200))).To4(), net.IPv4(10, 77, 2, byte(1+g.rnd.IntN(60))).To4()},
		port: [2]uint16{uint16(20000 + g.rnd.IntN(40000)), port},
		seq:  [2]uint32{g.rnd.Uint32(), g.rnd.Uint32()}}
	for _, s := range []struct {
		from     int
		syn, ack bool
	}{{0, true, false}, {1, true, true}, {0, false, true}} {
		if err := c.frame(s.from, nil, func(t *layers.TCP) { t.SYN, t.ACK = s.syn, s.ack }); err != nil {
			return nil, err
		}
		if s.syn {
			c.seq[s.from]++
		}
	}
	return c, nil
}

func (c *conn) frame(from int, payload []byte, set func(*layers.TCP)) error {
	t := &layers.TCP{SrcPort: layers.TCPPort(c.port[from]), DstPort: layers.TCPPort(c.port[1-from]),
		Seq: c.seq[from], Ack: c.seq[1-from], ACK: true, Window: 64000}
	if set != nil {
		set(t)
	}
	if !t.ACK {
		t.Ack = 0
	}
	c.seq[from] += uint32(len(payload))
	c.id[from]++
	return c.g.ip(from, c.ip[from], c.ip[1-from], layers.IPProtocolTCP, c.id[from], t, payload)
}

type transport interface {
	gopacket.SerializableLayer
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}

func (g *Generator) ip(from int, src, dst net.IP, proto layers.IPProtocol, id uint16, l4 transport, payload []byte) error {
	macs := [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	eth := &layers.Ethernet{SrcMAC: macs[from], DstMAC: macs[1-from], EthernetType: layers.EthernetTypeIPv4}
	ip := &layers.IPv4{Version: 4, TTL: 64, Id: id, Flags: layers.IPv4DontFragment, Protocol: proto, SrcIP: src, DstIP: dst}
	if err := l4.SetNetworkLayerForChecksum(ip); err != nil {
		return err
	}
	err := gopacket.SerializeLayers(g.buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		eth, ip, l4, gopacket.Payload(payload))
	if err != nil {
		return err
	}
	b := g.buf.Bytes()
	g.now = g.now.Add(12 * time.Microsecond)
	g.size += int64(len(b)) + 16
	return g.w.WritePacket(gopacket.CaptureInfo{Timestamp: g.now, CaptureLength: len(b), Length: len(b)}, b)
}

// send carries data in full segments, with an acknowledgement after every second.
func (c *conn) send(from int, data []byte) error {
	for n := 0; len(data) > 0; n++ {
		k := min(mss, len(data))
		if err := c.frame(from, data[:k], func(t *layers.TCP) { t.PSH = k == len(data) }); err != nil {
			return err
		}
		data = data[k:]
		if n%2 == 1 || len(data) == 0 {
			if err := c.frame(1-from, nil, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *conn) close() error {
	for _, from := range []int{0, 1} {
		if err := c.frame(from, nil, func(t *layers.TCP) { t.FIN = true }); err != nil {
			return err
		}
		c.seq[from]++
	}
	return c.frame(0, nil, nil)
}

func (g *Generator) web() error {
	c, err := g.connect(80)
	if err != nil {
		return err
	}
	for range 1 + g.rnd.IntN(6) {
		method, req := "GET", []byte(nil)
		if g.rnd.IntN(20) == 0 {
			method = "POST"
			req = fmt.Appendf(nil, `{"user":%q,"comment":%q}`, g.word[g.rnd.IntN(50)], g.text(200+g.rnd.IntN(3000)))
		}
		head := fmt.Appendf(nil, "%s /%s/%s?v=%d HTTP/1.1\r\nHost: www.example%d.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"+
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"+
			"Cookie: sid=%032x; theme=dark\r\nReferer: https://www.example.test/%s\r\nConnection: keep-alive\r\n", method,
			g.word[g.rnd.IntN(500)], g.word[g.rnd.IntN(500)], g.rnd.IntN(1e6), g.rnd.IntN(60), g.rnd.Uint64(), g.word[g.rnd.IntN(500)])
		if req != nil {
			head = fmt.Appendf(head, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(req))
		}
		if err := c.send(0, append(append(head, "\r\n"...), req...)); err != nil {
			return err
		}
		var body []byte
		typ, enc := "text/html; charset=utf-8", ""
		switch g.rnd.IntN(5) {
		case 0:
			typ, body = "image/jpeg", g.binary(2000+g.rnd.IntN(60000))
		case 1:
			typ, body = "application/octet-stream", g.binary(10000+g.rnd.IntN(150000))
		case 2:
			var z bytes.Buffer
			gz := gzip.NewWriter(&z)
			gz.Write(g.text(5000 + g.rnd.IntN(80000)))
			gz.Close()
			body, enc = z.Bytes(), "Content-Encoding: gzip\r\n"
		default:
			body = g.text(1000 + g.rnd.IntN(60000))
		}
		head = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Type: %s\r\n%sContent-Length: %d\r\nConnection: keep-alive\r\n\r\n", typ, enc, len(body))
		if err := c.send(1, append(head, body...)); err != nil {
			return err
		}
	}
	return c.close()
}

// tls sends a record layer that looks right from outside: a hello with a
// server name and encrypted records.
func (g *Generator) tls() error {
	c, err := g.connect(443)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("cdn.example%d.test", g.rnd.IntN(60))
	if err := c.send(0, clientHello(name, g.binary(64))); err != nil {
		return err
	}
	rec := func(typ byte, n int) []byte {
		return append([]byte{typ, 3, 3, byte(n >> 8), byte(n)}, g.binary(n)...)
	}
	hello := append([]byte{22, 3, 3, 0, 74, 2, 0, 0, 70, 3, 3}, g.binary(32)...)
	hello = append(append(hello, 32), g.binary(32)...)
	hello = append(hello, 0x13, 0x01, 0)
	hello[4] = byte(len(hello) - 5)
	hello[8] = byte(len(hello) - 9)
	if err := c.send(1, append(append(hello, 20, 3, 3, 0, 1, 1), rec(23, 1200)...)); err != nil {
		return err
	}
	if err := c.send(0, append([]byte{20, 3, 3, 0, 1, 1}, rec(23, 400)...)); err != nil {
		return err
	}
	for range 1 + g.rnd.IntN(12) {
		if err := c.send(1, rec(23, 1000+g.rnd.IntN(15000))); err != nil {
			return err
		}
	}
	return c.close()
}

func clientHello(name string, random []byte) []byte {
	u16 := func(n int) []byte { return []byte{byte(n >> 8), byte(n)} }
	sni := append(append([]byte{0}, u16(len(name))...), name...)
	sni = append(u16(len(sni)), sni...)
	ext := append(append([]byte{0, 0}, u16(len(sni))...), sni...)
	ext = append(ext, 0, 43, 0, 3, 2, 3, 4)
	body := append([]byte{3, 3}, random[:32]...)
	body = append(append(body, 32), random[32:64]...)
	body = append(body, 0, 4, 0x13, 0x01, 0xc0, 0x2f, 1, 0)
	body = append(append(body, u16(len(ext))...), ext...)
	hs := append([]byte{1, 0}, u16(len(body))...)
	hs = append(hs, body...)
	return append(append([]byte{22, 3, 1}, u16(len(hs))...), hs...)
}

func (g *Generator) mail() error {
	c, err := g.connect(25)
	if err != nil {
		return err
	}
	bd := fmt.Sprintf("=_%016x", g.rnd.Uint64())
	msg := fmt.Appendf(nil, "From: a@example.test\r\nTo: b@example.test\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain\r\n\r\n%s\r\n",
		g.word[g.rnd.IntN(100)], bd, bd, bytes.ReplaceAll(g.text(500+g.rnd.IntN(5000)), []byte("\n"), []byte("\r\n")))
	if g.rnd.IntN(2) == 0 {
		msg = fmt.Appendf(msg, "--%s\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"a.bin\"\r\n\r\n", bd)
		enc := base64.StdEncoding.EncodeToString(g.binary(1000 + g.rnd.IntN(60000)))
		for len(enc) > 76 {
			msg = append(append(msg, enc[:76]...), "\r\n"...)
			enc = enc[76:]
		}
		msg = append(append(msg, enc...), "\r\n"...)
	}
	msg = fmt.Appendf(msg, "--%s--\r\n.\r\n", bd)
	for _, s := range []struct {
		from int
		data []byte
	}{
		{1, []byte("220 mail.example.test ESMTP\r\n")}, {0, []byte("EHLO pc.example.test\r\n")},
		{1, []byte("250-mail.example.test\r\n250 8BITMIME\r\n")}, {0, []byte("MAIL FROM:<a@example.test>\r\n")},
		{1, []byte("250 2.1.0 Ok\r\n")}, {0, []byte("RCPT TO:<b@example.test>\r\n")}, {1, []byte("250 2.1.5 Ok\r\n")},
		{0, []byte("DATA\r\n")}, {1, []byte("354 End data with <CR><LF>.<CR><LF>\r\n")}, {0, msg},
		{1, []byte("250 2.0.0 Ok: queued\r\n")}, {0, []byte("QUIT\r\n")}, {1, []byte("221 2.0.0 Bye\r\n")},
	} {
		if err := c.send(s.from, s.data); err != nil {
			return err
		}
	}
	return c.close()
}

func (g *Generator) dns() error {
	cl, sv := net.IPv4(10, 77, 1, byte(1+g.rnd.IntN(200))).To4(), net.IPv4(10, 77, 2, byte(1+g.rnd.IntN(60))).To4()
	name := fmt.Appendf(nil, "%s.%s.test", g.word[g.rnd.IntN(500)], g.word[g.rnd.IntN(500)])
	q := &layers.DNS{ID: uint16(g.rnd.Uint32()), RD: true,
		Questions: []layers.DNSQuestion{{Name: name, Type: layers.DNSTypeA, Class: layers.DNSClassIN}}}
	port := layers.UDPPort(1024 + g.rnd.IntN(60000))
	for from := range 2 {
		buf := gopacket.NewSerializeBuffer()
		if from == 1 {
			q.QR, q.RA = true, true
			q.Answers = []layers.DNSResourceRecord{{Name: name, Type: layers.DNSTypeA, Class: layers.DNSClassIN, TTL: 300, IP: net.IPv4(192, 0, 2, byte(g.rnd.IntN(255))).To4()}}
		}
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, q); err != nil {
			return err
		}
		u := &layers.UDP{SrcPort: port, DstPort: 53}
		src, dst := cl, sv
		if from == 1 {
			u.SrcPort, u.DstPort, src, dst = 53, port, sv, cl
		}
		if err := g.ip(from, src, dst, layers.IPProtocolUDP, uint16(g.rnd.Uint32()), u, buf.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
