package classifiers

import (
	"fmt"
	"strings"
	"testing"
)

// TestMaskFramed masks values that stand right beside lengths and types that are digits
// or letters.
func TestMaskFramed(t *testing.T) {
	sc := newScanner(t)
	const card, iban = "4556738896132425", "DE44500105175407324931"
	for _, text := range []string{
		"\x04\x1ccredit card " + card + "0Q\x02\x01\x02dL\x04\x19cn=Customer 19",
		"\x04\x10" + card + "01\x04\x08location",
		"\x04\x10" + card + "02\x06\x08+\x06\x01\x02\x01\x01\x04\x00",
		"\x04\x10" + card + "0\x82\x01\x00\x02\x01\x03c",
		"\x04\x13cn=" + card + "020.\x04\x0bdescription",
		"\x040" + card + " is the card of Ann, to be paid with!0Q\x02\x01\x02",
		"\x040" + card + " is the card of Ann Example now!!",
		"\x809" + card + " is the card of Ann Example, at noon!",
		"\x00\x00\x004" + card + " is the card of Ann Example, and no more",
		"\x00\x00\x00A" + iban + " is the account of Ann, where it all goes to",
	} {
		masked, changed := sc.Mask([]byte(text))
		if len(masked) != len(text) || !changed || strings.Contains(string(masked), card) || strings.Contains(string(masked), iban) {
			t.Errorf("%q: %q", text, masked)
		}
	}
	for _, text := range []string{
		"\x04\x1cat work on weekdays, 0900 to 17000Q\x02\x01\x02dL\x04\x19cn=Customer 19",
		"ordinary text, 20€ and 10 ÄBC, line\nby line\t4556 7388\r\n",
		"", "\x04", "\x044", "\x04444",
	} {
		if masked, changed := sc.Mask([]byte(text)); changed || string(masked) != text {
			t.Errorf("%q: %q", text, masked)
		}
	}
	if copies := unframed([]byte("20€, ÄBC and 10 %, line\nby line\t4556 7388 9613 2425\r\n0900 Uhr")); copies != nil {
		t.Error("text is looked through twice")
	}

	// Whatever digits a card ends in, and whatever its length and the next message's are.
	for i := range 2000 {
		number := []byte(fmt.Sprintf("4556%011d0", i*4827148271%100000000000))
		for !luhn(number) {
			number[15]++
		}
		card := string(number)
		before, after := max(0, i%120-60), i*7%127
		text := "\x04" + string(rune(16+before)) + card + strings.Repeat(" ", before) + "0" + string(rune(after)) + "\x02\x01\x02"
		if masked, _ := sc.Mask([]byte(text)); strings.Contains(string(masked), card) {
			t.Errorf("%q: %q", text, masked)
		}
	}
}
