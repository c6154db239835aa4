package signatures

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// RuleID names a rule: generator and signature id.
type RuleID struct{ GID, SID uint32 }

// Selection switches rules on and off by id, over what the rule files say.
// Disabling wins. The zero value selects nothing. It is filled before Load and
// then read only.
type Selection struct {
	on, off map[RuleID]place
}

// place is where an id was named.
type place struct {
	file string
	line int
}

// UnknownSID is the kind of the warning that a list names no rule.
const UnknownSID = "unknown-sid"

// maxSelected bounds the ids of a Selection, maxListLine the bytes of a line of
// a list.
const (
	maxSelected = 1 << 20
	maxListLine = 4096
)

// Add switches a rule on or off; where names the setting, for warnings.
func (s *Selection) Add(enable bool, id RuleID, where string) {
	_ = s.add(enable, id, place{file: where})
}

func (s *Selection) add(enable bool, id RuleID, p place) error {
	m := &s.off
	if enable {
		m = &s.on
	}
	if *m == nil {
		*m = map[RuleID]place{}
	}
	if len(*m) >= maxSelected {
		return fmt.Errorf("more than %d ids", maxSelected)
	}
	if _, ok := (*m)[id]; !ok {
		(*m)[id] = p
	}
	return nil
}

// AddFile reads a list of ids, one a line: `sid` or `gid:sid`, and comments
// from # on. What is neither is an error with file and line.
func (s *Selection) AddFile(enable bool, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.read(enable, name, f)
}

func (s *Selection) read(enable bool, name string, r io.Reader) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, maxListLine), maxListLine)
	n := 0
	for sc.Scan() {
		n++
		text, _, _ := strings.Cut(strings.TrimPrefix(sc.Text(), "\ufeff"), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		id, err := parseRuleID(text)
		if err == nil {
			err = s.add(enable, id, place{name, n})
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	return nil
}

// parseRuleID reads `sid`, which means generator 1, or `gid:sid`.
func parseRuleID(text string) (RuleID, error) {
	gid, sid, ok := strings.Cut(text, ":")
	if !ok {
		gid, sid = "1", text
	}
	g, err := strconv.ParseUint(strings.TrimSpace(gid), 10, 32)
	n, serr := strconv.ParseUint(strings.TrimSpace(sid), 10, 32)
	if err != nil || serr != nil {
		return RuleID{}, fmt.Errorf("%.64q is no id of a rule; write sid or gid:sid", text)
	}
	return RuleID{uint32(g), uint32(n)}, nil
}

// enabled gives whether a rule is loaded that its file says is, or is not. A
// nil Selection leaves that as it is.
func (s *Selection) enabled(id RuleID, file bool) bool {
	if s == nil {
		return file
	}
	if _, ok := s.off[id]; ok {
		return false
	}
	if _, ok := s.on[id]; ok {
		return true
	}
	return file
}

// Disables reports whether a rule is switched off.
func (s *Selection) Disables(id RuleID) bool {
	_, ok := s.off[id]
	return ok
}

// disables reports whether a rule is switched off whose generator may not be
// known, since it could not be read.
func (s *Selection) disables(sid uint32) bool {
	if s == nil || sid == 0 {
		return false
	}
	for id := range s.off {
		if id.SID == sid {
			return true
		}
	}
	return false
}

// unknown gives a warning for each id that names none of the rules seen, in the
// order of the lists.
func (s *Selection) unknown(seen map[RuleID]bool) []RuleError {
	if s == nil {
		return nil
	}
	var out []RuleError
	for _, m := range []map[RuleID]place{s.off, s.on} {
		for id, p := range m {
			if !seen[id] {
				name := strconv.FormatUint(uint64(id.SID), 10)
				if id.GID != 1 {
					name = fmt.Sprintf("%d:%s", id.GID, name)
				}
				out = append(out, RuleError{File: p.file, Line: p.line, SID: id.SID, Kind: UnknownSID,
					Message: "no rule has the id " + name, Remedy: "take it out of the list, or load the file that has it"})
			}
		}
	}
	slices.SortFunc(out, func(a, b RuleError) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.SID, b.SID))
	})
	return out
}

// known gives what is needed to tell unknown ids, nil where none are named.
func (s *Selection) known() map[RuleID]bool {
	if s == nil || len(s.on)+len(s.off) == 0 {
		return nil
	}
	return make(map[RuleID]bool, len(s.on)+len(s.off))
}

// note marks the ids of a rule whose generator may not be known as seen.
func (s *Selection) note(seen map[RuleID]bool, sid uint32) {
	for _, m := range []map[RuleID]place{s.off, s.on} {
		for id := range m {
			if id.SID == sid {
				seen[id] = true
			}
		}
	}
}
