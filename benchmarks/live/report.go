package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report turns measurements into a table and a plot.
type report struct {
	ways   []*way
	rounds [][]figures
	// median holds each way's middle figures; ratio those of its throughput to
	// the first way's of the same round; added what its round trip takes longer.
	median, ratio []figures
	added         []figures
	loss          *lossResult
	// sections follow the table.
	sections []section
}

// middle gives the median of what pick takes from each round.
func middle[T cmp.Ordered](rounds [][]figures, pick func(row []figures) T) T {
	var all []T
	for _, row := range rounds {
		all = append(all, pick(row))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (r *report) summarise() {
	for i := range r.ways {
		num := func(get func(f *figures) float64) float64 {
			return middle(r.rounds, func(row []figures) float64 { return get(&row[i]) })
		}
		ratio := func(get func(f *figures) float64) float64 {
			return middle(r.rounds, func(row []figures) float64 { return get(&row[i]) / get(&row[0]) })
		}
		span := func(get func(f *figures) time.Duration) time.Duration {
			return middle(r.rounds, func(row []figures) time.Duration { return get(&row[i]) })
		}
		more := func(get func(f *figures) time.Duration) time.Duration {
			return middle(r.rounds, func(row []figures) time.Duration { return get(&row[i]) - get(&row[0]) })
		}
		text := func(f *figures) float64 { return f.text }
		one, four, kpps := func(f *figures) float64 { return f.one }, func(f *figures) float64 { return f.four }, func(f *figures) float64 { return f.kpps }
		p50, p99, p999 := func(f *figures) time.Duration { return f.p50 }, func(f *figures) time.Duration { return f.p99 }, func(f *figures) time.Duration { return f.p99_9 }
		r.median = append(r.median, figures{num(one), num(four), num(text), num(kpps), span(p50), span(p99), span(p999)})
		r.ratio = append(r.ratio, figures{one: ratio(one), four: ratio(four), text: ratio(text), kpps: ratio(kpps)})
		r.added = append(r.added, figures{p50: more(p50), p99: more(p99), p99_9: more(p999)})
	}
}

// machine says what was measured on.
func machine() string {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	cpu := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	return fmt.Sprintf("%s, %d cores, kernel %s", cpu, runtime.NumCPU(), version)
}

func micros(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d.Nanoseconds())/1e3) }

func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Between two hosts\n\n%s. %s; default offloads; medians of %d rounds, in each of which every way had its turn.\n"+
		"Client, server and what stands between them share the cores. Ratios are to the Linux bridge of the same round;\n"+
		"written by `benchmarks/live/run.sh`.\n\n", time.Now().UTC().Format("2006-01-02"), machine(), len(r.rounds))
	b.WriteString("| | 1 upload, Gbit/s | ratio | 4 uploads, Gbit/s | ratio | 4 of text, Gbit/s | ratio | 18-byte datagrams, kpps | ratio | round trip, µs: p50 | p99 | p99.9 | added p50 | added p99 | added p99.9 |\n" +
		"|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for i, w := range r.ways {
		m, q, a := &r.median[i], &r.ratio[i], &r.added[i]
		fmt.Fprintf(&b, "| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f | %.2f | %s | %s | %s | %s | %s | %s |\n", w.name, m.one, q.one, m.four, q.four, m.text, q.text, m.kpps, q.kpps,
			micros(m.p50), micros(m.p99), micros(m.p99_9), micros(a.p50), micros(a.p99), micros(a.p99_9))
	}
	b.WriteString("\nUploads are HTTP PUTs of random bytes (as packed files are) or of text, 64 MiB each. A round trip is 64 bytes and back over TCP, two ways through.\n")
	if l := r.loss; l != nil {
		fmt.Fprintf(&b, "\nNumbered frames through %s at half of its measured maximum: %d sent at %.0f kpps, %d arrived at the server, **%d lost**\n"+
			"(where the kernel stood in for a worker some come twice: %d more arrived than were sent),\n"+
			"%d out of order; its own counts: %d lost to a full buffer, %d not sent, %d left to the\n"+
			"kernel while the worker was kept from running for over 200 ms.\n", r.ways[inspecting].name, l.sent, l.kpps, l.arrived, max(l.sent-l.arrived, 0), max(l.arrived-l.sent, 0), l.disorder, l.ringDrops, l.sendErrors, l.discarded)
	}
	b.WriteString("\n![ratios to the Linux bridge](results.svg)\n")
	return b.String()
}

// plot draws the ratios as bars, and the added round trip beside them.
func (r *report) plot() string {
	const bar, gap, left, width = 14, 26, 290, 420
	var b strings.Builder
	height := 60 + len(r.ways)*(4*bar+gap)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", left+width+160, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="10" y="20" font-size="14">Ratio to the Linux bridge (longer is better)</text>`+"\n")
	most := 1.0
	for i := range r.ratio {
		most = max(most, r.ratio[i].one, r.ratio[i].four, r.ratio[i].text, r.ratio[i].kpps)
	}
	x := func(v float64) float64 { return v / most * width }
	for _, v := range []float64{0, 0.5, 1} {
		fmt.Fprintf(&b, `<line x1="%.0f" x2="%.0f" y1="34" y2="%d" stroke="#ccc"/><text x="%.0f" y="%d" text-anchor="middle" fill="#666">%.1f</text>`+"\n",
			left+x(v), left+x(v), height-20, left+x(v), height-6, v)
	}
	y := 40
	for i, w := range r.ways {
		fmt.Fprintf(&b, `<text x="10" y="%d">%s</text><text x="10" y="%d" fill="#666">round trip p50 %s µs</text>`+"\n", y+14, w.name, y+30, micros(r.median[i].p50))
		for _, v := range []struct {
			v           float64
			color, text string
		}{{r.ratio[i].one, "#1b6ca8", "1 upload"}, {r.ratio[i].four, "#4aa3df", "4 uploads"}, {r.ratio[i].text, "#c98a2b", "4 uploads of text"}, {r.ratio[i].kpps, "#9bbf30", "small datagrams"}} {
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.0f" y="%d" font-size="11">%.2f %s</text>`+"\n",
				left, y, x(v.v), bar-2, v.color, left+x(v.v)+4, y+bar-4, v.v, v.text)
			y += bar
		}
		y += gap
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (r *report) write(dir string) error {
	text := r.table()
	for _, s := range r.sections {
		text = s.put(text)
	}
	fmt.Print(text)
	if dir == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "results.md"), []byte(text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "results.svg"), []byte(r.plot()), 0o644)
}
