package classifiers

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// labelledTexts reads the texts that the classifiers are measured with.
func labelledTexts(t *testing.T) []string {
	t.Helper()
	files, _ := filepath.Glob("../../shared/data/dlp/texts/*.tsv")
	if len(files) == 0 {
		t.Skip("the labelled texts are not there")
	}
	unescape := strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`)
	var out []string
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			if c := strings.Split(sc.Text(), "\t"); len(c) > 4 && c[4] != "" && c[4] != "text" {
				out = append(out, unescape.Replace(c[4]))
			}
		}
		f.Close()
	}
	return out
}

// TestAnyCutOfTheTexts holds that any cut of any labelled texts, some in a row,
// gives the same findings.
func TestAnyCutOfTheTexts(t *testing.T) {
	texts := labelledTexts(t)
	s := newScanner(t)
	rapid.Check(t, func(r *rapid.T) {
		var data []byte
		for range rapid.IntRange(1, 8).Draw(r, "texts") {
			data = append(data, texts[rapid.IntRange(0, len(texts)-1).Draw(r, "text")]...)
			data = append(data, rapid.SampledFrom([]string{"\n", " ", "", "\r\n\r\n"}).Draw(r, "joint")...)
		}
		meta := ObjectMeta{}
		var cuts []int
		for at := 0; ; {
			at += rapid.IntRange(1, 700).Draw(r, "piece")
			if at >= len(data) {
				break
			}
			cuts = append(cuts, at)
		}
		same(t, fmt.Sprintf("cut at %v", cuts), data, s.ScanBytes(data, meta), scanCut(t, s, data, cuts))
	})
}
