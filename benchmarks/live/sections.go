package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// section is a part of results.md with a heading of its own, which can be
// measured alone.
type section struct{ title, text string }

// parts are the sections by the name that -only knows them by.
var parts = []struct {
	name    string
	measure func(ctx context.Context, w *way, dir string, o *options) (section, error)
}{
	{"kill", func(ctx context.Context, w *way, dir string, o *options) (section, error) {
		if o.kills == 0 {
			return section{}, nil
		}
		all, err := w.kills(ctx, dir, o.kills, os.Stderr)
		if err != nil {
			return section{}, err
		}
		return section{"Killed under load", killTable(all)}, nil
	}},
	{"tap", func(ctx context.Context, w *way, dir string, o *options) (section, error) {
		if o.uploads == 0 {
			return section{}, nil
		}
		shared, err := w.behindTap(ctx, dir, o.uploads, os.Stderr)
		if err != nil {
			return section{}, err
		}
		own, err := w.behindTapAlone(ctx, dir, o.uploads, os.Stderr)
		if err != nil {
			return section{}, err
		}
		return section{"Behind a verdict, beside the wire", tapTable(shared, own)}, nil
	}},
}

// measureParts gives the sections, or the one that is named.
func measureParts(ctx context.Context, w *way, dir string, o *options) ([]section, error) {
	var all []section
	known := o.only == ""
	for _, p := range parts {
		if o.only != "" && o.only != p.name {
			continue
		}
		known = true
		s, err := p.measure(ctx, w, dir, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		if s.title != "" {
			s.text += "\n" + circumstances()
			all = append(all, s)
		}
	}
	if !known {
		return nil, fmt.Errorf("there is no part %q", o.only)
	}
	return all, nil
}

// circumstances tells when and where a section was measured, and what else the
// machine had to do: these figures depend on it.
func circumstances() string {
	load, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%s. %s; load average %s in the end, of which the measurement itself is about 2.\n", time.Now().UTC().Format("2006-01-02"), machine(), one)
}

// put gives text with the section in place of an older one, or at its end.
func (s section) put(text string) string {
	heading := "\n## " + s.title + "\n"
	body := heading + "\n" + strings.TrimRight(s.text, "\n") + "\n"
	at := strings.Index(text, heading)
	if at < 0 {
		return strings.TrimRight(text, "\n") + "\n" + body
	}
	rest := text[at+len(heading):]
	if next := strings.Index(rest, "\n## "); next >= 0 {
		return text[:at] + body + rest[next:]
	}
	return text[:at] + body
}

// amend puts sections into the results.md of a folder, and prints them.
func amend(dir string, all []section) error {
	for _, s := range all {
		fmt.Print(s.text)
	}
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, "results.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(raw)
	for _, s := range all {
		text = s.put(text)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
