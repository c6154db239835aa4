package fastpath

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"
)

// ListError is one bad line of a block list file.
type ListError struct {
	File string
	Line int
	Text string // what was found there
	Why  string
}

// Error implements error.
func (e *ListError) Error() string {
	return fmt.Sprintf("%s:%d: %q %s", e.File, e.Line, e.Text, e.Why)
}

// Bounds of block list files.
const (
	maxListLine   = 1024
	maxListErrors = 20
	maxReason     = 200
)

// LoadList reads a block list file: a prefix or address on each line, then
// optionally the reason. Text after # or ; is a comment, and stands for the
// reason where there is no other, as common feeds have it. A line may end in
// "expires=" and a time of RFC 3339.
//
// All entries get the given list's name. Bad lines are left out and told in
// the error, which joins a *ListError for each of the first 20; whether to use
// the rest is the caller's decision.
func LoadList(file, list string) ([]Block, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("load block list: %w", err)
	}
	defer f.Close()
	return ReadList(f, file, list)
}

// ReadList is LoadList from a reader; file is for errors.
func ReadList(r io.Reader, file, list string) ([]Block, error) {
	var (
		blocks []Block
		errs   []error
		bad    int
	)
	complain := func(line int, text, why string) {
		if bad++; bad <= maxListErrors {
			if len(text) > 60 {
				text = text[:60]
			}
			errs = append(errs, &ListError{file, line, text, why})
		}
	}
	in := bufio.NewReaderSize(r, maxListLine)
	for n := 1; ; n++ {
		raw, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			complain(n, string(raw), fmt.Sprintf("is longer than %d bytes", maxListLine))
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			raw = nil
		}
		if err != nil && err != io.EOF {
			return blocks, fmt.Errorf("load block list %s: %w", file, err)
		}
		if b, text, why := parseLine(string(raw), list); why != "" {
			complain(n, text, why)
		} else if b.Prefix.IsValid() {
			blocks = append(blocks, b)
		}
		if err == io.EOF {
			break
		}
	}
	if bad > maxListErrors {
		errs = append(errs, fmt.Errorf("%s: %d more bad lines", file, bad-maxListErrors))
	}
	return blocks, errors.Join(errs...)
}

// parseLine gives a line's entry, no entry for an empty line, or what is wrong with which text.
func parseLine(line, list string) (b Block, text, why string) {
	line, comment := strings.TrimPrefix(line, "\ufeff"), ""
	if i := strings.IndexAny(line, "#;"); i >= 0 {
		line, comment = line[:i], strings.TrimSpace(strings.TrimLeft(line[i:], "#;"))
	}
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return b, "", ""
	}
	prefix, why := parsePrefix(fields[0])
	if why != "" {
		return b, fields[0], why
	}
	fields = fields[1:]
	b.Entry.List = list
	if n := len(fields); n > 0 {
		if at, ok := strings.CutPrefix(fields[n-1], "expires="); ok {
			t, err := time.Parse(time.RFC3339, at)
			if err != nil {
				return Block{}, fields[n-1], "is not a time such as 2026-01-02T15:04:05Z"
			}
			b.Entry.Expires, fields = t, fields[:n-1]
		}
	}
	b.Entry.Reason = strings.Join(fields, " ")
	if b.Entry.Reason == "" {
		b.Entry.Reason = comment
	}
	if len(b.Entry.Reason) > maxReason {
		b.Entry.Reason = strings.ToValidUTF8(b.Entry.Reason[:maxReason], "")
	}
	b.Prefix = prefix
	return b, "", ""
}

func parsePrefix(s string) (netip.Prefix, string) {
	var p netip.Prefix
	if strings.Contains(s, "/") {
		var err error
		if p, err = netip.ParsePrefix(s); err != nil {
			return p, "is not a prefix"
		}
	} else {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return p, "is not an address"
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	c, err := canonical(p)
	switch {
	case err != nil:
		return p, "mixes IPv4 and IPv6"
	case c.Bits() == 0:
		return p, "would block everything"
	case p.Addr().Unmap() != c.Addr():
		return p, fmt.Sprintf("has bits set beyond its length: is %s meant?", c)
	}
	return c, ""
}
