package config

import (
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"
)

// suggest gives the hint for an unknown key: near names in its section, else
// keys elsewhere that end alike, else the section's names where they are few.
func suggest(key, path string, names []string) string {
	if near := nearest(key, names, 3); len(near) > 0 {
		for i := range near {
			near[i] = join(path, near[i])
		}
		return "did you mean " + strings.Join(near, " or ") + "?"
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

// nearest gives up to n names that a slip of the hand may have meant.
func nearest(key string, names []string, n int) []string {
	type cand struct {
		name string
		d    int
	}
	var cs []cand
	for _, name := range names {
		if len(key) > 64 || len(name) > 64 {
			continue
		}
		k, w := strings.ToLower(key), strings.ToLower(name)
		d := distance(k, w)
		if d <= max(1, min(len(k), len(w))/3) || (d <= 3 && len(w) > 2 && strings.HasPrefix(k, w)) || strings.HasPrefix(w, k+"-") {
			cs = append(cs, cand{name, d})
		}
	}
	sort.SliceStable(cs, func(i, j int) bool { return cs[i].d < cs[j].d })
	var out []string
	for i := 0; i < len(cs) && i < n; i++ {
		if cs[i].d <= cs[0].d+1 {
			out = append(out, cs[i].name)
		}
	}
	return out
}

// distance counts insertions, deletions, substitutions and swaps of neighbours
// (optimal string alignment).
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
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
