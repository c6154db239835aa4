package classifiers

import (
	"bytes"
	"encoding/binary"
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

// logText is web-server log lines: dense in digits and addresses of machines.
func logText(n int) []byte {
	rnd := rand.New(rand.NewPCG(5, 6))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "10.%d.%d.%d - - [22/Nov/2026:10:%02d:%02d +0000] \"GET /static/app-%08x.js?v=%d HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\" rt=0.%03d id=%08x-%04x\n",
			rnd.IntN(256), rnd.IntN(256), rnd.IntN(256), rnd.IntN(60), rnd.IntN(60), rnd.Uint32(), rnd.IntN(1e6), rnd.IntN(1e6), rnd.IntN(1000), rnd.Uint32(), rnd.IntN(65536))
	}
	return b.Bytes()[:n]
}

// denseText is a table of personal data: nearly every field is a finding.
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

// pageText is a page of HTML: rows of a table, paragraphs with words set off, code with
// each word in an element of its own, links and comments.
func pageText(n int) []byte {
	rnd := rand.New(rand.NewPCG(17, 18))
	words := strings.Fields(string(prose(64 << 10)))
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><html><body>\n")
	for b.Len() < n {
		word := func() string { return words[rnd.IntN(len(words))] }
		switch rnd.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "<tr class=\"row\"><td>%s</td><td align=\"right\"><b>%d</b></td><td>%d.%02d</td></tr>\n", word(), rnd.IntN(10000), rnd.IntN(1000), rnd.IntN(100))
		case 1:
			fmt.Fprintf(&b, "<p>%s %s <b>%s</b> %s <i>%s %s</i>, %s <a href=\"/page/%d?x=1&amp;y=2\">%s</a> %s %s &mdash; %s.</p>\n", word(), word(), word(), word(), word(), word(), word(), rnd.IntN(1000), word(), word(), word(), word())
		case 2:
			fmt.Fprintf(&b, "<pre><span class=\"kw\">func</span> <span class=\"nf\">%s</span>(<span class=\"nx\">%s</span><span class=\"p\">[</span><span class=\"mi\">%d</span><span class=\"p\">])</span></pre>\n", word(), word(), rnd.IntN(100))
		case 3:
			fmt.Fprintf(&b, "<div id=\"b%d\"><!-- block %d --><span style=\"color: #%06x\">%s</span> %s %s %s</div>\n", rnd.IntN(1000), rnd.IntN(1000), rnd.IntN(1<<24), word(), word(), word(), word())
		}
	}
	return b.Bytes()[:n]
}

// randomBytes are what compressed and encrypted content looks like.
func randomBytes(n int) []byte {
	rnd := rand.New(rand.NewPCG(11, 12))
	out := make([]byte, 0, n+8)
	for len(out) < n {
		out = binary.LittleEndian.AppendUint64(out, rnd.Uint64())
	}
	return out[:n]
}

// program is machine code with its tables and texts: this test's own.
func program(tb testing.TB, n int) []byte {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Skipf("no program to read: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Skipf("no program to read: %v", err)
	}
	return b[:min(n, len(b))]
}

// foreignText is text in other scripts than the Latin one.
func foreignText(n int) []byte {
	words := []string{"отчет", "за", "квартал", "показывает", "клиенты", "довольны", "доставкой", "η", "αναφορά", "δείχνει", "報告", "顧客は", "満足", "していた", "和", "支持", "العملاء", "راضون", "ลูกค้า", "พอใจ"}
	rnd := rand.New(rand.NewPCG(13, 14))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[rnd.IntN(len(words))])
		b.WriteByte(" \n"[rnd.IntN(12)/11])
	}
	return b.Bytes()[:n]
}

