package extract

import (
	"strings"
	"testing"
)

func TestDocument(t *testing.T) {
	f := func(what, head, name, want string) {
		t.Helper()
		if got := Document([]byte(head), name); got != want {
			t.Errorf("%s: %q, not %q", what, got, want)
		}
	}
	f("nothing", "", "a.docx", "")
	f("zip", string(zipOf(t, entry{"a", "b"})), "", typeZip)
	f("pdf", "%PDF-1.4\n", "", typePDF)
	f("pdf behind junk", "\r\n\r\n%PDF-1.4\n", "", typePDF)
	f("ole", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "", typeCFB)
	f("rtf", `{\rtf1 hello}`, "", typeRTF)
	f("mail", "From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n\r\nhello\r\n", "x.eml", typeMail)
	f("armour", "-----BEGIN PGP MESSAGE-----\n\nabc", "", typePGP)
	f("text with the name of a document", "We take over Example Corp. in March.\n", "plan.docx", "")
	f("a table", "name,card\nAlice,4111111111111111\n", "a.csv", "")
	f("json", `{"a": 1, "b": [2]}`, "", "")
	f("a page", "<!DOCTYPE html><html><head><title>x</title></head><body><p>y</p></body></html>", "", "")
	f("xml", "<?xml version=\"1.0\"?><a>b</a>", "", "")
	f("a program", "\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 64), "", "")
	f("unknown bytes", strings.Repeat("\x00\x01\x9c\xff\x07", 50), "", "")
}

// TestDocumentIsCheap holds that text is told at once: it lies on the way of
// packets.
func TestDocumentIsCheap(t *testing.T) {
	text := []byte(strings.Repeat("An ordinary line of a quarterly report.\n", 30))
	if n := testing.AllocsPerRun(100, func() { Document(text, "report.txt") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDocument(b *testing.B) {
	text := []byte(strings.Repeat("An ordinary line of a quarterly report.\n", 26))
	b.ReportAllocs()
	for range b.N {
		Document(text, "report.txt")
	}
}

// FuzzDocument holds that no head makes it panic, and that it never calls what
// Cheap calls plain text a document.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{"PK\x03\x04\x14\x00", "%PDF-1.4", "From: a@example.org\r\nTo: b\r\n\r\nx", "<?xml version=\"1.0\"?><w:wordDocument>", "-----BEGIN PGP MESSAGE-----\n", "\x30\x82\x01\x00\x06\x09"} {
		f.Add([]byte(s), "a.eml")
	}
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		if mime := Document(head, name); mime != "" && Cheap(mime) {
			t.Errorf("%q is plain text", mime)
		}
	})
}
