package classifiers

import (
	"bytes"
)

// Tables of people: a header that names personal data, and rows with the e-mail
// address or the telephone number of somebody. They are read byte by byte as they
// come, but only where the header says that it is worth it.

const (
	// contactColumns is how many columns of a header name personal data at least,
	// contactRows how many rows name a way to reach somebody.
	contactColumns, contactRows = 3, 20
	// contactLines is in how many of the first lines the header is looked for.
	contactLines = 5
	// contactCell bounds what is kept of a cell, contactQuoted how long a quoted one
	// may be until its quote is taken for a stray one.
	contactCell, contactQuoted = 64, 4096
)

// contactsDetector is bulk.contacts.
func contactsDetector() Detector {
	return Detector{ID: "bulk.contacts", Level: Internal, Bulk: 50, BulkLevel: Confidential, Mass: 1000, MassLevel: Restricted, Tags: append([]string{"GDPR art. 33"}, gdpr...),
		Good: []string{contactsExample("First Name,Last Name,E-Mail", ",", true, 20), contactsExample("Vorname;Nachname;Telefon", ";", false, 25), contactsExample("Imię\tNazwisko\tAdres e-mail", "\t", true, 30)},
		Bad:  []string{contactsExample("First Name,Last Name,E-Mail", ",", true, 19), contactsExample("id,count,E-Mail", ",", true, 60), "First Name,Last Name,E-Mail\n"}}
}

// contactTable is the state of a table of people.
type contactTable struct {
	sep byte
	// ends are the bytes that may end a cell.
	ends [256]bool
	// phones has a bit for each column of telephone numbers.
	phones uint64
	// skip are the bytes up to the header's end.
	skip uint64

	col    int
	quoted bool
	// cell is the present cell's beginning; it begins at start and is size bytes.
	cell  [contactCell]byte
	size  int
	start uint64

	// row is what the row was found to name; first are the rows waiting until there
	// are enough.
	row   contactRow
	first [contactRows]contactRow
	rows  int
}

// contactRow is a value and its place. rank orders what a row names: an address before
// a number.
type contactRow struct {
	value    [contactCell]byte
	n        uint8
	rank     uint8
	from, to uint64
}

// learnTable looks whether the object's first lines are the header of such a table.
func (s *Scanner) learnTable(st *Stream) {
	st.tabled = true
	if s.c.contacts == none || st.depth > 0 && st.dec.verbatim {
		return
	}
	at := 0
	for range contactLines {
		line := st.head[at:]
		end := bytes.IndexAny(line, "\r\n")
		if end >= 0 {
			line = line[:end]
		}
		if t := s.contactHeader(line); t != nil {
			t.skip = uint64(at + len(line))
			st.table = t
			return
		}
		if end < 0 {
			return
		}
		at += end + 1
	}
}

// contactHeader gives the table that a header begins; nil for another line.
func (s *Scanner) contactHeader(line []byte) *contactTable {
	var sep byte
	most := contactColumns - 2
	for _, c := range []byte(",;\t|") {
		if n := bytes.Count(line, []byte{c}); n > most {
			sep, most = c, n
		}
	}
	if sep == 0 || most > maxColumns {
		return nil
	}
	t := &contactTable{sep: sep}
	t.ends[sep], t.ends['"'], t.ends['\n'], t.ends['\r'] = true, true, true, true
	var kinds uint32
	n, col := 0, 0
	for name := range bytes.SplitSeq(line, []byte{sep}) {
		if kind := s.columnKind(name); kind != kindNone {
			if kinds&(1<<kind) == 0 {
				n++
				kinds |= 1 << kind
			}
			if kind == kindPhone && col < 64 {
				t.phones |= 1 << col
			}
		}
		col++
	}
	if n < contactColumns {
		return nil
	}
	return t
}

// readTable takes the object's next bytes, of which the first are in its head already.
func (s *Scanner) readTable(st *Stream, data []byte) {
	switch {
	case st.table != nil:
		s.tableBytes(st, data, st.end)
	case !st.tabled && len(st.head) == headLen:
		if s.learnTable(st); st.table != nil {
			s.tableBytes(st, st.head, 0)
			s.tableBytes(st, data[headLen-st.end:], headLen)
		}
	}
}

