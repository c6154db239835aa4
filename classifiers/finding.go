package classifiers

import (
	"crypto/sha256"
	"hash/maphash"
	"slices"
)

// Finding is one value found. It holds no more of the value than Masked.
type Finding struct {
	// Detector is the detector's id, such as "pay.card".
	Detector string
	// Start and End are byte offsets into the object's original bytes, before
	// any decoding; End is one past the last byte.
	Start, End uint64
	Confidence Confidence
	Level      Level
	// Tags name regulations and standards. Shared with the catalogue: read only.
	Tags []string
	// Masked shows at most the value's last four characters.
	Masked string
	// Hash is a keyed hash of the normalised value: equal values have equal
	// hashes under one key.
	Hash [16]byte
	// Path is the way through encodings, outermost first ("base64",
	// "base64/utf-16le"); empty for plain content.
	Path string
}

// Count sums one detector's findings in an object.
type Count struct {
	Detector string
	// Level is the detector's level for these findings, raised where the
	// detector says that many unique values weigh more.
	Level Level
	// Confidence is the highest seen.
	Confidence Confidence
	Tags       []string
	// Total and Unique count findings and different values by confidence: index
	// c counts those of confidence c or greater. Unique stops at MaxUnique.
	Total, Unique [3]uint32
	// Masked and Hashes belong to up to three values of the highest confidence.
	Masked []string
	Hashes [][16]byte
}

// MaxUnique is where the counting of a detector's different values stops; no
// threshold above it can be reached.
const MaxUnique = 4096

// MaxFindings bounds the findings kept for an object; the counts go on.
const MaxFindings = 1024

// ObjectMeta is what is known of an object before its first byte.
type ObjectMeta struct {
	// Name is the file name as sent; may be empty.
	Name string
	// ContentType is the declared media type; may be empty or wrong.
	ContentType string
	// MinConfidence leaves out findings below it.
	MinConfidence Confidence
	// CountsOnly leaves out the findings one by one: who only wants the Counts is
	// spared their hashes and texts.
	CountsOnly bool
	// Raw says that the bytes are a connection's, not an object's: no media type
	// is told from them.
	Raw bool
}

// Result is what an object was found to hold.
type Result struct {
	// Findings are ordered by Start, then Detector; at most MaxFindings.
	Findings []Finding
	// Level is the highest level among findings of medium confidence or more.
	Level Level
	// Counts are ordered by detector.
	Counts []Count
	// Type is the media type by content; empty when unknown.
	Type string
	// Size is the number of bytes seen.
	Size uint64
	// Unscannable is the reason why the content could not be read to the end;
	// empty when it was.
	Unscannable string
	// Dropped counts candidates that were left out at a bound.
	Dropped uint64
}

// tally is a detector's sum within one object while it streams.
type tally struct {
	det    uint16
	level  Level
	total  [3]uint32
	unique [3]uint32
	best   Confidence
	masked []string
	hashes [][16]byte
}

// seen is a table of values by a hash, each with the confidence it was found with.
// A hash of zero is a free place.
type seen struct {
	keys []uint64
	conf []Confidence
	n    int
}

// seed keeps the hashes of values from being guessed.
var seed = maphash.MakeSeed()

func valueKey(det uint16, value []byte) uint64 {
	return maphash.Bytes(seed, value) ^ (uint64(det)+1)*spread | 1
}

// at gives the place of a value, or the free one where it belongs, having made
// room for it.
func (t *seen) at(key uint64) int {
	if len(t.keys) < 2*(t.n+1) {
		old := *t
		size := max(64, 2*len(old.keys))
		*t = seen{keys: make([]uint64, size), conf: make([]Confidence, size), n: old.n}
		for i, k := range old.keys {
			if k != 0 {
				j := t.at(k)
				t.keys[j], t.conf[j] = k, old.conf[i]
			}
		}
	}
	m := len(t.keys) - 1
	i := int(key>>1) & m
	for t.keys[i] != 0 && t.keys[i] != key {
		i = (i + 1) & m
	}
	return i
}

func (t *seen) reset() {
	if len(t.keys) > 512 {
		*t = seen{}
		return
	}
	clear(t.keys)
	t.n = 0
}

