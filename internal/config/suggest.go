package config

import (
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"

	"sluice/internal/near"
)

// suggest gives the hint for an unknown key: near names in its section, else
// keys elsewhere that end alike, else the section's names where they are few.
func suggest(key, path string, names []string) string {
	if names := near.Names(key, names, 3); len(names) > 0 {
		for i := range names {
			names[i] = join(path, names[i])
		}
		return "did you mean " + strings.Join(names, " or ") + "?"
	}
	var elsewhere []string
	for _, k := range allKeys() {
		if lastKey(k) == key {
			elsewhere = append(elsewhere, k)
		}
	}
	if len(elsewhere) > 0 {
		return "did you mean " + strings.Join(elsewhere[:min(3, len(elsewhere))], " or ") + "?"
	}
	if len(names) > 0 && len(names) <= 12 {
		return "known here: " + strings.Join(names, ", ")
	}
	return "see docs/configuration.md"
}

// allKeys lists every setting's dotted name, maps by <name>.
var allKeys = sync.OnceValue(func() []string {
	var out []string
	var walk func(t reflect.Type, path string, depth int)
	walk = func(t reflect.Type, path string, depth int) {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case t == reflect.TypeFor[EVETypes]():
			walk(reflect.TypeFor[EVEType](), path+".<type>", depth+1)
		case t.Kind() == reflect.Struct && t != reflect.TypeFor[Bridge]() && depth < 10:
			for i := range t.NumField() {
				if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
					walk(t.Field(i).Type, join(path, name), depth+1)
				}
			}
		case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
			walk(t.Elem(), path+".<name>", depth+1)
		default:
			out = append(out, path)
		}
	}
	walk(reflect.TypeFor[Config](), "", 0)
	sort.Strings(out)
	return out
})

// Keys lists the settings' dotted names, for completion and documentation;
// <name> and <type> stand for names that the operator chooses.
func Keys() []string { return slices.Clone(allKeys()) }
