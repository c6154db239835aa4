package classifiers

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// people makes a table of n rows, with the cell of row i by last.
func people(header string, n int, last func(i int) string) string {
	var b strings.Builder
	b.WriteString(header + "\n")
	for i := range n {
		fmt.Fprintf(&b, "Anna,Nowak,%s\n", last(i))
	}
	return b.String()
}

func mailOf(i int) string { return fmt.Sprintf("p%d@example.org", i) }

// countOf gives what a detector counted.
func countOf(res Result, id string) (c Count) {
	for i := range res.Counts {
		if res.Counts[i].Detector == id {
			c = res.Counts[i]
		}
	}
	return c
}

// TestContacts holds from which number of people on a table counts, and as what.
func TestContacts(t *testing.T) {
	s := newScanner(t)
	f := func(name, text string, unique int, level Level) {
		t.Helper()
		c := countOf(s.ScanBytes([]byte(text), ObjectMeta{Name: "list.csv"}), "bulk.contacts")
		if int(c.Unique[High]) != unique || unique > 0 && c.Level != level {
			t.Errorf("%s: %d different, %v; want %d, %v", name, c.Unique[High], c.Level, unique, level)
		}
	}
	const header = "First Name,Last Name,E-Mail"
	f("too few", people(header, 19, mailOf), 0, 0)
	f("some", people(header, 20, mailOf), 20, Internal)
	f("below a list", people(header, 49, mailOf), 49, Internal)
	f("a list", people(header, 50, mailOf), 50, Confidential)
	f("below a base", people(header, 999, mailOf), 999, Confidential)
	f("a base", people(header, 1000, mailOf), 1000, Restricted)
	f("one person", people(header, 60, func(int) string { return "a@example.org" }), 1, Internal)
	f("no address", people(header, 60, func(i int) string { return fmt.Sprint(i) }), 0, 0)
	f("telephones", people("Vorname,Nachname,Telefon", 50, func(i int) string { return fmt.Sprintf("+49 (30) 90182-%03d", i) }), 50, Confidential)
	f("numbers that are no telephones", people("Vorname,Nachname,Umsatz,PLZ", 60, func(i int) string { return fmt.Sprintf("90182%03d", i) }), 0, 0)
	f("no header", people("a,b,c", 60, mailOf), 0, 0)
	f("a log", people("time,level,mail", 60, mailOf), 0, 0)
	f("a title above", "Customers 2026\n\n"+people(header, 50, mailOf), 50, Confidential)
	f("no newline at the end", strings.TrimSpace(people(header, 50, mailOf)), 50, Confidential)
	f("windows", strings.ReplaceAll(people(header, 50, mailOf), "\n", "\r\n"), 50, Confidential)
	f("quoted", strings.ReplaceAll(people(header, 50, mailOf), "Nowak", "\"Nowak,\nIng. \"\"x\"\"\""), 50, Confidential)
	f("a long header", people(header+strings.Repeat(",an extra column", 40), 50, mailOf), 50, Confidential)
	for _, h := range []string{"firstName,lastName,emailAddress", "Vorname,Nachname,E-Mail-Adresse", "Prénom,Nom,Courriel", "Nombre,Apellidos,Correo electrónico", "Nome,Cognome,Posta elettronica", "Imię,Nazwisko,Adres e-mail"} {
		f(h, people(h, 50, mailOf), 50, Confidential)
		f(h+" in semicolons", strings.ReplaceAll(people(h, 50, mailOf), ",", ";"), 50, Confidential)
		f(h+" in tabs", strings.ReplaceAll(people(h, 50, mailOf), ",", "\t"), 50, Confidential)
	}
	f("as a spreadsheet writes it", string(append([]byte{0xff, 0xfe}, encode16(people(header, 50, mailOf))...)), 50, Confidential)
}

// TestContactsCut holds that a table's findings do not depend on where it is cut, and
// that a look ahead changes nothing.
func TestContactsCut(t *testing.T) {
	s := newScanner(t)
	rapid.Check(t, func(rt *rapid.T) {
		header := rapid.SampledFrom([]string{"First Name,Last Name,E-Mail", "Name,Ort,Telefon", "x\nSurname,City,Phone,Mobile", "a,b,c"}).Draw(rt, "header")
		cell := rapid.SampledFrom([]string{"a%d@example.org", "+49 30 90182%03d", "\"x\n%d\"", "%d", "\"a%d@example.org\" "})
		text := people(header, rapid.IntRange(0, 60).Draw(rt, "rows"), func(i int) string { return fmt.Sprintf(cell.Draw(rt, "cell"), i) })
		text = text[:rapid.IntRange(0, len(text)).Draw(rt, "end")]
		whole := s.ScanBytes([]byte(text), ObjectMeta{})
		st := s.Open(ObjectMeta{})
		h, err := s.sc.Open(s.c.stream)
		if err != nil {
			t.Fatal(err)
		}
		for rest := []byte(text); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "piece")
			hits, err := s.sc.ScanStream(h, rest[:n])
			if err != nil {
				t.Fatal(err)
			}
			s.Write(st, rest[:n], hits)
			if rapid.Bool().Draw(rt, "look ahead") {
				s.Preview(st, true)
			}
			rest = rest[n:]
		}
		s.sc.CloseStream(h)
		same(t, "cut", []byte(text), whole, s.Close(st))
	})
}

// TestContactsAhead holds that a list is known before the object ends, row by row.
func TestContactsAhead(t *testing.T) {
	s := newScanner(t)
	st := s.Open(ObjectMeta{})
	defer s.Abandon(st)
	for i, line := range strings.SplitAfter(people("First Name,Last Name,E-Mail", 60, mailOf), "\n") {
		s.Write(st, []byte(line), nil) // a table needs no hits
		n := 0
		for _, c := range s.Counts(st) {
			if c.Detector == "bulk.contacts" {
				n = int(c.Unique[High])
			}
		}
		if i >= 30 && line != "" && n != i {
			t.Fatalf("%d after row %d", n, i)
		}
	}
}
