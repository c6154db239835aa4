package classifiers

import (
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"
	"pgregory.net/rapid"
)

// sentenceOf makes a mnemonic sentence after BIP-39 by arithmetic, and reports whether
// its last word is changed into one of another checksum.
func sentenceOf(entropy []byte, wrong bool) []string {
	sum := sha256.Sum256(entropy)
	check := uint(len(entropy) / 4)
	n := new(big.Int).SetBytes(entropy)
	n.Lsh(n, check)
	low := int64(sum[0] >> (8 - check))
	if wrong {
		low ^= 1
	}
	n.Or(n, big.NewInt(low))
	words := make([]string, (len(entropy)*8+int(check))/11)
	rest := new(big.Int)
	for i := len(words) - 1; i >= 0; i-- {
		n.DivMod(n, big.NewInt(2048), rest)
		words[i] = wordlists.English[rest.Int64()]
	}
	return words
}

// TestMnemonics holds that sentences of every length are found where words speak of
// them, however they are written, and that a wrong checksum is none.
func TestMnemonics(t *testing.T) {
	s := newScanner(t)
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int{16, 20, 24, 28, 32}).Draw(rt, "bytes")
		entropy := rapid.SliceOfN(rapid.Byte(), size, size).Draw(rt, "entropy")
		wrong := rapid.Bool().Draw(rt, "wrong")
		words := sentenceOf(entropy, wrong)
		varied := map[string]bool{}
		for _, w := range words {
			varied[w] = true
		}
		if len(varied) < mnemonicVaried {
			return
		}
		sep := rapid.SampledFrom([]string{" ", "\n", ", ", "\r\n", "\n1. ", " 7) ", `", "`}).Draw(rt, "between")
		before := rapid.SampledFrom([]string{"seed phrase: ", "Mnemonic=\"", "the wallet's words are\n", "Wiederherstellungsphrase: ", "phrase de récupération : ", "frase semilla: ", "frase di recupero: ", "fraza odzyskiwania: "}).Draw(rt, "context")
		text := strings.Repeat("It was a long and quiet day at the office.\n", 80) + before + strings.Join(words, sep) + "\n\nIt went on for long.\n" + strings.Repeat("And on, and on.\n", 150)
		res := s.ScanBytes([]byte(text), ObjectMeta{})
		whole := false
		for _, f := range res.Findings {
			if f.Detector != "pay.crypto.seed" {
				continue
			}
			if strings.Trim(f.Masked, "*") != "" {
				rt.Fatalf("%q masked %q", text[f.Start:f.End], f.Masked)
			}
			// Of lines, some may be a shorter sentence by chance.
			whole = whole || text[f.Start:f.End] == strings.Join(words, sep) && f.Confidence == High
		}
		if whole == wrong {
			rt.Fatalf("wrong %v: %+v in %q", wrong, res.Counts, before+strings.Join(words, sep))
		}
	})
}

// TestMnemonicAlone holds what becomes of a sentence that no word speaks for.
func TestMnemonicAlone(t *testing.T) {
	s := newScanner(t)
	words := strings.Join(sentenceOf([]byte("sixteen letters!"), false), " ")
	f := func(name, text string, want Confidence, some bool) {
		t.Helper()
		res := s.ScanBytes([]byte(text), ObjectMeta{})
		if found(res, "pay.crypto.seed", Low) != some || some && countOf(res, "pay.crypto.seed").Confidence != want {
			t.Errorf("%s: %+v", name, res.Counts)
		}
	}
	f("a note", words, Medium, true)
	f("a note with a line before", "do not lose:\n\n"+words+"\n", Medium, true)
	f("in a long text", strings.Repeat("It was a quiet day at the office.\n", 100)+words+strings.Repeat("\nIt was.", 300), 0, false)
	f("too far from the word", "wallet"+strings.Repeat(" xyz", 600)+"\n"+words+strings.Repeat("\nIt was.", 300), 0, false)
	f("a word within another", "seeds\n"+strings.Repeat("It was a quiet day.\n", 150)+"misseed: "+words+strings.Repeat("\nIt was.", 300), 0, false)
	f("the list of words", "mnemonic words\n"+strings.Join(wordlists.English, " "), 0, false)
	f("the list of words in lines", "mnemonic words\n"+strings.Join(wordlists.English[:400], " \n x "), 0, false)
}
