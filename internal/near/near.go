// Package near finds the names that a slip of the hand may have meant. It takes
// what was written and the names that there are.
package near

import (
	"sort"
	"strings"
)

// Nearest gives the name most like s among names, empty when none is near
// enough to be what was meant.
func Nearest(s string, names []string) string {
	best, dist := "", max(1, len(s)/3)+1
	for _, n := range names {
		if d := len(n) - len(s); d > dist || -d > dist {
			continue
		}
		// Of names equally near, the one that begins alike is meant.
		d := Distance(s, n, dist)
		if d < dist || d == dist && best != "" && (alike(s, n) > alike(s, best) || alike(s, n) == alike(s, best) && n < best) {
			best, dist = n, d
		}
	}
	return best
}

// Names gives up to n names that may have been meant, nearest first, whatever
// their case: those little different, and those of which s is the beginning or
// that s begins with.
func Names(s string, names []string, n int) []string {
	type cand struct {
		name string
		d    int
	}
	var cs []cand
	for _, name := range names {
		if len(s) > maxName || len(name) > maxName {
			continue
		}
		k, w := strings.ToLower(s), strings.ToLower(name)
		d := Distance(k, w, 2*maxName)
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

// alike counts the bytes with which both begin.
func alike(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// maxName bounds the names that are compared, in bytes.
const maxName = 64

// Distance counts insertions, deletions, replacements and swaps of neighbours
// that turn a into b (optimal string alignment); limit where either is too long
// to be a name.
func Distance(a, b string, limit int) int {
	if len(a) > maxName || len(b) > maxName {
		return limit
	}
	var rows [3][maxName + 1]int
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