// add counts a value. The value's unique counts follow the highest confidence
// it was found with. hash gives its keyed hash when that is needed.
func (r *record) add(c *Catalog, det uint16, conf Confidence, level Level, value []byte, hash func() [16]byte) {
	var t *tally
	for i := range r.tallies {
		if r.tallies[i].det == det {
			t = &r.tallies[i]
			break
		}
	}
	if t == nil {
		r.tallies = append(r.tallies, tally{det: det})
		t = &r.tallies[len(r.tallies)-1]
	}
	t.level = max(t.level, level)
	for i := Confidence(0); i <= conf; i++ {
		t.total[i]++
	}
	if t.unique[conf] >= MaxUnique && t.best >= conf {
		return // nothing that counts can change
	}
	key := valueKey(det, value)
	at := r.seen.at(key)
	from := Confidence(0)
	if r.seen.keys[at] != 0 {
		if conf <= r.seen.conf[at] {
			return
		}
		from = r.seen.conf[at] + 1
	} else {
		if t.unique[0] >= MaxUnique {
			return
		}
		r.seen.keys[at] = key
		r.seen.n++
	}
	r.seen.conf[at] = conf
	for i := from; i <= conf; i++ {
		t.unique[i]++
	}
	if conf > t.best {
		t.best, t.masked, t.hashes = conf, t.masked[:0], t.hashes[:0]
	}
	if conf == t.best && len(t.hashes) < 3 {
		if h := hash(); !slices.Contains(t.hashes, h) {
			t.masked = append(t.masked, masked(value, c.dets[det].Secret))
			t.hashes = append(t.hashes, h)
		}
	}
}

// record is what was found in a stream and all that was decoded from it.
type record struct {
	findings []Finding
	tallies  []tally
	seen     seen
	// made counts all findings, dropped what was left out at a bound.
	made, dropped uint64
}

func (r *record) reset() {
	clear(r.findings)
	r.findings = r.findings[:0]
	clear(r.tallies)
	r.tallies = r.tallies[:0]
	r.seen.reset()
	r.made, r.dropped = 0, 0
}

// counts renders the tallies, ordered by detector.
func (r *record) counts(c *Catalog) []Count {
	if len(r.tallies) == 0 {
		return nil
	}
	out := r.appendCounts(make([]Count, 0, len(r.tallies)), c)
	for i := range out {
		out[i].Masked, out[i].Hashes = slices.Clone(out[i].Masked), slices.Clone(out[i].Hashes)
	}
	return out
}

// appendCounts is counts without memory of its own: what it appends to out is
// valid as long as the record does not change.
func (r *record) appendCounts(out []Count, c *Catalog) []Count {
	for i := range r.tallies {
		t := &r.tallies[i]
		d := &c.dets[t.det]
		n := Count{Detector: d.ID, Level: t.level, Confidence: t.best, Tags: d.Tags, Total: t.total, Unique: t.unique, Masked: t.masked, Hashes: t.hashes}
		n.Level = d.weigh(n.Level, t.unique[Medium])
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b Count) int {
		if a.Detector < b.Detector {
			return -1
		}
		if a.Detector > b.Detector {
			return 1
		}
		return 0
	})
	return out
}

// highest gives the level of an object with these counts.
func highest(counts []Count) Level {
	var l Level
	for i := range counts {
		if counts[i].Confidence >= Medium {
			l = max(l, counts[i].Level)
		}
	}
	return l
}

// hash gives the keyed hash of a normalised value: SHA-256 over a full block of
// key and the value, cut to half so that it cannot be continued. It does not
// allocate for values up to 192 bytes.
func (c *Catalog) hash(det uint16, value []byte) (out [16]byte) {
	var buf [64 + 2 + 192]byte
	n := copy(buf[:], c.key[:])
	buf[n], buf[n+1] = byte(c.dets[det].hashID), byte(c.dets[det].hashID>>8)
	n += 2
	var sum [32]byte
	if len(value) <= 192 {
		n += copy(buf[n:], value)
		sum = sha256.Sum256(buf[:n])
	} else {
		inner := sha256.Sum256(value)
		n += copy(buf[n:], inner[:])
		sum = sha256.Sum256(buf[:n])
	}
	copy(out[:], sum[:])
	return out
}

// masked shows the end of a value: its last four characters where at least
// eight others stay hidden, its last two where at least four do, else nothing.
// Secrets of fewer than sixteen characters show nothing.
func masked(value []byte, secret bool) string {
	show := 0
	switch n := len(value); {
	case secret && n < 16:
	case n >= 12:
		show = 4
	case n >= 6:
		show = 2
	}
	const stars = "********"
	tail := value[len(value)-show:]
	for _, b := range tail {
		if b < 0x21 || b > 0x7e {
			return stars
		}
	}
	return stars + string(tail)
}
