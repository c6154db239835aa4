package engine

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// hashList is a file of hashes that a rule compares files with.
type hashList struct {
	// kind is the place of the hash in protocol.Hashes.
	kind protocol.HashKind
	neg  bool
	m    map[string]struct{}
}

var hashKinds = map[string]protocol.HashKind{"filemd5": protocol.MD5, "filesha1": protocol.SHA1, "filesha256": protocol.SHA256}

// hashList gives the list that a test names, one hash in hexadecimal a line;
// what follows it on the line is for the reader.
func (s *State) hashList(t *rule.FileTest, dir func(string) string) (hashList, error) {
	kind := hashKinds[t.Keyword]
	l := hashList{kind: kind, neg: t.Neg}
	path := dir(t.Load)
	s.setMu.Lock()
	defer s.setMu.Unlock()
	key := t.Keyword + " " + path
	if m, ok := s.hashes[key]; ok {
		l.m = m
		return l, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return l, fmt.Errorf("open hashes: %w", err)
	}
	defer f.Close()
	l.m = map[string]struct{}{}
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		word, _, _ := strings.Cut(strings.TrimSpace(sc.Text()), " ")
		if word == "" || word[0] == '#' {
			continue
		}
		b, err := hex.DecodeString(word)
		if err == nil && len(b) != kind.Size() {
			err = fmt.Errorf("%d bytes, not %d", len(b), kind.Size())
		}
		if err != nil {
			return l, fmt.Errorf("read hashes %s: line %d: %w", path, n, err)
		}
		if len(l.m) >= maxSet {
			return l, fmt.Errorf("read hashes %s: more than %d", path, maxSet)
		}
		l.m[string(b)] = struct{}{}
	}
	if err := sc.Err(); err != nil {
		return l, fmt.Errorf("read hashes %s: %w", path, err)
	}
	s.hashes[key] = l.m
	return l, nil
}

// hashesHold compares a file's hashes, which are known once it is whole.
func (r *crule) hashesHold(o *protocol.Object, final bool) outcome {
	if !final {
		return waits
	}
	for i := range r.hashes {
		l := &r.hashes[i]
		sum := o.Hashes[l.kind]
		if sum == nil || o.State != protocol.ObjectClosed {
			return fails
		}
		if _, in := l.m[string(sum)]; in == l.neg {
			return fails
		}
	}
	return holds
}

// NeedsHash reports whether a rule compares files by a kind of hash.
func (e *Engine) NeedsHash(kind protocol.HashKind) bool { return e.hashKinds>>kind&1 == 1 }
