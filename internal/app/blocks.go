package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"sluice/dataplane/fastpath"
	"sluice/internal/control"
)

// operatorList is the list that `sluice block` keeps.
const operatorList = "operator"

// maxReasonText bounds a reason that an operator gives.
const maxReasonText = 200

// BlockEntry is one entry of a block list, as `sluice block list --json` prints it.
type BlockEntry struct {
	Prefix string `json:"prefix"`
	List   string `json:"list"`
	// As is the end of a packet that has to match: src, dst or both.
	As      string     `json:"as"`
	Reason  string     `json:"reason,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// BlockRequest is what `sluice block add` and `del` send.
type BlockRequest struct {
	Prefix string        `json:"prefix"`
	Reason string        `json:"reason"`
	As     string        `json:"as"`
	TTL    time.Duration `json:"ttl"`
}

// BlockReply tells how many entries a file added or took away, of how many.
type BlockReply struct {
	Changed int `json:"changed"`
	Entries int `json:"entries"`
}

// operatorChange is a line of the operator's list.
type operatorChange struct {
	Prefix  netip.Prefix `json:"prefix"`
	As      string       `json:"as,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Expires *time.Time   `json:"expires,omitempty"`
	Gone    bool         `json:"gone,omitempty"`
}

// appendLine appends what encoding/json would make of the change.
func (c operatorChange) appendLine(b []byte) []byte {
	b = append(b, `{"prefix":"`...)
	b = c.Prefix.AppendTo(b)
	b = append(b, '"')
	if c.As != "" {
		b = append(append(append(b, `,"as":"`...), c.As...), '"')
	}
	if c.Reason != "" {
		text, err := json.Marshal(c.Reason)
		if err == nil { // a text always has a form in JSON
			b = append(append(b, `,"reason":`...), text...)
		}
	}
	if c.Expires != nil {
		b = append(c.Expires.AppendFormat(append(b, `,"expires":"`...), time.RFC3339Nano), '"')
	}
	if c.Gone {
		b = append(b, `,"gone":true`...)
	}
	return append(b, '}')
}

func changeOf(b *fastpath.Block) operatorChange {
	c := operatorChange{Prefix: b.Prefix, As: directionName(b.Entry.Direction), Reason: b.Entry.Reason}
	if !b.Entry.Expires.IsZero() {
		t := b.Entry.Expires
		c.Expires = &t
	}
	return c
}

// changes gives the lines of the operator's list that tell of entries.
func changes(all []fastpath.Block, gone bool) iter.Seq[any] {
	return func(yield func(any) bool) {
		var c operatorChange // yielded anew for each: who takes it writes it down at once
		for i := range all {
			if c = changeOf(&all[i]); gone {
				c = operatorChange{Prefix: all[i].Prefix, Gone: true}
			}
			if !yield(&c) {
				return
			}
		}
	}
}

