package engine

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"

	"sluice/signatures/rule"
)

// maxSet bounds the members of a dataset.
const maxSet = 4 << 20

// dataset is a named set of byte strings, shared by rules and workers.
type dataset struct {
	kind string
	mu   sync.RWMutex
	m    map[string]struct{}
}

// dataset gives the set that a rule names, loading its file the first time.
func (s *State) dataset(d *rule.Dataset, dir func(string) string) (*dataset, error) {
	s.setMu.Lock()
	defer s.setMu.Unlock()
	if old, ok := s.sets[d.Name]; ok {
		if old.kind != d.Type {
			return nil, fmt.Errorf("the set %s is of type %s elsewhere", d.Name, old.kind)
		}
		return old, nil
	}
	n := &dataset{kind: d.Type, m: map[string]struct{}{}}
	if d.Load != "" {
		if err := n.load(dir(d.Load)); err != nil {
			return nil, err
		}
	}
	s.sets[d.Name] = n
	return n, nil
}

func (d *dataset) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open set: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		line, _, _ = strings.Cut(line, ",")
		var key []byte
		switch d.kind {
		case "string":
			key, err = base64.StdEncoding.DecodeString(line)
		case "md5", "sha256":
			key, err = hex.DecodeString(line)
		default:
			var a netip.Addr
			if a, err = netip.ParseAddr(line); err == nil {
				b := a.As16()
				key = b[:]
			}
		}
		if err != nil {
			return fmt.Errorf("read set %s: line %d: %w", path, n, err)
		}
		if len(d.m) >= maxSet {
			return fmt.Errorf("read set %s: more than %d members", path, maxSet)
		}
		d.m[string(key)] = struct{}{}
	}
	return sc.Err()
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

// test carries out an operation and reports whether it holds: set and unset
// hold when they changed something.
func (d *dataset) test(op string, b []byte) bool {
	var ip [16]byte
	k, ok := d.key(b, &ip)
	if !ok {
		return false
	}
	d.mu.RLock()
	_, in := d.m[string(k)]
	d.mu.RUnlock()
	switch op {
	case "isset":
		return in
	case "isnotset":
		return !in
	case "set":
		if in {
			return false
		}
		d.mu.Lock()
		if len(d.m) < maxSet {
			d.m[string(k)] = struct{}{}
		}
		d.mu.Unlock()
		return true
	}
	if !in {
		return false
	}
	d.mu.Lock()
	delete(d.m, string(k))
	d.mu.Unlock()
	return true
}
