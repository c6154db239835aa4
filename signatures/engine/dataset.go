package engine

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"sluice/signatures/rule"
)

const (
	// maxSet bounds the members of a dataset, maxSetFile the bytes of a file of
	// one JSON document.
	maxSet     = 4 << 20
	maxSetFile = 256 << 20
	// memberCost is what a member takes beside its own bytes, about: its place in
	// the map and two headers of strings.
	memberCost = 64
)

// SetBounds bound datasets. The zero value leaves only the bound on the members
// of one set.
type SetBounds struct {
	// Off refuses rules with datasets.
	Off bool
	// Memcap bounds the bytes of one set whose rule has no memcap of its own,
	// Total the members of all sets; 0 is no bound.
	Memcap int64
	Total  int64
}

// SetBounds replaces the bounds. Sets that are loaded keep the memory they were
// given. Call it before rules are loaded.
func (s *State) SetBounds(b SetBounds) {
	s.setMu.Lock()
	s.bounds = b
	s.setMu.Unlock()
}

// The answers to a member for which there is no room.
var (
	errSetFull    = fmt.Errorf("the set is full: it has %d members", maxSet)
	errSetMemcap  = errors.New("the set is full: it takes its memcap, see datasets.memcap")
	errSetsMember = errors.New("the sets are full: all have as many members as datasets.max-total allows")
)

// dataset is a named set of byte strings, shared by rules and workers.
type dataset struct {
	kind string
	// save is where the set is written to when the program ends; empty for
	// nowhere.
	save string
	// memcap bounds the bytes, total the members of all sets, which members
	// counts; 0 is no bound.
	memcap  int64
	total   int64
	members *atomic.Int64
	mu      sync.RWMutex
	used    int64
	m       map[string]member
}

// member is what is known of a member beside that it is one.
type member struct {
	rep uint16
	// context is the JSON object that the member came with.
	context string
}

