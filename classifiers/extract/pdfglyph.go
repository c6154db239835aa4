package extract

import (
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// standardHigh is the upper half of Adobe's standard encoding (ISO 32000-1 D.2).
var standardHigh = map[int]rune{
	0xa1: '¡', 0xa2: '¢', 0xa3: '£', 0xa4: '⁄', 0xa5: '¥', 0xa6: 'ƒ', 0xa7: '§', 0xa8: '¤', 0xa9: '\'', 0xaa: '“', 0xab: '«', 0xac: '‹', 0xad: '›',
	0xae: 'ﬁ', 0xaf: 'ﬂ', 0xb1: '–', 0xb2: '†', 0xb3: '‡', 0xb4: '·', 0xb6: '¶', 0xb7: '•', 0xb8: '‚', 0xb9: '„', 0xba: '”', 0xbb: '»', 0xbc: '…',
	0xbd: '‰', 0xbf: '¿', 0xc1: '`', 0xc2: '´', 0xc3: 'ˆ', 0xc4: '˜', 0xc5: '¯', 0xc6: '˘', 0xc7: '˙', 0xc8: '¨', 0xca: '˚', 0xcb: '¸', 0xcd: '˝',
	0xce: '˛', 0xcf: 'ˇ', 0xd0: '—', 0xe1: 'Æ', 0xe3: 'ª', 0xe8: 'Ł', 0xe9: 'Ø', 0xea: 'Œ', 0xeb: 'º', 0xf1: 'æ', 0xf5: 'ı', 0xf8: 'ł', 0xf9: 'ø',
	0xfa: 'œ', 0xfb: 'ß',
}

// symbolLetters are the Greek letters and common signs of the Symbol font.
var symbolLetters = func() map[int]rune {
	m := map[int]rune{0xb0: '°', 0xb1: '±', 0xb4: '×', 0xb8: '÷', 0xb9: '≠', 0xa3: '≤', 0xb3: '≥', 0xb7: '•', 0xa5: '∞', 0xd2: '®', 0xd3: '©', 0xd4: '™'}
	const letters = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
	i := 0
	for _, r := range letters {
		m['A'+i] = r
		i++
	}
	i = 0
	for _, r := range "αβχδεφγηιϕκλμνοπθρστυϖωξψζ" {
		m['a'+i] = r
		i++
	}
	return m
}()

// glyphNames are names that rules do not give: punctuation, digits, ligatures,
// Greek.
var glyphNames = func() map[string]string {
	m := map[string]string{}
	add := func(list string) {
		f := strings.Fields(list)
		for i := 0; i+1 < len(f); i += 2 {
			m[f[i]] = f[i+1]
		}
	}
	add(`exclam ! quotedbl " numbersign # dollar $ percent % ampersand & quotesingle ' parenleft ( parenright ) asterisk * plus + comma , hyphen -
period . slash / zero 0 one 1 two 2 three 3 four 4 five 5 six 6 seven 7 eight 8 nine 9 colon : semicolon ; less < equal = greater > question ?
at @ bracketleft [ backslash \ bracketright ] asciicircum ^ underscore _ grave ` + "`" + ` braceleft { bar | braceright } asciitilde ~
exclamdown ¡ cent ¢ sterling £ currency ¤ yen ¥ brokenbar ¦ section § dieresis ¨ copyright © ordfeminine ª guillemotleft « logicalnot ¬
registered ® macron ¯ degree ° plusminus ± twosuperior ² threesuperior ³ acute ´ mu µ paragraph ¶ periodcentered · middot · cedilla ¸ onesuperior ¹
ordmasculine º guillemotright » onequarter ¼ onehalf ½ threequarters ¾ questiondown ¿ AE Æ ae æ Eth Ð eth ð multiply × divide ÷ Oslash Ø oslash ø
Thorn Þ thorn þ germandbls ß OE Œ oe œ Lslash Ł lslash ł Dcroat Đ dcroat đ Hbar Ħ hbar ħ dotlessi ı florin ƒ circumflex ˆ tilde ˜ caron ˇ breve ˘
dotaccent ˙ ring ˚ ogonek ˛ hungarumlaut ˝ endash – emdash — quoteleft ‘ quoteright ’ quotesinglbase ‚ quotedblleft “ quotedblright ”
quotedblbase „ dagger † daggerdbl ‡ bullet • ellipsis … perthousand ‰ guilsinglleft ‹ guilsinglright › fraction ⁄ Euro € euro € trademark ™
minus − fi fi fl fl ff ff ffi ffi ffl ffl nbspace _ sfthyphen - nonbreakinghyphen - numero № lozenge ◊ infinity ∞ notequal ≠ lessequal ≤ greaterequal ≥
partialdiff ∂ summation ∑ product ∏ radical √ integral ∫ approxequal ≈ Delta ∆ Omega Ω pi π arrowright → arrowleft ← arrowup ↑ arrowdown ↓
Alpha Α Beta Β Gamma Γ Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ
Phi Φ Chi Χ Psi Ψ alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ nu ν xi ξ omicron ο rho ρ sigma σ
sigma1 ς tau τ upsilon υ phi φ chi χ psi ψ omega ω`)
	m["space"], m["nbspace"], m["nonbreakingspace"] = " ", " ", " "
	// Cyrillic: afii10017 is А, afii10065 а; Ё and ё stand between Е and Ж.
	for i := range 33 {
		up, low := rune(0x410+i), rune(0x430+i)
		if i == 6 {
			up, low = 0x401, 0x451
		} else if i > 6 {
			up, low = up-1, low-1
		}
		m["afii"+strconv.Itoa(10017+i)], m["afii"+strconv.Itoa(10065+i)] = string(up), string(low)
	}
	return m
}()

var glyphAccents = []struct{ name, mark string }{
	{"hungarumlaut", "\u030b"}, {"commaaccent", "\u0327"}, {"circumflex", "\u0302"}, {"dotaccent", "\u0307"}, {"dieresis", "\u0308"}, {"cedilla", "\u0327"},
	{"ogonek", "\u0328"}, {"macron", "\u0304"}, {"acute", "\u0301"}, {"grave", "\u0300"}, {"tilde", "\u0303"}, {"caron", "\u030c"}, {"breve", "\u0306"}, {"ring", "\u030a"}, {"tonos", "\u0301"},
}

// accented composes names such as "eacute" out of letter and accent.
func accented(name string) string {
	for _, a := range glyphAccents {
		base, ok := strings.CutSuffix(name, a.name)
		if !ok || base == "" {
			continue
		}
		letter := base
		if len(base) > 1 {
			if letter = glyphNames[base]; letter == "" {
				continue
			}
		}
		return norm.NFC.String(letter + a.mark)
	}
	return ""
}
