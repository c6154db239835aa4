// Package rules holds the bundled rules: a starter set of our own that is
// useful on the first day, with its classification. It gives text and knows
// nothing of the language.
package rules

import (
	"embed"
	"path"
)

//go:embed *.rules
var files embed.FS

// Classification is the built-in classification.config.
//
//go:embed classification.config
var Classification string

// References is the built-in reference.config.
//
//go:embed reference.config
var References string

// File is a bundled rule file.
type File struct{ Name, Data string }

// Files gives the bundled rule files by name.
func Files() []File {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil
	}
	var out []File
	for _, e := range entries {
		data, err := files.ReadFile(e.Name())
		if err == nil {
			out = append(out, File{path.Join("bundled", e.Name()), string(data)})
		}
	}
	return out
}
