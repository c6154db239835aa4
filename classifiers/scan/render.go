package scan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/classifiers"
)

// maxShown is how many findings of one detector the human output lists.
const maxShown = 5

// fileJSON is a file's result as `sluice scan --json` writes it, one object a line.
type fileJSON struct {
	Path        string      `json:"path"`
	Type        string      `json:"type"`
	Size        uint64      `json:"size"`
	Level       string      `json:"level"`
	Unscannable string      `json:"unscannable,omitempty"`
	Counts      []countJSON `json:"counts"`
	Findings    []Finding   `json:"findings"`
	// Decision is what the policy would do if the file left by an upload.
	Decision *decisionJSON `json:"decision,omitempty"`
	Error    string        `json:"error,omitempty"`
}

type decisionJSON struct {
	Action string `json:"action"`
	Rule   string `json:"rule,omitempty"`
}

type countJSON struct {
	Detector   string `json:"detector"`
	Level      string `json:"level"`
	Confidence string `json:"confidence"`
	Count      uint32 `json:"count"`
	Unique     uint32 `json:"unique"`
}

// Printer writes results one after the other. It belongs to one goroutine.
type Printer interface {
	// File writes one result, End what follows the last and all that is buffered.
	File(*FileResult) error
	End() error
}

type jsonPrinter struct {
	b   *bufio.Writer
	enc *json.Encoder
}

// JSONPrinter gives a printer of one JSON object a line for each result.
func JSONPrinter(w io.Writer) Printer {
	p := &jsonPrinter{b: bufio.NewWriter(w)}
	p.enc = json.NewEncoder(p.b)
	p.enc.SetEscapeHTML(false)
	return p
}

func (p *jsonPrinter) File(r *FileResult) error {
	o := fileJSON{Path: r.Path, Type: r.Result.Type, Size: r.Result.Size, Level: r.Result.Level.String(), Unscannable: r.Result.Unscannable, Counts: []countJSON{}, Findings: Render(r.Result.Findings)}
	for _, c := range r.Result.Counts {
		o.Counts = append(o.Counts, countJSON{c.Detector, c.Level.String(), c.Confidence.String(), c.Total[0], c.Unique[0]})
	}
	if r.Action != "" {
		o.Decision = &decisionJSON{r.Action, r.Rule}
	}
	if r.Err != nil {
		o.Error = r.Err.Error()
	}
	if err := p.enc.Encode(&o); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (p *jsonPrinter) End() error { return flush(p.b) }

func flush(b *bufio.Writer) error {
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// Colour reports whether output to f should be coloured: f is a terminal and
// NO_COLOR is not set.
func Colour(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

var levelColour = map[classifiers.Level]string{classifiers.Internal: "\x1b[36m", classifiers.Confidential: "\x1b[33m", classifiers.Restricted: "\x1b[31;1m"}

type textPrinter struct {
	b      *bufio.Writer
	colour bool

	files, found, failed, unscannable int
}

// TextPrinter gives a printer for people: files with findings or errors, their
// level, and each detector's masked values where they stand; then a summary.
func TextPrinter(w io.Writer, colour bool) Printer {
	return &textPrinter{b: bufio.NewWriter(w), colour: colour}
}

func (p *textPrinter) paint(l classifiers.Level, s string) string {
	if c := levelColour[l]; p.colour && c != "" {
		return c + s + "\x1b[0m"
	}
	return s
}

func (p *textPrinter) File(r *FileResult) error {
	b := p.b
	p.files++
	if r.Err != nil {
		p.failed++
		fmt.Fprintf(b, "%s: %v\n", Clean(r.Path), r.Err)
	}
	if r.Result.Unscannable != "" && r.Err == nil {
		p.unscannable++
		fmt.Fprintf(b, "%s: unscannable: %s\n", Clean(r.Path), r.Result.Unscannable)
	}
	if len(r.Result.Counts) > 0 {
		p.found++
		fmt.Fprintf(b, "%s: %s (%s, %d bytes)\n", Clean(r.Path), p.paint(r.Result.Level, strings.ToUpper(r.Result.Level.String())), r.Result.Type, r.Result.Size)
		for i := range r.Result.Counts {
			p.detector(r, &r.Result.Counts[i])
		}
	}
	if r.Rule != "" {
		fmt.Fprintf(b, "%s: as an upload: %s, by policy rule %s\n", Clean(r.Path), r.Action, r.Rule)
	}
	// A pipe's reader wants to see what there is; the buffer spares small writes.
	if r.Err != nil || len(r.Result.Counts) > 0 {
		return flush(b)
	}
	return nil
}

// detector writes one detector's findings in a file.
func (p *textPrinter) detector(r *FileResult, c *classifiers.Count) {
	fmt.Fprintf(p.b, "  %-28s %-7s %d found, %d different\n", c.Detector, c.Confidence, c.Total[0], c.Unique[0])
	shown := 0
	for k, f := range r.Result.Findings {
		if f.Detector != c.Detector || shown == maxShown {
			continue
		}
		shown++
		path := ""
		if f.Path != "" {
			path = " in " + Clean(f.Path)
		}
		text := f.Masked
		if x := r.Excerpts[k]; x != "" {
			text = x
		}
		fmt.Fprintf(p.b, "    at %d: %s%s\n", f.Start, strings.ReplaceAll(text, f.Masked, p.paint(f.Level, f.Masked)), path)
	}
	if more := int(c.Total[0]) - shown; more > 0 {
		fmt.Fprintf(p.b, "    … and %d more\n", more)
	}
}

func (p *textPrinter) End() error {
	files := "files"
	if p.files == 1 {
		files = "file"
	}
	fmt.Fprintf(p.b, "%d %s scanned, %d with findings, %d unscannable, %d not readable\n", p.files, files, p.found, p.unscannable, p.failed)
	return flush(p.b)
}

// Clean keeps what others have named or written from moving the terminal's
// cursor.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
