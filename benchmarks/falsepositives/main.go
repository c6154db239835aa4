// Command falsepositives classifies what ordinary machines hold (source code,
// documentation, logs, programs, web pages), where next to nothing is confidential, and
// counts what is found all the same. It takes files and folders and gives megabytes,
// findings by detector and confidence, and what the default policy would do if each
// file left as an upload. Findings in test material (a folder or a file named after
// tests, examples or vectors) are counted apart: real keys and card numbers stand there.
package main

import (
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/classifiers"
	"sluice/dataplane/policy"
	"sluice/dataplane/verdict"
	"sluice/internal/hs"
)

func main() {
	show := flag.Int("show", 0, "print up to this many findings of high confidence a detector, with what stands around them")
	most := flag.Int64("max", 0, "stop after this many megabytes of each path; 0 takes all")
	level := flag.String("confidence", "high", "the confidence of the findings that -show prints")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s [flags] PATH...\n", os.Args[0])
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Args(), *show, *most*1e6, *level); err != nil {
		fmt.Fprintln(os.Stderr, "falsepositives:", err)
		os.Exit(1)
	}
}

func run(paths []string, show int, most int64, level string) error {
	conf, err := classifiers.ParseConfidence(level)
	if err != nil {
		return err
	}
	cat, err := classifiers.New(classifiers.Config{})
	if err != nil {
		return err
	}
	defer cat.Close()
	sc, err := hs.NewScanner()
	if err != nil {
		return err
	}
	defer sc.Close()
	s, err := cat.NewScanner(sc)
	if err != nil {
		return err
	}
	r := report{scanner: s, policy: policy.Default(), show: show, conf: conf, by: map[string]*detector{}, decided: map[string]int{}}
	for _, p := range paths {
		if err := r.folder(p, most); err != nil {
			return err
		}
	}
	r.print()
	return nil
}

// detector counts one detector's findings: [material][confidence].
type detector struct {
	n     [2][3]int
	shown int
}

// report is what all files were found to hold.
type report struct {
	scanner     *classifiers.Scanner
	policy      *policy.Policy
	show        int
	conf        classifiers.Confidence
	files       int
	bytes       int64
	unreadable  int
	by          map[string]*detector
	decided     map[string]int
	blockedList []string
}

// folder takes the files below a path, in order, until they are most bytes.
func (r *report) folder(path string, most int64) error {
	from := r.bytes
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && p == path:
			return err
		case err != nil:
			r.unreadable++
			return nil
		case most > 0 && r.bytes-from >= most:
			return fs.SkipAll
		case d.Type().IsRegular():
			r.file(p)
		}
		return nil
	})
}

// maxFile bounds what is taken of a file.
const maxFile = 64 << 20

// content gives a file's bytes; what is packed as manual pages and change logs are is
// unpacked, as a browser would have it sent.
func content(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if z, err := gzip.NewReader(f); err == nil {
			in = z
		} else if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(in, maxFile))
}

func (r *report) file(path string) {
	data, err := content(path)
	if err != nil {
		r.unreadable++
		return
	}
	r.files++
	r.bytes += int64(len(data))
	res := r.scanner.ScanBytes(data, classifiers.ObjectMeta{Name: filepath.Base(path), MinConfidence: classifiers.Medium})
	material := 0
	if testMaterial(path) {
		material = 1
	}
	for i := range res.Counts {
		c := &res.Counts[i]
		d := r.by[c.Detector]
		if d == nil {
			d = new(detector)
			r.by[c.Detector] = d
		}
		for k := range c.Total {
			d.n[material][k] += int(c.Total[k])
		}
	}
	for i := range res.Findings {
		f := &res.Findings[i]
		if d := r.by[f.Detector]; f.Confidence >= r.conf && d.shown < r.show {
			d.shown++
			fmt.Printf("%s:%d-%d %s %s %s\n\t%s\n", path, f.Start, f.End, f.Detector, f.Confidence, f.Path, around(data, f))
		}
	}
	dec := r.policy.Decide(policy.Input{Direction: policy.Egress, Channel: "http-request", Name: filepath.Base(path), Type: res.Type, Size: res.Size,
		Counts: res.Counts, Unscannable: res.Unscannable, Time: time.Now().UnixNano(), Final: true})
	if !dec.Matched() {
		return
	}
	key := policy.ActionName(dec.Action) + " by " + dec.Rule
	if material == 1 {
		key += " (test material)"
	}
	r.decided[key]++
	if dec.Action != verdict.Alert && dec.Action != verdict.None {
		var why []string
		for i := range res.Counts {
			if c := &res.Counts[i]; c.Level >= classifiers.Confidential {
				why = append(why, fmt.Sprintf("%s×%d", c.Detector, c.Unique[classifiers.Medium]))
			}
		}
		r.blockedList = append(r.blockedList, fmt.Sprintf("%s: %s: %s", path, dec.Rule, strings.Join(why, ", ")))
	}
}

// testMaterial reports whether a path is named after tests, examples or vectors.
func testMaterial(path string) bool {
	for _, p := range strings.FieldsFunc(strings.ToLower(path), func(c rune) bool { return c == '/' || c == '_' || c == '-' || c == '.' }) {
		switch p {
		case "test", "tests", "testing", "testdata", "testcert", "testcerts", "testkey", "testkeys", "testutil", "fixture", "fixtures", "example", "examples", "sample", "samples", "vectors", "demo", "demos", "mock", "mocks", "spec", "specs", "data":
			return true
		}
	}
	return false
}

// around gives the text around a finding, with the value itself blanked but for its
// first and last character.
func around(data []byte, f *classifiers.Finding) string {
	start, end := int(f.Start), int(f.End)
	before, after := data[max(0, start-70):start], data[end:min(len(data), end+40)]
	value := data[start:end]
	hidden := "…"
	if len(value) > 2 {
		hidden = fmt.Sprintf("%q…(%d)…%q", value[:1], len(value)-2, value[len(value)-1:])
	}
	return fmt.Sprintf("%q %s %q", before, hidden, after)
}

func (r *report) print() {
	mb := float64(r.bytes) / 1e6
	fmt.Printf("%d files, %.1f MB, %d that could not be read\n\n", r.files, mb, r.unreadable)
	var ids []string
	for id := range r.by {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	fmt.Printf("%-32s %18s %18s\n%-32s %8s %9s %8s %9s\n", "", "ordinary", "test material", "detector", "high", "medium", "high", "medium")
	var sum [2]int
	for _, id := range ids {
		n := &r.by[id].n
		fmt.Printf("%-32s %8d %9d %8d %9d\n", id, n[0][2], n[0][1]-n[0][2], n[1][2], n[1][1]-n[1][2])
		sum[0], sum[1] = sum[0]+n[0][2], sum[1]+n[1][2]
	}
	fmt.Printf("\nhigh: %d in ordinary files, %.2f in 10 MB; %d in test material\n\nthe default policy, had each file been uploaded:\n", sum[0], float64(sum[0])/mb*10, sum[1])
	var keys []string
	for k := range r.decided {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Printf("  %6d files: %s\n", r.decided[k], k)
	}
	for _, b := range r.blockedList {
		fmt.Println("   ", b)
	}
}
