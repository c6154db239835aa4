package worker

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"hash"

	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
)

// sums are the hashes of an open object that rules or events ask for, beside
// the one that inspection makes anyway.
type sums [protocol.NumHashes]hash.Hash

// openSums begins the hashes that are wanted of a file.
func (w *Worker) openSums(o *protocol.Object) {
	rules := w.in.Set().Rules
	var s sums
	any, told := false, w.cfg.Report.wants("fileinfo")
	for k, fresh := range [protocol.NumHashes]func() hash.Hash{md5.New, sha1.New, sha256.New} {
		kind := protocol.HashKind(k)
		if w.cfg.Report.Hashes>>kind&1 == 1 && told || rules != nil && rules.NeedsHash(kind) {
			s[k], any = fresh(), true
		}
	}
	if any {
		if w.sums == nil {
			w.sums = map[*protocol.Object]*sums{}
		}
		w.sums[o] = &s
	}
}

// hashesBodies reports whether the rules of set ask for the digest of mails' bodies.
func hashesBodies(set *inspect.Set) bool { return set.Rules != nil && set.Rules.HashesBodies() }

func (w *Worker) addSums(o *protocol.Object, data []byte) {
	if len(w.sums) == 0 {
		return
	}
	if s := w.sums[o]; s != nil {
		for _, h := range s {
			if h != nil {
				h.Write(data)
			}
		}
	}
}

// closeSums puts the hashes into the object; one with holes has none.
func (w *Worker) closeSums(o *protocol.Object) {
	if len(w.sums) == 0 {
		return
	}
	s := w.sums[o]
	if s == nil {
		return
	}
	delete(w.sums, o)
	if o.Gaps {
		return
	}
	for k, h := range s {
		if h != nil {
			o.Hashes[k] = h.Sum(nil)
		}
	}
}
