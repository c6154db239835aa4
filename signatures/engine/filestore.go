package engine

import (
	"slices"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// maxStoreSIDs bounds the rules that are told of a stored file.
const maxStoreSIDs = 8

// store notes which files a match of a rule with filestore has stored: the one that
// matched, or those of its transaction or flow from now on, with what is still
// undecided of the ones that are open.
func (m *Matcher) store(r *crule, x *Match) {
	s := r.Filestore
	dirs := s.Dirs
	if dirs == 0 {
		dirs = 1 << x.Dir
	}
	switch {
	case s.Scope == rule.ScopeTx && x.Tx != nil:
		for d := range x.Tx.Store {
			x.Tx.Store[d] = x.Tx.Store[d] || dirs.Has(protocol.Dir(d))
		}
	case s.Scope == rule.ScopeFlow && m.f != nil:
		for d := range m.f.Store {
			m.f.Store[d] = m.f.Store[d] || dirs.Has(protocol.Dir(d))
		}
	}
	if o := x.Object; o != nil && dirs.Has(o.Dir) {
		o.Store = true
		if len(o.StoreSIDs) < maxStoreSIDs && !slices.Contains(o.StoreSIDs, r.SID) {
			o.StoreSIDs = append(o.StoreSIDs, r.SID)
		}
	}
}

// fileDone notes that a rule with filestore matched a file, and keeps what held of
// the transaction's buffers for the files that follow.
func (st *txState) fileDone(r *crule, mask uint64, o *protocol.Object, pend int) {
	if len(st.doneFiles) >= 4*maxTxPend {
		st.doneFiles = st.doneFiles[:copy(st.doneFiles, st.doneFiles[1:])]
	}
	st.doneFiles = append(st.doneFiles, fileDone{r.idx, o})
	mask &^= r.bodies
	switch {
	case pend >= 0:
		st.pend[pend].mask = mask
	case mask != 0 && len(st.pend) < maxTxPend:
		st.pend = append(st.pend, txPend{rule: r.idx, mask: mask})
	}
}