// tableBytes reads on in a table. data begins at offset off of the object.
func (s *Scanner) tableBytes(st *Stream, data []byte, off uint64) {
	t := st.table
	if off < t.skip {
		n := min(t.skip-off, uint64(len(data)))
		data, off = data[n:], off+n
	}
	for len(data) > 0 {
		n := 0
		for n < len(data) && !t.ends[data[n]] {
			n++
		}
		t.add(data[:n], off)
		if n == len(data) {
			return
		}
		c := data[n]
		off += uint64(n)
		switch {
		case c == '"':
			t.quoted = !t.quoted
		case c == '\n' && (!t.quoted || t.size > contactQuoted):
			t.quoted = false
			t.endCell()
			s.endContact(st)
		case c == t.sep && !t.quoted:
			t.endCell()
			t.col++
		case c != '\r':
			t.add(data[n:n+1], off)
		}
		data, off = data[n+1:], off+1
	}
}

// add takes the next bytes of a cell, which stand at offset off.
func (t *contactTable) add(b []byte, off uint64) {
	for t.size == 0 && len(b) > 0 && b[0] == ' ' {
		b, off = b[1:], off+1
	}
	if len(b) == 0 {
		return
	}
	if t.size == 0 {
		t.start = off
	}
	if t.size < len(t.cell) {
		copy(t.cell[t.size:], b)
	}
	t.size += len(b)
}

// tableEnd ends the last row, after which no newline comes.
func (s *Scanner) tableEnd(st *Stream) {
	t := st.table
	t.quoted = false
	t.endCell()
	s.endContact(st)
}

// endCell judges the cell that has ended.
func (t *contactTable) endCell() {
	if t.size >= 6 && t.size < len(t.cell) {
		cell := bytes.TrimRight(t.cell[:t.size], " ")
		rank := uint8(0)
		switch {
		case isAddress(cell):
			rank = 2
		case t.col < 64 && t.phones&(1<<t.col) != 0 && isPhoneCell(cell):
			rank = 1
		}
		if rank > t.row.rank {
			t.row.rank, t.row.from, t.row.to = rank, t.start, t.start+uint64(len(cell))
			t.row.n = uint8(copy(t.row.value[:], cell))
		}
	}
	t.size = 0
}

// endContact counts the row that ended, and tells of it once there are enough.
func (s *Scanner) endContact(st *Stream) {
	t := st.table
	t.col = 0
	if t.row.rank == 0 {
		return
	}
	row := &t.row
	if t.rows < contactRows {
		t.first[t.rows] = *row
	}
	t.rows++
	switch {
	case t.rows == contactRows:
		for i := range t.first {
			s.emitContact(st, &t.first[i])
		}
	case t.rows > contactRows:
		s.emitContact(st, row)
	}
	row.rank = 0
}

func (s *Scanner) emitContact(st *Stream, r *contactRow) {
	var low [contactCell]byte
	value := low[:0]
	for _, c := range r.value[:r.n] {
		if r.rank == 1 && !isDigit(c) {
			continue // however it is grouped
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		value = append(value, c)
	}
	s.emit(st, &window2{base: r.from}, uint16(s.c.contacts), 0, int(r.to-r.from), High, Internal, value)
}

// isAddress reports whether a cell is an e-mail address, by its shape.
func isAddress(b []byte) bool {
	at := bytes.IndexByte(b, '@')
	if at < 1 || at != bytes.LastIndexByte(b, '@') || bytes.ContainsAny(b, " <>,;()/\\") {
		return false
	}
	dot := bytes.LastIndexByte(b, '.')
	return dot > at+1 && len(b)-dot > 2
}

// isPhoneCell reports whether a cell is a telephone number, by its shape: seven to
// fifteen digits (ITU-T E.164), and no more than what groups them.
func isPhoneCell(b []byte) bool {
	n := 0
	for _, c := range b {
		switch {
		case isDigit(c):
			n++
		case bytes.IndexByte([]byte("+-() ./"), c) < 0:
			return false
		}
	}
	return n >= 7 && n <= 15
}
