package http2

import (
	"errors"

	"golang.org/x/net/http2/hpack"

	"sluice/dataplane/protocol"
)

const (
	// defaultTable is the size of a header table to begin with (RFC 9113 §6.5.2),
	// maxTable the largest followed, and midTable the largest assumed where the
	// beginning was missed.
	defaultTable = 4096
	maxTable     = 64 << 10
	midTable     = 16 << 10
	// entryOverhead is what a table entry counts beside its text (RFC 7541 §4.1).
	entryOverhead = 32
	// maxFailures bounds the blocks of a direction that could not be decoded; the
	// real receiver gives up at the first.
	maxFailures = 16
)

// block is the header compression state of a direction, and the header block
// under way there.
type block struct {
	p   *parser
	dir protocol.Dir
	dec *hpack.Decoder
	// lost: the table's contents are not known; size is what is assumed of it.
	lost bool
	size uint32
	// open: a block has begun and not ended; broken: its rest cannot be decoded.
	open, broken bool
	stream       uint32
	// ex takes the fields, as its message to; nil drops them.
	ex        *exchange
	to        protocol.Dir
	endStream bool
	trailer   bool
	failures  int
	// update follows table size updates, which stand at a block's beginning.
	updating, inUpdate bool
	update             uint64
	shift              uint
}

// taint notes that the header table is not known any more.
func (b *block) taint(size uint32) {
	b.lost, b.dec = true, nil
	b.size = min(max(b.size, size), midTable)
}

// fill is a run of literal fields with empty names and values, each of which
// takes the least room in the table.
var fill = func() (f [3 * midTable / entryOverhead]byte) {
	for i := 0; i < len(f); i += 3 {
		f[i] = 0x40
	}
	return f
}()

// decoder gives the direction's decoder. One whose table is not known holds
// placeholders: later entries push them out, so that references to what was
// added since are right, and those to older entries give nothing.
func (b *block) decoder() *hpack.Decoder {
	if b.dec != nil {
		return b.dec
	}
	size := uint32(defaultTable)
	if b.lost {
		size = max(b.size, min(b.p.side[b.dir].table, midTable), defaultTable)
	}
	b.dec = hpack.NewDecoder(size, b.field)
	allowed := maxTable
	if n := b.p.env.Limits.HTTP2.MaxTable; n > 0 {
		allowed = min(max(n, defaultTable), maxTable)
	}
	b.dec.SetAllowedMaxDynamicTableSize(uint32(allowed))
	if b.lost {
		b.dec.SetEmitEnabled(false)
		// Literals of three bytes each; they cannot fail.
		_, _ = b.dec.Write(fill[:3*(size/entryOverhead)])
		_ = b.dec.Close()
		b.dec.SetEmitEnabled(true)
	}
	return b.dec
}

// blockBegin begins a header block that is sent in dir, for the message to.
func (p *parser) blockBegin(dir protocol.Dir, s *side, ex *exchange, to protocol.Dir) {
	b := &s.block
	if b.open {
		return
	}
	if ex != nil && ex.control {
		ex = nil // headers of stream 0 belong to nothing
	}
	b.decoder().SetMaxStringLength(p.maxBlock())
	b.open, b.broken, b.trailer = true, false, false
	b.ex, b.to, b.stream = ex, to, s.f.stream
	b.endStream = s.f.typ == framePushPromise || s.f.typ == frameHeaders && s.f.has(flagEndStream)
	b.updating, b.inUpdate = true, false
	if ex != nil {
		m := &ex.msg[to]
		if b.trailer = m.done && !m.interim; !b.trailer {
			wire := m.wire
			m.reset()
			m.wire = wire
		}
	}
}

// maxBlock gives the bound on a header block.
func (p *parser) maxBlock() int {
	if n := p.env.Limits.HTTP2.MaxBlock; n > 0 {
		return n
	}
	return p.env.Limits.MaxHeader
}

// write takes the block's next bytes.
func (b *block) write(data []byte) {
	if !b.open || b.broken {
		return
	}
	if b.updating {
		b.sniff(data)
	}
	if _, err := b.dec.Write(data); err != nil {
		b.fail(err)
	}
}

// fail notes an error of compression: the block's rest and the table are lost.
func (b *block) fail(err error) {
	b.broken = true
	b.failures++
	event := "invalid_header"
	switch {
	case errors.Is(err, hpack.ErrStringLength):
		event = "header_list_too_long"
	case err.Error() == varintOverflow:
		event = "header_integer_overflow"
	}
	b.p.event(b.ex, event)
	b.taint(b.p.side[b.dir].table)
}

const varintOverflow = "decoding error: varint integer overflow"

// sniff notes table size updates, which the decoder does not tell of.
func (b *block) sniff(data []byte) {
	for _, c := range data {
		if !b.inUpdate {
			if c&0xe0 != 0x20 {
				b.updating = false
				return
			}
			b.update, b.shift, b.inUpdate = uint64(c&0x1f), 0, true
			if b.update < 0x1f {
				b.updated()
			}
			continue
		}
		b.update += uint64(c&0x7f) << b.shift
		if b.shift += 7; c&0x80 == 0 {
			b.updated()
		} else if b.shift > 28 {
			b.updating = false
			return
		}
	}
}

func (b *block) updated() {
	b.inUpdate = false
	if b.ex != nil {
		b.ex.facts[b.to].sizeUpdate(b.update)
	}
}

// field takes one decoded field.
func (b *block) field(f hpack.HeaderField) {
	ex := b.ex
	if ex == nil {
		return
	}
	m := &ex.msg[b.to]
	limit := b.p.maxBlock()
	switch {
	case f.Name == "" && f.Value == "":
		m.missing = true
	case b.trailer:
		m.addTrailer(ex, f.Name, f.Value, limit)
	default:
		m.add(ex, f.Name, f.Value, limit)
	}
}

// blockEnd completes the header block.
func (p *parser) blockEnd(dir protocol.Dir, s *side) protocol.Status {
	b := &s.block
	b.open = false
	if !b.broken {
		if err := b.dec.Close(); err != nil {
			b.fail(err)
		}
	} else if b.dec != nil {
		// Cut off by a gap or another frame: what is missing may have changed the
		// table.
		b.taint(s.table)
	}
	ex := b.ex
	b.ex = nil
	if ex != nil && !ex.gone {
		if b.trailer {
			ex.advance(b.to, ProgressTrailer)
		} else {
			p.headDone(b.to, ex, b.endStream)
		}
		if b.endStream {
			p.endStream(b.to, ex, protocol.ObjectClosed)
		}
	}
	if b.failures > maxFailures {
		return protocol.Error
	}
	return protocol.Continue
}
