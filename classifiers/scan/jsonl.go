// Package scan classifies files and lines of text outside of any traffic: what
// `sluice scan` does. It takes paths or a stream of JSON lines and gives results
// in order, or rendered; it knows nothing of policies.
package scan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"sluice/classifiers"
	"sluice/internal/hs"
)

// MaxLine bounds a line of input in bytes.
const MaxLine = 64 << 20

// Finding is a finding as `sluice scan` writes it: offsets are bytes into the
// text.
type Finding struct {
	Detector   string   `json:"detector"`
	Start      uint64   `json:"start"`
	End        uint64   `json:"end"`
	Confidence string   `json:"confidence"`
	Level      string   `json:"level"`
	Tags       []string `json:"tags"`
	Masked     string   `json:"masked"`
	Path       string   `json:"path,omitempty"`
}

// line is one line of output.
type line struct {
	ID       json.RawMessage `json:"id"`
	Level    string          `json:"level,omitempty"`
	Findings []Finding       `json:"findings"`
	Error    string          `json:"error,omitempty"`
}

// Render gives findings as they are written, never nil.
func Render(fs []classifiers.Finding) []Finding {
	out := make([]Finding, 0, len(fs))
	for _, f := range fs {
		tags := f.Tags
		if tags == nil {
			tags = []string{}
		}
		out = append(out, Finding{Detector: f.Detector, Start: f.Start, End: f.End, Confidence: f.Confidence.String(), Level: f.Level.String(), Tags: tags, Masked: f.Masked, Path: f.Path})
	}
	return out
}

// job is a line on its way through a worker.
type job struct {
	data []byte
	done chan []byte
}

// ScanJSONL reads {"id":…,"text":…} lines and writes one line for each, in
// order: {"id","level","findings"}. A bad line gives an object with "error" (and
// its id where it has one). Findings below min are left out. workers ≤ 0 means
// one per CPU.
func ScanJSONL(in io.Reader, out io.Writer, min classifiers.Confidence, workers int) error {
	cat, err := classifiers.New(classifiers.Config{})
	if err != nil {
		return err
	}
	defer cat.Close()
	return ScanJSONLWith(cat, in, out, min, workers)
}

// ScanJSONLWith is ScanJSONL with a catalogue that is there already.
func ScanJSONLWith(cat *classifiers.Catalog, in io.Reader, out io.Writer, min classifiers.Confidence, workers int) error {
	if workers <= 0 {
		workers = runtime.NumCPU()
	}
	jobs := make(chan job, workers)
	order := make(chan job, 16*workers)
	var wg sync.WaitGroup
	var setup error
	var scanners []*classifiers.Scanner
	for range workers {
		sc, err := hs.NewScanner()
		if err == nil {
			defer sc.Close()
			var s *classifiers.Scanner
			if s, err = cat.NewScanner(sc); err == nil {
				scanners = append(scanners, s)
			}
		}
		setup = errors.Join(setup, err)
	}
	if setup != nil {
		return setup
	}
	for _, s := range scanners {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				j.done <- scanLine(s, j.data, min)
			}
		}()
	}
	readErr := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		readErr <- readLines(in, func(b []byte) bool {
			j := job{b, make(chan []byte, 1)}
			select {
			case order <- j:
			case <-stop:
				return false
			}
			jobs <- j
			return true
		})
		close(jobs)
		close(order)
	}()
	w := bufio.NewWriterSize(out, 64<<10)
	var writeErr error
	for j := range order {
		b := <-j.done
		if writeErr == nil {
			if _, writeErr = w.Write(b); writeErr != nil {
				close(stop)
			}
		}
	}
	wg.Wait()
	if writeErr == nil {
		writeErr = w.Flush()
	}
	if writeErr != nil {
		return fmt.Errorf("write: %w", writeErr)
	}
	return <-readErr
}

// readLines gives each line, empty ones left out, until yield says no. A line
// beyond MaxLine is given cut, which makes it a bad line.
func readLines(in io.Reader, yield func([]byte) bool) error {
	r := bufio.NewReaderSize(in, 256<<10)
	for {
		var whole []byte
		for {
			part, more, err := r.ReadLine()
			if err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return fmt.Errorf("read: %w", err)
			}
			if len(whole) < MaxLine {
				whole = append(whole, part...)
			}
			if !more {
				break
			}
		}
		if len(bytes.TrimSpace(whole)) == 0 {
			continue
		}
		if !yield(whole) {
			return nil
		}
	}
}

func scanLine(s *classifiers.Scanner, data []byte, min classifiers.Confidence) []byte {
	var in struct {
		ID   json.RawMessage `json:"id"`
		Text *string         `json:"text"`
	}
	var o line
	err := json.Unmarshal(data, &in)
	o.ID = in.ID
	if len(o.ID) == 0 {
		o.ID = json.RawMessage("null")
	}
	switch {
	case err != nil:
		o.Error = "bad JSON: " + err.Error()
	case in.Text == nil:
		o.Error = `no "text" in the line`
	default:
		res := s.ScanBytes([]byte(*in.Text), classifiers.ObjectMeta{MinConfidence: min})
		o.Level = res.Level.String()
		o.Findings = Render(res.Findings)
	}
	if o.Findings == nil {
		o.Findings = []Finding{}
	}
	b, err := json.Marshal(&o)
	if err != nil { // an id that is no JSON cannot have been read
		b = []byte(`{"id":null,"findings":[],"error":"cannot be written"}`)
	}
	return append(b, '\n')
}
