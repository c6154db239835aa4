package config

import (
	"errors"
	"strconv"
	"strings"
)

// placed gives Validate's errors the file's name, and the places of their settings
// or of the sections that these would stand in.
func placed(name string, root *node, err error) error {
	all := []error{err}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		all = many.Unwrap()
	}
	out := make([]error, 0, len(all))
	for _, err := range all {
		var e *Error
		if errors.As(err, &e) {
			at := *e
			at.File = name
			if n, ok := find(root, e.Key); ok {
				at.pos = n
			}
			err = &at
		}
		out = append(out, err)
	}
	return errors.Join(out...)
}

// find gives the place of a setting by its dotted name, or of the innermost
// section above it that the file has; ok is false where it has none.
func find(n *node, key string) (at pos, ok bool) {
	for rest := key; n != nil && rest != ""; {
		var next *node
		switch n.kind {
		case mapping:
			for _, e := range n.keys {
				// Names that the operator chose may have dots.
				if after, is := strings.CutPrefix(rest, e.key); is && (after == "" || after[0] == '.') {
					next, at, ok = e.val, e.pos, true
					rest = strings.TrimPrefix(after, ".")
					break
				}
			}
		case sequence:
			word, after, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(word); err == nil && i >= 0 && i < len(n.items) {
				next, at, ok = n.items[i], n.items[i].pos, true
				rest = after
			}
		}
		n = next
	}
	return at, ok
}
