package classifiers

// Detector is what every kind of detector has: its name and what a finding of
// it means. The definitions are data, one file per group.
type Detector struct {
	// ID is the contract with policies and events.
	ID string
	// Level is the level of one finding.
	Level Level
	// HighLevel, when greater than Level, is the level of a finding of high
	// confidence.
	HighLevel Level
	// Bulk and BulkLevel raise the level of an object with that many different
	// values of medium confidence or more; 0 means never.
	Bulk      int
	BulkLevel Level
	// Mass and MassLevel are a second such tier, above the first.
	Mass      int
	MassLevel Level
	// Tags name regulations and standards.
	Tags []string
	// Context are the words that speak for a finding when they stand near:
	// lower case, phrases of up to four words joined by one space. Words of up
	// to three letters count only close before the value.
	Context []string
	// Against are words that speak against it.
	Against []string
	// Secret values are masked whole when short.
	Secret bool
	// Good and Bad are texts in which the detector must and must not find
	// something of medium confidence or more; checked by the package's tests.
	Good, Bad []string

	hashID uint16
}

// weigh gives the level of an object with that many different values of medium
// confidence or more, of which none alone is of a higher level than l.
func (d *Detector) weigh(l Level, unique uint32) Level {
	if d.Bulk > 0 && unique >= uint32(d.Bulk) {
		l = max(l, d.BulkLevel)
	}
	if d.Mass > 0 && unique >= uint32(d.Mass) {
		l = max(l, d.MassLevel)
	}
	return l
}

// number is a detector of structured values: digits and letters in groups,
// mostly with a check digit.
type number struct {
	Detector
	// shapes are the value's forms without separators: d digit, a letter, x
	// either; a count before a class repeats it ("2a2d", "11d").
	shapes []string
	// groups are the usual groupings, as lengths joined by the separator
	// ("3-2-4", "4 4 4 4"); a '*' for the separator allows any one. A value
	// without separators is plain. With none given, any grouping is usual.
	groups []string
	// valid confirms a value: upper case, without separators. nil confirms all.
	valid func(v *value) bool
	// plain, usual and odd are the confidences (1 low, 2 medium, 3 high, 0 none)
	// without any context for a value without separators, in a usual grouping,
	// and in another one.
	plain, usual, odd int8
	// withContext is the least confidence with a context word near.
	withContext int8
	// anchors are words that announce values which may have no two digits in a
	// row: four letters or more.
	anchors []string
	// joined allows neighbours connected by a hyphen, a dot or a slash.
	joined bool
	// lead wants one of these beginnings, or a word that speaks for the detector.
	lead lead
	// humble tells that judge never raises a confidence without context, and none
	// to high.
	humble bool
	// judge may change the confidence at the end; nil leaves it.
	judge func(v *value, score int8, ctx bool) int8
}

// value is a candidate of a number detector.
type value struct {
	// b is the value in upper case without separators.
	b []byte
	// sep is the separator: 0 for none, '~' for mixed or unusual ones.
	sep byte
	// lens are the lengths of the groups.
	lens []uint8
	// lower tells that letters were in lower case.
	lower bool
	// left and right are the joining separators to neighbouring tokens, 0 for
	// none; a space counts only with a numeric neighbour.
	left, right byte
	// binary tells whether it stands among control bytes, once binaryKnown.
	binary, binaryKnown bool
	// raw is the text as it stands; before and after are what surrounds it.
	raw, before, after []byte
}

// most gives the greatest confidence that a value can have.
func (n *number) most() int8 {
	if n.judge != nil && !n.humble {
		return 3
	}
	return min(3, max(max(n.plain, n.usual, n.odd)+1, n.withContext, 2))
}

// shape is one compiled form of a number detector.
type shape struct {
	digits, letters uint64
	num, det        uint16
	lead            lead
	// most is the greatest confidence that a value can have.
	most int8
}

// detSet is a set of detectors by their place in the catalogue.
type detSet [4]uint64

func (d *detSet) add(i uint16) {
	if int(i>>6) < len(d) {
		d[i>>6] |= 1 << (i & 63)
	}
}

func (d *detSet) has(i uint16) bool { return int(i>>6) >= len(d) || d[i>>6]&(1<<(i&63)) != 0 }

// parseShape compiles a shape into its length and masks. It panics on a
// mistake: shapes are constants checked by the package's tests.
func parseShape(s string) (n int, digits, letters uint64) {
	count := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' {
			count = count*10 + int(c-'0')
			continue
		}
		count = max(count, 1)
		for ; count > 0; count-- {
			switch c {
			case 'd':
				digits |= 1 << n
			case 'a':
				letters |= 1 << n
			case 'x':
			default:
				panic("classifiers: bad shape " + s)
			}
			n++
		}
		count = 0
	}
	if n == 0 || n > maxValue {
		panic("classifiers: bad length of shape " + s)
	}
	return n, digits, letters
}

// grouping is one compiled usual grouping.
type grouping struct {
	lens []uint8
	sep  byte
}

func parseGroups(all []string) []grouping {
	var out []grouping
	for _, s := range all {
		var g grouping
		n := uint8(0)
		for i := 0; i < len(s); i++ {
			if s[i] >= '0' && s[i] <= '9' {
				n = n*10 + s[i] - '0'
				continue
			}
			g.sep = s[i]
			g.lens = append(g.lens, n)
			n = 0
		}
		g.lens = append(g.lens, n)
		out = append(out, g)
	}
	return out
}

func (g *grouping) fits(v *value) bool {
	if g.sep != v.sep && g.sep != '*' || len(g.lens) != len(v.lens) {
		return false
	}
	for i, n := range g.lens {
		if n != v.lens[i] {
			return false
		}
	}
	return true
}
