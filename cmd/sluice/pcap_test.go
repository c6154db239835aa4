package main

import (
	"bytes"
	"compress/gzip"
	"net"
	"os"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/rogpeppe/go-internal/testscript"
)

// writePcap makes a capture of one TCP conversation:
//
//	pcap FILE [ng] [gz] [srcip=IP] [dstip=IP] [port=N] >TEXTFILE <TEXTFILE ...
//
// ">f" sends the bytes of f from the client, "<f" from the server, in segments
// of 600 bytes; LF in f is sent as CRLF unless the name ends in .bin.
func writePcap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pcap FILE [ng] [gz] [udp] [srcip=IP] [dstip=IP] [port=N] >FILE|<FILE...")
	}
	c := conversation{ip: [2]net.IP{net.ParseIP("10.1.1.2").To4(), net.ParseIP("198.51.100.7").To4()}, port: [2]layers.TCPPort{40000, 80}, now: time.Unix(1700000000, 0)}
	ng, gz := false, false
	var steps []string
	for _, a := range args[1:] {
		k, v, _ := strings.Cut(a, "=")
		switch {
		case a == "ng":
			ng = true
		case a == "gz":
			gz = true
		case a == "udp":
			c.udp = true
		case k == "srcip":
			c.ip[0] = net.ParseIP(v).To4()
		case k == "dstip":
			c.ip[1] = net.ParseIP(v).To4()
		case k == "port":
			var n uint16
			for _, d := range v {
				n = n*10 + uint16(d-'0')
			}
			c.port[1] = layers.TCPPort(n)
		default:
			steps = append(steps, a)
		}
	}
	var out bytes.Buffer
	if ng {
		w, err := pcapgo.NewNgWriter(&out, layers.LinkTypeEthernet)
		ts.Check(err)
		c.write = func(ci gopacket.CaptureInfo, b []byte) error { return w.WritePacket(ci, b) }
		defer func() { w.Flush() }()
		c.flush = w.Flush
	} else {
		w := pcapgo.NewWriterNanos(&out)
		ts.Check(w.WriteFileHeader(262144, layers.LinkTypeEthernet))
		c.write = w.WritePacket
	}
	c.seq = [2]uint32{1000, 5000}
	if !c.udp {
		ts.Check(c.segment(0, nil, func(t *layers.TCP) { t.SYN, t.ACK = true, false }))
		ts.Check(c.segment(1, nil, func(t *layers.TCP) { t.SYN = true }))
		ts.Check(c.segment(0, nil, nil))
	}
	for _, s := range steps {
		from := 0
		if s[0] == '<' {
			from = 1
		}
		data := []byte(ts.ReadFile(s[1:]))
		if !strings.HasSuffix(s, ".bin") {
			data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
		}
		if c.udp {
			ts.Check(c.datagram(from, data))
			continue
		}
		for len(data) > 0 {
			n := min(600, len(data))
			ts.Check(c.segment(from, data[:n], nil))
			data = data[n:]
			ts.Check(c.segment(1-from, nil, nil))
		}
	}
	if !c.udp {
		ts.Check(c.segment(0, nil, func(t *layers.TCP) { t.FIN = true }))
		ts.Check(c.segment(1, nil, func(t *layers.TCP) { t.FIN = true }))
		ts.Check(c.segment(0, nil, nil))
	}
	if c.flush != nil {
		ts.Check(c.flush())
	}
	data := out.Bytes()
	if gz {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(data)
		w.Close()
		data = z.Bytes()
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

type conversation struct {
	ip    [2]net.IP
	port  [2]layers.TCPPort
	seq   [2]uint32
	udp   bool
	now   time.Time
	write func(gopacket.CaptureInfo, []byte) error
	flush func() error
}

func (c *conversation) segment(from int, payload []byte, set func(*layers.TCP)) error {
	t := &layers.TCP{SrcPort: c.port[from], DstPort: c.port[1-from], Seq: c.seq[from], Ack: c.seq[1-from], ACK: true, PSH: len(payload) > 0, Window: 64000}
	if set != nil {
		set(t)
	}
	if !t.ACK {
		t.Ack = 0
	}
	c.seq[from] += uint32(len(payload))
	if t.SYN || t.FIN {
		c.seq[from]++
	}
	ip := c.header(from, layers.IPProtocolTCP)
	if err := t.SetNetworkLayerForChecksum(ip); err != nil {
		return err
	}
	return c.frame(from, ip, t, payload)
}

func (c *conversation) datagram(from int, payload []byte) error {
	u := &layers.UDP{SrcPort: layers.UDPPort(c.port[from]), DstPort: layers.UDPPort(c.port[1-from])}
	ip := c.header(from, layers.IPProtocolUDP)
	if err := u.SetNetworkLayerForChecksum(ip); err != nil {
		return err
	}
	return c.frame(from, ip, u, payload)
}

func (c *conversation) header(from int, proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: c.ip[from], DstIP: c.ip[1-from]}
}

func (c *conversation) frame(from int, ip *layers.IPv4, transport gopacket.SerializableLayer, payload []byte) error {
	macs := [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	eth := &layers.Ethernet{SrcMAC: macs[from], DstMAC: macs[1-from], EthernetType: layers.EthernetTypeIPv4}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, transport, gopacket.Payload(payload)); err != nil {
		return err
	}
	c.now = c.now.Add(time.Millisecond)
	return c.write(gopacket.CaptureInfo{Timestamp: c.now, CaptureLength: len(buf.Bytes()), Length: len(buf.Bytes())}, buf.Bytes())
}