// hiddenText is random bytes with a stretch of text now and then, some of it in UTF-16.
func hiddenText(n int) []byte {
	rnd := rand.New(rand.NewPCG(15, 16))
	noise := randomBytes(n)
	text := logText(64 << 10)
	for at := 0; at+4096 < n; at += 4096 {
		k := at + rnd.IntN(1024)
		l := 40 + rnd.IntN(1000)
		from := rnd.IntN(len(text) - l)
		if rnd.IntN(8) == 0 {
			copy(noise[k:], encode16(string(text[from:from+l])))
		} else {
			copy(noise[k:], text[from:from+l])
		}
	}
	return noise
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

// recordText is what an interface answers with: records in JSON with names, addresses,
// numbers of telephones, tokens and timestamps, a few findings each.
func recordText(n int) []byte {
	rnd := rand.New(rand.NewPCG(9, 10))
	note := prose(64 << 10)
	var b bytes.Buffer
	b.WriteString(`{"items":[`)
	for b.Len() < n {
		at := rnd.IntN(len(note) - 300)
		fmt.Fprintf(&b, `{"id":%d,"name":"Jo Doe","email":"jo.doe%d@mail.example.com","phone":"+1-%03d-555-%04d","created":"2026-%02d-%02dT%02d:%02d:%02dZ","token":"%016x%016x%016x%016x","note":%q,"score":%.16f},`,
			rnd.IntN(1e9), rnd.IntN(1000), 200+rnd.IntN(700), rnd.IntN(10000), 1+rnd.IntN(12), 1+rnd.IntN(28), rnd.IntN(24), rnd.IntN(60), rnd.IntN(60),
			rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), note[at:at+50+rnd.IntN(250)], rnd.Float64())
	}
	return b.Bytes()[:n]
}

// BenchmarkScan is the whole classifier on clean and on dense text, in the sizes of
// packets and of files, with raw Hyperscan over the same patterns and bytes in the same
// run. Megabytes a second are of processor time: what one core does.
func BenchmarkScan(b *testing.B) {
	s := newScanner(b)
	for _, c := range []struct {
		name string
		data []byte
	}{{"clean/source", cleanText(b, 8<<20)}, {"clean/prose", prose(4 << 20)}, {"dense/log", logText(4 << 20)}, {"dense/records", recordText(4 << 20)}, {"dense/table", denseText(1 << 20)}, {"dense/page", pageText(4 << 20)}, {"binary/random", randomBytes(4 << 20)}, {"binary/program", program(b, 4<<20)}, {"binary/utf-8", foreignText(4 << 20)}, {"binary/hidden", hiddenText(4 << 20)}} {
		for _, size := range []int{1460, 64 << 10} {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				b.SetBytes(int64(len(c.data)))
				b.ReportAllocs()
				var whole, raw time.Duration
				var found, hit, rounds int
				for b.Loop() {
					rounds++
					from := cpuTime()
					found = classify(s, c.data, size)
					between := cpuTime()
					hit = nominate(s, c.data, size)
					whole, raw = whole+between-from, raw+cpuTime()-between
				}
				mb := float64(len(c.data)) * float64(rounds) / 1e6
				b.ReportMetric(mb/whole.Seconds(), "MB/s/core")
				b.ReportMetric(mb/raw.Seconds(), "hyperscan-MB/s/core")
				b.ReportMetric(raw.Seconds()/whole.Seconds(), "of-hyperscan")
				b.ReportMetric(float64(found)/float64(len(c.data))*1e6, "findings/MB")
				b.ReportMetric(float64(hit)/float64(len(c.data))*1e6, "hits/MB")
			})
		}
	}
}

// classify scans data in pieces and gives the number of findings.
func classify(s *Scanner, data []byte, size int) (found int) {
	st := s.Open(ObjectMeta{MinConfidence: Medium})
	h, _ := s.sc.Open(s.c.stream)
	for len(data) > 0 {
		n := min(size, len(data))
		hits, _ := s.sc.ScanStream(h, data[:n])
		s.Write(st, data[:n], hits)
		data = data[n:]
	}
	s.sc.CloseStream(h)
	for _, k := range s.Close(st).Counts {
		found += int(k.Total[Medium])
	}
	return found
}

// nominate is the Hyperscan part of classify alone.
func nominate(s *Scanner, data []byte, size int) (hit int) {
	h, _ := s.sc.Open(s.c.stream)
	for len(data) > 0 {
		n := min(size, len(data))
		hits, _ := s.sc.ScanStream(h, data[:n])
		hit += len(hits)
		data = data[n:]
	}
	s.sc.CloseStream(h)
	return hit
}
