package signatures

import (
	"cmp"
	"strconv"
	"strings"

	"sluice/internal/near"
	"sluice/signatures/rule"
)

const (
	classWord     = "classification:"
	referenceWord = "reference:"
	maxClassFile  = 100 // mistakes told of a file
)

// parseClasses reads lines `config classification: name,description,priority`.
// Lines that are not understood come back as errors; the others count.
func parseClasses(file, data string, into map[string]rule.Class) []RuleError {
	return configLines(file, data, classWord, func(rest string) string {
		const usage = "write config classification: name,description,priority"
		name, rest, ok := strings.Cut(rest, ",")
		i := strings.LastIndexByte(rest, ',')
		if !ok || i < 0 {
			return "lacks a part; " + usage
		}
		word := strings.TrimSpace(rest[i+1:])
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > 255 {
			return strconv.Quote(clip(word)) + " is no priority from 1 to 255; " + usage
		}
		into[strings.TrimSpace(name)] = rule.Class{Description: strings.TrimSpace(rest[:i]), Priority: n}
		return ""
	})
}

// parseReferences reads lines `config reference: type prefix`.
func parseReferences(file, data string, into map[string]string) []RuleError {
	return configLines(file, data, referenceWord, func(rest string) string {
		f := strings.Fields(rest)
		if len(f) != 2 {
			return "is no pair; write config reference: type prefix"
		}
		into[strings.ToLower(f[0])] = f[1]
		return ""
	})
}

// configLines gives take what follows `config WORD` in each line, and makes errors
// of what it says.
func configLines(file, data, word string, take func(rest string) string) (errs []RuleError) {
	n := 0
	for line := range strings.Lines(data) {
		n++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' || len(errs) >= maxClassFile {
			continue
		}
		first, rest, _ := strings.Cut(line, " ")
		kind, after, ok := strings.Cut(strings.TrimSpace(rest), ":")
		why := ""
		switch kind += ":"; {
		case first != "config" || !ok:
			why = "is no line of this file; lines begin with config " + word
		case kind != word:
			why = strconv.Quote(clip(kind)) + " is not known here; " + cmp.Or(suggestion(kind, word), "lines begin with config "+word)
		default:
			why = take(strings.TrimSpace(after))
		}
		if why != "" {
			errs = append(errs, RuleError{File: file, Line: n, Keyword: clip(first), Message: why})
		}
	}
	return errs
}

func suggestion(s, name string) string {
	if like := near.Nearest(s, []string{name}); like != "" {
		return "did you mean " + strconv.Quote(like) + "?"
	}
	return ""
}

// clip bounds what is repeated of a file.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
