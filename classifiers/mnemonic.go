package classifiers

import (
	"crypto/sha256"
	"slices"

	"github.com/tyler-smith/go-bip39/wordlists"
)

// Mnemonic sentences (BIP-39): the words from which a wallet's keys are made, in the
// standard's English list.
//
// A look at each word of all text would cost more than all other detectors together, so
// that a sentence is looked for where words speak of one, and in small objects, which
// may hold nothing else. Every sentence spans more bytes than lie between two looks.

const (
	// mnemonicStep is less than the shortest sentence: twelve words of three letters
	// with a separator between two.
	mnemonicStep = 46
	// mnemonicGap bounds what stands between two words: a number, signs and blanks.
	mnemonicGap = 10
	// mnemonicMost is the greatest number of words of a sentence.
	mnemonicMost = 24
	// mnemonicMax is the greatest length of a word in the list, mnemonicMin the least.
	mnemonicMin, mnemonicMax = 3, 8
	// mnemonicSmall is the size up to which an object is looked through in any case.
	mnemonicSmall = 2 << 10
	// mnemonicBeside is how many words of the list may stand in lines of their own before
	// and after a sentence.
	mnemonicBeside = 3
	// mnemonicVaried is how many different words a sentence has at least that is no
	// example: those of the standard's test vectors repeat one.
	mnemonicVaried = 8
)

// mnemonicWords gives the number of each word by the bytes of it: no two share their
// first four letters, and none is longer than eight.
var mnemonicWords = func() (t wordTable) {
	for i, word := range wordlists.English {
		t.put(load8([]byte(word), 0), uint16(i))
	}
	return t
}()

// mnemonicDetector is pay.crypto.seed. Its literals are the words that speak for such
// a sentence, in English, German, French, Spanish, Italian and Polish.
func mnemonicDetector() *literal {
	const sentence = "donkey velvet ocean ladder pistol canyon amused sketch tunnel wagon blossom "
	return &literal{Detector: Detector{ID: "pay.crypto.seed", Level: Restricted, Tags: append([]string{"AML"}, secretTags...), Secret: true,
		Good: mnemonicExamples(), Bad: w(
			"my seed phrase: "+sentence+"donkey", // no checksum
			"seed phrase: abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
			"the seed phrase of a wallet has twelve words", "mnemonic words: abandon ability able about above absent absorb abstract absurd abuse access accident account accuse achieve acid acoustic acquire across act action actor actress actual adapt add",
		)},
		literals: w(
			"seed phrase", "seedphrase", "seed_phrase", "seed words", "seed", "mnemonic", "recovery phrase", "recovery words", "backup phrase", "backup words", "bip39", "bip-39", "wallet", "metamask", "trezor",
			"wiederherstellungsphrase", "wiederherstellungswörter", "merkphrase", "sicherungsphrase", "geldbörse",
			"phrase de récupération", "phrase secrète", "mnémonique", "phrase de sauvegarde", "portefeuille",
			"frase semilla", "frase de recuperación", "frase mnemotécnica", "palabras semilla", "semilla", "monedero", "billetera",
			"frase di recupero", "frase mnemonica", "frase seme", "parole di recupero", "portafoglio",
			"fraza odzyskiwania", "fraza seed", "fraza mnemoniczna", "słowa odzyskiwania", "portfel",
		), judge: judgeMnemonic}
}

// mnemonicWord gives the list's number of the word of letters that b[at] is in, and
// where it begins and ends. Capital letters count as small ones.
func mnemonicWord(b []byte, at int) (number uint16, from, to int, ok bool) {
	from, to = at, at
	for from > 0 && isAlpha(b[from-1]) {
		if from--; at-from >= mnemonicMax {
			return
		}
	}
	for to < len(b) && isAlpha(b[to]) {
		if to++; to-from > mnemonicMax {
			return
		}
	}
	if to-from < mnemonicMin || from > 0 && b[from-1] >= 0x80 || to < len(b) && b[to] >= 0x80 {
		return
	}
	// Letters differ from their small ones in one bit, which the bytes after them
	// must not get.
	key := (load8(b, from) | 0x20*eachByte) & (^uint64(0) >> (64 - 8*(to-from)))
	if !mnemonicWords.may(key) {
		return
	}
	number, ok = mnemonicWords.get(key)
	return number, from, to, ok
}

// judgeMnemonic looks for a sentence near a word that speaks for one.
func judgeMnemonic(v *window2, start, end int) (l, r int, value []byte, level Level, conf Confidence, ok bool) {
	b := v.b
	if !wholeWord(b, start, end) {
		return
	}
	// The word may not be one of the sentence's own.
	if l, r, value, ok = mnemonicIn(b, end, min(len(b), end+contextBefore), true); !ok || l < end {
		l, r, value, ok = mnemonicIn(b, max(0, start-contextBefore), start, true)
		ok = ok && r <= start && start-r <= contextAfter
	}
	return l, r, value, Restricted, High, ok
}

// mnemonicSmallObject looks for a sentence in the whole of a small object, of which
// view is all that there is.
func (s *Scanner) mnemonicSmallObject(st *Stream, view []byte) {
	if s.c.mnemonic == none || uint64(len(view)) != st.end || len(view) > mnemonicSmall {
		return
	}
	if l, r, value, ok := mnemonicIn(view, 0, len(view), false); ok {
		s.emit(st, &window2{b: view}, uint16(s.c.mnemonic), l, r, Medium, Restricted, value)
	}
}

