package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/zstd"
)

// sharedDir gives a folder beside the repository, or skips the test.
func sharedDir(t testing.TB, rel string) string {
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
			t.Skip("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(dir, "..", "shared", rel)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("%s is not there", p)
	}
	return p
}

// copied is a frame with its own bytes.
func copied(f Frame) Frame {
	f.Data = bytes.Clone(f.Data)
	return f
}

// readAll reads path to its end; err is nil where the end is io.EOF.
func readAll(t testing.TB, path string) (fs []Frame, err error) {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b Batch
	for {
		err := f.ReadBatch(&b)
		if len(b.Frames) > batchSize {
			t.Fatalf("batch of %d frames", len(b.Frames))
		}
		for _, fr := range b.Frames {
			fs = append(fs, copied(fr))
		}
		if errors.Is(err, io.EOF) {
			return fs, nil
		}
		if err != nil {
			return fs, err
		}
		if len(b.Frames) == 0 {
			t.Fatal("empty batch without error")
		}
	}
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAgainstPcapgo compares every frame of the sample captures with gopacket's
// reader, which keeps the low byte of a link type only.
func TestAgainstPcapgo(t *testing.T) {
	var paths []string
	for _, dir := range []string{"data/pcaps", "data/suricata-verify/tests"} {
		filepath.WalkDir(sharedDir(t, dir), func(p string, e os.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && strings.Contains(filepath.Base(p), ".pcap") {
				paths = append(paths, p)
			}
			return nil
		})
	}
	if len(paths) == 0 {
		t.Skip("no captures")
	}
	total := 0
	for _, p := range paths {
		want, ok := reference(t, p)
		if !ok {
			continue
		}
		got, err := readAll(t, p)
		// Some samples are damaged on purpose: then both readers stop at the same frame.
		var fe *FormatError
		if err != nil && !errors.As(err, &fe) {
			t.Errorf("%s: %v", p, err)
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d frames, want %d", p, len(got), len(want))
			continue
		}
		for i := range got {
			g, w := &got[i], &want[i]
			if !bytes.Equal(g.Data, w.Data) || g.Time != w.Time || g.WireLen != w.WireLen || g.Link&0xff != w.Link || g.Num != uint64(i+1) {
				t.Errorf("%s: frame %d: got %d bytes of %d at %d link %d num %d, want %d of %d at %d link %d", p, i+1,
					len(g.Data), g.WireLen, g.Time, g.Link, g.Num, len(w.Data), w.WireLen, w.Time, w.Link)
				break
			}
		}
		total += len(got)
	}
	t.Logf("%d frames of %d files", total, len(paths))
}

// reference reads a file with gopacket; false where it cannot.
func reference(t *testing.T, path string) ([]Frame, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 2 && isGzip(data) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	var read func() ([]byte, gopacket.CaptureInfo, error)
	var link func() layers.LinkType
	if len(data) >= 4 && le32(data) == ngSectionHeader {
		r, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
		if err != nil {
			return nil, false
		}
		read, link = r.ReadPacketData, r.LinkType
	} else {
		r, err := pcapgo.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, false
		}
		r.SetSnaplen(maxRecord)
		read, link = r.ReadPacketData, r.LinkType
	}
	var fs []Frame
	for {
		d, ci, err := read()
		if err != nil {
			return fs, true
		}
		fs = append(fs, Frame{Data: d, WireLen: uint32(ci.Length), Time: ci.Timestamp.UnixNano(), Link: LinkType(link())})
	}
}

// pcapFile builds a classic capture of n frames.
func pcapFile(order binary.ByteOrder, magic uint32, n int) []byte {
	var b bytes.Buffer
	w := func(v any) { binary.Write(&b, order, v) }
	w(magic)
	w([]uint16{2, 4})
	w([]uint32{0, 0, 65535, 1})
	for i := range n {
		w([]uint32{uint32(1000 + i), uint32(i * 7), uint32(10 + i%50), uint32(100 + i%50)})
		if magic == magicModified {
			w([]uint32{3, 0x08000000})
		}
		b.Write(bytes.Repeat([]byte{byte(i)}, 10+i%50))
	}
	return b.Bytes()
}

