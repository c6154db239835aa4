package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// ng writes pcapng blocks in one byte order.
type ng struct {
	binary.ByteOrder
	out []byte
}

func (w *ng) block(typ uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	n := uint32(len(body) + 12)
	b := make([]byte, 8, n)
	w.PutUint32(b, typ)
	w.PutUint32(b[4:], n)
	b = append(b, body...)
	b = append(b, 0, 0, 0, 0)
	w.PutUint32(b[n-4:], n)
	w.out = append(w.out, b...)
}

func (w *ng) u32s(vs ...uint32) []byte {
	var b []byte
	for _, v := range vs {
		b = append(b, 0, 0, 0, 0)
		w.PutUint32(b[len(b)-4:], v)
	}
	return b
}

func (w *ng) section() {
	b := w.u32s(ngByteOrder)
	b = append(b, 0, 0, 0, 0)
	w.PutUint16(b[4:], 1)
	w.block(ngSectionHeader, append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
}

func (w *ng) option(code uint16, v []byte) []byte {
	b := make([]byte, 4)
	w.PutUint16(b, code)
	w.PutUint16(b[2:], uint16(len(v)))
	b = append(b, v...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (w *ng) iface(link uint16, snap uint32, opts ...[]byte) {
	b := make([]byte, 8)
	w.PutUint16(b, link)
	w.PutUint32(b[4:], snap)
	for _, o := range opts {
		b = append(b, o...)
	}
	w.block(ngInterface, append(b, 0, 0, 0, 0))
}

func (w *ng) enhanced(iface uint32, ts uint64, wire uint32, data []byte, opts ...[]byte) {
	b := w.u32s(iface, uint32(ts>>32), uint32(ts), uint32(len(data)), wire)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	for _, o := range opts {
		b = append(b, o...)
	}
	w.block(ngEnhancedPacket, b)
}

func TestPcapngBlocks(t *testing.T) {
	var out []byte
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian, binary.LittleEndian} {
		w := &ng{ByteOrder: order}
		w.section()
		w.block(0x0bad, []byte("an unknown block, skipped"))
		w.iface(1, 0)                            // microseconds
		w.iface(101, 0, w.option(9, []byte{9}))  // nanoseconds, raw IP
		w.iface(1, 0, w.option(9, []byte{0x8a})) // 2^-10 s
		w.iface(1, 0, w.option(9, []byte{12}))   // picoseconds
		off := make([]byte, 8)
		order.PutUint64(off, uint64(3600))
		w.iface(1, 0, w.option(14, off), w.option(13, []byte{32})) // an hour later; FCS of 32 bits
		w.enhanced(0, 1_500_000, 60, []byte("one"))
		w.enhanced(1, 1_500_000_007, 4, []byte("tw0!"))
		w.enhanced(2, 1536, 5, []byte("three"))
		w.enhanced(3, 1_500_000_123_456, 4, []byte("four"))
		w.enhanced(4, 1_000_000, 9, []byte("five1FCS4"))
		w.enhanced(0, 1_500_000, 10, []byte("six12FCS66"), w.option(1, []byte("a comment")), w.option(2, w.u32s(6<<5)))
		b := make([]byte, 4)
		order.PutUint16(b, 1)
		b = append(b, w.u32s(0, 2_000_000_000, 5, 7)...)
		w.block(ngPacketObsolete, append(b, "seven"...))
		w.block(ngSimplePacket, append(w.u32s(5), "eight"...))
		out = append(out, w.out...)
	}
	fs, err := readAll(t, write(t, "x", out))
	if err != nil {
		t.Fatal(err)
	}
	want := []Frame{
		{Data: []byte("one"), WireLen: 60, Time: 1_500_000_000, Link: 1},
		{Data: []byte("tw0!"), WireLen: 4, Time: 1_500_000_007, Link: 101},
		{Data: []byte("three"), WireLen: 5, Time: 1_500_000_000, Link: 1},
		{Data: []byte("four"), WireLen: 4, Time: 1_500_000_123, Link: 1},
		{Data: []byte("five1"), WireLen: 5, Time: 3601_000_000_000, Link: 1},
		{Data: []byte("six1"), WireLen: 4, Time: 1_500_000_000, Link: 1},
		{Data: []byte("seven"), WireLen: 7, Time: 2_000_000_000, Link: 101},
		{Data: []byte("eight"), WireLen: 5, Time: 2_000_000_000, Link: 1},
	}
	if len(fs) != 3*len(want) {
		t.Fatalf("%d frames", len(fs))
	}
	for i, g := range fs {
		w := want[i%len(want)]
		if !bytes.Equal(g.Data, w.Data) || g.WireLen != w.WireLen || g.Time != w.Time || g.Link != w.Link || g.Num != uint64(i+1) {
			t.Errorf("frame %d: %q %+v, want %q %+v", i+1, g.Data, g, w.Data, w)
		}
	}
}

// TestPcapngWriter reads what gopacket writes.
func TestPcapngWriter(t *testing.T) {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1700000000, 123456789)
	for i := range 600 {
		data := bytes.Repeat([]byte{byte(i)}, 1+i)
		ci := gopacket.CaptureInfo{Timestamp: at.Add(time.Duration(i)), CaptureLength: len(data), Length: len(data) + 3}
		if err := w.WritePacket(ci, data); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	fs, err := readAll(t, write(t, "x", b.Bytes()))
	if err != nil || len(fs) != 600 {
		t.Fatalf("%d frames, %v", len(fs), err)
	}
	for i, f := range fs {
		if len(f.Data) != i+1 || f.Data[0] != byte(i) || f.WireLen != uint32(i+4) || f.Time != at.UnixNano()+int64(i) {
			t.Fatalf("frame %d: %+v", i, f)
		}
	}
}

func TestPcapngDamage(t *testing.T) {
	order := binary.LittleEndian
	start := func() *ng {
		w := &ng{ByteOrder: order}
		w.section()
		w.iface(1, 0)
		w.enhanced(0, 1, 3, []byte("one"))
		return w
	}
	base := int64(len(start().out))
	f := func(name string, frames int, offset int64, build func(w *ng)) {
		t.Helper()
		w := start()
		build(w)
		fs, err := readAll(t, write(t, "x", w.out))
		var fe *FormatError
		if !errors.As(err, &fe) || len(fs) != frames || fe.Offset != offset {
			t.Errorf("%s: %d frames, %v; want %d frames, offset %d", name, len(fs), err, frames, offset)
		}
	}
	f("unknown interface", 1, base+8, func(w *ng) { w.enhanced(7, 1, 3, []byte("two")) })
	f("captured length", 1, base+20, func(w *ng) {
		w.enhanced(0, 1, 3, []byte("two"))
		w.PutUint32(w.out[base+20:], 0xfffffff0)
	})
	f("block length", 1, base+4, func(w *ng) {
		w.enhanced(0, 1, 3, []byte("two"))
		w.PutUint32(w.out[base+4:], 0xfffffff0)
	})
	f("small block", 1, base+4, func(w *ng) { w.out = append(w.out, w.u32s(6, 8, 8)...) })
	f("trailer", 1, base+32, func(w *ng) {
		w.enhanced(0, 1, 3, []byte("two"))
		w.PutUint32(w.out[len(w.out)-4:], 4)
	})
	f("cut", 1, base, func(w *ng) {
		w.enhanced(0, 1, 3, []byte("two"))
		w.out = w.out[:len(w.out)-1]
	})
	f("byte order", 1, base+8, func(w *ng) { w.section(); w.out[base+8] = 0 })
	f("resolution", 1, base, func(w *ng) { w.iface(1, 0, w.option(9, []byte{0xff})) })
	f("new section forgets interfaces", 1, base+28+8, func(w *ng) { w.section(); w.enhanced(0, 1, 3, []byte("two")) })
}

// TestOneByteReads holds that records may be split anywhere: a stream that
// gives single bytes leads to the same frames as the mapped file.
func TestOneByteReads(t *testing.T) {
	w := &ng{ByteOrder: binary.BigEndian}
	w.section()
	w.iface(1, 0)
	for i := range 300 {
		w.enhanced(0, uint64(i), 60, bytes.Repeat([]byte{byte(i)}, i), w.option(1, []byte("comment")))
	}
	for name, data := range map[string][]byte{"pcapng": w.out, "pcap": pcapFile(binary.BigEndian, magicNano, 300), "cut": w.out[:len(w.out)-9]} {
		want, wantErr := readAll(t, write(t, "x", data))
		f := &File{path: "x", in: &input{}, num: 1}
		if err := f.in.stream(iotest.OneByteReader(bytes.NewReader(data))); err != nil {
			t.Fatal(err)
		}
		f.in.buf = make([]byte, 0, 64) // grows, and slides
		if err := f.begin(); err != nil {
			t.Fatal(err)
		}
		n := 0
		var b Batch
		var err error
		for err == nil {
			err = f.ReadBatch(&b)
			for _, g := range b.Frames {
				if w := want[n]; !bytes.Equal(g.Data, w.Data) || g.Time != w.Time || g.Num != w.Num {
					t.Fatalf("%s: frame %d: %+v, want %+v", name, n, g, w)
				}
				n++
			}
		}
		var fe, wantFE *FormatError
		if n != len(want) || errors.As(err, &fe) != errors.As(wantErr, &wantFE) || fe != nil && fe.Offset != wantFE.Offset {
			t.Errorf("%s: %d of %d frames, %v, want %v", name, n, len(want), err, wantErr)
		}
	}
}