// mnemonicIn gives the first sentence of which a word is looked at in b[lo:hi]. With
// lines, it may be a part of a longer run of the list's words that fills whole lines.
func mnemonicIn(b []byte, lo, hi int, lines bool) (l, r int, value []byte, ok bool) {
	done := lo
	for at := lo; at < hi; at += mnemonicStep {
		k := max(at, done)
		// A look may be between two words.
		for k < len(b) && k < at+mnemonicGap && !isAlpha(b[k]) {
			k++
		}
		if k >= len(b) || k >= at+mnemonicStep {
			continue
		}
		if _, _, _, ok := mnemonicWord(b, k); !ok {
			continue
		}
		if l, r, done, value = mnemonicRun(b, k, lines); value != nil {
			return l, r, value, true
		}
	}
	return 0, 0, nil, false
}

// spoken is a word of a run: its number in the list and its place.
type spoken struct {
	number   uint16
	from, to int
}

// mnemonicRun takes the run of the list's words around b[at], and confirms the sentence
// in it by its checksum: what stands between other words or, with lines, between the
// ends of lines. done is where what is left to try begins. value is nil without one.
func mnemonicRun(b []byte, at int, lines bool) (l, r, done int, value []byte) {
	var run [2*mnemonicMost + 1]spoken
	n, from, to, _ := mnemonicWord(b, at)
	const mid = mnemonicMost
	run[mid] = spoken{n, from, to}
	first, last := mid, mid
	for first > 0 {
		k := mnemonicBefore(b, run[first].from)
		n, from, to, ok := mnemonicWord(b, max(k, 0))
		if k < 0 || !ok {
			break
		}
		first--
		run[first] = spoken{n, from, to}
	}
	for last+1 < len(run) {
		k := mnemonicAfter(b, run[last].to)
		n, from, to, ok := mnemonicWord(b, max(k, 0))
		if k < 0 || !ok {
			break
		}
		last++
		run[last] = spoken{n, from, to}
	}
	words := run[first : last+1]
	done = run[last].to
	if last == len(run)-1 {
		// The run goes on: what is left to try begins after the middle.
		done = run[mid+mnemonicMost/2].to
	}
	for size := mnemonicMost; size >= 12; size -= 3 {
		for i := 0; i+size <= len(words); i++ {
			some := words[i : i+size]
			// A line before or after may have been taken for more of it.
			more := len(words) - size
			if more != 0 && !(lines && more <= mnemonicBeside && mnemonicEdge(b, words, i) && mnemonicEdge(b, words, i+size)) || !mnemonicValid(some) {
				continue
			}
			if !mnemonicMixed(some) {
				return 0, 0, some[size-1].to, nil // an example
			}
			return some[0].from, some[size-1].to, done, mnemonicNormal(some)
		}
	}
	return 0, 0, done, nil
}

// mnemonicBefore gives the last byte of the word before the one that begins at from,
// -1 where something else stands between them.
func mnemonicBefore(b []byte, from int) int {
	for k := from - 1; k >= 0 && from-k <= mnemonicGap+1; k-- {
		switch c := b[k]; {
		case isAlpha(c):
			if k+1 == from || b[k+1] == ':' || b[k+1] == '=' {
				return -1
			}
			return k
		case c >= 0x80:
			return -1
		}
	}
	return -1
}

// mnemonicAfter gives the first byte of the word after the one that ends at to, -1
// where something else stands between them.
func mnemonicAfter(b []byte, to int) int {
	if to < len(b) && (b[to] == ':' || b[to] == '=') {
		return -1
	}
	for k := to; k < len(b) && k-to <= mnemonicGap; k++ {
		switch c := b[k]; {
		case isAlpha(c):
			if k == to {
				return -1
			}
			return k
		case c >= 0x80:
			return -1
		}
	}
	return -1
}

// mnemonicEdge reports whether a line may begin before words[i]: at the run's ends,
// and where a line ends between it and the word before.
func mnemonicEdge(b []byte, words []spoken, i int) bool {
	return i == 0 || i == len(words) || slices.Contains(b[words[i-1].to:words[i].from], '\n')
}

// mnemonicMixed reports whether enough of the words differ.
func mnemonicMixed(words []spoken) bool {
	var set [2048 / 64]uint64
	n := 0
	for _, x := range words {
		if bit := uint64(1) << (x.number & 63); set[x.number>>6]&bit == 0 {
			set[x.number>>6] |= bit
			n++
		}
	}
	return n >= mnemonicVaried
}

// mnemonicValid checks the checksum: eleven bits a word, of which the last thirty-third
// part begins the hash of the others.
func mnemonicValid(words []spoken) bool {
	var bits [33 + 8]byte
	at := 0
	for _, x := range words {
		for k := 10; k >= 0; k-- {
			bits[at>>3] |= byte(x.number>>k&1) << (7 - at&7)
			at++
		}
	}
	check := at / 33
	entropy := (at - check) / 8
	sum := sha256.Sum256(bits[:entropy])
	return sum[0]>>(8-check) == bits[entropy]>>(8-check)
}

// mnemonicNormal gives the sentence's value: a hash of its words' numbers, so that
// neither case nor what stands between them makes a difference, and nothing shows.
func mnemonicNormal(words []spoken) []byte {
	var all [2 * mnemonicMost]byte
	for i, x := range words {
		all[2*i], all[2*i+1] = byte(x.number>>8), byte(x.number)
	}
	sum := sha256.Sum256(all[:2*len(words)])
	return sum[:8]
}
