package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzFile feeds arbitrary bytes as a capture, mapped; frames must lie within
// bounds and errors be of the documented kinds.
func FuzzFile(f *testing.F) {
	f.Add(pcapFile(binary.LittleEndian, magicMicro, 4))
	f.Add(pcapFile(binary.BigEndian, magicModified, 4))
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		w := &ng{ByteOrder: order}
		w.section()
		w.iface(1, 64, w.option(9, []byte{0x8a}), w.option(13, []byte{4}))
		w.enhanced(0, 1<<40, 60, []byte("a frame"), w.option(2, w.u32s(4<<5)))
		w.block(ngSimplePacket, append(w.u32s(5), "eight"...))
		w.block(ngPacketObsolete, append(w.u32s(0, 1, 2, 5, 5), "seven"...))
		f.Add(w.out)
	}
	path := filepath.Join(f.TempDir(), "fuzz")
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := OpenFile(path)
		if err != nil {
			return
		}
		defer src.Close()
		var b Batch
		num, bytes := uint64(0), 0
		for {
			err := src.ReadBatch(&b)
			for i := range b.Frames {
				fr := &b.Frames[i]
				num++
				bytes += len(fr.Data)
				if fr.Num != num || uint32(len(fr.Data)) > fr.WireLen || len(fr.Data) > maxRecord {
					t.Fatalf("frame %d: %d bytes of %d, number %d", num, len(fr.Data), fr.WireLen, fr.Num)
				}
			}
			if err == nil {
				continue
			}
			var fe *FormatError
			compressed := isGzip(data) || isZstd(data)
			if !errors.Is(err, io.EOF) && !errors.As(err, &fe) {
				t.Fatalf("error %v", err)
			}
			if fe != nil && !compressed && (fe.Offset < 0 || fe.Offset > int64(len(data))) {
				t.Fatalf("offset %d of %d: %v", fe.Offset, len(data), err)
			}
			if !compressed && bytes > len(data) {
				t.Fatalf("%d bytes of frames from %d", bytes, len(data))
			}
			if e := src.ReadBatch(&b); !errors.Is(e, err) || len(b.Frames) != 0 {
				t.Fatalf("error %v then %v", err, e)
			}
			return
		}
	})
}
