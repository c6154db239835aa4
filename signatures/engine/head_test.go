package engine

import (
	"math/rand/v2"
	"testing"

	"sluice/signatures/rule"
)

func TestHeadKeysExcludeNoMatch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := "abAB1"
	text := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[rnd.IntN(len(letters))]
		}
		return b
	}
	matched, excluded := 0, 0
	for range 20000 {
		it := item{Item: &rule.Item{Op: rule.OpContent, Pattern: text(4 + rnd.IntN(3)), HasDepth: true, HasOffset: rnd.IntN(2) == 0}}
		if it.HasOffset {
			it.Offset.V = int64(rnd.IntN(4))
		}
		it.Depth.V = int64(len(it.Pattern) + rnd.IntN(2))
		if rnd.IntN(2) == 0 {
			it.NoCase = true
		}
		it.prepare()
		k := headKeyOf(&it)
		b := text(rnd.IntN(14))
		if rnd.IntN(2) == 0 && len(b) >= it.headStart()+len(it.Pattern) {
			copy(b[it.headStart():], it.Pattern)
		}
		switch begins := it.begins(b); {
		case begins && k.excludes(b):
			t.Fatalf("%q, without case %v, from %d in %d, is in %q, but its key excludes it", it.Pattern, it.NoCase, it.headStart(), it.Depth.V, b)
		case begins:
			matched++
		case k.excludes(b):
			excluded++
		}
	}
	if matched < 1000 || excluded < 1000 {
		t.Errorf("%d matched, %d excluded: too few to tell", matched, excluded)
	}
}
