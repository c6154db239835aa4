package spots

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// odd tells of the characters that must be a place of Odd.
func odd(b []byte) bool {
	r, _ := utf8.DecodeRune(b)
	for _, x := range [][2]rune{{0xad, 0xad}, {0x660, 0x669}, {0x6f0, 0x6f9}, {0x7c0, 0x7c9}, {0x966, 0x96f}, {0x180e, 0x180e}, {0x200b, 0x200f}, {0x202a, 0x202e},
		{0x2060, 0x2069}, {0xfeff, 0xfeff}, {0xfe00, 0xfe0f}, {0xff10, 0xff19}, {0x1d7ce, 0x1d7ff}} {
		if r >= x[0] && r <= x[1] {
			return true
		}
	}
	return false
}

// check holds all sets of instructions against the slow way.
func check(t *testing.T, b []byte, from int) {
	t.Helper()
	var want Map
	want.FindSlowly(b, from)
	for set := 0; set <= best; set++ {
		var m Map
		m.find(set, b, from)
		for k := range Kinds {
			for i := from; i < len(b); i++ {
				is, should := m.Next(k, i, i+1) == i, want.Next(k, i, i+1) == i
				if k == Odd && !is && should {
					should = odd(b[i:]) // it need not tell the others
				}
				if is != should {
					t.Fatalf("set %d, kind %d: place %d of %q from %d: %v, want %v", set, k, i, b[max(0, i-2):min(len(b), i+50)], from, is, should)
				}
			}
			// From place to place, as it is used.
			last := from - 1
			for i := m.Next(k, from, len(b)); i < len(b); i = m.Next(k, i+1, len(b)) {
				if i <= last || m.Next(k, last+1, i) != i {
					t.Fatalf("set %d, kind %d: %d after %d", set, k, i, last)
				}
				last = i
			}
			if m.Next(k, last+1, len(b)) != len(b) {
				t.Fatalf("set %d, kind %d: places beyond %d", set, k, last)
			}
		}
		for i := from; i+64 <= len(b); i++ {
			letter, small, beyond := m.Letters(i)
			for j, have := range [3]uint64{letter, small, beyond} {
				var want uint64
				for n := range 64 {
					if k := Letter + Kind(j); m.Next(k, i+n, i+n+1) == i+n {
						want |= 1 << n
					}
				}
				if have != want {
					t.Fatalf("set %d, kind %d: %x at %d, want %x", set, int(Letter)+j, have, i, want)
				}
			}
		}
	}
}

// likely are bytes of which the places consist.
const likely = "\\0123456789..@@__++--//%%&&##==\r\n<<!?AaBCDEFGHfz\x00\x00\x00\xc2\xad\xd9\xa0\xa9\xe2\x80\x8b\x8f\xef\xbc\x90\xf0\x9d\x9f\x8e\xe1\x9f\xa0\xe0\xa5\xdb\xb0\xdf\x80"

func TestEachByteAndSet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 3000 {
		b := make([]byte, rnd.IntN(300))
		for i := range b {
			switch round % 4 {
			case 0:
				b[i] = byte(rnd.IntN(256))
			case 1:
				b[i] = likely[rnd.IntN(len(likely))]
			case 2:
				b[i] = "0aZ+/-_"[rnd.IntN(7)]
				if rnd.IntN(60) == 0 {
					b[i] = '.'
				}
			case 3:
				b[i] = likely[rnd.IntN(len(likely))]
				if i > 0 && rnd.IntN(2) == 0 {
					b[i] = b[i-1] + 1
				}
			}
		}
		check(t, b, rnd.IntN(len(b)+1)&^(rnd.IntN(2)*63))
	}
	for r := rune(0x80); r < 0x20000; r++ {
		if b := utf8.AppendRune(nil, r); len(b) > 1 {
			var m Map
			m.Find(b, 0)
			if odd(b) && m.Next(Odd, 0, len(b)) != 0 {
				t.Fatalf("%U is no place", r)
			}
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte(likely), 3)
	f.Add([]byte(strings.Repeat("a", 63)+"12"+strings.Repeat("B", 64)), 0)
	f.Fuzz(func(t *testing.T, b []byte, from int) {
		if from >= 0 && from <= len(b) && len(b) < 1000 {
			check(t, b, from)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	rnd := rand.New(rand.NewPCG(3, 4))
	data := make([]byte, 64<<10)
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	for set := 0; set <= best; set++ {
		for name, d := range map[string][]byte{"random": data, "text": []byte(strings.Repeat("Ordinary text with 12 numbers, x=1. ", 1800)), "packet": data[:2500]} {
			b.Run([]string{"any", "avx2", "avx512"}[set]+"/"+name, func(b *testing.B) {
				var m Map
				var u syscall.Rusage
				_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
				from := time.Duration(u.Utime.Nano())
				n := 0
				for b.Loop() {
					m.find(set, d, 0)
					n += len(d)
				}
				_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
				b.ReportMetric(float64(n)/1e6/(time.Duration(u.Utime.Nano())-from).Seconds(), "MB/s/core")
			})
		}
	}
}
