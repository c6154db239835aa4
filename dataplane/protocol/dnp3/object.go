package dnp3

import "encoding/binary"

// Object is the header of a run of objects (IEEE 1815 §4.2.2.7).
type Object struct {
	Group, Variation, Qualifier byte
	Start, Stop, Count          uint32
	// data and end are where what follows the header is within the fragment; bare
	// tells that there is none but for prefixes.
	data, end int
	bare      bool
	layout    *layout
}

// Prefix and Range are the codes within the qualifier.
func (o *Object) Prefix() byte { return o.Qualifier >> 4 & 7 }

// Range gives the code of the range.
func (o *Object) Range() byte { return o.Qualifier & 15 }

// prefixLen is the length of a prefix by its code; codes from sizePrefix on tell
// the size of an object, those below its index.
var prefixLen = [8]int{0, 1, 2, 4, 1, 2, 4, 0}

const sizePrefix = 4

// rangeLen is the length of a range's two numbers, or of a count, by its code; -1
// is reserved.
var rangeLen = [16]int{2, 4, 8, 2, 4, 8, 0, 1, 2, 4, -1, 1, -1, -1, -1, -1}

// groupFile are the objects of files.
const groupFile = 70

// bare reports whether a function's objects have headers only.
func bare(function, group byte) bool {
	switch function {
	case 1, 7, 8, 9, 10, 20, 21, 22:
		return true
	case 11, 12:
		return group != 50 // the time at which the others are to be frozen
	}
	return false
}

// answered reports whether a request asks for a response.
func answered(function byte) bool {
	switch function {
	case 0, 6, 8, 10, 12, 33:
		return false
	}
	return true
}

// parse reads the headers of the objects from offset at on and finds the ends of
// what they hold. It gives the anomaly that ended it, if any.
func (f *Fragment) parse(at, maxObjects, maxPoints int) (event string) {
	b := f.Data
	points := 0
	for at < len(b) {
		if len(f.Objects) >= maxObjects {
			return "too_many_objects"
		}
		if len(b)-at < 3 {
			return ""
		}
		o := Object{Group: b[at], Variation: b[at+1], Qualifier: b[at+2]}
		at += 3
		n := rangeLen[o.Range()]
		if n < 0 || len(b)-at < n {
			return ""
		}
		o.counts(b[at : at+n])
		at += n
		o.bare = bare(f.Function, o.Group)
		o.layout = layoutOf(o.Group, o.Variation)
		o.data, o.end = at, at
		known := o.layout != nil || o.bare || o.Count == 0
		if known && !o.bare {
			if points += int(min(o.Count, 1<<30)); points > maxPoints {
				o.layout = nil
				f.Objects = append(f.Objects, o)
				return "too_many_points"
			}
		}
		if !known {
			f.Objects = append(f.Objects, o)
			return "unknown_object"
		}
		if o.end = o.size(b); o.end < 0 {
			o.end, o.layout = o.data, nil
			f.Objects = append(f.Objects, o)
			return ""
		}
		at = o.end
		f.Objects = append(f.Objects, o)
	}
	f.Complete = true
	return ""
}

// counts reads a range or count.
func (o *Object) counts(b []byte) {
	u := func(b []byte) uint32 {
		switch len(b) {
		case 1:
			return uint32(b[0])
		case 2:
			return uint32(binary.LittleEndian.Uint16(b))
		}
		return binary.LittleEndian.Uint32(b)
	}
	switch r := o.Range(); {
	case r <= 5:
		o.Start, o.Stop = u(b[:len(b)/2]), u(b[len(b)/2:])
		if o.Stop >= o.Start && o.Stop-o.Start < 1<<32-1 {
			o.Count = o.Stop - o.Start + 1
		}
	case len(b) > 0:
		o.Count = u(b)
	}
}

// size gives where the objects behind a header end, -1 where the fragment ends
// before that.
func (o *Object) size(b []byte) int {
	at, prefix := o.data, prefixLen[o.Prefix()]
	if o.Count == 0 {
		return at
	}
	each := -1 // unknown until the object is read
	switch {
	case o.bare:
		each = prefix
	case o.Prefix() >= sizePrefix:
	case o.layout.packed > 0 && prefix == 0:
		n := (uint64(o.Count)*uint64(o.layout.packed) + 7) / 8
		if n > uint64(len(b)-at) {
			return -1
		}
		return at + int(n)
	case o.layout.packed > 0:
		each = prefix + 1
	case o.layout.fixed >= 0:
		each = prefix + o.layout.fixed
	default:
		// A length within the object does not tell where it ends.
		return -1
	}
	if each >= 0 {
		if uint64(o.Count)*uint64(each) > uint64(len(b)-at) {
			return -1
		}
		return at + int(o.Count)*each
	}
	for range o.Count {
		if len(b)-at < prefix {
			return -1
		}
		n := int(le(b[at : at+prefix]))
		if at += prefix; n > len(b)-at {
			return -1
		}
		at += n
	}
	return at
}

// le reads a number of up to eight bytes.
func le(b []byte) (v uint64) {
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// point is one object: its prefix, its place, and its bytes.
type point struct {
	o      *Object
	prefix uint32
	index  uint32
	size   int
	data   []byte
	// bit is where it begins within the first byte, for packed ones.
	bit int
}

// points calls each for a header's objects, as long as it asks for more. Of
// objects that were not found as a whole there are none.
func (f *Fragment) points(o *Object, each func(*point) bool) {
	if o.bare || o.layout == nil {
		return
	}
	at, prefix := o.data, prefixLen[o.Prefix()]
	packed := o.layout.packed > 0 && prefix == 0
	for i := range o.Count {
		p := point{o: o, index: o.Start + i}
		if packed {
			bit := int(i) * o.layout.packed
			if at+bit/8 >= o.end {
				return
			}
			p.data, p.bit = f.Data[at+bit/8:at+bit/8+1], bit%8
			if !each(&p) {
				return
			}
			continue
		}
		if at+prefix > o.end {
			return
		}
		p.prefix = uint32(le(f.Data[at : at+prefix]))
		at += prefix
		n := max(o.layout.fixed, 0)
		if code := o.Prefix(); code >= sizePrefix {
			n = int(p.prefix)
			p.size = n
		} else if code > 0 {
			p.index = p.prefix
		}
		if o.layout.packed > 0 {
			n = 1
		}
		if n > o.end-at {
			return
		}
		p.data = f.Data[at : at+n]
		at += n
		if !each(&p) {
			return
		}
	}
}