// openOperatorList takes up what was blocked by hand before.
func (d *Daemon) openOperatorList() error {
	if d.fast == nil {
		return nil
	}
	now := time.Now()
	have := map[netip.Prefix]fastpath.Block{}
	first := true
	j, bad, err := openJournal(d.operatorPath(), func(line []byte) error {
		var c operatorChange
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		dir, ok := directions[c.As]
		switch {
		case !c.Prefix.IsValid() || !ok:
			return errors.New("no entry")
		case c.Gone || c.Expires != nil && !now.Before(*c.Expires):
			delete(have, c.Prefix)
			return nil
		}
		b := fastpath.Block{Prefix: c.Prefix, Entry: fastpath.Entry{List: operatorList, Reason: c.Reason, Direction: dir}}
		if c.Expires != nil {
			b.Entry.Expires = *c.Expires
		}
		have[c.Prefix] = b
		return nil
	}, func() int { return len(have) }, func(yield func(any) bool) {
		if !first {
			changes(d.fast.ListOf(operatorList), false)(yield)
			return
		}
		// The kernel gets them below; the file must not lose any if it has no room.
		for _, b := range have {
			if !yield(changeOf(&b)) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("operator's block list: %w", err)
	}
	d.operator, first = j, false
	if bad > 0 {
		d.log.Warn("lines of the operator's block list cannot be read", "file", j.path, "lines", bad)
	}
	all := make([]fastpath.Block, 0, len(have))
	for _, b := range have {
		all = append(all, b)
	}
	clear(have)
	if err := d.fast.BlockAll(all); err != nil {
		return fmt.Errorf("operator's block list: %w", err)
	}
	if len(all) > 0 {
		d.log.Info("block list of the operator taken up", "entries", len(all))
	}
	return nil
}

// canBlock tells why nothing can be blocked.
func (d *Daemon) canBlock() error {
	switch {
	case d.fast == nil:
		return errors.New("the fast path is off (ports.xdp: off): nothing can be blocked")
	case d.cfg.Ports.Monitor:
		return errors.New("monitor mode enforces nothing: nothing can be blocked")
	}
	return nil
}

// operatorEntry checks what a request wants of its entries.
func operatorEntry(as, reason string, ttl time.Duration) (fastpath.Entry, error) {
	dir, ok := directions[as]
	e := fastpath.Entry{Reason: reason, List: operatorList, Direction: dir}
	switch {
	case !ok:
		return e, fmt.Errorf("%q is none of src, dst and both", as)
	case len(reason) > maxReasonText:
		return e, fmt.Errorf("the reason is longer than %d bytes", maxReasonText)
	case ttl < 0:
		return e, fmt.Errorf("%v is no time to live", ttl)
	case ttl > 0:
		e.Expires = time.Now().Add(ttl)
	}
	return e, nil
}

func (d *Daemon) serveBlock(w http.ResponseWriter, r *http.Request) {
	var req BlockRequest
	err := json.NewDecoder(r.Body).Decode(&req)
	var b fastpath.Block
	if err == nil {
		err = d.canBlock()
	}
	if err == nil {
		b.Prefix, err = prefix(req.Prefix)
	}
	if err == nil && b.Prefix.Bits() == 0 {
		err = fmt.Errorf("%s would block everything", b.Prefix)
	}
	if err == nil {
		b.Entry, err = operatorEntry(req.As, req.Reason, req.TTL)
	}
	if err == nil {
		err = d.fast.Block(b.Prefix, b.Entry)
	}
	if err == nil {
		err = d.operator.add(changeOf(&b))
	}
	if err != nil {
		control.Reply(w, http.StatusBadRequest, err)
		return
	}
	d.log.Info("blocked by hand", "prefix", b.Prefix, "reason", req.Reason, "ttl", req.TTL)
	control.Reply(w, http.StatusOK, BlockReply{Changed: 1, Entries: 1})
}

func (d *Daemon) serveUnblock(w http.ResponseWriter, r *http.Request) {
	var req BlockRequest
	err := json.NewDecoder(r.Body).Decode(&req)
	var pf netip.Prefix
	if err == nil {
		pf, err = prefix(req.Prefix)
	}
	if err == nil && d.fast == nil {
		err = d.canBlock()
	}
	var found bool
	if err == nil {
		found, err = d.fast.Unblock(pf, operatorList)
	}
	if err == nil && found {
		err = d.operator.add(operatorChange{Prefix: pf, Gone: true})
	}
	switch {
	case err != nil:
		control.Reply(w, http.StatusBadRequest, err)
	case !found:
		control.Reply(w, http.StatusNotFound, fmt.Errorf("%s is not on the operator's block list", pf))
	default:
		d.log.Info("unblocked by hand", "prefix", pf)
		control.Reply(w, http.StatusOK, BlockReply{Changed: 1, Entries: 1})
	}
}

// serveBlockFile adds, or takes away, what a block list file holds. A file with
// bad lines changes nothing.
func (d *Daemon) serveBlockFile(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name := q.Get("file")
	if name == "" {
		name = "list"
	}
	err := d.canBlock()
	var e fastpath.Entry
	if err == nil {
		var ttl int64
		if t := q.Get("ttl"); t != "" {
			ttl, err = strconv.ParseInt(t, 10, 64)
		}
		if err == nil {
			e, err = operatorEntry(q.Get("as"), q.Get("reason"), time.Duration(ttl))
		}
	}
	var blocks []fastpath.Block
	if err == nil {
		blocks, err = fastpath.ReadList(r.Body, name, operatorList)
	}
	reply := BlockReply{Entries: len(blocks)}
	if err == nil {
		remove := q.Get("remove") != ""
		if remove {
			blocks, err = d.fast.UnblockAll(blocks, operatorList)
		} else {
			for i := range blocks {
				b := &blocks[i].Entry
				b.Direction = e.Direction
				if b.Reason == "" {
					b.Reason = e.Reason
				}
				if b.Expires.IsZero() {
					b.Expires = e.Expires
				}
			}
			err = d.fast.BlockAll(blocks)
		}
		reply.Changed = len(blocks)
		if err == nil {
			needed := len(blocks)
			if remove {
				needed = 0
			}
			err = d.operator.addAll(changes(blocks, remove), needed)
		}
	}
	if err != nil {
		control.Reply(w, http.StatusBadRequest, err)
		return
	}
	d.log.Info("block list changed by hand", "file", name, "entries", reply.Entries, "changed", reply.Changed)
	control.Reply(w, http.StatusOK, reply)
}

// serveBlocks lists what is blocked, an entry a line: there may be millions.
func (d *Daemon) serveBlocks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	if d.fast == nil {
		return
	}
	var all []fastpath.Block
	if list := r.URL.Query().Get("list"); list != "" {
		all = d.fast.ListOf(list)
	} else {
		all = d.fast.List()
	}
	enc := json.NewEncoder(w)
	for i := range all {
		b := &all[i]
		e := BlockEntry{Prefix: b.Prefix.String(), List: b.Entry.List, As: directionName(b.Entry.Direction), Reason: b.Entry.Reason}
		if !b.Entry.Expires.IsZero() {
			e.Expires = &b.Entry.Expires
		}
		if enc.Encode(e) != nil {
			return
		}
	}
}

// ReadBlocks reads what the daemon lists, calling fn with each entry.
func ReadBlocks(r io.Reader, fn func(*BlockEntry) error) error {
	dec := json.NewDecoder(r)
	for {
		var e BlockEntry
		if err := dec.Decode(&e); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("daemon's list of blocks: %w", err)
		}
		if err := fn(&e); err != nil {
			return err
		}
	}
}
