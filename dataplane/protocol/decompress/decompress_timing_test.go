package decompress

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"

	kflate "github.com/klauspost/compress/flate"

	"sluice/dataplane/protocol"
)

func benchData() []byte { return bytes.Repeat(samples()["words"], 8) }

func BenchmarkDecoder(b *testing.B) {
	data := benchData()
	for _, enc := range []string{"gzip", "br", "zstd"} {
		in := encode(b, enc, 6, data)
		for _, size := range []int{1448, 64 << 10} {
			b.Run(enc+map[int]string{1448: "/segments", 64 << 10: "/aggregates"}[size], func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				n := 0
				out := func(p []byte) { n += len(p) }
				lim := protocol.DefaultLimits()
				encs := []Encoding{declared[enc]}
				for b.Loop() {
					n = 0
					d := New(encs, lim, out)
					for p := in; len(p) > 0; {
						k := min(size, len(p))
						if err := d.Write(p[:k]); err != nil {
							b.Fatal(err)
						}
						p = p[k:]
					}
					if d.Close() != nil || n != len(data) {
						b.Fatal(n)
					}
				}
			})
		}
	}
}

// BenchmarkPeers gives what pull decoders need for the same bytes.
func BenchmarkPeers(b *testing.B) {
	data := benchData()
	in := encode(b, "raw", 6, data)
	buf := make([]byte, 64<<10)
	f := func(name string, open func(io.Reader) io.Reader) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, open(bytes.NewReader(in)), buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	std, kp := flate.NewReader(bytes.NewReader(in)), kflate.NewReader(bytes.NewReader(in))
	f("std", func(r io.Reader) io.Reader { _ = std.(flate.Resetter).Reset(r, nil); return std })
	f("klauspost", func(r io.Reader) io.Reader { _ = kp.(kflate.Resetter).Reset(r, nil); return kp })
}
