package classifiers

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

func TestMarkupWithinValues(t *testing.T) {
	s := newScanner(t)
	// what is the value as it stands, tags and all: found once by the detector, and
	// nothing else is with it, where it is given.
	f := func(detector, before, what, after string) {
		t.Helper()
		text := before + what + after
		var got []Finding
		for _, x := range s.ScanBytes([]byte(text), ObjectMeta{MinConfidence: Medium}).Findings {
			if x.Detector == detector {
				got = append(got, x)
			}
		}
		if len(got) != 1 || int(got[0].Start) != len(before) || int(got[0].End) != len(before)+len(what) {
			t.Errorf("%q: want %s at %d to %d, got %+v", text, detector, len(before), len(before)+len(what), got)
		}
	}
	const card, cardEnd = "<p>payment card ", " expires soon</p>"
	f("pay.card", card, "4111<b>1111</b>11111111", cardEnd)
	f("pay.card", card+"<b>", "4111111111111111", "</b>"+cardEnd)
	f("pay.card", card+"<b>", "4111</b>111111<span>111111", "</span>"+cardEnd)
	f("pay.card", card+"<i>", "4111 <B>1111</B> <em>1111</em> 1111", "</i>"+cardEnd)
	f("pay.card", card, "4111-<strong>1111</strong>-1111-<font color=red>1111", "</font>"+cardEnd)
	f("pay.card", card, "4111<wbr>1111<wbr/>1111<wbr />1111", cardEnd)
	f("pay.card", card, "4111<span class=\"a>b\" title='>'>1111</span>11111111", cardEnd)
	f("pay.card", card, "4111<span style=\""+strings.Repeat("color: red; ", 200)+"\">1111</span>11111111", cardEnd)
	f("pay.card", card, "4111<!-- a comment -- > <b> "+strings.Repeat("that goes on ", 100)+"-->111111111111", cardEnd)
	f("pay.card", card, "4111<!---->1111<!-->11111111", cardEnd)
	f("pay.card", card, "4111<?page break?>111111111111", cardEnd)
	f("pay.card", "<card>", "4111<![CDATA[1111]]>11111111", "</card>")
	f("pay.card", card, "&#52;<b>111</b>1111&#x31;111&shy;1111", cardEnd)
	f("pay.card", card, "4<b></b>1<i>1</i>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1<b></b>1", cardEnd)
	f("pay.card", `{"html":"payment card <b class=\"x\">`, `4111<\/b>1111<b class=\"y\">1111<\/b>1111`, ` expires"}`)
	f("pay.card", strings.Repeat("x<b>y</b> ", 2000)+card, "4111<b>1111</b>11111111", cardEnd+strings.Repeat("x<b>y</b> ", 2000))
	f("pay.card", strings.Repeat("&#120;<b>&#121;</b>", 1000)+card, "&#52;<b>&#49;</b>&#49;&#49;<i>&#49;</i>&#49;&#49;&#49;&#49;&#49;&#49;&#49;&#49;&#49;&#49;&#49;", cardEnd+strings.Repeat("&#120;<b>&#121;</b>", 1000))
	f("pii.email", "mail ", "jo.<b>doe</b>@mail.example.com", " for more")
	f("sec.aws-access-token", "key=<b>", "AKIA</b>QYLPMN5<u>HHHFPZAM2", "</u>;")
	for name, text := range map[string][]byte{
		"utf-16le": encode16(card + "4111<b>1111</b>11111111" + cardEnd + strings.Repeat(" filler", 20)),
		"base64":   []byte(base64.StdEncoding.EncodeToString([]byte(card + "4111<b>1111</b>11111111" + cardEnd))),
	} {
		if !slices.ContainsFunc(s.ScanBytes(text, ObjectMeta{}).Findings, func(x Finding) bool {
			return x.Detector == "pay.card" && x.Path == name+"/markup"
		}) {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestMarkupKeepsApart(t *testing.T) {
	s := newScanner(t)
	for _, text := range []string{
		"<tr><td>4111</td><td>1111</td><td>1111</td><td>1111</td></tr>",
		"<tr><td><b>4111</b></td><td><b>1111</b></td><td><b>1111</b></td><td><b>1111</b></td></tr>",
		"card <p>4111</p><p>1111</p><p>11111111</p>",
		"card 4111<br>1111<br/>1111<br />1111",
		"card <li>4111</li><li>11111111</li><li>1111</li>",
		"<card><a>4111</a><b2>1111</b2><c>11111111</c></card>",
		"<first>4111</first><second>111111111111</second> card",
		"card <a href=x>4111</a><a href=y>1111</a><a href=z>11111111</a>",
		"card 4111<sup>1111</sup>11111111",
		"card 4111<script>1111</script>11111111",
		"card; for (j = 4111; j<i ; j++) 1111>11111111",
		"card 4111<body>1111</body>11111111",
		"card 4111<b>1111</b><td>11111111",
	} {
		for _, x := range s.ScanBytes([]byte(text), ObjectMeta{}).Findings {
			if x.Detector == "pay.card" {
				t.Errorf("%q: found %+v", text, x)
			}
		}
	}
}

// TestMarkupHoldsValues holds that what tags, comments, scripts and styles hold is
// judged.
func TestMarkupHoldsValues(t *testing.T) {
	s := newScanner(t)
	for _, text := range []string{
		`<span title="card 4111111111111111">x</span>`,
		`12<b data-card="4111111111111111">3</b>4`,
		`12<!-- card 4111111111111111 -->34`,
		`<script>var card = "4111111111111111";</script>`,
		`<style>/* card 4111111111111111 */</style>`,
		`<card number="4111111111111111"/>`,
	} {
		n := 0
		for _, x := range s.ScanBytes([]byte(text), ObjectMeta{MinConfidence: Medium}).Findings {
			if x.Detector == "pay.card" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q: %d findings, want one", text, n)
		}
	}
}

// FuzzMarkup holds that what vanishes goes on by what is there, to an end.
func FuzzMarkup(f *testing.F) {
	for _, s := range []string{"4<b>1</b>1", "<span a='>' b=\">\">x", "<!-- -- --->x", "<!-->", "<![CDATA[x]]>", "<?a b?>", "<\\/b>", "<b", "<i ;", "1<wbr/>&#52;\u200b2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var u unfolding
		out := 0
		for at := 0; at < len(b); {
			if b[at] == '<' {
				tagAt(b, at)
			}
			_, n, width, _ := u.markup(b[at:])
			if width < 1 || at+width > len(b) || n > width && b[at] != '&' || u.within.n > maxVanish {
				t.Fatalf("%d bytes for %d at %d of %q", n, width, at, b)
			}
			at, out = at+width, out+n
		}
		if out > len(b) {
			t.Fatalf("%d bytes out of %d", out, len(b))
		}
	})
}
