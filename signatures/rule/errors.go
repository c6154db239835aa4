package rule

import (
	"fmt"
	"strings"
)

// Error tells what is wrong with a rule, where, and what to do about it.
type Error struct {
	File string `json:"file"`
	// Line and Column count from 1; Line is 0 when the file as a whole, or a
	// setting, is meant. Column is a byte of the logical line (with
	// continuations joined), 0 when the rule as a whole is meant.
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
	SID    uint32 `json:"sid,omitempty"`
	// Keyword is the keyword at fault, empty for the header.
	Keyword string `json:"keyword,omitempty"`
	Message string `json:"message"`
	// Kind is the kind of a warning, empty for errors. Remedy says what to do
	// where Message does not.
	Kind   string `json:"kind,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	// Unevaluated tells that the rule is sound but needs something that this
	// program knows and does not evaluate yet.
	Unevaluated bool `json:"-"`
}

// Error gives file:line:column: sid N: keyword: message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Column > 0 {
		fmt.Fprintf(&b, ":%d", e.Column)
	}
	b.WriteString(": ")
	if e.SID != 0 {
		fmt.Fprintf(&b, "sid %d: ", e.SID)
	}
	if e.Keyword != "" {
		b.WriteString(e.Keyword + ": ")
	}
	b.WriteString(e.Message)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// fault is an error on its way out of the parser; place and rule are added on the way.
type fault struct {
	col         int
	keyword     string
	msg         string
	unevaluated bool
}

func (f *fault) Error() string { return f.msg }

func faultf(format string, args ...any) error { return &fault{msg: fmt.Sprintf(format, args...)} }

func unevaluated(what string) error {
	return &fault{msg: what + ": known, not evaluated yet", unevaluated: true}
}

// nearest gives the name most like s among names, empty when none is near
// enough to be what was meant.
func nearest(s string, names []string) string {
	best, dist := "", max(1, len(s)/3)+1
	for _, n := range names {
		if d := len(n) - len(s); d > dist || -d > dist {
			continue
		}
		// Of names equally near, the one that begins alike is meant.
		d := editDistance(s, n, dist)
		if d < dist || d == dist && best != "" && (alike(s, n) > alike(s, best) || alike(s, n) == alike(s, best) && n < best) {
			best, dist = n, d
		}
	}
	return best
}

// alike counts the bytes with which both begin.
func alike(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours that turn a into b; it gives up at limit.
func editDistance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 {
		return limit
	}
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur, prev, prev2 := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, prev2[j-2]+1)
			}
			cur[j] = d
		}
	}
	return rows[len(a)%3][len(b)]
}

func didYouMean(s string, names []string) string {
	if n := nearest(s, names); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}