// dataset gives the set that a rule names, loading its file the first time. A
// use without a type means a set that another use defines.
func (s *State) dataset(d *rule.Dataset, dir func(string) string) (*dataset, error) {
	s.setMu.Lock()
	defer s.setMu.Unlock()
	if s.bounds.Off {
		return nil, errors.New("datasets are switched off: see datasets.enabled")
	}
	if old, ok := s.sets[d.Name]; ok {
		if d.Type != "" && old.kind != d.Type {
			return nil, fmt.Errorf("the set %s is of type %s elsewhere", d.Name, old.kind)
		}
		return old, nil
	}
	if d.Type == "" {
		return nil, fmt.Errorf("needs a type: no rule before defines the set %s", d.Name)
	}
	n := &dataset{kind: d.Type, save: d.Save, memcap: s.bounds.Memcap, total: s.bounds.Total, members: &s.members, m: map[string]member{}}
	if d.Limit > 0 {
		n.memcap = int64(min(d.Limit, 1<<62))
	}
	if d.Load != "" {
		path := dir(d.Load)
		if d.Save != "" && s.setDir != "" && !filepath.IsAbs(d.Load) {
			// What was saved last time is newer than what came with the rules.
			if saved := filepath.Join(s.setDir, filepath.Join("/", d.Load)); fileExists(saved) {
				path = saved
			}
		}
		err := n.load(path, d)
		if err != nil && !(d.Save == d.Load && errors.Is(err, fs.ErrNotExist)) {
			s.members.Add(-int64(len(n.m)))
			return nil, err
		}
	}
	s.sets[d.Name] = n
	return n, nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// SetDir names the folder below which sets with `save` or `state` are kept.
// Call it before rules are loaded.
func (s *State) SetDir(dir string) { s.setDir = dir }

// SaveSets writes the sets whose rules ask for it below the folder of SetDir;
// without one it does nothing.
func (s *State) SaveSets() error {
	s.setMu.Lock()
	defer s.setMu.Unlock()
	if s.setDir == "" {
		return nil
	}
	var errs []error
	for _, d := range s.sets {
		if d.save == "" {
			continue
		}
		// Rules come from outside: they name a place below the folder only.
		name := filepath.Join(s.setDir, filepath.Join("/", d.save))
		if err := d.write(name); err != nil {
			errs = append(errs, fmt.Errorf("save set %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// write puts the members into a file, sorted, in place of what was there.
func (d *dataset) write(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	d.mu.RLock()
	lines := make([]string, 0, len(d.m))
	for k := range d.m {
		switch d.kind {
		case "string":
			lines = append(lines, base64.StdEncoding.EncodeToString([]byte(k)))
		case "md5", "sha256":
			lines = append(lines, hex.EncodeToString([]byte(k)))
		default:
			lines = append(lines, netip.AddrFrom16([16]byte([]byte(k))).Unmap().String())
		}
	}
	d.mu.RUnlock()
	sort.Strings(lines)
	f, err := os.CreateTemp(filepath.Dir(name), ".set-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	for _, l := range lines {
		w.WriteString(l)
		w.WriteByte('\n')
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (d *dataset) load(path string, r *rule.Dataset) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open set: %w", err)
	}
	defer f.Close()
	if r.Format == "json" {
		return d.loadJSON(path, f, r)
	}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if r.Format == "ndjson" {
			if err = d.object(json.RawMessage(line), r); err != nil {
				return fmt.Errorf("read set %s: line %d: %w", path, n, err)
			}
			continue
		}
		line, rep, _ := strings.Cut(line, ",")
		var mem member
		var key []byte
		if rep = strings.TrimSpace(rep); rep != "" || r.IsRep {
			v, e := strconv.ParseUint(rep, 10, 16)
			mem.rep, err = uint16(v), e
		}
		if err == nil {
			if d.kind == "string" {
				key, err = base64.StdEncoding.DecodeString(line)
			} else {
				key, err = d.parse(line)
			}
		}
		if err == nil {
			err = d.add(key, mem)
		}
		if err != nil {
			return fmt.Errorf("read set %s: line %d: %w", path, n, err)
		}
	}
	return sc.Err()
}

// loadJSON reads one document: a list of objects, or an object that holds it.
func (d *dataset) loadJSON(path string, f io.Reader, r *rule.Dataset) error {
	data, err := io.ReadAll(io.LimitReader(f, maxSetFile+1))
	if err == nil && len(data) > maxSetFile {
		err = fmt.Errorf("larger than %d bytes", maxSetFile)
	}
	doc := json.RawMessage(data)
	if err == nil && r.ArrayKey != "" {
		doc, err = lookup(doc, r.ArrayKey)
	}
	var list []json.RawMessage
	if err == nil {
		err = json.Unmarshal(doc, &list)
	}
	for i := 0; err == nil && i < len(list); i++ {
		err = d.object(list[i], r)
	}
	if err != nil {
		return fmt.Errorf("read set %s: %w", path, err)
	}
	return nil
}

// lookup gives what is at a dotted path of a JSON object.
func lookup(doc json.RawMessage, path string) (json.RawMessage, error) {
	for _, k := range strings.Split(path, ".") {
		var o map[string]json.RawMessage
		if err := json.Unmarshal(doc, &o); err != nil {
			return nil, err
		}
		var ok bool
		if doc, ok = o[k]; !ok {
			return nil, fmt.Errorf("no key %q", path)
		}
	}
	return doc, nil
}

// without gives a JSON object less what is at a dotted path.
func without(doc json.RawMessage, path string) json.RawMessage {
	k, rest, nested := strings.Cut(path, ".")
	var o map[string]json.RawMessage
	if json.Unmarshal(doc, &o) != nil {
		return doc
	}
	if nested {
		o[k] = without(o[k], rest)
	} else {
		delete(o, k)
	}
	out, err := json.Marshal(o)
	if err != nil {
		return doc
	}
	return out
}

// object adds the member of a JSON object. One without the key is left out, and
// of equal members the first counts.
func (d *dataset) object(doc json.RawMessage, r *rule.Dataset) error {
	if !json.Valid(doc) {
		return errors.New("no JSON object")
	}
	v, err := lookup(doc, r.ValueKey)
	if err != nil {
		return nil
	}
	var text string
	if err := json.Unmarshal(v, &text); err != nil {
		return fmt.Errorf("%s: %w", r.ValueKey, err)
	}
	key := []byte(text)
	if d.kind != "string" {
		if key, err = d.parse(text); err != nil {
			return err
		}
	}
	if r.RemoveKey {
		doc = without(doc, r.ValueKey)
	}
	var c bytes.Buffer
	if err := json.Compact(&c, doc); err != nil {
		return err
	}
	return d.add(key, member{context: c.String()})
}

// parse reads a hash or an address.
func (d *dataset) parse(text string) ([]byte, error) {
	if d.kind == "md5" || d.kind == "sha256" {
		b, err := hex.DecodeString(text)
		if want := map[string]int{"md5": 16, "sha256": 32}[d.kind]; err == nil && len(b) != want {
			err = fmt.Errorf("a hash of %d bytes, not %d", len(b), want)
		}
		return b, err
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return nil, err
	}
	b := a.As16()
	return b[:], nil
}

// add puts a member in, unless it is there or there is no room, which is one of
// the errors above. The set must be locked, or known to its maker only.
func (d *dataset) add(key []byte, m member) error {
	if _, ok := d.m[string(key)]; ok {
		return nil
	}
	cost := int64(len(key)+len(m.context)) + memberCost
	if len(d.m) >= maxSet {
		return errSetFull
	}
	if d.memcap > 0 && d.used+cost > d.memcap {
		return errSetMemcap
	}
	if d.members.Add(1) > d.total && d.total > 0 {
		d.members.Add(-1)
		return errSetsMember
	}
	d.used += cost
	d.m[string(key)] = m
	return nil
}

// key gives the member that a buffer stands for; ok is false where it cannot
// be one.
func (d *dataset) key(b []byte, ip *[16]byte) ([]byte, bool) {
	switch d.kind {
	case "md5":
		return b, len(b) == 16
	case "sha256":
		return b, len(b) == 32
	case "ip", "ipv4":
		switch len(b) {
		case 4:
			*ip = netip.AddrFrom4([4]byte(b)).As16()
			return ip[:], true
		case 16:
			return b, d.kind == "ip"
		}
		return nil, false
	}
	return b, true
}

// find looks a key up, and the names above it where the rule asks.
func (d *dataset) find(k []byte, sub bool) (member, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m, ok := d.m[string(k)]
	if ok || !sub {
		return m, ok
	}
	for i := range k {
		if k[i] != '.' {
			continue
		}
		if m, ok = d.m[string(k[i:])]; ok {
			break
		}
		if m, ok = d.m[string(k[i+1:])]; ok {
			break
		}
	}
	return m, ok
}

// test carries out an operation and reports whether it holds: set and unset
// hold when they changed something. The member found comes with it. full, where
// not nil, counts members for which there was no room.
func (d *dataset) test(r *rule.Dataset, b []byte, full *uint64) (member, bool) {
	var ip [16]byte
	k, ok := d.key(b, &ip)
	if !ok {
		return member{}, false
	}
	m, in := d.find(k, r.Subdomain)
	switch r.Op {
	case "isset":
		if in && r.IsRep {
			switch v := uint64(m.rep); r.RepOp {
			case '>':
				in = v > r.RepValue
			case '<':
				in = v < r.RepValue
			default:
				in = v == r.RepValue
			}
		}
		return m, in
	case "isnotset":
		return member{}, !in
	case "set":
		if in {
			return m, false
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		before := len(d.m)
		// Another worker may have been faster, or there is no room: nothing changed.
		err := d.add(k, member{})
		if err != nil && full != nil {
			*full++
		}
		return member{}, err == nil && len(d.m) > before
	}
	if !in {
		return m, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m, in = d.m[string(k)]; in {
		delete(d.m, string(k))
		d.used -= int64(len(k)+len(m.context)) + memberCost
		d.members.Add(-1)
	}
	return m, in
}
