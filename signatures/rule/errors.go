package rule

import (
	"fmt"
	"strings"

	"sluice/internal/near"
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

func didYouMean(s string, names []string) string {
	if n := near.Nearest(s, names); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}