func TestPcapVariants(t *testing.T) {
	const n = 1000
	f := func(name string, order binary.ByteOrder, magic uint32, mul int64, wrap func([]byte) []byte) {
		t.Helper()
		data := pcapFile(order, magic, n)
		if wrap != nil {
			data = wrap(data)
		}
		fs, err := readAll(t, write(t, "x", data))
		if err != nil || len(fs) != n {
			t.Fatalf("%s: %d frames, %v", name, len(fs), err)
		}
		for i, fr := range fs {
			if len(fr.Data) != 10+i%50 || fr.Data[0] != byte(i) || fr.WireLen != uint32(100+i%50) ||
				fr.Time != int64(1000+i)*1e9+int64(i*7)*mul || fr.Num != uint64(i+1) || fr.Link != LinkEthernet {
				t.Fatalf("%s: frame %d: %+v", name, i, fr)
			}
		}
	}
	gz := func(b []byte) []byte {
		var o bytes.Buffer
		z := gzip.NewWriter(&o)
		z.Write(b[:len(b)/2])
		z.Close()
		// A second member, as concatenated files have.
		z.Reset(&o)
		z.Write(b[len(b)/2:])
		z.Close()
		return o.Bytes()
	}
	zs := func(b []byte) []byte {
		e, _ := zstd.NewWriter(nil)
		return e.EncodeAll(b, nil)
	}
	f("micro le", binary.LittleEndian, magicMicro, 1000, nil)
	f("micro be", binary.BigEndian, magicMicro, 1000, nil)
	f("nano le", binary.LittleEndian, magicNano, 1, nil)
	f("nano be", binary.BigEndian, magicNano, 1, nil)
	f("modified le", binary.LittleEndian, magicModified, 1000, nil)
	f("modified be", binary.BigEndian, magicModified, 1000, nil)
	f("gzip", binary.LittleEndian, magicMicro, 1000, gz)
	f("zstd", binary.BigEndian, magicNano, 1, zs)
}

func TestStdin(t *testing.T) {
	old := os.Stdin
	defer func() { os.Stdin = old }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		// In small parts, so that records are split over reads.
		data := pcapFile(binary.LittleEndian, magicMicro, 700)
		for len(data) > 0 {
			n := min(len(data), 977)
			w.Write(data[:n])
			data = data[n:]
		}
		w.Close()
	}()
	os.Stdin = r
	fs, err := readAll(t, "-")
	if err != nil || len(fs) != 700 {
		t.Fatalf("%d frames, %v", len(fs), err)
	}
	for i, f := range fs {
		if f.Data[0] != byte(i) || f.Num != uint64(i+1) {
			t.Fatalf("frame %d: %+v", i, f)
		}
	}
}

