package classifiers

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cleanText is source code and documentation of the Go installation: ordinary
// bytes with nothing to protect.
func cleanText(tb testing.TB, n int) []byte {
	tb.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		tb.Skipf("no Go installation to read from: %v", err)
	}
	var out []byte
	for _, p := range []string{"src/net/http/*.go", "src/go/types/*.go", "src/runtime/*.go", "src/cmd/compile/internal/ssa/*.go"} {
		files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), p))
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err == nil && len(out) < n {
				out = append(out, b...)
			}
		}
	}
	if len(out) < 1<<20 {
		tb.Skip("the Go sources are not installed")
	}
	return out[:min(n, len(out))]
}

// prose is English-like text without figures.
func prose(n int) []byte {
	words := []string{"the", "report", "of", "this", "quarter", "shows", "that", "customers", "in", "several", "regions", "were", "satisfied", "with", "delivery", "times", "and", "support", "although", "prices", "rose", "because", "materials", "became", "scarce"}
	rnd := rand.New(rand.NewPCG(3, 4))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[rnd.IntN(len(words))])
		if rnd.IntN(12) == 0 {
			b.WriteString(".\n")
		} else {
			b.WriteByte(' ')
		}
	}
	return b.Bytes()[:n]
}

// logText is web-server log lines: dense in digits, with nothing to protect.
func logText(n int) []byte {
	rnd := rand.New(rand.NewPCG(5, 6))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "10.%d.%d.%d - - [22/Nov/2026:10:%02d:%02d +0000] \"GET /static/app-%08x.js?v=%d HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\" rt=0.%03d id=%08x-%04x\n",
			rnd.IntN(256), rnd.IntN(256), rnd.IntN(256), rnd.IntN(60), rnd.IntN(60), rnd.Uint32(), rnd.IntN(1e6), rnd.IntN(1e6), rnd.IntN(1000), rnd.Uint32(), rnd.IntN(65536))
	}
	return b.Bytes()[:n]
}

// denseText is a table of personal data: every field is a finding.
func denseText(n int) []byte {
	rnd := rand.New(rand.NewPCG(7, 8))
	var b bytes.Buffer
	b.WriteString("name,card number,ssn,iban,email,phone\n")
	for b.Len() < n {
		pan := []byte(fmt.Sprintf("4539%011d0", rnd.Int64N(1e11)))
		for c := byte('0'); c <= '9'; c++ {
			pan[15] = c
			if luhn(pan) {
				break
			}
		}
		bban := fmt.Sprintf("%018d", rnd.Int64N(1e18))
		check := 98 - mod97([]byte(bban), []byte("DE00"))
		fmt.Fprintf(&b, "Jo Doe,%s,%03d-%02d-%04d,DE%02d%s,jo.doe%d@mail.example.com,+1 415 555 %04d\n", pan, 100+rnd.IntN(500), 1+rnd.IntN(98), 1+rnd.IntN(9998), check, bban, rnd.IntN(1000), rnd.IntN(10000))
	}
	return b.Bytes()[:n]
}

// cpuTime is the processor time used so far: unlike the clock it holds on a
// machine that others use too.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkScan(b *testing.B) {
	s := newScanner(b)
	for _, c := range []struct {
		name string
		data []byte
	}{{"source", cleanText(b, 8<<20)}, {"prose", prose(4 << 20)}, {"log", logText(4 << 20)}, {"dense", denseText(1 << 20)}} {
		for _, size := range []int{1460, 64 << 10} {
			b.Run(fmt.Sprintf("%s/%d/classifier", c.name, size), func(b *testing.B) {
				b.SetBytes(int64(len(c.data)))
				b.ReportAllocs()
				found, rounds := 0, 0
				cpu := cpuTime()
				for b.Loop() {
					rounds++
					st := s.Open(ObjectMeta{MinConfidence: Medium})
					h, _ := s.sc.Open(s.c.stream)
					for d := c.data; len(d) > 0; {
						n := min(size, len(d))
						hits, _ := s.sc.ScanStream(h, d[:n])
						s.Write(st, d[:n], hits)
						d = d[n:]
					}
					s.sc.CloseStream(h)
					found = 0
					for _, k := range s.Close(st).Counts {
						found += int(k.Total[Medium])
					}
				}
				b.ReportMetric(float64(len(c.data))*float64(rounds)/1e6/(cpuTime()-cpu).Seconds(), "cpuMB/s")
				b.ReportMetric(float64(found)/float64(len(c.data))*(1<<20), "findings/MB")
			})
			b.Run(fmt.Sprintf("%s/%d/hyperscan", c.name, size), func(b *testing.B) {
				b.SetBytes(int64(len(c.data)))
				hit, rounds := 0, 0
				cpu := cpuTime()
				for b.Loop() {
					rounds++
					h, _ := s.sc.Open(s.c.stream)
					hit = 0
					for d := c.data; len(d) > 0; {
						n := min(size, len(d))
						hits, _ := s.sc.ScanStream(h, d[:n])
						hit += len(hits)
						d = d[n:]
					}
					s.sc.CloseStream(h)
				}
				b.ReportMetric(float64(len(c.data))*float64(rounds)/1e6/(cpuTime()-cpu).Seconds(), "cpuMB/s")
				b.ReportMetric(float64(hit)/float64(len(c.data))*(1<<20), "hits/MB")
			})
		}
	}
}
