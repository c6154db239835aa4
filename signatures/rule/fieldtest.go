package rule

// FieldTest is a test of a number that a protocol keeps in a transaction: Int
// or, where there are several alternatives, one of Any. Where there is All, it is
// a test of several numbers of the same thing, and has no number of its own.
type FieldTest struct {
	Keyword string
	Int     IntTest
	Any     []IntTest
	All     []FieldTest
	// None asks that none of Any passes.
	None bool
	// Pick says which of a transaction's numbers must pass, Index the place of the
	// one, counted from the end where it is negative.
	Pick  Pick
	Index int
	// Clock, where it is not 0, compares the number, seconds since 1970, with the
	// time at which it is tested, by an operator of IntTest.
	Clock byte
	Col   int
}

// Pick says which of several numbers are meant.
type Pick uint8

// Any of them, all of those that there are, or one by its place.
const (
	PickAny Pick = iota
	PickAll
	PickAt
)

// Match reports whether a value of the field passes at a time in nanoseconds.
func (t *FieldTest) Match(v uint64, now int64) bool {
	if t.Clock != 0 {
		return IntTest{Op: t.Clock, A: uint64(max(now, 0) / 1e9)}.Match(v)
	}
	if len(t.Any) == 0 {
		return t.Int.Match(v)
	}
	for i := range t.Any {
		if t.Any[i].Match(v) {
			return !t.None
		}
	}
	return t.None
}