func TestNumbersGoOn(t *testing.T) {
	f, err := OpenFile(write(t, "x", pcapFile(binary.LittleEndian, magicMicro, 300)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.SetNum(1001)
	var b Batch
	for f.ReadBatch(&b) == nil {
	}
	if f.NextNum() != 1301 {
		t.Fatalf("next number %d", f.NextNum())
	}
}

func TestFCS(t *testing.T) {
	data := pcapFile(binary.LittleEndian, magicMicro, 0)
	binary.LittleEndian.PutUint32(data[20:], 0x24000001) // 2 × 16 bits of FCS, Ethernet
	rec := func(capLen, wire uint32) {
		data = binary.LittleEndian.AppendUint32(data, 0)
		data = binary.LittleEndian.AppendUint32(data, 0)
		data = binary.LittleEndian.AppendUint32(data, capLen)
		data = binary.LittleEndian.AppendUint32(data, wire)
		data = append(data, make([]byte, capLen)...)
	}
	rec(64, 64)
	rec(62, 64) // two bytes of the FCS captured
	rec(40, 64)
	fs, err := readAll(t, write(t, "x", data))
	if err != nil || len(fs) != 3 {
		t.Fatal(fs, err)
	}
	for i, want := range []int{60, 60, 40} {
		if len(fs[i].Data) != want || fs[i].WireLen != 60 || fs[i].Link != LinkEthernet {
			t.Errorf("frame %d: %d bytes of %d", i, len(fs[i].Data), fs[i].WireLen)
		}
	}
}

func TestDamage(t *testing.T) {
	whole := pcapFile(binary.LittleEndian, magicMicro, 3) // records of 26, 27, 28 bytes
	huge := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(huge[24+26+8:], 0x7fffffff)
	version := bytes.Clone(whole)
	version[4] = 9
	f := func(name string, data []byte, frames int, offset int64, reason string) {
		t.Helper()
		// Mapped and streamed must agree.
		e, _ := zstd.NewWriter(nil)
		for _, d := range [][]byte{data, e.EncodeAll(data, nil)} {
			if len(data) == 0 {
				d = data
			}
			fs, err := readAll(t, write(t, "x", d))
			var fe *FormatError
			if !errors.As(err, &fe) {
				t.Fatalf("%s: error %v", name, err)
			}
			if len(fs) != frames || fe.Offset != offset || !strings.Contains(fe.Reason, reason) {
				t.Errorf("%s: %d frames, %v; want %d, offset %d, %q", name, len(fs), err, frames, offset, reason)
			}
			if !strings.Contains(err.Error(), fe.Path) {
				t.Errorf("%s: %v does not name the file", name, err)
			}
		}
	}
	f("empty", nil, 0, 0, "empty file")
	f("three bytes", []byte{1, 2, 3}, 0, 0, "not a capture")
	f("text", []byte("this is not a capture file at all"), 0, 0, "magic number")
	f("header cut", whole[:20], 0, 20, "truncated pcap file header")
	f("version", version, 0, 4, "unsupported pcap version 9.4")
	f("record header cut", whole[:24+26+7], 1, 24+26, "truncated")
	f("record cut", whole[:len(whole)-1], 2, 24+26+27, "truncated")
	f("huge length", huge, 1, 24+26+8, "captured length 2147483647")
	if _, err := OpenFile(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// TestWritableFrames holds the promise that a frame may be rewritten in place.
func TestWritableFrames(t *testing.T) {
	p := write(t, "x", pcapFile(binary.LittleEndian, magicMicro, 3))
	before, _ := os.ReadFile(p)
	f, err := OpenFile(p)
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	if err := f.ReadBatch(&b); err != nil {
		t.Fatal(err)
	}
	b.Frames[0].Data[0] = 0xee
	f.Close()
	if after, _ := os.ReadFile(p); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
}

func TestReadBatchAllocs(t *testing.T) {
	f, err := OpenFile(write(t, "x", pcapFile(binary.LittleEndian, magicMicro, 60000)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b Batch
	f.ReadBatch(&b)
	if n := testing.AllocsPerRun(100, func() {
		if f.ReadBatch(&b) != nil || len(b.Frames) != batchSize {
			t.Fatal("short batch")
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

func BenchmarkReadBatch(b *testing.B) {
	const n = 1 << 17
	p := write(b, "x", pcapFile(binary.LittleEndian, magicMicro, n))
	b.ReportAllocs()
	f, err := OpenFile(p)
	if err != nil {
		b.Fatal(err)
	}
	var batch Batch
	done := 0
	start := time.Now()
	for b.Loop() {
		if f.ReadBatch(&batch) != nil {
			f.Close()
			if f, err = OpenFile(p); err != nil {
				b.Fatal(err)
			}
		}
		done += len(batch.Frames)
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(done), "ns/frame")
	f.Close()
}
