package engine

import (
	"fmt"
	"slices"
	"strings"

	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

// packetOnly reports whether the rule's tests need the packet at hand, so that
// its payload is matched packet by packet.
func (r *crule) packetOnly() bool {
	if r.Proto.PacketOnly || r.Flow.NoStream || r.Replaces || len(r.locals) > 0 {
		return true
	}
	for i := range r.tests {
		switch r.tests[i].Kind {
		case rule.TestStreamSize, rule.TestFlowAge, rule.TestFlowPkts, rule.TestFlowBytes, rule.TestAppProto, rule.TestAppEvent, rule.TestSameIP, rule.TestVLAN, rule.TestVLANLayers, rule.TestL3Proto:
		default:
			return true
		}
	}
	return false
}

// classes gives the packet classes that the rule can match.
func (r *crule) classes() []class {
	switch r.Proto.Transport {
	case rule.TCP:
		return []class{classTCP}
	case rule.UDP:
		return []class{classUDP}
	case rule.ICMP, rule.ICMPv6, rule.AnyICMP:
		return []class{classICMP}
	case rule.SCTP, rule.ProtoNum:
		return []class{classOther}
	}
	for i := range r.tests {
		if t := &r.tests[i]; t.Kind == rule.TestIPProto && !t.Neg && t.Int.Op == '=' && t.Int.A <= 0xff {
			return []class{classOf(uint8(t.Int.A))}
		}
	}
	if r.apps != 0 {
		return []class{classTCP, classUDP}
	}
	return []class{classTCP, classUDP, classICMP, classOther}
}

// index puts the rule where it will be nominated.
func (b *builder) index(c *crule) {
	if c.Untracked {
		b.e.untracked = append(b.e.untracked, c.idx)
		return
	}
	if c.inTx {
		b.indexTx(c)
		return
	}
	if c.frames() {
		b.indexFrame(c)
		return
	}
	for i := range c.tests {
		t := &c.tests[i]
		if t.Kind == rule.TestDecodeEvent || t.Kind == rule.TestStreamEvent {
			b.e.onPacketEvent[uint16(t.Event)] = append(b.e.onPacketEvent[uint16(t.Event)], c.idx)
			return
		}
	}
	if c.payload == nil {
		b.indexHeader(c)
		return
	}
	fp, ok := pick(c.payload)
	if c.fastList = payloadList; ok {
		c.fast = fp.item
	}
	for _, cl := range c.classes() {
		if cl == classTCP && !c.packetOnly() {
			b.e.streamRules = true
			// Short patterns are met all the time: it is cheaper to run the few
			// rules that have none better on the flows that their headers admit.
			if ok && (len(fp.bytes) >= minFast || len(b.e.streamAll[0])+len(b.e.streamAll[1]) >= maxUnfast) {
				b.stream.add(fp, cand{rule: c.idx, list: payloadList})
				continue
			}
			c.unfast = true
			for d := range b.e.streamAll {
				if c.dirs.Has(protocol.Dir(d)) {
					b.e.streamAll[d] = append(b.e.streamAll[d], c.idx)
				}
			}
			continue
		}
		if c.Proto.StreamOnly || c.Flow.OnlyStream {
			continue
		}
		for d := range b.packet[cl] {
			if !c.dirs.Has(protocol.Dir(d)) {
				continue
			}
			if h := &b.e.packets[cl][d].heads; cl == classTCP && c.head != nil && worthHead(c.head, ok && len(fp.bytes) >= minFast, len(h.moving)) {
				h.add(c.idx, c.head)
				continue
			}
			if ok && (len(fp.bytes) >= minFast || len(b.index_[cl][d].every.x.any) >= maxUnfast) {
				b.packet[cl][d].add(fp, fp.placed(cand{rule: c.idx, list: payloadList}, c.payload))
			} else {
				b.index_[cl][d].add(c)
			}
		}
	}
}

// worthHead reports whether a packet rule is to be found by its head: where the
// head is long enough and cheap to look for, and where nothing better than a
// short one nominates the rule. fast tells that it has a fast pattern of some
// length, moving how many heads without a fixed place there are.
func worthHead(head *item, fast bool, moving int) bool {
	n := len(head.Pattern)
	if head.exact() {
		return n >= minFast || n >= minHead && !fast
	}
	return n >= minFast && moving < maxHeads
}

// indexHeader indexes a rule without content.
func (b *builder) indexHeader(c *crule) {
	// With nothing but addresses, a flow is judged once each way.
	c.once = len(c.tests) == 0 && len(c.locals) == 0 && len(c.bitTests) == 0 && len(c.intTests) == 0 && c.apps == 0 && c.endsOnly() && !c.Flow.Set
	// What is known of the protocol is told once each way as well.
	known := len(c.tests) > 0 && len(c.locals) == 0 && len(c.bitTests) == 0
	for i := range c.tests {
		known = known && (c.tests[i].Kind == rule.TestAppProto || c.tests[i].Kind == rule.TestAppEvent)
	}
	c.once = c.once || known
	if c.apps != 0 && len(c.locals) == 0 {
		for _, a := range c.Proto.Apps {
			for d := protocol.ToServer; d <= protocol.ToClient; d++ {
				if c.dirs.Has(d) {
					p := b.plan(a, d)
					p.header = append(p.header, c.idx)
				}
			}
		}
		return
	}
	for _, cl := range c.classes() {
		for d := range b.index_[cl] {
			if c.dirs.Has(protocol.Dir(d)) {
				b.index_[cl][d].add(c)
			}
		}
	}
}

// endsOnly reports whether the header asks for nothing but addresses and a kind of
// packet, which all packets of a flow have in common.
func (r *crule) endsOnly() bool {
	switch p := &r.Proto; p.Transport {
	case rule.AnyIP:
		return true
	case rule.TCP, rule.UDP, rule.SCTP, rule.ICMP, rule.ICMPv6, rule.AnyICMP:
		return r.SrcPort.All && r.DstPort.All && !p.PacketOnly && !p.StreamOnly && !p.PreFlow
	}
	return false
}

func (b *builder) plan(id protocol.ID, d protocol.Dir) *plan {
	if b.e.plans[id][d] == nil {
		b.e.plans[id][d] = &plan{}
	}
	return b.e.plans[id][d]
}

// txGroup gives the group of a buffer, or a kind of frames, in a direction.
func (b *builder) txGroup(l *clist, d protocol.Dir) *txGroup {
	p := b.plan(l.spec.ID.Protocol(), d)
	var k strings.Builder
	fmt.Fprintf(&k, "%d", l.spec.ID)
	for _, t := range l.transforms {
		fmt.Fprintf(&k, "|%s %q", t.Name, t.Arg)
	}
	key := k.String()
	list := &p.buffers
	if _, frame := l.spec.ID.Frame(); frame {
		list = &p.frames
	}
	for i := range *list {
		if (*list)[i].key == key {
			return &(*list)[i]
		}
	}
	*list = append(*list, txGroup{spec: l.spec, transforms: l.transforms, key: key})
	return &(*list)[len(*list)-1]
}

// dirsOf gives the directions in which a list of a rule can be seen.
func (r *crule) dirsOf(l *clist) protocol.Dirs {
	d := l.spec.Dirs
	if d == 0 {
		d = protocol.DirsBoth
	}
	if l.side != nil {
		return 1 << *l.side
	}
	if r.Transactional {
		return d
	}
	return d & r.dirs
}

// indexTx chooses the list that nominates a rule of transactions.
func (b *builder) indexTx(c *crule) {
	best, bestList, found := fastPattern{}, -1, false
	for i := range c.lists {
		l := &c.lists[i]
		if l.absent != rule.AbsentFails || l.body && !scannable(l) {
			continue
		}
		fp, ok := pick(l.items)
		if !ok {
			continue
		}
		switch {
		case l.spec.ID == protocol.BufFileMagic:
			// To describe a file costs more than any scan: the last choice.
			fp.score = 0
		case !l.body:
			// Headers come once and early: worth a little.
			fp.score += fp.score / 4
		}
		if !found || fp.explicit && !best.explicit || fp.explicit == best.explicit && fp.score > best.score {
			best, bestList, found = fp, i, true
		}
	}
	if c.payload != nil {
		// The payload's tests are noted when they hold, for the transaction to
		// find.
		if fp, ok := pick(c.payload); ok && len(fp.bytes) >= minFast {
			b.stream.add(fp, cand{rule: c.idx, list: payloadList})
		}
		b.e.streamRules = true
	}
	if found {
		l := &c.lists[bestList]
		c.fast, c.fastList = best.item, uint8(bestList)
		if l.spec.ID == protocol.BufFileMagic {
			b.magicGroup(l).b.add(best, best.placed(cand{rule: c.idx, list: uint8(bestList)}, l.items))
			return
		}
		if l.body {
			b.object.add(best, best.placedIn(cand{rule: c.idx, list: uint8(bestList)}, l.items))
			return
		}
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			if c.dirsOf(l).Has(d) {
				b.txGroup(l, d).b.add(best, best.placed(cand{rule: c.idx, list: uint8(bestList)}, l.items))
			}
		}
		return
	}
	// Without a content: the buffer that is final last, else an object.
	last := -1
	for i := range c.lists {
		if l := &c.lists[i]; !l.body && (last < 0 || l.spec.Progress > c.lists[last].spec.Progress) {
			last = i
		}
	}
	switch {
	case last >= 0:
		for d := protocol.ToServer; d <= protocol.ToClient; d++ {
			if l := &c.lists[last]; c.dirsOf(l).Has(d) {
				g := b.txGroup(l, d)
				g.all = append(g.all, cand{rule: c.idx, list: uint8(last)})
			}
		}
	case c.bodies != 0 || len(c.Files) > 0:
		list := uint8(payloadList)
		if c.bodies != 0 {
			list = 0
		}
		for i := range c.lists {
			// A body that is missing shows when the transaction is complete.
			if l := &c.lists[i]; l.absent != rule.AbsentFails {
				for _, a := range c.Proto.Apps {
					for d := protocol.ToServer; d <= protocol.ToClient; d++ {
						if c.dirsOf(l).Has(d) {
							p := b.plan(a, d)
							p.fields = append(p.fields, c.idx)
						}
					}
				}
				break
			}
		}
		for d := range b.e.objectAll {
			if c.dirs.Has(protocol.Dir(d)) {
				b.e.objectAll[d] = append(b.e.objectAll[d], cand{rule: c.idx, list: list})
			}
		}
	default:
		apps := slices.Clone(c.Proto.Apps)
		for _, ev := range c.AppEvents {
			if !slices.Contains(apps, ev.Proto) {
				apps = append(apps, ev.Proto)
			}
		}
		for _, a := range apps {
			for d := protocol.ToServer; d <= protocol.ToClient; d++ {
				if c.dirs.Has(d) {
					p := b.plan(a, d)
					p.fields = append(p.fields, c.idx)
				}
			}
		}
	}
}

// scannable reports whether what is compared of a body is scanned: its bytes as they
// are, in the shared streaming database, or its description.
func scannable(l *clist) bool {
	return l.spec.ID == protocol.BufFileMagic || len(l.transforms) == 0 && l.spec.ID != protocol.BufFileName
}
