package worker

import (
	"encoding/binary"
	"testing"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/stream"
)

// segmentFrame makes a TCP frame between an inside client and a server, from
// port 0 (the client) or 1, whose checksum the card finishes.
func segmentFrame(from uint8, flags byte, seq, ack uint32, payload string) capture.Frame {
	b := make([]byte, 54, 54+len(payload))
	b[12] = 8
	ip, tcp := b[14:34], b[34:54]
	copy(ip, []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6})
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(payload)))
	ends := [2][4]byte{{10, 0, 0, 1}, {192, 0, 2, 1}}
	ports := [2]uint16{40000, 9999}
	copy(ip[12:], ends[from][:])
	copy(ip[16:], ends[1-from][:])
	binary.BigEndian.PutUint16(ip[10:], decode.ChecksumIPv4(ip))
	binary.BigEndian.PutUint16(tcp, ports[from])
	binary.BigEndian.PutUint16(tcp[2:], ports[1-from])
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12], tcp[13] = 0x50, flags
	binary.BigEndian.PutUint16(tcp[14:], 65000)
	b = append(b, payload...)
	return capture.Frame{Data: b, WireLen: uint32(len(b)), Port: from, Link: capture.LinkEthernet, HasVNet: true, VNet: [10]byte{1}}
}

// TestUnseenHandshake has parts of a handshake go by the wire while the worker
// hung: the connection goes on.
func TestUnseenHandshake(t *testing.T) {
	type seg struct {
		from     uint8
		flags    byte
		seq, ack uint32
		payload  string
	}
	const syn, ack, psh = decode.TCPSyn, decode.TCPAck, decode.TCPPsh
	whole := []seg{
		{0, syn, 1000, 0, ""}, {1, syn | ack, 5000, 1001, ""}, {0, ack, 1001, 5001, ""},
		{0, ack | psh, 1001, 5001, "hello"}, {1, ack | psh, 5001, 1006, "hello"}, {0, ack | psh, 1006, 5006, "again"}, {1, ack | psh, 5006, 1011, "again"},
		{0, ack | psh, 1006, 5011, "again"}, // sent anew
		{0, ack | psh, 1011, 5011, "more"},
	}
	// Which segments the worker does not see, as bits.
	for unseen := range 1 << 7 {
		set, err := inspect.NewSet(nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		reg, err := protocol.NewRegistry()
		if err != nil {
			t.Fatal(err)
		}
		sc := stream.DefaultConfig()
		sc.Inline = true
		w, err := New(Config{Set: set, Registry: reg, Stream: sc, Inline: true, Live: true, Ifaces: []string{"in0", "out0"}, Exceptions: Exceptions{Midstream: Ignore}})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range whole {
			if unseen>>i&1 == 1 {
				w.Missed(1e18 + int64(i)*1e6)
				continue
			}
			f := segmentFrame(s.from, s.flags, s.seq, s.ack, s.payload)
			f.Time = 1e18 + int64(i)*1e6
			forward := []bool{false}
			w.Process(&capture.Batch{Frames: []capture.Frame{f}}, forward)
			if !forward[0] {
				t.Errorf("of segments seen %09b, number %d was withheld: %v", ^unseen&0x1ff, i, dropReasons[w.why])
			}
		}
	}
}
