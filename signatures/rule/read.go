package rule

import (
	"strings"
)

// Line is one logical line of a rule file: a rule, enabled or commented out.
type Line struct {
	// Number is the first physical line, from 1.
	Number  int
	Text    string
	Enabled bool
}

// Lines splits a rule file: a backslash at the end of a line joins it with the
// next; comments that do not look like a rule are left out.
func Lines(data string) []Line {
	var out []Line
	n := 0
	for len(data) > 0 {
		n++
		start := n
		line, rest, _ := strings.Cut(data, "\n")
		data = rest
		line = strings.TrimRight(line, " \t\r")
		for strings.HasSuffix(line, `\`) && len(data) > 0 {
			n++
			next, rest, _ := strings.Cut(data, "\n")
			data = rest
			next = strings.TrimRight(next, " \t\r")
			// A continuation inside of a comment carries its own sign.
			if strings.HasPrefix(line, "#") {
				next = strings.TrimLeft(next, "# \t")
			}
			line = line[:len(line)-1] + " " + strings.TrimLeft(next, " \t")
			if len(line) > MaxText {
				break
			}
		}
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" {
			continue
		}
		if line[0] != '#' {
			out = append(out, Line{start, line, true})
			continue
		}
		line = strings.TrimLeft(line, "# \t")
		if looksLikeRule(line) {
			out = append(out, Line{start, line, false})
		}
	}
	return out
}

// looksLikeRule tells a rule that is commented out from prose.
func looksLikeRule(s string) bool {
	word, rest, ok := strings.Cut(s, " ")
	if !ok || !strings.Contains(rest, "(") || !strings.Contains(rest, "sid:") && !strings.Contains(rest, "sid :") {
		return false
	}
	word, _, _ = strings.Cut(word, ":")
	for _, a := range actionNames {
		if a == word {
			return true
		}
	}
	return false
}
